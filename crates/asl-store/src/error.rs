//! What can go wrong, in words for the person who has to do something about it.

use crate::{ExecutionId, WorkerId};
use std::sync::Arc;

/// A failure of a store. Cheap to clone: one failed commit answers many callers.
///
/// The variants say what happened, in words that hold for every database; [`StoreError::kind`] says what a caller does about it.
/// The place that some of them name is data for the message and means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has been writing for longer than the busy timeout.
    #[error("the database {} is locked: another process has been writing to it for {waited_ms} ms", place)]
    Locked {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
        /// How long it was waited for; milliseconds.
        waited_ms: u64,
    },
    /// The file was written by a newer program.
    #[error("the database {} has version {found}, this program knows versions up to {known}", place)]
    Newer {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
        /// Its version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The file was written by an older program and is opened for reading only.
    #[error("the database {} has version {found}, this program reads version {known}", place)]
    Older {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
        /// Its version.
        found: i64,
        /// The version this program reads.
        known: i64,
    },
    /// It is no database.
    #[error("{} is not a database", place)]
    NotADatabase {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
    },
    /// The file is the database of another program.
    #[error("the database {} belongs to another application (application id {application_id})", place)]
    Foreign {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
        /// The mark of the application that it belongs to; 0 where there is none.
        application_id: i64,
    },
    /// There is no such file.
    #[error("there is no database {}", place)]
    Missing {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
    },
    /// The file was deleted, moved or replaced while it was used: what is written to it nobody finds.
    #[error("the database {} {what} while it was in use", place)]
    Gone {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
        /// What became of it.
        what: &'static str,
    },
    /// A name that cannot be the name of a store.
    #[error("{:?} names no file", place)]
    NoFile {
        /// The name.
        place: Arc<str>,
    },
    /// A URL that leads to no store, or to one that cannot be used.
    #[error("{} {what}", place)]
    Address {
        /// Which store, as people name it; a URL without its password.
        place: Arc<str>,
        /// What is wrong with it.
        what: String,
    },
    /// The server of the store does not answer, or lets this program not in.
    #[error("the database {} cannot be reached ({message})", place)]
    Unreachable {
        /// Which store, as people name it; a URL without its password.
        place: Arc<str>,
        /// What the server or the system said.
        message: String,
    },
    /// A record cannot be read back as it was written.
    #[error(
        "record {record} of execution {} is damaged: {what}",
        arn.as_deref().map_or_else(|| execution.to_string(), str::to_owned))]
    Corrupt {
        /// The execution's number in the database.
        execution: ExecutionId,
        /// Its ARN, where that can still be read.
        arn: Option<Arc<str>>,
        /// The record's number within the execution.
        record: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The database finds its own storage damaged.
    #[error("the database {} is damaged ({message})", place)]
    Damaged {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
        /// What the database said.
        message: String,
    },
    /// No space is left.
    #[error("the disk of the database {} is full: nothing was written", place)]
    Full {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
    },
    /// The file cannot be opened, read or written.
    #[error("the database {} cannot be used ({message})", place)]
    Io {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
        /// What the system said.
        message: String,
    },
    /// There is an execution with this ARN already.
    #[error("the execution {arn} exists already")]
    AlreadyExists {
        /// The ARN.
        arn: Arc<str>,
    },
    /// Several executions have this name.
    #[error("several executions are named `{name}`: {}", candidates.join(", "))]
    Ambiguous {
        /// The name.
        name: String,
        /// The ARNs of some of them, newest first.
        candidates: Vec<String>,
    },
    /// There is no execution with this number.
    #[error("there is no execution {execution} in the database")]
    NoSuchExecution {
        /// The number.
        execution: ExecutionId,
    },
    /// The execution has ended; nothing can be added to its history.
    #[error("execution {execution} has ended: nothing can be added to its history")]
    Ended {
        /// The execution.
        execution: ExecutionId,
    },
    /// The record does not continue the history that is stored.
    #[error(
        "the record's events do not continue execution {execution}: event {expected} comes next, not {found}; is another process running it?"
    )]
    OutOfOrder {
        /// The execution.
        execution: ExecutionId,
        /// The number of the event that comes next.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The worker has lost its lease: another one has taken its executions, or may.
    #[error("worker {worker} has lost its lease: nothing was written")]
    Fenced {
        /// The worker.
        worker: WorkerId,
    },
    /// The execution belongs to another worker, or to none.
    #[error("execution {execution} belongs to another worker: nothing was written")]
    NotOwner {
        /// The execution.
        execution: ExecutionId,
    },
    /// Too many inputs wait for the execution.
    #[error("too many inputs wait for execution {execution} already")]
    InboxFull {
        /// The execution.
        execution: ExecutionId,
    },
    /// The record is larger than any may be. It will not be smaller when it is tried again.
    #[error("a record of execution {execution} has {bytes} bytes, more than the limit of {limit}: nothing was written")]
    TooLarge {
        /// The execution.
        execution: ExecutionId,
        /// Its bytes.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// The journal was closed, or its writer is gone.
    #[error("the journal is closed")]
    Closed,
    /// The function given to `transact` panicked; what it did is undone.
    #[error("the function of a transaction panicked: its effects were undone")]
    Panicked,
    /// The function given to `transact` or `inspect` waited for something else than the services, which would hold up
    /// everybody; what it did is undone.
    #[error("the function of a transaction waited for something else than its services: its effects were undone")]
    Waited,
    /// The journal was opened for reading only.
    #[error("the database {} was opened for reading only", place)]
    ReadOnly {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
    },
    /// The transaction ran into another one (a serialisation failure, a deadlock) and was undone each time that it was tried.
    #[error("a transaction on {place} ran into others {attempts} times and was undone")]
    Conflict {
        /// Which store, as people name it.
        place: Arc<str>,
        /// How often it was tried.
        attempts: u32,
    },
    /// A call of an embedded service failed in the database: the transaction is lost.
    #[error("the store of the embedded services failed: {message}")]
    Service {
        /// What the database said.
        message: String,
    },
    /// Anything else the database says.
    #[error("the database {} failed: {message}", place)]
    Database {
        /// Which store, as people name it: of a file its path.
        place: Arc<str>,
        /// What the database said.
        message: String,
    },
}

/// What to do about it.
mod hint {
    pub(super) const LOCKED: &str = "wait for it, or stop it";
    pub(super) const NEWER: &str = "use a newer program";
    pub(super) const OLDER: &str = "open it for writing once (start an execution) to bring it up to date";
    pub(super) const NOT_A_DATABASE: &str = "choose another file, or move this one away";
    pub(super) const FOREIGN: &str = "choose another file";
    pub(super) const MISSING: &str = "it is made when the first execution starts";
    pub(super) const GONE: &str = "put it back or restore it from a copy, and start again";
    pub(super) const NO_FILE: &str = "name a file, such as .asl/asl.db (one with a colon in front is written ./:name)";
    pub(super) const ADDRESS: &str = "write it as postgres://user:password@host:5432/database?schema=asl";
    pub(super) const UNREACHABLE: &str = "check that the server runs, the address, the user and the password";
    pub(super) const CORRUPT: &str = "restore the database from a copy, the execution cannot go on";
    pub(super) const DAMAGED: &str = "restore it from a copy";
    pub(super) const FULL: &str = "make room and try again";
    pub(super) const IO: &str = "check the file, its folder and their permissions";
    pub(super) const ALREADY_EXISTS: &str = "choose another name";
    pub(super) const AMBIGUOUS: &str = "name the one that is meant by its ARN";
    pub(super) const FENCED: &str = "its executions go on elsewhere, or with `asl worker`";
    pub(super) const CONFLICT: &str = "try again";
    pub(super) const INBOX_FULL: &str = "start a worker that takes them in";
}

/// What a caller does about a failure of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// It may be over in a while: try again.
    Transient,
    /// The call asked for what cannot be: it fails each time, and nothing was written.
    Refused,
    /// The worker or the execution belongs to another one now: stop acting for it.
    Fenced,
    /// What is stored cannot be read back: this execution, or the whole store, cannot go on.
    Damaged,
    /// This program cannot use this store: another version, another application, no such place.
    Unusable,
    /// The handle is closed.
    Closed,
    /// The function that was to run inside the transaction is at fault.
    Function,
}

