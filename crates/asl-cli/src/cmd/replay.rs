//! `asl replay`.

use crate::args::Replay;
use crate::exit::{Exit, Trouble, answer, error};
use crate::place;
use crate::render::look::Look;
use asl::{ExecutionRow, Filter, Journal, ReplayError};

pub(crate) async fn replay(args: Replay) -> Result<Exit, Trouble> {
    let journal = place::read(&args.place).await?;
    let rows = match args.all {
        true => journal.executions(&Filter::default()).await?,
        false => vec![place::execution(&journal, args.execution.as_deref()).await?],
    };
    let mut exit = Exit::Done;
    for row in &rows {
        if !same(&journal, row).await? {
            exit = Exit::Failed;
        }
    }
    journal.close().await;
    if args.all {
        answer(&format!("{} replayed\n", count(rows.len(), "execution")))?;
    }
    Ok(exit)
}

/// Says whether one execution replays to the same events.
async fn same(journal: &Journal, row: &ExecutionRow) -> Result<bool, Trouble> {
    match asl::replay(journal, row).await {
        Ok(replayed) => {
            let events = count(replayed.events, "event");
            let ended = replayed.outcome.map_or("RUNNING", |outcome| outcome.status());
            answer(&format!("{} · {}  {ended}, {events}: no difference\n", row.state_machine, row.name))?;
            Ok(true)
        }
        Err(ReplayError::Journal(problem)) => Err(problem.into()),
        Err(differs) => {
            error(Look::of_stderr(), &differs.to_string(), None);
            Ok(false)
        }
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
