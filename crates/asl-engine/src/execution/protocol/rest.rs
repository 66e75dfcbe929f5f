//! What an execution does that has nothing to do: it waits in memory for a while, leaves it, or is handed over.

use super::stage::{Stage, Suspicion};
use super::{Around, Protocol, Todo};

/// An execution that has waited so long for an answer stays in the store only, until its time comes; milliseconds. One that waits
/// for its time alone stays no longer than it must.
pub(super) const LINGER_MS: i64 = 250;
/// So long where it was loaded just now, and is found to wait still; milliseconds.
pub(super) const LINGER_LOADED_MS: i64 = 50;
/// So long where others wait for its permit; milliseconds.
const LINGER_PRESSED_MS: i64 = 5;
/// An execution whose time comes so soon stays in memory; milliseconds. For each event of its history, which would have to be
/// replayed, it is a millisecond more.
const SOON_MS: i64 = 1_000;

impl<C> Protocol<C> {
    pub(super) fn rest(&mut self, around: &Around<'_>) {
        if around.draining && !self.flight.calls() {
            self.todo.push_back(Todo::HandOver);
            self.stage = Stage::Over;
            return;
        }
        let works_here = self.flight.files() || (self.flight.calls() && around.integrations.run_here());
        if !works_here {
            self.settle(Some(Suspicion::Waits));
        }
        let (now, deadline) = (around.now, self.machine.next_deadline());
        let soon_ms = SOON_MS + i64::try_from(self.machine.last_event()).unwrap_or(0);
        let is_soon = deadline.is_some_and(|at| at <= now.plus_ms(soon_ms));
        if !around.evicts || is_soon || around.draining || !self.flight.is_empty() {
            self.idle_since = None;
            self.todo.push_back(Todo::Wait { until: deadline });
            return;
        }
        // A clock that was set back does not keep it in memory.
        let since = self.idle_since.map_or(now, |since| since.min(now));
        self.idle_since = Some(since);
        let until = since.plus_ms(self.linger(around.pressed));
        if now < until {
            self.todo.push_back(Todo::Wait { until: Some(until) });
        } else {
            self.idle_since = None;
            self.todo.push_back(Todo::Evict { due: deadline });
            self.stage = Stage::Leaving;
        }
    }

    /// How long it waits in memory; milliseconds.
    fn linger(&self, pressed: bool) -> i64 {
        if self.machine.submitted_tasks().is_empty() {
            // Nobody can answer it: it waits for its time alone.
            0
        } else if pressed {
            LINGER_PRESSED_MS
        } else {
            self.linger_ms
        }
    }
}
