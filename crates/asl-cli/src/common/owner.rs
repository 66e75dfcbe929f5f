//! Which process runs an execution.

use asl::{ExecutionRow, Holder};

/// Which living process runs an execution that has not ended.
pub(crate) fn run_by(row: &ExecutionRow, holders: &[Holder]) -> Option<String> {
    let holder = holders.iter().find(|holder| holder.alive && Some(holder.worker.id) == row.owner)?;
    Some(format!("{} ({})", holder.worker.what, holder.worker.process))
}

/// A living process that works on the database, other than this one.
pub(crate) fn alive(holders: &[Holder]) -> Option<String> {
    let others = holders.iter().filter(|holder| holder.alive && holder.worker.process != std::process::id());
    others.map(|holder| format!("{} ({})", holder.worker.what, holder.worker.process)).next()
}
