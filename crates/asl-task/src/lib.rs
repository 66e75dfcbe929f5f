//! What a Task can call.
//!
//! [`Backends`] says for each `Resource` what runs it here, and runs it: [`function`]s (ordinary Lambda handlers, URLs and
//! Rust closures) and the [`embedded`] table, topic and queue services, which live in the engine's own database and commit
//! their effect in one transaction with the event that records it. [`aws`] calls AWS itself, for the services that the user
//! has named.
#![forbid(unsafe_code)]

pub mod activity;
pub mod aws;
mod backend;
pub mod bucket;
pub mod embedded;
mod folder;
mod follow;
pub mod function;
pub mod http;
mod integration;
pub mod mock;
mod registry;
mod runner;
pub mod s3;
mod sdk;

pub use backend::{Backends, Missing, Unsupported};
pub use follow::follow;
pub use integration::{Backend, Call, Integration, Mode, Moment, Progress};
pub use runner::{Runner, TaskRunner};
