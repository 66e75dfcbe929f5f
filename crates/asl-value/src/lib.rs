//! The shared JSON value of the engine.
//!
//! A state machine passes one document from state to state, so the value that carries it is built for sharing:
//! a clone is a reference count, and a write copies only the nodes on its path ([`Value::set_path`]).
//! Key order is kept, integers are exact at any size, and there is one number formatter ([`Number`]'s `Display`),
//! which prints doubles as AWS (Java's `Double.toString`) does.
//!
//! ```
//! use asl_value::{Step, Value};
//!
//! let order: Value = r#"{"id": 7, "lines": [{"qty": 2}]}"#.parse()?;
//! let mut next = order.clone(); // shares everything
//! next.set_path(&[Step::key("total")], Value::from(19.5)).unwrap();
//! assert_eq!(next.to_string(), r#"{"id":7,"lines":[{"qty":2}],"total":19.5}"#);
//! assert_eq!(order["lines"][0]["qty"], Value::from(2));
//! # Ok::<(), asl_value::ParseError>(())
//! ```
#![forbid(unsafe_code)]

mod array;
mod deep;
mod edit;
mod map;
mod memo;
mod number;
mod parse;
mod serde;
mod shortest;
mod value;
mod write;

pub use array::Array;
pub use edit::{SetPathError, Step};
pub use map::{Map, MapIter};
pub use number::Number;
pub use parse::{Build, MAX_DEPTH, ParseError, ParseErrorKind, Span, parse, parse_with};
pub use shortest::shortest;
pub use value::{Key, Kind, Measure, Value};
pub use write::quote_to;
