//! The values of an evaluation: parts of documents, shared as they are, and what is built along the way.

use super::budget::{Budget, Charge};
use super::eval::{Thunk, Tuples};
use super::functions::Function;
use super::messages::Fail;
use asl_value::{Array, Key, Map, Number, Value};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// How deep a value may nest: what is walked or dropped is walked level by level.
const DEEPEST: usize = 500;

/// A value. Cloning costs a reference count.
#[derive(Clone, Default)]
pub(super) enum Val {
    #[default]
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    /// A number of a document that a double would write in another way: `1.0`, or an integer beyond 2^53.
    Exact(Number),
    String(Arc<str>),
    /// An array of a document.
    Array(Arc<Array>),
    /// An object of a document.
    Object(Arc<Map>),
    /// An array that was built.
    Seq(Rc<Seq>),
    /// An object that was built.
    Record(Rc<Record>),
    Function(Rc<Function>),
    /// The items of a path that binds names; it lives between its steps.
    Tuples(Rc<Tuples>),
    /// A call in tail position, which its caller makes.
    Thunk(Rc<Thunk>),
    /// In a frame: the name has no value yet.
    Unset,
}

/// What the reference implementation writes on an array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// A result of many: none is undefined, one stands for itself.
    pub(super) sequence: bool,
    /// One alone stays an array.
    pub(super) keep: bool,
    /// It was written with brackets as a step, and is an item as a whole.
    pub(super) cons: bool,
    /// The document, which is an array, as the one thing an expression is about.
    pub(super) outer: bool,
}

pub(super) const PLAIN: Flags = Flags { sequence: false, keep: false, cons: false, outer: false };
pub(super) const SEQUENCE: Flags = Flags { sequence: true, ..PLAIN };

/// An array that was built.
pub(super) struct Seq {
    pub(super) items: Vec<Val>,
    pub(super) flags: Flags,
    /// Its size as a tree, as AWS counts; shared parts count each time.
    weight: usize,
    depth: usize,
    charge: Charge,
}

/// An object that was built.
pub(super) struct Record {
    members: Vec<(Key, Val)>,
    /// Where each key is, when there are many.
    index: Option<HashMap<Key, usize>>,
    weight: usize,
    depth: usize,
    charge: Charge,
}

/// From so many members on, keys are found by their hash.
const INDEXED: usize = 16;

/// The items of an array, wherever it comes from.
#[derive(Clone, Copy)]
pub(super) enum List<'v> {
    Plain(&'v [Value]),
    Built(&'v [Val]),
}

impl<'v> List<'v> {
    pub(super) fn len(self) -> usize {
        match self {
            List::Plain(items) => items.len(),
            List::Built(items) => items.len(),
        }
    }

    pub(super) fn get(self, index: usize) -> Option<Val> {
        match self {
            List::Plain(items) => items.get(index).map(Val::from),
            List::Built(items) => items.get(index).cloned(),
        }
    }

    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = Val> + 'v {
        (0..self.len()).map(move |index| self.get(index).unwrap_or_default())
    }
}

impl From<&Value> for Val {
    #[inline]
    fn from(value: &Value) -> Val {
        /// Integers up to here are the same as doubles.
        const EXACT: i64 = 1 << 53;
        match value {
            Value::Null => Val::Null,
            Value::Bool(b) => Val::Bool(*b),
            Value::Number(Number::Int(i)) if (-EXACT..=EXACT).contains(i) => Val::Number(*i as f64),
            Value::Number(Number::Float(f)) if f.fract() != 0.0 => Val::Number(*f),
            Value::Number(other) => Val::Exact(other.clone()),
            Value::String(text) => Val::String(Arc::clone(text)),
            Value::Array(items) => Val::Array(Arc::clone(items)),
            Value::Object(map) => Val::Object(Arc::clone(map)),
        }
    }
}

impl Val {
    pub(super) fn string(text: impl Into<Arc<str>>) -> Val {
        Val::String(text.into())
    }

    pub(super) fn is_undefined(&self) -> bool {
        matches!(self, Val::Undefined)
    }

    pub(super) fn is_function(&self) -> bool {
        matches!(self, Val::Function(_) | Val::Thunk(_))
    }

    #[inline]
    pub(super) fn as_f64(&self) -> Option<f64> {
        match self {
            Val::Number(n) => Some(*n),
            Val::Exact(n) => Some(n.as_f64()),
            _ => None,
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        if let Val::String(text) = self { Some(text) } else { None }
    }

    /// The items of an array.
    #[inline]
    pub(super) fn list(&self) -> Option<List<'_>> {
        match self {
            Val::Array(items) => Some(List::Plain(items)),
            Val::Seq(seq) => Some(List::Built(&seq.items)),
            _ => None,
        }
    }

