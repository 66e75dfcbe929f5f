//! What an execution in memory takes there, and which executions are let in: a permit of so many, and bytes of so many.

use crate::error::EngineError;
use crate::memory::{Memory, Share};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// What an execution in memory takes there.
pub(crate) struct Admission {
    /// None where its parent has room and waits for it, or it could not wait for room.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    pub(crate) share: Share,
}

/// The room of an engine.
pub(crate) struct Admissions {
    /// Permits for executions in memory.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) memory: Arc<Memory>,
    /// One permit for an execution whose records are too many to be read together with others.
    long_loads: Semaphore,
}

impl Admissions {
    /// Room for so many executions, which take so many bytes.
    pub(crate) fn new(max_active: usize, max_memory: usize) -> Admissions {
        Admissions {
            slots: Arc::new(Semaphore::new(max_active.min(Semaphore::MAX_PERMITS))),
            memory: Memory::new(max_memory),
            long_loads: Semaphore::new(1),
        }
    }

    /// Lets an execution in that begins with so many bytes, when there is room.
    pub(crate) async fn enter(&self, bytes: usize) -> Result<Admission, EngineError> {
        let permit = self.slots.clone().acquire_owned().await.map_err(|_| EngineError::ShutDown)?;
        Ok(Admission { permit: Some(permit), share: self.memory.enter(bytes).await })
    }

    /// Lets one in that cannot wait for room: it takes a permit if there is one.
    pub(crate) fn enter_now(&self) -> Admission {
        Admission { permit: self.slots.clone().try_acquire_owned().ok(), share: self.memory.enter_now() }
    }

    /// Lets one in whose parent has room, and waits for it.
    pub(crate) fn enter_within(&self) -> Admission {
        Admission { permit: None, share: self.memory.enter_now() }
    }

    /// For how many there are permits.
    pub(crate) fn free(&self) -> usize {
        self.slots.available_permits()
    }

    /// Waits until no other execution with many records is being read.
    pub(crate) async fn alone(&self) -> Result<SemaphorePermit<'_>, EngineError> {
        self.long_loads.acquire().await.map_err(|_| EngineError::ShutDown)
    }
}
