//! Objects: string keys in the order they were written.

use crate::value::{Key, Value};
use indexmap::IndexMap;

/// A JSON object. Keys keep the order in which they were first inserted.
#[derive(Clone, Debug, Default)]
pub struct Map(IndexMap<Key, Value>);

impl Map {
    /// An empty object.
    pub fn new() -> Map {
        Map::default()
    }

    /// An empty object with room for `n` members.
    pub fn with_capacity(n: usize) -> Map {
        Map(IndexMap::with_capacity(n))
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The value under `key`, to change in place.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.get_mut(key)
    }

    /// True when `key` is a member, whatever its value.
    pub fn contains_key(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Puts `value` under `key`; an existing member keeps its place. Returns the value it replaced.
    pub fn insert(&mut self, key: impl Into<Key>, value: impl Into<Value>) -> Option<Value> {
        self.0.insert(key.into(), value.into())
    }

    /// The value under `key`, after inserting `default()` when it was missing.
    pub fn get_or_insert_with(&mut self, key: impl Into<Key>, default: impl FnOnce() -> Value) -> &mut Value {
        self.0.entry(key.into()).or_insert_with(default)
    }

    /// Removes `key`; the order of the others is kept.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.shift_remove(key)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members in order.
    pub fn iter(&self) -> MapIter<'_> {
        MapIter(self.0.iter())
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> + '_ {
        self.0.keys()
    }

    /// The values in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> + '_ {
        self.0.values()
    }
}

impl PartialEq for Map {
    /// Equal members, whatever their order.
    fn eq(&self, other: &Map) -> bool {
        self.len() == other.len() && self.iter().all(|(k, v)| other.get(k) == Some(v))
    }
}

/// The members of a [`Map`] in order.
#[derive(Clone, Debug)]
pub struct MapIter<'a>(indexmap::map::Iter<'a, Key, Value>);

impl<'a> Iterator for MapIter<'a> {
    type Item = (&'a Key, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for MapIter<'_> {}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a Key, &'a Value);
    type IntoIter = MapIter<'a>;

    fn into_iter(self) -> MapIter<'a> {
        self.iter()
    }
}

impl<K: Into<Key>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Map {
        Map(members.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }
}
