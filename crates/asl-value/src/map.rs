//! Objects: string keys in the order they were written.

use crate::deep::{Likeness, alike, dismantle};
use crate::memo::Memo;
use crate::value::{Key, Measure, Value};
use crate::write::quoted_len;
use std::collections::HashMap;
use std::fmt;

/// From so many members on, keys are found by their hash. Below, comparing them one by one is faster, and a copy is one
/// allocation: most objects are small, and a write into a shared one copies it.
const INDEXED: usize = 16;

/// A JSON object. Keys keep the order in which they were first inserted.
#[derive(Clone, Default)]
pub struct Map {
    members: Vec<(Key, Value)>,
    /// Where each key is, in an object of [`INDEXED`] members or more.
    #[allow(clippy::box_collection, reason = "most objects have none, and 40 bytes less each")]
    index: Option<Box<HashMap<Key, usize>>>,
    measured: Memo,
}

impl Map {
    /// An empty object.
    pub fn new() -> Map {
        Map::default()
    }

    /// An empty object with room for `n` members.
    pub fn with_capacity(n: usize) -> Map {
        Map { members: Vec::with_capacity(n), index: None, measured: Memo::default() }
    }

    fn find(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => self.members.iter().position(|(k, _)| **k == *key),
        }
    }

    /// A member that is not there yet.
    fn push(&mut self, key: Key, value: Value) {
        if let Some(index) = &mut self.index {
            index.insert(key.clone(), self.members.len());
        }
        self.members.push((key, value));
        if self.index.is_none() && self.members.len() >= INDEXED {
            self.reindex();
        }
    }

    fn reindex(&mut self) {
        let places = self.members.iter().enumerate();
        self.index =
            (self.members.len() >= INDEXED).then(|| Box::new(places.map(|(at, (key, _))| (key.clone(), at)).collect()));
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.find(key).map(|at| &self.members[at].1)
    }

    /// The value under `key`, to change in place.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.measured.forget();
        self.find(key).map(|at| &mut self.members[at].1)
    }

    /// True when `key` is a member, whatever its value.
    pub fn contains_key(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Puts `value` under `key`; an existing member keeps its place. Returns the value it replaced.
    pub fn insert(&mut self, key: impl Into<Key>, value: impl Into<Value>) -> Option<Value> {
        self.measured.forget();
        let (key, value) = (key.into(), value.into());
        match self.find(&key) {
            Some(at) => Some(std::mem::replace(&mut self.members[at].1, value)),
            None => {
                self.push(key, value);
                None
            }
        }
    }

    /// Puts `value` under a key that the caller knows is not there.
    pub fn insert_new(&mut self, key: Key, value: Value) {
        debug_assert!(self.find(&key).is_none(), "{key} is there");
        self.measured.forget();
        self.push(key, value);
    }

    /// The value under `key`, after inserting `default()` when it was missing.
    pub fn get_or_insert_with(&mut self, key: impl Into<Key>, default: impl FnOnce() -> Value) -> &mut Value {
        self.measured.forget();
        let key = key.into();
        let at = self.find(&key).unwrap_or_else(|| {
            self.push(key, default());
            self.members.len() - 1
        });
        &mut self.members[at].1
    }

    /// Lets `change` make what it will of the member `key`, which is an empty object where there was none. The measure stays
    /// known where it was: what did not change is not measured again, so a write costs no more in a large document.
    pub(crate) fn change(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        let (known, found, len) = (self.measured.get(), self.find(key), self.len());
        let before = known.and(found).map(|at| self.members[at].1.measure());
        self.measured.forget();
        let at = found.unwrap_or_else(|| {
            self.push(key.clone(), Value::from(Map::new()));
            len
        });
        let member = &mut self.members[at].1;
        change(member);
        let Some(known) = known else { return };
        let after = member.measure();
        let measure = match before {
            Some(before) => known.with(before, after),
            None => {
                let bytes = known.bytes + usize::from(len > 0) + quoted_len(key) + 1 + after.bytes;
                Some(Measure { bytes, depth: known.depth.max(after.depth + 1) })
            }
        };
        if let Some(measure) = measure {
            self.measured.set(measure);
        }
    }

    /// Removes `key`; the order of the others is kept.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.measured.forget();
        let (_, value) = self.members.remove(self.find(key)?);
        self.reindex();
        Some(value)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members in order.
    pub fn iter(&self) -> MapIter<'_> {
        MapIter(self.members.iter())
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> + '_ {
        self.members.iter().map(|(key, _)| key)
    }

    /// The values in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> + '_ {
        self.members.iter().map(|(_, value)| value)
    }

    /// How large it is, if that is known.
    pub fn known(&self) -> Option<Measure> {
        self.measured.get()
    }

    /// Remembers how large it is, until it changes.
    pub(crate) fn remember(&self, measure: Measure) {
        self.measured.set(measure);
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.measured.forget();
        self.members.iter_mut().map(|(_, value)| value)
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl PartialEq for Map {
    /// Equal members, whatever their order.
    fn eq(&self, other: &Map) -> bool {
        let pairs: Option<Vec<_>> = self.iter().map(|(key, value)| Some((value, other.get(key)?))).collect();
        self.len() == other.len() && pairs.is_some_and(|pairs| alike(pairs, Likeness::Value))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        dismantle(self.members.iter_mut().map(|(_, value)| value));
    }
}

/// The members of a [`Map`] in order.
#[derive(Clone, Debug)]
pub struct MapIter<'a>(std::slice::Iter<'a, (Key, Value)>);

impl<'a> Iterator for MapIter<'a> {
    type Item = (&'a Key, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
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
        let members = members.into_iter();
        let mut map = Map::with_capacity(members.size_hint().0);
        members.for_each(|(key, value)| drop(map.insert(key, value)));
        map
    }
}
