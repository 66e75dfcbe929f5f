//! `asl list`.

use crate::args::Place;
use crate::common::clock::{Since, now_ms, since};
use crate::common::owner::run_by;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::grid::Grid;
use crate::render::look::Look;
use crate::render::text::{duration, json};
use crate::terminal::{answer, say};
use asl::{Database, ExecutionRow, Filter, Holder, Map, Status, Value, Which, aws};
use clap::Args;
use std::collections::HashSet;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those with this status: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<Status>,
    /// Only those of this definition, by its name (fare, for fare.asl.json)
    #[arg(long, value_name = "NAME", alias = "definition")]
    pub(crate) of: Option<String>,
    /// Only children of Distributed Maps, which are left out otherwise
    #[arg(long)]
    pub(crate) children: bool,
    /// Only children of this map run
    #[arg(long, value_name = "ARN", conflicts_with = "children")]
    pub(crate) map_run: Option<String>,
    /// Only those that started since then: 2026-01-31, 2026-01-31T12:00:00Z, or 30d, 12h, 15m ago
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<Since>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
    /// JSON, in the shape of `aws stepfunctions list-executions`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// How many executions are in memory at a time, however many there are.
const PAGE: u32 = 1_000;

pub(crate) async fn list(args: List) -> Result<Exit, Trouble> {
    let journal = place::read(&args.place).await?;
    let is_any =
        args.status.is_none() && args.of.is_none() && args.since.is_none() && args.map_run.is_none() && !args.children;
    let which = match &args.map_run {
        Some(_) => Which::Children,
        None if args.children => Which::Children,
        // A Map's own name, `fare/Each`, is that of children alone.
        None if args.of.as_ref().is_some_and(|name| name.contains('/')) => Which::All,
        None => Which::Parents,
    };
    let of_run = match &args.map_run {
        Some(map_run) => Some(children(&journal, map_run).await?),
        None => None,
    };
    let mut filter = Filter { status: args.status, state_machine: args.of, which, ..Filter::default() };
    let header = ["DEFINITION", "STATUS", "STARTED", "TOOK", "RUN BY", "NAME"];
    let mut grid = Grid::new(&header, &[], Look::of_stdout());
    let mut left = args.limit.unwrap_or(u32::MAX);
    let (mut is_first, mut found) = (true, false);
    loop {
        // Of those of a map run it is not known before which of the page they are.
        filter.limit = Some(if of_run.is_some() { PAGE } else { left.min(PAGE) });
        let mut rows = journal.executions(&filter).await?;
        let holders = asl::holders(&*journal).await?;
        filter.before = rows.last().map(|row| row.id);
        let was_full = rows.len() == PAGE as usize;
        // Executions are listed in the order in which they started.
        let listed = rows.len();
        rows.retain(|row| args.since.is_none_or(|since| row.started.millis() >= since.ms()));
        let all_since = rows.len() == listed;
        if let Some(of_run) = &of_run {
            rows.retain(|row| of_run.contains(row.arn.as_str()));
            rows.truncate(left as usize);
        }
        left -= rows.len() as u32;
        let is_last = left == 0 || !was_full || !all_since;
        if args.json {
            answer(&part(rows.iter().map(aws::execution_list_item).collect(), is_first, is_last))?;
        } else if !rows.is_empty() {
            let cells: Vec<Vec<String>> = rows.iter().map(|row| cells(row, &holders)).collect();
            answer(&grid.page(&cells))?;
        }
        found |= !rows.is_empty();
        if is_last {
            break;
        }
        is_first = false;
    }
    journal.close().await;
    if !found && !args.json {
        say(if is_any {
            "there is no execution yet; `asl run DEFINITION` starts one\n"
        } else {
            "no execution is like that; `asl list` without options shows all\n"
        });
    }
    Ok(Exit::Done)
}

async fn children(journal: &Database, map_run: &str) -> Result<HashSet<Arc<str>>, Trouble> {
    let found = asl::map_run_children(&**journal, map_run).await.map_err(|error| Trouble::new(error.to_string()))?;
    found.ok_or_else(|| {
        Trouble::new(format!("there is no map run `{map_run}`"))
            .hint("`asl history` of its execution shows its ARN, at MapRunStarted")
    })
}

/// A part of `{"executions": [...]}`: these, and what stands before the first and behind the last of all.
fn part(executions: Vec<Value>, is_first: bool, is_last: bool) -> String {
    let before = if is_first || executions.is_empty() { "" } else { "," };
    let text = json(&Value::from(Map::from_iter([("executions", Value::from(executions))])));
    // The outer list's brackets: the first that opens and the last that closes.
    let (begin, end) = (text.find('[').map_or(0, |at| at + 1), text.rfind(']').unwrap_or(text.len()));
    let head = if is_first { &text[..begin] } else { before };
    if is_last { format!("{head}{}", &text[begin..]) } else { format!("{head}{}", text[begin..end].trim_end()) }
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

/// The status, whether it is set aside, and how often it was redriven.
fn status(row: &ExecutionRow) -> String {
    if row.set_aside.is_some() {
        return format!("{} (set aside)", row.status.name());
    }
    match row.redrive_count {
        0 => row.status.name().to_owned(),
        1 => format!("{} (redriven)", row.status.name()),
        n => format!("{} (redriven {n} times)", row.status.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_one_list() {
        let items = |names: &[&str]| names.iter().map(|&name| Value::from(name)).collect::<Vec<_>>();
        let whole = "{\"executions\":[\"a]\",\"b\",\"[c\"]}\n";
        assert_eq!(part(items(&["a]", "b", "[c"]), true, true), whole);
        let parts = [part(items(&["a]", "b"]), true, false), part(items(&["[c"]), false, true)];
        assert_eq!(parts.concat(), whole);
        let parts = [part(items(&["a]", "b", "[c"]), true, false), part(items(&[]), false, true)];
        assert_eq!(parts.concat(), whole);
        assert_eq!(part(items(&[]), true, true), "{\"executions\":[]}\n");
    }
}
