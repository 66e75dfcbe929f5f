//! Paths that mean the same in RFC 9535, run by the crate `jsonpath-rust`.
//!
//! After a prefix of names and indices, which is walked natively, these tails go there, where Jayway raises no error that
//! the RFC does not know and gives the same values in the same order:
//! - `[*]` and `.*`, any number of them;
//! - `[n:]`, `[:n]` and `[m:n]` with `m, n >= 0`, on an array, then any number of wildcards;
//! - `..name` and `..*`, then any number of wildcards.
//!
//! All else, and large documents, are evaluated by [`super::eval`]: members and indices after a wildcard or slice (Jayway
//! errors or skips by rules of its own), index lists (an index out of bounds is an error), filters (texts are coerced, null
//! counts as missing), `..` before an index, a filter or `['a','b']`, and `[(@.length-1)]`.

use super::ast::{Elements, Segment};
use asl_value::{Key, Value};
use jsonpath_rust::parser::model::{JpQuery, Segment as RfcSegment, Selector};
use jsonpath_rust::query::js_path_process;
use jsonpath_rust::query::queryable::Queryable;

/// How many bytes of paths a query may make: the crate notes the path of each node that it visits, so on large documents
/// (some thousand nodes) it takes about ten times as long as the native evaluation, which takes those.
const MAX_PATH_BYTES: usize = 64 << 10;

/// A path split into its native prefix and a query for the rest.
#[derive(Clone, Debug)]
pub(super) struct Lowered {
    /// How many segments are walked natively.
    prefix: usize,
    query: JpQuery,
    /// The query begins with a slice, which is an error on anything but an array.
    needs_array: bool,
    /// How many levels below its start the query looks at.
    depth: usize,
}

/// The lowered form of a path, if its tail is of the class above.
pub(super) fn lower(segments: &[Segment]) -> Option<Lowered> {
    let prefix = segments.iter().position(|s| !is_reference(s))?;
    let (head, wildcards) = match &segments[prefix..] {
        [Segment::Descend, Segment::Names(names), rest @ ..] if names.len() == 1 => {
            (Some(RfcSegment::Descendant(Box::new(RfcSegment::name(&names[0])))), rest)
        }
        [Segment::Descend, Segment::Wildcard, rest @ ..] => {
            (Some(RfcSegment::Descendant(Box::new(RfcSegment::Selector(Selector::Wildcard)))), rest)
        }
        [Segment::Elements(which), rest @ ..] => (Some(RfcSegment::Selector(slice(which)?)), rest),
        all => (None, all),
    };
    if !wildcards.iter().all(|s| matches!(s, Segment::Wildcard)) {
        return None;
    }
    let needs_array = matches!(segments[prefix], Segment::Elements(_));
    let depth = if matches!(segments[prefix], Segment::Descend) { usize::MAX } else { segments.len() - prefix };
    let tail = wildcards.iter().map(|_| RfcSegment::Selector(Selector::Wildcard));
    Some(Lowered { prefix, query: JpQuery::new(head.into_iter().chain(tail).collect()), needs_array, depth })
}

/// A single name or an index that can be inside an array.
pub(super) fn is_reference(segment: &Segment) -> bool {
    match segment {
        Segment::Names(names) => names.len() == 1,
        Segment::Elements(Elements::At(at)) => *at >= 0,
        _ => false,
    }
}

fn slice(which: &Elements) -> Option<Selector> {
    let (from, to) = match *which {
        Elements::From(from) => (Some(from), None),
        Elements::To(to) => (None, Some(to)),
        Elements::Between(from, to) if from >= 0 && to >= 0 => (Some(from), Some(to)),
        _ => return None,
    };
    Some(Selector::Slice(from.map(i64::from), to.map(i64::from), None))
}

impl Lowered {
    /// How much work the query can be: it is made on small documents alone.
    pub(super) fn most_work(&self) -> u64 {
        if self.depth == usize::MAX { (MAX_PATH_BYTES / 64) as u64 } else { 0 }
    }

    /// The values the path leads to. `None` when the prefix leads nowhere, where the native evaluation knows which error
    /// that is, and when the query would be too costly here.
    pub(super) fn eval(&self, segments: &[Segment], doc: &Value) -> Option<Vec<Value>> {
        let start = segments[..self.prefix].iter().try_fold(doc, |at, segment| match segment {
            Segment::Names(names) => at.get(&names[0]),
            Segment::Elements(Elements::At(i)) => at.at(usize::try_from(*i).ok()?),
            _ => None,
        })?;
        if self.needs_array && start.as_array().is_none() {
            return None;
        }
        let mirror = Node::mirror(start, self.depth, 1, &mut { MAX_PATH_BYTES })?;
        let found = js_path_process(&self.query, &mirror).ok()?;
        Some(found.into_iter().map(|hit| hit.val.value.clone()).collect())
    }
}

/// A value in the shape that `jsonpath-rust` walks. It shares the value it mirrors, so results need no converting back.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    value: Value,
    items: Option<Vec<Node>>,
    members: Option<Vec<(Key, Node)>>,
}

impl Node {
    /// Mirrors a value whose path has `path_len` bytes, and so many levels below it; `None` when all paths together would
    /// have more than `budget`.
    fn mirror(value: &Value, depth: usize, path_len: usize, budget: &mut usize) -> Option<Node> {
        *budget = budget.checked_sub(path_len)?;
        let (mut items, mut members) = (None, None);
        match value {
            Value::Array(all) if depth > 0 => {
                items =
                    Some(all.iter().map(|v| Node::mirror(v, depth - 1, path_len + 8, budget)).collect::<Option<_>>()?);
            }
            Value::Object(map) if depth > 0 => {
                let member = |(key, value): (&Key, &Value)| {
                    Some((key.clone(), Node::mirror(value, depth - 1, path_len + key.len() + 4, budget)?))
                };
                members = Some(map.iter().map(member).collect::<Option<_>>()?);
            }
            _ => {}
        }
        Some(Node { value: value.clone(), items, members })
    }
}

impl Queryable for Node {
    fn get(&self, key: &str) -> Option<&Node> {
        self.members.as_ref()?.iter().find(|(k, _)| &**k == key).map(|(_, node)| node)
    }

    fn as_array(&self) -> Option<&Vec<Node>> {
        self.items.as_ref()
    }

    fn as_object(&self) -> Option<Vec<(&str, &Node)>> {
        Some(self.members.as_ref()?.iter().map(|(key, node)| (&**key, node)).collect())
    }

    fn as_str(&self) -> Option<&str> {
        self.value.as_str()
    }

    fn as_i64(&self) -> Option<i64> {
        self.value.as_i64()
    }

    fn as_f64(&self) -> Option<f64> {
        self.value.as_f64()
    }

    fn as_bool(&self) -> Option<bool> {
        self.value.as_bool()
    }

    fn null() -> Node {
        Node::default()
    }
}

macro_rules! node_from {
    ($($scalar:ty),*) => {$(
        impl From<$scalar> for Node {
            fn from(value: $scalar) -> Node {
                Node { value: value.into(), items: None, members: None }
            }
        }
    )*};
}

node_from!(&str, String, bool, i64, f64);

impl From<Vec<Node>> for Node {
    fn from(items: Vec<Node>) -> Node {
        Node { value: items.iter().map(|node| node.value.clone()).collect(), items: Some(items), members: None }
    }
}
