//! What other processes do to the database: inputs for executions of this engine, and executions that nobody runs.
//!
//! The store tells when anybody has written ([`asl_store::Changes`]), and nothing is read while nobody has.

use crate::client::answer::SIGNALS;
use crate::clock::wall_ms;
use crate::engine::Inner;
use crate::error::EngineError;
use crate::execution::protocol::{Arrived, From};
use crate::notice::Notice;
use crate::phase::Phase;
use crate::residency::{Due, Residence};
use asl_store::{Changes, Claim, Signal, StoreError, Worker};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// The least time between two looks: what others write meanwhile is read together.
const PAUSE: Duration = Duration::from_millis(50);
/// After a failure the database is looked at again so much later.
const AGAIN: Duration = Duration::from_millis(100);
/// How often it is asked whether a worker is gone, at least: nobody writes that down, and of the time in between only small pieces count
/// as watched.
const LOOK_FOR_GONE: Duration = Duration::from_secs(1);
/// The same while the store is in doubt of one.
const LOOK_IN_DOUBT: Duration = Duration::from_millis(100);
/// How often the store is seen to.
const TEND: Duration = Duration::from_secs(1);
/// The most executions taken at once.
const CLAIM: u32 = 256;

/// Looks after the inbox while the engine lives; takes executions on while it serves.
pub(crate) async fn run(
    inner: Weak<Inner>,
    worker: Weak<dyn Worker>,
    lease: Duration,
    wake: Arc<Notify>,
    mut phase: watch::Receiver<Phase>,
) {
    let every = LOOK_FOR_GONE.min(lease / 30);
    let mut watch = Watch { changes: None, every, doubts: false, looked: None, tended: Instant::now(), told_bytes: 0 };
    let (mut poked, mut next) = (false, Instant::now() + PAUSE);
    loop {
        let news = tokio::select! {
            () = wake.notified() => Ok(News::Poked),
            news = watch.news(&worker, next, poked) => news,
            _ = phase.wait_for(|phase| matches!(phase, Phase::Stopped(_))) => return,
        };
        let (Some(engine), Some(worker)) = (inner.upgrade(), worker.upgrade()) else { return };
        let looked = match news {
            Ok(news) => watch.look(&engine, &worker, news, poked).await,
            Err(error) => Err(error.into()),
        };
        next = Instant::now() + PAUSE;
        poked = match looked {
            Ok(again) => again,
            Err(error @ EngineError::Store(StoreError::Gone { .. })) => return engine.lose(error),
            Err(error) => {
                tracing::debug!(%error, "the database could not be looked at");
                if engine.notices.unread.admit().is_some() {
                    engine.notify(&Notice::NotRead { error });
                }
                next = Instant::now() + AGAIN;
                false
            }
        };
    }
}

/// Why the database is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// This engine asks for it.
    Poked,
    /// Somebody has committed.
    Changed,
    /// Time has passed: a worker may be gone, what is set aside may be tried again.
    Time,
}

struct Watch {
    changes: Option<Box<dyn Changes>>,
    /// How often it is looked whether workers are gone.
    every: Duration,
    /// The store is in doubt of one.
    doubts: bool,
    /// When it was last looked whether workers are gone.
    looked: Option<Instant>,
    /// When the store was last seen to.
    tended: Instant,
    /// Of how long a log was told last.
    told_bytes: u64,
}

impl Watch {
    /// Waits until there is something to look for, and not before `next`: an engine that has just begun has nothing to look for, and
    /// opens no connection for that.
    async fn news(&mut self, worker: &Weak<dyn Worker>, next: Instant, poked: bool) -> Result<News, StoreError> {
        tokio::time::sleep_until(next).await;
        let every = self.every_now();
        let changes = match &mut self.changes {
            Some(changes) => changes,
            none => {
                let Some(worker) = worker.upgrade() else { return Ok(News::Time) };
                none.insert(worker.store().changes().await?)
            }
        };
        if poked {
            return Ok(News::Poked);
        }
        tokio::select! {
            changed = changes.changed() => changed.map(|()| News::Changed),
            () = tokio::time::sleep(every) => Ok(News::Time),
        }
    }

    /// How often it is looked whether workers are gone, as things are.
    fn every_now(&self) -> Duration {
        if self.doubts { LOOK_IN_DOUBT } else { self.every }
    }

