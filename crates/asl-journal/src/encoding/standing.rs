//! What a record changes about the header of its execution.

use crate::{Record, WorkerId};
use asl_core::Outcome;
use std::sync::Arc;

/// Where an execution stands, as its row shows it.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) status: &'static str,
    pub(crate) stopped_ms: Option<i64>,
    pub(crate) error: Option<Arc<str>>,
    pub(crate) cause: Option<Arc<str>>,
    /// When it was redriven, if this record did that.
    pub(crate) redriven_ms: Option<i64>,
    /// Whose it is then.
    pub(crate) redriver: Option<i64>,
}

impl Standing {
    /// What a record changes about that; `None` for nothing.
    pub(crate) fn new(outcome: Option<&Outcome>, record: &Record, owner: Option<WorkerId>) -> Option<Standing> {
        let redriven_ms = record.redrives().then(|| record.now.millis());
        let redriver = owner.map(|worker| worker.0);
        let Some(outcome) = outcome else {
            redriven_ms?;
            let (status, stopped_ms) = ("RUNNING", None);
            return Some(Standing { status, stopped_ms, error: None, cause: None, redriven_ms, redriver });
        };
        let (error, cause) = match outcome {
            Outcome::Succeeded(_) => (None, None),
            Outcome::Failed(f) | Outcome::TimedOut(f) | Outcome::Aborted(f) => (f.error.clone(), f.cause.clone()),
        };
        let stopped = record.events.last().map_or(record.now, |event| event.timestamp);
        let stopped_ms = Some(stopped.millis());
        Some(Standing { status: outcome.status(), stopped_ms, error, cause, redriven_ms, redriver })
    }
}
