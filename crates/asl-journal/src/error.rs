//! What can go wrong, in words for the person who has to do something about it.

use crate::{ExecutionId, WorkerId};
use std::path::Path;
use std::sync::Arc;

/// A failure of the journal: its text says what is wrong and where, [`JournalError::hint`] what to do. Cheap to clone: one
/// failed commit answers many callers.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process has been writing for longer than the busy timeout.
    #[error("the database {} is locked: another process has been writing to it for {waited_ms} ms", path.display())]
    Locked {
        /// The file.
        path: Arc<Path>,
        /// How long it was waited for; milliseconds.
        waited_ms: u64,
    },
    /// The file was written by a newer program.
    #[error("the database {} has version {found}, this program knows versions up to {known}", path.display())]
    Newer {
        /// The file.
        path: Arc<Path>,
        /// Its version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The file was written by an older program and is opened for reading only.
    #[error("the database {} has version {found}, this program reads version {known}", path.display())]
    Older {
        /// The file.
        path: Arc<Path>,
        /// Its version.
        found: i64,
        /// The version this program reads.
        known: i64,
    },
    /// The file is no SQLite database.
    #[error("{} is not a database", path.display())]
    NotADatabase {
        /// The file.
        path: Arc<Path>,
    },
    /// The file is the database of another program.
    #[error("the database {} belongs to another application (application id {application_id})", path.display())]
    Foreign {
        /// The file.
        path: Arc<Path>,
        /// SQLite's `application_id` in it; 0 where none is set.
        application_id: i64,
    },
    /// There is no such file.
    #[error("there is no database {}", path.display())]
    Missing {
        /// The file.
        path: Arc<Path>,
    },
    /// The file was deleted, moved or replaced while it was used: what is written to it nobody finds.
    #[error("the database {} {what} while it was in use", path.display())]
    Gone {
        /// The file.
        path: Arc<Path>,
        /// What became of it.
        what: &'static str,
    },
    /// A name that SQLite gives another meaning.
    #[error("{:?} names no file", path.display().to_string())]
    NoFile {
        /// The name.
        path: Arc<Path>,
    },
    /// A record cannot be read back as it was written.
    #[error(
        "record {record} of execution {} is damaged: {what}",
        arn.as_deref().map_or_else(|| execution.to_string(), str::to_owned)
    )]
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
    /// SQLite finds the file damaged.
    #[error("the database {} is damaged ({message})", path.display())]
    Damaged {
        /// The file.
        path: Arc<Path>,
        /// What SQLite said.
        message: String,
    },
    /// No space is left.
    #[error("the disk of the database {} is full: nothing was written", path.display())]
    Full {
        /// The file.
        path: Arc<Path>,
    },
    /// The file cannot be opened, read or written.
    #[error("the database {} cannot be used ({message})", path.display())]
    Io {
        /// The file.
        path: Arc<Path>,
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
    #[error("the database {} was opened for reading only", path.display())]
    ReadOnly {
        /// The file.
        path: Arc<Path>,
    },
    /// Anything else the database says.
    #[error("the database {} failed: {message}", path.display())]
    Database {
        /// The file.
        path: Arc<Path>,
        /// What SQLite said.
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
    pub(super) const CORRUPT: &str = "restore the database from a copy, the execution cannot go on";
    pub(super) const DAMAGED: &str = "restore it from a copy";
    pub(super) const FULL: &str = "make room and try again";
    pub(super) const IO: &str = "check the file, its folder and their permissions";
    pub(super) const ALREADY_EXISTS: &str = "choose another name";
    pub(super) const AMBIGUOUS: &str = "name the one that is meant by its ARN";
    pub(super) const FENCED: &str = "its executions go on elsewhere, or with `asl worker`";
    pub(super) const INBOX_FULL: &str = "start a worker that takes them in";
}

impl JournalError {
    /// What to do about it; the text of the error does not say it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            JournalError::Locked { .. } => hint::LOCKED,
            JournalError::Newer { .. } => hint::NEWER,
            JournalError::Older { .. } => hint::OLDER,
            JournalError::NotADatabase { .. } => hint::NOT_A_DATABASE,
            JournalError::Foreign { .. } => hint::FOREIGN,
            JournalError::Missing { .. } => hint::MISSING,
            JournalError::Gone { .. } => hint::GONE,
            JournalError::NoFile { .. } => hint::NO_FILE,
            JournalError::Corrupt { .. } => hint::CORRUPT,
            JournalError::Damaged { .. } => hint::DAMAGED,
            JournalError::Full { .. } => hint::FULL,
            JournalError::Io { .. } => hint::IO,
            JournalError::AlreadyExists { .. } => hint::ALREADY_EXISTS,
            JournalError::Ambiguous { .. } => hint::AMBIGUOUS,
            JournalError::Fenced { .. } => hint::FENCED,
            JournalError::InboxFull { .. } => hint::INBOX_FULL,
            _ => return None,
        })
    }
}

