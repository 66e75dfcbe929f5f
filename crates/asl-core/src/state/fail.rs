//! Fail: ends its flow with an error.

use crate::context::Context;
use crate::data::{ask, unexpected};
use crate::error::StateError;
use crate::event::Failure;
use crate::machine::Machine;
use crate::probe::DataStage;
use crate::scope::ScopeId;
use asl_syntax::model::{Language, State, TextField};
use std::sync::Arc;

pub(super) fn run(
    machine: &mut Machine,
    id: ScopeId,
    state: &State,
    error: Option<&TextField>,
    cause: Option<&TextField>,
) -> Result<(), StateError> {
    if state.language == Language::JsonPath {
        machine.see(id, DataStage::AfterInputPath, || machine.scopes.get(id).input.clone());
    }
    let error = error.map(|e| text(machine, id, e, "ErrorPath")).transpose()?;
    let cause = cause.map(|c| text(machine, id, c, "CausePath")).transpose()?;
    let failure = Failure { error, cause };
    machine.fail_scope(id, StateError { class: crate::Class::Task, failure, hint: None });
    Ok(())
}

/// The text itself, or what its path or intrinsic yields, which must be a string.
fn text(machine: &Machine, id: ScopeId, field: &TextField, name: &str) -> Result<Arc<str>, StateError> {
    let (source, expr) = match field {
        TextField::Literal(text) => return Ok(text.clone()),
        TextField::Computed { text, expr } => (text, expr),
        TextField::Query(query) => {
            let value = ask(query, &Context::new(machine, id))?;
            return value.as_str().map(Arc::from).ok_or_else(|| unexpected(query, "string", &value));
        }
    };
    let value = expr.eval(name, &machine.scopes.get(id).input, &Context::new(machine, id))?;
    value.as_str().map(Arc::from).ok_or_else(|| {
        let cause = format!("The value of the field '{name}' must be a string, but '{source}' yields {value}");
        StateError::runtime(cause)
    })
}
