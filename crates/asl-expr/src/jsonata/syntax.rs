//! Parsing, with the reference implementation's codes and words.

use super::{JsonataSyntaxError, messages};
use jsonata_core::ast::AstNode;
use jsonata_core::parser;

/// Parses `text`.
pub(super) fn parse(text: &str) -> Result<AstNode, JsonataSyntaxError> {
    parser::parse(text).map_err(|e| messages::syntax(text, &e.to_string()))
}
