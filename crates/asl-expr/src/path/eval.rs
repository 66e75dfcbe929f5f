//! Walking a path over a document, by the rules of Jayway json-path 2.0.0.
//!
//! What is missing is an error, except where the rules below say otherwise:
//! - an indefinite path skips an object without the member a *middle* segment names (`$.missing[*].x` is `[]`), but the
//!   member that the *last* segment names must be there (`$[0:2].x` fails);
//! - `[*]` over an array skips the elements under which something is missing; over an object it does not;
//! - an array segment on anything but an array is never skipped.

use super::ast::{Elements, Segment, write_names};
use super::filter::{self, Filter, Operand, Side, SubPath};
use super::{PathError, PathErrorKind, Rows, java};
use crate::budget::{Budget, Exceeded};
use asl_value::{Map, Value};
use std::fmt::Write;
use std::sync::Arc;

/// What a found value takes in the list of them, in bytes.
const FOUND_BYTES: usize = size_of::<Value>();

/// The values at the ends of the path: exactly one when the path is definite. Repeated scans and wildcards multiply
/// (`$..*..*..*`); the budget ends them.
pub(super) fn eval(segments: &[Segment], doc: &Value, rows: Rows, budget: &Budget) -> Result<Vec<Value>, PathError> {
    let mut walk = Walk { rows, ..Walk::new(segments, doc, budget) };
    match walk.step(0, doc) {
        Ok(()) => Ok(walk.found),
        Err(stop) => Err(walk.error(stop)),
    }
}

struct Walk<'a> {
    segments: &'a [Segment],
    /// What `$` means in a filter.
    root: &'a Value,
    found: Vec<Value>,
    /// Where the walk is. After a failure it still points at the place, for the message.
    trail: Vec<Crumb<'a>>,
    budget: &'a Budget,
    rows: Rows,
    /// All members of `['a','b']` must be there.
    strict: bool,
}

enum Crumb<'a> {
    Root,
    Key(&'a str),
    Keys(&'a [Arc<str>]),
    Index(i64),
}

enum Stop<'a> {
    Missing(Missing<'a>),
    Invalid(String),
    Exceeded(Exceeded),
}

impl From<Exceeded> for Stop<'_> {
    fn from(exceeded: Exceeded) -> Self {
        Stop::Exceeded(exceeded)
    }
}

enum Missing<'a> {
    NoResults,
    Property,
    NotAnObject(&'a Segment),
    Null,
    OutOfBounds,
}

type Walked<'a> = Result<(), Stop<'a>>;

impl<'a> Walk<'a> {
    fn new(segments: &'a [Segment], root: &'a Value, budget: &'a Budget) -> Walk<'a> {
        Walk { segments, root, found: Vec::new(), trail: Vec::new(), budget, rows: Rows::Skipped, strict: false }
    }

    /// Goes on with segment `i` at `value`; after the last segment, `value` is a result.
    fn step(&mut self, i: usize, value: &'a Value) -> Walked<'a> {
        self.visit()?;
        let Some(segment) = self.segments.get(i) else {
            self.budget.bytes(FOUND_BYTES)?;
            self.found.push(value.clone());
            return Ok(());
        };
        match (segment, value) {
            (Segment::Names(names), Value::Object(map)) => self.names(i, names, map),
            (Segment::Names(_), _) => Err(Stop::Missing(Missing::NotAnObject(segment))),
            (Segment::Elements(which), Value::Array(items)) => self.elements(i, which, items),
            (Segment::Elements(_), Value::Null) => Err(Stop::Missing(Missing::Null)),
            (Segment::Elements(_), _) => Err(self.misapplied(i, "can only be applied to arrays", value)),
            (Segment::Wildcard, Value::Object(map)) => self.members(i + 1, map),
            (Segment::Wildcard, Value::Array(items)) => self.each_element(i, items),
            (Segment::Wildcard, _) => Ok(()),
            (Segment::Descend, _) => self.scan(i + 1, value),
            (Segment::Filter(filter), Value::Object(_)) => match self.accepts(filter, value)? {
                true => self.step(i + 1, value),
                false => Ok(()),
            },
            (Segment::Filter(filter), Value::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    if self.accepts(filter, item)? {
                        self.element(i, items, at as i64)?;
                    }
                }
                Ok(())
            }
            (Segment::Filter(_), _) => Err(self.misapplied(i, "can not be applied to primitives", value)),
            (Segment::Root, _) => self.down(Crumb::Root, i + 1, value),
        }
    }

    /// Counts one visit. Whatever costs time for each value, name or test of a filter goes through here.
    fn visit(&self) -> Walked<'a> {
        Ok(self.budget.work(1)?)
    }

