//! The bounds of an evaluation.

use jsonata_core::ast::AstNode;

/// The memory the values of an evaluation may take: 8 bytes a number, 1 a character.
pub(super) const MEMORY: usize = 6_990_256;
/// How deep evaluation may nest.
pub(super) const DEPTH: usize = 100;
/// How many items a sequence may have.
pub(super) const SEQUENCE: usize = MEMORY / 8;
/// How long an evaluation may take, in milliseconds, whatever it does.
pub(super) const TIMEOUT_MS: u64 = 900;

/// Puts the checks into an expression that the evaluator does not make itself.
pub(super) fn install(_ast: &mut AstNode) {}
