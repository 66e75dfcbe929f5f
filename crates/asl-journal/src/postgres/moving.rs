//! All rows of a store on PostgreSQL, out of it and into it.

use super::PgStore;
use super::conn::{Query, text};
use super::schema::rebase;
use super::zeros::{escaped, shown, unescaped};
use crate::moving::{Cell, Kind, Moved, PAGE_ROWS, Page, TABLES, Table, disowned, keys, names};
use crate::{ExecutionRow, JournalError};
use sqlx::postgres::PgRow;
use sqlx::{Connection, Executor, PgConnection, Row as _};
use tokio::sync::mpsc;

impl PgStore {
    /// Sends all rows, as they are at one moment.
    pub(crate) async fn read_tables(&self, pages: mpsc::Sender<Page>) -> Result<(), JournalError> {
        let read = async {
            let mut conn = super::connect(&self.address).await?;
            let mut tx = conn.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            for (n, table) in TABLES.iter().enumerate() {
                let mut after: Option<Vec<Cell>> = None;
                loop {
                    let rows = self.page_of(&mut tx, table, after.as_deref()).await?;
                    let Some(last) = rows.last() else { break };
                    after = Some(last[..table.keys].to_vec());
                    if pages.send(Page::Rows(n, rows)).await.is_err() {
                        // The writer has failed, and tells why.
                        return Ok(());
                    }
                }
            }
            let _ = pages.send(Page::End).await;
            tx.commit().await
        };
        read.await.map_err(|e| self.place.failed(e))
    }

    async fn page_of(
        &self,
        tx: &mut PgConnection,
        table: &Table,
        after: Option<&[Cell]>,
    ) -> Result<Vec<Vec<Cell>>, sqlx::Error> {
        let (columns, keys) = (names(table), keys(table));
        let marks = (1..=table.keys).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let behind = if after.is_some() { format!("WHERE ({keys}) > ({marks})") } else { String::new() };
        let sql = format!("SELECT {columns} FROM @{} {behind} ORDER BY {keys} LIMIT {PAGE_ROWS}", table.name);
        let mut query = self.query(&sql);
        for key in after.into_iter().flatten() {
            query = bind_one(query, key);
        }
        let rows = query.fetch_all(tx).await?;
        let read = |row: &PgRow, n: usize, kind| match (cell(row, n, kind)?, is_escaped(table, n)) {
            (Cell::Text(text), true) => Ok(Cell::Text(unescaped(text))),
            (cell, _) => Ok(cell),
        };
        let cells = |row: &PgRow| table.columns.iter().enumerate().map(|(n, (_, kind))| read(row, n, *kind)).collect();
        rows.iter().map(cells).collect()
    }

    /// Takes all rows, in one transaction.
    pub(crate) async fn write_tables(&self, mut pages: mpsc::Receiver<Page>) -> Result<Moved, JournalError> {
        self.may_write()?;
        let failed = |e| self.place.failed(e);
        let mut conn = super::connect(&self.address).await.map_err(failed)?;
        let mut tx = conn.begin().await.map_err(failed)?;
        let mut moved = Moved::default();
        loop {
            match pages.recv().await {
                Some(Page::Rows(n, rows)) => {
                    moved.count(n, rows.len());
                    self.insert(&mut tx, &TABLES[n], rows).await.map_err(failed)?;
                }
                Some(Page::End) => break,
                None => return Err(JournalError::Closed),
            }
        }
        let schema = &self.address.schema;
        // Numbers are never given twice, not even those that only verdicts tell of.
        let numbers = "SELECT setval('@execution_id', greatest(1, (SELECT max(id) FROM @execution))), \
                       setval(pg_get_serial_sequence('@message', 'position'), greatest(1, (SELECT max(position) FROM @message))), \
                       setval(pg_get_serial_sequence('@inbox', 'id'), greatest(1, (SELECT max(id) FROM @inbox), \
                       (SELECT max(mail) FROM @verdict)))";
        tx.execute(text(schema, numbers)).await.map_err(failed)?;
        rebase(&mut tx, schema).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(moved)
    }

