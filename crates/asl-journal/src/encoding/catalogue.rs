//! Rows of the catalogue, as each database reads them.

use crate::ExecutionId;
use asl_expr::Timestamp;
use asl_store::{ActivityRow, After, AliasRow, MapRunRow, StateMachineRow, VersionRow};

pub(crate) type Read<T> = Result<T, sqlx::Error>;

/// What the catalogue's columns hold, by their places from 0.
pub(crate) trait Columns {
    fn text(&self, at: usize) -> Read<String>;
    fn text_if(&self, at: usize) -> Read<Option<String>>;
    fn number(&self, at: usize) -> Read<i64>;
    fn number_if(&self, at: usize) -> Read<Option<i64>>;
    fn fraction(&self, at: usize) -> Read<f64>;

    fn time(&self, at: usize) -> Read<Timestamp> {
        self.number(at).map(Timestamp::from_millis)
    }

    fn time_if(&self, at: usize) -> Read<Option<Timestamp>> {
        Ok(self.number_if(at)?.map(Timestamp::from_millis))
    }
}

/// A row of a database of sqlx has its columns in one way.
macro_rules! columns {
    ($row:ty) => {
        impl crate::encoding::catalogue::Columns for $row {
            fn text(&self, at: usize) -> crate::encoding::catalogue::Read<String> {
                sqlx::Row::try_get(self, at)
            }
            fn text_if(&self, at: usize) -> crate::encoding::catalogue::Read<Option<String>> {
                sqlx::Row::try_get(self, at)
            }
            fn number(&self, at: usize) -> crate::encoding::catalogue::Read<i64> {
                sqlx::Row::try_get(self, at)
            }
            fn number_if(&self, at: usize) -> crate::encoding::catalogue::Read<Option<i64>> {
                sqlx::Row::try_get(self, at)
            }
            fn fraction(&self, at: usize) -> crate::encoding::catalogue::Read<f64> {
                sqlx::Row::try_get(self, at)
            }
        }
    };
}
pub(crate) use columns;

pub(crate) fn state_machine(row: &impl Columns) -> Read<StateMachineRow> {
    Ok(StateMachineRow {
        arn: row.text(0)?,
        name: row.text(1)?,
        kind: row.text(2)?,
        definition: row.text(3)?,
        role_arn: row.text(4)?,
        status: row.text(5)?,
        revision_id: row.text_if(6)?,
        configuration: row.text(7)?,
        last_version: row.number(8)?,
        created: row.time(9)?,
        updated: row.time_if(10)?,
    })
}

pub(crate) fn version(row: &impl Columns) -> Read<VersionRow> {
    Ok(VersionRow {
        state_machine: row.text(0)?,
        number: row.number(1)?,
        description: row.text_if(2)?,
        revision_id: row.text_if(3)?,
        definition: row.text(4)?,
        role_arn: row.text(5)?,
        configuration: row.text(6)?,
        created: row.time(7)?,
    })
}

pub(crate) fn alias(row: &impl Columns) -> Read<AliasRow> {
    let routing = row.text(3)?;
    Ok(AliasRow {
        state_machine: row.text(0)?,
        name: row.text(1)?,
        description: row.text_if(2)?,
        routing: serde_json::from_str(&routing).map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
        created: row.time(4)?,
        updated: row.time(5)?,
    })
}

pub(crate) fn activity(row: &impl Columns) -> Read<ActivityRow> {
    Ok(ActivityRow { arn: row.text(0)?, name: row.text(1)?, encryption: row.text_if(2)?, created: row.time(3)? })
}

pub(crate) fn map_run(row: &impl Columns) -> Read<MapRunRow> {
    Ok(MapRunRow {
        arn: row.text(0)?,
        execution: ExecutionId(row.number(1)?),
        state_machine: row.text(2)?,
        status: row.text(3)?,
        max_concurrency: row.number(4)?,
        tolerated_failure_percentage: row.fraction(5)?,
        tolerated_failure_count: row.number(6)?,
        redrive_count: row.number(7)?,
        redriven: row.time_if(8)?,
        started: row.time(9)?,
        stopped: row.time_if(10)?,
    })
}

pub(crate) fn tag(row: &impl Columns) -> Read<(String, String)> {
    Ok((row.text(0)?, row.text(1)?))
}

/// The key that a page begins behind; the empty text comes before all keys.
pub(crate) fn behind(after: &After) -> String {
    after.key.clone().unwrap_or_default()
}
