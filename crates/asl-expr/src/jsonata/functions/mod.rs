//! The functions of the language as the reference implementation has them, and those AWS adds.

mod calendar;
pub(super) mod collection;
mod encoding;
mod extra;
mod higher;
mod integer;
pub(super) mod number;
mod picture;
pub(super) mod regex;
pub(super) mod signature;
pub(super) mod string;
mod time;

use super::eval::{Closure, Run, Transformer};
use super::messages::{self, Fail};
use super::pattern::Pattern;
use super::program::Comparison;
use super::value::Val;
use signature::Signature;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

type Answer = Result<Val, Fail>;

/// A function, as a value.
pub(super) enum Function {
    Builtin(&'static Builtin),
    Lambda(Closure),
    /// Arguments that are given, and places for those that are not.
    Partial {
        of: Val,
        args: Vec<Option<Val>>,
    },
    /// The second, of what the first gives.
    Chain(Val, Val),
    /// One that was handed over: it knows no context.
    Wrapped(Val),
    Regex(Arc<Pattern>),
    /// What gives the next match.
    Next(regex::Next),
    Transform(Transformer),
}

impl From<Function> for Val {
    fn from(function: Function) -> Val {
        Val::Function(Rc::new(function))
    }
}

impl Function {
    /// One and the same.
    pub(super) fn same(a: &Rc<Function>, b: &Rc<Function>) -> bool {
        match (&**a, &**b) {
            (Function::Builtin(a), Function::Builtin(b)) => std::ptr::eq(*a, *b),
            _ => Rc::ptr_eq(a, b),
        }
    }

    /// How many arguments a function takes.
    pub(super) fn arity(function: &Val) -> usize {
        let Val::Function(function) = function else { return 0 };
        match &**function {
            Function::Builtin(builtin) => builtin.arity,
            Function::Lambda(closure) => closure.lambda.params,
            Function::Partial { args, .. } => args.iter().filter(|arg| arg.is_none()).count(),
            Function::Wrapped(inner) => Function::arity(inner),
            Function::Regex(_) => 2,
            Function::Next(_) => 0,
            Function::Chain(..) | Function::Transform(_) => 1,
        }
    }

    /// The comparison that it may be.
    fn comparison(function: &Val) -> Option<&Comparison> {
        let Val::Function(function) = function else { return None };
        match &**function {
            Function::Lambda(closure) => closure.lambda.comparison.as_ref(),
            Function::Wrapped(inner) => Function::comparison(inner),
            _ => None,
        }
    }

