//! Map: the processor once for each item.

use crate::context::Context;
use crate::data::{ask, eval_path, unexpected};
use crate::error::StateError;
use crate::machine::Machine;
use crate::map_run::{self, Kind};
use crate::probe::DataStage;
use crate::scope::ScopeId;
use asl_syntax::model::{ItemsField, Language, Map, State};
use asl_value::Value;

/// How many iterations of an inline Map run at once when `MaxConcurrency` is 0 or larger (AWS limit).
const INLINE_CONCURRENCY: usize = 40;

pub(super) fn run(machine: &mut Machine, id: ScopeId, state: &State, map: &Map) -> Result<(), StateError> {
    if let Some(distributed) = &map.distributed {
        return map_run::start(machine, id, state, map, distributed);
    }
    let input = machine.effective_input(id, state)?.into_owned();
    let env = Context::new(machine, id);
    let limit = match &map.max_concurrency {
        Some(field) => map_run::number(field, "MaxConcurrencyPath", Kind::Integer, &input, &env)?,
        None => 0.0,
    };
    let items = match (items(map, &input, &env)?, &map.items) {
        (Value::Array(items), _) => {
            see_items(machine, id, state, || Value::Array(items.clone()));
            items
        }
        // An object can be mapped by a Distributed Map alone.
        (other, Some(ItemsField::Query(query))) if query.text().is_some() => {
            return Err(unexpected(query, "array", &other));
        }
        (other, _) => return Err(not_items(state, map, &other)),
    };
    see_concurrency(machine, id, limit);
    let limit = if limit >= 1.0 { (limit as usize).min(INLINE_CONCURRENCY) } else { INLINE_CONCURRENCY };
    machine.iterate(id, items, input, limit);
    Ok(())
}

/// What the Map maps: `ItemsPath` or `Items`, else its effective input.
pub(crate) fn items(map: &Map, input: &Value, env: &Context<'_>) -> Result<Value, StateError> {
    match &map.items {
        Some(ItemsField::Path(path)) => eval_path(path, input, env),
        Some(ItemsField::Query(query)) => match ask(query, env)? {
            items @ (Value::Array(_) | Value::Object(_)) => Ok(items),
            other => Err(unexpected(query, "array", &other)),
        },
        None => Ok(input.clone()),
    }
}

/// Notes what `ItemsPath` made.
pub(crate) fn see_items(machine: &Machine, id: ScopeId, state: &State, items: impl FnOnce() -> Value) {
    if state.language == Language::JsonPath {
        machine.see(id, DataStage::AfterItemsPath, items);
    }
}

/// Notes `MaxConcurrency` as it is written or computed; 0 by default.
pub(crate) fn see_concurrency(machine: &Machine, id: ScopeId, limit: f64) {
    machine.see(id, DataStage::MaxConcurrency, || Value::from(limit as i64));
}

/// The error of a value that cannot be mapped.
pub(crate) fn not_items(state: &State, map: &Map, value: &Value) -> StateError {
    if state.language == Language::Jsonata {
        return StateError::query(None, format!("Map state input must be an array but was: {value}"));
    }
    let path = match &map.items {
        Some(ItemsField::Path(path)) => path.text_in_document(),
        _ => "$",
    };
    StateError::runtime(format!("Reference path \"{path}\" must point to array."))
}
