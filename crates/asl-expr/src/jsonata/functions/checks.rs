//! The checks that [`crate::jsonata`] writes into expressions.

use super::super::guard;
use super::{Answer, Shared, Table, arg, fail, too_large};
use jsonata_core::functions;
use jsonata_core::value::JValue;
use std::rc::Rc;

pub(super) const TABLE: Table = &[
    (guard::FIT, fit),
    (guard::ITEM, item),
    (guard::CONCAT, concat),
    (guard::RANGE, range),
    (guard::NUMERIC, numeric),
    (guard::WHOLE, whole),
    (guard::NOTE, note),
    (guard::CHECK, check),
    (guard::LEAVE, leave),
];

/// The size of a value as a tree, `None` when it is past `room`. Shared parts count each time.
fn size(value: &JValue, room: usize) -> Option<usize> {
    let mut total = 0usize;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        total += match value {
            JValue::String(s) => s.len().max(8),
            _ => 8,
        };
        match value {
            JValue::Array(items) => open.extend(items.iter().take(room)),
            JValue::Object(members) => {
                total += members.keys().map(String::len).sum::<usize>();
                open.extend(members.values());
            }
            _ => {}
        }
        // What waits takes at least 8 bytes each.
        if total + open.len() * 8 > room {
            return None;
        }
    }
    Some(total)
}

fn fit(shared: &Shared, args: &[JValue]) -> Answer {
    let value = arg(args, 0);
    if size(value, shared.bounds.memory).is_none() { too_large() } else { Ok(value.clone()) }
}

fn item(shared: &Shared, args: &[JValue]) -> Answer {
    let value = arg(args, 0);
    let Some(size) = size(value, shared.bounds.memory) else { return too_large() };
    shared.give(size)?;
    Ok(value.clone())
}

impl Shared {
    /// Counts what callbacks and ranges give, of which the half may have been thrown away again.
    fn give(&self, bytes: usize) -> Result<(), jsonata_core::evaluator::EvaluatorError> {
        let given = self.given.get().saturating_add(bytes);
        self.given.set(given);
        if given > self.bounds.memory.saturating_mul(2) { too_large() } else { Ok(()) }
    }

    /// Keeps an eye on a string that was built: all that are alive are bounded together.
    pub(super) fn built(&self, text: String) -> Answer {
        if text.len() > self.bounds.memory {
            return too_large();
        }
        if self.replacing.get() > 0 {
            self.give(text.len())?;
        }
        let text: Rc<str> = text.into();
        if text.len() > 1024 {
            let mut strings = self.strings.borrow_mut();
            strings.push(Rc::downgrade(&text));
            self.unswept.set(self.unswept.get() + text.len());
            if self.unswept.get() > self.bounds.memory {
                strings.retain(|string| string.strong_count() > 0);
                let alive = strings.iter().filter_map(|s| s.upgrade()).map(|s| s.len()).sum::<usize>();
                self.unswept.set(0);
                if alive > self.bounds.memory.saturating_mul(2) {
                    return too_large();
                }
            }
        }
        Ok(JValue::String(text))
    }
}

fn concat(shared: &Shared, args: &[JValue]) -> Answer {
    let mut text = String::new();
    for side in args {
        if size(side, shared.bounds.memory).is_none() {
            return too_large();
        }
        match side {
            JValue::Undefined => {}
            JValue::String(s) => text.push_str(s),
            other => text.push_str(functions::string::string(other, None)?.as_str().unwrap_or_default()),
        }
        if text.len() > shared.bounds.memory {
            return too_large();
        }
    }
    shared.built(text)
}

fn range(shared: &Shared, args: &[JValue]) -> Answer {
    let (JValue::Number(first), JValue::Number(last)) = (arg(args, 0), arg(args, 1)) else {
        return Ok(arg(args, 1).clone());
    };
    let count = last - first + 1.0;
    if count > 1e7 {
        return fail(format!("D2014: Too many: {count}"));
    }
    if count >= 1.0 {
        shared.give((count as usize).saturating_mul(8))?;
    }
    Ok(arg(args, 1).clone())
}

/// The evaluator trims, the reference does not.
fn numeric(_: &Shared, args: &[JValue]) -> Answer {
    match arg(args, 0) {
        JValue::String(s) if s.trim().len() != s.len() => fail(format!("D3030: Cannot convert '{s}' to number")),
        other => Ok(other.clone()),
    }
}

/// The evaluator refuses fractions of a millisecond, the reference drops them.
fn whole(_: &Shared, args: &[JValue]) -> Answer {
    match arg(args, 0) {
        JValue::Number(n) => Ok(JValue::Number(n.trunc())),
        other => Ok(other.clone()),
    }
}

fn note(shared: &Shared, args: &[JValue]) -> Answer {
    let value = arg(args, 0);
    let Some(bytes) = size(value, shared.bounds.memory) else { return too_large() };
    let places = match value {
        JValue::String(s) => s.len() + 1,
        JValue::Array(items) => items.len(),
        _ => 1,
    };
    shared.notes.borrow_mut().push((bytes, places));
    Ok(value.clone())
}

/// The function that gives replacements is done; what it built counts no more.
fn leave(shared: &Shared, args: &[JValue]) -> Answer {
    shared.replacing.set(shared.replacing.get().saturating_sub(1));
    Ok(arg(args, 0).clone())
}

fn check(shared: &Shared, args: &[JValue]) -> Answer {
    shared.replacing.set(shared.replacing.get() + 1);
    let (bytes, places) = shared.notes.borrow_mut().pop().unwrap_or_default();
    let each = arg(args, 0).as_str().map_or(0, str::len);
    // A pattern may match anywhere, but seldom everywhere: four times the bound is still small.
    if bytes.saturating_add(places.saturating_mul(each)) > shared.bounds.memory.saturating_mul(4) {
        return too_large();
    }
    Ok(arg(args, 0).clone())
}
