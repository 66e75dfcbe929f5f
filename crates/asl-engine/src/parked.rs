//! Executions that wait are not kept in memory: a number and a deadline are, and the rest is rebuilt from the records
//! when the time has come or an input is there.

use crate::driver::Driver;
use crate::engine::{Engine, Inner, Phase};
use crate::error::EngineError;
use crate::letters::{From, Letter, MAIL};
use crate::{lease, replay};
use asl_journal::{Claim, ExecutionId, Status};
use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, watch};

/// After a failure that may pass, an execution is tried again so much later; milliseconds.
const AGAIN_MS: i64 = 5_000;

/// The longest sleep before the clock is looked at again: it may be set meanwhile.
const NAP: Duration = Duration::from_secs(60);

/// Brings executions back into memory when they are due, as long as there is room.
pub(crate) async fn run(inner: Weak<Inner>, due: Arc<Notify>, mut phase: watch::Receiver<Phase>) {
    loop {
        let Some(engine) = inner.upgrade() else { return };
        let next = engine.registry().next_due_ms();
        if next.is_some_and(|at| at <= lease::wall_ms()) {
            let permit = tokio::select! {
                permit = engine.slots.clone().acquire_owned() => permit,
                _ = phase.wait_for(|phase| !phase.takes_on()) => return,
            };
            let taken = engine.registry().take_due(lease::wall_ms());
            if let Some(id) = taken {
                tokio::spawn(async move { engine.load(id, permit.ok(), Vec::new()).await });
            }
            continue;
        }
        drop(engine);
        tokio::select! {
            () = due.notified() => {}
            () = sleep_until_ms(next) => {}
            _ = phase.wait_for(|phase| !phase.takes_on()) => return,
        }
    }
}

/// Sleeps until a time, or long enough that the clock should be looked at again.
async fn sleep_until_ms(at_ms: Option<i64>) {
    let left = at_ms.map_or(i64::MAX, |at| at.saturating_sub(lease::wall_ms()));
    tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(NAP)).await;
}

impl Inner {
    /// Loads a parked execution for inputs that are there. False when it is on its way or in memory already.
    pub(crate) async fn load_with(self: &Arc<Inner>, id: ExecutionId, letters: Vec<Letter>) -> bool {
        if !self.registry().begin_load(id) {
            return false;
        }
        // An answer from outside does not wait for room: its task has waited long enough.
        let permit = self.slots.clone().try_acquire_owned().ok();
        self.load(id, permit, letters).await;
        true
    }

    /// Rebuilds an execution and lets it go on. It must be marked as on its way.
    pub(crate) async fn load(
        self: &Arc<Inner>,
        id: ExecutionId,
        permit: Option<OwnedSemaphorePermit>,
        letters: Vec<Letter>,
    ) {
        let Err(error) = self.try_load(id, permit, letters).await else { return };
        if !error.passes()
            && let Ok(Some(row)) = self.journal.execution_numbered(id).await
        {
            self.registry().publish(&row.arn, Err(error.clone()));
        }
        self.not_loaded(id, error);
    }

    async fn try_load(
        self: &Arc<Inner>,
        id: ExecutionId,
        permit: Option<OwnedSemaphorePermit>,
        mut letters: Vec<Letter>,
    ) -> Result<(), EngineError> {
        let journal = &self.own().await?.journal;
        let Some(row) = journal.execution_numbered(id).await? else {
            self.registry().forget(id);
            return Ok(());
        };
        let mail = journal.mail(Some(id), MAIL).await?;
        let handed: HashSet<_> = mail.iter().map(|mail| mail.id).collect();
        letters.extend(mail.into_iter().map(|mail| Letter { input: mail.input, from: From::Inbox(mail.id) }));
        let (machine, _) = replay::rebuild(journal, &row).await.map_err(Arc::new)?;
        if let Some(outcome) = machine.outcome() {
            let mut registry = self.registry();
            registry.forget(id);
            registry.publish(&row.arn, Ok(outcome.clone()));
            return Ok(());
        }
        if !self.registry().goes_on_loading(id, &row.arn) {
            return Ok(());
        }
        let driver = Driver::resume(self.clone(), journal.clone(), machine, id, letters, permit);
        self.launch(&row.arn.as_str().into(), driver, handed);
        Ok(())
    }

    /// It could not be loaded, or its driver failed.
    pub(crate) fn not_loaded(&self, id: ExecutionId, error: EngineError) {
        if error.passes() {
            tracing::warn!(execution = %id, %error, "an execution is tried again in {AGAIN_MS} ms");
            self.registry().park(id, lease::wall_ms() + AGAIN_MS);
            self.due.notify_one();
        } else {
            tracing::error!(execution = %id, %error, "an execution cannot go on");
            self.registry().fail(id, error);
        }
    }

    /// A claim of at most so many executions, with the workers that are gone now.
    pub(crate) async fn claim(self: &Arc<Inner>, limit: u32) -> Result<Claim, EngineError> {
        let journal = &self.own().await?.journal;
        let gone = lease::gone(journal).await?;
        Ok(Claim { now_ms: lease::wall_ms(), gone, only: None, limit })
    }

    /// Takes executions that are this worker's now: they come into memory as there is room.
    pub(crate) fn adopt(&self, ids: impl Iterator<Item = ExecutionId>) {
        let mut registry = self.registry();
        for id in ids {
            if registry.can_be_adopted(id) {
                registry.park(id, i64::MIN);
            }
        }
        drop(registry);
        self.due.notify_one();
    }
}

impl Engine {
    /// Goes on with one execution, if nobody does. In vain when another process runs it.
    pub(crate) async fn resume_one(&self, id: ExecutionId) -> Result<(), EngineError> {
        let inner = &self.inner;
        if let Some(crate::registry::Held::Running(_) | crate::registry::Held::Loading) = inner.registry().get(id) {
            return Ok(());
        }
        let journal = &inner.own().await?.journal;
        let row = journal.execution_numbered(id).await?;
        let Some(row) = row.filter(|row| row.status == Status::Running) else { return Ok(()) };
        if row.owner != journal.writes_as() {
            let claim = Claim { only: Some(id), ..inner.claim(1).await? };
            if journal.claim(claim).await?.is_empty() {
                return Ok(());
            }
        }
        // Its parent has room, and waits for it.
        if inner.registry().begin_load(id) {
            inner.load(id, None, Vec::new()).await;
        }
        Ok(())
    }
}
