//! `asl stop`: whoever runs the execution takes the stop in; if nobody does, this process ends it.

use crate::args::Place;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::text::json;
use crate::terminal::{answer, say};
use asl::{Client, ExecutionRow, Failure, Status, aws};
use clap::Args;
use std::time::{Duration, Instant};

/// How long the process that runs the execution has to end it.
const PATIENCE: Duration = Duration::from_secs(40);
/// After so long it is looked again whether that process still lives.
const AGAIN: Duration = Duration::from_secs(2);
/// How often it is looked whether the execution has ended.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// The execution: its name, the beginning of its name, or its ARN
    pub(crate) execution: String,
    /// The error it ends with
    #[arg(long)]
    pub(crate) error: Option<String>,
    /// The cause of that error
    #[arg(long)]
    pub(crate) cause: Option<String>,
    /// JSON, in the shape of `aws stepfunctions stop-execution`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn stop(args: Stop) -> Result<Exit, Trouble> {
    let journal = place::change(&place::database(&args.place)?).await?;
    let row = place::execution(&journal, Some(&args.execution)).await?;
    if row.status != Status::Running {
        say(&format!("{} has ended already: {}\n", row.name, row.status));
        journal.close().await;
        return told(&row, args.json);
    }
    let client = Client::new(journal.clone()).called("asl stop");
    let failure = Failure { error: args.error.map(Into::into), cause: args.cause.map(Into::into) };
    let ended = tokio::time::timeout(PATIENCE, async {
        loop {
            client.stop(&row.arn, failure.clone()).await?;
            // The header alone is asked: to replay a long history would take longer than to end it.
            let asked = Instant::now();
            while asked.elapsed() < AGAIN {
                let now = place::execution(&journal, Some(&row.arn)).await?;
                if now.status != Status::Running {
                    return Ok::<_, Trouble>(now);
                }
                tokio::time::sleep(LOOK).await;
            }
        }
    });
    let Ok(ended) = ended.await else {
        let message = format!("the process that runs {} has not stopped it yet", row.name);
        return Err(Trouble::new(message).hint("`asl list` shows which process that is; the stop waits for it"));
    };
    let row = ended?;
    journal.close().await;
    told(&row, args.json)
}

fn told(row: &ExecutionRow, as_json: bool) -> Result<Exit, Trouble> {
    if as_json {
        answer(&json(&aws::stop_execution(row.stopped.unwrap_or(row.started))))?;
    }
    Ok(Exit::Done)
}
