//! The expressions of Amazon States Language in its JSONPath mode: paths, intrinsic functions, payload templates, and the
//! timestamps and patterns that Choice and Wait compare.
//!
//! All of it is pure. What an expression may ask of the world (the context object, variables, random bits) comes in through
//! [`Env`], so the same input gives the same answer, also when a journal is replayed. Texts are parsed once, when a
//! definition is loaded, into values that are cheap to clone; evaluation shares the documents it reads.
//!
//! ```
//! use asl_expr::{Env, Path, Template};
//! use asl_value::Value;
//!
//! struct World(Value);
//! impl Env for World {
//!     fn context(&self) -> Value {
//!         self.0.clone()
//!     }
//!     fn variable(&self, name: &str) -> Option<Value> {
//!         (name == "rate").then(|| Value::from(0.25))
//!     }
//!     fn random(&self) -> u64 {
//!         7
//!     }
//! }
//!
//! let world = World(r#"{"Execution": {"Name": "run-1"}}"#.parse()?);
//! let input: Value = r#"{"order": {"lines": [{"sku": "a", "qty": 2}, {"sku": "b", "qty": 0}]}}"#.parse()?;
//!
//! // A path. One that can match many places gives the array of all matches.
//! let sold = Path::parse("$.order.lines[?(@.qty > 0)].sku")?;
//! assert_eq!(sold.eval(&input, &world)?.to_string(), r#"["a"]"#);
//!
//! // A missing place is an error, in the words of AWS.
//! let missing = Path::parse("$.order.total")?.eval(&input, &world).unwrap_err();
//! assert_eq!(missing.message, "No results for path: $['order']['total']");
//!
//! // A payload template, as in `Parameters`.
//! let parameters: Value = r#"{
//!     "queue": "orders",
//!     "first.$": "$.order.lines[0].sku",
//!     "tax": {"rate.$": "$rate"},
//!     "note.$": "States.Format('{} of {}', States.ArrayLength($.order.lines), $$.Execution.Name)"
//! }"#
//! .parse()?;
//! let template = Template::parse(&parameters).map_err(|mistakes| mistakes[0].clone())?;
//! assert_eq!(
//!     template.eval(&input, &world)?.to_string(),
//!     r#"{"queue":"orders","first":"a","tax":{"rate":0.25},"note":"2 of run-1"}"#
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub(crate) mod budget;
mod env;
pub mod error;
mod intrinsic;
pub mod jsonata;
mod matches;
mod near;
mod path;
mod template;
mod timestamp;

pub use budget::{MAX_BYTES, MAX_WORK};
pub use env::{Env, NoEnv};
pub use error::{EvalError, SyntaxError};
pub use intrinsic::Intrinsic;
pub use matches::{PatternError, string_matches};
pub use near::nearest;
pub use path::{Path, PathError, PathErrorKind, PathSyntaxError, Root};
pub use template::{Expr, Template, TemplateError, TemplateStep};
pub use timestamp::{Timestamp, TimestampError};
