//! Parallel: every branch at once, with the same input.

use crate::context::Context;
use crate::data::fill;
use crate::error::StateError;
use crate::machine::Machine;
use crate::scope::ScopeId;
use asl_syntax::model::{Parallel, State, StateId};

pub(super) fn run(machine: &mut Machine, id: ScopeId, state: &State, parallel: &Parallel) -> Result<(), StateError> {
    let mut input = machine.effective_input(id, state)?.into_owned();
    if let Some(template) = &state.parameters {
        input = fill(template, &input, &Context::new(machine, id))?;
        machine.check_size(&input, || StateError::data_limit(&state.name, "provided", "parameters"))?;
    }
    machine.see_parameters(id, state, &input);
    let definition = machine.definition.clone();
    let starts: Vec<StateId> = parallel.branches.iter().map(|flow| definition.flow(*flow).start_at).collect();
    machine.fork(id, &starts, &input);
    Ok(())
}
