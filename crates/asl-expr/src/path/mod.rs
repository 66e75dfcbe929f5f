//! JSONPath as AWS speaks it, which is Jayway json-path 2.0.0.
//!
//! What goes where:
//! - **Reference paths** (names and non-negative indices) are walked on the shared value without an allocation.
//! - **Wildcards, slices and descents** whose meaning RFC 9535 shares are run by the crate `jsonpath-rust`; the class is
//!   described in the module `lower`; so is where the crate would be too slow.
//! - **All else, and every error**, is evaluated by the module `eval`: Jayway's filters with their coercions, its rules of
//!   what may be missing, `['a','b']`, `[0,1]`, `[(@.length-1)]`, and the texts of its errors.

mod ast;
mod decimal;
mod eval;
mod filter;
pub(crate) mod hint;
pub(crate) mod java;
mod lower;
mod parse;

use crate::Env;
use crate::budget::{Budget, Exceeded, MAX_BYTES, MAX_WORK};
use asl_value::{Step, Value};
use ast::{Elements, Segment};
use std::fmt;
use std::sync::Arc;

/// Where a path starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// `$`: the input (or result) that the field is applied to.
    Input,
    /// `$$`: the context object.
    Context,
    /// `$name`: a workflow variable.
    Variable(Arc<str>),
}

/// A parsed path. Cloning costs a reference count; two paths are equal when their texts are.
#[derive(Clone)]
pub struct Path(Arc<Inner>);

struct Inner {
    text: Box<str>,
    root: Root,
    segments: Vec<Segment>,
    definite: bool,
    steps: Option<Vec<Step>>,
    lowered: Option<lower::Lowered>,
}

/// A text that is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at offset {offset} of the path)")]
pub struct PathSyntaxError {
    /// What is wrong with it.
    pub message: String,
    /// Where, as a byte offset into the text. For a mistake in a filter: where the filter begins.
    pub offset: usize,
}

/// A path that could not be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PathError {
    /// What kind of failure it is.
    pub kind: PathErrorKind,
    /// The text, Jayway's where it has one: `No results for path: $['x']`.
    pub message: String,
}

impl From<Exceeded> for PathError {
    fn from(exceeded: Exceeded) -> PathError {
        let (kind, message) = match exceeded {
            Exceeded::Work => (PathErrorKind::Invalid, format!("The path visits more than {MAX_WORK} values")),
            Exceeded::Bytes => {
                (PathErrorKind::TooLarge, format!("The path leads to more than {MAX_BYTES} bytes of values"))
            }
        };
        PathError { kind, message }
    }
}

/// What `[*][0]` gives for a row that has no such element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Nothing: the row is skipped, as the library does.
    Skipped,
    /// Null, as AWS does in payload templates.
    Kept,
}

/// How much work it is to put together the context object.
const CONTEXT_WORK: u64 = 20;

/// How a path can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathErrorKind {
    /// It leads to nothing: a member or an element is not there.
    NotFound,
    /// It does not fit the document (an index on something that is no array, a filter that compares text with a number),
    /// or visits too much of it.
    Invalid,
    /// It leads to more bytes than an evaluation may make.
    TooLarge,
    /// It starts at a variable that nothing assigned.
    UnknownVariable,
}

impl Path {
    /// Parses a path of a definition: `$.a[0]`, `$$.Execution.Id`, `$name.x`.
    ///
    /// # Errors
    /// When the text does not begin with `$`, or is not a path.
    pub fn parse(text: &str) -> Result<Path, PathSyntaxError> {
        let trimmed = trim(text);
        let Some(rest) = trimmed.strip_prefix('$') else {
            return Err(PathSyntaxError { message: "A path must begin with $".into(), offset: 0 });
        };
        let (root, rest) = match rest.chars().next() {
            Some('$') => (Root::Context, &rest[1..]),
            Some(c) if is_identifier_start(c) => {
                let end = rest.find(|c| !is_identifier_part(c)).unwrap_or(rest.len());
                (Root::Variable(rest[..end].into()), &rest[end..])
            }
            _ => (Root::Input, rest),
        };
        Path::build(text, root, rest)
    }

