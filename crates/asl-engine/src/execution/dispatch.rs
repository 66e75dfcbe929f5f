//! What a driver sends out: calls of tasks and the work of map runs; how it gives them up.

use super::calls;
use super::driver::Driver;
use super::jobs::Job;
use super::protocol::{Integrations, Mode, Work};
use crate::engine::Inner;
use asl_core::{Failure, Input, MapCommand, TaskCall, TaskId};

impl Integrations for Inner {
    fn mode(&self, call: &TaskCall) -> Mode {
        let is_mocked = self.backends.mocks.answer(&call.state, call.invocation, &call.parameters).is_some();
        match self.backends.resolve(&call.resource) {
            Ok(backend) if !is_mocked => match backend.mode() {
                asl_task::Mode::Transactional => Mode::Transactional,
                asl_task::Mode::Remote => Mode::Remote,
                asl_task::Mode::Job | asl_task::Mode::Nested => Mode::Job,
            },
            _ => Mode::Remote,
        }
    }

    fn again(&self, call: &TaskCall) -> bool {
        // A mock answers twice, its call and its end: only the first may have been written. A job is followed to its end.
        self.backends.mocks.contains(&call.state) || call.submitted.is_some()
    }

    fn run_here(&self) -> bool {
        self.backends.functions.run_here()
    }
}

impl Driver {
    pub(super) fn call(&mut self, call: TaskCall) {
        let (work, sender) = (Work::Call(call.id), self.news_sender.clone());
        let clock = &self.inner.clock;
        let handle = match self.inner.backends.mocks.answer(&call.state, call.invocation, &call.parameters) {
            Some(answer) => {
                let due = answer.after_ms.map(|ms| clock.now().plus_ms(ms));
                calls::say(clock, call.id, calls::mocked(&call, answer), due, sender)
            }
            None => match (self.inner.backends.resolve(&call.resource), self.protocol.machine().execution().cloned()) {
                (Ok(backend), Some(execution)) if self.inner.mode(&call) == Mode::Job => {
                    let (clock, key, task) = (clock.clone(), calls::request_id(&execution, call.id), call.id);
                    let (handle, stop) = Job { inner: self.inner.clone(), clock, backend, call, key }.spawn(sender);
                    self.jobs.insert(task, stop);
                    handle
                }
                (Ok(backend), Some(execution)) => calls::spawn(self.inner.clone(), execution, backend, call, sender),
                // The definition was stored by an engine with more backends.
                (Err(missing), _) => {
                    calls::say(clock, call.id, vec![lacks(call.id, &missing.to_string())], None, sender)
                }
                (Ok(_), None) => unreachable!("an execution that calls has started"),
            },
        };
        self.in_flight.0.insert(work, handle);
    }

    pub(super) fn map_work(&mut self, command: MapCommand) {
        let (inner, definition) = (self.inner.clone(), self.definition.clone());
        if let Some((work, handle)) = self.maps.work(inner, definition, command, self.news_sender.clone()) {
            self.in_flight.0.insert(work, handle);
        }
    }

    /// Gives a call up; a job is stopped, by its follower, which then ends by itself.
    pub(super) fn cancel(&mut self, task: TaskId) {
        let Some(handle) = self.in_flight.0.remove(&Work::Call(task)) else { return };
        match (self.jobs.remove(&task), self.inner.stops.clone().try_read_owned()) {
            (Some(stop), Ok(guard)) => drop(stop.send((guard, self.inner.clock.hold()))),
            _ => handle.abort(),
        }
    }
}

fn lacks(task: TaskId, what: &str) -> Input {
    Input::TaskFailed { task, failure: Failure::new("States.Runtime", what) }
}
