//! What other processes do to the database: inputs for executions of this engine, and executions that nobody runs.
//!
//! SQLite's `data_version` tells within microseconds whether anybody has written, so it is asked often, and nothing else is
//! read while nobody has.

use crate::engine::{Inner, Phase};
use crate::error::EngineError;
use crate::lease;
use crate::letters::{From, Letter, MAIL};
use crate::notice::Notice;
use crate::registry::Held;
use asl_journal::{Claim, JournalError, JournalWorker, Mail, Watcher};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How often it is asked whether anybody has written, while somebody does.
const ASK: Duration = Duration::from_millis(50);
/// How often otherwise.
const ASK_IDLE: Duration = Duration::from_millis(100);
/// Nobody has written for so long.
const IDLE: Duration = Duration::from_secs(1);
/// How often it is asked whether a worker is gone, at least: nobody writes that down, and of the time in between only small pieces count
/// as watched.
const LOOK_FOR_GONE: Duration = Duration::from_secs(1);
/// How often the write-ahead log is seen to.
const TEND_LOG: Duration = Duration::from_secs(1);
/// The most executions taken at once.
const CLAIM: u32 = 256;

/// Looks after the inbox while the engine lives; takes executions on while it serves.
pub(crate) async fn run(
    inner: Weak<Inner>,
    journal: JournalWorker,
    post: Arc<Notify>,
    mut phase: watch::Receiver<Phase>,
) {
    let mut watch =
        Watch { journal, watcher: None, looked: None, tended: Instant::now(), changed: Instant::now(), told_bytes: 0 };
    let mut poked = false;
    loop {
        // What begins has nothing to look for yet; whoever serves says so at once.
        tokio::select! {
            () = post.notified() => poked = true,
            () = tokio::time::sleep(if watch.changed.elapsed() < IDLE { ASK } else { ASK_IDLE }) => {}
            _ = phase.wait_for(|phase| matches!(phase, Phase::Stopped(_))) => return,
        }
        let Some(engine) = inner.upgrade() else { return };
        let again = match watch.look(&engine, poked).await {
            Ok(again) => again,
            Err(error @ EngineError::Journal(JournalError::Gone { .. })) => return engine.lose(error),
            Err(error) => {
                tracing::debug!(%error, "the database could not be looked at");
                if engine.told_unread.admit().is_some() {
                    engine.notify(&Notice::NotRead { error });
                }
                false
            }
        };
        drop(engine);
        poked = again;
    }
}

struct Watch {
    journal: JournalWorker,
    watcher: Option<Watcher>,
    /// When it was last looked whether workers are gone.
    looked: Option<Instant>,
    /// When the write-ahead log was last seen to.
    tended: Instant,
    /// When somebody was last seen to have written.
    changed: Instant,
    /// Of how long a log was told last.
    told_bytes: u64,
}

impl Watch {
    /// True when there is more to do than could be done now.
    async fn look(&mut self, inner: &Arc<Inner>, poked: bool) -> Result<bool, EngineError> {
        let watcher = match &mut self.watcher {
            Some(watcher) => watcher,
            none => none.insert(self.journal.watcher().await?),
        };
        let changed = watcher.changed().await?;
        if changed {
            self.changed = Instant::now();
        }
        if self.tended.elapsed() >= TEND_LOG {
            self.tended = Instant::now();
            self.tend_log(inner).await?;
        }
        let left = if changed || poked { self.take_mail(inner).await? } else { false };
        let takes_on = inner.serving.load(Ordering::Relaxed) && inner.phase.borrow().takes_on();
        let every = LOOK_FOR_GONE.min(inner.settings.lease / 30);
        let due = self.looked.is_none_or(|looked| looked.elapsed() >= every);
        if takes_on && (changed || poked || due) {
            return Ok(self.take_on(inner, due).await? || left);
        }
        Ok(left)
    }

    /// Hands inputs to the drivers that wait for them. True when some could not be handed yet.
    async fn take_mail(&self, inner: &Arc<Inner>) -> Result<bool, EngineError> {
        let mut left = false;
        for mail in self.journal.mail(None, MAIL).await? {
            left |= !hand(inner, mail);
        }
        Ok(left)
    }

    /// Sees to the write-ahead log, and says when somebody else keeps it: at first, and whenever it has doubled.
    async fn tend_log(&mut self, inner: &Arc<Inner>) -> Result<(), EngineError> {
        let Some(watcher) = &self.watcher else { return Ok(()) };
        match watcher.tend_log().await? {
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
    async fn take_on(&mut self, inner: &Arc<Inner>, look_for_gone: bool) -> Result<bool, EngineError> {
        let gone = if look_for_gone {
            self.looked = Some(Instant::now());
            inner.gone(&self.journal).await?
        } else {
            Vec::new()
        };
        let except = inner.left().except();
        if gone.is_empty() && !self.journal.claimable(&except, lease::wall_ms()).await? {
            return Ok(false);
        }
        let now_ms = lease::wall_ms();
        let free = if inner.memory.has_room() { inner.slots.available_permits() } else { 0 };
        let room = free - inner.registry().due_count(now_ms, free);
        if room == 0 && gone.is_empty() {
            return Ok(true);
        }
        let limit = CLAIM.min(u32::try_from(room).unwrap_or(CLAIM));
        let found_gone = !gone.is_empty();
        let claimed = inner
            .claim_fitting(&self.journal, Claim { gone, limit, again_ms: Some(now_ms), ..Claim::default() })
            .await?;
        let condemned = inner.adopt(&claimed);
        inner.clone().set_all_aside(condemned).await;
        if found_gone {
            self.journal.sweep_locks().await?;
        }
        // There may be more, also where none of these could run here.
        let except = inner.left().except();
        self.journal.claimable(&except, lease::wall_ms()).await.map_err(EngineError::from)
    }
}

/// False when its driver cannot take it now.
fn hand(inner: &Arc<Inner>, mail: Mail) -> bool {
    let mut registry = inner.registry();
    if matches!(registry.get(mail.execution), None | Some(Held::Parked { .. })) {
        // It reads its mail when it is loaded: with others where there is room, and without waiting for room where there is
        // none. Whoever sent it waits to hear what became of it.
        if inner.slots.available_permits() > 0 {
            registry.park(mail.execution, i64::MIN);
            inner.due.notify_one();
        } else {
            let inner = inner.clone();
            tokio::spawn(async move { inner.load_with(mail.execution, Vec::new()).await });
        }
        return true;
    }
    if matches!(registry.get(mail.execution), Some(Held::Broken(_))) {
        return true;
    }
    let Some(active) = registry.active(mail.execution) else { return false };
    if active.handed.contains(&mail.id) {
        return true;
    }
    let letter = Letter { input: mail.input, from: From::Inbox(mail.id) };
    let handed = active.letters.try_send(letter).is_ok();
    if handed {
        active.handed.insert(mail.id);
    }
    handed
}
