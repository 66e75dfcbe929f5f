//! What a Task can call.
//!
//! [`Backends`] says for each `Resource` what runs it here, and runs it: [`function`]s (ordinary Lambda handlers, URLs and
//! Rust closures) and the [`embedded`] table, topic and queue services, which live in the engine's own database and commit
//! their effect in one transaction with the event that records it.
#![forbid(unsafe_code)]

mod backend;
pub mod bucket;
pub mod embedded;
mod folder;
pub mod function;
pub mod mock;
mod sdk;

pub use backend::{Backend, Backends, Missing, Unsupported};
