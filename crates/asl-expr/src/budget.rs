//! What one evaluation in JSONPath may use up: counted before memory is taken, and told to the machine afterwards.

use crate::{Env, EvalError, error};
use asl_value::Value;
use std::cell::Cell;

/// The most bytes of text that the values of one evaluation may have, each as often as it is used: a text that is written
/// ten thousand times is shared in memory, but not when it is stored or sent.
pub const MAX_BYTES: usize = 32 << 20;
/// The most work of one evaluation, in units: a value visited, 64 bytes of text read or written. That is done within a
/// second.
pub const MAX_WORK: u64 = 4_000_000;
/// What an element of an array takes besides its text, in bytes.
const ITEM_BYTES: usize = 48;
/// How many units of [`Env::worked`] one of ours is.
const WORK_UNITS: u64 = 8;
/// How many bytes of text are one unit of work.
const UNIT_BYTES: usize = 64;

/// What is left to one evaluation: of one template, one path or one call.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: Cell<usize>,
    work: Cell<u64>,
}

/// A bound that an evaluation ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Bytes,
    Work,
}

impl Budget {
    pub(crate) fn new() -> Budget {
        Budget { bytes: Cell::new(MAX_BYTES), work: Cell::new(MAX_WORK) }
    }

    /// Runs an evaluation, and tells `env` what it took.
    pub(crate) fn of<T>(env: &dyn Env, evaluation: impl FnOnce(&Budget) -> T) -> T {
        let budget = Budget::new();
        let done = evaluation(&budget);
        env.worked(budget.used() * WORK_UNITS);
        done
    }

    /// The units of work done so far.
    pub(crate) fn used(&self) -> u64 {
        MAX_WORK - self.work.get()
    }

    /// Before so much work is done.
    pub(crate) fn work(&self, units: u64) -> Result<(), Exceeded> {
        let left = self.work.get().checked_sub(units);
        self.work.set(left.unwrap_or(0));
        left.map(drop).ok_or(Exceeded::Work)
    }

    /// Before so many bytes of text are looked at.
    pub(crate) fn read(&self, bytes: usize) -> Result<(), Exceeded> {
        self.work((bytes / UNIT_BYTES) as u64)
    }

    /// Before a text of so many bytes is made.
    pub(crate) fn bytes(&self, bytes: usize) -> Result<(), Exceeded> {
        let left = self.bytes.get().checked_sub(bytes).ok_or(Exceeded::Bytes)?;
        self.bytes.set(left);
        self.read(bytes)
    }

    /// Before so many elements or members are made, besides their texts.
    pub(crate) fn items(&self, count: usize) -> Result<(), Exceeded> {
        self.bytes(count.saturating_mul(ITEM_BYTES))?;
        self.work(count as u64)
    }

    /// Before a value is put into another: as many bytes as its text has.
    pub(crate) fn value(&self, value: &Value) -> Result<(), Exceeded> {
        self.bytes(value.measure().bytes)
    }
}

impl Exceeded {
    /// What happened, for a message.
    pub(crate) fn why(self) -> String {
        match self {
            Exceeded::Bytes => format!("its values take more than {MAX_BYTES} bytes"),
            Exceeded::Work => format!("it takes more than {MAX_WORK} steps"),
        }
    }

    /// The error of the evaluation of a field.
    pub(crate) fn of_field(self, field: &str) -> EvalError {
        EvalError {
            error: error::DATA_LIMIT,
            cause: format!(
                "The evaluation of the field '{field}' exceeds the limits of one evaluation: {}.",
                self.why()
            ),
            hint: None,
        }
    }
}
