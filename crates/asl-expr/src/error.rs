//! How expressions fail.

use crate::{PathError, PathErrorKind};

/// An expression that could not be evaluated, as AWS reports it. The machine puts in front of the cause which state it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct EvalError {
    /// The error's name: [`RUNTIME`], [`INTRINSIC_FAILURE`] or [`DATA_LIMIT`].
    pub error: &'static str,
    /// What happened, in AWS's words where they are known.
    pub cause: String,
    /// What was there instead, for people: [`crate::Path::hint`]. No part of what is recorded.
    pub hint: Option<String>,
}

/// A path that cannot be applied. Never caught by a state machine.
pub const RUNTIME: &str = "States.Runtime";

/// An intrinsic function that cannot work with the arguments it got.
pub const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";

/// An evaluation whose values take more than [`crate::MAX_BYTES`], or that takes more than [`crate::MAX_WORK`].
pub const DATA_LIMIT: &str = "States.DataLimitExceeded";

impl From<PathError> for EvalError {
    fn from(e: PathError) -> EvalError {
        let error = if e.kind == PathErrorKind::TooLarge { DATA_LIMIT } else { RUNTIME };
        EvalError { error, cause: e.message, hint: None }
    }
}

impl EvalError {
    pub(crate) fn hint(self, hint: Option<String>) -> EvalError {
        EvalError { hint, ..self }
    }

    pub(crate) fn runtime(cause: String) -> EvalError {
        EvalError { error: RUNTIME, cause, hint: None }
    }
}

/// A text that is not an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at offset {offset})")]
pub struct SyntaxError {
    /// What is wrong with it.
    pub message: String,
    /// Where, as a byte offset into the text.
    pub offset: usize,
}

impl From<crate::PathSyntaxError> for SyntaxError {
    fn from(e: crate::PathSyntaxError) -> SyntaxError {
        SyntaxError { message: e.message, offset: e.offset }
    }
}
