//! From one database to another: rows as they are, table by table. The tables and columns of all databases are the same.

use crate::{Database, JournalError};
use tokio::sync::mpsc;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Real,
    Text,
    Bytes,
}

/// What stands in a column of a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A table that is moved. The first `keys` columns are its key, by which it is read in pages.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) keys: usize,
    pub(crate) columns: &'static [(&'static str, Kind)],
}

use Kind::{Bytes, Int, Real, Text};

macro_rules! table {
    ($name:literal, $keys:literal, $($column:ident: $kind:ident),+ $(,)?) => {
        Table { name: $name, keys: $keys, columns: &[$((stringify!($column), $kind)),+] }
    };
}

/// All tables but that of workers, whose processes stay where they are.
pub(crate) const TABLES: &[Table] = &[
    table!("definition", 1, hash: Text, name: Text, text: Text, created_ms: Int),
    table!(
        "execution", 1, id: Int, arn: Text, name: Text, state_machine: Text, state_machine_arn: Text, definition: Text,
        status: Text, started_ms: Int, stopped_ms: Int, error: Text, cause: Text, owner: Int, redrive_count: Int,
        redriven_ms: Int, set_aside: Text, again_ms: Int, unread_end: Int, token_key: Bytes, started_as: Text,
    ),
    table!(
        "journal", 1, position: Int, execution: Int, previous: Int, number: Int, first_event: Int, event_count: Int,
        checksum: Int, body: Text,
    ),
    table!("latest", 1, execution: Int, position: Int, number: Int, deaths: Int, first: Int),
    table!("inbox", 1, id: Int, execution: Int, input: Text, payload: Text, sent_ms: Int),
    table!("verdict", 1, mail: Int, taken: Int),
    table!("item", 3, table_name: Text, hash_key: Text, range_key: Text, body: Text),
    table!(
        "message", 1, position: Int, queue: Text, id: Text, group_id: Text, dedup_id: Text, body: Text, attributes: Text,
        source: Text, sent_at_ms: Int, visible_at_ms: Int, first_received_at_ms: Int, receive_count: Int, receipt: Text,
    ),
    table!("dedup", 2, scope: Text, id: Text, message_id: Text, sequence: Int, sent_at_ms: Int),
    table!("counter", 1, name: Text, value: Int),
    table!(
        "state_machine", 1, arn: Text, name: Text, kind: Text, definition: Text, role_arn: Text, status: Text,
        revision_id: Text, configuration: Text, last_version: Int, created_ms: Int, updated_ms: Int,
    ),
    table!(
        "version", 2, state_machine: Text, number: Int, description: Text, revision_id: Text, definition: Text,
        role_arn: Text, configuration: Text, created_ms: Int,
    ),
    table!(
        "alias", 2, state_machine: Text, name: Text, description: Text, routing: Text, created_ms: Int, updated_ms: Int,
    ),
    table!("tag", 2, resource: Text, key: Text, value: Text),
    table!("activity", 1, arn: Text, name: Text, encryption: Text, created_ms: Int),
    table!(
        "map_run", 1, arn: Text, execution: Int, state_machine: Text, status: Text, max_concurrency: Int,
        tolerated_failure_percentage: Real, tolerated_failure_count: Int, redrive_count: Int, redriven_ms: Int,
        started_ms: Int, stopped_ms: Int,
    ),
];

/// How many rows are read at once at most.
pub(crate) const PAGE_ROWS: usize = 500;
/// How many pages may be on their way.
const PAGES: usize = 2;

/// Rows on their way to the other database.
pub(crate) enum Page {
    /// Of the table with this place in [`TABLES`].
    Rows(usize, Vec<Vec<Cell>>),
    /// There are no more: only now it is committed.
    End,
}

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Executions.
    pub executions: u64,
    /// Their records.
    pub records: u64,
    /// All rows, those of the services and the catalogue among them.
    pub rows: u64,
}

impl Moved {
    pub(crate) fn count(&mut self, table: usize, rows: usize) {
        let rows = rows as u64;
        self.rows += rows;
        match TABLES[table].name {
            "execution" => self.executions += rows,
            "journal" => self.records += rows,
            _ => {}
        }
    }
}

/// Nobody owns an execution in the other database; what is set aside stays so.
pub(crate) fn disowned(table: &Table, row: &mut [Cell]) {
    if table.name == "execution"
        && let Some(owner) = table.columns.iter().position(|(name, _)| *name == "owner")
        && matches!(row[owner], Cell::Int(worker) if worker > 0)
    {
        row[owner] = Cell::Null;
    }
}

pub(crate) async fn copy(from: &Database, to: &Database) -> Result<Moved, JournalError> {
    let refused = |database: &Database, what: &str| JournalError::Address {
        place: database.name().into(),
        what: what.to_owned(),
    };
    for database in [from, to] {
        if database.in_this_process_only() {
            return Err(refused(database, "is in memory: there is nothing to move"));
        }
        let workers = database.workers().await?;
        let gone = database.gone().await?;
        if let Some(worker) = workers.iter().find(|worker| !worker.gone && !gone.contains(&worker.id)) {
            let what = format!("is at work: `{}` (process {}); stop it first", worker.what, worker.process);
            return Err(refused(database, &what));
        }
    }
    if !to.executions(&asl_store::Filter { limit: Some(1), ..Default::default() }).await?.is_empty() {
        return Err(refused(to, "is not empty: executions are moved to a new database"));
    }
    let (sender, receiver) = mpsc::channel(PAGES);
    let (read, written) = tokio::join!(read(from, sender), write(to, receiver));
    // What the reader found wrong is why the writer got no end.
    read?;
    written
}

async fn read(from: &Database, pages: mpsc::Sender<Page>) -> Result<(), JournalError> {
    match from {
        Database::Sqlite(journal) => journal.read_tables(pages).await,
        #[cfg(feature = "postgres")]
        Database::Postgres(store) => store.read_tables(pages).await,
    }
}

async fn write(to: &Database, pages: mpsc::Receiver<Page>) -> Result<Moved, JournalError> {
    match to {
        Database::Sqlite(journal) => journal.write_tables(pages).await,
        #[cfg(feature = "postgres")]
        Database::Postgres(store) => store.write_tables(pages).await,
    }
}

/// The columns of a table, for a statement. Some are words of SQL.
pub(crate) fn names(table: &Table) -> String {
    table.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// The columns of its key.
pub(crate) fn keys(table: &Table) -> String {
    table.columns[..table.keys].iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
