//! Signals: inputs on their way to an execution from another process. A signal lies in the inbox until a record has it.

use crate::record::ExecutionId;
use asl_core::Input;

/// The number of a signal in the inbox; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalId(pub i64);

/// An input that waits for the owner of its execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Its number.
    pub id: SignalId,
    /// For whom it is.
    pub execution: ExecutionId,
    /// What it says.
    pub input: Input,
}

/// What becomes of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The signal's number.
    pub signal: SignalId,
    /// True when the record has it; false when it came too late.
    pub taken: bool,
}
