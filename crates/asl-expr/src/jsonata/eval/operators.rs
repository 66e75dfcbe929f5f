//! The operators between two values.

use super::{Answer, Env, Run};
use crate::jsonata::ast::Op;
use crate::jsonata::functions::{Function, string};
use crate::jsonata::messages::{Fail, coded};
use crate::jsonata::program::Node;
use crate::jsonata::value::{Build, List, Val};
use std::cmp::Ordering;

/// The number a value is; NaN is none.
///
/// # Errors
/// D1001 for infinite numbers.
pub(super) fn numeric(value: &Val) -> Result<Option<f64>, Fail> {
    match value.as_f64() {
        Some(n) if n.is_infinite() => coded("D1001").value(value).raise(),
        Some(n) if n.is_nan() => Ok(None),
        found => Ok(found),
    }
}

/// JavaScript's idea of true, over all items of an array.
pub(in crate::jsonata) fn truth(run: &Run<'_>, value: &Val) -> Result<bool, Fail> {
    Ok(match value {
        Val::Bool(b) => *b,
        Val::Number(_) | Val::Exact(_) => numeric(value)?.is_some_and(|n| n != 0.0),
        Val::String(text) => !text.is_empty(),
        Val::Object(_) | Val::Record(_) => value.members_len() > 0,
        Val::Array(_) | Val::Seq(_) => {
            let Some(list) = value.list() else { return Ok(false) };
            run.spend(list.len())?;
            let mut any = false;
            for item in list.iter() {
                any |= truth(run, &item)?;
            }
            any
        }
        // To the reference, functions are objects with members, but for those that were handed over.
        Val::Function(function) => {
            !matches!(&**function, Function::Wrapped(_) | Function::Regex(_) | Function::Next(_))
        }
        _ => false,
    })
}

