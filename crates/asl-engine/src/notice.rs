//! What people have to be told of a worker, though nobody asked.

use crate::engine::Observer;
use crate::error::EngineError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How an engine tells people of things; what they would be told again and again is held back.
pub(crate) struct Notices {
    pub(crate) observer: Option<Arc<dyn Observer>>,
    /// Of executions that are tried again.
    pub(crate) again: Limit,
    /// Of a store that cannot be read.
    pub(crate) unread: Limit,
}

impl Notices {
    pub(crate) fn to(observer: Option<Arc<dyn Observer>>) -> Notices {
        Notices { observer, again: Limit::default(), unread: Limit::default() }
    }

    pub(crate) fn tell(&self, notice: &Notice) {
        match &self.observer {
            Some(observer) => observer.notify(notice),
            None => tracing::warn!("{notice}"),
        }
    }
}

/// Something that a worker cannot do, or has let go of. Displayed as a sentence.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// An execution cannot be loaded, or a record of it not be written; it is tried again.
    TriedAgain {
        /// Its name, or its number where that is not known.
        execution: String,
        /// Why.
        error: EngineError,
        /// In how many milliseconds.
        after_ms: i64,
        /// How many others there were of which nobody was told: a full disk would give a line for each execution.
        others: u64,
    },
    /// An execution is set aside: nobody runs it until it is asked for, or a while has passed.
    SetAside {
        /// Its name.
        execution: String,
        /// Why.
        why: String,
        /// In how many milliseconds it is tried again.
        again_ms: i64,
    },
    /// An execution cannot be loaded from its records. It is left to others.
    CannotLoad {
        /// Its ARN; its number where that cannot be read.
        execution: String,
        /// Why.
        why: String,
    },
    /// Executions of a definition cannot run here: a function or a service of it is not there. They are left to others.
    CannotRun {
        /// The name of the state machine.
        state_machine: String,
        /// What is missing.
        why: String,
    },
    /// Somebody reads from the database for so long that its write-ahead log cannot be written back, and grows.
    LogGrows {
        /// How many bytes it has.
        bytes: u64,
    },
    /// An execution fails because a record of it cannot be written, now or ever.
    Failed {
        /// Its name.
        execution: String,
        /// Why.
        error: EngineError,
    },
    /// An execution was stopped without its records being read.
    EndedUnread {
        /// Its name.
        execution: String,
        /// Why they could not be read.
        error: EngineError,
    },
    /// The engine ends: what it has not ended is left to others.
    GaveBack {
        /// How many executions.
        executions: usize,
    },
    /// The database cannot be looked at.
    NotRead {
        /// Why.
        error: EngineError,
    },
}

/// How often people are told of what happens again and again.
const PAUSE: Duration = Duration::from_secs(2);

/// Lets one notice of a kind through in a while, and counts the others.
#[derive(Debug, Default)]
pub(crate) struct Limit(Mutex<(Option<Instant>, u64)>);

impl Limit {
    /// How many were held back since the last one that was told; `None` when this one is held back too.
    pub(crate) fn admit(&self) -> Option<u64> {
        // Two numbers that fit together between any two changes.
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0.is_some_and(|last| last.elapsed() < PAUSE) {
            held.1 += 1;
            return None;
        }
        held.0 = Some(Instant::now());
        Some(std::mem::take(&mut held.1))
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::CannotLoad { execution, why } => {
                write!(f, "the execution {execution} cannot be loaded, and is left to others: {why}")
            }
            Notice::CannotRun { state_machine, why } => {
                write!(f, "executions of `{state_machine}` cannot run here, and are left to others: {why}")
            }
            Notice::LogGrows { bytes } => write!(
                f,
                "another program keeps reading from the database: its write-ahead log cannot be written back, and has \
                 {} MB by now; end that program",
                bytes / 1_000_000
            ),
            Notice::TriedAgain { execution, error, after_ms, others } => {
                write!(f, "{execution} cannot go on now and is tried again in {after_ms} ms: {error}")?;
                if *others > 0 { write!(f, " ({others} more could not go on since)") } else { Ok(()) }
            }
            Notice::SetAside { execution, why, again_ms } => {
                write!(
                    f,
                    "{execution} is set aside: {why}; it is tried again in {} minutes, `asl resume {execution}` takes it \
                     now, `asl stop` ends it",
                    again_ms / 60_000
                )
            }
            Notice::Failed { execution, error } => write!(f, "{execution} fails: {error}"),
            Notice::EndedUnread { execution, error } => {
                write!(f, "{execution} was stopped without reading its records: {error}")
            }
            Notice::GaveBack { executions: 1 } => f.write_str("1 open execution is left to other workers"),
            Notice::GaveBack { executions } => write!(f, "{executions} open executions are left to other workers"),
            Notice::NotRead { error } => write!(f, "the database cannot be looked at: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_again_and_again_is_told_once_and_counted() {
        let limit = Limit::default();
        assert_eq!(limit.admit(), Some(0));
        assert_eq!((limit.admit(), limit.admit()), (None, None));
        limit.0.lock().unwrap().0 = Instant::now().checked_sub(PAUSE);
        assert_eq!(limit.admit(), Some(2));
    }
}
