//! Where the histories of a process's executions end, between their records.

use crate::encoding::payloads::Numbering;
use crate::{ExecutionId, WorkerId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many executions are remembered, and how many bytes of payloads of all of them; others are looked up.
const ENDS: usize = 4096;
const ENDS_BYTES: usize = 32 * 1024 * 1024;

/// The end of the history of an execution that runs. The writer of the next record takes it, and puts it back moved on.
#[derive(Debug)]
pub(crate) struct End {
    /// The position of the last record.
    pub(crate) position: i64,
    pub(crate) numbering: Numbering,
    /// Whose it is: nobody else changes that while the owner is in force.
    pub(crate) owner: WorkerId,
}

#[derive(Debug, Default)]
pub(crate) struct Ends(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    ends: HashMap<ExecutionId, End>,
    bytes: usize,
}

impl Ends {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the end of an execution of this worker.
    pub(crate) fn take(&self, execution: ExecutionId, owner: WorkerId) -> Option<End> {
        let mut kept = self.kept();
        let end = kept.ends.remove(&execution)?;
        kept.bytes -= end.numbering.bytes();
        Some(end).filter(|end| end.owner == owner)
    }

    /// They are looked up again.
    pub(crate) fn forget(&self, executions: impl IntoIterator<Item = ExecutionId>) {
        let mut kept = self.kept();
        for execution in executions {
            let end = kept.ends.remove(&execution);
            kept.bytes -= end.map_or(0, |end| end.numbering.bytes());
        }
    }

    pub(crate) fn put(&self, execution: ExecutionId, end: End) {
        let mut kept = self.kept();
        kept.bytes += end.numbering.bytes();
        let replaced = kept.ends.insert(execution, end);
        kept.bytes -= replaced.map_or(0, |end| end.numbering.bytes());
        if kept.ends.len() > ENDS || kept.bytes > ENDS_BYTES {
            // Every other one: which are idle is not known.
            let mut keep = false;
            kept.ends.retain(|_, _| {
                keep = !keep;
                keep
            });
            kept.bytes = kept.ends.values().map(|end| end.numbering.bytes()).sum();
        }
    }
}
