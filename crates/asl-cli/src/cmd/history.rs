//! `asl history`.

use crate::args::History;
use crate::exit::{Exit, Trouble, answer, say};
use crate::place;
use crate::render::event;
use crate::render::look::Look;
use crate::render::text::json;
use asl::{Event, Map, Status, Value, to_aws};

pub(crate) async fn history(args: History) -> Result<Exit, Trouble> {
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
