//! `asl describe`: an execution at a glance, or exactly what AWS tells of it.

use super::list::{run_by, set_aside};
use super::now_ms;
use crate::args::Place;
use crate::exit::{Exit, Trouble, answer};
use crate::place;
use crate::render::look::Look;
use crate::render::text::{duration, json, whole};
use asl::{EventKind, ExecutionRow, JournalError, Map, Status, Value};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// The execution: its name, the beginning of its name, or its ARN [default: the last one]
    pub(crate) execution: Option<String>,
    /// JSON, in the shape of `aws stepfunctions describe-execution`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What the history tells beyond the header.
#[derive(Default)]
struct Data {
    input: String,
    output: Option<String>,
    /// Why the history cannot be read.
    unread: Option<String>,
}

pub(crate) async fn describe(args: Describe) -> Result<Exit, Trouble> {
    let journal = place::read(&args.place).await?;
    let row = place::execution(&journal, args.execution.as_deref()).await?;
    let mut data = Data::default();
    let records = match journal.records(row.id).await {
        Ok(records) => records,
        // The header tells what can be done about it.
        Err(problem @ JournalError::Corrupt { .. }) => {
            data.unread = Some(problem.to_string());
            Vec::new()
        }
        Err(problem) => return Err(problem.into()),
    };
    for event in records.into_iter().flat_map(|record| record.events) {
        match event.kind {
            EventKind::ExecutionStarted { input, .. } => data.input = input.to_string(),
            EventKind::ExecutionSucceeded { output } => data.output = Some(output.to_string()),
            _ => {}
        }
    }
    let holders = asl::holders(&journal).await?;
    journal.close().await;
    if args.json {
        answer(&json(&shape(&row, data)))?;
    } else {
        let by = run_by(&row, &holders).unwrap_or_else(|| "nobody".to_owned());
        answer(&lines(&row, &data, &by, Look::of_stdout()))?;
    }
    Ok(Exit::Done)
}

/// AWS's shape (spec: DescribeExecution).
fn shape(row: &ExecutionRow, data: Data) -> Value {
    let included = || Value::from(Map::from_iter([("included", true)]));
    let mut out = Map::new();
    out.insert("executionArn", row.arn.as_str());
    out.insert("stateMachineArn", row.state_machine_arn.as_str());
    out.insert("name", row.name.as_str());
    out.insert("status", row.status.name());
    out.insert("startDate", row.started.to_cli_string());
    if let Some(stopped) = row.stopped {
        out.insert("stopDate", stopped.to_cli_string());
    }
    out.insert("input", data.input);
    out.insert("inputDetails", included());
    if let Some(output) = data.output {
        out.insert("output", output);
        out.insert("outputDetails", included());
    }
    // Of an execution that ran out of time AWS tells neither.
    if row.status != Status::TimedOut {
        if let Some(error) = &row.error {
            out.insert("error", error.as_str());
        }
        if let Some(cause) = &row.cause {
            out.insert("cause", cause.as_str());
        }
    }
    set_aside(row, &mut out);
    out.insert("redriveCount", row.redrive_count);
    if let Some(redriven) = row.redriven {
        out.insert("redriveDate", redriven.to_cli_string());
    }
    match row.status {
        Status::Running | Status::Succeeded => {
            out.insert("redriveStatus", "NOT_REDRIVABLE");
            out.insert("redriveStatusReason", format!("Execution is {} and cannot be redriven", row.status));
        }
        _ => out.insert("redriveStatus", "REDRIVABLE").map_or((), drop),
    }
    out.into()
}

fn lines(row: &ExecutionRow, data: &Data, run_by: &str, look: Look) -> String {
    let end = row.stopped.map_or_else(now_ms, |stopped| stopped.millis());
    let took = duration(end - row.started.millis());
    let running = row.status == Status::Running;
    let status = match row.status {
        Status::Running if row.set_aside.is_some() => "RUNNING, set aside: nobody runs it".to_owned(),
        Status::Running => format!("RUNNING, run by {run_by}"),
        status if row.unread_end => format!("{status}, which its history does not tell: it was not read"),
        status => status.name().to_owned(),
    };
    let mut facts = vec![
        ("name", row.name.clone()),
        ("arn", row.arn.clone()),
        ("status", status),
        ("started", format!("{}, {} {took}", row.started.whole_seconds(), if running { "for" } else { "took" })),
        ("events", row.last_event.to_string()),
    ];
    facts.extend(data.unread.is_none().then(|| ("input", whole(&data.input))));
    facts.extend(row.set_aside.iter().map(|why| ("why", why.clone())));
    facts.extend(data.unread.iter().map(|why| ("damage", why.clone())));
    facts.extend(data.output.iter().map(|output| ("output", whole(output))));
    facts.extend(row.error.iter().map(|error| ("error", error.clone())));
    facts.extend(row.cause.iter().filter(|cause| !cause.is_empty()).map(|cause| ("cause", whole(cause))));
    facts.iter().map(|(name, text)| line(name, text, look)).collect()
}

/// `name     text`, further lines below the first.
fn line(name: &str, text: &str, look: Look) -> String {
    let name = look.dim(&format!("{name:<8}"));
    format!("{name} {}\n", text.trim_end().replace('\n', "\n         "))
}
