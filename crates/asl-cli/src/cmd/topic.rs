//! `asl topic publish`.

use crate::args::Place;
use crate::common::input::read_stdin;
use crate::common::services::{self, Action};
use crate::exit::{Exit, Trouble};
use crate::render::text::json;
use crate::terminal::answer;
use asl::Map;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Topic {
    /// Publish a message: its id on stdout. Queues have it at once; a worker calls the functions that subscribe
    Publish(Publish),
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The topic
    pub(crate) name: String,
    /// The message; - reads stdin
    #[arg(allow_hyphen_values = true)]
    pub(crate) message: String,
    /// Its subject
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Its message group, for a FIFO topic
    #[arg(long, value_name = "ID")]
    pub(crate) group: Option<String>,
    /// Its deduplication id, for a FIFO topic
    #[arg(long, value_name = "ID")]
    pub(crate) dedup: Option<String>,
    /// JSON, in the shape of `aws sns publish`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn topic(topic: Topic) -> Result<Exit, Trouble> {
    let Topic::Publish(args) = topic;
    let message = if args.message == "-" { read_stdin("the message")? } else { args.message };
    let opened = services::fill(&args.place).await?;
    let name = opened.project.physical(&args.name).to_owned();
    services::declared("topic", &name, opened.project.services.topics.keys().map(String::as_str))?;
    let mut parameters = Map::new();
    parameters.insert("TopicArn", name);
    parameters.insert("Message", message);
    args.subject.iter().for_each(|subject| drop(parameters.insert("Subject", subject.as_str())));
    args.group.iter().for_each(|id| drop(parameters.insert("MessageGroupId", id.as_str())));
    args.dedup.iter().for_each(|id| drop(parameters.insert("MessageDeduplicationId", id.as_str())));
    let published = services::call(opened, Action("sns", "publish"), parameters.into()).await?;
    let id = published["MessageId"].as_str().unwrap_or_default();
    answer(&if args.json { json(&published) } else { format!("{id}\n") })?;
    Ok(Exit::Done)
}
