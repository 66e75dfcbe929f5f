//! Conditions: `ConditionExpression`, `FilterExpression` and `KeyConditionExpression`, and when one holds.

use super::parse::{Parser, Placeholders, parse};
use super::path::Path;
use crate::embedded::error::Fault;
use crate::embedded::table::attribute::{Attribute, Attributes};
use crate::embedded::table::number::Decimal;
use std::borrow::Cow;
use std::cmp::Ordering;

/// A parsed condition.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Comparator, Operand, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Function(Function, Vec<Operand>),
}

/// The comparators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The functions that are conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Exists,
    NotExists,
    Type,
    BeginsWith,
    Contains,
}

/// What a comparator or function works on.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Path(Path),
    Value(Attribute),
    Size(Box<Operand>),
}

/// The functions by name, with the number of their operands.
pub(super) const FUNCTIONS: [(&str, Function, usize); 5] = [
    ("attribute_exists", Function::Exists, 1),
    ("attribute_not_exists", Function::NotExists, 1),
    ("attribute_type", Function::Type, 2),
    ("begins_with", Function::BeginsWith, 2),
    ("contains", Function::Contains, 2),
];

impl Function {
    /// The name in expressions.
    pub(crate) fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|(_, function, _)| *function == self).map_or("", |(name, ..)| name)
    }
}

impl Condition {
    /// Parses a condition; `what` is the parameter's name.
    pub(crate) fn parse(what: &str, text: &str, placeholders: &mut Placeholders) -> Result<Condition, Fault> {
        parse(what, text, placeholders, Parser::whole_condition)
    }

    /// Whether the condition holds for an item; an item that does not exist has no attributes.
    pub(crate) fn holds(&self, item: &Attributes) -> bool {
        match self {
            Condition::And(all) => all.iter().all(|c| c.holds(item)),
            Condition::Or(any) => any.iter().any(|c| c.holds(item)),
            Condition::Not(not) => !not.holds(item),
            Condition::Compare(comparator, a, b) => compare(*comparator, a.value(item), b.value(item)),
            Condition::Between(x, low, high) => {
                compare(Comparator::GreaterOrEqual, x.value(item), low.value(item))
                    && compare(Comparator::LessOrEqual, x.value(item), high.value(item))
            }
            Condition::In(x, set) => {
                set.iter().any(|value| compare(Comparator::Equal, x.value(item), value.value(item)))
            }
            Condition::Function(function, operands) => {
                let operand = |n: usize| operands.get(n).and_then(|operand| operand.value(item));
                match (function, operand(0), operand(1)) {
                    (Function::Exists, value, _) => value.is_some(),
                    (Function::NotExists, value, _) => value.is_none(),
                    (Function::Type, Some(value), Some(kind)) => {
                        matches!(&*kind, Attribute::S(name) if **name == *value.type_name())
                    }
                    (Function::BeginsWith, Some(value), Some(start)) => begins_with(&value, &start),
                    (Function::Contains, Some(value), Some(part)) => contains(&value, &part),
                    _ => false,
                }
            }
        }
    }

    /// The paths of the condition, in the order they are written.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        match self {
            Condition::And(all) | Condition::Or(all) => all.iter().flat_map(Condition::paths).collect(),
            Condition::Not(not) => not.paths(),
            Condition::Compare(_, a, b) => [a, b].into_iter().filter_map(Operand::path).collect(),
            Condition::Between(a, b, c) => [a, b, c].into_iter().filter_map(Operand::path).collect(),
            Condition::In(x, set) => std::iter::once(x).chain(set).filter_map(Operand::path).collect(),
            Condition::Function(_, operands) => operands.iter().filter_map(Operand::path).collect(),
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, item: &'a Attributes) -> Option<Cow<'a, Attribute>> {
        match self {
            Operand::Path(path) => path.get(item).map(Cow::Borrowed),
            Operand::Value(value) => Some(Cow::Borrowed(value)),
            Operand::Size(inner) => size(&*inner.value(item)?).map(Cow::Owned),
        }
    }

    /// The path it is, or takes the size of.
    fn path(&self) -> Option<&Path> {
        match self {
            Operand::Path(path) => Some(path),
            Operand::Size(inner) => inner.path(),
            Operand::Value(_) => None,
        }
    }

    /// Its type, where that does not depend on the item.
    pub(super) fn known_type(&self) -> Option<&'static str> {
        match self {
            Operand::Path(_) => None,
            Operand::Value(value) => Some(value.type_name()),
            Operand::Size(_) => Some("N"),
        }
    }
}

/// `size(x)`: bytes of text and binaries, members of sets, lists and maps; other types have none.
fn size(value: &Attribute) -> Option<Attribute> {
    let size = match value {
        Attribute::S(text) => text.len(),
        Attribute::B(bytes) => bytes.len(),
        Attribute::Ss(set) => set.len(),
        Attribute::Ns(set) => set.len(),
        Attribute::Bs(set) => set.len(),
        Attribute::L(items) => items.len(),
        Attribute::M(members) => members.len(),
        Attribute::N(_) | Attribute::Bool(_) | Attribute::Null => return None,
    };
    Decimal::parse(&size.to_string()).ok().map(Attribute::N)
}

/// The order of two values of the same ordered type.
pub(crate) fn order(a: &Attribute, b: &Attribute) -> Option<Ordering> {
    match (a, b) {
        (Attribute::S(a), Attribute::S(b)) => Some(a.cmp(b)),
        (Attribute::N(a), Attribute::N(b)) => Some(a.cmp(b)),
        (Attribute::B(a), Attribute::B(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// A comparison with something absent is false, except that it is different.
fn compare(comparator: Comparator, a: Option<Cow<'_, Attribute>>, b: Option<Cow<'_, Attribute>>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return comparator == Comparator::NotEqual };
    match comparator {
        Comparator::Equal => a == b,
        Comparator::NotEqual => a != b,
        Comparator::Less => order(&a, &b).is_some_and(Ordering::is_lt),
        Comparator::LessOrEqual => order(&a, &b).is_some_and(Ordering::is_le),
        Comparator::Greater => order(&a, &b).is_some_and(Ordering::is_gt),
        Comparator::GreaterOrEqual => order(&a, &b).is_some_and(Ordering::is_ge),
    }
}

/// Both text or both binary, and the first starts with the second.
pub(crate) fn begins_with(value: &Attribute, start: &Attribute) -> bool {
    match (value, start) {
        (Attribute::S(value), Attribute::S(start)) => value.starts_with(&**start),
        (Attribute::B(value), Attribute::B(start)) => value.starts_with(start),
        _ => false,
    }
}

fn contains(value: &Attribute, part: &Attribute) -> bool {
    match (value, part) {
        (Attribute::S(value), Attribute::S(part)) => value.contains(&**part),
        (Attribute::B(value), Attribute::B(part)) => {
            part.is_empty() || value.windows(part.len()).any(|window| window == part)
        }
        (Attribute::Ss(set), Attribute::S(part)) => set.contains(part),
        (Attribute::Ns(set), Attribute::N(part)) => set.contains(part),
        (Attribute::Bs(set), Attribute::B(part)) => set.contains(part),
        (Attribute::L(items), part) => items.contains(part),
        _ => false,
    }
}
