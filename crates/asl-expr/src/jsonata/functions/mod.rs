//! The functions of the language as the reference implementation has them, those AWS adds, and the checks of
//! [`super::guard`]. What takes a function and calls it stays with the evaluator.

mod calendar;
mod checks;
mod collection;
mod encoding;
mod extra;
mod integer;
pub(super) mod number;
mod regex;
mod signature;
pub(super) mod string;
mod time;

use super::guard::Host;
use super::paths::Walk;
use super::{Bounds, JsonataEnv, messages};
use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::JValue;
use signature::Mismatch;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

type Answer = Result<JValue, EvaluatorError>;

/// A function of the language.
pub(super) struct Builtin {
    name: &'static str,
    /// What it takes; empty when it looks at its arguments itself.
    signature: &'static str,
    /// How many arguments a higher-order function hands it.
    arity: usize,
    run: fn(&Call, &[JValue]) -> Answer,
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The call of a function.
struct Call<'a> {
    shared: &'a Shared,
    /// The name that messages give it.
    token: &'a str,
}

const fn builtin(
    name: &'static str,
    signature: &'static str,
    arity: usize,
    run: fn(&Call, &[JValue]) -> Answer,
) -> Builtin {
    Builtin { name, signature, arity, run }
}

static BUILTINS: &[Builtin] = &[
    builtin("abs", "<n-:n>", 1, number::abs),
    builtin("append", "<xx:a>", 2, collection::append),
    builtin("assert", "<bs?:x>", 2, collection::assert),
    builtin("average", "<a<n>:n>", 1, number::average),
    builtin("base64decode", "<s-:s>", 1, encoding::base64decode),
    builtin("base64encode", "<s-:s>", 1, encoding::base64encode),
    builtin("boolean", "<x-:b>", 1, collection::boolean),
    builtin("ceil", "<n-:n>", 1, number::ceil),
    builtin("clone", "<(oa)-:o>", 1, collection::clone),
    builtin("contains", "<s-(sf):b>", 2, regex::contains),
    builtin("count", "<a:n>", 1, collection::count),
    builtin("decodeUrl", "<s-:s>", 1, encoding::decode_url),
    builtin("decodeUrlComponent", "<s-:s>", 1, encoding::decode_url_component),
    builtin("distinct", "<x:x>", 1, collection::distinct),
    builtin("encodeUrl", "<s-:s>", 1, encoding::encode_url),
    builtin("encodeUrlComponent", "<s-:s>", 1, encoding::encode_url_component),
    builtin("error", "<s?:x>", 1, collection::error),
    builtin("exists", "<x:b>", 1, collection::exists),
    builtin("floor", "<n-:n>", 1, number::floor),
    builtin("formatBase", "<n-n?:s>", 2, number::format_base),
    builtin("formatInteger", "<n-s:s>", 2, integer::format_integer),
    builtin("formatNumber", "<n-so?:s>", 3, number::format_number),
    builtin("fromMillis", "<n-s?s?:s>", 3, time::from_millis),
    builtin("hash", "", 2, extra::hash),
    builtin("join", "<a<s>s?:s>", 2, string::join),
    builtin("keys", "<x-:a<s>>", 1, collection::keys),
    builtin("length", "<s-:n>", 1, string::length),
    builtin("lookup", "<x-s:x>", 2, collection::lookup),
    builtin("lowercase", "<s-:s>", 1, string::lowercase),
    builtin("match", "<s-f<s:o>n?:a<o>>", 3, regex::find),
    builtin("max", "<a<n>:n>", 1, number::max),
    builtin("merge", "<a<o>:o>", 1, collection::merge),
    builtin("millis", "<:n>", 0, time::millis),
    builtin("min", "<a<n>:n>", 1, number::min),
    builtin("not", "<x-:b>", 1, collection::not),
    builtin("now", "<s?s?:s>", 2, time::now),
    builtin("number", "<(nsb)-:n>", 1, number::number),
    builtin("pad", "<s-ns?:s>", 3, string::pad),
    builtin("parse", "", 1, extra::parse),
    builtin("parseInteger", "<s-s:n>", 2, integer::parse_integer),
    builtin("partition", "", 2, extra::partition),
    builtin("power", "<n-n:n>", 2, number::power),
    builtin("random", "", 1, extra::random),
    builtin("range", "", 3, extra::range),
    builtin("replace", "<s-(sf)(sf)n?:s>", 4, regex::replace),
    builtin("reverse", "<a:a>", 1, collection::reverse),
    builtin("round", "<n-n?:n>", 2, number::round),
    builtin("shuffle", "<a:a>", 1, extra::shuffle),
    builtin("sort", "<af?:a>", 2, collection::sort),
    builtin("split", "<s-(sf)n?:a<s>>", 3, regex::split),
    builtin("spread", "<x-:a<o>>", 1, collection::spread),
    builtin("sqrt", "<n-:n>", 1, number::sqrt),
    builtin("string", "<x-b?:s>", 1, string::string),
    builtin("substring", "<s-nn?:s>", 3, string::substring),
    builtin("substringAfter", "<s-s:s>", 2, string::substring_after),
    builtin("substringBefore", "<s-s:s>", 2, string::substring_before),
    builtin("sum", "<a<n>:n>", 1, number::sum),
    builtin("toMillis", "<s-s?:n>", 2, time::to_millis),
    builtin("trim", "<s-:s>", 1, string::trim),
    builtin("type", "<x:s>", 1, collection::type_of),
    builtin("uppercase", "<s-:s>", 1, string::uppercase),
    builtin("uuid", "", 0, extra::uuid),
    builtin("zip", "<a+>", 1, collection::zip),
];

