//! What whoever runs an engine should know, though it is no execution's own doing.

use std::fmt;

/// Something that an engine leaves, or that its database suffers from. Told once ([`crate::Observer::notice`]).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
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
        }
    }
}