/// Equal as `=` sees it.
pub(in crate::jsonata) fn equal(run: &Run<'_>, a: &Val, b: &Val) -> Result<bool, Fail> {
    if a.same(b) {
        return Ok(true);
    }
    run.spend(1)?;
    if let (Some(a), Some(b)) = (a.list(), b.list()) {
        if a.len() != b.len() {
            return Ok(false);
        }
        for (a, b) in a.iter().zip(b.iter()) {
            if !equal(run, &a, &b)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if !a.is_object() || !b.is_object() || a.members_len() != b.members_len() {
        return Ok(false);
    }
    run.spend(a.members_len())?;
    for (key, a) in a.members() {
        let b = b.member(&key);
        if b.is_undefined() || !equal(run, &a, &b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Strings are in the order of their UTF-16 units.
pub(in crate::jsonata) fn utf16_order(a: &str, b: &str) -> Ordering {
    let differs = a.bytes().zip(b.bytes()).find(|(a, b)| a != b);
    match differs {
        None => a.len().cmp(&b.len()),
        // From here on there are characters beyond the surrogates, which come first in UTF-16.
        Some((a_byte, b_byte)) if a_byte >= 0xEE && b_byte >= 0xEE => a.encode_utf16().cmp(b.encode_utf16()),
        Some((a, b)) => a.cmp(&b),
    }
}

impl Run<'_> {
    #[inline]
    pub(super) fn binary(&self, op: Op, left: &Node, right: &Node, input: &Val, frame: &Env) -> Answer {
        let left = self.eval(left, input, frame)?;
        if matches!(op, Op::And | Op::Or) {
            let both = || {
                if truth(self, &left)? == (op == Op::Or) {
                    return Ok(op == Op::Or);
                }
                truth(self, &self.eval(right, input, frame)?)
            };
            return both().map(Val::Bool).map_err(|fail| fail.renamed(op.text()));
        }
        let right = self.eval(right, input, frame)?;
        match op {
            Op::Equal | Op::NotEqual => self.equality(op, &left, &right),
            Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => self.compare(op, &left, &right),
            Op::Concat => self.concat(&left, &right),
            Op::Range => self.range(&left, &right),
            Op::In => self.includes(&left, &right),
            _ => arithmetic(op, &left, &right),
        }
    }

    fn equality(&self, op: Op, left: &Val, right: &Val) -> Answer {
        if left.is_undefined() || right.is_undefined() {
            return Ok(Val::Bool(false));
        }
        if let (Val::String(a), Val::String(b)) = (left, right) {
            self.spend(a.len().min(b.len()) / 32)?;
        }
        Ok(Val::Bool(equal(self, left, right)? == (op == Op::Equal)))
    }

    pub(super) fn compare(&self, op: Op, left: &Val, right: &Val) -> Answer {
        let order = match (left, right) {
            (Val::Number(a), Val::Number(b)) => a.partial_cmp(b),
            (Val::String(a), Val::String(b)) => {
                self.spend(a.len().min(b.len()) / 8)?;
                Some(utf16_order(a, b))
            }
            _ => {
                let comparable =
                    |side: &Val| matches!(side, Val::Undefined | Val::String(_)) || side.as_f64().is_some();
                if !comparable(left) || !comparable(right) {
                    return coded("T2010").token(op.text()).raise();
                }
                if left.is_undefined() || right.is_undefined() {
                    return Ok(Val::Undefined);
                }
                match (left.as_f64(), right.as_f64()) {
                    (Some(a), Some(b)) => a.partial_cmp(&b),
                    _ => return coded("T2009").token(op.text()).value(left).value2(right).raise(),
                }
            }
        };
        Ok(Val::Bool(order.is_some_and(|order| match op {
            Op::Less => order.is_lt(),
            Op::LessOrEqual => order.is_le(),
            Op::Greater => order.is_gt(),
            _ => order.is_ge(),
        })))
    }

    /// `&`
    fn concat(&self, left: &Val, right: &Val) -> Answer {
        let mut text = String::new();
        for side in [left, right] {
            match side {
                Val::Undefined => {}
                Val::String(side) => {
                    self.budget.room(text.len() + side.len())?;
                    self.spend(side.len() / 16)?;
                    if text.capacity() == 0 {
                        let more = right.as_str().map_or(16, str::len);
                        text.reserve_exact(side.len() + if text.is_empty() { more } else { 0 });
                    }
                    text.push_str(side);
                }
                side => {
                    let side = string::text_of(self, side, false)?;
                    self.budget.room(text.len() + side.len())?;
                    text.push_str(&side);
                }
            }
        }
        self.built(text)
    }

    fn range(&self, left: &Val, right: &Val) -> Answer {
        let whole = |value: &Val| value.is_undefined() || value.as_f64().is_some_and(|n| n.fract() == 0.0);
        if !whole(left) {
            return coded("T2003").token("..").raise();
        }
        if !whole(right) {
            return coded("T2004").token("..").raise();
        }
        let (Some(first), Some(last)) = (left.as_f64(), right.as_f64()) else { return Ok(Val::Undefined) };
        if first > last {
            return Ok(Val::Undefined);
        }
        let count = last - first + 1.0;
        if count > 1e7 {
            return coded("D2014").token("..").value(&Val::Number(count)).raise();
        }
        self.numbers(first, 1.0, count as usize)
    }

    /// So many numbers, as a sequence.
    pub(in crate::jsonata) fn numbers(&self, first: f64, step: f64, count: usize) -> Answer {
        self.budget.length(count)?;
        self.budget.room(count.saturating_mul(8))?;
        self.spend(count)?;
        let mut build = Build::with_room(&self.budget, count)?;
        for index in 0..count {
            build.push(Val::Number(first + step * index as f64))?;
        }
        build.finish(crate::jsonata::value::SEQUENCE)
    }

    fn includes(&self, left: &Val, right: &Val) -> Answer {
        if left.is_undefined() || right.is_undefined() {
            return Ok(Val::Bool(false));
        }
        let Some(list) = right.list() else { return Ok(Val::Bool(right.same(left))) };
        self.spend(list.len())?;
        Ok(Val::Bool(match list {
            List::Built(items) => items.iter().any(|item| item.same(left)),
            List::Plain(_) => list.iter().any(|item| item.same(left)),
        }))
    }
}

fn arithmetic(op: Op, left: &Val, right: &Val) -> Answer {
    let (a, b) = match (left, right) {
        (Val::Number(a), Val::Number(b)) if a.is_finite() && b.is_finite() => (*a, *b),
        _ => {
            let side = |value: &Val, code: &'static str| match value {
                Val::Undefined => Ok(None),
                value => match numeric(value).map_err(|fail| fail.renamed(op.text()))? {
                    Some(n) => Ok(Some(n)),
                    None => coded(code).token(op.text()).value(value).raise(),
                },
            };
            match (side(left, "T2001")?, side(right, "T2002")?) {
                (Some(a), Some(b)) => (a, b),
                _ => return Ok(Val::Undefined),
            }
        }
    };
    Ok(Val::Number(match op {
        Op::Add => a + b,
        Op::Subtract => a - b,
        Op::Multiply => a * b,
        Op::Divide => a / b,
        _ => a % b,
    }))
}
