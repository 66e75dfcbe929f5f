//! What comes in is made fit for a record: whatever a machine takes can be read back from a journal.
//!
//! One limit of depth holds for every value that goes into a record, and it lies below what every reader takes; texts of
//! errors are cut at AWS's lengths. A driver asks [`Machine::admit`] first and records what it gives, so a result that is
//! refused for its size is not written down either.

use crate::error::StateError;
use crate::event::Failure;
use crate::input::{Input, Outcome, TaskId};
use crate::machine::Machine;
use crate::state::task::limit_subject;
use crate::{DEPTH_LIMIT, scope::Scope};
use asl_expr::Timestamp;
use asl_value::Value;

impl Machine {
    /// The input as it is to be recorded and handed to [`Machine::handle`]: texts of errors cut at AWS's lengths, and in the
    /// place of a result that is too large, or nested deeper than [`DEPTH_LIMIT`], the failure that it comes to
    /// (`States.DataLimitExceeded`; `States.ItemReaderFailed` for items).
    pub fn admit(&self, input: Input) -> Input {
        match input {
            Input::TaskSucceeded { task, output } if !self.fits(&output) => self.too_large(task),
            Input::TaskSubmitted { task, output } if !self.fits(&output) => self.too_large(task),
            Input::TaskFailed { task, failure } => Input::TaskFailed { task, failure: failure.within_limits() },
            Input::TaskRejected { task, cause } => {
                let cause = Failure::new("", cause).within_limits().cause.unwrap_or_default();
                Input::TaskRejected { task, cause }
            }
            Input::MapItems { run, items } | Input::MapPiece { run, items, .. } if !is_shallow(&items) => {
                let cause = format!("The items are nested deeper than {DEPTH_LIMIT} levels.");
                Input::MapFailed { run, failure: Failure::new("States.ItemReaderFailed", cause) }
            }
            Input::MapFailed { run, failure } => Input::MapFailed { run, failure: failure.within_limits() },
            Input::ChildDone { run, child, outcome } => Input::ChildDone { run, child, outcome: within(outcome) },
            Input::MapRunDone { run, outcome } => Input::MapRunDone { run, outcome: within(outcome) },
            Input::Stop(failure) => Input::Stop(failure.within_limits()),
            Input::Fail(failure) => Input::Fail(failure.within_limits()),
            other => other,
        }
    }

    /// Admits an input and handles it. Gives what is to be recorded of it: nothing when it has no place any more.
    pub fn accept(&mut self, input: Input, now: Timestamp) -> Option<Input> {
        let input = self.admit(input);
        self.handle(input.clone(), now).is_ok().then_some(input)
    }

    /// True when a value is within the limits of a payload and of depth.
    pub(crate) fn fits(&self, value: &Value) -> bool {
        let measure = value.measure();
        measure.bytes <= self.limits.payload_bytes && measure.depth <= DEPTH_LIMIT
    }

    fn too_large(&self, task: TaskId) -> Input {
        let call = self.tasks.get(&task).and_then(|id| Scope::call(self.scopes.get(*id)));
        let subject = call.map_or_else(String::new, limit_subject);
        Input::TaskFailed { task, failure: StateError::data_limit(&subject, "returned", "a result").failure }
    }
}

fn is_shallow(value: &Value) -> bool {
    value.measure().depth <= DEPTH_LIMIT
}

fn within(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Succeeded(output) if !is_shallow(&output) => {
            Outcome::Failed(StateError::data_limit("output", "returned", "a result").failure)
        }
        Outcome::Succeeded(output) => Outcome::Succeeded(output),
        Outcome::Failed(failure) => Outcome::Failed(failure.within_limits()),
        Outcome::TimedOut(failure) => Outcome::TimedOut(failure.within_limits()),
        Outcome::Aborted(failure) => Outcome::Aborted(failure.within_limits()),
    }
}
