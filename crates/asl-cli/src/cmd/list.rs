//! `asl list`.

use crate::args::List;
use crate::cmd::now_ms;
use crate::exit::{Exit, Trouble, answer, say};
use crate::place;
use crate::render::grid::grid;
use crate::render::look::Look;
use crate::render::text::{duration, json};
use asl::{ExecutionRow, Filter, Holder, Map, Status, Value};

pub(crate) async fn list(args: List) -> Result<Exit, Trouble> {
    let journal = place::read(&args.place).await?;
    let filter = Filter { status: args.status, state_machine: args.definition, limit: args.limit, ..Filter::default() };
    let rows = journal.executions(&filter).await?;
    let holders = asl::holders(&journal).await?;
    journal.close().await;
    if args.json {
        let executions: Vec<Value> = rows.iter().map(item).collect();
        answer(&json(&Value::from(Map::from_iter([("executions", Value::from(executions))]))))?;
    } else if rows.is_empty() {
        say("no execution is like that\n");
    } else {
        let look = Look::of_stdout();
        let cells: Vec<Vec<String>> = rows.iter().map(|row| cells(row, &holders)).collect();
        answer(&grid(&["DEFINITION", "STATUS", "STARTED", "TOOK", "RUN BY", "NAME"], &cells, &[], look))?;
    }
    Ok(Exit::Done)
}

/// Which living process runs an execution that has not ended.
pub(crate) fn run_by(row: &ExecutionRow, holders: &[Holder]) -> Option<String> {
    let holder = holders.iter().find(|holder| holder.alive && Some(holder.worker.id) == row.owner)?;
    Some(format!("{} ({})", holder.worker.what, holder.worker.process))
}

fn cells(row: &ExecutionRow, holders: &[Holder]) -> Vec<String> {
    let run_by = match row.status {
        Status::Running => run_by(row, holders).unwrap_or_else(|| "nobody".to_owned()),
        _ => String::new(),
    };
    let end = row.stopped.map_or_else(now_ms, |stopped| stopped.millis());
    vec![
        row.state_machine.clone(),
        status(row),
        row.started.whole_seconds().to_string(),
        duration(end - row.started.millis()),
        run_by,
        row.name.clone(),
    ]
}

/// The status, and how often it was redriven.
fn status(row: &ExecutionRow) -> String {
    match row.redrive_count {
        0 => row.status.name().to_owned(),
        1 => format!("{} (redriven)", row.status.name()),
        n => format!("{} (redriven {n} times)", row.status.name()),
    }
}

/// An `ExecutionListItem`, with its times as the AWS CLI writes them.
fn item(row: &ExecutionRow) -> Value {
    let mut item = Map::new();
    item.insert("executionArn", row.arn.as_str());
    item.insert("stateMachineArn", row.state_machine_arn.as_str());
    item.insert("name", row.name.as_str());
    item.insert("status", row.status.name());
    item.insert("startDate", row.started.to_cli_string());
    if let Some(stopped) = row.stopped {
        item.insert("stopDate", stopped.to_cli_string());
    }
    if let Some(redriven) = row.redriven {
        item.insert("redriveCount", row.redrive_count);
        item.insert("redriveDate", redriven.to_cli_string());
    }
    item.into()
}
