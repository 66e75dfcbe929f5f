//! Redrive: an execution that ended without success goes on from there (AWS: RedriveExecution).

use crate::driver::Driver;
use crate::engine::{Engine, now};
use crate::error::EngineError;
use crate::replay;
use asl_journal::{ExecutionRow, Status};
use std::sync::Arc;

/// Redrives an execution that somebody asked for. A child of a map run goes on with its parent only.
pub(crate) async fn asked(engine: &Engine, row: &ExecutionRow) -> Result<(), EngineError> {
    if row.state_machine_arn.contains('/') {
        let why = "it is a child of a map run, which is redriven with the execution it belongs to".to_owned();
        return Err(EngineError::NotRedrivable { execution: row.name.clone(), why });
    }
    again(engine, row).await
}

/// Redrives an execution: when this returns the redrive is on disk, and the execution is at work.
async fn again(engine: &Engine, row: &ExecutionRow) -> Result<(), EngineError> {
    // Two may ask for it at once.
    let _one_at_a_time = engine.inner.resuming.lock().await;
    let (machine, _) = replay::rebuild(&engine.inner.journal, row).await.map_err(Arc::new)?;
    let refused =
        |why: asl_core::NotRedrivable| EngineError::NotRedrivable { execution: row.name.clone(), why: why.to_string() };
    machine.redrivable(now()).map_err(refused)?;
    let driver = Driver::redrive(engine.inner.clone(), machine, row.id).await?;
    engine.launch(&row.arn.as_str().into(), driver);
    Ok(())
}

/// Sees to it that a child of a map run was redriven as often as its map run wants. One that succeeded meanwhile, or that
/// cannot be redriven, stays as it is.
pub(crate) async fn child(engine: &Engine, arn: &str, redrives: u64) -> Result<(), EngineError> {
    let Some(row) = engine.inner.journal.execution(arn).await? else { return Ok(()) };
    if row.redrive_count >= redrives {
        return Ok(());
    }
    if row.status == Status::Running {
        // It is still being stopped, or a crash came before that.
        engine.resume_one(&row).await?;
        engine.wait(arn).await?;
    }
    let Some(row) = engine.inner.journal.execution(arn).await? else { return Ok(()) };
    match again(engine, &row).await {
        Err(EngineError::NotRedrivable { .. }) => Ok(()),
        other => other,
    }
}