    pub(super) fn is_array(&self) -> bool {
        matches!(self, Val::Array(_) | Val::Seq(_))
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self, Val::Object(_) | Val::Record(_))
    }

    pub(super) fn flags(&self) -> Flags {
        if let Val::Seq(seq) = self { seq.flags } else { PLAIN }
    }

    /// The member `key` of an object; undefined of anything else.
    #[inline]
    pub(super) fn member(&self, key: &str) -> Val {
        match self {
            Val::Object(map) => map.get(key).map_or(Val::Undefined, Val::from),
            Val::Record(record) => record.get(key).cloned().unwrap_or_default(),
            _ => Val::Undefined,
        }
    }

    /// How many members an object has.
    pub(super) fn members_len(&self) -> usize {
        match self {
            Val::Object(map) => map.len(),
            Val::Record(record) => record.members.len(),
            _ => 0,
        }
    }

    /// The members of an object in order; none of anything else.
    pub(super) fn members(&self) -> Box<dyn Iterator<Item = (Key, Val)> + '_> {
        match self {
            Val::Object(map) => Box::new(map.iter().map(|(key, value)| (Key::clone(key), Val::from(value)))),
            Val::Record(record) => Box::new(record.members.iter().cloned()),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// One and the same, as `===` of JavaScript.
    pub(super) fn same(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::Undefined, Val::Undefined) | (Val::Null, Val::Null) => true,
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::String(a), Val::String(b)) => a == b,
            (Val::Array(a), Val::Array(b)) => Arc::ptr_eq(a, b),
            (Val::Object(a), Val::Object(b)) => Arc::ptr_eq(a, b),
            (Val::Seq(a), Val::Seq(b)) => Rc::ptr_eq(a, b),
            (Val::Record(a), Val::Record(b)) => Rc::ptr_eq(a, b),
            (Val::Function(a), Val::Function(b)) => Function::same(a, b),
            (a, b) => matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b),
        }
    }

    /// Its size as a tree in bytes, as AWS counts it (8 a number, 1 a character), and how deep it nests.
    #[inline]
    fn size(&self) -> (usize, usize) {
        match self {
            Val::String(text) => (text.len().max(8), 0),
            Val::Seq(seq) => (seq.weight, seq.depth),
            Val::Record(record) => (record.weight, record.depth),
            Val::Array(_) | Val::Object(_) => {
                let measure = self.measure();
                (measure.bytes, measure.depth)
            }
            Val::Function(function) => (8, function.depth()),
            _ => (8, 0),
        }
    }

    /// As its size in bytes, of a part of a document.
    #[inline]
    pub(super) fn weight(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len().max(8),
            Value::Array(_) | Value::Object(_) => value.measure().bytes,
            _ => 8,
        }
    }

    #[inline]
    fn measure(&self) -> asl_value::Measure {
        match self {
            Val::Array(items) => items.known().unwrap_or_else(|| Value::Array(Arc::clone(items)).measure()),
            Val::Object(map) => map.known().unwrap_or_else(|| Value::Object(Arc::clone(map)).measure()),
            _ => Value::Null.measure(),
        }
    }

    /// How deep it nests.
    #[inline]
    pub(super) fn depth(&self) -> usize {
        self.size().1
    }

    /// The room it takes in what holds it, besides what is shared and pays for itself.
    #[inline]
    pub(super) fn room(&self) -> usize {
        match self {
            Val::String(text) => text.len() + 16,
            _ => 0,
        }
    }

    /// The value as JSON. `None` is undefined.
    ///
    /// # Errors
    /// Functions, and what is larger or deeper than a value may be.
    pub(super) fn into_value(self, budget: &Budget) -> Result<Option<Value>, Fail> {
        budget.room(self.size().0)?;
        self.convert(budget)
    }

    /// What nothing else has is taken apart, not copied. It nests at most [`DEEPEST`] levels.
    fn convert(self, budget: &Budget) -> Result<Option<Value>, Fail> {
        Ok(Some(match self {
            Val::Undefined | Val::Unset => return Ok(None),
            Val::Null => Value::Null,
            Val::Bool(b) => Value::Bool(b),
            Val::Number(n) => number(n),
            Val::Exact(n) => Value::Number(n),
            Val::String(text) => Value::String(text),
            Val::Array(items) => Value::Array(items),
            Val::Object(map) => Value::Object(map),
            Val::Seq(seq) => {
                budget.spend(seq.items.len())?;
                let one = |item: Val| Ok(item.convert(budget)?.unwrap_or_default());
                let items: Result<Vec<Value>, Fail> = match Rc::try_unwrap(seq) {
                    Ok(seq) => seq.items.into_iter().map(one).collect(),
                    Err(shared) => shared.items.iter().cloned().map(one).collect(),
                };
                Value::from(items?)
            }
            Val::Record(record) => {
                budget.spend(2 * record.members.len())?;
                let mut map = Map::with_capacity(record.members.len());
                let mut one = |(key, member): (Key, Val)| -> Result<(), Fail> {
                    if let Some(member) = member.convert(budget)? {
                        map.insert_new(key, member);
                    }
                    Ok(())
                };
                match Rc::try_unwrap(record) {
                    Ok(record) => record.members.into_iter().try_for_each(&mut one)?,
                    Err(shared) => shared.members.iter().cloned().try_for_each(&mut one)?,
                }
                Value::from(map)
            }
            Val::Function(_) | Val::Tuples(_) | Val::Thunk(_) => return Err(Fail::Unsupported),
        }))
    }
}

