//! The durable history of executions, and the rows of the embedded services, in one database.
//!
//! What a run of an execution took in and what came of it is one [`Record`]. The driver writes it first
//! ([`JournalWorker::create`], [`JournalWorker::append`]) and acts when the call returns, for then it is on disk. A task of an
//! embedded service writes its effect in the same transaction as the record of it ([`JournalWorker::transact`]).
//!
//! - One writer takes whatever is queued into one transaction: many executions share a commit, a lone one does not wait.
//! - Several processes may write: each as a worker that owns its executions and is fenced when it has lost them
//!   ([`Journal::register`]). For executions of others there is an inbox ([`Journal::leave`]).
//! - Readers have connections of their own and never wait for the writer.
//! - The file is readable with any SQL client: the view `history` has one row an event, `execution` one an execution,
//!   `item` and `message` are the tables and queues.
//!
//! ```
//! use asl_journal::{Filter, Journal, JournalError, NewWorker};
//! # use asl_core::{Event, EventKind, Execution, ExecutionType, Input};
//! # use asl_journal::{Definition, NewExecution, Record};
//! # use asl_expr::Timestamp;
//! # use std::sync::Arc;
//! # fn first_run() -> NewExecution {
//! #     let execution = Execution {
//! #         arn: "arn:aws:states:us-east-1:123456789012:execution:fare:one".into(), name: "one".into(),
//! #         state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:fare".into(),
//! #         state_machine_name: "fare".into(), role_arn: "".into(), region: "us-east-1".into(),
//! #         execution_type: ExecutionType::Standard, seed: 1, token_key: None, input_text: "{}".into(), input: "{}".parse().unwrap(),
//! #     };
//! #     let (now, input) = (Timestamp::from_millis(0), execution.input_text.clone());
//! #     let kind = EventKind::ExecutionStarted { input, role_arn: "".into() };
//! #     let inputs = vec![Input::Start(Box::new(execution.clone()))];
//! #     let record = Record { now, inputs, steps: 1, events: vec![Event { id: 1, previous: 0, timestamp: now, kind }] };
//! #     let definition = Definition { hash: "h".into(), name: "fare".into(), text: "{}".into() };
//! #     NewExecution { definition: Arc::new(definition), execution: Arc::new(execution), record, outcome: None, started_as: None }
//! # }
//! # fn next_run() -> Record {
//! #     Record { now: Timestamp::from_millis(5), inputs: vec![], steps: 1, events: vec![] }
//! # }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let journal = Journal::in_memory().await?;
//! # let new = NewWorker { what: "doc".into(), process: 1, lock: None, beat: 1, lease_ms: 30_000, gone: vec![] };
//! let worker = journal.as_worker(journal.register(new).await?); // only a worker writes histories
//! let id = worker.create(first_run()).await?; // it is written: now commands may go out
//! worker.append(id, next_run(), None).await?;
//! assert_eq!(journal.records(id).await?.len(), 2);
//! assert_eq!(journal.executions(&Filter::default()).await?[0].name, "one");
//! journal.close().await;
//! # Ok::<(), JournalError>(())
//! # }).unwrap();
//! ```
//!
//! Architecture invariants: nobody is answered before the commit; a row is never changed once it is in `journal`; this
//! crate knows nothing about how a machine works, only that records continue each other.
//!
//! # Where what stands
//! - `encoding/`: a record as a row, the same in every database: the text, its numbering and checksum, who may encode.
//! - `sqlite/`: the contract on one file. Written by rusqlite on a thread of its own, read by sqlx from any task.
//! - [`quarantine`]: who ended the process; [`Kept`]: a history as text.
#![forbid(unsafe_code)]

mod database;
mod encoding;
mod kept;
mod moving;
#[cfg(feature = "postgres")]
mod postgres;
pub mod quarantine;
mod sqlite;

pub use asl_store::StoreError as JournalError;
pub use asl_store::{
    Append, Claim, Claimed, Definition, Except, ExecutionId, ExecutionRow, Filter, Liveness, NewExecution, NewWorker,
    Record, Recorded, Records, Signal, SignalId, Status, UnknownStatus, Verdict, Which, WorkerId, WorkerRow,
};
pub use database::{Database, is_url, open, shown};
pub use kept::{Kept, KeptError};
pub use moving::Moved;
#[cfg(feature = "postgres")]
pub use postgres::{PgStore, PgWorker};
pub use sqlite::locks::{Lock, LockState};
pub use sqlite::maintain::Purge;
pub use sqlite::open::{Durability, Options};
pub use sqlite::watch::Watcher;
pub use sqlite::{Journal, JournalWorker};
/// The sqlx whose transactions a store on PostgreSQL takes a start into.
#[cfg(feature = "postgres")]
pub use sqlx;
