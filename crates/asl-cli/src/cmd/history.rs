//! `asl history`.

use crate::args::Place;
use crate::common::interrupt::Interrupt;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::event::{self, Table};
use crate::render::look::Look;
use crate::render::text::json;
use crate::terminal::{answer, page, say};
use asl::{Database, Event, ExecutionRow, Status, aws, to_aws};
use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct History {
    /// The execution: its name, the beginning of its name, or its ARN [default: the last one]
    pub(crate) execution: Option<String>,
    /// Go on with what happens until the execution ends, or Ctrl-C
    #[arg(long, short, conflicts_with_all = ["json", "records", "event"])]
    pub(crate) follow: bool,
    /// Only what happened in this state
    #[arg(long, value_name = "NAME", conflicts_with_all = ["records", "event"])]
    pub(crate) state: Option<String>,
    /// Everything about one event
    #[arg(long, value_name = "ID", conflicts_with = "records")]
    pub(crate) event: Option<u64>,
    /// Cut nothing off, and leave nothing out
    #[arg(long)]
    pub(crate) full: bool,
    /// JSON, in the shape of `aws stepfunctions get-execution-history`
    #[arg(long)]
    pub(crate) json: bool,
    /// The records themselves, with the definition: lines of JSON that every later version replays
    #[arg(long, conflicts_with = "json")]
    pub(crate) records: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// How often it is looked whether something happened.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) async fn history(args: History) -> Result<Exit, Trouble> {
    let mut interrupt = if args.follow { Some(Interrupt::listen()?) } else { None };
    let journal = place::read(&args.place).await?;
    let row = place::execution(&journal, args.execution.as_deref()).await?;
    if args.records {
        let kept = journal.keep(&row).await?;
        journal.close().await;
        if row.status == Status::Running {
            let warning = Look::of_stderr().warn("warning");
            say(&format!(
                "{warning}: these records hold the key of the task tokens of {}, which has not ended: keep them to yourself\n",
                row.name
            ));
        }
        answer(&kept)?;
        return Ok(Exit::Done);
    }
    let mut look = Look::of_stdout();
    if args.full {
        look.width = None;
    }
    let mut table = Table::new(&row, args.state.as_deref(), args.full, look);
    if let Some(interrupt) = &mut interrupt {
        let followed = tokio::select! {
            followed = follow(&journal, row, &mut table) => followed.map(|()| Exit::Done),
            () = interrupt.came() => Ok(Exit::Interrupted),
        };
        journal.close().await;
        return followed;
    }
    let events = events(&journal, &row).await?;
    journal.close().await;
    if let Some(id) = args.event {
        return one(&events, id, &row, args.json, look);
    }
    let rows = table.add(&events);
    if let Some(state) = args.state.as_ref().filter(|_| rows.is_empty()) {
        return Err(Trouble::new(format!("nothing happened in a state `{state}` of {}", row.name))
            .hint("`asl history` without --state shows the names of the states"));
    }
    if args.json {
        let ids: Vec<u64> = rows.iter().map(|(id, _)| *id).collect();
        answer(&json(&aws::execution_history(events.iter().filter(|event| ids.binary_search(&event.id).is_ok()))))?;
    } else {
        page(&(table.head(&row, &events) + &table.page(rows)))?;
    }
    Ok(Exit::Done)
}

async fn events(journal: &Database, row: &ExecutionRow) -> Result<Vec<Event>, Trouble> {
    Ok(journal.records(row.id).await?.into_iter().flat_map(|record| record.events).collect())
}

/// Rows as they come, until the execution ends.
async fn follow(journal: &Database, mut row: ExecutionRow, table: &mut Table<'_>) -> Result<(), Trouble> {
    let mut seen = 0;
    loop {
        if row.last_event > seen {
            let events = events(journal, &row).await?;
            let new = &events[usize::try_from(seen).unwrap_or(usize::MAX).min(events.len())..];
            if seen == 0 {
                answer(&table.head(&row, &events))?;
            }
            let rows = table.add(new);
            seen = events.last().map_or(seen, |event| event.id);
            answer(&table.page(rows))?;
        }
        if row.status != Status::Running {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
        row = place::execution(journal, Some(&row.arn)).await?;
    }
}

/// Everything about one event.
fn one(events: &[Event], id: u64, row: &ExecutionRow, as_json: bool, look: Look) -> Result<Exit, Trouble> {
    let Some(event) = events.iter().find(|event| event.id == id) else {
        let message = format!("{} has no event {id}: its last is {}", row.name, row.last_event);
        return Err(Trouble::new(message).hint("`asl history` shows the numbers of the events"));
    };
    answer(&if as_json { json(&to_aws(event)) } else { event::whole(event, look) })?;
    Ok(Exit::Done)
}
