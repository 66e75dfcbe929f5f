//! What a record may cost: steps, work, bytes. What a run uses is counted here, where it is used.
//!
//! A unit of work is what takes some nanoseconds: an item passed over, sixteen characters copied ([`Bounds::work`] of JSONata
//! counts in the same unit). The evaluators report theirs ([`asl_expr::Env::worked`]); a step, an event and a JSONPath
//! template are charged by their sizes. How a record was cut is written down as its number of steps, so a replay is cut at
//! the same place whatever the work is counted as by then.
//!
//! [`Bounds::work`]: asl_expr::jsonata::Bounds

use crate::event::{Event, EventKind, Failure, TaskStage};
use asl_value::Value;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the machine may do before its record is written. It takes one step whatever that costs, so that it gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many steps.
    pub steps: u32,
    /// How many units of work, with those of the inputs that were handed in since [`crate::Machine::take_effects`].
    pub work: u64,
    /// How many bytes of events, since then.
    pub bytes: usize,
}

impl Budget {
    /// Just so many steps: how a record is replayed.
    pub const fn steps(steps: u32) -> Budget {
        Budget { steps, work: u64::MAX, bytes: usize::MAX }
    }
}

impl From<u32> for Budget {
    fn from(steps: u32) -> Budget {
        Budget::steps(steps)
    }
}

/// What a step takes, whatever it does; units of work.
pub(crate) const STEP_WORK: u64 = 100;
/// What an event takes in its record besides its payloads; bytes.
const EVENT_BYTES: usize = 96;
/// In how many events before it a payload is looked for.
const RECENT: usize = 2;
/// How many bytes are passed over in a unit of work.
const BYTES_A_UNIT: usize = 16;

/// What is used since the last record.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    /// Counted by whoever holds the machine shared: one evaluation at a time.
    work: AtomicU64,
    bytes: usize,
}

impl Clone for Spent {
    fn clone(&self) -> Spent {
        Spent { work: AtomicU64::new(self.work()), bytes: self.bytes }
    }
}

impl Spent {
    pub(crate) fn work(&self) -> u64 {
        self.work.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn charge(&self, units: u64) {
        // Only one thread has the machine, so nothing is lost between the two.
        self.work.store(self.work().saturating_add(units), Ordering::Relaxed);
    }

    /// Something made a value of another one.
    pub(crate) fn made(&self, from: &Value, to: &Value) {
        self.charge(units(from.measure().bytes + to.measure().bytes));
    }

    pub(crate) fn is_over(&self, budget: &Budget) -> bool {
        self.work() >= budget.work || self.bytes >= budget.bytes
    }

    /// An event joins the record, after those `before` it. A payload that one of the last two has as well is free: the output
    /// of a state is the input of the next, and is stored once.
    pub(crate) fn event(&mut self, kind: &EventKind, before: &[Event]) {
        let recent = &before[before.len().saturating_sub(RECENT)..];
        let weigh = |payload: &Value| {
            let known = recent.iter().rev().any(|event| event.kind.has(payload));
            if known { 0 } else { payload.measure().bytes }
        };
        let bytes = EVENT_BYTES
            + match kind {
                EventKind::StateEntered { input, .. } => weigh(input),
                EventKind::StateExited { output, assigned, .. } if assigned.is_empty() => weigh(output),
                kind => {
                    let mut bytes = texts(kind);
                    kind.payloads(&mut |payload| bytes += weigh(payload));
                    bytes
                }
            };
        self.bytes = self.bytes.saturating_add(bytes);
        self.charge(units(bytes));
    }

    pub(crate) fn reset(&mut self) {
        *self = Spent::default();
    }
}

fn units(bytes: usize) -> u64 {
    (bytes / BYTES_A_UNIT) as u64
}

/// The bytes of an event's texts that users make.
fn texts(kind: &EventKind) -> usize {
    let of = |failure: &Failure| {
        failure.error.as_ref().map_or(0, |text| text.len()) + failure.cause.as_ref().map_or(0, |text| text.len())
    };
    match kind {
        EventKind::ExecutionStarted { input, .. } => input.len(),
        EventKind::ExecutionFailed(failure)
        | EventKind::ExecutionAborted(failure)
        | EventKind::ExecutionTimedOut(failure)
        | EventKind::MapRunFailed(failure)
        | EventKind::EvaluationFailed { failure, .. } => of(failure),
        EventKind::Task {
            stage:
                TaskStage::Failed(failure)
                | TaskStage::TimedOut(failure)
                | TaskStage::ScheduleFailed(failure)
                | TaskStage::StartFailed(failure)
                | TaskStage::SubmitFailed(failure),
            ..
        } => of(failure),
        _ => 0,
    }
}

impl EventKind {
    /// True when `value` is one of its payloads.
    #[inline]
    fn has(&self, value: &Value) -> bool {
        match self {
            EventKind::StateEntered { input, .. } => input.same_node(value),
            EventKind::StateExited { output, assigned, .. } if assigned.is_empty() => output.same_node(value),
            other => {
                let mut found = false;
                other.payloads(&mut |payload| found |= payload.same_node(value));
                found
            }
        }
    }

    /// Each of its payloads, in the order of the event's fields.
    fn payloads(&self, see: &mut impl FnMut(&Value)) {
        match self {
            EventKind::ExecutionSucceeded { output } => see(output),
            EventKind::StateEntered { input, .. } => see(input),
            EventKind::StateExited { output, assigned, .. } => {
                see(output);
                assigned.iter().for_each(|(_, value)| see(value));
            }
            EventKind::Task { stage, .. } => match stage {
                TaskStage::Scheduled(scheduled) => see(&scheduled.parameters),
                TaskStage::Submitted { output } | TaskStage::Succeeded { output } => see(output),
                _ => {}
            },
            _ => {}
        }
    }
}
