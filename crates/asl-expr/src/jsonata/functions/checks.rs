//! The checks that [`crate::jsonata::guard`] writes into expressions.

use super::{Answer, Call, Shared, Walk, arg, coded, collection, number, string, too_large};
use crate::jsonata::guard::Check;
use jsonata_core::evaluator::EvaluatorError;
use jsonata_core::value::JValue;
use std::rc::Rc;

/// How deep a value may nest; functions walk down such values.
const DEEPEST: usize = 1000;

/// The size of a value as a tree in bytes, as AWS counts it and as it takes room here. Shared parts count each time.
fn size(shared: &Shared, value: &JValue) -> Result<(usize, usize), EvaluatorError> {
    let room = shared.bounds.memory;
    let (mut total, mut seen, mut held) = (0usize, 0usize, 0usize);
    let mut open = vec![(value, 0)];
    while let Some((value, depth)) = open.pop() {
        if depth > DEEPEST {
            return too_large();
        }
        seen += 1;
        total += match value {
            JValue::String(s) => s.len().max(8),
            _ => 8,
        };
        held += 24;
        match value {
            JValue::String(text) => held += text.len() + 16,
            JValue::Array(items) => {
                held += 48;
                open.extend(items.iter().take(room).map(|item| (item, depth + 1)));
            }
            JValue::Object(members) => {
                held += 120 + 64 * members.len();
                total += members.keys().map(String::len).sum::<usize>();
                open.extend(members.values().map(|member| (member, depth + 1)));
            }
            _ => {}
        }
        // What waits takes at least 8 bytes each.
        if total + open.len() * 8 > room {
            return too_large();
        }
    }
    shared.spend(seen)?;
    Ok((total, held))
}

impl Shared {
    /// Counts what callbacks and ranges give, of which the half may have been thrown away again.
    pub(super) fn give(&self, bytes: usize) -> Result<(), EvaluatorError> {
        let given = self.given.get().saturating_add(bytes);
        self.given.set(given);
        if given > self.bounds.memory.saturating_mul(2) { too_large() } else { Ok(()) }
    }

    /// Counts the room that what was given takes; it may take more than AWS counts.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), EvaluatorError> {
        let held = self.held.get().saturating_add(bytes);
        self.held.set(held);
        if held > self.bounds.memory.saturating_mul(4) { too_large() } else { Ok(()) }
    }

    /// Keeps an eye on a string that was built: all that are alive are bounded together.
    pub(super) fn built(&self, text: String) -> Answer {
        self.room(text.len())?;
        self.spend(text.len() / 16)?;
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
                if alive > self.bounds.memory {
                    return too_large();
                }
            }
        }
        Ok(JValue::String(text))
    }
}

/// Does what `check` says, with the arguments it was written around.
pub(super) fn check(shared: &Shared, check: Check, args: &[JValue]) -> Answer {
    shared.spend(super::CALL_WORK)?;
    match check {
        Check::Fit => size(shared, arg(args, 0)).map(|_| arg(args, 0).clone()),
        Check::Item => {
            let (bytes, held) = size(shared, arg(args, 0))?;
            shared.give(bytes)?;
            shared.hold(held)?;
            Ok(arg(args, 0).clone())
        }
        Check::Enter => {
            shared.replacing.set(shared.replacing.get() + 1);
            Ok(arg(args, 0).clone())
        }
        Check::Leave => {
            shared.replacing.set(shared.replacing.get().saturating_sub(1));
            Ok(arg(args, 0).clone())
        }
        Check::Calls => Ok(JValue::Bool(args.iter().any(|arg| arg.is_lambda() || arg.is_builtin()))),
        Check::Concat => string::concat(&Call { shared, token: "&" }, args),
        Check::Range => range(shared, args),
        Check::Compare(op) => compare(shared, op, arg(args, 0), arg(args, 1)),
        // What is undefined equals nothing, and differs from nothing.
        Check::Equal(_) if arg(args, 0).is_undefined() || arg(args, 1).is_undefined() => Ok(JValue::Bool(false)),
        Check::Equal(wanted) => Ok(JValue::Bool(collection::equal(shared, arg(args, 0), arg(args, 1))? == wanted)),
        Check::Negate => match arg(args, 0) {
            JValue::Undefined => Ok(JValue::Undefined),
            JValue::Number(n) if !n.is_nan() => Ok(JValue::Number(-n)),
            other => coded("D1002", &[("value", string::json_of(other))]),
        },
        Check::Operand(token, left) => match arg(args, 0) {
            JValue::Number(n) if n.is_infinite() => super::out_of_range(*n),
            JValue::Number(n) if n.is_nan() => {
                coded(if left { "T2001" } else { "T2002" }, &[("token", token.to_owned())])
            }
            other => Ok(other.clone()),
        },
        Check::Function(token, index) => match arg(args, 0) {
            JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => Ok(arg(args, 0).clone()),
            _ => coded("T0410", &[("index", index.to_string()), ("token", token.to_owned())]),
        },
        Check::Reject(token, index) => coded("T0410", &[("index", index.to_string()), ("token", token.to_owned())]),
    }
}

