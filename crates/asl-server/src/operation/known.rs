//! State machines as the catalogue had them a moment ago: StartExecution asks for the same few over and over.
//!
//! A change by this server is seen at once. One by another server of the same database is seen within [`GOOD_FOR`]: AWS, too,
//! says that starts immediately after UpdateStateMachine may use the definition of before.

use super::Api;
use crate::wire::ApiError;
use asl::parts::store::StateMachineRow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a row is used without asking again.
const GOOD_FOR: Duration = Duration::from_millis(200);
/// How many rows are kept.
const KEPT: usize = 1024;

#[derive(Default)]
struct Rows {
    by_arn: HashMap<String, (Arc<StateMachineRow>, Instant)>,
    /// How often this server has changed any: what was read before a change is not kept after it.
    changes: u64,
}

/// Rows that were read.
#[derive(Default)]
pub(crate) struct KnownMachines(Mutex<Rows>);

impl KnownMachines {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all: this server has changed one.
    pub(super) fn changed(&self) {
        let mut rows = self.rows();
        rows.changes += 1;
        rows.by_arn.clear();
    }

    /// The row, if it is young enough; otherwise how many changes there were before it is read.
    fn find(&self, arn: &str, now: Instant) -> Result<Arc<StateMachineRow>, u64> {
        let rows = self.rows();
        match rows.by_arn.get(arn) {
            Some((row, read)) if now.saturating_duration_since(*read) < GOOD_FOR => Ok(row.clone()),
            _ => Err(rows.changes),
        }
    }

    fn keep(&self, row: &Arc<StateMachineRow>, read: Instant, changes: u64) {
        let mut rows = self.rows();
        if rows.changes != changes {
            return;
        }
        if rows.by_arn.len() >= KEPT {
            rows.by_arn.clear();
        }
        rows.by_arn.insert(row.arn.clone(), (row.clone(), read));
    }
}

impl Api {
    /// The state machine with this ARN, to be started; `None` when there is none.
    pub(super) async fn machine_to_start(&self, arn: &str) -> Result<Option<Arc<StateMachineRow>>, ApiError> {
        let now = Instant::now();
        let changes = match self.known.find(arn, now) {
            Ok(row) => return Ok(Some(row)),
            Err(changes) => changes,
        };
        let row = self.catalogue().state_machine(arn).await?.map(Arc::new);
        if let Some(row) = &row {
            self.known.keep(row, now, changes);
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use asl::Timestamp;

    fn row(arn: &str) -> Arc<StateMachineRow> {
        Arc::new(StateMachineRow {
            arn: arn.to_owned(),
            name: "m".to_owned(),
            kind: "STANDARD".to_owned(),
            status: "ACTIVE".to_owned(),
            role_arn: String::new(),
            definition: String::new(),
            revision_id: None,
            configuration: "{}".to_owned(),
            last_version: 0,
            created: Timestamp::from_millis(0),
            updated: None,
        })
    }

    #[test]
    fn what_was_read_before_a_change_is_not_used_after_it() {
        let (known, now) = (KnownMachines::default(), Instant::now());
        known.keep(&row("a"), now, known.find("a", now).unwrap_err());
        assert!(known.find("a", now).is_ok());
        assert!(known.find("a", now + GOOD_FOR).is_err(), "it is asked again after a while");
        let before = known.find("b", now).unwrap_err();
        known.changed();
        known.keep(&row("b"), now, before);
        assert!(known.find("a", now).is_err() && known.find("b", now).is_err());
    }
}
