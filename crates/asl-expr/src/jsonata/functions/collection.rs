//! Arrays, objects, and what is asked of any value.

use super::{Answer, Call, Shared, arg, coded, string};
use crate::jsonata::convert;
use jsonata_core::evaluator::EvaluatorError;
use jsonata_core::value::JValue;
use std::collections::BTreeSet;

/// JavaScript's idea of true, over all items of an array.
pub(super) fn truth(shared: &Shared, value: &JValue) -> Result<bool, EvaluatorError> {
    shared.spend(1)?;
    Ok(match value {
        JValue::Bool(b) => *b,
        JValue::Number(n) if n.is_infinite() => return super::out_of_range(*n),
        JValue::Number(n) => *n != 0.0 && !n.is_nan(),
        JValue::String(text) => !text.is_empty(),
        JValue::Object(members) => !members.is_empty(),
        JValue::Array(items) => {
            for item in items {
                if truth(shared, item)? {
                    return Ok(true);
                }
            }
            false
        }
        _ => false,
    })
}

pub(super) fn boolean(call: &Call, args: &[JValue]) -> Answer {
    match arg(args, 0) {
        JValue::Undefined => Ok(JValue::Undefined),
        value => Ok(JValue::Bool(truth(call.shared, value)?)),
    }
}

pub(super) fn not(call: &Call, args: &[JValue]) -> Answer {
    match arg(args, 0) {
        JValue::Undefined => Ok(JValue::Undefined),
        value => Ok(JValue::Bool(!truth(call.shared, value)?)),
    }
}

pub(super) fn exists(_: &Call, args: &[JValue]) -> Answer {
    Ok(JValue::Bool(!arg(args, 0).is_undefined()))
}

pub(super) fn type_of(_: &Call, args: &[JValue]) -> Answer {
    Ok(JValue::string(match arg(args, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::Null => "null",
        JValue::Bool(_) => "boolean",
        JValue::Number(n) if n.is_infinite() => return super::out_of_range(*n),
        JValue::Number(_) => "number",
        JValue::String(_) => "string",
        JValue::Array(_) => "array",
        JValue::Object(_) => "object",
        JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => "function",
    }))
}

pub(super) fn error(_: &Call, args: &[JValue]) -> Answer {
    let text = string::given(args, 0).filter(|text| !text.is_empty());
    coded("D3137", &[("message", text.unwrap_or("$error() function evaluated").to_owned())])
}

pub(super) fn assert(_: &Call, args: &[JValue]) -> Answer {
    if arg(args, 0).as_bool() == Some(true) {
        return Ok(JValue::Undefined);
    }
    let text = string::given(args, 1).filter(|text| !text.is_empty());
    coded("D3141", &[("message", text.unwrap_or("$assert() statement failed").to_owned())])
}

pub(super) fn count(_: &Call, args: &[JValue]) -> Answer {
    Ok(JValue::Number(arg(args, 0).as_array().map_or(0, Vec::len) as f64))
}

/// The items of an argument, a copy that is paid for.
fn items(shared: &Shared, value: &JValue) -> Result<Vec<JValue>, EvaluatorError> {
    match value {
        JValue::Array(items) => {
            shared.spend(items.len())?;
            shared.length(items.len())?;
            Ok(items.to_vec())
        }
        one => Ok(vec![one.clone()]),
    }
}

pub(super) fn append(call: &Call, args: &[JValue]) -> Answer {
    let (first, second) = (arg(args, 0), arg(args, 1));
    if first.is_undefined() || second.is_undefined() {
        return Ok(if first.is_undefined() { second } else { first }.clone());
    }
    let mut all = items(call.shared, first)?;
    all.extend(items(call.shared, second)?);
    call.shared.length(all.len())?;
    Ok(JValue::array(all))
}

pub(super) fn reverse(call: &Call, args: &[JValue]) -> Answer {
    let JValue::Array(given) = arg(args, 0) else { return Ok(JValue::Undefined) };
    if given.len() <= 1 {
        return Ok(arg(args, 0).clone());
    }
    let mut items = items(call.shared, arg(args, 0))?;
    items.reverse();
    Ok(JValue::array(items))
}

pub(super) fn zip(call: &Call, args: &[JValue]) -> Answer {
    let length = args.iter().map(|arg| arg.as_array().map_or(0, Vec::len)).min().unwrap_or(0);
    call.shared.spend(length.saturating_mul(args.len() + 1))?;
    call.shared.length(length.saturating_mul(args.len()))?;
    let tuple =
        |index: usize| args.iter().map(|arg| arg.get_index(index).cloned().unwrap_or(JValue::Undefined)).collect();
    Ok(JValue::array((0..length).map(|index| JValue::array(tuple(index))).collect()))
}

