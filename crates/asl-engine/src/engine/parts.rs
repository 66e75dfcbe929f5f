//! What the parts of an engine share.

use crate::activity::Rooms;
use crate::client::Client;
use crate::clock::Clock;
use crate::engine::Observer;
use crate::error::EngineError;
use crate::execution::nested::Nursery;
use crate::machines::StateMachines;
use crate::notice::{Notice, Notices};
use crate::phase::Phase;
use crate::residency::Residency;
use crate::residency::admission::Admissions;
use crate::residency::trial::Quarantine;
use crate::worker::Ownership;
use crate::worker::outbox::Outbox;
use asl_core::Budget;
use asl_store::{Store, StoreError};
use asl_task::Backends;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, RwLock, watch};

/// What an engine is told when it is made.
pub(crate) struct Settings {
    /// What other processes are told of it.
    pub(crate) what: String,
    /// How long others wait before they take over when it is silent.
    pub(crate) lease: Duration,
    /// The most executions in memory.
    pub(crate) max_active: usize,
    /// It runs nothing, and makes no deliveries.
    pub(crate) client: bool,
    /// What a record may cost.
    pub(crate) record: Budget,
    /// How many bytes executions in memory may take before no other is let in.
    pub(crate) max_memory: usize,
    /// After how many deaths of its owners an execution is set aside.
    pub(crate) deaths: u32,
    /// State machines that tasks may start, by name.
    pub(crate) state_machines: Option<StateMachines>,
}

pub(crate) struct Inner {
    pub(crate) client: Client,
    /// The client's store and clock.
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) backends: Backends,
    pub(crate) settings: Settings,
    pub(crate) notices: Notices,
    pub(crate) phase: watch::Sender<Phase>,
    /// Which executions are let into memory.
    pub(crate) admissions: Admissions,
    /// What it is as a worker.
    pub(crate) ownership: Ownership,
    /// Executions that may have ended the processes that had them.
    pub(crate) quarantine: Quarantine,
    pub(crate) outbox: Outbox,
    /// Something was evicted, or is wanted back.
    pub(crate) due: Arc<Notify>,
    /// Read by each job that is being stopped; a shutdown waits for them.
    pub(crate) stops: Arc<RwLock<()>>,
    /// Where workers wait that ask for tasks of activities.
    pub(crate) activities: Rooms,
    residency: Mutex<Residency>,
}

impl Inner {
    pub(crate) fn new(
        client: Client,
        backends: Backends,
        observer: Option<Arc<dyn Observer>>,
        settings: Settings,
    ) -> Arc<Inner> {
        let inner = Arc::new(Inner {
            store: client.store.clone(),
            clock: client.clock.clone(),
            client,
            backends,
            notices: Notices::to(observer),
            phase: watch::Sender::new(Phase::Running),
            admissions: Admissions::new(settings.max_active, settings.max_memory),
            settings,
            ownership: Ownership::default(),
            quarantine: Quarantine::default(),
            outbox: Outbox::new(),
            due: Arc::default(),
            stops: Arc::default(),
            activities: Rooms::default(),
            residency: Mutex::default(),
        });
        inner.backends.nest.run_by(Nursery(Arc::downgrade(&inner)));
        inner
    }

    /// Tells the observer of this engine.
    pub(crate) fn notify(&self, notice: &Notice) {
        if matches!(notice, Notice::NotRead { error: EngineError::Store(StoreError::Closed) }) {
            // The engine ends, and its journal was quicker.
            return;
        }
        self.notices.tell(notice);
    }

    /// The status of an execution may have changed: tells the bus, where a rule may match that.
    pub(crate) fn status_changed(&self) {
        if self.backends.services.watches_statuses() {
            self.outbox.ring();
        }
    }

    pub(crate) fn residency(&self) -> MutexGuard<'_, Residency> {
        // The residency is whole between any two of its operations, so a panic elsewhere does not spoil it.
        self.residency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error when the engine was shut down or has lost its lease.
    pub(crate) fn still_works(&self) -> Result<(), EngineError> {
        match &*self.phase.borrow() {
            Phase::Running => Ok(()),
            Phase::Draining => Err(EngineError::ShutDown),
            Phase::Stopped(error) => Err(error.clone()),
        }
    }
}
