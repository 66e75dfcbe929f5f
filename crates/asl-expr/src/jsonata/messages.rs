//! The words of errors.

use super::{JsonataError, JsonataSyntaxError};

/// The text of a bound that has no code.
fn bound(text: &str) -> JsonataError {
    JsonataError { text: text.to_owned(), coded: false, unsupported_result: false }
}

/// Past the bound on memory.
pub(super) fn memory() -> JsonataError {
    bound("Expression evaluation memory limit exceeded: Check for excessive memory usage")
}

/// A result that is no JSON.
pub(super) fn unsupported() -> JsonataError {
    JsonataError { unsupported_result: true, ..bound("The result is a function") }
}

/// The error of an evaluation, from the evaluator's own text.
pub(super) fn runtime(text: &str) -> JsonataError {
    JsonataError { text: text.to_owned(), coded: true, unsupported_result: false }
}

/// The error of a parse, from the parser's own text.
pub(super) fn syntax(_text: &str, message: &str) -> JsonataSyntaxError {
    JsonataSyntaxError { code: "S0201".to_owned(), message: message.to_owned(), offset: 0 }
}
