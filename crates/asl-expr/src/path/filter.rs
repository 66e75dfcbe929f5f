//! Filters, `[?(@.price < 10 && @.tags)]`: their parsing and what they compare.
//!
//! Jayway 2.0.0 cuts a filter at `&&` and `||` wherever they stand, takes parentheses off the ends of each piece, and
//! finds the operator by searching for `==`, `>=`, `<=`, `!=`, `<`, `>`, `=~`, in that order. A side that is no path, no
//! quoted text and no `/regex/` is a text too (`5` is the text "5"); a text is turned into a number or boolean when the
//! other side is one.

use super::ast::Segment;
use super::decimal::Decimal;
use super::parse::{self, Mistake, mistake};
use asl_value::{Number, Value};
use regex::{Regex, RegexBuilder};
use std::cmp::Ordering;
use std::sync::Arc;

/// How many tests a filter may combine; evaluating a filter recurses by test.
const MAX_TESTS: usize = 256;
/// How large a compiled regex may be, in bytes.
const MAX_REGEX_BYTES: usize = 1 << 18;
/// How many bytes of text are read in the time in which a regex looks at one.
const REGEX_FACTOR: usize = 32;
/// How deep a filter may stand in the path of a filter. Such a path is never definite and is refused in the end, but by a
/// parser that has come back from it.
const MAX_NESTING: usize = 8;

/// A condition on an element.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    /// `[?]`: nothing to test with. A path that has it is accepted, but cannot be applied.
    Unbound,
    /// `@.a`, `!@.a`: whether there is a value other than null.
    Exists { path: SubPath, wanted: bool },
    /// `@.a == 1`
    Compare { left: Operand, op: Op, right: Operand },
    /// All hold; tried in order.
    And(Vec<Filter>),
    /// The first holds, or else the second.
    Or(Box<Filter>, Box<Filter>),
}

/// A definite path inside of a filter.
#[derive(Clone, Debug)]
pub(super) struct SubPath {
    /// It starts at the document (`$`), not at the element (`@`).
    pub(super) from_root: bool,
    pub(super) segments: Vec<Segment>,
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Path(SubPath),
    Text(Arc<str>),
    Pattern(Pattern),
}

/// `/regex/`, `/regex/i`
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    source: Arc<str>,
    regex: Regex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ge,
    Le,
    Ne,
    Lt,
    Gt,
    Matches,
}

const OPERATORS: [(&str, Op); 7] =
    [("==", Op::Eq), (">=", Op::Ge), ("<=", Op::Le), ("!=", Op::Ne), ("<", Op::Lt), (">", Op::Gt), ("=~", Op::Matches)];

/// Parses the filter of `fragment`, a bracket whose `?` stands at `at`.
pub(super) fn in_bracket(fragment: &str, at: usize, nesting: usize) -> Result<Segment, Mistake> {
    if nesting == MAX_NESTING {
        return mistake(format!("Filters can not be nested more than {MAX_NESTING} deep"), at);
    }
    let start = fragment[..at].rfind('[').unwrap_or(0);
    let len = filter_len(&fragment[start..]).map_err(|m| Mistake { at: m.at + start, ..m })?;
    let end = start + len;
    let text = fragment[start + 1..end - 1].trim();
    let inside = text.strip_prefix('?').map(str::trim).and_then(|f| f.strip_prefix('(')?.strip_suffix(')'));
    let Some(inside) = inside.map(str::trim) else {
        return mistake("Filter must start with '[?(' and end with ')]'.", at);
    };
    combine(inside, at, nesting + 1).map(Segment::Filter)
}

/// Up to the `]` outside of quotes and parentheses.
fn filter_len(text: &str) -> Result<usize, Mistake> {
    let (mut round, mut square, mut quoted) = (0_i64, 0_i64, false);
    let mut before = b' ';
    for (at, b) in text.bytes().enumerate() {
        match b {
            b'\'' if before != b'\\' => quoted = !quoted,
            _ if quoted => {}
            b'(' => round += 1,
            b')' => round -= 1,
            b'[' => square += 1,
            b']' => {
                square -= 1;
                if round == 0 {
                    return if square == 0 { Ok(at + 1) } else { mistake("Filter brackets are not balanced", at) };
                }
            }
            _ => {}
        }
        before = b;
    }
    mistake("The filter is not closed", text.len())
}

