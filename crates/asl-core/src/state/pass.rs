//! Pass, and Succeed, which is a Pass without a result.

use crate::context::Context;
use crate::data::fill;
use crate::error::StateError;
use crate::machine::Machine;
use crate::scope::ScopeId;
use asl_syntax::model::State;
use asl_value::Value;

/// The result is `Result`, else `Parameters`, else the effective input.
pub(super) fn run(machine: &mut Machine, id: ScopeId, state: &State, result: Option<&Value>) -> Result<(), StateError> {
    let input = machine.effective_input(id, state)?;
    let result = match (result, &state.parameters) {
        (Some(result), _) => result.clone(),
        (None, Some(template)) => fill(template, &input, &Context::new(machine, id))?,
        (None, None) => input.into_owned(),
    };
    machine.finish_state(id, state, result);
    Ok(())
}
