//! Arrays, objects, and what is asked of any value.

use super::{Answer, Call, arg, coded, number, string};
use crate::jsonata::eval::{Run, equal, truth, utf16_order};
use crate::jsonata::messages::{self, Fail};
use crate::jsonata::value::{Build, List, PLAIN, SEQUENCE, Val};
use asl_value::Number;
use std::collections::HashSet;

pub(super) fn boolean(call: &Call, args: &[Val]) -> Answer {
    match arg(args, 0) {
        Val::Undefined => Ok(Val::Undefined),
        value => Ok(Val::Bool(truth(call.run, value)?)),
    }
}

pub(super) fn not(call: &Call, args: &[Val]) -> Answer {
    match arg(args, 0) {
        Val::Undefined => Ok(Val::Undefined),
        value => Ok(Val::Bool(!truth(call.run, value)?)),
    }
}

pub(super) fn exists(_: &Call, args: &[Val]) -> Answer {
    Ok(Val::Bool(!arg(args, 0).is_undefined()))
}

pub(super) fn type_of(_: &Call, args: &[Val]) -> Answer {
    let value = arg(args, 0);
    Ok(Val::string(match value {
        Val::Undefined | Val::Unset => return Ok(Val::Undefined),
        Val::Null => "null",
        Val::Bool(_) => "boolean",
        Val::Number(n) if n.is_infinite() => return super::out_of_range(*n),
        // JavaScript knows no other name for NaN.
        Val::Number(n) if n.is_nan() => "object",
        Val::Number(_) | Val::Exact(_) => "number",
        Val::String(_) => "string",
        Val::Array(_) | Val::Seq(_) | Val::Tuples(_) => "array",
        Val::Object(_) | Val::Record(_) => "object",
        Val::Function(_) | Val::Thunk(_) => "function",
    }))
}

pub(super) fn error(_: &Call, args: &[Val]) -> Answer {
    let text = string::given(args, 0).filter(|text| !text.is_empty());
    coded("D3137", &[("message", text.unwrap_or("$error() function evaluated").to_owned())])
}

pub(super) fn assert(_: &Call, args: &[Val]) -> Answer {
    if let Val::Bool(true) = arg(args, 0) {
        return Ok(Val::Undefined);
    }
    let text = string::given(args, 1).filter(|text| !text.is_empty());
    coded("D3141", &[("message", text.unwrap_or("$assert() statement failed").to_owned())])
}

pub(super) fn count(_: &Call, args: &[Val]) -> Answer {
    Ok(Val::Number(arg(args, 0).list().map_or(0, List::len) as f64))
}

/// Two arrays as one; what is undefined leaves the other as it is.
pub(super) fn append(call: &Call, args: &[Val]) -> Answer {
    let (first, second) = (arg(args, 0), arg(args, 1));
    if first.is_undefined() || second.is_undefined() {
        return Ok(if first.is_undefined() { second } else { first }.clone());
    }
    let length = |value: &Val| value.list().map_or(1, List::len);
    let mut all = Build::with_room(&call.run.budget, length(first) + length(second))?;
    all.concat(first)?;
    all.concat(second)?;
    all.finish(PLAIN)
}

pub(super) fn reverse(call: &Call, args: &[Val]) -> Answer {
    let Some(list) = arg(args, 0).list() else { return Ok(Val::Undefined) };
    if list.len() <= 1 {
        return Ok(arg(args, 0).clone());
    }
    call.run.spend(list.len())?;
    let mut build = Build::with_room(&call.run.budget, list.len())?;
    list.iter().rev().try_for_each(|item| build.push(item))?;
    build.finish(PLAIN)
}

pub(super) fn zip(call: &Call, args: &[Val]) -> Answer {
    let length = args.iter().map(|arg| arg.list().map_or(0, List::len)).min().unwrap_or(0);
    call.run.spend(length.saturating_mul(args.len() * 2 + 2))?;
    call.run.budget.length(length.saturating_mul(args.len()))?;
    let mut all = Build::with_room(&call.run.budget, length)?;
    for index in 0..length {
        let mut tuple = Build::with_room(&call.run.budget, args.len())?;
        for arg in args {
            tuple.push(arg.list().and_then(|list| list.get(index)).unwrap_or_default())?;
        }
        all.push(tuple.finish(PLAIN)?)?;
    }
    all.finish(PLAIN)
}

