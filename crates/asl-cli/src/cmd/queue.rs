//! `asl queue`: the messages of a queue, to look at, to take and to send.

use crate::args::Place;
use crate::common::clock::now_ms;
use crate::common::input::read_stdin;
use crate::common::services::{self, Action, Failed, Opened};
use crate::exit::{Exit, Trouble};
use crate::render::look::Look;
use crate::render::text::{json, whole};
use crate::terminal::{answer, say};
use asl::parts::embedded;
use asl::{Map, Timestamp, Value};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Queue {
    /// Receive messages: they are hidden from others for the queue's visibility timeout
    Receive(Receive),
    /// Look at messages without receiving them, hidden ones too
    Peek(Peek),
    /// Send a message: its id on stdout
    Send(Send),
    /// Delete a message that was received
    Delete(Delete),
    /// Delete all messages
    Purge(Purge),
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The queue
    pub(crate) name: String,
    /// The message's body; - reads stdin
    #[arg(allow_hyphen_values = true)]
    pub(crate) body: String,
    /// How long it stays hidden at first, in seconds [default: the queue's own]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=900))]
    pub(crate) delay: Option<u32>,
    /// Its message group, for a FIFO queue
    #[arg(long, value_name = "ID")]
    pub(crate) group: Option<String>,
    /// Its deduplication id, for a FIFO queue
    #[arg(long, value_name = "ID")]
    pub(crate) dedup: Option<String>,
    /// JSON, in the shape of `aws sqs send-message`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The queue
    pub(crate) name: String,
    /// The receipt handle that `asl queue receive` gave
    pub(crate) receipt: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Purge {
    /// The queue
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Receive {
    /// The queue
    pub(crate) name: String,
    /// At most so many messages: 1 to 10, as on AWS
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(crate) max: u32,
    /// How long they stay hidden, in seconds [default: the queue's own]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=43_200))]
    pub(crate) visibility_timeout: Option<u32>,
    /// JSON, in the shape of `aws sqs receive-message`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Peek {
    /// The queue
    pub(crate) name: String,
    /// At most so many messages
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) max: u32,
    /// JSON, in the shape of `aws sqs receive-message`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn queue(queue: Queue) -> Result<Exit, Trouble> {
    match queue {
        Queue::Receive(args) => receive(args).await,
        Queue::Peek(args) => peek(args).await,
        Queue::Send(args) => send(args).await,
        Queue::Delete(args) => delete(args).await,
        Queue::Purge(args) => purge(args).await,
    }
}

async fn receive(args: Receive) -> Result<Exit, Trouble> {
    let Opened { project, services, journal } = services::change(&args.place).await?;
    let name = project.physical(&args.name).to_owned();
    let now_ms = now_ms();
    let visibility_timeout_ms = args.visibility_timeout.map(|seconds| i64::from(seconds) * 1000);
    // Receipt handles differ from one receive to the next: no two happen at the same time in one process.
    let seed = (now_ms.unsigned_abs() << 20) ^ u64::from(std::process::id());
    let receive = embedded::Receive { limit: args.max, visibility_timeout_ms, now_ms, seed };
    let asked = services.clone();
    let messages = journal.transact(move |tx| {
        let (asked, name) = (asked.clone(), name.clone());
        Box::pin(async move {
            let messages = asked.receive_messages(tx, &name, &receive).await?;
            Ok::<_, Failed>(messages)
        })
    });
    let messages = messages.await?;
    journal.close().await;
    show(&messages.iter().map(|message| services.message_json(message)).collect::<Vec<_>>(), args.json, true)
}

async fn peek(args: Peek) -> Result<Exit, Trouble> {
    let Opened { project, services, journal } = services::read(&args.place).await?;
    let (name, asked, now_ms) = (project.physical(&args.name).to_owned(), services.clone(), now_ms());
    let messages = journal.inspect(move |tx| {
        let (asked, name) = (asked.clone(), name.clone());
        Box::pin(async move { asked.peek_messages(tx, &name, 0, args.max, now_ms).await.map_err(Failed::from) })
    });
    let messages = messages.await?;
    journal.close().await;
    show(&messages.iter().map(|message| services.message_json(message)).collect::<Vec<_>>(), args.json, false)
}

/// Opens a queue that is declared; the name is the one that it has here.
async fn open(place: &Place, queue: &str) -> Result<(Opened, String), Trouble> {
    let opened = services::fill(place).await?;
    let name = opened.project.physical(queue).to_owned();
    services::declared("queue", &name, opened.services.queue_names())?;
    Ok((opened, name))
}

async fn send(args: Send) -> Result<Exit, Trouble> {
    let body = if args.body == "-" { read_stdin("the message")? } else { args.body };
    let (opened, name) = open(&args.place, &args.name).await?;
    let mut parameters = Map::new();
    parameters.insert("QueueUrl", name.as_str());
    parameters.insert("MessageBody", body);
    args.delay.iter().for_each(|seconds| drop(parameters.insert("DelaySeconds", u64::from(*seconds))));
    args.group.iter().for_each(|id| drop(parameters.insert("MessageGroupId", id.as_str())));
    args.dedup.iter().for_each(|id| drop(parameters.insert("MessageDeduplicationId", id.as_str())));
    let sent = services::call(opened, Action("sqs", "sendMessage"), parameters.into()).await?;
    let id = sent["MessageId"].as_str().unwrap_or_default();
    answer(&if args.json { json(&sent) } else { format!("{id}\n") })?;
    Ok(Exit::Done)
}

async fn delete(args: Delete) -> Result<Exit, Trouble> {
    let (opened, name) = open(&args.place, &args.name).await?;
    let parameters = [("QueueUrl", name.as_str()), ("ReceiptHandle", args.receipt.as_str())];
    services::call(opened, Action("sqs", "deleteMessage"), Map::from_iter(parameters).into()).await?;
    Ok(Exit::Done)
}

async fn purge(args: Purge) -> Result<Exit, Trouble> {
    let (Opened { services, journal, .. }, name) = open(&args.place, &args.name).await?;
    let purged = journal.transact(move |tx| {
        let (services, name) = (services.clone(), name.clone());
        Box::pin(async move { Ok::<_, Failed>(services.purge_queue(tx, &name).await?) })
    });
    let count = purged.await?;
    journal.close().await;
    say(&format!("{count} message{} deleted from {}\n", if count == 1 { "" } else { "s" }, args.name));
    Ok(Exit::Done)
}

fn show(messages: &[Value], as_json: bool, with_receipts: bool) -> Result<Exit, Trouble> {
    if as_json {
        answer(&json(&Value::from(Map::from_iter([("Messages", Value::from(messages.to_vec()))]))))?;
        return Ok(Exit::Done);
    }
    if messages.is_empty() {
        say("no messages\n");
    }
    let look = Look::of_stdout();
    for message in messages {
        let text = |key: &str| message[key].as_str().unwrap_or_default();
        let attribute = |key: &str| message["Attributes"][key].as_str().unwrap_or_default();
        let sent = attribute("SentTimestamp").parse().map(|ms| Timestamp::from_millis(ms).to_string());
        let received = attribute("ApproximateReceiveCount");
        let id = look.strong(text("MessageId"));
        let body: String = whole(text("Body")).lines().map(|line| format!("  {line}\n")).collect();
        answer(&format!("{id}  sent {}, received {received} times\n{body}", sent.unwrap_or_default()))?;
        if let Some(receipt) = message["ReceiptHandle"].as_str().filter(|_| with_receipts) {
            answer(&format!("  {} {receipt}\n", look.dim("receipt")))?;
        }
    }
    Ok(Exit::Done)
}
