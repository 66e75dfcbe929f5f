//! Definitions as trees whose nodes know their places, and the place of a node in the words AWS uses.

use asl_value::{Build, Map, Span, Value};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// How deep arrays and objects may be nested in a definition: reading one recurses by level. AWS has a limit too
/// (`TOO_DEEPLY_NESTED`) but does not say which.
pub const MAX_TEXT_DEPTH: usize = 256;

/// A JSON value with its place in the (substituted) text.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its place, in bytes.
    pub span: Span,
    /// What it is.
    pub data: Data,
}

/// What a [`Node`] is.
#[derive(Clone, Debug)]
pub enum Data {
    /// Neither an array nor an object.
    Scalar(Value),
    /// An array.
    Array(Vec<Node>),
    /// An object, its members in the order of the text.
    Object(Vec<Member>),
}

/// A member of an object. Keys may repeat; the last one counts, as at AWS.
#[derive(Clone, Debug)]
pub struct Member {
    /// The key.
    pub key: Arc<str>,
    /// The place of the key, in bytes.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The text, when it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(value) => value.as_str(),
            _ => None,
        }
    }

    /// True for `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar(Value::Null))
    }

    /// The members, when it is an object.
    pub fn as_object(&self) -> Option<&[Member]> {
        match &self.data {
            Data::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The elements, when it is an array.
    pub fn as_array(&self) -> Option<&[Node]> {
        match &self.data {
            Data::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The member that counts for `key`.
    pub fn member(&self, key: &str) -> Option<&Member> {
        self.as_object()?.iter().rev().find(|m| &*m.key == key)
    }

    /// The plain value, places dropped.
    pub fn to_value(&self) -> Value {
        match &self.data {
            Data::Scalar(value) => value.clone(),
            Data::Array(items) => items.iter().map(Node::to_value).collect::<Vec<_>>().into(),
            Data::Object(members) => {
                let mut map = Map::with_capacity(members.len());
                for member in members {
                    map.insert(member.key.clone(), member.value.to_value());
                }
                map.into()
            }
        }
    }
}

/// Builds [`Node`]s from JSON text.
pub(crate) struct Nodes;

impl Build for Nodes {
    type Node = Node;
    const MAX_DEPTH: usize = MAX_TEXT_DEPTH;

    fn scalar(&mut self, value: Value, span: Span) -> Node {
        Node { span, data: Data::Scalar(value) }
    }

    fn array(&mut self, items: Vec<Node>, span: Span) -> Node {
        Node { span, data: Data::Array(items) }
    }

    fn object(&mut self, members: Vec<(Arc<str>, Span, Node)>, span: Span) -> Node {
        let members = members.into_iter().map(|(key, key_span, value)| Member { key, key_span, value }).collect();
        Node { span, data: Data::Object(members) }
    }
}

/// A node together with the way to it from the root.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) node: &'a Node,
    parent: Option<&'a Item<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Item<'a> {
    pub(crate) fn root(node: &'a Node) -> Item<'a> {
        Item { node, parent: None, step: Step::Root }
    }

    /// The member `key`, when this is an object that has it.
    pub(crate) fn get<'b>(&'b self, key: &'b str) -> Option<Item<'b>> {
        self.node.member(key).map(|m| Item { node: &m.value, parent: Some(self), step: Step::Key(key) })
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.node.member(key).is_some()
    }

    /// The members of an object, none for anything else; of repeated keys only the last, at its own place.
    pub(crate) fn members<'b>(&'b self) -> impl Iterator<Item = (&'b Member, Item<'b>)> {
        let members = self.node.as_object().unwrap_or_default();
        let mut last = HashMap::with_capacity(members.len());
        for (i, member) in members.iter().enumerate() {
            last.insert(&*member.key, i);
        }
        let counts = move |(i, m): &(usize, &Member)| last.get(&*m.key) == Some(i);
        let item = move |(_, m): (usize, &'b Member)| {
            (m, Item { node: &m.value, parent: Some(self), step: Step::Key(&m.key) })
        };
        members.iter().enumerate().filter(counts).map(item)
    }

    /// The elements of an array, none for anything else.
    pub(crate) fn elements<'b>(&'b self) -> impl Iterator<Item = Item<'b>> {
        let items = self.node.as_array().unwrap_or_default();
        items.iter().enumerate().map(move |(i, node)| Item { node, parent: Some(self), step: Step::Index(i) })
    }

    /// The place as AWS writes it: `/States/A/Choices[0]/Next`, the root is `/`.
    pub(crate) fn location(&self) -> String {
        match self.step {
            Step::Root => "/".to_owned(),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Key(key) => write!(f, "/{key}"),
            Step::Index(i) => write!(f, "[{i}]"),
        }
    }
}