/// Which database is meant, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) path: Arc<Path>,
    pub(crate) busy_timeout_ms: u64,
}

/// A failure of one of the two drivers: SQLite's extended result code, if it has one, and the words.
pub(crate) struct Failure {
    code: Option<u32>,
    message: String,
}

impl Failure {
    fn sqlite(code: Option<u32>, message: &str) -> Failure {
        let message = code.map_or_else(|| message.to_owned(), |code| format!("{message}, SQLite's code {code}"));
        Failure { code, message }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Failure {
        match error.as_database_error() {
            Some(told) => Failure::sqlite(told.code().and_then(|code| code.parse().ok()), told.message()),
            None => Failure { code: None, message: error.to_string() },
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        let code = error.sqlite_error().map(|error| error.extended_code.unsigned_abs());
        Failure::sqlite(code, &error.to_string())
    }
}

impl Place {
    /// What a failure of a driver means. The numbers are SQLite's primary result codes.
    pub(crate) fn failed(&self, error: impl Into<Failure>) -> JournalError {
        let path = self.path.clone();
        let Failure { code, message } = error.into();
        match code.map(|extended| extended & 0xff) {
            Some(5 | 6) => JournalError::Locked { path, waited_ms: self.busy_timeout_ms },
            Some(11) => JournalError::Damaged { path, message },
            Some(13) => JournalError::Full { path },
            Some(3 | 8 | 10 | 14 | 23) => JournalError::Io { path, message },
            Some(26) => JournalError::NotADatabase { path },
            _ => JournalError::Database { path, message },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection, SqliteConnection};

    #[test]
    fn what_to_do_is_told_apart() {
        let path: Arc<Path> = Path::new("a.db").into();
        let errors = [
            JournalError::Locked { path: path.clone(), waited_ms: 1 },
            JournalError::Missing { path: path.clone() },
            JournalError::Gone { path: path.clone(), what: "was deleted or moved away" },
            JournalError::NoFile { path: path.clone() },
            JournalError::Ambiguous { name: "a".into(), candidates: vec!["b; c".into(), "d".into()] },
            JournalError::Corrupt { execution: ExecutionId(1), arn: None, record: 2, what: "cut; short".into() },
            JournalError::AlreadyExists { arn: "a; b".into() },
            JournalError::Fenced { worker: WorkerId(1) },
            JournalError::InboxFull { execution: ExecutionId(1) },
        ];
        for error in errors {
            let (text, hint) = (error.to_string(), error.hint().unwrap());
            assert!(!text.contains(hint), "{text}");
        }
        assert_eq!(JournalError::Closed.hint(), None);
    }

    #[tokio::test]
    async fn a_full_disk_is_told_as_such_by_either_driver() {
        let sql = "PRAGMA max_page_count = 2; CREATE TABLE a AS SELECT zeroblob(100000);";
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let reader = sqlx::raw_sql(sql).execute(&mut conn).await.unwrap_err();
        let writer = rusqlite::Connection::open_in_memory().unwrap().execute_batch(sql).unwrap_err();
        let place = Place { path: Path::new("a.db").into(), busy_timeout_ms: 0 };
        for told in [place.failed(reader).to_string(), place.failed(writer).to_string()] {
            assert_eq!(told, "the disk of the database a.db is full: nothing was written");
        }
    }
}
