//! Suspects: executions whose owners died are loaded one trial after the other, so that the one that is to blame is found;
//! one that was found is set aside.

use crate::clock::wall_ms;
use crate::engine::Inner;
use crate::error::EngineError;
use crate::notice::Notice;
use crate::phase::Phase;
use crate::residency::Due;
use asl_store::quarantine::{self, Trials};
use asl_store::{Claimed, ExecutionId};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// How long to wait after the database could not be written.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest sleep before it is looked whether the engine is still there.
const NAP: Duration = Duration::from_secs(60);

/// Executions that may have ended the processes that had them.
#[derive(Default)]
pub(crate) struct Quarantine {
    trials: Mutex<Trials<ExecutionId>>,
    /// Rings when one may be tried.
    pub(crate) bell: Arc<Notify>,
}

/// Tries suspects while the engine lives.
pub(crate) async fn run(inner: Weak<Inner>, bell: Arc<Notify>, mut phase: watch::Receiver<Phase>) {
    let began = Instant::now();
    let now_ms = || i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    loop {
        let Some(engine) = inner.upgrade() else { return };
        let next = engine.trials().look_again_ms().map_or(NAP, |at| {
            Duration::from_millis(u64::try_from(at.saturating_sub(now_ms())).unwrap_or(0).saturating_add(1))
        });
        drop(engine);
        tokio::select! {
            () = bell.notified() => {}
            () = tokio::time::sleep(next) => {}
            _ = phase.wait_for(|phase| !phase.takes_on()) => return,
        }
        let Some(engine) = inner.upgrade() else { return };
        if !engine.clone().turn(now_ms()).await {
            tokio::time::sleep(AGAIN).await;
            bell.notify_one();
        }
    }
}

impl Inner {
    pub(crate) fn trials(&self) -> MutexGuard<'_, Trials<ExecutionId>> {
        // Its lists fit together between any two changes.
        self.quarantine.trials.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the next trial, if it is time. False when the database could not be written.
    async fn turn(self: Arc<Inner>, now_ms: i64) -> bool {
        let room = self.admissions.free().max(1);
        let Some(trial) = self.trials().next(now_ms, room) else { return true };
        let own = async { self.leased().await?.worker.on_trial(trial.marked).await.map_err(EngineError::from) };
        if let Err(error) = own.await {
            if self.notices.unread.admit().is_some() {
                self.notify(&Notice::NotRead { error });
            }
            let mut trials = self.trials();
            for execution in trial.begin {
                trials.settled(execution);
                // Whatever is known of it, it is tried alone.
                trials.suspect(execution, 2);
            }
            return false;
        }
        if !trial.begin.is_empty() {
            let mut loads = Vec::new();
            for id in trial.begin {
                match self.begin_trial(id) {
                    Some(load) => loads.push(load),
                    // Somebody else brings it into memory, or it is gone.
                    None => self.settled(id),
                }
            }
            tokio::spawn(async move { self.load_all(loads).await });
        }
        true
    }

    /// It is not on trial any more.
    pub(crate) fn settled(&self, execution: ExecutionId) {
        if self.trials().settled(execution) {
            self.quarantine.bell.notify_one();
        }
    }

    /// Takes executions that are this worker's now: they come into memory as there is room, the suspects among them after
    /// each other. Those whose owners died too often are returned: they are to be set aside.
    pub(crate) fn adopt(&self, claimed: &[Claimed]) -> Vec<Claimed> {
        let mut aside = Vec::new();
        let mut suspects = false;
        let mut residency = self.residency();
        for of @ Claimed { id, deaths, again, .. } in claimed {
            if !residency.can_be_adopted(*id) {
                continue;
            }
            match *deaths {
                0 => residency.evict(*id, Due::Now),
                deaths if deaths >= self.settings.deaths && !again => {
                    residency.suspect(*id);
                    aside.push(of.clone());
                }
                deaths => {
                    residency.suspect(*id);
                    self.trials().suspect(*id, deaths);
                    suspects = true;
                }
            }
        }
        drop(residency);
        self.due.notify_one();
        if suspects {
            self.quarantine.bell.notify_one();
        }
        aside
    }

    /// Sets executions aside whose owners died too often.
    pub(crate) async fn set_all_aside(self: Arc<Inner>, condemned: Vec<Claimed>) {
        for Claimed { id, arn, deaths, .. } in condemned {
            let why = format!("the process that ran it died {deaths} times without a record since");
            let pause_ms = quarantine::pause_ms(deaths.saturating_sub(self.settings.deaths));
            self.clone().set_aside(id, arn, why, pause_ms).await;
        }
    }

    /// Sets an execution aside, so that no worker runs it for a while, and says so.
    async fn set_aside(self: Arc<Inner>, id: ExecutionId, arn: Arc<str>, why: String, pause_ms: i64) {
        let name = arn.rsplit(':').next().unwrap_or(&arn).to_owned();
        let again_ms = wall_ms().saturating_add(pause_ms);
        let own =
            async { self.leased().await?.worker.set_aside(id, why.clone(), again_ms).await.map_err(EngineError::from) };
        match own.await {
            Ok(true) => {
                self.notify(&Notice::SetAside { execution: name.clone(), why: why.clone(), again_ms: pause_ms })
            }
            Ok(false) => {}
            Err(error) => self.notify(&Notice::NotRead { error }),
        }
        let mut residency = self.residency();
        if residency.is_suspect(id) {
            residency.forget(id);
            // Whoever waits for it here waits for what will not come.
            residency.publish(&arn, Err(EngineError::SetAside { execution: name, why }));
        }
    }
}