/// Each value once; what is no string and no number is compared with all before.
pub(super) fn distinct(call: &Call, args: &[Val]) -> Answer {
    let value = arg(args, 0);
    let Some(list) = value.list().filter(|list| list.len() > 1) else { return Ok(value.clone()) };
    call.run.spend(list.len() * 4)?;
    let mut kept = call.run.build();
    let (mut texts, mut numbers) = (HashSet::new(), HashSet::new());
    let mut others: Vec<Val> = Vec::new();
    for item in list.iter() {
        let new = match &item {
            Val::String(text) => texts.insert(text.clone()),
            item if item.as_f64().is_some_and(|n| !n.is_nan()) => {
                numbers.insert((item.as_f64().unwrap_or_default() + 0.0).to_bits())
            }
            other => {
                let mut new = true;
                for seen in &others {
                    call.run.spend(1)?;
                    if equal(call.run, seen, other)? {
                        new = false;
                        break;
                    }
                }
                if new {
                    others.push(other.clone());
                }
                new
            }
        };
        if new {
            kept.push(item)?;
        }
    }
    kept.finish(if value.flags().sequence { SEQUENCE } else { PLAIN })
}

/// `$sort` without a comparator.
pub(super) fn sort_plain(call: &Call, value: &Val) -> Answer {
    let Some(list) = value.list() else { return Ok(Val::Undefined) };
    call.run.spend(list.len().saturating_mul(2))?;
    let items: Vec<Val> = list.iter().collect();
    let places = if items.iter().all(|item| item.as_f64().is_some_and(|n| !n.is_nan())) {
        let numbers: Vec<f64> = items.iter().filter_map(Val::as_f64).collect();
        if let Some(n) = numbers.iter().find(|n| n.is_infinite()) {
            return super::out_of_range(*n);
        }
        call.run.sorted(numbers.len(), &mut |a, b| Ok(numbers[a] > numbers[b]))?
    } else if items.iter().all(|item| item.as_str().is_some()) {
        let text = |at: usize| items[at].as_str().unwrap_or_default();
        call.run.sorted(items.len(), &mut |a, b| {
            call.run.spend(text(a).len().min(text(b).len()) / 16)?;
            Ok(utf16_order(text(a), text(b)).is_gt())
        })?
    } else {
        return coded("D3070", &[]);
    };
    call.run.taken(value, &places)
}

pub(super) fn keys(call: &Call, args: &[Val]) -> Answer {
    let mut out = call.run.build();
    gather_keys(call.run, arg(args, 0), &mut HashSet::new(), &mut out, 0)?;
    out.finish(SEQUENCE)
}

fn gather_keys(
    run: &Run<'_>,
    value: &Val,
    seen: &mut HashSet<asl_value::Key>,
    out: &mut Build,
    depth: usize,
) -> Result<(), Fail> {
    if depth > asl_value::MAX_DEPTH {
        return Err(Fail::Memory);
    }
    run.spend(1 + value.members_len() * 2)?;
    if let Some(list) = value.list() {
        return list.iter().try_for_each(|item| gather_keys(run, &item, seen, out, depth + 1));
    }
    for (key, _) in value.members() {
        // The keys of one object differ.
        if depth == 0 || seen.insert(key.clone()) {
            out.push(Val::String(key))?;
        }
    }
    Ok(())
}

pub(super) fn lookup(call: &Call, args: &[Val]) -> Answer {
    call.run.lookup(arg(args, 0), string::given(args, 1).unwrap_or("undefined"))
}

pub(super) fn spread(call: &Call, args: &[Val]) -> Answer {
    fn collect(run: &Run<'_>, value: &Val, out: &mut Build, depth: usize) -> Result<(), Fail> {
        if depth > asl_value::MAX_DEPTH {
            return Err(Fail::Memory);
        }
        run.spend(2 + value.members_len() * 4)?;
        if let Some(list) = value.list() {
            return list.iter().try_for_each(|item| collect(run, &item, out, depth + 1));
        }
        if !value.is_object() {
            return if value.is_undefined() { Ok(()) } else { out.push(value.clone()) };
        }
        value.members().try_for_each(|(key, member)| {
            let mut one = run.record(1)?;
            one.insert(key, member)?;
            out.push(one.finish()?)
        })
    }
    let value = arg(args, 0);
    if !value.is_array() && !value.is_object() {
        return Ok(value.clone());
    }
    let mut out = call.run.build();
    collect(call.run, value, &mut out, 0)?;
    // What was appended to is no sequence any more.
    let appended = value.list().is_some_and(|list| list.len() > 0);
    out.finish(if appended { PLAIN } else { SEQUENCE })
}

