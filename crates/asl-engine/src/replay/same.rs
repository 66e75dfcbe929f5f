//! Are two events the same? Field by field.

use super::names::{Learnt, Names};
use asl_value::{Map, Value};
use std::fmt;

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The way to it: `type`, `previousEventId`, `output.total`, `input.items[2]`.
    pub field: String,
    /// What was recorded; `None` when there is no such field.
    pub recorded: Option<Value>,
    /// What the replay makes; `None` when there is no such field.
    pub replayed: Option<Value>,
}

impl fmt::Display for Difference {
    /// Three lines: the field, then `- recorded` and `+ replayed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "(absent)".to_owned(), Value::to_string);
        writeln!(f, "  {}", self.field)?;
        writeln!(f, "    - {}", shown(&self.recorded))?;
        write!(f, "    + {}", shown(&self.replayed))
    }
}

/// Members whose texts are JSON; they are compared as the values they are.
const JSON_TEXT: [&str; 3] = ["input", "output", "parameters"];
/// Members that say how AWS delivered a payload, not what happened.
const DELIVERY: [&str; 3] = ["inputDetails", "outputDetails", "assignedVariablesDetails"];

/// How two events are compared.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'n> {
    /// Names that stand for each other; `None` compares to the byte.
    pub(crate) names: Option<&'n Names>,
    /// The record has no inputs and outputs: `--no-include-execution-data`.
    pub(crate) no_data: bool,
    /// It was recorded before redrive was launched: the context object had no `RedriveCount`.
    pub(crate) before_redrive: bool,
}

/// All fields of two events in AWS's shape that differ, to the byte.
pub(crate) fn exactly(recorded: &Value, replayed: &Value) -> Vec<Difference> {
    let mut compare = Compare {
        rules: Rules { names: None, no_data: false, before_redrive: false },
        learnt: Learnt::new(),
        found: Vec::new(),
    };
    for (key, a, b) in both(recorded, replayed) {
        let inside = key.ends_with("EventDetails");
        compare.member(if inside { "" } else { key }, a, b, inside);
    }
    compare.found
}

/// The members of the details that differ; or, when none does, which names were learnt.
pub(crate) fn details(recorded: &Value, replayed: &Value, rules: Rules<'_>) -> Result<Learnt, Vec<Difference>> {
    let mut compare = Compare { rules, learnt: Learnt::new(), found: Vec::new() };
    compare.details(recorded, replayed);
    if compare.found.is_empty() { Ok(compare.learnt) } else { Err(compare.found) }
}

/// The parts of two values that differ.
pub(crate) fn values(recorded: &Value, replayed: &Value, rules: Rules<'_>) -> Vec<Difference> {
    let mut compare = Compare { rules, learnt: Learnt::new(), found: Vec::new() };
    compare.value("", recorded, replayed);
    compare.found
}

struct Compare<'n> {
    rules: Rules<'n>,
    learnt: Learnt,
    found: Vec<Difference>,
}

impl Compare<'_> {
    fn details(&mut self, recorded: &Value, replayed: &Value) {
        for (key, a, b) in both(recorded, replayed) {
            if self.rules.names.is_some() && DELIVERY.contains(&key) {
                continue;
            }
            if self.rules.no_data && a.is_none() && (JSON_TEXT.contains(&key) || key == "assignedVariables") {
                continue;
            }
            self.member(key, a, b, false);
        }
    }

    fn member(&mut self, path: &str, a: Option<&Value>, b: Option<&Value>, is_details: bool) {
        let (Some(a), Some(b)) = (a, b) else {
            return self.differs(path, a, b);
        };
        if is_details {
            return self.details(a, b);
        }
        let as_json = JSON_TEXT.contains(&path) || path.starts_with("assignedVariables.");
        let parsed = |value: &Value| value.as_str().filter(|_| as_json).and_then(|text| text.parse::<Value>().ok());
        match (parsed(a), parsed(b)) {
            (Some(parsed_a), Some(parsed_b)) => {
                let before = self.found.len();
                self.value(path, &parsed_a, &parsed_b);
                // The same values in another spelling: to the byte they differ.
                if self.rules.names.is_none() && self.found.len() == before && a != b {
                    self.differs(path, Some(a), Some(b));
                }
            }
            _ => self.value(path, a, b),
        }
    }

    fn value(&mut self, path: &str, a: &Value, b: &Value) {
        match (a, b) {
            (Value::Object(_), Value::Object(_)) => {
                for (key, a, b) in both(a, b) {
                    if self.rules.before_redrive && a.is_none() && key == "RedriveCount" {
                        continue;
                    }
                    self.member(&join(path, key), a, b, false);
                }
            }
            (Value::Array(list_a), Value::Array(list_b)) => {
                for i in 0..list_a.len().max(list_b.len()) {
                    self.member(&format!("{path}[{i}]"), list_a.get(i), list_b.get(i), false);
                }
            }
            (Value::String(text_a), Value::String(text_b)) => {
                let same = match self.rules.names {
                    Some(names) => {
                        let known = self.learnt.len();
                        let same = names.same(text_a, text_b, &mut self.learnt);
                        if !same {
                            self.learnt.truncate(known);
                        }
                        same
                    }
                    None => text_a == text_b,
                };
                if !same {
                    self.differs(path, Some(a), Some(b));
                }
            }
            _ if a == b => {}
            _ => self.differs(path, Some(a), Some(b)),
        }
    }

    fn differs(&mut self, path: &str, a: Option<&Value>, b: Option<&Value>) {
        let field = path.to_owned();
        self.found.push(Difference { field, recorded: a.cloned(), replayed: b.cloned() });
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A member of two objects.
type Member<'v> = (&'v str, Option<&'v Value>, Option<&'v Value>);

/// The members of both, in the order of the first; anything but an object has none.
fn both<'v>(a: &'v Value, b: &'v Value) -> Vec<Member<'v>> {
    let members = |v: &'v Value| v.as_object().map(Map::iter).into_iter().flatten();
    let mut out: Vec<Member<'v>> = members(a).map(|(key, value)| (&**key, Some(value), b.get(key))).collect();
    let only_b = members(b).filter(|(key, _)| a.get(key).is_none());
    out.extend(only_b.map(|(key, value)| (&**key, None, Some(value))));
    out
}