    /// How deep what it keeps nests.
    pub(super) fn depth(&self) -> usize {
        let deepest = |frame: &super::eval::Env| frame.as_ref().map_or(0, |frame| frame.depth());
        1 + match self {
            Function::Builtin(_) | Function::Regex(_) | Function::Next(_) => 0,
            Function::Lambda(closure) => deepest(&closure.frame).max(closure.input.depth()),
            Function::Partial { of, args } => of.depth().max(args.iter().flatten().map(Val::depth).max().unwrap_or(0)),
            Function::Chain(first, second) => first.depth().max(second.depth()),
            Function::Wrapped(inner) => inner.depth(),
            Function::Transform(transformer) => deepest(&transformer.frame),
        }
    }
}

/// A function of the language.
pub(super) struct Builtin {
    pub(super) name: &'static str,
    /// What it takes; empty when it looks at its arguments itself.
    signature: &'static str,
    /// How many arguments a higher-order function hands it.
    arity: usize,
    run: fn(&Call, &[Val]) -> Answer,
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The call of a function.
struct Call<'r, 'e> {
    run: &'r Run<'e>,
    /// What `$` is where it is called.
    context: &'r Val,
}

const fn builtin(
    name: &'static str,
    signature: &'static str,
    arity: usize,
    run: fn(&Call, &[Val]) -> Answer,
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
    builtin("each", "<o-f:a>", 2, higher::each),
    builtin("encodeUrl", "<s-:s>", 1, encoding::encode_url),
    builtin("encodeUrlComponent", "<s-:s>", 1, encoding::encode_url_component),
    builtin("error", "<s?:x>", 1, collection::error),
    builtin("eval", "<sx?:x>", 2, higher::eval),
    builtin("exists", "<x:b>", 1, collection::exists),
    builtin("filter", "<af>", 2, higher::filter),
    builtin("floor", "<n-:n>", 1, number::floor),
    builtin("formatBase", "<n-n?:s>", 2, number::format_base),
    builtin("formatInteger", "<n-s:s>", 2, integer::format_integer),
    builtin("formatNumber", "<n-so?:s>", 3, picture::format_number),
    builtin("fromMillis", "<n-s?s?:s>", 3, time::from_millis),
    builtin("hash", "", 2, extra::hash),
    builtin("join", "<a<s>s?:s>", 2, string::join),
    builtin("keys", "<x-:a<s>>", 1, collection::keys),
    builtin("length", "<s-:n>", 1, string::length),
    builtin("lookup", "<x-s:x>", 2, collection::lookup),
    builtin("lowercase", "<s-:s>", 1, string::lowercase),
    builtin("map", "<af>", 2, higher::map),
    builtin("match", "<s-f<s:o>n?:a<o>>", 3, regex::find),
    builtin("max", "<a<n>:n>", 1, number::max),
    builtin("merge", "<a<o>:o>", 1, collection::merge),
    builtin("millis", "<:n>", 0, time::millis),
    builtin("min", "<a<n>:n>", 1, number::min),
    builtin("not", "<x-:b>", 1, collection::not),
    builtin("now", "<s?s?:s>", 2, time::now),
    builtin("number", "<(nsb)-:n>", 1, number::number),
    builtin("pad", "<s-ns?:s>", 3, string::pad),
    builtin("parse", "", 1, collection::parse),
    builtin("parseInteger", "<s-s:n>", 2, integer::parse_integer),
    builtin("partition", "", 2, extra::partition),
    builtin("power", "<n-n:n>", 2, number::power),
    builtin("random", "", 1, extra::random),
    builtin("range", "", 3, extra::range),
    builtin("reduce", "<afj?:j>", 3, higher::reduce),
    builtin("replace", "<s-(sf)(sf)n?:s>", 4, regex::replace),
    builtin("reverse", "<a:a>", 1, collection::reverse),
    builtin("round", "<n-n?:n>", 2, number::round),
    builtin("shuffle", "<a:a>", 1, extra::shuffle),
    builtin("sift", "<o-f?:o>", 2, higher::sift),
    builtin("single", "<af?>", 2, higher::single),
    builtin("sort", "<af?:a>", 2, higher::sort),
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
    builtin("zip", "<a+>", 0, collection::zip),
];

/// Their signatures, read; in the same order.
static SIGNATURES: LazyLock<Vec<Option<Signature>>> = LazyLock::new(|| {
    let read = |builtin: &Builtin| Signature::parse(builtin.signature).ok().filter(|_| !builtin.signature.is_empty());
    BUILTINS.iter().map(read).collect()
});

/// The function `name`.
pub(super) fn find(name: &str) -> Option<&'static Builtin> {
    let index = BUILTINS.binary_search_by_key(&name, |builtin| builtin.name).ok()?;
    Some(&BUILTINS[index])
}

/// The function that `name` is most likely a misspelling of.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    crate::nearest(name, BUILTINS.iter().map(|builtin| builtin.name))
}

/// Names that stand for functions unless something binds them.
pub(super) fn is_function(name: &str) -> bool {
    find(name).is_some()
}

impl Builtin {
    /// What it takes; `None` when it looks at its arguments itself.
    pub(super) fn signature(&self) -> Option<&'static Signature> {
        let index = BUILTINS.binary_search_by_key(&self.name, |builtin| builtin.name).ok()?;
        SIGNATURES[index].as_ref()
    }

    /// Runs it on the arguments of a call, with `context` for one that is left out.
    ///
    /// # Errors
    /// What does not fit its signature, and what it raises.
    pub(super) fn call(&self, run: &Run<'_>, args: Vec<Val>, context: &Val) -> Answer {
        run.spend(CALL_WORK)?;
        let args = match self.signature() {
            Some(signature) => signature.validate(args, context, &run.budget)?,
            None => args,
        };
        (self.run)(&Call { run, context }, &args)
    }
}

fn fail<T>(text: impl Into<Box<str>>) -> Result<T, Fail> {
    Err(Fail::Other(text.into()))
}

/// Past the bound on memory.
fn too_large<T>() -> Result<T, Fail> {
    Err(Fail::Memory)
}

/// The error `code`, with the parts its message names, as JSON texts.
fn coded<T>(code: &'static str, parts: &[(&str, String)]) -> Result<T, Fail> {
    messages::coded(code).parts(parts).raise()
}

/// The error of an infinite number where JSON is wanted.
fn out_of_range<T>(n: f64) -> Result<T, Fail> {
    coded("D1001", &[("value", number::json(n))])
}

/// The error of an argument of the wrong type.
fn mismatch<T>(index: usize) -> Result<T, Fail> {
    coded("T0410", &[("index", index.to_string())])
}

/// What a call costs, whatever it does.
const CALL_WORK: usize = 10;

/// What reading a picture of so many bytes costs: some of it takes time by the square.
fn picture_work(bytes: usize) -> usize {
    20 + bytes.saturating_mul(8).saturating_add(bytes.saturating_mul(bytes) / 16)
}

/// The argument at `index`, undefined when there is none.
fn arg(args: &[Val], index: usize) -> &Val {
    const UNDEFINED: &Val = &Val::Undefined;
    args.get(index).unwrap_or(UNDEFINED)
}

#[cfg(test)]
mod tests {
    #[test]
    fn functions_are_sorted() {
        assert!(super::BUILTINS.is_sorted_by_key(|builtin| builtin.name));
    }
}
