//! `asl describe`: an execution at a glance, or exactly what AWS tells of it.

use crate::args::Place;
use crate::common::clock::now_ms;
use crate::common::owner::run_by;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::look::Look;
use crate::render::pending;
use crate::render::text::{duration, json, one_line, whole};
use crate::terminal::answer;
use asl::{EventKind, ExecutionRow, JournalError, Pending, Status, aws};
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
            let hint = problem.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            data.unread = Some(format!("{problem}{hint}"));
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
    let holders = asl::holders(&*journal).await?;
    // One that cannot be rebuilt is described all the same.
    let pending = match row.status {
        Status::Running if !args.json => asl::pending(&*journal, &row).await.map_err(|error| error.to_string()),
        _ => Ok(Vec::new()),
    };
    journal.close().await;
    if args.json {
        answer(&json(&aws::describe_execution(&row, &data.input, data.output.as_deref())))?;
    } else {
        let by = run_by(&row, &holders).unwrap_or_else(|| "nobody".to_owned());
        answer(&lines(&row, &data, &by, &pending, Look::of_stdout()))?;
    }
    Ok(Exit::Done)
}

fn lines(row: &ExecutionRow, data: &Data, run_by: &str, pending: &Result<Vec<Pending>, String>, look: Look) -> String {
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
    // What cannot be read is told once, and why nobody runs it is told in place of what it waits for.
    if data.unread.is_none() && row.set_aside.is_none() {
        match pending {
            Ok(pending) => facts.extend(pending.iter().map(|pending| ("now", now(pending)))),
            Err(why) => facts.push(("now", format!("not known: {why}"))),
        }
    }
    facts.extend(data.unread.is_none().then(|| ("input", whole(&data.input))));
    facts.extend(row.set_aside.iter().map(|why| ("why", why.clone())));
    facts.extend(row.tried_again.iter().map(|again| ("next try", again.whole_seconds().to_string())));
    facts.extend(data.unread.iter().map(|why| ("damage", why.clone())));
    facts.extend(data.output.iter().map(|output| ("output", whole(output))));
    facts.extend(row.error.iter().map(|error| ("error", one_line(error, None))));
    facts.extend(row.cause.iter().filter(|cause| !cause.is_empty()).map(|cause| ("cause", whole(cause))));
    facts.iter().map(|(name, text)| line(name, text, look)).collect()
}

/// The state, since when, what it is at, and the command that answers it.
fn now(pending: &Pending) -> String {
    let (what, more) = pending::told(&pending.doing);
    let since = duration(now_ms() - pending.since.millis());
    let line = format!("{}  {what} {more}", pending::label(pending));
    let answer = pending::command(&pending.doing).map(|command| format!("\n{command}")).unwrap_or_default();
    format!("{}  (for {since}){answer}", line.trim_end())
}

/// `name     text`, further lines below the first.
fn line(name: &str, text: &str, look: Look) -> String {
    let name = look.dim(&format!("{name:<8}"));
    format!("{name} {}\n", text.trim_end().replace('\n', "\n         "))
}
