//! How many bytes the executions in memory take, and who waits until there is room.
//!
//! What is counted is what machines keep: inputs, variables, results, items that wait ([`asl_core::Machine::held_bytes`]). An
//! execution is let in while there is room, and may grow then, by AWS's limits of what one may hold; so the bound is one of
//! the whole, and is passed by no more than those who are in grow. A parent of a Distributed Map waits for its children, and
//! they must get in whatever it takes: while nobody else is at work, one is let in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What an execution takes before it has run, besides its input; bytes.
const NEW_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    used: Mutex<Used>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Used {
    bytes: usize,
    /// How many are in that do not wait for children.
    at_work: usize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Memory> {
        Arc::new(Memory { limit, used: Mutex::default(), freed: Notify::new() })
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // The two numbers fit together between any two changes.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes are taken.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.used().bytes
    }

    /// True while there is room.
    pub(crate) fn has_room(&self) -> bool {
        let used = self.used();
        used.bytes < self.limit || used.at_work == 0
    }

    /// Lets an execution in whose input has so many bytes, if there is room.
    fn try_enter(self: &Arc<Memory>, input_bytes: usize) -> Option<Share> {
        let mut used = self.used();
        (used.bytes < self.limit || used.at_work == 0).then(|| self.take(&mut used, NEW_BYTES + input_bytes))
    }

    fn take(self: &Arc<Memory>, used: &mut Used, bytes: usize) -> Share {
        used.bytes += bytes;
        used.at_work += 1;
        Share { memory: self.clone(), bytes, waits: false }
    }

    /// Waits until there is room.
    pub(crate) async fn enter(self: &Arc<Memory>, input_bytes: usize) -> Share {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(share) = self.try_enter(input_bytes) {
                return share;
            }
            freed.await;
        }
    }

    /// Lets an execution in that cannot wait: it is on its way already.
    pub(crate) fn enter_now(self: &Arc<Memory>) -> Share {
        self.take(&mut self.used(), NEW_BYTES)
    }
}

/// What one execution takes; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    memory: Arc<Memory>,
    bytes: usize,
    waits: bool,
}

impl Share {
    /// It takes so many bytes now, and waits for children or does not.
    pub(crate) fn set(&mut self, bytes: usize, waits: bool) {
        if (self.bytes, self.waits) == (bytes, waits) {
            return;
        }
        let mut used = self.memory.used();
        used.bytes = used.bytes - self.bytes + bytes;
        used.at_work = used.at_work + usize::from(self.waits) - usize::from(waits);
        let freed = bytes < self.bytes || waits;
        drop(used);
        (self.bytes, self.waits) = (bytes, waits);
        if freed {
            self.memory.freed.notify_waiters();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut used = self.memory.used();
        used.bytes -= self.bytes;
        used.at_work -= usize::from(!self.waits);
        drop(used);
        self.memory.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_fit_waits_and_one_is_always_let_in() {
        let memory = Memory::new(100_000);
        let mut first = memory.enter(0).await;
        first.set(200_000, false);
        assert!(!memory.has_room() && memory.try_enter(0).is_none());
        // A parent is not at work: its children get in, one at a time.
        first.set(200_000, true);
        let child = memory.enter(0).await;
        assert!(memory.try_enter(0).is_none());
        let waits = memory.clone();
        let next = tokio::spawn(async move { waits.enter(10).await });
        tokio::task::yield_now().await;
        drop(child);
        let next = next.await.unwrap();
        assert_eq!(memory.bytes(), 200_000 + NEW_BYTES + 10);
        drop((first, next));
        assert_eq!(memory.bytes(), 0);
    }
}
