//! All rows of a SQLite database, out of it and into it.

use super::open::{connect_to_change, connect_to_read, in_the_background};
use crate::moving::{Cell, Moved, PAGE_ROWS, Page, TABLES, Table, disowned, keys, names};
use crate::{Journal, JournalError};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, TransactionBehavior, params_from_iter};
use tokio::sync::mpsc;

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Int(n) => ValueRef::Integer(*n),
            Cell::Real(n) => ValueRef::Real(*n),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
            Cell::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn cell(value: ValueRef<'_>) -> rusqlite::Result<Cell> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(n) => Cell::Int(n),
        ValueRef::Real(n) => Cell::Real(n),
        ValueRef::Text(_) => Cell::Text(value.as_str()?.to_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    })
}

impl Journal {
    /// Sends all rows, as they are at one moment.
    pub(crate) async fn read_tables(&self, pages: mpsc::Sender<Page>) -> Result<(), JournalError> {
        let place = self.place.clone();
        in_the_background(move || {
            let conn = connect_to_read(&place, None)?;
            conn.execute_batch("BEGIN").map_err(|e| place.failed(e))?;
            for (n, table) in TABLES.iter().enumerate() {
                let mut after: Option<Vec<Cell>> = None;
                loop {
                    let rows = page(&conn, table, after.as_deref()).map_err(|e| place.failed(e))?;
                    let Some(last) = rows.last() else { break };
                    after = Some(last[..table.keys].to_vec());
                    if pages.blocking_send(Page::Rows(n, rows)).is_err() {
                        // The writer has failed, and tells why.
                        return Ok(());
                    }
                }
            }
            let _ = pages.blocking_send(Page::End);
            Ok(())
        })
        .await
    }

    /// Takes all rows, in one transaction.
    pub(crate) async fn write_tables(&self, mut pages: mpsc::Receiver<Page>) -> Result<Moved, JournalError> {
        let place = self.place.clone();
        in_the_background(move || {
            let mut conn = connect_to_change(&place)?;
            let failed = |e| place.failed(e);
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            let mut moved = Moved::default();
            loop {
                match pages.blocking_recv() {
                    Some(Page::Rows(n, rows)) => {
                        moved.count(n, rows.len());
                        insert(&tx, &TABLES[n], rows).map_err(failed)?;
                    }
                    Some(Page::End) => break,
                    None => return Err(JournalError::Closed),
                }
            }
            // Numbers of inputs are never given twice, not even those that only verdicts tell of.
            let sql = "INSERT OR REPLACE INTO sqlite_sequence (rowid, name, seq) SELECT (SELECT rowid FROM sqlite_sequence WHERE name = 'inbox'), \
                       'inbox', max(coalesce((SELECT max(mail) FROM verdict), 0), coalesce((SELECT max(id) FROM inbox), 0))";
            tx.execute(sql, ()).map_err(failed)?;
            tx.commit().map_err(failed)?;
            Ok(moved)
        })
        .await
    }
}

fn page(conn: &Connection, table: &Table, after: Option<&[Cell]>) -> rusqlite::Result<Vec<Vec<Cell>>> {
    let (columns, keys, marks) = (names(table), keys(table), vec!["?"; table.keys].join(", "));
    let behind = if after.is_some() { format!("WHERE ({keys}) > ({marks})") } else { String::new() };
    let sql = format!("SELECT {columns} FROM {} {behind} ORDER BY {keys} LIMIT {PAGE_ROWS}", table.name);
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(after.into_iter().flatten()), |row| {
        (0..table.columns.len()).map(|column| cell(row.get_ref(column)?)).collect::<rusqlite::Result<Vec<Cell>>>()
    })?;
    rows.collect()
}

fn insert(conn: &Connection, table: &Table, rows: Vec<Vec<Cell>>) -> rusqlite::Result<()> {
    let marks = vec!["?"; table.columns.len()].join(", ");
    let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", table.name, names(table));
    let mut statement = conn.prepare_cached(&sql)?;
    for mut row in rows {
        disowned(table, &mut row);
        statement.execute(params_from_iter(&row))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::error::Place;
    use crate::sqlite::schema::{MIGRATIONS, migrate};
    use std::collections::{BTreeMap, BTreeSet};

    /// A table or a column that a later version adds is moved too.
    #[test]
    fn everything_but_the_workers_is_moved() {
        let conn = Connection::open_in_memory().unwrap();
        let place = Place { path: std::path::Path::new(":memory:").into(), busy_timeout_ms: 0 };
        migrate(&conn, &place, MIGRATIONS).unwrap();
        let sql = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
                   WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> 'worker'";
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut statement = conn.prepare(sql).unwrap();
        for row in statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap() {
            let (table, column) = row.unwrap();
            found.entry(table).or_default().insert(column);
        }
        let column = |(name, _): &(&str, _)| (*name).to_owned();
        let moved = TABLES.iter().map(|table| (table.name.to_owned(), table.columns.iter().map(column).collect()));
        assert_eq!(moved.collect::<BTreeMap<String, BTreeSet<String>>>(), found);
    }
}
