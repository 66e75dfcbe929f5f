//! What an expression may ask of the machine around it.

use asl_value::Value;

/// The world of one evaluation, handed in by the machine. An expression reaches nothing else: no clock, no source of
/// randomness, no I/O.
pub trait Env {
    /// The context object, `$$`.
    fn context(&self) -> Value;

    /// The workflow variable `name`, as it was when the state was entered; `None` when nothing assigned it.
    fn variable(&self, name: &str) -> Option<Value>;

    /// The next 64 pseudo-random bits. The machine chooses them so that a replay gets the same ones.
    fn random(&self) -> u64;

    /// How much work an evaluation has been, once it is over, whether it gave a value or not. A unit is what takes some
    /// nanoseconds, as in [`crate::jsonata::Bounds::work`]. The machine adds them up.
    fn worked(&self, _units: u64) {}
}

/// An [`Env`] without context, variables or randomness: for expressions over their input alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEnv;

impl Env for NoEnv {
    fn context(&self) -> Value {
        Value::empty_object()
    }

    fn variable(&self, _name: &str) -> Option<Value> {
        None
    }

    fn random(&self) -> u64 {
        0
    }
}
