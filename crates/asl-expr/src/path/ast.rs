//! A path, parsed.

use super::filter::Filter;
use std::fmt;
use std::sync::Arc;

/// One segment of a path, after its root.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    /// `.a`, `['a']`: one member. `['a','b']`: a new object with those of them that are there.
    Names(Vec<Arc<str>>),
    /// `[0]`, `[0,1]`, `[1:3]`, `[(@.length-1)]`: elements of an array.
    Elements(Elements),
    /// `.*`, `[*]`: all members or elements.
    Wildcard,
    /// `..`: the segment after it, tried at every object and array below.
    Descend,
    /// `[?(…)]`: the elements for which the filter holds, or the object itself.
    Filter(Filter),
    /// A `$` in the middle of a path: it changes nothing but the path that error texts show.
    Root,
}

/// Which elements of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Elements {
    /// `[2]`. A negative index is never inside an array.
    At(i32),
    /// `[0,2]`
    Each(Vec<i32>),
    /// `[(@.length-1)]`: the number is added to the length.
    FromLength(i32),
    /// `[1:]`: counted from the end when negative.
    From(i32),
    /// `[:3]`: counted from the end when negative.
    To(i32),
    /// `[1:3]`: never counted from the end.
    Between(i32, i32),
}

impl Segment {
    /// True when the segment leads to one place at most, so that a path of such segments gives a value and not a list.
    pub(super) fn is_definite(&self) -> bool {
        match self {
            Segment::Names(_) | Segment::Root => true,
            Segment::Elements(which) => matches!(which, Elements::At(_) | Elements::FromLength(_)),
            Segment::Wildcard | Segment::Descend | Segment::Filter(_) => false,
        }
    }
}

/// The segment as Jayway writes it in error texts.
impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Names(names) => write_names(f, names),
            Segment::Elements(which) => which.fmt(f),
            Segment::Wildcard => f.write_str("[*]"),
            Segment::Descend => f.write_str(".."),
            Segment::Filter(_) => f.write_str("[?]"),
            Segment::Root => f.write_str("$"),
        }
    }
}

/// `['a', 'b']`
pub(super) fn write_names(f: &mut impl fmt::Write, names: &[Arc<str>]) -> fmt::Result {
    for (i, name) in names.iter().enumerate() {
        write!(f, "{}'{name}'", if i == 0 { "[" } else { ", " })?;
    }
    f.write_str(if names.is_empty() { "[]" } else { "]" })
}

impl fmt::Display for Elements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Elements::At(i) => write!(f, "[{i}]"),
            Elements::Each(all) => {
                for (i, index) in all.iter().enumerate() {
                    write!(f, "{}{index}", if i == 0 { '[' } else { ',' })?;
                }
                f.write_str("]")
            }
            Elements::FromLength(n) => write!(f, "[@.size(){n}]"),
            Elements::From(from) => write!(f, "[{from}:]"),
            Elements::To(to) => write!(f, "[:{to}]"),
            Elements::Between(from, to) => write!(f, "[{from}:{to}]"),
        }
    }
}
