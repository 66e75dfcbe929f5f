//! Map: the processor once for each item.

use crate::context::Context;
use crate::data::eval_path;
use crate::error::StateError;
use crate::machine::Machine;
use crate::map_run::{self, Kind};
use crate::scope::ScopeId;
use asl_syntax::model::{Map, State};
use asl_value::Value;

/// How many iterations of an inline Map run at once when `MaxConcurrency` is 0 or larger (AWS limit).
const INLINE_CONCURRENCY: usize = 40;

pub(super) fn run(machine: &mut Machine, id: ScopeId, state: &State, map: &Map) -> Result<(), StateError> {
    if let Some(distributed) = &map.distributed {
        return map_run::start(machine, id, state, map, distributed);
    }
    let input = machine.effective_input(id, state)?;
    let env = Context::new(machine, id);
    let limit = match &map.max_concurrency {
        Some(field) => map_run::number(field, "MaxConcurrencyPath", Kind::Integer, &input, &env)?,
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
