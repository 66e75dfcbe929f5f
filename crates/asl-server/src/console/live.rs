//! Live: one event stream for a page. It says that something has changed, and the page reads itself again.
//!
//! A stream is woken by the store's commits, those of other processes too, and compares a *mark* of what its page is about with the
//! one that the page has seen. A browser that was away names the last mark it saw, and is told at once if it missed something.

use super::Visitor;
use crate::operation::Api;
use asl::parts::store::{Changes, ExecutionId};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

/// The least time between two messages: what comes in between is told together.
const PACE: Duration = Duration::from_millis(250);
/// The least time between two looks at all executions.
const HOME_PACE: Duration = Duration::from_secs(1);
/// How often a silent stream says that it lives.
const BEAT: Duration = Duration::from_secs(15);

/// What a stream is about: an execution, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    All,
    Execution(ExecutionId),
}

impl Of {
    pub(super) fn read(text: &str) -> Option<Of> {
        let number = text.parse::<i64>().ok()?;
        Some(if number == 0 { Of::All } else { Of::Execution(ExecutionId(number)) })
    }

    /// What a page of this shows, in short: it differs when the page would.
    pub(super) async fn mark(self, api: &Api) -> Result<String, asl::JournalError> {
        match self {
            Of::All => {
                let counts = api.store().counts().await?;
                let counts: Vec<String> = counts.iter().map(|(status, many)| format!("{status}{many}")).collect();
                Ok(counts.join("-"))
            }
            Of::Execution(id) => {
                let row = api.store().execution_numbered(id).await?;
                let told = row.map(|row| {
                    format!("{}-{}-{}-{}", row.last_event, row.status, row.redrive_count, row.set_aside.is_some())
                });
                Ok(told.unwrap_or_default())
            }
        }
    }
}

/// What a page of this visitor has seen.
pub(super) async fn mark(visitor: &Visitor<'_>, of: i64) -> String {
    let of = Of::read(&of.to_string()).unwrap_or(Of::All);
    of.mark(visitor.api).await.unwrap_or_default()
}

/// A stream at work: it ends with its browser, with the server, or when the store fails.
pub(super) struct Stream {
    pub(super) api: Arc<Api>,
    pub(super) of: Of,
    pub(super) seen: String,
    pub(super) out: mpsc::Sender<Bytes>,
    pub(super) ended: watch::Receiver<bool>,
    pub(super) place: OwnedSemaphorePermit,
}

impl Stream {
    pub(super) async fn run(self) {
        let Stream { api, of, seen, out, mut ended, place: _place } = self;
        let Ok(mut changes) = api.store().changes().await else { return };
        tokio::select! {
            () = out.closed() => {}
            () = async { drop(ended.wait_for(|ended| *ended).await) } => {}
            why = api.engine.stopped() => {
                let told = format!("event: gone\ndata: {}\n\n", why.to_string().replace(['\r', '\n'], " "));
                let _ = out.send(told.into()).await;
            }
            () = tell(&api, of, seen, &out, &mut *changes) => {}
        }
    }
}

async fn tell(api: &Api, of: Of, mut seen: String, out: &mpsc::Sender<Bytes>, changes: &mut dyn Changes) {
    let pace = if of == Of::All { HOME_PACE } else { PACE };
    let _ = out.send(Bytes::from_static(b"retry: 1000\n\n")).await;
    loop {
        let Ok(mark) = of.mark(api).await else { return };
        if mark != seen {
            let told = format!("id: {mark}\nevent: changed\ndata: {mark}\n\n");
            if out.send(told.into()).await.is_err() {
                return;
            }
            seen = mark;
        }
        tokio::time::sleep(pace).await;
        loop {
            match tokio::time::timeout(BEAT, changes.changed()).await {
                Ok(Ok(())) => break,
                Ok(Err(_)) => return,
                Err(_) if out.send(Bytes::from_static(b":\n\n")).await.is_err() => return,
                Err(_) => {}
            }
        }
    }
}