pub(super) fn merge(call: &Call, args: &[Val]) -> Answer {
    let Some(list) = arg(args, 0).list() else { return Ok(Val::Undefined) };
    let mut all = call.run.record(0)?;
    for item in list.iter() {
        call.run.spend(item.members_len() * 8 + 1)?;
        item.members().try_for_each(|(key, member)| all.insert(key, member))?;
    }
    all.finish()
}

/// By way of its text, which rounds numbers and knows no functions; what that does not change stays the same.
pub(super) fn clone(call: &Call, args: &[Val]) -> Answer {
    match arg(args, 0) {
        Val::Undefined => Ok(Val::Undefined),
        value => cloned(call.run, value),
    }
}

pub(in crate::jsonata) fn cloned(run: &Run<'_>, value: &Val) -> Answer {
    match value {
        // The document, of which the context is the only item.
        Val::Seq(seq) if seq.flags.outer => copy(run, seq.items.first().unwrap_or(&Val::Undefined), 0),
        value => copy(run, value, 0),
    }
}

fn copy(run: &Run<'_>, value: &Val, depth: usize) -> Answer {
    if depth > asl_value::MAX_DEPTH {
        return Err(Fail::Memory);
    }
    run.spend(2)?;
    match value {
        Val::Number(n) if n.is_infinite() => super::out_of_range(*n),
        Val::Number(n) if n.is_nan() => Ok(Val::Null),
        Val::Number(n) => Ok(Val::Number(shortened(*n))),
        Val::Exact(Number::Int(i)) if i.unsigned_abs() < 1_000_000_000_000_000 => Ok(value.clone()),
        Val::Exact(n) => Ok(Val::Number(shortened(n.as_f64()))),
        Val::Undefined | Val::Unset => Ok(Val::Null),
        Val::Function(_) | Val::Thunk(_) | Val::Tuples(_) => Ok(Val::string("")),
        Val::Null | Val::Bool(_) | Val::String(_) => Ok(value.clone()),
        Val::Array(_) | Val::Seq(_) => {
            let Some(list) = value.list() else { return Ok(Val::Null) };
            let mut changed = matches!(value, Val::Seq(_));
            let mut build = run.build();
            for item in list.iter() {
                let now = copy(run, &item, depth + 1)?;
                changed |= !now.same(&item);
                build.push(now)?;
            }
            if changed { build.finish(PLAIN) } else { Ok(value.clone()) }
        }
        Val::Object(_) | Val::Record(_) => {
            let mut changed = false;
            let mut record = run.record(value.members_len())?;
            for (key, member) in value.members() {
                if member.is_undefined() {
                    changed = true;
                    continue;
                }
                let now = copy(run, &member, depth + 1)?;
                changed |= !now.same(&member);
                record.insert(key, now)?;
            }
            if changed { record.finish() } else { Ok(value.clone()) }
        }
    }
}

/// As `$string` writes it and `JSON.parse` reads it.
fn shortened(n: f64) -> f64 {
    if n.fract() == 0.0 && n.abs() < 1e15 { n + 0.0 } else { number::rounded(n) }
}

/// A document from its text.
pub(super) fn parse(call: &Call, args: &[Val]) -> Answer {
    match arg(args, 0) {
        Val::Undefined => Ok(Val::Undefined),
        Val::String(text) => {
            call.run.spend(text.len())?;
            let charge = crate::jsonata::budget::Charge::new(&call.run.budget);
            // A value takes at most so much of the room of its text, while it is read.
            charge.add(text.len().saturating_mul(4))?;
            match asl_value::parse(text) {
                Ok(value) => Ok(Val::from(&value)),
                Err(e) => {
                    messages::coded("D3137").parts(&[("message", format!("The string is not JSON: {e}"))]).raise()
                }
            }
        }
        _ => super::mismatch(1),
    }
}