    fn down(&mut self, crumb: Crumb<'a>, i: usize, value: &'a Value) -> Walked<'a> {
        self.trail.push(crumb);
        self.step(i, value)?;
        self.trail.pop();
        Ok(())
    }

    fn names(&mut self, i: usize, names: &'a [Arc<str>], map: &'a Map) -> Walked<'a> {
        let last = i + 1 == self.segments.len();
        let [name] = names else { return self.several(names, map, last) };
        if let Some(value) = map.get(name) {
            return self.down(Crumb::Key(name), i + 1, value);
        }
        if !last && self.segments[i.saturating_sub(1)..].iter().any(|s| !s.is_definite()) {
            return Ok(());
        }
        self.trail.push(Crumb::Key(name));
        Err(Stop::Missing(if last { Missing::NoResults } else { Missing::Property }))
    }

    fn several(&mut self, names: &'a [Arc<str>], map: &Map, last: bool) -> Walked<'a> {
        if !last {
            self.trail.push(Crumb::Keys(names));
            return Err(Stop::Invalid(format!("Multi properties can only be used as path leafs: {}", self.place())));
        }
        self.budget.items(names.len())?;
        if self.strict && names.iter().any(|name| !map.contains_key(name)) {
            self.trail.push(Crumb::Keys(names));
            return Err(Stop::Missing(Missing::Property));
        }
        let chosen = names.iter().filter_map(|name| Some((name.clone(), map.get(name)?.clone())));
        self.found.push(chosen.collect());
        Ok(())
    }

    fn elements(&mut self, i: usize, which: &Elements, items: &'a [Value]) -> Walked<'a> {
        let len = items.len() as i64;
        let from_end = |n: i32| if n < 0 { len + i64::from(n) } else { i64::from(n) };
        let range = match which {
            Elements::At(at) => return self.element(i, items, i64::from(*at)),
            Elements::FromLength(n) => return self.element(i, items, len + i64::from(*n)),
            Elements::Each(all) => return all.iter().try_for_each(|&at| self.element(i, items, i64::from(at))),
            Elements::From(from) => from_end(*from).max(0)..len,
            Elements::To(to) => 0..from_end(*to).min(len),
            Elements::Between(_, _) if len == 0 => return Ok(()),
            Elements::Between(from, to) => i64::from(*from)..i64::from(*to).min(len),
        };
        range.into_iter().try_for_each(|at| self.element(i, items, at))
    }

    fn element(&mut self, i: usize, items: &'a [Value], at: i64) -> Walked<'a> {
        match usize::try_from(at).ok().and_then(|at| items.get(at)) {
            Some(item) => self.down(Crumb::Index(at), i + 1, item),
            None if self.rows == Rows::Kept && at >= 0 && self.asks_rows(i) => {
                self.budget.bytes(FOUND_BYTES)?;
                self.found.push(Value::Null);
                Ok(())
            }
            None => {
                self.trail.push(Crumb::Index(at));
                Err(Stop::Missing(Missing::OutOfBounds))
            }
        }
    }

    /// True when segment `i` is the last one, a single index, and asked of several arrays.
    fn asks_rows(&self, i: usize) -> bool {
        let single = matches!(self.segments[i], Segment::Elements(Elements::At(_)));
        single && i + 1 == self.segments.len() && self.segments.iter().any(|segment| !segment.is_definite())
    }

    fn members(&mut self, i: usize, map: &'a Map) -> Walked<'a> {
        map.iter().try_for_each(|(key, value)| self.down(Crumb::Key(key), i, value))
    }

    /// `[*]` over an array: an element under which something is missing is skipped, but keeps what it gave before.
    fn each_element(&mut self, i: usize, items: &'a [Value]) -> Walked<'a> {
        let here = self.trail.len();
        for (at, item) in items.iter().enumerate() {
            match self.down(Crumb::Index(at as i64), i + 1, item) {
                Err(Stop::Missing(_)) => self.trail.truncate(here),
                other => other?,
            }
        }
        Ok(())
    }

    /// Tries segment `i` here and everywhere below. In an array the segment is not applied but skipped, and what
    /// follows it is applied to each element: Jayway's way, odd as it is.
    fn scan(&mut self, i: usize, value: &'a Value) -> Walked<'a> {
        self.visit()?;
        let Some(target) = self.segments.get(i) else { return Ok(()) };
        match value {
            Value::Object(map) => {
                if self.scan_hits(target, value)? {
                    self.step(i, value)?;
                }
                map.iter().try_for_each(|(key, child)| self.scan_below(Crumb::Key(key), i, child))
            }
            Value::Array(items) => {
                let hit = self.scan_hits(target, value)?;
                if hit && i + 1 == self.segments.len() {
                    self.step(i, value)?;
                } else if hit {
                    for (at, item) in items.iter().enumerate() {
                        self.down(Crumb::Index(at as i64), i + 1, item)?;
                    }
                }
                let mut below = items.iter().enumerate();
                below.try_for_each(|(at, child)| self.scan_below(Crumb::Index(at as i64), i, child))
            }
            _ => Ok(()),
        }
    }

    fn scan_below(&mut self, crumb: Crumb<'a>, i: usize, child: &'a Value) -> Walked<'a> {
        if !matches!(child, Value::Object(_) | Value::Array(_)) {
            return Ok(());
        }
        self.trail.push(crumb);
        self.scan(i, child)?;
        self.trail.pop();
        Ok(())
    }

    fn scan_hits(&mut self, target: &'a Segment, value: &'a Value) -> Result<bool, Stop<'a>> {
        Ok(match (target, value) {
            (Segment::Names(names), Value::Object(map)) => names.iter().all(|name| map.contains_key(name)),
            (Segment::Elements(_), Value::Array(_)) | (Segment::Wildcard, _) => true,
            (Segment::Filter(filter), _) => self.accepts(filter, value)?,
            _ => false,
        })
    }

    fn accepts(&mut self, filter: &'a Filter, item: &'a Value) -> Result<bool, Stop<'a>> {
        self.visit()?;
        match filter {
            Filter::Unbound => Err(Stop::Invalid("The path has a filter [?] without a condition".into())),
            Filter::And(all) => {
                for each in all {
                    if !self.accepts(each, item)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Or(left, right) => Ok(self.accepts(left, item)? || self.accepts(right, item)?),
            // Here even `$` means the element.
            Filter::Exists { path, wanted } => {
                let found = self.sub_path(path, item, true)?.is_some_and(|value| !value.is_null());
                Ok(found == *wanted)
            }
            Filter::Compare { left, op, right } => {
                let Some(left) = self.operand(left, item)? else { return Ok(false) };
                let Some(right) = self.operand(right, item)? else { return Ok(false) };
                self.budget.read(filter::bytes_read(&left, &right))?;
                filter::holds(&left, *op, &right).map_err(Stop::Invalid)
            }
        }
    }

    /// `None` when the operand is a path to something that is not there.
    fn operand(&mut self, operand: &'a Operand, item: &'a Value) -> Result<Option<Side<'a>>, Stop<'a>> {
        Ok(match operand {
            Operand::Text(text) => Some(Side::Text(text.clone())),
            Operand::Pattern(pattern) => Some(Side::Pattern(pattern)),
            Operand::Path(path) => {
                let start = if path.from_root { self.root } else { item };
                self.sub_path(path, start, false)?.map(Side::from)
            }
        })
    }

    fn sub_path(&self, path: &'a SubPath, start: &'a Value, strict: bool) -> Result<Option<Value>, Stop<'a>> {
        let mut walk = Walk::new(&path.segments, self.root, self.budget);
        walk.strict = strict;
        match walk.step(0, start) {
            Ok(()) => Ok(walk.found.pop()),
            Err(Stop::Missing(_)) => Ok(None),
            Err(stop) => Err(stop),
        }
    }

    fn misapplied(&self, i: usize, what: &str, value: &Value) -> Stop<'a> {
        let mut message = String::from("Filter: ");
        for segment in &self.segments[i..] {
            // Writing into a String cannot fail.
            let _ = write!(message, "{segment}");
        }
        let _ = write!(message, " {what}. Current context is: {}", java::text(value));
        Stop::Invalid(message)
    }

    /// The place the walk is at, as `$['a'][0]`.
    fn place(&self) -> String {
        let from = self.trail.iter().rposition(|c| matches!(c, Crumb::Root)).map_or(0, |at| at + 1);
        let mut out = String::from("$");
        for crumb in &self.trail[from..] {
            // Writing into a String cannot fail.
            let _ = match crumb {
                Crumb::Root => Ok(()),
                Crumb::Key(key) => write!(out, "['{key}']"),
                Crumb::Keys(keys) => write_names(&mut out, keys),
                Crumb::Index(at) => write!(out, "[{at}]"),
            };
        }
        out
    }

    fn error(&self, stop: Stop<'_>) -> PathError {
        let place = self.place();
        let (kind, message) = match stop {
            Stop::Exceeded(exceeded) => return exceeded.into(),
            Stop::Invalid(message) => (PathErrorKind::Invalid, message),
            Stop::Missing(missing) => (
                PathErrorKind::NotFound,
                match missing {
                    Missing::NoResults => format!("No results for path: {place}"),
                    Missing::Property => format!("Missing property in path {place}"),
                    Missing::NotAnObject(segment) => format!("Property {segment} not found in path {place}"),
                    Missing::Null => format!("The path {place} is null"),
                    Missing::OutOfBounds => format!("Index out of bounds when evaluating path {place}"),
                },
            ),
        };
        PathError { kind, message }
    }
}
