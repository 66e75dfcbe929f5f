//! Functions that call others.

use super::{Answer, Call, Function, arg, coded, collection};
use crate::jsonata::eval::truth;
use crate::jsonata::messages::Fail;
use crate::jsonata::program::Comparison;
use crate::jsonata::value::{Build, List, SEQUENCE, Val};
use asl_value::Value;

/// Calls a function with as many of the arguments as it can take.
fn back(call: &Call, function: &Val, first: Val, second: impl FnOnce() -> Val, third: &Val) -> Answer {
    let arity = Function::arity(function);
    let mut args = Vec::with_capacity(arity.clamp(1, 3));
    args.push(first);
    if arity >= 2 {
        args.push(second());
    }
    if arity >= 3 {
        args.push(third.clone());
    }
    call.run.call_back(function, args)
}

/// Calls `see` with every item and what the function gives for it, until it says that it is enough.
fn each_item(
    call: &Call,
    args: &[Val],
    mut see: impl FnMut(Val, Val, usize) -> Result<(), Fail>,
) -> Result<bool, Fail> {
    let Some(list) = arg(args, 0).list() else { return Ok(false) };
    for (index, item) in list.iter().enumerate() {
        let found = back(call, arg(args, 1), item.clone(), || Val::Number(index as f64), arg(args, 0))?;
        see(item, found, index)?;
    }
    Ok(true)
}

pub(super) fn map(call: &Call, args: &[Val]) -> Answer {
    let Some(list) = arg(args, 0).list() else { return Ok(Val::Undefined) };
    let mut build = call.run.build();
    for (index, item) in list.iter().enumerate() {
        let found = back(call, arg(args, 1), item, || Val::Number(index as f64), arg(args, 0))?;
        if !found.is_undefined() {
            build.push(found)?;
        }
    }
    build.finish(SEQUENCE)
}

pub(super) fn filter(call: &Call, args: &[Val]) -> Answer {
    let mut build = call.run.build();
    let is_list =
        each_item(call, args, |item, found, _| if truth(call.run, &found)? { build.push(item) } else { Ok(()) })?;
    if is_list { build.finish(SEQUENCE) } else { Ok(Val::Undefined) }
}

pub(super) fn single(call: &Call, args: &[Val]) -> Answer {
    let mut only = None;
    let mut see = |item: Val, found: bool| match (found, &only) {
        (false, _) => Ok(()),
        (true, None) => {
            only = Some(item);
            Ok(())
        }
        (true, Some(_)) => coded("D3138", &[]),
    };
    if arg(args, 1).is_undefined() {
        let Some(list) = arg(args, 0).list() else { return Ok(Val::Undefined) };
        for item in list.iter() {
            see(item, true)?;
        }
    } else if !each_item(call, args, |item, found, _| see(item, truth(call.run, &found)?))? {
        return Ok(Val::Undefined);
    }
    only.map_or_else(|| coded("D3139", &[]), Ok)
}

pub(super) fn reduce(call: &Call, args: &[Val]) -> Answer {
    let sequence = arg(args, 0);
    let Some(list) = sequence.list() else { return Ok(Val::Undefined) };
    let arity = Function::arity(arg(args, 1));
    if arity < 2 {
        return coded("D3050", &[]);
    }
    let mut result = arg(args, 2).clone();
    let mut start = 0;
    if result.is_undefined() && list.len() > 0 {
        result = list.get(0).unwrap_or_default();
        start = 1;
    }
    for index in start..list.len() {
        let mut given = Vec::with_capacity(arity.min(4));
        given.push(result);
        given.push(list.get(index).unwrap_or_default());
        if arity >= 3 {
            given.push(Val::Number(index as f64));
        }
        if arity >= 4 {
            given.push(sequence.clone());
        }
        result = call.run.call_back(arg(args, 1), given)?;
    }
    Ok(result)
}

pub(super) fn each(call: &Call, args: &[Val]) -> Answer {
    let object = arg(args, 0);
    let mut build = call.run.build();
    for (key, member) in object.members() {
        let found = back(call, arg(args, 1), member, || Val::String(key), object)?;
        if !found.is_undefined() {
            build.push(found)?;
        }
    }
    build.finish(SEQUENCE)
}

