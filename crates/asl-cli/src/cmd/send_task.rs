//! `asl send-task-success`, `-failure`, `-heartbeat`: answers to task tokens, with the names and options of the AWS CLI.

use crate::args::Place;
use crate::common::input::read_json;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::terminal::answer;
use asl::{Client, Database, EngineError, Failure};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Success {
    /// The token that the task was given
    #[arg(long, value_name = "TOKEN")]
    pub(crate) task_token: String,
    /// The task's result: JSON, or a file of JSON; - reads stdin
    #[arg(long, value_name = "JSON|FILE", allow_hyphen_values = true)]
    pub(crate) task_output: String,
    /// JSON, in the shape of the AWS CLI: {}
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Failed {
    /// The token that the task was given
    #[arg(long, value_name = "TOKEN")]
    pub(crate) task_token: String,
    /// The error's name
    #[arg(long)]
    pub(crate) error: Option<String>,
    /// Its cause
    #[arg(long)]
    pub(crate) cause: Option<String>,
    /// JSON, in the shape of the AWS CLI: {}
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Heartbeat {
    /// The token that the task was given
    #[arg(long, value_name = "TOKEN")]
    pub(crate) task_token: String,
    /// JSON, in the shape of the AWS CLI: {}
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn success(args: Success) -> Result<Exit, Trouble> {
    let (_, output) = read_json("the output", &args.task_output)?;
    let (client, journal) = open(&args.place).await?;
    end(client.send_task_success(&args.task_token, output).await, journal, args.json).await
}

pub(crate) async fn failure(args: Failed) -> Result<Exit, Trouble> {
    let (client, journal) = open(&args.place).await?;
    let failure = Failure { error: args.error.map(Into::into), cause: args.cause.map(Into::into) };
    end(client.send_task_failure(&args.task_token, failure).await, journal, args.json).await
}

pub(crate) async fn heartbeat(args: Heartbeat) -> Result<Exit, Trouble> {
    let (client, journal) = open(&args.place).await?;
    end(client.send_task_heartbeat(&args.task_token).await, journal, args.json).await
}

/// Whoever runs the execution decides about the answer; if nobody does, it is recorded here, and nothing runs.
async fn open(place: &Place) -> Result<(Client, Database), Trouble> {
    let journal = place::change(&place::database(place)?).await?;
    Ok((Client::new(journal.clone()).called("asl send-task"), journal))
}

async fn end(sent: Result<(), EngineError>, journal: Database, as_json: bool) -> Result<Exit, Trouble> {
    journal.close().await;
    sent?;
    if as_json {
        answer("{}\n")?;
    }
    Ok(Exit::Done)
}