/// Whole numbers within 64 bits are integers; what JSON cannot carry becomes its name, as on AWS.
fn number(n: f64) -> Value {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if n.is_nan() {
        Value::from("NaN")
    } else if n.is_infinite() {
        Value::from(if n > 0.0 { "Infinity" } else { "-Infinity" })
    } else if n.fract() == 0.0 && (-LIMIT..LIMIT).contains(&n) {
        Value::from(n as i64)
    } else {
        Number::from_f64(n).map_or(Value::Null, Value::Number)
    }
}

/// An array that is being built, paid for as it grows.
pub(super) struct Build {
    items: Vec<Val>,
    weight: usize,
    /// The bound on the weight.
    most: usize,
    /// The room of strings that is not paid yet.
    unpaid: usize,
    depth: usize,
    charge: Charge,
}

/// So many bytes of strings are paid at once.
const UNPAID: usize = 4096;

impl Build {
    pub(super) fn new(budget: &Rc<Budget>) -> Build {
        let most = budget.bounds.memory;
        Build { items: Vec::new(), weight: 8, most, unpaid: 0, depth: 0, charge: Charge::new(budget) }
    }

    /// With room for `count` items.
    ///
    /// # Errors
    /// The bounds on items and memory.
    pub(super) fn with_room(budget: &Rc<Budget>, count: usize) -> Result<Build, Fail> {
        let mut build = Build::new(budget);
        build.grow(count)?;
        Ok(build)
    }

    fn grow(&mut self, more: usize) -> Result<(), Fail> {
        self.charge.budget().length(self.items.len().saturating_add(more))?;
        self.charge.add(more.saturating_mul(size_of::<Val>()))?;
        self.items.reserve_exact(more);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    #[inline]
    pub(super) fn push(&mut self, item: Val) -> Result<(), Fail> {
        if self.items.len() == self.items.capacity() {
            self.charge.budget().length(self.items.len() + 1)?;
            let most = self.charge.budget().bounds.items - self.items.len();
            self.grow(self.items.len().clamp(1, most.max(1)))?;
        }
        let (weight, depth) = item.size();
        self.weight = self.weight.saturating_add(weight);
        if self.weight > self.most {
            return Err(Fail::Memory);
        }
        if let Val::String(text) = &item {
            self.unpaid += text.len() + 16;
            if self.unpaid > UNPAID {
                self.charge.add(std::mem::take(&mut self.unpaid))?;
            }
        }
        self.depth = self.depth.max(depth);
        self.items.push(item);
        Ok(())
    }

    /// All items of `list`.
    ///
    /// # Errors
    /// The bounds on items, memory and work.
    pub(super) fn extend(&mut self, list: List<'_>) -> Result<(), Fail> {
        self.charge.budget().spend(list.len().saturating_mul(2))?;
        let spare = self.items.capacity() - self.items.len();
        if list.len() > spare {
            self.grow(list.len() - spare)?;
        }
        list.iter().try_for_each(|item| self.push(item))
    }

    /// The items of an array in another order: as large and as deep as they were.
    ///
    /// # Errors
    /// The bounds on items and memory.
    pub(super) fn reordered(budget: &Rc<Budget>, array: &Val, places: &[usize]) -> Result<Val, Fail> {
        let Some(list) = array.list() else { return Build::new(budget).finish(PLAIN) };
        let mut build = Build::with_room(budget, places.len())?;
        match list {
            List::Plain(items) => build.items.extend(places.iter().map(|place| Val::from(&items[*place]))),
            List::Built(items) => build.items.extend(places.iter().map(|place| items[*place].clone())),
        }
        let (weight, depth) = array.size();
        (build.weight, build.depth) = (weight, depth.saturating_sub(1));
        if weight > build.most {
            return Err(Fail::Memory);
        }
        build.unpaid = build.items.iter().filter_map(Val::as_str).map(|text| text.len() + 16).sum();
        build.finish(PLAIN)
    }

    /// The value itself, or the items of an array: what `concat` of JavaScript does.
    ///
    /// # Errors
    /// The bounds on items, memory and work.
    pub(super) fn concat(&mut self, value: &Val) -> Result<(), Fail> {
        match value.list() {
            Some(list) => self.extend(list),
            None => self.push(value.clone()),
        }
    }

    /// The items so far.
    pub(super) fn items(&self) -> &[Val] {
        &self.items
    }

    pub(super) fn finish(self, flags: Flags) -> Result<Val, Fail> {
        self.charge.add(self.unpaid)?;
        let depth = self.depth + 1;
        if depth > DEEPEST {
            return Err(Fail::Memory);
        }
        Ok(Val::Seq(Rc::new(Seq { items: self.items, flags, weight: self.weight, depth, charge: self.charge })))
    }
}

impl Seq {
    /// The array of one item.
    pub(super) fn one(budget: &Rc<Budget>, item: Val, flags: Flags) -> Result<Val, Fail> {
        let mut build = Build::with_room(budget, 1)?;
        build.push(item)?;
        build.finish(flags)
    }

