//! A run of a machine as a record.

use asl_core::{Effects, Input, Machine, Step};
use asl_expr::Timestamp;
use asl_store::Record;

/// A run that is made into a record: the same for the start of an execution, a transaction, and a run of the protocol.
#[derive(Debug)]
pub struct Recording {
    /// The record.
    pub record: Record,
    /// What else came of the run; its events are in the record.
    pub effects: Effects,
    /// How the run went.
    pub step: Step,
}

impl Recording {
    /// What a run gave.
    pub fn of(machine: &mut Machine, now: Timestamp, inputs: Vec<Input>, step: Step) -> Recording {
        let effects = machine.take_effects();
        let record = Record { now, inputs, steps: step.steps, events: effects.events.clone() };
        Recording { record, effects, step }
    }

    /// Hands a machine an answer, if the machine still waits for it, and runs it: inside the transaction that makes the call.
    pub fn answer(
        machine: &mut Machine,
        now: Timestamp,
        answer: Option<Input>,
        run: impl FnOnce(&mut Machine) -> Step,
    ) -> Recording {
        let inputs = answer.and_then(|input| machine.accept(input, now)).into_iter().collect();
        let step = run(machine);
        Recording::of(machine, now, inputs, step)
    }

    /// True when there is nothing to write.
    pub(super) fn is_nothing(&self) -> bool {
        self.record.inputs.is_empty() && self.record.steps == 0 && self.record.events.is_empty()
    }
}

/// The time of the next record. Where the clock was set back it is the machine's own, which does not go back: a record must say
/// the time that its events have, or it would not replay.
pub fn time_for(clock: Timestamp, machine: &Machine) -> Timestamp {
    clock.max(machine.now())
}