/// The tests and their operators, taken together from the right.
fn combine(text: &str, at: usize, nesting: usize) -> Result<Filter, Mistake> {
    let mut tests = Vec::new();
    let mut operators = Vec::new();
    for piece in split(text) {
        match piece.trim() {
            op @ ("&&" | "||") => operators.push(op),
            test => tests.push(criterion(test, at, nesting)?),
        }
        if tests.len() > MAX_TESTS {
            return mistake(format!("A filter can not have more than {MAX_TESTS} tests"), at);
        }
    }
    let unbalanced = || Mistake { message: format!("Invalid operators {text}"), at };
    let mut root = tests.pop().ok_or_else(unbalanced)?;
    while let Some(op) = operators.pop() {
        let test = tests.pop().ok_or_else(unbalanced)?;
        root = match (op, root) {
            ("||", root) => Filter::Or(root.into(), test.into()),
            (_, Filter::And(mut all)) => {
                all.push(test);
                Filter::And(all)
            }
            (_, Filter::Or(left, right)) => Filter::Or(left, Filter::And(vec![*right, test]).into()),
            (_, root) => Filter::And(vec![root, test]),
        };
    }
    if tests.is_empty() { Ok(root) } else { Err(unbalanced()) }
}

/// Cuts before and after each `&&` and `||`.
fn split(text: &str) -> Vec<&str> {
    let is_op = |at: usize| text.get(at..at + 2).is_some_and(|two| two == "&&" || two == "||");
    let mut pieces = Vec::new();
    let mut from = 0;
    for (at, _) in text.char_indices().skip(1) {
        if is_op(at) || (at >= 2 && is_op(at - 2)) {
            pieces.push(&text[from..at]);
            from = at;
        }
    }
    if from < text.len() {
        pieces.push(&text[from..]);
    }
    pieces
}

fn criterion(text: &str, at: usize, nesting: usize) -> Result<Filter, Mistake> {
    let text = text.trim_start_matches(['[', '?', '(', ' ']);
    let text = text.trim_end_matches([')', ' ']);
    if text.is_empty() {
        return mistake("The filter has an empty test", at);
    }
    let found = OPERATORS.iter().find_map(|(sign, op)| text.split_once(sign).map(|(l, r)| (l, *op, r)));
    let Some((left, op, right)) = found else {
        let (wanted, path) = negated(text).map_or((true, text), |path| (false, path));
        return match sub_path(path, at, nesting)? {
            Some(path) => Ok(Filter::Exists { path, wanted }),
            None => mistake(format!("The test '{text}' has no operator"), at),
        };
    };
    let (left, right) = (left.trim(), right.trim());
    if negated(right).is_some() {
        return mistake("Invalid negation! Can only be used for existence check e.g [?(!@.foo)]", at);
    }
    // A negated path that is compared is compared without its negation.
    let left = negated(left).unwrap_or(left);
    Ok(Filter::Compare { left: operand(left, at, nesting)?, op, right: operand(right, at, nesting)? })
}

/// The path in `!@.a`. Only paths from the element can be negated.
fn negated(text: &str) -> Option<&str> {
    text.strip_prefix('!').filter(|path| path.starts_with('@'))
}

/// The path that `text` is, if it begins like one.
fn sub_path(text: &str, at: usize, nesting: usize) -> Result<Option<SubPath>, Mistake> {
    let Some(rest) = text.strip_prefix(['$', '@']) else { return Ok(None) };
    let segments = parse::segments(rest.trim_end(), nesting).map_err(|m| Mistake { at, ..m })?;
    if !segments.iter().all(Segment::is_definite) {
        return mistake(format!("the predicate path: {text} is not definite"), at);
    }
    Ok(Some(SubPath { from_root: text.starts_with('$'), segments }))
}

fn operand(text: &str, at: usize, nesting: usize) -> Result<Operand, Mistake> {
    if let Some(path) = sub_path(text, at, nesting)? {
        return Ok(Operand::Path(path));
    }
    if text.starts_with('\'') && text.ends_with('\'') {
        return match text.get(1..text.len() - 1) {
            Some(inside) if text.len() > 1 => Ok(Operand::Text(inside.into())),
            _ => mistake("The text in the filter is not closed", at),
        };
    }
    if text.starts_with('/') && (text.ends_with('/') || text.ends_with("/i")) {
        return pattern(text, at).map(Operand::Pattern);
    }
    Ok(Operand::Text(text.into()))
}

fn pattern(text: &str, at: usize) -> Result<Pattern, Mistake> {
    let end = text.rfind('/').unwrap_or(0);
    let Some(source) = text.get(1..end) else { return mistake("The regex in the filter is not closed", at) };
    RegexBuilder::new(&format!(r"\A(?:{source})\z"))
        .case_insensitive(text.ends_with('i'))
        .size_limit(MAX_REGEX_BYTES)
        .build()
        .map(|regex| Pattern { source: source.into(), regex })
        .or_else(|e| mistake(format!("The regex /{source}/ cannot be used: {e}"), at))
}

