//! What the parts of an engine share.

use crate::activity::Rooms;
use crate::client::Client;
use crate::clock::Clock;
use crate::engine::Observer;
use crate::error::EngineError;
use crate::execution::nested::Nursery;
use crate::machines::StateMachines;
use crate::memory::{Memory, Share};
use crate::notice::{Limit, Notice};
use crate::phase::Phase;
use crate::residency::Residency;
use crate::worker::fit::Left;
use crate::worker::lease::Lease;
use asl_core::Budget;
use asl_store::quarantine::Trials;
use asl_store::{ExecutionId, Store, StoreError};
use asl_task::Backends;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OnceCell, OwnedSemaphorePermit, RwLock, Semaphore, mpsc, watch};

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
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) settings: Settings,
    pub(crate) lease: OnceCell<Lease>,
    /// Permits for executions in memory.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) memory: Arc<Memory>,
    /// One permit for an execution whose records are too many to be read together with others.
    pub(crate) long_loads: Semaphore,
    /// Executions that may have ended the processes that had them.
    pub(crate) trials: Mutex<Trials<ExecutionId>>,
    pub(crate) trial_bell: Arc<Notify>,
    /// What people are told again and again is held back.
    pub(crate) told_again: Limit,
    pub(crate) told_unread: Limit,
    /// True when it takes on executions without an owner.
    pub(crate) serving: AtomicBool,
    pub(crate) phase: watch::Sender<Phase>,
    /// Rings when there may be deliveries to make.
    pub(crate) deliveries: mpsc::Sender<()>,
    /// Where it is heard, until somebody listens.
    pub(crate) bell: Mutex<Option<mpsc::Receiver<()>>>,
    /// True when there may be something in the outbox: there was when the engine began, or something was published here.
    pub(crate) outbox: AtomicBool,
    /// Held while deliveries are made: an engine that ends waits for those.
    pub(crate) delivering: tokio::sync::Mutex<()>,
    /// Something was evicted, or is wanted back.
    pub(crate) due: Arc<Notify>,
    /// Read by each job that is being stopped; a shutdown waits for them.
    pub(crate) stops: Arc<RwLock<()>>,
    /// Wakes the poller: the store should be looked at.
    pub(crate) wake: Arc<Notify>,
    /// What is left to others.
    pub(crate) left: Mutex<Left>,
    /// Where workers wait that ask for tasks of activities.
    pub(crate) activities: Rooms,
    residency: Mutex<Residency>,
}

/// What an execution in memory takes there: a permit of so many, and its bytes.
pub(crate) struct Admission {
    /// None where its parent has room, and waits for it.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    pub(crate) share: Share,
}

impl Inner {
    pub(crate) fn new(
        client: Client,
        backends: Backends,
        observer: Option<Arc<dyn Observer>>,
        settings: Settings,
    ) -> Arc<Inner> {
        let (deliveries, bell) = mpsc::channel(1);
        let inner = Arc::new(Inner {
            store: client.store.clone(),
            clock: client.clock.clone(),
            client,
            backends,
            observer,
            lease: OnceCell::new(),
            slots: Arc::new(Semaphore::new(settings.max_active.min(Semaphore::MAX_PERMITS))),
            memory: Memory::new(settings.max_memory),
            long_loads: Semaphore::new(1),
            trials: Mutex::default(),
            trial_bell: Arc::default(),
            told_again: Limit::default(),
            told_unread: Limit::default(),
            settings,
            serving: AtomicBool::new(false),
            phase: watch::Sender::new(Phase::Running),
            deliveries,
            bell: Mutex::new(Some(bell)),
            outbox: AtomicBool::new(false),
            delivering: tokio::sync::Mutex::new(()),
            due: Arc::default(),
            stops: Arc::default(),
            wake: Arc::default(),
            left: Mutex::default(),
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
        match &self.observer {
            Some(observer) => observer.notify(notice),
            None => tracing::warn!("{notice}"),
        }
    }

    /// There may be deliveries to make.
    pub(crate) fn ring(&self) {
        self.outbox.store(true, Ordering::Relaxed);
        // It rings already, or nobody listens any more.
        let _ = self.deliveries.try_send(());
    }

    /// The status of an execution may have changed: tells the bus, where a rule may match that.
    pub(crate) fn status_changed(&self) {
        if self.backends.services.watches_statuses() {
            self.ring();
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