impl StoreError {
    /// A failure of an embedded service's call, with the database's own words.
    pub fn new(message: impl ToString) -> StoreError {
        StoreError::Service { message: message.to_string() }
    }

    /// What a caller does about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            StoreError::Locked { .. }
            | StoreError::Full { .. }
            | StoreError::Io { .. }
            | StoreError::Unreachable { .. }
            | StoreError::Conflict { .. }
            | StoreError::Service { .. }
            | StoreError::Database { .. } => ErrorKind::Transient,
            StoreError::AlreadyExists { .. }
            | StoreError::Ambiguous { .. }
            | StoreError::NoSuchExecution { .. }
            | StoreError::Ended { .. }
            | StoreError::OutOfOrder { .. }
            | StoreError::InboxFull { .. }
            | StoreError::TooLarge { .. } => ErrorKind::Refused,
            StoreError::Fenced { .. } | StoreError::NotOwner { .. } => ErrorKind::Fenced,
            StoreError::Corrupt { .. } | StoreError::Damaged { .. } => ErrorKind::Damaged,
            StoreError::Newer { .. }
            | StoreError::Older { .. }
            | StoreError::NotADatabase { .. }
            | StoreError::Foreign { .. }
            | StoreError::Missing { .. }
            | StoreError::Gone { .. }
            | StoreError::NoFile { .. }
            | StoreError::Address { .. }
            | StoreError::ReadOnly { .. } => ErrorKind::Unusable,
            StoreError::Closed => ErrorKind::Closed,
            StoreError::Panicked | StoreError::Waited => ErrorKind::Function,
        }
    }

    /// What to do about it; the text of the error does not say it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            StoreError::Locked { .. } => hint::LOCKED,
            StoreError::Newer { .. } => hint::NEWER,
            StoreError::Older { .. } => hint::OLDER,
            StoreError::NotADatabase { .. } => hint::NOT_A_DATABASE,
            StoreError::Foreign { .. } => hint::FOREIGN,
            StoreError::Missing { .. } => hint::MISSING,
            StoreError::Gone { .. } => hint::GONE,
            StoreError::NoFile { .. } => hint::NO_FILE,
            StoreError::Address { .. } => hint::ADDRESS,
            StoreError::Unreachable { .. } => hint::UNREACHABLE,
            StoreError::Corrupt { .. } => hint::CORRUPT,
            StoreError::Damaged { .. } => hint::DAMAGED,
            StoreError::Full { .. } => hint::FULL,
            StoreError::Io { .. } => hint::IO,
            StoreError::AlreadyExists { .. } => hint::ALREADY_EXISTS,
            StoreError::Ambiguous { .. } => hint::AMBIGUOUS,
            StoreError::Fenced { .. } => hint::FENCED,
            StoreError::InboxFull { .. } => hint::INBOX_FULL,
            StoreError::Conflict { .. } => hint::CONFLICT,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_is_told_apart() {
        let place: Arc<str> = "a.db".into();
        let errors = [
            StoreError::Locked { place: place.clone(), waited_ms: 1 },
            StoreError::Missing { place: place.clone() },
            StoreError::Gone { place: place.clone(), what: "was deleted or moved away" },
            StoreError::NoFile { place: place.clone() },
            StoreError::Ambiguous { name: "a".into(), candidates: vec!["b; c".into(), "d".into()] },
            StoreError::Corrupt { execution: ExecutionId(1), arn: None, record: 2, what: "cut; short".into() },
            StoreError::AlreadyExists { arn: "a; b".into() },
            StoreError::Fenced { worker: WorkerId(1) },
            StoreError::InboxFull { execution: ExecutionId(1) },
        ];
        for error in errors {
            let (text, hint) = (error.to_string(), error.hint().unwrap());
            assert!(!text.contains(hint), "{text}");
        }
        assert_eq!(StoreError::Closed.hint(), None);
    }
}
