//! What an evaluation may use up.

/// What an evaluation may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How deep evaluation may nest.
    pub depth: usize,
    /// The memory its values may take in bytes: 8 a number, 1 a character.
    pub memory: usize,
    /// How many items a sequence may have.
    pub items: usize,
    /// The work it may do. A unit is what takes some nanoseconds: an item passed over, sixteen characters copied.
    pub work: usize,
    /// Whether `$eval` works.
    pub eval: bool,
}

impl Bounds {
    /// AWS's depth and memory. AWS bounds the time and does not tell how; the work here is done within a second.
    pub const AWS: Bounds = Bounds { depth: 100, memory: 6_990_256, items: 360_145, work: 50_000_000, eval: false };

    /// The language as its suite tests it, with `$eval` and room for sequences of ten million.
    pub const LANGUAGE: Bounds =
        Bounds { depth: 500, memory: 120_000_000, items: 10_000_000, work: 1_000_000_000, eval: true };
}
