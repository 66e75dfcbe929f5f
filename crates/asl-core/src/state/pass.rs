//! Pass, and Succeed, which is a Pass without a result.

use crate::context::Context;
use crate::data::fill;
use crate::error::StateError;
use crate::machine::Machine;
use crate::probe::DataStage;
use crate::scope::ScopeId;
use asl_syntax::model::State;
use asl_value::Value;

/// The result is `Result`, else `Parameters`, else the effective input.
pub(super) fn run(machine: &mut Machine, id: ScopeId, state: &State, result: Option<&Value>) -> Result<(), StateError> {
    let input = machine.effective_input(id, state)?;
    let written = result.is_some();
    let result = match (result, &state.parameters) {
        (Some(result), _) => result.clone(),
        (None, Some(template)) => fill(template, &input, &Context::new(machine, id))?,
        (None, None) => input.into_owned(),
    };
    match written {
        true => machine.see(id, DataStage::Result, || result.clone()),
        false => machine.see_parameters(id, state, &result),
    }
    machine.finish_state(id, state, result);
    Ok(())
}
