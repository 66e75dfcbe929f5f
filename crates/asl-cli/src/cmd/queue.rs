//! `asl queue receive`, `asl queue peek`.

use super::now_ms;
use crate::args::{Peek, Place, Queue, Receive};
use crate::exit::{Exit, Trouble, answer, say};
use crate::place;
use crate::render::look::Look;
use crate::render::text::{json, whole};
use asl::parts::embedded::{self, AccessError, Services};
use asl::{Journal, JournalError, JournalOptions, Map, Timestamp, Value};

pub(crate) async fn queue(queue: Queue) -> Result<Exit, Trouble> {
    match queue {
        Queue::Receive(args) => receive(args).await,
        Queue::Peek(args) => peek(args).await,
    }
}

/// What can go wrong in a transaction over the services.
pub(crate) enum Failed {
    Access(AccessError),
    Journal(JournalError),
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Failed {
        Failed::Journal(error)
    }
}

impl From<AccessError> for Failed {
    fn from(error: AccessError) -> Failed {
        Failed::Access(error)
    }
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Trouble {
        match failed {
            Failed::Journal(error) => error.into(),
            Failed::Access(error @ AccessError::Unknown { .. }) => {
                Trouble::new(error.to_string()).hint("declare it in the project file, or write another name")
            }
            Failed::Access(error) => Trouble::new(error.to_string()),
        }
    }
}

async fn open(place: &Place, name: &str) -> Result<(String, Services, Journal), Trouble> {
    let project = place::project(place)?;
    let services = project.services()?;
    let name = project.physical(name).to_owned();
    Ok((name, services, place::change(&place::database_of(place, &project)).await?))
}

async fn receive(args: Receive) -> Result<Exit, Trouble> {
    let (name, services, journal) = open(&args.place, &args.name).await?;
    let now_ms = now_ms();
    let visibility_timeout_ms = args.visibility_timeout.map(|seconds| i64::from(seconds) * 1000);
    // Receipt handles differ from one receive to the next: no two happen at the same time in one process.
    let seed = (now_ms.unsigned_abs() << 20) ^ u64::from(std::process::id());
    let receive = embedded::Receive { limit: args.max, visibility_timeout_ms, now_ms, seed };
    let asked = services.clone();
    let messages = journal.transact(move |tx| {
        Box::pin(async move {
            let messages = asked.receive_messages(tx, &name, &receive).await?;
            Ok::<_, Failed>(messages)
        })
    });
    let messages = messages.await?;
    journal.close().await;
    show(&messages.iter().map(|message| services.message_json(message)).collect::<Vec<_>>(), args.json)
}

async fn peek(args: Peek) -> Result<Exit, Trouble> {
    let project = place::project(&args.place)?;
    let services = project.services()?;
    let database = place::shorter(&place::database_of(&args.place, &project));
    let journal = Journal::open_read_only(&database, JournalOptions::default()).await?;
    let (name, asked, now_ms) = (project.physical(&args.name).to_owned(), services.clone(), now_ms());
    let messages = journal.inspect(move |tx| {
        Box::pin(async move { asked.peek_messages(tx, &name, 0, args.max, now_ms).await.map_err(Failed::from) })
    });
    let messages = messages.await?;
    journal.close().await;
    show(&messages.iter().map(|message| services.message_json(message)).collect::<Vec<_>>(), args.json)
}

fn show(messages: &[Value], as_json: bool) -> Result<Exit, Trouble> {
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
    }
    Ok(Exit::Done)
}
