//! Document paths: `a.b[0].c`.

use crate::embedded::table::attribute::{Attribute, Attributes};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A member of a map (or an attribute of the item).
    Name(Arc<str>),
    /// An element of a list.
    Index(usize),
}

/// A path from the item; the first step is always a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(pub(crate) Vec<Step>);

impl Path {
    /// The attribute of the item that the path starts with.
    pub(crate) fn head(&self) -> &str {
        match self.0.first() {
            Some(Step::Name(name)) => name,
            _ => "",
        }
    }

    /// The value at the path.
    pub(crate) fn get<'a>(&self, item: &'a Attributes) -> Option<&'a Attribute> {
        let (_, rest) = self.0.split_first()?;
        rest.iter().try_fold(item.get(self.head())?, |value, step| match (value, step) {
            (Attribute::M(members), Step::Name(name)) => members.get(name),
            (Attribute::L(items), Step::Index(index)) => items.get(*index),
            _ => None,
        })
    }

    /// The value at the path, to change.
    pub(crate) fn get_mut<'a>(&self, item: &'a mut Attributes) -> Option<&'a mut Attribute> {
        let (_, rest) = self.0.split_first()?;
        rest.iter().try_fold(item.get_mut(self.head())?, |value, step| match (value, step) {
            (Attribute::M(members), Step::Name(name)) => members.get_mut(name),
            (Attribute::L(items), Step::Index(index)) => items.get_mut(*index),
            _ => None,
        })
    }

    /// Puts a value at the path. Beyond the end of a list it is appended. `None` when the parent is not there or not of
    /// the right type.
    pub(crate) fn set(&self, item: &mut Attributes, value: Attribute) -> Option<()> {
        let (last, parent) = self.0.split_last()?;
        match (self.parent(parent, item)?, last) {
            (Parent::Map(members), Step::Name(name)) => {
                members.insert(name.clone(), value);
            }
            (Parent::List(items), Step::Index(index)) => match items.get_mut(*index) {
                Some(place) => *place = value,
                None => items.push(value),
            },
            _ => return None,
        }
        Some(())
    }

    /// Removes what is at the path, if anything. `None` when the parent is not there or not of the right type.
    pub(crate) fn remove(&self, item: &mut Attributes) -> Option<()> {
        let (last, parent) = self.0.split_last()?;
        match (self.parent(parent, item)?, last) {
            (Parent::Map(members), Step::Name(name)) => {
                members.remove(name);
            }
            (Parent::List(items), Step::Index(index)) => {
                if *index < items.len() {
                    items.remove(*index);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn parent<'a>(&self, steps: &[Step], item: &'a mut Attributes) -> Option<Parent<'a>> {
        if steps.is_empty() {
            return Some(Parent::Map(item));
        }
        match Path(steps.to_vec()).get_mut(item)? {
            Attribute::M(members) => Some(Parent::Map(members)),
            Attribute::L(items) => Some(Parent::List(items)),
            _ => None,
        }
    }
}

enum Parent<'a> {
    Map(&'a mut Attributes),
    List(&'a mut Vec<Attribute>),
}

impl fmt::Display for Path {
    /// As error messages write it: `[a, b, [0]]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (n, step) in self.0.iter().enumerate() {
            f.write_str(if n > 0 { ", " } else { "" })?;
            match step {
                Step::Name(name) => f.write_str(name)?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        f.write_str("]")
    }
}

/// The parts of an item that some paths lead to, with the maps and lists around them (list elements close up).
pub(crate) fn select<'p>(paths: impl IntoIterator<Item = &'p Path>, item: &Attributes) -> Attributes {
    let mut root = BTreeMap::new();
    for path in paths {
        if let Some(value) = path.get(item) {
            insert(&mut root, &path.0, value);
        }
    }
    members(root)
}

#[derive(Debug)]
enum Node {
    Leaf(Attribute),
    Inner(BTreeMap<Step, Node>),
}

fn insert(place: &mut BTreeMap<Step, Node>, steps: &[Step], value: &Attribute) {
    let Some((step, rest)) = steps.split_first() else { return };
    if rest.is_empty() {
        place.insert(step.clone(), Node::Leaf(value.clone()));
    } else if let Node::Inner(inner) = place.entry(step.clone()).or_insert_with(|| Node::Inner(BTreeMap::new())) {
        insert(inner, rest, value);
    }
}

fn members(nodes: BTreeMap<Step, Node>) -> Attributes {
    let named = nodes.into_iter().filter_map(|(step, node)| match step {
        Step::Name(name) => Some((name, collapse(node))),
        Step::Index(_) => None,
    });
    named.collect()
}

fn collapse(node: Node) -> Attribute {
    match node {
        Node::Leaf(value) => value,
        Node::Inner(nodes) if matches!(nodes.keys().next(), Some(Step::Index(_))) => {
            Attribute::L(nodes.into_values().map(collapse).collect())
        }
        Node::Inner(nodes) => Attribute::M(members(nodes)),
    }
}
