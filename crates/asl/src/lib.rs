//! Runs Amazon States Language (ASL) state machines inside your service: durably, with AWS's histories.
//!
//! Build an [`Engine`] over a [`Journal`], give it functions, start executions of a [`StateMachine`], wait for them, stop
//! them, read their histories. When [`Engine::start`] returns, the execution is on disk; after a crash
//! [`Engine::resume`] continues it.
//!
//! ```
//! use asl::{Engine, Failure, Journal, Outcome, StateMachine, Value};
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! let machine = StateMachine::from_json("greeting", r#"{
//!     "StartAt": "Greet",
//!     "States": {"Greet": {"Type": "Task", "End": true,
//!                "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Greet"}}
//! }"#)?;
//! let engine = Engine::builder(Journal::in_memory().await?)
//!     .function("Greet", |event: Value| async move {
//!         let name = event["name"].as_str().ok_or_else(|| Failure::new("NoName", "the event has no name"))?;
//!         Ok(Value::from(format!("Hello, {name}!")))
//!     })
//!     .build();
//!
//! let started = engine.start(machine.execution(r#"{"name": "Ann"}"#)).await?;
//! assert_eq!(engine.wait(&started.arn).await?, Outcome::Succeeded(Value::from("Hello, Ann!")));
//! let types: Vec<String> = engine.history(&started.arn).await?.iter().map(|e| e.type_name()).collect();
//! assert_eq!(types[..2], ["ExecutionStarted", "TaskStateEntered"]);
//!
//! let nameless = engine.start(machine.execution("{}")).await?;
//! engine.stop(&nameless.arn, Failure::default()).await?; // or it fails first with NoName
//! assert_ne!(engine.wait(&nameless.arn).await?.status(), "SUCCEEDED");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! A service that other processes give work to calls [`Engine::serve`]: it takes on whatever [`Engine::submit`] writes down and
//! whatever was interrupted. Several may share a database; each execution is run by one of them at a time.
//!
//! A process that only starts, stops, answers task tokens or waits needs no engine: a [`Client`] of the same database does that, without
//! functions and without being a worker.
//!
//! Functions that are processes (those of a [`project`]) end with your program, whatever they do, if its `main` begins with
//! [`parts::function::supervisor::serve_if_asked`].
//!
//! One state alone is tested by [`test_state`], AWS's operation of that name as a function: a request in, a response or an
//! exception out, mocks instead of services.
//!
//! The command line and the server are built on this crate; see also `examples/embed.rs`.
#![forbid(unsafe_code)]

pub mod aws;
mod places;
pub mod project;
pub use places::Places;
mod state_machine;
pub mod test_state;
pub mod testing;

pub use asl_core::{
    Budget, Doing, Event, EventKind, Execution, Failure, Note, Outcome, Pending, TaskCall, event::to_aws,
    flow_of_machine,
};
pub use asl_engine::{
    ActivityTask, CallError, ChangedCall, Client, Clock, Difference, Divergence, Ended, Engine, EngineBuilder,
    EngineError, ExportError, Exported, Fork, Hold, Holder, Needed, Notice, Observer, ReplayError, Replayed, RerunAs,
    StartAs, StartExecution, Started, Trial, Unsupported, Update, Verdict, Whose, holders, map_run_children, pending,
    replay, replay_exported, replay_kept, rerun_of, stored_options, try_definition, try_kept,
};
pub use asl_expr::Timestamp;
pub use asl_journal::{
    Database, Durability, ExecutionRow, Filter, Journal, JournalError, Kept, KeptError, Moved,
    Options as JournalOptions, Purge, Status, Which, WorkerId, WorkerRow, is_url, shown,
};
pub use asl_syntax::{Definition, Diagnostic};
pub use asl_task::function::{FunctionSet, Handler};
pub use asl_value::{Map, Number, ParseError, Value};
pub use state_machine::{DefinitionError, StateMachine};

/// The parts for those who need more than the facade: diagnostics, functions, embedded services.
pub mod parts {
    pub use asl_aws::{Secret, sign};
    pub use asl_core::event;
    pub use asl_function as function;
    /// Of which [`crate::Engine::start_in`] takes transactions.
    pub use asl_journal::sqlx;
    pub use asl_store as store;
    pub use asl_store::{ItemKey, ServiceTx, StoreError};
    pub use asl_syntax as syntax;
    pub use asl_task::{aws, bucket, embedded, mock, s3};
}
