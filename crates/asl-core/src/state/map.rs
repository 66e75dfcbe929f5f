//! Map: the processor once for each item.

use crate::context::Context;
use crate::data::{eval_path, number};
use crate::error::StateError;
use crate::machine::Machine;
use crate::scope::ScopeId;
use asl_expr::Path;
use asl_syntax::model::{Map, State};
use asl_value::Value;

/// How many iterations of an inline Map run at once when `MaxConcurrency` is 0 or larger (AWS limit).
const INLINE_CONCURRENCY: usize = 40;

pub(super) fn run(machine: &mut Machine, id: ScopeId, state: &State, map: &Map) -> Result<(), StateError> {
    let input = machine.effective_input(id, state)?;
    let env = Context::new(machine, id);
    let limit = match &map.max_concurrency {
        Some(field) => number(field, &input, &env, |path, value| not_an_integer("MaxConcurrencyPath", path, value))?,
        None => 0.0,
    };
    let items = match &map.items_path {
        Some(path) => eval_path(path, &input, &env)?,
        None => input.clone(),
    };
    let Value::Array(items) = items else {
        let path = map.items_path.as_ref().map_or("$", |p| p.text());
        return Err(StateError::runtime(format!("Reference path \"{path}\" must point to array.")));
    };
    let limit = if limit >= 1.0 { (limit as usize).min(INLINE_CONCURRENCY) } else { INLINE_CONCURRENCY };
    machine.iterate(id, items, input, limit);
    Ok(())
}

/// AWS's words for a `…Path` field that yields no integer; a string is shown without its quotes.
fn not_an_integer(field: &str, path: &Path, value: &Value) -> StateError {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    StateError::runtime(format!(
        "The {field} field refers to value \"{shown}\" which is not a valid integer: {}",
        path.text()
    ))
}
