//! The functions AWS adds, those of the language that ask the world or that the evaluator gets wrong, and the checks of
//! [`super::guard`].

mod checks;
mod extra;
mod text;

use super::{Bounds, JsonataEnv};
use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::JValue;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

type Answer = Result<JValue, EvaluatorError>;

/// What the functions of one evaluation share.
pub(super) struct Shared {
    bounds: Bounds,
    now_ms: i64,
    random: Cell<u64>,
    /// What callbacks and ranges have given so far, in bytes.
    given: Cell<usize>,
    /// Strings that were built, and how many bytes since the dead ones were swept out.
    strings: RefCell<Vec<Weak<str>>>,
    unswept: Cell<usize>,
    /// Sizes that wait for their check: bytes, and how many places they may be multiplied at.
    notes: RefCell<Vec<(usize, usize)>>,
    /// How many calls of `$replace` are under way.
    replacing: Cell<usize>,
}

impl Shared {
    pub(super) fn new(bounds: &Bounds, env: &dyn JsonataEnv, random: u64) -> Rc<Shared> {
        Rc::new(Shared {
            bounds: *bounds,
            now_ms: env.now_ms(),
            random: Cell::new(random),
            given: Cell::new(0),
            strings: RefCell::default(),
            unswept: Cell::new(0),
            notes: RefCell::default(),
            replacing: Cell::default(),
        })
    }

    /// The next 64 random bits (SplitMix64, seeded by the world).
    fn next_random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to but not 1.
    fn next_unit(&self) -> f64 {
        (self.next_random() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn fail<T>(text: impl Into<String>) -> Result<T, EvaluatorError> {
    Err(EvaluatorError::EvaluationError(text.into()))
}

/// Past the bound on memory; [`super::messages`] has AWS's words for the code.
fn too_large<T>() -> Result<T, EvaluatorError> {
    fail("D2015: memory")
}

/// The error of an argument of the wrong type.
fn mismatch<T>(index: usize, function: &str) -> Result<T, EvaluatorError> {
    fail(format!("T0410: Argument {index} of function {function} does not match function signature"))
}

/// Makes the functions known to `evaluator`.
pub(super) fn register(evaluator: &mut Evaluator, shared: &Rc<Shared>) {
    let table = checks::TABLE.iter().chain(extra::TABLE).chain(text::TABLE);
    for &(name, function) in table {
        let shared = Rc::clone(shared);
        // Only compilable built-ins are refused, and the tables have none.
        let _ = evaluator.register_fn_override(name, move |args: &[JValue]| function(&shared, args));
    }
    if !shared.bounds.eval {
        let off = |_: &[JValue]| -> Answer { fail("T1006: Attempted to invoke a non-function") };
        let _ = evaluator.register_fn_override("eval", off);
    }
}

type Table = &'static [(&'static str, fn(&Shared, &[JValue]) -> Answer)];

/// The argument at `index`, undefined when there is none.
fn arg(args: &[JValue], index: usize) -> &JValue {
    static_undefined(args.get(index))
}

fn static_undefined(value: Option<&JValue>) -> &JValue {
    const UNDEFINED: &JValue = &JValue::Undefined;
    value.unwrap_or(UNDEFINED)
}
