//! A machine that is full now may have room in a moment: starting a program is tried again.

use std::{io, time::Duration};

use rustix::io::Errno;
use tokio::time::{Instant, sleep};

use crate::{
    error::{self, InvokeError},
    worker::WorkerPlan,
};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How long one invocation waits for room: as long as a worker may take to load its code.
pub(crate) struct Patience<'p> {
    plan: &'p WorkerPlan,
    request_id: &'p str,
    /// From the first failure on.
    end: Option<Instant>,
    pause: Duration,
}

impl<'p> Patience<'p> {
    pub(crate) fn new(plan: &'p WorkerPlan, request_id: &'p str) -> Self {
        Self { plan, request_id, end: None, pause: FIRST_PAUSE }
    }

    /// After a failed start: waits, to try again. The first wait is told.
    ///
    /// # Errors
    /// `Lambda.TooManyRequestsException` when there was no room for too long; `Runtime.InvalidEntrypoint` if waiting will not
    /// help.
    pub(crate) async fn wait(&mut self, problem: &io::Error) -> Result<(), InvokeError> {
        if !passes(problem) {
            return Err(error::not_started(self.request_id, &self.plan.program.path, problem));
        }
        let now = Instant::now();
        let end = *self.end.get_or_insert_with(|| {
            let text = format!("cannot be started now ({problem}): trying again for {:?}", self.plan.init_timeout);
            self.plan.log.tell(&self.plan.function, text);
            now + self.plan.init_timeout
        });
        if now + self.pause > end {
            return Err(error::no_room(self.request_id, problem));
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// Whether the reason is one that passes: no free file numbers, processes or memory, or a program that is just being written.
fn passes(problem: &io::Error) -> bool {
    let passing = [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM, Errno::TXTBSY];
    problem.raw_os_error().is_some_and(|number| passing.iter().any(|errno| errno.raw_os_error() == number))
}
