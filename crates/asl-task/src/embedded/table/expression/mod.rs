//! DynamoDB's expression language: conditions, updates, projections.
//!
//! `lex` makes tokens, `parse` holds what the grammars share (paths, placeholders, the order in which faults are told).
//! `condition` (its grammar is in `grammar`), `update` and `projection` are the three kinds of expressions, `path` walks
//! documents.

pub(crate) mod condition;
mod grammar;
mod lex;
pub(crate) mod parse;
pub(crate) mod path;
pub(crate) mod projection;
mod reserved;
pub(crate) mod update;

#[cfg(test)]
mod tests;
