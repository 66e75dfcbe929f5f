//! A map run is redriven with its execution: its unsuccessful children go on, and those that never started start
//! (spec: RedriveExecution).

use super::progress::{self, run_mut, run_of};
use super::{MapCommand, MapRun, Stage};
use crate::event::{EventKind, Failure};
use crate::machine::Machine;
use crate::scope::{Phase, ScopeId};

/// How often a map run can be redriven (AWS limit).
const REDRIVES: u64 = 1000;

/// Goes on with a map run that failed or was given up. Items are read again only if that is what it was at.
pub(crate) fn redrive(machine: &mut Machine, id: ScopeId, mut run: Box<MapRun>) {
    run.redrives += 1;
    run.verdict = None;
    run.failed_items = 0;
    run.results.forget_failed();
    run.again = std::mem::take(&mut run.unsuccessful);
    let read = match &run.stage {
        Stage::Reading(read) => Some(read.clone()),
        Stage::Running | Stage::Writing(_) => {
            run.stage = Stage::Running;
            None
        }
    };
    let kind = EventKind::MapRunRedriven { arn: run.arn.clone(), redrive_count: run.redrives };
    run.started = machine.emit_in(id, kind);
    machine.map_runs.insert(run.id, id);
    machine.scopes.get_mut(id).phase = Phase::MapRun(run);
    let many = run_mut(machine, id).is_some_and(|run| run.redrives > REDRIVES);
    match read {
        _ if many => {
            let cause = format!("A map run can be redriven {REDRIVES} times");
            progress::fail(machine, id, Failure::new("States.Runtime", cause));
        }
        Some(read) => machine.map_command(MapCommand::Read(read)),
        None => progress::go_on(machine, id),
    }
}

/// Redrives the next child that did not succeed. False when there is none.
pub(super) fn go_on(machine: &mut Machine, id: ScopeId) -> bool {
    let run = run_of(machine, id);
    let Some((child, mut of)) = run.again.pop_first() else { return false };
    of.redrives += 1;
    let call = run.call(child, &of);
    run.running.insert(child, of);
    machine.map_command(MapCommand::Start(call));
    true
}
