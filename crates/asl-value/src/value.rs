//! The value itself.

use crate::deep::{Likeness, alike};
use crate::{Array, Map, Number, ParseError};
use std::ops::Index;
use std::sync::Arc;

/// An object key: shared text.
pub type Key = Arc<str>;

/// A JSON document, or a part of one. Cloning costs a reference count. Dropping, comparing, measuring and writing one take
/// no more stack the deeper it is nested.
#[derive(Clone, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number; see [`Number`] for what is exact.
    Number(Number),
    /// A string.
    String(Arc<str>),
    /// An array.
    Array(Arc<Array>),
    /// An object, its keys in the order they were written.
    Object(Arc<Map>),
}

/// The kind of a value, as JSON names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// a number
    Number,
    /// a string
    String,
    /// an array
    Array,
    /// an object
    Object,
}

impl Kind {
    /// The lower-case JSON name: `null`, `boolean`, `number`, `string`, `array`, `object`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Array => "array",
            Kind::Object => "object",
        }
    }
}

/// How large a value is; see [`Value::measure`]. Beyond 256 TiB or 65,535 levels it says just that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The length of its compact JSON text in bytes, as UTF-8.
    pub bytes: usize,
    /// How deep arrays and objects are nested; a scalar is 0.
    pub depth: usize,
}

impl Measure {
    /// The most that is told apart: 256 TiB, 65,535 levels.
    pub(crate) const MOST: Measure = Measure { bytes: (1 << 48) - 1, depth: (1 << 16) - 1 };

    /// True when it may be larger than it says.
    fn is_most(self) -> bool {
        self.bytes >= Measure::MOST.bytes || self.depth >= Measure::MOST.depth
    }

    /// That of an array or object in which a part of the measure `before` has become one of `after`; `None` when only
    /// another look can tell.
    pub(crate) fn with(self, before: Measure, after: Measure) -> Option<Measure> {
        // What was replaced may have been the deepest.
        let shallower = before.depth + 1 == self.depth && after.depth < before.depth;
        if shallower || self.is_most() || before.is_most() {
            return None;
        }
        let bytes = self.bytes - before.bytes + after.bytes;
        Some(Measure { bytes, depth: self.depth.max(after.depth + 1) })
    }
}

impl Value {
    /// An empty object, `{}`.
    pub fn empty_object() -> Value {
        Value::Object(Arc::default())
    }

    /// An empty array, `[]`.
    pub fn empty_array() -> Value {
        Value::Array(Arc::default())
    }

    /// The kind of this value.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(_) => Kind::Number,
            Value::String(_) => Kind::String,
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        }
    }

    /// True for `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(s) = self { Some(s) } else { None }
    }

    /// The number.
    pub fn as_number(&self) -> Option<&Number> {
        if let Value::Number(n) = self { Some(n) } else { None }
    }

    /// The number as a 64-bit integer, when it is written as one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::as_i64)
    }

    /// The number as a double.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number().map(Number::as_f64)
    }

    /// The boolean.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(b) = self { Some(*b) } else { None }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Value::Array(a) = self { Some(a) } else { None }
    }

    /// The members of an object.
    pub fn as_object(&self) -> Option<&Map> {
        if let Value::Object(o) = self { Some(o) } else { None }
    }

    /// The member `key` of an object; `None` for anything else.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_object().and_then(|o| o.get(key))
    }

    /// The element at `index` of an array; `None` for anything else.
    pub fn at(&self, index: usize) -> Option<&Value> {
        self.as_array().and_then(|a| a.get(index))
    }

    /// True when both are one and the same shared node (or equal scalars): a cheap test that may miss equal values.
    pub fn same_node(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::String(a), Value::String(b)) => Arc::ptr_eq(a, b),
            (Value::Array(a), Value::Array(b)) => Arc::ptr_eq(a, b),
            (Value::Object(a), Value::Object(b)) => Arc::ptr_eq(a, b),
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Number(Number::Int(a)), Value::Number(Number::Int(b))) => a == b,
            _ => false,
        }
    }

    /// True when both have the same compact text, to the letter: found without writing it, and at once where they share
    /// nodes. Unlike equal values, these have their members in the same order and their numbers written alike.
    pub fn same_text(&self, other: &Value) -> bool {
        alike([(self, other)], Likeness::Text)
    }

    /// True for an array or an object.
    pub(crate) fn is_nested(&self) -> bool {
        matches!(self, Value::Array(_) | Value::Object(_))
    }

    /// True for an array or an object that nobody else has, as far as can be seen.
    pub(crate) fn is_owned(&self) -> bool {
        match self {
            Value::Array(items) => Arc::strong_count(items) == 1,
            Value::Object(map) => Arc::strong_count(map) == 1,
            _ => false,
        }
    }

    /// The measure that an array or object remembers.
    pub(crate) fn known(&self) -> Option<Measure> {
        match self {
            Value::Array(items) => items.known(),
            Value::Object(map) => map.known(),
            _ => None,
        }
    }
}

impl PartialEq for Value {
    /// Equal as JSON: members in any order, numbers by what they are.
    fn eq(&self, other: &Value) -> bool {
        alike([(self, other)], Likeness::Value)
    }
}

static NULL: Value = Value::Null;

impl Index<&str> for Value {
    type Output = Value;

    /// The member `key`, or `null` where there is none.
    fn index(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&NULL)
    }
}

impl Index<usize> for Value {
    type Output = Value;

    /// The element at `index`, or `null` where there is none.
    fn index(&self, index: usize) -> &Value {
        self.at(index).unwrap_or(&NULL)
    }
}

impl std::str::FromStr for Value {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Value, ParseError> {
        crate::parse(text)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}

impl From<i64> for Value {
    fn from(i: i64) -> Value {
        Value::Number(Number::Int(i))
    }
}

impl From<i32> for Value {
    fn from(i: i32) -> Value {
        Value::from(i64::from(i))
    }
}

impl From<u32> for Value {
    fn from(i: u32) -> Value {
        Value::from(i64::from(i))
    }
}

impl From<u64> for Value {
    fn from(i: u64) -> Value {
        Value::Number(i.into())
    }
}

impl From<usize> for Value {
    fn from(i: usize) -> Value {
        Value::from(i as u64)
    }
}

impl From<f64> for Value {
    /// NaN and the infinities, which JSON cannot carry, become `null`.
    fn from(f: f64) -> Value {
        Number::from_f64(f).map_or(Value::Null, Value::Number)
    }
}

impl From<Number> for Value {
    fn from(n: Number) -> Value {
        Value::Number(n)
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Value {
        Value::String(s.into())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Value {
        Value::String(s.into())
    }
}

impl From<&String> for Value {
    fn from(s: &String) -> Value {
        Value::String(s.as_str().into())
    }
}

impl From<Arc<str>> for Value {
    fn from(s: Arc<str>) -> Value {
        Value::String(s)
    }
}

impl From<&Arc<str>> for Value {
    fn from(s: &Arc<str>) -> Value {
        Value::String(s.clone())
    }
}

impl From<Vec<Value>> for Value {
    fn from(a: Vec<Value>) -> Value {
        Value::Array(Arc::new(a.into()))
    }
}

impl From<Map> for Value {
    fn from(o: Map) -> Value {
        Value::Object(Arc::new(o))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Value {
        v.map_or(Value::Null, Into::into)
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Value {
        Value::from(items.into_iter().collect::<Vec<_>>())
    }
}

impl<K: Into<Key>, V: Into<Value>> FromIterator<(K, V)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Value {
        Value::from(members.into_iter().collect::<Map>())
    }
}