    /// True when there is more to do than could be done now.
    async fn look(
        &mut self,
        inner: &Arc<Inner>,
        worker: &Arc<dyn Worker>,
        news: News,
        poked: bool,
    ) -> Result<bool, EngineError> {
        let news = if poked { News::Poked } else { news };
        if self.tended.elapsed() >= TEND {
            self.tended = Instant::now();
            self.tend(inner).await?;
            // What others write, and what the feed did not show yet when it was written.
            inner.status_changed();
        }
        let left = if news == News::Time { false } else { Watch::take_signals(inner, worker).await? };
        let takes_on = inner.ownership.serving.load(Ordering::Relaxed) && inner.phase.borrow().takes_on();
        let due = self.looked.is_none_or(|looked| looked.elapsed() >= self.every_now());
        if takes_on && (due || news != News::Time) {
            return Ok(self.take_on(inner, worker, due).await? || left);
        }
        Ok(left)
    }

    /// Hands inputs to the drivers that wait for them. True when some could not be handed yet.
    async fn take_signals(inner: &Arc<Inner>, worker: &Arc<dyn Worker>) -> Result<bool, EngineError> {
        let mut left = false;
        for signal in worker.inbox(SIGNALS).await? {
            left |= !hand(inner, signal);
        }
        Ok(left)
    }

    /// Sees to the store, and says when somebody else keeps its log: at first, and whenever it has doubled.
    async fn tend(&mut self, inner: &Arc<Inner>) -> Result<(), EngineError> {
        let Some(changes) = &mut self.changes else { return Ok(()) };
        match changes.tend().await? {
            Some(bytes) if bytes >= 2 * self.told_bytes => {
                self.told_bytes = bytes;
                inner.notify(&Notice::LogGrows { bytes });
            }
            Some(_) => {}
            None => self.told_bytes = 0,
        }
        Ok(())
    }

    /// Takes on executions that nobody runs, as many as there is room for.
    async fn take_on(
        &mut self,
        inner: &Arc<Inner>,
        worker: &Arc<dyn Worker>,
        look_for_gone: bool,
    ) -> Result<bool, EngineError> {
        let gone = if look_for_gone {
            self.looked = Some(Instant::now());
            let gone = worker.store().gone().await?;
            self.doubts = gone.is_empty() && worker.store().doubts_a_worker();
            gone
        } else {
            Vec::new()
        };
        let except = inner.left().except();
        if gone.is_empty() && !worker.claimable(&except, wall_ms()).await? {
            return Ok(false);
        }
        let now_ms = wall_ms();
        let free = if inner.admissions.memory.has_room() { inner.admissions.free() } else { 0 };
        let room = free - inner.residency().due_count(now_ms, free);
        if room == 0 && gone.is_empty() {
            return Ok(true);
        }
        let limit = CLAIM.min(u32::try_from(room).unwrap_or(CLAIM));
        let claimed =
            inner.claim_fitting(worker, Claim { gone, limit, again_ms: Some(now_ms), ..Claim::default() }).await?;
        let condemned = inner.adopt(&claimed);
        inner.clone().set_all_aside(condemned).await;
        // There may be more, also where none of these could run here.
        let except = inner.left().except();
        worker.claimable(&except, wall_ms()).await.map_err(EngineError::from)
    }
}

/// False when its driver cannot take it now.
fn hand(inner: &Arc<Inner>, signal: Signal) -> bool {
    let mut residency = inner.residency();
    if matches!(residency.get(signal.execution), None | Some(Residence::Evicted { .. })) {
        // It reads its signals when it is loaded: with others where there is room, and without waiting for room where there is
        // none. Whoever sent it waits to hear what became of it.
        if inner.admissions.free() > 0 {
            residency.evict(signal.execution, Due::Now);
            inner.due.notify_one();
        } else {
            let inner = inner.clone();
            tokio::spawn(async move { inner.load_with(signal.execution, Vec::new()).await });
        }
        return true;
    }
    if matches!(residency.get(signal.execution), Some(Residence::Broken(_))) {
        return true;
    }
    let Some(active) = residency.active(signal.execution) else { return false };
    if active.handed.contains(&signal.id) {
        return true;
    }
    let arrived = Arrived { input: signal.input, from: From::Inbox(signal.id) };
    let handed = active.signals.try_send(arrived).is_ok();
    if handed {
        active.handed.insert(signal.id);
    }
    handed
}
