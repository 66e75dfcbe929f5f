//! Any operation of any AWS service, from its API model: parameters in, result or fault out.
//!
//! - [`model`] is the table: what each operation takes, gives, and is sent as.
//! - [`check`] holds parameters against it before anything is sent.
//! - [`protocol`] makes requests of parameters, and results or [`protocol::Fault`]s of responses.
//! - [`dialect`] names a fault as AWS SDK integrations do.
//!
//! Nothing here knows ASL, executions or histories.
#![forbid(unsafe_code)]

pub mod blob;
mod check;
pub mod dialect;
pub mod model;
pub mod protocol;
pub mod time;
mod uri;

pub use check::{check, unknown};
