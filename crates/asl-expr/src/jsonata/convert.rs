//! Between the shared value and the evaluator's own.

use super::messages;
use super::{Bounds, JsonataError};
use asl_value::{Map, Number, Value};
use jsonata_core::value::JValue;
use std::collections::BTreeMap;

/// The parts of a value that an expression names: all of it, or only these members, also of the elements of arrays.
#[derive(Debug, Default)]
pub(super) struct Shape {
    whole: bool,
    members: BTreeMap<String, Shape>,
}

impl Shape {
    /// Adds the part that `steps` lead to.
    pub(super) fn add(&mut self, steps: &[&str]) {
        match steps.split_first() {
            None => self.whole = true,
            Some((first, rest)) => self.members.entry((*first).to_owned()).or_default().add(rest),
        }
    }
}

/// The parts of `value` that `shape` names.
pub(super) fn shaped(value: &Value, shape: &Shape) -> JValue {
    match value {
        _ if shape.whole => to_engine(value),
        Value::Array(items) => JValue::array(items.iter().map(|item| shaped(item, shape)).collect()),
        Value::Object(map) => {
            let named = shape.members.iter();
            let members = named.filter_map(|(key, part)| map.get(key).map(|v| (key.clone(), shaped(v, part))));
            JValue::object(members.collect())
        }
        scalar => to_engine(scalar),
    }
}

/// The whole value.
pub(super) fn to_engine(value: &Value) -> JValue {
    match value {
        Value::Null => JValue::Null,
        Value::Bool(b) => JValue::Bool(*b),
        Value::Number(n) => JValue::Number(n.as_f64()),
        Value::String(s) => JValue::string(&**s),
        Value::Array(items) => JValue::array(items.iter().map(to_engine).collect()),
        Value::Object(map) => JValue::object(map.iter().map(|(k, v)| (k.to_string(), to_engine(v))).collect()),
    }
}

/// The result of an evaluation. `None` is undefined.
///
/// # Errors
/// Functions and regular expressions, and results past the bound on memory or on depth.
pub(super) fn from_engine(value: &JValue, bounds: &Bounds) -> Result<Option<Value>, JsonataError> {
    let mut room = bounds.memory;
    from(value, &mut room, 0)
}

fn from(value: &JValue, room: &mut usize, depth: usize) -> Result<Option<Value>, JsonataError> {
    let size = match value {
        JValue::String(s) => s.len(),
        _ => 8,
    };
    *room = room.checked_sub(size).ok_or_else(messages::memory)?;
    if depth > asl_value::MAX_DEPTH {
        return Err(messages::memory());
    }
    Ok(Some(match value {
        JValue::Undefined => return Ok(None),
        JValue::Null => Value::Null,
        JValue::Bool(b) => Value::Bool(*b),
        JValue::Number(n) => number(*n),
        JValue::String(s) => Value::from(&**s),
        JValue::Array(items) => {
            let mut out = Vec::with_capacity(items.len().min(4096));
            for item in items {
                out.push(from(item, room, depth + 1)?.unwrap_or_default());
            }
            Value::from(out)
        }
        JValue::Object(members) => {
            let mut map = Map::with_capacity(members.len().min(4096));
            for (key, member) in members.iter() {
                *room = room.checked_sub(key.len()).ok_or_else(messages::memory)?;
                if let Some(member) = from(member, room, depth + 1)? {
                    map.insert(key.as_str(), member);
                }
            }
            Value::from(map)
        }
        JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => return Err(messages::unsupported()),
    }))
}

/// Whole numbers within 64 bits are integers; what JSON cannot carry becomes its name, as on AWS.
fn number(n: f64) -> Value {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if n.is_nan() {
        Value::from("NaN")
    } else if n.is_infinite() {
        Value::from(if n > 0.0 { "Infinity" } else { "-Infinity" })
    } else if n.fract() == 0.0 && (-LIMIT..LIMIT).contains(&n) {
        Value::from(n as i64)
    } else {
        Number::from_f64(n).map_or(Value::Null, Value::Number)
    }
}