/// The functions that call others; the evaluator has them.
pub(super) const HIGHER_ORDER: [&str; 8] = ["each", "eval", "filter", "map", "reduce", "sift", "single", "sort"];

/// The function `name`, when it calls no other.
pub(super) fn find(name: &str) -> Option<&'static Builtin> {
    let index = BUILTINS.binary_search_by_key(&name, |builtin| builtin.name).ok()?;
    Some(&BUILTINS[index])
}

/// Every function that calls no other.
pub(super) fn all() -> impl Iterator<Item = &'static Builtin> {
    BUILTINS.iter()
}

impl Builtin {
    /// Its name, without the `$`.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }
}

/// What the functions of one evaluation share.
pub(super) struct Shared {
    bounds: Bounds,
    now_ms: i64,
    random: Cell<u64>,
    /// What is left of the work it may do.
    work: Cell<usize>,
    /// What callbacks and ranges have given so far, in bytes.
    given: Cell<usize>,
    /// The room they take, in bytes.
    held: Cell<usize>,
    /// Strings that were built, and how many bytes since the dead ones were swept out.
    strings: RefCell<Vec<Weak<str>>>,
    unswept: Cell<usize>,
    /// How many calls of `$replace` with a function are under way: what it builds is counted until then.
    replacing: Cell<usize>,
    /// Compiled regular expressions by flags and pattern.
    regexes: RefCell<HashMap<String, Rc<::regex::Regex>, std::hash::BuildHasherDefault<std::hash::DefaultHasher>>>,
}

impl Shared {
    pub(super) fn new(bounds: &Bounds, env: &dyn JsonataEnv, random: bool) -> Rc<Shared> {
        Rc::new(Shared {
            bounds: *bounds,
            now_ms: env.now_ms(),
            random: Cell::new(if random { env.random() } else { 0 }),
            work: Cell::new(bounds.work),
            given: Cell::new(0),
            held: Cell::new(0),
            strings: RefCell::default(),
            unswept: Cell::new(0),
            replacing: Cell::new(0),
            regexes: RefCell::default(),
        })
    }

    /// Pays for work.
    ///
    /// # Errors
    /// The bound on work.
    fn spend(&self, work: usize) -> Result<(), EvaluatorError> {
        match self.work.get().checked_sub(work) {
            Some(left) => {
                self.work.set(left);
                Ok(())
            }
            None => {
                self.work.set(0);
                fail("D1012: work")
            }
        }
    }

