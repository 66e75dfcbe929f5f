//! What a Task can call.
//!
//! [`embedded`] holds the table, topic and queue services that live in the engine's own database and commit their effect in
//! one transaction with the event that records it.
#![forbid(unsafe_code)]

pub mod embedded;