fn range(shared: &Shared, args: &[JValue]) -> Answer {
    let (first, last) = (arg(args, 0), arg(args, 1));
    let whole = |value: &JValue| value.is_undefined() || value.as_f64().is_some_and(|n| n.fract() == 0.0);
    if !whole(first) || !whole(last) {
        return coded(if whole(first) { "T2004" } else { "T2003" }, &[]);
    }
    let (Some(first), Some(end)) = (first.as_f64(), last.as_f64()) else { return Ok(last.clone()) };
    let count = end - first + 1.0;
    if count > 1e7 {
        return coded("D2014", &[("value", number::json(count))]);
    }
    if count >= 1.0 {
        shared.length(count as usize)?;
        shared.give((count as usize).saturating_mul(8))?;
        shared.hold((count as usize).saturating_mul(24))?;
        shared.spend(count as usize)?;
    }
    Ok(last.clone())
}

fn compare(shared: &Shared, op: &'static str, left: &JValue, right: &JValue) -> Answer {
    let comparable = |side: &JValue| side.is_undefined() || side.is_number() || side.is_string();
    if !comparable(left) || !comparable(right) {
        return coded("T2010", &[("token", op.to_owned())]);
    }
    let order = match (left, right) {
        (JValue::Undefined, _) | (_, JValue::Undefined) => return Ok(JValue::Undefined),
        (JValue::Number(a), JValue::Number(b)) => a.partial_cmp(b),
        (JValue::String(a), JValue::String(b)) => {
            shared.spend(a.len().min(b.len()) / 8)?;
            Some(collection::utf16(left).cmp(collection::utf16(right)))
        }
        _ => {
            let sides =
                [("value", string::json_of(left)), ("value2", string::json_of(right)), ("token", op.to_owned())];
            return coded("T2009", &sides);
        }
    };
    Ok(JValue::Bool(order.is_some_and(|order| match op {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })))
}

/// Pays for one run of a body: for itself, and for what its paths will meet from the values they begin at.
pub(super) fn tick(shared: &Shared, walks: &[Walk], work: usize, args: &[JValue]) -> Answer {
    shared.spend(work)?;
    for walk in walks {
        visit(shared, arg(args, walk.from), &walk.steps, 0)?;
    }
    Ok(JValue::Undefined)
}

fn visit(shared: &Shared, value: &JValue, steps: &[Option<String>], depth: usize) -> Result<(), EvaluatorError> {
    let Some((step, rest)) = steps.split_first().filter(|_| depth <= DEEPEST) else { return Ok(()) };
    match (value, step) {
        (JValue::Array(items), _) => {
            shared.spend(items.len())?;
            items.iter().try_for_each(|item| visit(shared, item, steps, depth + 1))
        }
        (JValue::Object(members), Some(name)) => match members.get(name) {
            Some(member) => visit(shared, member, rest, depth + 1),
            None => Ok(()),
        },
        // Anything below may be meant.
        (JValue::Object(_), None) => size(shared, value).map(|_| ()),
        _ => Ok(()),
    }
}