    /// Parses a path as the library does that AWS uses: it may also start at `@`, or with a bare name, and `$name` is not
    /// a variable.
    ///
    /// # Errors
    /// When the text is not a path.
    pub fn compile(text: &str) -> Result<Path, PathSyntaxError> {
        let trimmed = trim(text);
        if trimmed.is_empty() {
            return Err(PathSyntaxError { message: "A path can not be empty".into(), offset: 0 });
        }
        match trimmed.strip_prefix(['$', '@']) {
            Some(rest) => Path::build(text, Root::Input, rest),
            None => Path::build(text, Root::Input, &format!(".{trimmed}")),
        }
    }

    fn build(text: &str, root: Root, rest: &str) -> Result<Path, PathSyntaxError> {
        let segments = parse::segments(rest, 0).map_err(|m| {
            // `rest` ends where the text does, but may begin before it, with the dot of a bare name.
            let end = text.trim_end_matches(|c| c <= ' ').len();
            PathSyntaxError { message: m.message, offset: (end + m.at).saturating_sub(rest.len()) }
        })?;
        Ok(Path(Arc::new(Inner {
            text: text.into(),
            root,
            definite: segments.iter().all(Segment::is_definite),
            steps: segments.iter().map(step).collect(),
            lowered: lower::lower(&segments),
            segments,
        })))
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Where it starts.
    pub fn root(&self) -> &Root {
        &self.0.root
    }

    /// True when it gives one value; otherwise it gives an array of what it matched.
    pub fn is_definite(&self) -> bool {
        self.0.definite
    }

    /// True when it has only names and non-negative indices: what the ASL spec calls a Reference Path.
    pub fn is_reference(&self) -> bool {
        self.0.steps.is_some()
    }

    /// The steps of a reference path, for [`Value::set_path`].
    pub fn steps(&self) -> Option<&[Step]> {
        self.0.steps.as_deref()
    }

    /// The value it leads to; the array of all matches when it is not definite.
    ///
    /// # Errors
    /// When it leads nowhere, or does not fit the document; see [`PathErrorKind`].
    pub fn eval(&self, input: &Value, env: &dyn Env) -> Result<Value, PathError> {
        Budget::of(env, |budget| self.eval_within(input, env, budget))
    }

    pub(crate) fn eval_within(&self, input: &Value, env: &dyn Env, budget: &Budget) -> Result<Value, PathError> {
        match self.document(env, budget)? {
            Some(doc) => self.apply(&doc, Rows::Skipped, budget),
            None => self.apply(input, Rows::Skipped, budget),
        }
    }

    /// The text as AWS prints it in messages: a path into the context object as if it started there.
    pub fn text_in_document(&self) -> &str {
        match self.root() {
            Root::Context => self.text().trim_start().strip_prefix('$').unwrap_or(self.text()),
            _ => self.text(),
        }
    }

    /// The document it starts at: `None` when that is the input.
    pub(crate) fn document(&self, env: &dyn Env, budget: &Budget) -> Result<Option<Value>, PathError> {
        match self.root() {
            Root::Input => Ok(None),
            Root::Context => {
                budget.work(CONTEXT_WORK)?;
                Ok(Some(env.context()))
            }
            Root::Variable(name) => match env.variable(name) {
                Some(value) => Ok(Some(value)),
                None => Err(PathError {
                    kind: PathErrorKind::UnknownVariable,
                    message: format!("The variable '${name}' has not been assigned"),
                }),
            },
        }
    }

    /// Applies it to the document it starts at.
    pub(crate) fn apply(&self, doc: &Value, rows: Rows, budget: &Budget) -> Result<Value, PathError> {
        budget.work(1 + self.0.segments.len() as u64)?;
        if let Some(found) = self.steps().and_then(|steps| follow(steps, doc)) {
            return Ok(found.clone());
        }
        if let Some(lowered) = &self.0.lowered {
            budget.work(lowered.most_work())?;
            if let Some(found) = lowered.eval(&self.0.segments, doc) {
                budget.items(found.len())?;
                return Ok(found.into());
            }
        }
        self.apply_natively(doc, rows, budget)
    }

    fn apply_natively(&self, doc: &Value, rows: Rows, budget: &Budget) -> Result<Value, PathError> {
        let mut found = eval::eval(&self.0.segments, doc, rows, budget)?;
        if !self.is_definite() {
            return Ok(found.into());
        }
        let missing =
            || PathError { kind: PathErrorKind::NotFound, message: format!("No results for path: {}", self.text()) };
        found.pop().ok_or_else(missing)
    }

    /// True when the path would be found if only its last segment, an index, were inside its array.
    pub(crate) fn ends_past_array(&self, doc: &Value) -> bool {
        let Some([before @ .., Step::Index(at)]) = self.steps() else { return false };
        follow(before, doc).and_then(Value::as_array).is_some_and(|items| *at >= items.len())
    }
}

fn follow<'v>(steps: &[Step], doc: &'v Value) -> Option<&'v Value> {
    steps.iter().try_fold(doc, |at, step| match step {
        Step::Key(key) => at.get(key),
        Step::Index(i) => at.at(*i),
    })
}

