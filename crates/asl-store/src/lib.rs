//! The contract of a durable store: what is kept of an execution, and what the embedded services keep beside it.
//!
//! This crate knows no database. A store implements it and passes the suite `conformance` (feature `testing`); the engine and the
//! services lean on nothing else.
//!
//! - [`contract`]: the whole contract, as traits;
//! - [`record`], [`worker`], [`signal`], [`history`], [`catalogue`]: what goes through it;
//! - [`error`]: what can go wrong, in words that hold for every database;
//! - [`service`]: items, messages and a few small records, seen from inside an open transaction;
//! - [`liveness`]: how an observer finds that a worker is silent for too long;
//! - [`quarantine`]: who is to blame when a worker dies, and when what was set aside is tried again;
//! - [`memory`]: the rows of the services in memory, for tests and for programs that keep nothing.
#![forbid(unsafe_code)]

pub mod catalogue;
#[cfg(feature = "testing")]
pub mod conformance;
pub mod contract;
pub mod error;
pub mod history;
pub mod liveness;
pub mod memory;
pub mod quarantine;
pub mod record;
pub mod service;
pub mod signal;
pub mod worker;

pub use catalogue::{ActivityRow, After, AliasRow, Catalogue, MapRunRow, StateMachineRow, VersionRow};
pub use contract::{Changes, Done, Registered, Registration, Store, Undo, Work, Worker};
pub use error::{ErrorKind, StoreError};
pub use history::{Description, FeedEntry, KeptHistory, Page, Position, RecordReader, Recorded, Records};
pub use liveness::Liveness;
pub use memory::{MemoryStore, MemoryTx};
pub use record::{
    Append, Definition, ExecutionId, ExecutionRow, Filter, NewExecution, Record, StartedAs, Status, UnknownStatus,
    Which, WorkerId,
};
pub use service::{AT_ONCE, Dedup, ItemKey, ItemRange, Message, QueueState, ServiceTx};
pub use signal::{Signal, SignalId, Verdict};
pub use worker::{Claim, Claimed, Except, NewWorker, WorkerRow};
