//! `asl history`.

use crate::args::Place;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::event;
use crate::render::look::Look;
use crate::render::text::json;
use crate::terminal::answer;
use asl::{Event, aws};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct History {
    /// The execution: its name, the beginning of its name, or its ARN [default: the last one]
    pub(crate) execution: Option<String>,
    /// JSON, in the shape of `aws stepfunctions get-execution-history`
    #[arg(long)]
    pub(crate) json: bool,
    /// The records themselves, with the definition: lines of JSON that every later version replays
    #[arg(long, conflicts_with = "json")]
    pub(crate) records: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn history(args: History) -> Result<Exit, Trouble> {
    let journal = place::read(&args.place).await?;
    let row = place::execution(&journal, args.execution.as_deref()).await?;
    if args.records {
        let kept = journal.keep(&row).await?;
        journal.close().await;
        answer(&kept)?;
        return Ok(Exit::Done);
    }
    let records = journal.records(row.id).await?;
    journal.close().await;
    let events: Vec<Event> = records.into_iter().flat_map(|record| record.events).collect();
    if args.json {
        answer(&json(&aws::execution_history(&events)))?;
    } else {
        answer(&event::history(&row, &events, Look::of_stdout()))?;
    }
    Ok(Exit::Done)
}
