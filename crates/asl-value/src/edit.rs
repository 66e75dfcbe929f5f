//! Writing at a place: what a ResultPath does.

use crate::Value;
use std::fmt;
use std::sync::Arc;

/// One step of a reference path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Key(Arc<str>),
    /// An element of an array.
    Index(usize),
}

impl Step {
    /// A step to the member `key`.
    pub fn key(key: &str) -> Step {
        Step::Key(key.into())
    }
}

/// [`Value::set_path`] met something that is not an object (or not an array with that element) on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPathError {
    /// How many steps could be taken before it.
    pub depth: usize,
}

impl fmt::Display for SetPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value at step {} of the path cannot hold what the path names", self.depth)
    }
}

impl std::error::Error for SetPathError {}

impl Value {
    /// Puts `new` at the place the steps name. Missing members are created as objects on the way; array elements must exist.
    /// Only the nodes on the path are copied, and only where another value shares them.
    ///
    /// # Errors
    /// When a step meets a scalar, an array where it names a key, or an element that is not there. Then nothing is changed.
    pub fn set_path(&mut self, steps: &[Step], new: Value) -> Result<(), SetPathError> {
        check(self, steps, 0)?;
        put(self, steps, new);
        Ok(())
    }
}

fn put(at: &mut Value, steps: &[Step], new: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *at = new;
        return;
    };
    match (step, at) {
        (Step::Key(key), Value::Object(map)) => Arc::make_mut(map).change(key, |member| put(member, rest, new)),
        (Step::Index(i), Value::Array(items)) => Arc::make_mut(items).change(*i, |item| put(item, rest, new)),
        _ => unreachable!("check() walked this path"),
    }
}

fn check(value: &Value, steps: &[Step], depth: usize) -> Result<(), SetPathError> {
    let Some((step, rest)) = steps.split_first() else { return Ok(()) };
    match (step, value) {
        (Step::Key(key), Value::Object(map)) => match map.get(key) {
            Some(child) => check(child, rest, depth + 1),
            // From here on every node is new, an object: only keys can follow.
            None if rest.iter().all(|s| matches!(s, Step::Key(_))) => Ok(()),
            None => Err(SetPathError { depth: depth + 1 }),
        },
        (Step::Index(i), Value::Array(items)) if *i < items.len() => check(&items[*i], rest, depth + 1),
        _ => Err(SetPathError { depth }),
    }
}
