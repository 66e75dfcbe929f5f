//! `asl history`.

use crate::args::History;
use crate::exit::{Exit, Trouble, answer};
use crate::place;
use crate::render::event;
use crate::render::look::Look;
use crate::render::text::json;
use asl::{Event, Map, Value, to_aws};

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
        let events: Vec<Value> = events.iter().map(to_aws).collect();
        answer(&json(&Value::from(Map::from_iter([("events", Value::from(events))]))))?;
    } else {
        answer(&event::history(&row, &events, Look::of_stdout()))?;
    }
    Ok(Exit::Done)
}
