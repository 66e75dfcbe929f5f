//! The work of each state type: one file each.

mod choice;
mod fail;
pub(crate) mod map;
mod parallel;
mod pass;
pub(crate) mod task;
mod wait;

use crate::machine::Machine;
use crate::scope::ScopeId;
use asl_syntax::model::{State, StateKind};

/// Does the work of `state`, in which the scope is: for the first time, or again after a back-off.
pub(crate) fn attempt(machine: &mut Machine, id: ScopeId, state: &State) {
    let done = match &state.kind {
        StateKind::Pass { result } => pass::run(machine, id, state, result.as_ref()),
        StateKind::Succeed => pass::run(machine, id, state, None),
        StateKind::Task(task) => task::schedule(machine, id, state, task),
        StateKind::Choice(choice) => choice::run(machine, id, state, choice),
        StateKind::Wait(wait) => wait::run(machine, id, state, wait),
        StateKind::Fail { error, cause } => fail::run(machine, id, state, error.as_ref(), cause.as_ref()),
        StateKind::Parallel(parallel) => parallel::run(machine, id, state, parallel),
        StateKind::Map(map) => map::run(machine, id, state, map),
    };
    if let Err(error) = done {
        machine.recover(id, error);
    }
}
