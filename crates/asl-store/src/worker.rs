//! Workers and what they own: rows of the contract.

use crate::record::{ExecutionId, WorkerId};
use std::sync::Arc;

/// A worker that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWorker {
    /// The command, for people: `asl worker`.
    pub what: String,
    /// Its process.
    pub process: u32,
    /// What proves to other processes that it lives, in the store's own terms: with SQLite the name of the file beside the
    /// database that it holds locked.
    pub lock: Option<String>,
    /// Its first beat: a number that changes with each renewal.
    pub beat: i64,
    /// How long it may be silent before others take over; milliseconds.
    pub lease_ms: u64,
    /// Workers that are known to be gone.
    pub gone: Vec<WorkerId>,
}

/// A worker, as its row shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerRow {
    /// Its number.
    pub id: WorkerId,
    /// The command.
    pub what: String,
    /// Its process.
    pub process: u32,
    /// As in [`NewWorker::lock`].
    pub lock: Option<String>,
    /// Changes with each renewal. It means nothing else: see [`crate::Liveness`].
    pub beat: i64,
    /// How long it may be silent before others take over; milliseconds.
    pub lease_ms: u64,
    /// True when its executions can be taken by others.
    pub gone: bool,
}

/// Which executions a worker asks for.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// Workers that are known to be gone.
    pub gone: Vec<WorkerId>,
    /// Only this execution.
    pub only: Option<ExecutionId>,
    /// None of these.
    pub except: Except,
    /// At most so many.
    pub limit: u32,
    /// Those too that are set aside, and may be tried again at this time; epoch milliseconds.
    pub again_ms: Option<i64>,
}

/// Executions that are left to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Except {
    /// Those that run a definition with one of these hashes.
    pub definitions: Vec<Arc<str>>,
    /// Those with these numbers.
    pub executions: Vec<ExecutionId>,
}

/// An execution that is a worker's now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its number.
    pub id: ExecutionId,
    /// Its ARN.
    pub arn: Arc<str>,
    /// The hash of its definition.
    pub definition: Arc<str>,
    /// How often an owner of it died since its last record, as far as it may be to blame.
    pub deaths: u32,
    /// It was set aside, and is to be tried again.
    pub again: bool,
}