    async fn insert(&self, tx: &mut PgConnection, table: &Table, mut rows: Vec<Vec<Cell>>) -> Result<(), sqlx::Error> {
        rows.iter_mut().for_each(|row| disowned(table, row));
        let types = table.columns.iter().enumerate().map(|(n, (_, kind))| {
            let sql = match kind {
                Kind::Int => "int8",
                Kind::Real => "float8",
                Kind::Text => "text",
                Kind::Bytes => "bytea",
            };
            format!("${}::{sql}[]", n + 1)
        });
        let types = types.collect::<Vec<_>>().join(", ");
        let sql = format!("INSERT INTO @{} ({}) SELECT * FROM unnest({types})", table.name, names(table));
        let mut query = self.query(&sql);
        for (n, (_, kind)) in table.columns.iter().enumerate() {
            let stored = |text: &str| if is_escaped(table, n) { escaped(text.to_owned()) } else { shown(text) };
            query = bind_column(query, &rows, n, *kind, stored);
        }
        query.execute(tx).await.map(drop)
    }

    /// The records of an execution as text; see [`crate::Kept`].
    ///
    /// # Errors
    /// When the database cannot be read, or a record is not as it was written.
    pub async fn keep(&self, execution: &ExecutionRow) -> Result<String, JournalError> {
        let definition = self.definition_of(&execution.definition).await?;
        crate::kept::text_of(execution, definition, &self.rows(execution.id).await?)
    }

    /// What is wrong between headers and histories, at most a hundred sentences.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn integrity(&self) -> Result<Vec<String>, JournalError> {
        let sql = "SELECT 'execution ' || x.arn || ' has no last record' FROM @execution x LEFT JOIN @latest l ON l.execution = x.id \
                   LEFT JOIN @journal j ON j.position = l.position AND j.execution = x.id AND j.number = l.number \
                   WHERE j.position IS NULL UNION ALL \
                   SELECT 'record ' || j.number || ' of execution ' || j.execution || ' has no record before it' FROM @journal j \
                   WHERE j.previous IS NOT NULL AND NOT EXISTS \
                   (SELECT 1 FROM @journal p WHERE p.position = j.previous AND p.execution = j.execution) LIMIT 100";
        let rows = self.fetch(sql, |query| query).await?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(|e| self.place.failed(e))
    }
}

/// The body of a message is any text.
fn is_escaped(table: &Table, column: usize) -> bool {
    table.name == "message" && table.columns[column].0 == "body"
}

fn cell(row: &PgRow, n: usize, kind: Kind) -> Result<Cell, sqlx::Error> {
    Ok(match kind {
        Kind::Int => row.try_get::<Option<i64>, _>(n)?.map_or(Cell::Null, Cell::Int),
        Kind::Real => row.try_get::<Option<f64>, _>(n)?.map_or(Cell::Null, Cell::Real),
        Kind::Text => row.try_get::<Option<String>, _>(n)?.map_or(Cell::Null, Cell::Text),
        Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(n)?.map_or(Cell::Null, Cell::Bytes),
    })
}

fn bind_one<'q>(query: Query<'q>, cell: &Cell) -> Query<'q> {
    match cell {
        Cell::Null => query.bind(None::<i64>),
        Cell::Int(n) => query.bind(*n),
        Cell::Real(n) => query.bind(*n),
        Cell::Text(text) => query.bind(text.clone()),
        Cell::Bytes(bytes) => query.bind(bytes.clone()),
    }
}

/// A column of many rows. SQLite lets a whole number stand where a fraction may.
fn bind_column<'q>(
    query: Query<'q>,
    rows: &[Vec<Cell>],
    n: usize,
    kind: Kind,
    stored: impl Fn(&str) -> String,
) -> Query<'q> {
    let cells = rows.iter().map(|row| &row[n]);
    match kind {
        Kind::Int => {
            query.bind(cells.map(|cell| if let Cell::Int(n) = cell { Some(*n) } else { None }).collect::<Vec<_>>())
        }
        Kind::Real => {
            let real = |cell: &Cell| match cell {
                Cell::Real(n) => Some(*n),
                Cell::Int(n) => Some(*n as f64),
                _ => None,
            };
            query.bind(cells.map(real).collect::<Vec<_>>())
        }
        Kind::Text => {
            let text = |cell: &Cell| if let Cell::Text(text) = cell { Some(stored(text)) } else { None };
            query.bind(cells.map(text).collect::<Vec<_>>())
        }
        Kind::Bytes => {
            let bytes = |cell: &Cell| if let Cell::Bytes(bytes) = cell { Some(bytes.clone()) } else { None };
            query.bind(cells.map(bytes).collect::<Vec<_>>())
        }
    }
}