pub(super) fn sift(call: &Call, args: &[Val]) -> Answer {
    let object = arg(args, 0);
    let mut kept = call.run.record(0)?;
    for (key, member) in object.members() {
        let found = back(call, arg(args, 1), member.clone(), || Val::String(key.clone()), object)?;
        if truth(call.run, &found)? {
            kept.insert(key, member)?;
        }
    }
    if kept.is_empty() { Ok(Val::Undefined) } else { kept.finish() }
}

pub(super) fn sort(call: &Call, args: &[Val]) -> Answer {
    let value = arg(args, 0);
    let Some(list) = value.list() else { return Ok(Val::Undefined) };
    if list.len() <= 1 {
        return Ok(value.clone());
    }
    let comparator = arg(args, 1);
    if comparator.is_undefined() {
        return collection::sort_plain(call, value);
    }
    if let Some(comparison) = Function::comparison(comparator) {
        return compared(call, value, comparison);
    }
    let item = |at: usize| List::get(list, at).unwrap_or_default();
    let places = call.run.sorted(list.len(), &mut |a, b| {
        let found = call.run.call_back(comparator, vec![item(a), item(b)])?;
        Ok(truthy(&found))
    })?;
    call.run.taken(value, &places)
}

/// `$sort` by a function that only compares a part of two items: the part is looked up once for each.
fn compared(call: &Call, value: &Val, comparison: &Comparison) -> Answer {
    let Some(list) = value.list() else { return Ok(Val::Undefined) };
    // As deep as the function would be.
    call.run.budget.deepen(if comparison.names.is_empty() { 2 } else { 3 })?;
    let mut keys = Build::with_room(&call.run.budget, list.len())?;
    call.run.spend((4 + comparison.names.len()).saturating_mul(list.len()))?;
    for index in 0..list.len() {
        // As long as no array is met, a member of a member; it is not shared for it.
        let key = match (list, &comparison.names[..]) {
            (List::Plain(items), [name]) => match &items[index] {
                Value::Object(item) => Some(item.get(name).map_or(Val::Undefined, Val::from)),
                _ => None,
            },
            _ => None,
        };
        keys.push(match key {
            Some(key) => key,
            None => call.run.fields_of(list.get(index).unwrap_or_default(), &comparison.names)?,
        })?;
    }
    let places = call.run.sorted_by(comparison.op, keys.items())?;
    call.run.taken(value, &places)
}

/// True in JavaScript's own eyes, to which an empty array is true.
fn truthy(value: &Val) -> bool {
    match value {
        Val::Undefined | Val::Null => false,
        Val::Bool(b) => *b,
        Val::String(text) => !text.is_empty(),
        value => value.as_f64().is_none_or(|n| n != 0.0 && !n.is_nan()),
    }
}

/// Evaluates a text; off on AWS.
pub(super) fn eval(call: &Call, args: &[Val]) -> Answer {
    use crate::jsonata::{compile, messages, parser};
    if !call.run.budget.bounds.eval {
        return coded("T1006", &[]);
    }
    let Val::String(text) = arg(args, 0) else { return Ok(Val::Undefined) };
    call.run.spend(text.len() * 20)?;
    let parsed = parser::parse(text).map_err(messages::syntax);
    let (expr, labels) = match parsed {
        Ok(parsed) => parsed,
        Err(e) => return coded("D3120", &[("value", messages::quoted(&e.message))]),
    };
    let known = (call.run.outside.borrow().clone(), call.run.labels.borrow().clone());
    let program = compile::compile(&expr, &labels, Some((&known.0, &known.1)));
    call.run.outside.borrow_mut().clone_from(&program.outside);
    call.run.labels.borrow_mut().clone_from(&program.labels);
    let input = match arg(args, 1) {
        Val::Undefined => call.context.clone(),
        focus if focus.is_array() && !focus.flags().sequence => call.run.wrapped(focus.clone())?,
        focus => focus.clone(),
    };
    let found = call.run.begin(&program, &input, &None);
    found.map_err(|fail| match fail {
        Fail::Coded(_) => {
            let told = fail.told(0).text;
            let message = told.split_once(": ").map_or("", |(_, message)| message);
            messages::coded("D3121").parts(&[("value", messages::quoted(message))]).raise::<()>().unwrap_err()
        }
        other => other,
    })
}
