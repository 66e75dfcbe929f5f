//! What can go wrong, in words for the person who has to do something about it.

use crate::ExecutionId;
use std::path::Path;
use std::sync::Arc;

/// A failure of the journal. Cheap to clone: one failed commit answers many callers.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process has been writing for longer than the busy timeout.
    #[error("the database {} is locked: another process has been writing to it for {waited_ms} ms; wait for it, or stop it", path.display())]
    Locked {
        /// The file.
        path: Arc<Path>,
        /// How long it was waited for; milliseconds.
        waited_ms: u64,
    },
    /// The file was written by a newer program.
    #[error("the database {} has version {found}, this program knows versions up to {known}; use a newer program", path.display())]
    Newer {
        /// The file.
        path: Arc<Path>,
        /// Its version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The file was written by an older program and is opened for reading only.
    #[error("the database {} has version {found}, this program reads version {known}; open it for writing once (start an execution) to bring it up to date", path.display())]
    Older {
        /// The file.
        path: Arc<Path>,
        /// Its version.
        found: i64,
        /// The version this program reads.
        known: i64,
    },
    /// The file is no SQLite database.
    #[error("{} is not a database; choose another file, or move this one away", path.display())]
    NotADatabase {
        /// The file.
        path: Arc<Path>,
    },
    /// The file is the database of another program.
    #[error("the database {} belongs to another application (application id {application_id}); choose another file", path.display())]
    Foreign {
        /// The file.
        path: Arc<Path>,
        /// SQLite's `application_id` in it; 0 where none is set.
        application_id: i64,
    },
    /// There is no such file.
    #[error("there is no database {}; it is made when the first execution starts", path.display())]
    Missing {
        /// The file.
        path: Arc<Path>,
    },
    /// A record cannot be read back as it was written.
    #[error(
        "record {record} of execution {} is damaged: {what}; restore the database from a copy, the execution cannot go on",
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
    #[error("the database {} is damaged ({message}); restore it from a copy", path.display())]
    Damaged {
        /// The file.
        path: Arc<Path>,
        /// What SQLite said.
        message: String,
    },
    /// No space is left.
    #[error("the disk of the database {} is full: nothing was written; make room and try again", path.display())]
    Full {
        /// The file.
        path: Arc<Path>,
    },
    /// The file cannot be opened, read or written.
    #[error("the database {} cannot be used ({message}); check the file, its folder and their permissions", path.display())]
    Io {
        /// The file.
        path: Arc<Path>,
        /// What the system said.
        message: String,
    },
    /// There is an execution with this ARN already.
    #[error("the execution {arn} exists already; choose another name")]
    AlreadyExists {
        /// The ARN.
        arn: Arc<str>,
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
    /// The journal was closed, or its writer is gone.
    #[error("the journal is closed")]
    Closed,
    /// The function given to `transact` panicked; what it did is undone.
    #[error("the function of a transaction panicked: its effects were undone")]
    Panicked,
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

/// Which database is meant, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) path: Arc<Path>,
    pub(crate) busy_timeout_ms: u64,
}

impl Place {
    /// What a failure of the driver means. The numbers are SQLite's primary result codes.
    pub(crate) fn failed(&self, error: sqlx::Error) -> JournalError {
        let path = self.path.clone();
        let message = error.to_string();
        let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<u32>().ok());
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

    #[tokio::test]
    async fn a_full_disk_is_told_as_such() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let sql = "PRAGMA max_page_count = 2; CREATE TABLE a AS SELECT zeroblob(100000);";
        let error = sqlx::raw_sql(sql).execute(&mut conn).await.unwrap_err();
        let place = Place { path: Path::new("a.db").into(), busy_timeout_ms: 0 };
        let told = place.failed(error).to_string();
        assert_eq!(told, "the disk of the database a.db is full: nothing was written; make room and try again");
    }
}
