//! JSONata, the other query language: `{% $states.input.total * 1.2 %}`.
//!
//! Expressions are parsed once, when a definition is loaded, and shared; evaluation is synchronous and pure. What an
//! expression may ask of the world (`$states`, variables, random bits, the clock) comes in through [`JsonataEnv`], so the
//! same input gives the same answer, also when a journal is replayed. The language is JSONata 2.0.6 with the functions and
//! the bounds AWS adds.
//!
//! ```
//! use asl_expr::jsonata::{Expression, JsonataEnv};
//! use asl_value::Value;
//!
//! struct World(Value);
//! impl JsonataEnv for World {
//!     fn states(&self) -> Value {
//!         self.0.clone()
//!     }
//!     fn variable(&self, _name: &str) -> Option<Value> {
//!         None
//!     }
//!     fn random(&self) -> u64 {
//!         7
//!     }
//!     fn now_ms(&self) -> i64 {
//!         0
//!     }
//! }
//!
//! let world = World(r#"{"input": {"lines": [{"qty": 2}, {"qty": 3}]}}"#.parse()?);
//! let total = Expression::parse("$sum($states.input.lines.qty)")?;
//! assert_eq!(total.eval(&world)?, Some(Value::from(5)));
//! assert_eq!(Expression::parse("$states.input.none")?.eval(&world)?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ancestry;
mod ast;
mod bounds;
mod budget;
mod codes;
mod compile;
mod eval;
mod functions;
mod hint;
mod lexer;
mod lints;
mod messages;
mod parser;
mod pattern;
mod program;
mod references;
mod template;
mod value;

pub use bounds::Bounds;
pub use lints::Mistaken;
pub use references::Reference;
pub use template::{EvaluationError, JsonataTemplate, JsonataTemplateError, JsonataTemplateErrorKind};

use asl_value::Value;
use std::sync::Arc;

/// What an expression may ask of the world.
pub trait JsonataEnv {
    /// The object `$states`: `input` and `context`, and where they are legal `result` and `errorOutput`.
    fn states(&self) -> Value;
    /// One member of `$states`, which may be had without the others.
    fn states_member(&self, name: &str) -> Option<Value> {
        self.states().get(name).cloned()
    }
    /// The value of a workflow variable; `None` where it has not been assigned.
    fn variable(&self, name: &str) -> Option<Value>;
    /// 64 random bits, for `$random()`, `$uuid()` and `$shuffle`.
    fn random(&self) -> u64;
    /// The time in milliseconds since 1970, for `$now()` and `$millis()`; asked once in an evaluation.
    fn now_ms(&self) -> i64;
    /// How much work an evaluation has been, once it is over, whether it gave a value or not; in units of [`Bounds::work`].
    fn worked(&self, _units: u64) {}
}

/// A text that is no JSONata expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct JsonataSyntaxError {
    /// The code of the reference implementation, `S0201`.
    pub code: String,
    /// Its message, without the code.
    pub message: String,
    /// Where in the text, in bytes.
    pub offset: usize,
}

/// An evaluation that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct JsonataError {
    /// What went wrong, as AWS prints it: `T1006: Attempted to invoke a non-function`, or the text of a bound without code.
    pub text: String,
    /// True when `text` begins with a code of JSONata. AWS prints `during evaluation. T1006: …` then, else
    /// `during evaluation: …`.
    pub coded: bool,
    /// True when the result is a function or a regular expression, which is no JSON.
    pub unsupported_result: bool,
}

/// A parsed expression. Cloning costs a reference count.
#[derive(Clone, Debug)]
pub struct Expression(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    text: String,
    program: program::Program,
    references: Vec<Reference>,
}

impl Expression {
    /// Parses the text of an expression, without `{%` and `%}`.
    ///
    /// # Errors
    /// The first mistake, in the words of the reference implementation.
    pub fn parse(text: &str) -> Result<Expression, JsonataSyntaxError> {
        Expression::parse_with(text, false)
    }

    /// As [`Expression::parse`], but nothing is recognised that could be done faster: for the law that it means the same.
    ///
    /// # Errors
    /// As [`Expression::parse`].
    #[doc(hidden)]
    pub fn parse_plain(text: &str) -> Result<Expression, JsonataSyntaxError> {
        Expression::parse_with(text, true)
    }

    fn parse_with(text: &str, plain: bool) -> Result<Expression, JsonataSyntaxError> {
        let (expr, labels) = parser::parse(text).map_err(messages::syntax)?;
        let program = compile::compile_with(&expr, &labels, None, plain);
        let references = references::references(&expr);
        Ok(Expression(Arc::new(Parsed { text: text.to_owned(), program, references })))
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What it reads from outside, each once, in the order of the text.
    pub fn references(&self) -> &[Reference] {
        &self.0.references
    }

    /// What a run would certainly refuse, though it is JSONata: functions that do not exist, wrong numbers of arguments,
    /// strings where numbers must be. In the order of the text, which is parsed again: few want to know.
    pub fn mistaken(&self) -> Vec<Mistaken> {
        let parsed = parser::parse(self.text());
        parsed.map(|(expr, _)| lints::lint(&expr, self.text())).unwrap_or_default()
    }

    /// Its value; `None` when there is none (`undefined`).
    ///
    /// # Errors
    /// What the expression raises, a bound it ran into, or a result that is no JSON.
    pub fn eval(&self, env: &dyn JsonataEnv) -> Result<Option<Value>, JsonataError> {
        self.eval_on(None, env, &Bounds::AWS)
    }

    /// As [`Expression::eval`], with `input` as the context item `$` that states do not have, and other bounds.
    ///
    /// # Errors
    /// As [`Expression::eval`].
    pub fn eval_on(
        &self,
        input: Option<&Value>,
        env: &dyn JsonataEnv,
        bounds: &Bounds,
    ) -> Result<Option<Value>, JsonataError> {
        self.eval_measured(input, env, bounds).0
    }

    /// As [`Expression::eval_on`], with how many units of work were done, also when it failed.
    pub fn eval_measured(
        &self,
        input: Option<&Value>,
        env: &dyn JsonataEnv,
        bounds: &Bounds,
    ) -> (Result<Option<Value>, JsonataError>, usize) {
        let (found, work) = eval::evaluate(&self.0.program, input, env, bounds);
        env.worked(work as u64);
        (found.map_err(|fail| fail.told(bounds.depth)), work)
    }
}