fn step(segment: &Segment) -> Option<Step> {
    match segment {
        Segment::Names(names) if names.len() == 1 => Some(Step::Key(names[0].clone())),
        Segment::Elements(Elements::At(at)) => usize::try_from(*at).ok().map(Step::Index),
        _ => None,
    }
}

/// Java's `trim`: everything up to the space, control characters too.
fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// The first character of a variable's name (spec 1.4: an identifier of UAX #31).
fn is_identifier_start(c: char) -> bool {
    c.is_alphabetic()
}

fn is_identifier_part(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Path").field(&self.text()).finish()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Path) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Path {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn document() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![Just(Value::Null), any::<i8>().prop_map(|i| Value::from(i64::from(i)))];
        scalar.prop_recursive(5, 60, 5, |inner| {
            let key = prop_oneof![Just("a"), Just("b"), Just("it's")];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..5).prop_map(Value::from_iter),
            ]
        })
    }

    /// Paths of the class that is lowered: a prefix, a slice or descent, and wildcards.
    fn lowerable() -> impl Strategy<Value = String> {
        let prefix = prop::sample::select(vec!["", "", ".a", ".b", "[0]", "[1]", ".a[0]"]);
        let slice = prop::sample::select(vec![
            "", "[1:]", "[:2]", "[-2:]", "[:-1]", "[-9:]", "[:-9]", "[1:3]", "[2:1]", "[9:]",
        ]);
        let descent = prop::sample::select(vec!["..a", "..b", "..*", "..[*]"]);
        let wildcards = prop::sample::select(vec!["", ".*", "[*]", ".*[*]"]);
        let head = prop_oneof![slice, descent];
        (prefix, head, wildcards).prop_map(|(prefix, head, wildcards)| format!("${prefix}{head}{wildcards}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn a_lowered_path_means_what_it_means_natively(text in lowerable(), doc in document()) {
            let path = Path::parse(&text).unwrap();
            if let Some(found) = path.0.lowered.as_ref().and_then(|l| l.eval(&path.0.segments, &doc)) {
                prop_assert_eq!(path.apply_natively(&doc, Rows::Skipped, &Budget::new()), Ok(found.into()));
            }
        }
    }

    #[test]
    fn the_class_of_lowered_paths() {
        let lowered = |text: &str| Path::parse(text).unwrap().0.lowered.is_some();
        for text in ["$[*]", "$.a.*", "$.a[0][1:].*", "$[:2]", "$[-2:]", "$[1:2][*]", "$..a", "$.a..*[*].*", "$..['a']"]
        {
            assert!(lowered(text), "{text}");
        }
        for text in [
            "$",
            "$.a",
            "$.a[*].b",
            "$[0,1]",
            "$[1:-1]",
            "$[1:].a",
            "$[?(@.a)]",
            "$..[0]",
            "$..['a','b']",
            "$..a.b",
            "$..a[1:]",
            "$[-1][*]",
        ] {
            assert!(!lowered(text), "{text}");
        }
    }

    #[test]
    fn a_query_whose_paths_would_take_too_much_memory_is_not_lowered() {
        let wide = Value::from_iter([("k".repeat(100_000), Value::from(vec![Value::from(1); 1000]))]);
        let path = Path::parse("$..*").unwrap();
        assert!(path.0.lowered.as_ref().unwrap().eval(&path.0.segments, &wide).is_none());
        assert_eq!(path.apply(&wide, Rows::Skipped, &Budget::new()).unwrap().as_array().unwrap().len(), 1001);
    }
}
