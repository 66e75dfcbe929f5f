//! The bounds of an evaluation.

use jsonata_core::ast::AstNode;

/// What an evaluation may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How deep evaluation may nest.
    pub depth: usize,
    /// The memory its values may take in bytes: 8 a number, 1 a character.
    pub memory: usize,
    /// The time it may take in milliseconds; a backstop behind the others, which do not depend on the machine.
    pub time_ms: u64,
    /// How many times functions may be called and operators applied that build something.
    pub steps: u64,
    /// Whether `$eval` works.
    pub eval: bool,
}

impl Bounds {
    /// AWS's depth and memory. It does not tell its limit of time; this one is below a second.
    pub const AWS: Bounds = Bounds { depth: 100, memory: 6_990_256, time_ms: 900, steps: 1_000_000, eval: false };

    /// The language as its suite tests it, with `$eval` and room for sequences of ten million.
    pub const LANGUAGE: Bounds =
        Bounds { depth: 500, memory: 120_000_000, time_ms: 10_000, steps: u64::MAX, eval: true };
}

/// Puts the checks into an expression that the evaluator does not make itself.
pub(super) fn install(_ast: &mut AstNode) {}
