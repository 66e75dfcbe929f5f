//! Intrinsic functions: `States.Format('Hello {}', $.name)`.

mod functions;
mod parse;
mod random;

pub(crate) use functions::digest;
pub(crate) use random::JavaRandom;

use crate::budget::{Budget, Exceeded};
use crate::{Env, EvalError, Path, SyntaxError, error};
use asl_value::Value;
use functions::{Function, Problem};
use std::fmt;
use std::sync::Arc;

/// A parsed call of an intrinsic function. Cloning costs a reference count; two are equal when their texts are.
#[derive(Clone)]
pub struct Intrinsic {
    text: Arc<str>,
    call: Arc<Call>,
}

#[derive(Debug)]
struct Call {
    function: Function,
    args: Vec<Arg>,
}

#[derive(Debug)]
enum Arg {
    /// A text in quotes, with its escapes: what they mean depends on the function.
    Quoted(Arc<str>),
    /// A number, `true`, `false` or `null`.
    Literal(Value),
    Path(Path),
    Call(Call),
}

/// Why a call failed; the text of the whole expression is still missing.
enum Failure {
    /// A path argument leads nowhere; and what is there instead.
    Path(String, Option<String>),
    /// The function cannot work with its arguments.
    Arguments(Function, String),
    /// What is wrong with the template of `States.Format`.
    Template(&'static str),
    /// It would take too much.
    Exceeded(Exceeded),
}

impl From<Exceeded> for Failure {
    fn from(exceeded: Exceeded) -> Failure {
        Failure::Exceeded(exceeded)
    }
}

impl Intrinsic {
    /// Parses a call. What is checked here, so that a definition with such a mistake is refused: the grammar, that the
    /// function exists, and how deep calls are nested (10).
    ///
    /// # Errors
    /// Says which of these it was, and where.
    pub fn parse(text: &str) -> Result<Intrinsic, SyntaxError> {
        Ok(Intrinsic { text: text.into(), call: Arc::new(parse::parse(text)?) })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True for a function that can yield a text, as `ErrorPath` and `CausePath` of a Fail need one (ASL spec, "Fail State").
    pub fn can_yield_text(&self) -> bool {
        use Function::{ArrayGetItem, Base64Decode, Base64Encode, Format, Hash, JsonToString, Uuid};
        matches!(self.call.function, Format | JsonToString | ArrayGetItem | Base64Encode | Base64Decode | Hash | Uuid)
    }

    /// Calls the function.
    ///
    /// # Errors
    /// [`error::RUNTIME`] when a path argument leads nowhere, [`error::INTRINSIC_FAILURE`] when there are too few or too
    /// many arguments, or one is of the wrong kind or beyond a limit (ASL spec, "Intrinsic Functions"), [`error::DATA_LIMIT`]
    /// when its values would take more than [`crate::MAX_BYTES`] or it would take more work than [`crate::MAX_WORK`].
    pub fn eval(&self, input: &Value, env: &dyn Env) -> Result<Value, EvalError> {
        Budget::of(env, |budget| self.eval_within(input, env, budget))
    }

    pub(crate) fn eval_within(&self, input: &Value, env: &dyn Env, budget: &Budget) -> Result<Value, EvalError> {
        self.call.eval(input, env, budget).map_err(|failure| {
            let function = format!("The function '{}' had the following error: ", self.text);
            match failure {
                Failure::Exceeded(exceeded) => EvalError {
                    error: error::DATA_LIMIT,
                    cause: format!("{function}It exceeds the limits of one evaluation: {}.", exceeded.why()),
                    hint: None,
                },
                Failure::Template(why) => EvalError {
                    error: error::INTRINSIC_FAILURE,
                    cause: format!("{function}Invalid template in States.Format: {why}"),
                    hint: None,
                },
                Failure::Path(why, hint) => EvalError::runtime(function + &why).hint(hint),
                Failure::Arguments(which, why) => EvalError {
                    error: error::INTRINSIC_FAILURE,
                    cause: format!("{function}Invalid arguments in States.{}: {why}", which.name()),
                    hint: None,
                },
            }
        })
    }

    /// The paths among its arguments, at any depth, in the order of the text.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let mut out = Vec::new();
        self.call.collect_paths(&mut out);
        out.into_iter()
    }
}

impl Call {
    fn eval(&self, input: &Value, env: &dyn Env, budget: &Budget) -> Result<Value, Failure> {
        budget.items(self.args.len())?;
        let mut args = Vec::with_capacity(self.args.len());
        for (i, arg) in self.args.iter().enumerate() {
            args.push(match arg {
                // Only `States.Format` gives a meaning to braces without a backslash.
                Arg::Quoted(text) if i == 0 && self.function == Function::Format => text.into(),
                Arg::Quoted(text) => parse::unescape(text).into(),
                Arg::Literal(value) => value.clone(),
                Arg::Path(path) => argument(path, input, env, budget)?,
                Arg::Call(call) => call.eval(input, env, budget)?,
            });
        }
        functions::apply(self.function, &args, env, budget).map_err(|problem| match problem {
            Problem::Arguments(why) => Failure::Arguments(self.function, why),
            Problem::Template(why) => Failure::Template(why),
            Problem::Exceeded(exceeded) => Failure::Exceeded(exceeded),
        })
    }

    fn collect_paths<'a>(&'a self, out: &mut Vec<&'a Path>) {
        for arg in &self.args {
            match arg {
                Arg::Path(path) => out.push(path),
                Arg::Call(call) => call.collect_paths(out),
                Arg::Quoted(_) | Arg::Literal(_) => {}
            }
        }
    }
}

/// AWS prints the input, also when the path goes into the context object.
fn argument(path: &Path, input: &Value, env: &dyn Env, budget: &Budget) -> Result<Value, Failure> {
    path.eval_within(input, env, budget).map_err(|e| match e.kind {
        crate::PathErrorKind::NotFound => {
            let place = format!("The JsonPath argument for the field '{}'", path.text_in_document());
            Failure::Path(format!("{place} could not be found in the input '{input}'"), path.hint(input, env))
        }
        crate::PathErrorKind::TooLarge => Failure::Exceeded(Exceeded::Bytes),
        _ => Failure::Path(e.message, None),
    })
}

impl fmt::Debug for Intrinsic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Intrinsic").field(&self.text).finish()
    }
}

impl PartialEq for Intrinsic {
    fn eq(&self, other: &Intrinsic) -> bool {
        self.text == other.text
    }
}

impl Eq for Intrinsic {}
