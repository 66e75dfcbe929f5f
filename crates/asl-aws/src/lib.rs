//! Any operation of any AWS service, from its API model: parameters in, result or fault out.
//!
//! - [`model`] is the table: what each operation takes, gives, and is sent as.
//! - [`check`] holds parameters against it before anything is sent.
//! - [`protocol`] makes requests of parameters, and results or [`protocol::Fault`]s of responses.
//! - [`sign`] signs, [`credentials`] finds what to sign with, [`endpoint`] where a request goes.
//! - [`Client`] does all of that for one call; [`system`] is what it needs of the world.
//! - [`dialect`] names a fault as AWS SDK integrations do.
//!
//! Nothing here knows ASL, executions or histories.
#![forbid(unsafe_code)]

mod api;
pub mod blob;
mod check;
mod client;
pub mod credentials;
mod custom;
pub mod dialect;
pub mod endpoint;
pub mod model;
pub mod protocol;
mod retry;
mod secret;
pub mod sign;
pub mod system;
pub mod time;
mod uri;

pub use api::ApiRequest;
pub use check::{check, unknown};
pub use client::{Answer, CallError, Client, Settings};
pub use credentials::Role;
pub use secret::Secret;