    /// The same items with other flags; not copied where nothing else has them.
    pub(super) fn flagged(self: Rc<Seq>, flags: Flags) -> Result<Val, Fail> {
        if self.flags == flags {
            return Ok(Val::Seq(self));
        }
        match Rc::try_unwrap(self) {
            Ok(seq) => Ok(Val::Seq(Rc::new(Seq { flags, ..seq }))),
            Err(shared) => {
                let mut build = Build::new(shared.charge.budget());
                build.extend(List::Built(&shared.items))?;
                build.finish(flags)
            }
        }
    }
}

impl Record {
    pub(super) fn new(budget: &Rc<Budget>, count: usize) -> Result<Record, Fail> {
        let charge = Charge::new(budget);
        charge.add(96 + count.saturating_mul(size_of::<(Key, Val)>()))?;
        Ok(Record { members: Vec::with_capacity(count), index: None, weight: 8, depth: 0, charge })
    }

    fn find(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => self.members.iter().position(|(known, _)| **known == *key),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Val> {
        self.find(key).map(|at| &self.members[at].1)
    }

    /// Puts `value` under `key`; a key that is there keeps its place.
    ///
    /// # Errors
    /// The bounds on memory.
    pub(super) fn insert(&mut self, key: Key, value: Val) -> Result<(), Fail> {
        let (weight, depth) = value.size();
        self.weight = self.weight.saturating_add(weight + key.len());
        self.charge.budget().room(self.weight)?;
        self.depth = self.depth.max(depth);
        self.charge.add(value.room())?;
        match self.find(&key) {
            Some(at) => {
                let before = std::mem::replace(&mut self.members[at].1, value);
                self.weight = self.weight.saturating_sub(before.size().0 + key.len());
            }
            None => {
                if self.members.len() == self.members.capacity() {
                    let more = self.members.len().max(4);
                    self.charge.add(more * size_of::<(Key, Val)>())?;
                    self.members.reserve_exact(more);
                }
                self.charge.add(key.len() + 16)?;
                if let Some(index) = &mut self.index {
                    self.charge.add(size_of::<(Key, usize)>() * 2)?;
                    index.insert(Key::clone(&key), self.members.len());
                }
                self.members.push((key, value));
                if self.index.is_none() && self.members.len() >= INDEXED {
                    self.charge.add(size_of::<(Key, usize)>() * 2 * INDEXED)?;
                    let places = self.members.iter().enumerate();
                    self.index = Some(places.map(|(at, (key, _))| (Key::clone(key), at)).collect());
                }
            }
        }
        Ok(())
    }

    /// As [`Record::insert`], of a key that is not there.
    ///
    /// # Errors
    /// The bounds on memory.
    pub(super) fn push(&mut self, key: Key, value: Val) -> Result<(), Fail> {
        if self.members.len() + 1 >= INDEXED || self.members.len() == self.members.capacity() {
            return self.insert(key, value);
        }
        let (weight, depth) = value.size();
        self.weight = self.weight.saturating_add(weight + key.len());
        self.charge.budget().room(self.weight)?;
        self.depth = self.depth.max(depth);
        self.charge.add(value.room())?;
        self.members.push((key, value));
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn finish(mut self) -> Result<Val, Fail> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fail::Memory);
        }
        Ok(Val::Record(Rc::new(self)))
    }
}
