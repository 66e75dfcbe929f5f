//! The contract of a durable store: what is kept of an execution, and what the embedded services keep beside it.
//!
//! This crate knows no database. A store implements it and passes the suite `conformance` (feature `testing`); the engine and the
//! services lean on nothing else.
//!
//! - [`record`]: executions, their records, and what lists show of them;
//! - [`service`]: items, messages and a few small records, seen from inside an open transaction;
//! - [`memory`]: those rows in memory, for tests and for programs that keep nothing.
#![forbid(unsafe_code)]

#[cfg(feature = "testing")]
pub mod conformance;
pub mod memory;
pub mod record;
pub mod service;

pub use memory::{MemoryStore, MemoryTx};
pub use record::{
    Append, Definition, ExecutionId, ExecutionRow, Filter, NewExecution, Record, Status, UnknownStatus, Which, WorkerId,
};
pub use service::{Dedup, ItemKey, ItemRange, Message, QueueState, ServiceTx, StoreError};