/// Equal as `=` sees it; two functions never are.
pub(super) fn equal(shared: &Shared, a: &JValue, b: &JValue) -> Result<bool, EvaluatorError> {
    shared.spend(1)?;
    Ok(match (a, b) {
        (JValue::Null, JValue::Null) => true,
        (JValue::Bool(a), JValue::Bool(b)) => a == b,
        (JValue::Number(a), JValue::Number(b)) => a == b,
        (JValue::String(a), JValue::String(b)) => {
            shared.spend(a.len().min(b.len()) / 32)?;
            a == b
        }
        (JValue::Array(a), JValue::Array(b)) if a.len() == b.len() => {
            for (a, b) in a.iter().zip(b.iter()) {
                if !equal(shared, a, b)? {
                    return Ok(false);
                }
            }
            true
        }
        (JValue::Object(a), JValue::Object(b)) if a.len() == b.len() => {
            for (key, a) in a.iter() {
                match b.get(key) {
                    Some(b) if equal(shared, a, b)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        _ => false,
    })
}

pub(super) fn distinct(call: &Call, args: &[JValue]) -> Answer {
    let JValue::Array(given) = arg(args, 0) else { return Ok(arg(args, 0).clone()) };
    if given.len() <= 1 {
        return Ok(arg(args, 0).clone());
    }
    call.shared.spend(given.len() * 4)?;
    let (mut kept, mut texts, mut numbers) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut others: Vec<&JValue> = Vec::new();
    for item in given {
        let new = match item {
            JValue::String(text) => texts.insert(&**text),
            JValue::Number(n) if !n.is_nan() => numbers.insert((n + 0.0).to_bits()),
            other => {
                let mut new = true;
                for seen in &others {
                    if equal(call.shared, seen, other)? {
                        new = false;
                        break;
                    }
                }
                if new {
                    others.push(other);
                }
                new
            }
        };
        if new {
            kept.push(item.clone());
        }
    }
    Ok(JValue::Array(given.with_items(kept)))
}

/// `$sort` without a comparator.
pub(super) fn sort(call: &Call, args: &[JValue]) -> Answer {
    let JValue::Array(given) = arg(args, 0) else { return Ok(JValue::Undefined) };
    if given.len() <= 1 {
        return Ok(arg(args, 0).clone());
    }
    call.shared.spend(given.len().saturating_mul(8))?;
    let mut sorted = items(call.shared, arg(args, 0))?;
    if given.iter().all(JValue::is_number) {
        let number = |value: &JValue| value.as_f64().unwrap_or(f64::NAN);
        sorted.sort_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(std::cmp::Ordering::Equal));
    } else if given.iter().all(JValue::is_string) {
        sorted.sort_by(|a, b| utf16(a).cmp(utf16(b)));
    } else {
        return coded("D3070", &[]);
    }
    Ok(JValue::array(sorted))
}

/// Strings are in the order of their UTF-16 units.
pub(super) fn utf16(value: &JValue) -> impl Iterator<Item = u16> {
    value.as_str().unwrap_or_default().encode_utf16()
}

pub(super) fn keys(call: &Call, args: &[JValue]) -> Answer {
    fn collect<'v>(
        shared: &Shared,
        value: &'v JValue,
        seen: &mut BTreeSet<&'v str>,
        out: &mut Vec<JValue>,
    ) -> Result<(), EvaluatorError> {
        shared.spend(1)?;
        match value {
            JValue::Array(items) => items.iter().try_for_each(|item| collect(shared, item, seen, out)),
            JValue::Object(members) => {
                shared.spend(members.len() * 2)?;
                out.extend(members.keys().filter(|key| seen.insert(key)).map(|key| JValue::string(key.as_str())));
                Ok(())
            }
            _ => Ok(()),
        }
    }
    let mut out = Vec::new();
    collect(call.shared, arg(args, 0), &mut BTreeSet::new(), &mut out)?;
    Ok(JValue::sequence(out))
}

pub(super) fn lookup(call: &Call, args: &[JValue]) -> Answer {
    fn find(shared: &Shared, value: &JValue, key: &str) -> Answer {
        shared.spend(1)?;
        match value {
            JValue::Array(items) => {
                let mut found = Vec::new();
                for item in items {
                    match find(shared, item, key)? {
                        JValue::Undefined => {}
                        JValue::Array(inner) => {
                            shared.spend(inner.len())?;
                            shared.length(found.len() + inner.len())?;
                            found.extend(inner.iter().cloned());
                        }
                        one => found.push(one),
                    }
                }
                Ok(JValue::sequence(found))
            }
            JValue::Object(members) => Ok(members.get(key).cloned().unwrap_or(JValue::Undefined)),
            _ => Ok(JValue::Undefined),
        }
    }
    find(call.shared, arg(args, 0), string::given(args, 1).unwrap_or("undefined"))
}

pub(super) fn spread(call: &Call, args: &[JValue]) -> Answer {
    fn collect(shared: &Shared, value: &JValue, out: &mut Vec<JValue>) -> Result<(), EvaluatorError> {
        shared.spend(2)?;
        match value {
            JValue::Array(items) => items.iter().try_for_each(|item| collect(shared, item, out)),
            JValue::Object(members) => {
                shared.spend(members.len() * 4)?;
                out.extend(
                    members
                        .iter()
                        .map(|(key, member)| JValue::object(std::iter::once((key.clone(), member.clone())).collect())),
                );
                shared.length(out.len())
            }
            JValue::Undefined => Ok(()),
            other => {
                out.push(other.clone());
                Ok(())
            }
        }
    }
    match arg(args, 0) {
        value @ (JValue::Array(_) | JValue::Object(_)) => {
            let mut out = Vec::new();
            collect(call.shared, value, &mut out)?;
            Ok(JValue::sequence(out))
        }
        other => Ok(other.clone()),
    }
}

pub(super) fn merge(call: &Call, args: &[JValue]) -> Answer {
    let JValue::Array(items) = arg(args, 0) else { return Ok(JValue::Undefined) };
    let mut all = Vec::new();
    for members in items.iter().filter_map(JValue::as_object) {
        call.shared.spend(members.len() * 4 + 1)?;
        all.extend(members.iter().map(|(key, member)| (key.clone(), member.clone())));
        call.shared.length(all.len())?;
    }
    Ok(JValue::object(all.into_iter().collect()))
}

/// By way of its text, which rounds numbers.
pub(super) fn clone(call: &Call, args: &[JValue]) -> Answer {
    let text = string::text_of(call.shared, arg(args, 0), false)?;
    if arg(args, 0).is_undefined() {
        return Ok(JValue::Undefined);
    }
    Ok(asl_value::parse(&text).map_or(JValue::Undefined, |value| convert::to_engine(&value)))
}