/// One side of a comparison, evaluated.
#[derive(Clone, Debug)]
pub(super) enum Side<'a> {
    Text(Arc<str>),
    /// Any value but a string.
    Value(Value),
    Pattern(&'a Pattern),
}

impl From<Value> for Side<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Side::Text(text),
            other => Side::Value(other),
        }
    }
}

impl Side<'_> {
    fn is_null(&self) -> bool {
        matches!(self, Side::Value(Value::Null))
    }

    /// The text `null` counts as null too, since a bare `null` in a filter is a text.
    fn is_nullish(&self) -> bool {
        self.is_null() || matches!(self, Side::Text(text) if &**text == "null")
    }
}

/// How many bytes of text a comparison reads at most, in terms of time.
pub(super) fn bytes_read(left: &Side<'_>, right: &Side<'_>) -> usize {
    let len = |side: &Side<'_>| match side {
        Side::Text(text) => text.len(),
        Side::Value(value) => value.measure().bytes,
        Side::Pattern(_) => 0,
    };
    let factor = if matches!((left, right), (Side::Pattern(_), _) | (_, Side::Pattern(_))) { REGEX_FACTOR } else { 1 };
    (len(left) + len(right)) * factor
}

/// Whether the comparison holds. `Err` is the text of a failure that ends the whole evaluation.
pub(super) fn holds(left: &Side<'_>, op: Op, right: &Side<'_>) -> Result<bool, String> {
    if op == Op::Matches {
        return matches_pattern(left, right);
    }
    if matches!(op, Op::Lt | Op::Le | Op::Gt | Op::Ge) && left.is_null() != right.is_null() {
        return Ok(false);
    }
    // Sides that cannot be compared satisfy no operator, not even `!=`.
    let Some(order) = compare(right, left)?.map(Ordering::reverse) else { return Ok(false) };
    Ok(match op {
        Op::Eq => order.is_eq(),
        Op::Ne => order.is_ne(),
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
        Op::Matches => false,
    })
}

/// A text is matched whole. Either side may be the regex.
fn matches_pattern(left: &Side<'_>, right: &Side<'_>) -> Result<bool, String> {
    let (pattern, target) = match (left, right) {
        (Side::Pattern(pattern), target) | (target, Side::Pattern(pattern)) => (pattern, target),
        _ => return Err("The right side of =~ must be a regex between slashes".into()),
    };
    Ok(match target {
        Side::Value(Value::Null) => false,
        Side::Text(text) => pattern.regex.is_match(text),
        Side::Value(value) => pattern.regex.is_match(&super::java::text(value)),
        Side::Pattern(other) => pattern.regex.is_match(&other.source),
    })
}

/// The order of what the filter expects (its right side) and what the element has (its left side);
/// `None` when the two are of kinds that cannot be compared.
fn compare(expected: &Side<'_>, actual: &Side<'_>) -> Result<Option<Ordering>, String> {
    match (expected.is_nullish(), actual.is_nullish()) {
        (true, true) => return Ok(Some(Ordering::Equal)),
        (true, false) => return Ok(Some(Ordering::Less)),
        (false, true) => return Ok(Some(Ordering::Greater)),
        (false, false) => {}
    }
    Ok(match (expected, actual) {
        (Side::Text(e), Side::Text(a)) => Some(e.replace(r"\'", "'").encode_utf16().cmp(a.encode_utf16())),
        (Side::Text(e), Side::Value(Value::Number(a))) => Some(Decimal::parse(e)?.cmp(&decimal(a)?)),
        (Side::Text(e), Side::Value(Value::Bool(a))) => Some(e.eq_ignore_ascii_case("true").cmp(a)),
        (Side::Value(Value::Number(Number::Int(e))), Side::Value(Value::Number(Number::Int(a)))) => Some(e.cmp(a)),
        (Side::Value(Value::Number(e)), Side::Value(Value::Number(a))) => Some(decimal(e)?.cmp(&decimal(a)?)),
        (Side::Value(Value::Bool(e)), Side::Value(Value::Bool(a))) => Some(e.cmp(a)),
        // Objects and arrays equal only themselves.
        (Side::Value(e), Side::Value(a)) if e.same_node(a) => Some(Ordering::Equal),
        _ => None,
    })
}

fn decimal(number: &Number) -> Result<Decimal, String> {
    Decimal::parse(&number.to_string())
}
