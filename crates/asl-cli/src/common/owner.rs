//! Which process runs an execution.

use asl::{ExecutionRow, Holder};

/// Which living process runs an execution that has not ended.
pub(crate) fn run_by(row: &ExecutionRow, holders: &[Holder]) -> Option<String> {
    let holder = holders.iter().find(|holder| holder.alive && Some(holder.worker.id) == row.owner)?;
    Some(format!("{} ({})", holder.worker.what, holder.worker.process))
}
