//! Whether anybody has committed. One task for all who wait in a process asks the server for its newest transaction; notifications
//! only make it ask sooner.

use super::metrics::TELL;
use super::{Inner, PgStore};
use crate::JournalError;
use asl_store::Changes;
use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::postgres::PgListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often it is asked whether anybody has written, while somebody does; and otherwise.
const ASK: Duration = Duration::from_millis(50);
const ASK_IDLE: Duration = Duration::from_millis(100);
/// So many questions without a change make it idle.
const IDLE: u32 = 20;
/// How long after a failure it is asked again.
const FAILED: Duration = Duration::from_millis(500);

/// Tells those who wait in this process.
#[derive(Debug)]
pub(crate) struct News {
    count: watch::Sender<u64>,
    is_asked: AtomicBool,
}

impl Default for News {
    fn default() -> News {
        News { count: watch::Sender::new(0), is_asked: AtomicBool::new(false) }
    }
}

impl News {
    pub(crate) fn tell(&self) {
        self.count.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl PgStore {
    /// Watches for commits of anybody.
    pub(crate) fn watch(&self) -> Box<dyn Changes> {
        if !self.news.is_asked.swap(true, Ordering::Relaxed) {
            tokio::spawn(ask(Arc::downgrade(&self.inner)));
        }
        let mut seen = self.news.count.subscribe();
        seen.mark_changed();
        Box::new(Followed { store: self.clone(), seen })
    }
}

struct Followed {
    store: PgStore,
    seen: watch::Receiver<u64>,
}

#[async_trait]
impl Changes for Followed {
    async fn changed(&mut self) -> Result<(), JournalError> {
        // The sender lives as long as this handle.
        let _ = self.seen.changed().await;
        if self.store.pool.is_closed() { Err(JournalError::Closed) } else { Ok(()) }
    }
}

/// Asks for as long as there is a handle; not while nobody waits.
async fn ask(store: Weak<Inner>) {
    let (mut seen, mut quiet, mut listener, mut pause) = (String::new(), 0, None, Duration::ZERO);
    let (mut told, mut told_at) = (None, Instant::now());
    loop {
        let hinted = match &mut listener {
            None => {
                tokio::time::sleep(pause).await;
                false
            }
            Some(listener) => heard(listener, pause).await,
        };
        let Some(inner) = store.upgrade() else { return };
        if inner.pool.is_closed() {
            return inner.news.tell();
        }
        if inner.news.count.receiver_count() == 0 {
            pause = ASK_IDLE;
            continue;
        }
        let store = PgStore { inner, owner: None };
        if store.address.is_direct && listener.is_none() {
            listener = listen(&store).await;
        }
        if told_at.elapsed() >= TELL {
            (told, told_at) = (store.tell_metrics(told).await, Instant::now());
        }
        // The first transaction that has not ended, or not begun: another number means that one has ended.
        match store.fetch("SELECT pg_snapshot_xmax(pg_current_snapshot())::text", |query| query).await {
            Ok(rows) => {
                let newest = rows.first().and_then(|row| row.try_get::<String, _>(0).ok()).unwrap_or_default();
                quiet = if newest == seen && !hinted { quiet + 1 } else { 0 };
                if quiet == 0 {
                    seen = newest;
                    store.news.tell();
                }
                pause = if quiet < IDLE { ASK } else { ASK_IDLE };
            }
            Err(error) => {
                tracing::warn!(%error, "whether anybody has written is not known");
                listener = None;
                pause = FAILED;
            }
        }
    }
}

async fn listen(store: &PgStore) -> Option<PgListener> {
    let mut listener = PgListener::connect_with(&store.pool).await.ok()?;
    listener.listen("asl").await.ok()?;
    Some(listener)
}

/// True when a notification comes within the time.
async fn heard(listener: &mut PgListener, pause: Duration) -> bool {
    matches!(tokio::time::timeout(pause, listener.recv()).await, Ok(Ok(_)))
}
