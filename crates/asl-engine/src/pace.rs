//! Where a machine runs, and when its record is cut: on the thread of its driver while it is quick, off it when it is not.
//!
//! Most runs take some microseconds, and to hand them to another thread would cost more than they do. One that takes longer
//! goes on, in the same record, on a thread that answers nobody ([`heavy`]); the next run of that driver begins there. So a
//! thread that answers is held up by an execution once, for no longer than one evaluation may take.

use asl_core::{Budget, Machine, Step};
use asl_expr::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

use crate::error::EngineError;
use crate::phase::Phase;

/// What a record may cost. A unit of work is some nanoseconds; the clock says what they really were ([`SLICE`]).
pub(crate) const RECORD: Budget = Budget { steps: 10_000, work: 20_000_000, bytes: 8 * 1024 * 1024 };
/// How long a machine runs on the thread of its driver.
const INLINE: Duration = Duration::from_millis(2);
/// How long it runs before its record is written.
const SLICE: Duration = Duration::from_millis(100);

/// How the last run of a driver went: where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// On the thread of the driver.
    Light,
    /// Off it.
    Heavy,
}

impl Pace {
    fn after(took: Duration) -> Pace {
        if took < INLINE { Pace::Light } else { Pace::Heavy }
    }

    /// Runs a machine where nothing else may wait long: on the thread of its driver, or inside a transaction. A heavy one
    /// takes no step there.
    pub(crate) fn run_here(&mut self, machine: &mut Machine, now: Timestamp, budget: Budget) -> Step {
        let began = Instant::now();
        let budget = if *self == Pace::Heavy { Budget { steps: 0, ..budget } } else { budget };
        let step = machine.run_while(now, budget, || began.elapsed() < INLINE);
        if *self == Pace::Light {
            *self = Pace::after(began.elapsed());
        }
        step
    }
}

/// How many machines run at once off the threads that answer.
pub(crate) fn permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)))
}

/// Runs a machine off the threads that answer, until its record is to be written or the engine is to end.
///
/// # Errors
/// [`EngineError::ShutDown`] when the process ends, [`EngineError::Panicked`] when the machine does.
pub(crate) async fn heavy(
    permits: &Arc<Semaphore>,
    phase: watch::Receiver<Phase>,
    mut machine: Machine,
    now: Timestamp,
    budget: Budget,
) -> Result<(Machine, Step, Pace), EngineError> {
    let permit = permits.clone().acquire_owned().await.map_err(|_| EngineError::ShutDown)?;
    let run = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        let goes_on = || began.elapsed() < SLICE && phase.borrow().takes_on();
        let step = machine.run_while(now, budget, goes_on);
        drop(permit);
        (machine, step, Pace::after(began.elapsed()))
    });
    run.await.map_err(gone)
}

/// Does other work of that kind there: a machine is rebuilt.
pub(crate) async fn aside<T: Send + 'static>(
    permits: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, EngineError> {
    let permit = permits.clone().acquire_owned().await.map_err(|_| EngineError::ShutDown)?;
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(permit);
        done
    });
    done.await.map_err(gone)
}

fn gone(error: tokio::task::JoinError) -> EngineError {
    if error.is_panic() { EngineError::Panicked } else { EngineError::ShutDown }
}
