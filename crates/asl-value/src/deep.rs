//! Dropping, comparing and measuring values of any depth without recursion: what is still due stands in a list, so a value
//! that a program nested deeper than any stack does no harm.

use crate::value::{Measure, Value};
use std::sync::Arc;

/// Drops what is below some values. Called by an array or object that is about to be dropped itself.
pub(crate) fn dismantle<'v>(children: impl Iterator<Item = &'v mut Value>) {
    let mut due = Vec::new();
    take_nested(children, &mut due);
    while let Some(value) = due.pop() {
        match value {
            // One that is shared stays; the last owner comes here again.
            Value::Array(items) => {
                if let Some(mut items) = Arc::into_inner(items) {
                    take_nested(items.items_mut(), &mut due);
                }
            }
            Value::Object(map) => {
                if let Some(mut map) = Arc::into_inner(map) {
                    take_nested(map.values_mut(), &mut due);
                }
            }
            _ => {}
        }
    }
}

fn take_nested<'v>(children: impl Iterator<Item = &'v mut Value>, due: &mut Vec<Value>) {
    // What others own as well is only counted down where it stands. If they let go of it in this moment, its own drop is this one again.
    due.extend(children.filter(|child| child.is_owned()).map(std::mem::take));
}

/// What makes two values alike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// They are equal as JSON: the order of members and the way numbers are written make no difference.
    Value,
    /// Their compact texts are the same.
    Text,
}

/// True when all pairs are alike.
pub(crate) fn alike<'v>(pairs: impl IntoIterator<Item = (&'v Value, &'v Value)>, by: Likeness) -> bool {
    let mut due = Vec::new();
    if !pairs.into_iter().all(|(a, b)| compare(a, b, by, &mut due)) {
        return false;
    }
    while let Some((a, b)) = due.pop() {
        let alike = match (a, b) {
            (Value::Array(a), Value::Array(b)) => a.iter().zip(b.iter()).all(|(a, b)| compare(a, b, by, &mut due)),
            (Value::Object(a), Value::Object(b)) if by == Likeness::Text => {
                a.iter().zip(b.iter()).all(|((k, a), (l, b))| k == l && compare(a, b, by, &mut due))
            }
            (Value::Object(a), Value::Object(b)) => {
                a.iter().all(|(key, a)| b.get(key).is_some_and(|b| compare(a, b, by, &mut due)))
            }
            _ => false,
        };
        if !alike {
            return false;
        }
    }
    true
}

/// Compares two values but for what is in them, which becomes due.
fn compare<'v>(a: &'v Value, b: &'v Value, by: Likeness, due: &mut Vec<(&'v Value, &'v Value)>) -> bool {
    match (a, b) {
        _ if a.same_node(b) => true,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Number(a), Value::Number(b)) if by == Likeness::Text => a.same_text(b),
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            due.push((a, b));
            true
        }
        (Value::Object(x), Value::Object(y)) if x.len() == y.len() => {
            due.push((a, b));
            true
        }
        _ => false,
    }
}

/// Measures an array or object from the inside out, so that whoever asks again is answered at once.
pub(crate) fn measure(root: &Value) -> Measure {
    let mut due = vec![root];
    while let Some(&top) = due.last() {
        let before = due.len();
        match top {
            _ if top.known().is_some() => {}
            Value::Array(items) => due.extend(items.iter().filter(|v| v.is_nested() && v.known().is_none())),
            Value::Object(map) => due.extend(map.values().filter(|v| v.is_nested() && v.known().is_none())),
            _ => {}
        }
        if due.len() == before {
            if top.known().is_none() {
                top.remember();
            }
            due.pop();
        }
    }
    root.known().unwrap_or(Measure { bytes: 0, depth: 0 })
}
