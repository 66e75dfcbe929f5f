//! Where a path that leads nowhere ends, for people.

use super::ast::{Elements, Segment};
use super::{Path, Root};
use crate::Env;
use crate::budget::Budget;
use crate::near::nearest;
use asl_value::{Kind, Map, Value};

/// How many keys are named.
const MAX_KEYS: usize = 8;
/// How long a key is shown, in characters.
const MAX_KEY_CHARS: usize = 40;

impl Path {
    /// What is there where the path leaves the document: `` `$.order` has no `lins`: did you mean `$.order.lines`? ``.
    /// `None` for a path that can be walked, or that may lead to several places.
    pub fn hint(&self, input: &Value, env: &dyn Env) -> Option<String> {
        let document = self.document(env, &Budget::new()).ok()?;
        let mut at = document.as_ref().unwrap_or(input);
        let mut place = match self.root() {
            Root::Input => "$".to_owned(),
            Root::Context => "$$".to_owned(),
            Root::Variable(name) => format!("${name}"),
        };
        for segment in &self.0.segments {
            match (segment, at) {
                (Segment::Names(names), Value::Object(map)) => {
                    let [name] = &names[..] else { return None };
                    let Some(found) = map.get(name) else { return Some(missing(&place, name, map)) };
                    place += &step(name);
                    at = found;
                }
                (Segment::Elements(Elements::At(index)), Value::Array(items)) => {
                    let found = usize::try_from(*index).ok().and_then(|index| items.get(index));
                    let Some(found) = found else {
                        return Some(format!("`{place}` has {} elements, counted from 0", items.len()));
                    };
                    place += &format!("[{index}]");
                    at = found;
                }
                (Segment::Names(_), other) => return Some(format!("`{place}` is {}, not an object", article(other))),
                (Segment::Elements(Elements::At(_)), other) => {
                    return Some(format!("`{place}` is {}, not an array", article(other)));
                }
                _ => return None,
            }
        }
        None
    }
}

pub(crate) fn missing(place: &str, name: &str, map: &Map) -> String {
    let shown = |key: &str| match key.char_indices().nth(MAX_KEY_CHARS) {
        Some((cut, _)) => format!("`{}…`", &key[..cut]),
        None => format!("`{key}`"),
    };
    let start = format!("`{place}` has no {}", shown(name));
    if let Some(near) = nearest(name, map.keys().map(|key| &**key)) {
        return format!("{start}: did you mean `{place}{}`?", step(near));
    }
    if map.is_empty() {
        return format!("{start}: it is an empty object");
    }
    let keys: Vec<String> = map.keys().take(MAX_KEYS).map(|key| shown(key)).collect();
    let more = if map.len() > MAX_KEYS { format!(" and {} more", map.len() - MAX_KEYS) } else { String::new() };
    format!("{start}; it has {}{more}", keys.join(", "))
}

/// A step to a member as it is written in a path.
pub(crate) fn step(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if plain { format!(".{name}") } else { format!("['{name}']") }
}

pub(crate) fn article(value: &Value) -> &'static str {
    match value.kind() {
        Kind::Null => "null",
        Kind::Boolean => "a boolean",
        Kind::Number => "a number",
        Kind::String => "a text",
        Kind::Array => "an array",
        Kind::Object => "an object",
    }
}
