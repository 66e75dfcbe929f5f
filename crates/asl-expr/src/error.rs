//! How expressions fail.

/// An expression that could not be evaluated, as AWS reports it. The machine puts in front of the cause which state it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct EvalError {
    /// The error's name: [`RUNTIME`] or [`INTRINSIC_FAILURE`].
    pub error: &'static str,
    /// What happened, in AWS's words where they are known.
    pub cause: String,
}

/// A path that cannot be applied. Never caught by a state machine.
pub const RUNTIME: &str = "States.Runtime";

/// An intrinsic function that cannot work with the arguments it got.
pub const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";

impl EvalError {
    pub(crate) fn runtime(cause: String) -> EvalError {
        EvalError { error: RUNTIME, cause }
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
