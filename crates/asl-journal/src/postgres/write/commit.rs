//! Group commit: what goes into one statement, and when. All of its tuning is here.
//!
//! There is no timer: an idle store writes a lone record at once, in one round trip, and while a statement is under way the next group
//! gathers in the queue. A connection that is lost is had again, and the group is sent once more: what the first one wrote is found by its
//! chain, so nobody is answered before it is known what became of the record.

use super::group::{Entry, Goes, Place, Within, write};
use crate::ExecutionId;
use crate::JournalError;
use crate::postgres::conn::{ATTEMPTS, Backoff};
use crate::postgres::error::{Class, class};
use crate::postgres::{Shared, connect};
use sqlx::{Connection, PgConnection};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};

/// How many records may wait; beyond that callers wait to queue theirs.
pub(crate) const QUEUE: usize = 2048;
/// The most records in one statement.
const GROUP_RECORDS: usize = 1024;
/// A group that has so many bytes takes no further record.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// What became of a record.
pub(crate) struct Answer {
    /// The record, given back.
    pub(crate) entry: Entry,
    /// Where it is; none if it was not written, because the fence, the chain or the ARN does not allow it.
    pub(crate) place: Result<Option<Place>, JournalError>,
    /// It was sent more than once: an attempt before may have written it.
    pub(crate) again: bool,
}

/// A record on its way.
pub(crate) struct Job {
    pub(crate) entry: Entry,
    pub(crate) reply: oneshot::Sender<Answer>,
}

/// What only one record of a group may have.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Execution(ExecutionId),
    Arn(Arc<str>),
}

impl Job {
    fn key(&self) -> Key {
        match &self.entry.goes {
            Goes::First { execution, .. } => Key::Arn(execution.arn.clone()),
            Goes::After { execution, .. } => Key::Execution(*execution),
        }
    }
}

/// Writes groups over one connection until the queue is closed. Several of these share a queue: while one waits for its commit another
/// sends the next group.
pub(crate) async fn run(shared: Arc<Shared>, queue: Arc<Mutex<mpsc::Receiver<Job>>>) {
    let mut conn = None;
    let mut held: Option<Job> = None;
    loop {
        let group = {
            let mut queue = queue.lock().await;
            let Some(first) = (match held.take() {
                Some(job) => Some(job),
                None => queue.recv().await,
            }) else {
                break;
            };
            gather(first, &mut queue, &mut held)
        };
        send(&shared, &mut conn, group).await;
    }
    if let Some(conn) = conn {
        // The server sees the end of the connection in any case.
        let _ = conn.close().await;
    }
}

/// All that waits behind the first record, as far as it goes into one statement.
fn gather(first: Job, queue: &mut mpsc::Receiver<Job>, held: &mut Option<Job>) -> Vec<Job> {
    let mut keys = HashSet::from([first.key()]);
    let mut bytes = first.entry.row.body.len();
    let mut group = vec![first];
    while group.len() < GROUP_RECORDS && bytes < GROUP_BYTES {
        let Ok(job) = queue.try_recv() else { break };
        if !keys.insert(job.key()) {
            *held = Some(job);
            break;
        }
        bytes += job.entry.row.body.len();
        group.push(job);
    }
    group
}

/// Writes a group, as often as it takes, and answers.
async fn send(shared: &Shared, conn: &mut Option<PgConnection>, mut group: Vec<Job>) {
    let (mut backoff, mut attempts, mut again) = (Backoff::new(), 0, false);
    let error = loop {
        let live = match conn {
            Some(live) => live,
            None => match connect(&shared.address).await {
                Ok(live) => conn.insert(live),
                // What was never sent is not written; what was sent once is followed up for as long as it takes.
                Err(error) if !again && (class(&error) == Class::Final || backoff.is_over()) => break error,
                Err(error) => {
                    tracing::warn!(%error, "{} cannot be reached, {} records wait for it", shared.place.0, group.len());
                    backoff.pause().await;
                    continue;
                }
            },
        };
        match once(live, shared, &group).await {
            Ok(places) => {
                shared.counts.groups.add(1);
                shared.counts.records.add(places.iter().flatten().count());
                shared.news.tell();
                for (job, place) in group.into_iter().zip(places) {
                    answer(job, Ok(place), again);
                }
                return;
            }
            Err(error) => match class(&error) {
                Class::Conflict if attempts < ATTEMPTS => {
                    attempts += 1;
                    shared.counts.conflicts.add(1);
                    backoff.pause().await;
                }
                Class::Lost => {
                    tracing::warn!(%error, "the connection to {} was lost while {} records were written", shared.place.0, group.len());
                    shared.counts.lost.add(1);
                    *conn = None;
                    again = true;
                    backoff.pause().await;
                }
                Class::Conflict | Class::Final => break error,
            },
        }
    };
    // One of many may be at fault: each is told about its own.
    if group.len() > 1 && class(&error) == Class::Final && conn.is_some() {
        while !group.is_empty() {
            Box::pin(send(shared, conn, vec![group.remove(0)])).await;
        }
        return;
    }
    let error = shared.place.failed(error);
    for job in group {
        answer(job, Err(error.clone()), again);
    }
}

async fn once(conn: &mut PgConnection, shared: &Shared, group: &[Job]) -> Result<Vec<Option<Place>>, sqlx::Error> {
    let entries: Vec<&Entry> = group.iter().map(|job| &job.entry).collect();
    let (schema, is_direct) = (&*shared.address.schema, shared.address.is_direct);
    if is_direct {
        return write(conn, schema, true, Within::Own, &entries).await;
    }
    // Behind a pooler a statement is prepared and run on one server only inside a transaction.
    let mut tx = conn.begin().await?;
    let places = write(&mut tx, schema, false, Within::Own, &entries).await?;
    tx.commit().await?;
    Ok(places)
}

fn answer(job: Job, place: Result<Option<Place>, JournalError>, again: bool) {
    // A caller that has gone away wants no answer.
    let _ = job.reply.send(Answer { entry: job.entry, place, again });
}
