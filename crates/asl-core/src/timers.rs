//! Timers: waits, back-offs, timeouts and heartbeats. Outside there is only the earliest of them.

use crate::scope::ScopeId;
use asl_expr::Timestamp;
use std::collections::BTreeMap;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// `TimeoutSeconds` of the machine, or the longest an execution may take.
    Execution,
    /// The end of a Wait or of a back-off.
    Wake(ScopeId),
    /// `TimeoutSeconds` of a task.
    Timeout(ScopeId),
    /// `HeartbeatSeconds` of a task.
    Heartbeat(ScopeId),
}

/// A timer's place in the queue; needed to take it back.
pub(crate) type TimerKey = (Timestamp, u64);

/// Timers in the order of their deadlines, those of one deadline in the order they were set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeMap<TimerKey, Timer>,
    count: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Timestamp, timer: Timer) -> TimerKey {
        self.count += 1;
        self.queue.insert((at, self.count), timer);
        (at, self.count)
    }

    pub(crate) fn get(&self, key: TimerKey) -> Option<Timer> {
        self.queue.get(&key).copied()
    }

    pub(crate) fn cancel(&mut self, key: TimerKey) {
        self.queue.remove(&key);
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<(TimerKey, Timer)> {
        self.next().filter(|at| *at <= now).and_then(|_| self.queue.pop_first())
    }
}