    /// Refuses values of more than the bound in bytes.
    fn room(&self, bytes: usize) -> Result<(), EvaluatorError> {
        if bytes > self.bounds.memory { too_large() } else { Ok(()) }
    }

    /// Refuses arrays of more than the bound in items.
    fn length(&self, items: usize) -> Result<(), EvaluatorError> {
        if items > self.bounds.items { too_large() } else { Ok(()) }
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

/// The error `code`, with the parts its message names, as JSON texts.
fn coded<T>(code: &str, parts: &[(&str, String)]) -> Result<T, EvaluatorError> {
    fail(messages::told(code, parts))
}

/// The error of an infinite number where JSON is wanted.
fn out_of_range<T>(n: f64) -> Result<T, EvaluatorError> {
    coded("D1001", &[("value", number::json(n))])
}

/// The error of an argument of the wrong type.
fn mismatch<T>(call: &Call, index: usize) -> Result<T, EvaluatorError> {
    coded("T0410", &[("index", index.to_string()), ("token", call.token.to_owned())])
}

/// Runs a function on the arguments of a call. With `direct`, the last of them is the context.
fn run(shared: &Shared, builtin: &Builtin, token: &str, direct: bool, args: &[JValue]) -> Answer {
    let call = Call { shared, token };
    // Arrays that are handed over have been put together before.
    let items: usize = args.iter().map(|arg| arg.as_array().map_or(0, Vec::len)).sum();
    shared.spend(CALL_WORK + items / 2)?;
    let (args, context) = match args.split_last() {
        Some((context, args)) if direct => (args, context),
        _ => (&args[..args.len().min(builtin.arity.max(1))], &JValue::Null),
    };
    if builtin.signature.is_empty() {
        return (builtin.run)(&call, args);
    }
    match signature::validate(builtin.signature, args, context) {
        Ok(args) => (builtin.run)(&call, &args),
        Err(Mismatch::Argument(index)) => mismatch(&call, index),
        Err(Mismatch::Context(index)) => {
            coded("T0411", &[("index", index.to_string()), ("token", call.token.to_owned())])
        }
        Err(Mismatch::Items(index, kind)) => {
            coded("T0412", &[("index", index.to_string()), ("token", call.token.to_owned()), ("type", kind.to_owned())])
        }
    }
}

/// What a call costs, whatever it does.
const CALL_WORK: usize = 20;

/// Makes the functions an expression names known to `evaluator`.
pub(super) fn register(evaluator: &mut Evaluator, shared: &Rc<Shared>, hosts: &Arc<[(String, Host)]>) {
    for (index, (name, _)) in hosts.iter().enumerate() {
        let (shared, hosts) = (Rc::clone(shared), Arc::clone(hosts));
        let function = move |args: &[JValue]| match &hosts[index].1 {
            Host::Builtin { builtin, token, direct } => run(&shared, builtin, token, *direct, args),
            Host::Check(check) => checks::check(&shared, *check, args),
            Host::Tick(walks, work) => checks::tick(&shared, walks, *work, args),
        };
        // Only compilable built-ins are refused, and these names are none.
        let _ = evaluator.register_fn_override(name.as_str(), function);
    }
    if !shared.bounds.eval {
        let off = |_: &[JValue]| -> Answer { coded("T1006", &[]) };
        let _ = evaluator.register_fn_override("eval", off);
    }
}

/// The argument at `index`, undefined when there is none.
fn arg(args: &[JValue], index: usize) -> &JValue {
    const UNDEFINED: &JValue = &JValue::Undefined;
    args.get(index).unwrap_or(UNDEFINED)
}

#[cfg(test)]
mod tests {
    #[test]
    fn functions_are_sorted() {
        assert!(super::BUILTINS.is_sorted_by_key(|builtin| builtin.name));
    }
}
