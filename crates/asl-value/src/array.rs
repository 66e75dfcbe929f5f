//! Arrays: elements in order.

use crate::deep::{Likeness, alike, dismantle};
use crate::memo::Memo;
use crate::value::{Measure, Value};
use std::fmt;
use std::ops::Deref;

/// A JSON array: a slice of elements that remembers how long its text is. It is made of a `Vec`, and changed by
/// [`Value::set_path`].
#[derive(Clone, Default)]
pub struct Array {
    items: Vec<Value>,
    measured: Memo,
}

impl Array {
    /// Lets `change` make what it will of the element at `index`. As for objects, the measure stays known where it was.
    ///
    /// # Panics
    /// When there is no such element.
    pub(crate) fn change(&mut self, index: usize, change: impl FnOnce(&mut Value)) {
        let item = &mut self.items[index];
        let known = self.measured.get().map(|known| (known, item.measure()));
        self.measured.forget();
        change(item);
        if let Some(measure) = known.and_then(|(known, before)| known.with(before, item.measure())) {
            self.measured.set(measure);
        }
    }

    /// How large it is, if that is known.
    pub fn known(&self) -> Option<Measure> {
        self.measured.get()
    }

    /// Remembers how large it is, until it changes.
    pub(crate) fn remember(&self, measure: Measure) {
        self.measured.set(measure);
    }

    pub(crate) fn items_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.measured.forget();
        self.items.iter_mut()
    }
}

impl Deref for Array {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.items
    }
}

impl<'a> IntoIterator for &'a Array {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl From<Vec<Value>> for Array {
    fn from(items: Vec<Value>) -> Array {
        Array { items, measured: Memo::default() }
    }
}

impl From<Array> for Vec<Value> {
    fn from(mut array: Array) -> Vec<Value> {
        std::mem::take(&mut array.items)
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.fmt(f)
    }
}

impl PartialEq for Array {
    fn eq(&self, other: &Array) -> bool {
        self.len() == other.len() && alike(self.iter().zip(other.iter()), Likeness::Value)
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        dismantle(self.items.iter_mut());
    }
}
