//! Amazon States Language definitions: text to a typed, checked model.
//!
//! ```
//! use asl_syntax::{Options, Source, load, plain_text};
//!
//! let source = Source::new("order.asl.json", r#"{
//!   "StartAt": "Check",
//!   "States": {
//!     "Check": {"Type": "Pass", "Next": "Dnoe"},
//!     "Done": {"Type": "Succeed"}
//!   }
//! }"#);
//! let loaded = load(&source, &Options::default());
//! assert!(loaded.definition.is_none());
//! let told = plain_text(&source, &loaded.diagnostics);
//! assert!(told.starts_with("4:39: error[missing-target]: Missing 'Next' target: Dnoe\n"), "{told}");
//! assert!(told.contains("help: did you mean `Done`?"));
//! ```
//!
//! [`load`] reads everything before it gives up: it returns all errors and warnings ([`Diagnostic`]), each with its place in
//! the original text, AWS's code, text and location, and the finer [`Rule`] that [`explain`] has a page about. The
//! [`Definition`] it returns when there is no error has its names resolved to ids, and its paths and templates parsed.
//!
//! Architecture Invariant: this crate knows nothing about running a definition, and does no I/O.
#![forbid(unsafe_code)]

mod action;
mod check;
mod diagnostic;
mod explain;
mod fields;
mod integrations;
mod json;
mod load;
pub mod model;
mod place;
mod query;
mod references;
mod report;
mod resource;
mod source;
mod tree;
mod yaml;

pub use action::nearest_action;
pub use asl_expr::nearest;
pub use asl_value::Span;
pub use diagnostic::{Code, Diagnostic, Rule, Severity};
pub use explain::explain;
pub use load::{
    Format, Kind, Loaded, MAX_DEFINITION_BYTES, MAX_STATE_DEPTH, More, Options, load, parse, parse_template,
};
pub use model::Definition;
pub use place::state_span;
pub use references::variable_references;
pub use report::{MAX_SHOWN, Validation, create_error_message, plain_text, validate};
pub use resource::{Pattern, Resource, ResourceError, ResourceKind};
pub use source::{MissingBinding, MissingBindings, Origin, Source};
pub use tree::{Data, MAX_TEXT_DEPTH, Member, Node};
