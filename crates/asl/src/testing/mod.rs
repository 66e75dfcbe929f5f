//! Tests of workflows: cases in a file beside the definition, run in memory with time skipped.
//!
//! `asl test` runs them all; this module does in your own `cargo test`. The format of the file is in
//! `docs/reference/test-file.md`.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("greet.test.yaml");
//! # std::fs::write(folder.path().join("greet.asl.json"), r#"{
//! #   "StartAt": "Ask", "States": {
//! #     "Ask": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Next": "Think",
//! #             "Parameters": {"JobName": "j"}, "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 60}]},
//! #     "Think": {"Type": "Wait", "Seconds": 86400, "End": true}}}"#)?;
//! # std::fs::write(&path, r#"
//! # cases:
//! #   busy once:
//! #     mocks: {Ask: [{throw: Busy}, {return: {name: Ann}}]}
//! #     expect: {output: {name: Ann}, path: [Ask, Think], duration: 86460}
//! # "#)?;
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! use asl::testing::{Options, Suite, run};
//!
//! let suite = Suite::load(&path, None)?; // greet.test.yaml, beside greet.asl.json
//! let report = run(vec![suite], &Options::default(), |_, _, _| {}).await;
//! assert!(report.passed(), "{report}");
//! assert_eq!(report.suites[0].coverage.percent(), 100.0);
//! # Ok::<(), asl::project::ProjectError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Without a file, an engine in memory with mocks and skipped time does the same:
//!
//! ```
//! # let definition = r#"{"StartAt": "Ask", "States": {
//! #     "Ask": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName": "j"},
//! #             "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 60}], "End": true}}}"#;
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! use asl::testing::{Mocks, Reply};
//! use asl::{Engine, Failure, Journal, Outcome, StateMachine, Value};
//!
//! let busy = Reply::Throw(Failure::new("Busy", "come back"));
//! let mocks = Mocks::default().sequence("Ask", [busy, Reply::Return(Value::from("done"))]);
//! let engine = Engine::builder(Journal::in_memory().await?).mocks(mocks).skip_time().build();
//! let machine = StateMachine::from_json("ask", definition)?;
//! let started = engine.start(machine.execution("{}")).await?;
//! assert_eq!(engine.wait(&started.arn).await?, Outcome::Succeeded(Value::from("done")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod coverage;
mod diff;
mod expect;
mod file;
mod mocks;
mod reader;
mod report;
mod run;
mod stores;
#[cfg(test)]
mod tests;
mod trace;

pub use asl_task::mock::{Answer, MockRule, MockedState, Mocks, Reply, contains};
pub use check::Mismatch;
pub use coverage::{Coverage, Point, Unreached, percent};
pub use expect::{Expect, Inner, PathStep};
pub use file::{Case, ENDINGS, START, TestFile};
pub use report::{Options, Report, SuiteReport, run};
pub use run::{CaseResult, Suite};
