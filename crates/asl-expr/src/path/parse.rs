//! Text to segments, by the rules of Jayway json-path 2.0.0.
//!
//! The dialect is laxer than it looks. What stands in brackets is told apart by its first telling character (a quote, a
//! digit, `-`, `:`, `@` or `?`); whatever stands before that is skipped. A quoted name ends at the next quote, escaped or
//! not, and brackets are matched without a look at quotes. Definitions that run on AWS lean on this, so it is kept.

use super::ast::{Elements, Segment};
use super::filter::{self, Filter};
use std::sync::Arc;

/// How many segments a path may have. Walking a path recurses by segment, and no document is this deep.
pub(super) const MAX_SEGMENTS: usize = 512;

/// Why a text is not a path, and where: a byte offset into the text that was given.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) message: String,
    pub(super) at: usize,
}

pub(super) fn mistake<T>(message: impl Into<String>, at: usize) -> Result<T, Mistake> {
    Err(Mistake { message: message.into(), at })
}

/// Parses what follows the root of a path; `nesting` is the number of filters it is in. Offsets count from the start of `text`.
pub(super) fn segments(text: &str, nesting: usize) -> Result<Vec<Segment>, Mistake> {
    if text.ends_with("..") {
        return mistake("A path can not end with a scan.", text.len());
    }
    if !(text.is_empty() || text.starts_with(['.', '['])) {
        return mistake(format!("Invalid path ${text}"), 0);
    }
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if out.len() == MAX_SEGMENTS {
            return mistake(format!("A path can not have more than {MAX_SEGMENTS} segments"), at);
        }
        let (segment, len) = match c {
            ' ' => return mistake("Space not allowed in path", at),
            '$' => (Segment::Root, 1),
            '*' => (Segment::Wildcard, 1),
            '[' => bracket(&text[at..], nesting).map_err(|m| Mistake { at: m.at + at, ..m })?,
            '.' if text[at + 1..].starts_with('.') => (Segment::Descend, 2),
            '.' if text.len() == at + 1 => return mistake("The path ends where a name was expected", at + 1),
            '.' => match name_len(&text[at + 1..]) {
                0 => {
                    at += 1;
                    continue;
                }
                1 if text[at + 1..].starts_with('*') => (Segment::Wildcard, 2),
                n => (name(&text[at + 1..at + 1 + n]), n + 1),
            },
            _ => {
                let n = name_len(&text[at..]);
                (name(&text[at..at + n]), n)
            }
        };
        out.push(segment);
        at += len;
    }
    Ok(out)
}

fn name_len(text: &str) -> usize {
    text.find(['.', '[', ' ']).unwrap_or(text.len())
}

/// A bare name means what it would mean between `['` and `']`: it too ends at a quote or a `]`.
fn name(text: &str) -> Segment {
    Segment::Names(quoted_names(&format!("'{text}']")).unwrap_or_default())
}

/// The names in quotes before the first `]`; `None` when there is no `]`.
fn quoted_names(text: &str) -> Option<Vec<Arc<str>>> {
    let (inside, _) = text.split_once(']')?;
    let parts: Vec<&str> = inside.split('\'').collect();
    // Between quotes are the parts at odd places, but the last part has no quote after it.
    Some(parts[..parts.len() - 1].iter().skip(1).step_by(2).map(|&name| name.into()).collect())
}

/// Parses the bracket that `text` begins with; gives its length too.
fn bracket(text: &str, nesting: usize) -> Result<(Segment, usize), Mistake> {
    let len = bracket_len(text);
    let fragment = &text[..len];
    if fragment == "[*]" {
        return Ok((Segment::Wildcard, len));
    }
    if is_placeholder(fragment) {
        return Ok((Segment::Filter(Filter::Unbound), len));
    }
    let Some(at) = fragment.find(|c: char| matches!(c, '?' | '\'' | ':' | '-' | '@') || c.is_ascii_digit()) else {
        return mistake(format!("Could not analyze path component: {fragment}"), 0);
    };
    let segment = match fragment.as_bytes()[at] {
        b'?' => filter::in_bracket(fragment, at, nesting)?,
        b'\'' => match quoted_names(&fragment[at..]) {
            Some(names) => Segment::Names(names),
            None => return mistake("The bracket is not closed", len),
        },
        b'@' => Segment::Elements(from_length(fragment, at)?),
        _ => Segment::Elements(elements(fragment, at)?),
    };
    Ok((segment, len))
}

/// Up to the bracket that closes the first one, or the end of the text.
fn bracket_len(text: &str) -> usize {
    let mut open = 0_usize;
    for (at, b) in text.bytes().enumerate() {
        match b {
            b'[' => open += 1,
            b']' if open == 1 => return at + 1,
            b']' => open -= 1,
            _ => {}
        }
    }
    text.len()
}

/// `[?]`, `[?,?]`: places for filters that a Java caller would hand in.
fn is_placeholder(fragment: &str) -> bool {
    let inside = fragment.strip_prefix('[').and_then(|f| f.strip_suffix(']')).map(str::trim_start);
    inside.is_some_and(|f| f.starts_with('?') && f.chars().all(|c| matches!(c, '?' | ',' | '*') || c.is_whitespace()))
}

/// `[(@.length-1)]`, `[(@.size()-1)]`
fn from_length(fragment: &str, at: usize) -> Result<Elements, Mistake> {
    let unclosed = || Mistake { message: "The expression is not closed".into(), at: fragment.len() };
    // The character after `@` stands for the dot, whatever it is.
    let mut rest = fragment[at + 1..].chars();
    rest.next();
    let (function, tail) = rest.as_str().split_once('-').ok_or_else(unclosed)?;
    let function = function.replace([' ', '(', ')'], "");
    if function != "size" && function != "length" {
        let known = "Supported functions are: [(@.length - n)] and [(@.size() - n)]";
        return mistake(format!("Invalid function: @.{function}. {known}"), at);
    }
    let (number, _) = tail.split_once(')').ok_or_else(unclosed)?;
    integer(&format!("-{}", number.replace(' ', "")), at).map(Elements::FromLength)
}

/// Indices and slices, from the first digit, `-` or `:` at `at`.
fn elements(fragment: &str, at: usize) -> Result<Elements, Mistake> {
    let bytes = fragment.as_bytes();
    let mut at = at;
    let mut digits = String::new();
    let mut numbers = Vec::new();
    let (mut to, mut from, mut listed) = (false, false, false);
    loop {
        let Some(&b) = bytes.get(at) else { return mistake("The bracket is not closed", at) };
        match b {
            b' ' => {}
            b'0'..=b'9' | b'-' => digits.push(b as char),
            b',' => {
                numbers.push(integer(&digits, at)?);
                digits.clear();
                listed = true;
            }
            b':' => {
                let open = digits.is_empty();
                if !open {
                    numbers.push(integer(&digits, at)?);
                }
                digits.clear();
                at = slice_end(bytes, at + 1, &mut digits);
                match (open, digits.is_empty()) {
                    (true, _) => to = true,
                    (false, true) => from = true,
                    (false, false) => {}
                }
                if open || !digits.is_empty() {
                    numbers.push(integer(&digits, at)?);
                    digits.clear();
                }
                // What ends a slice (`]`, or the second `:` of a step) is not looked at again.
                match bytes.get(at) {
                    None => return mistake("The bracket is not closed", at),
                    Some(b']') => break,
                    Some(_) => {}
                }
            }
            _ => break,
        }
        at += fragment[at..].chars().next().map_or(1, char::len_utf8);
    }
    if !digits.is_empty() {
        numbers.push(integer(&digits, at)?);
    }
    Ok(match *numbers {
        [only] if !to && !from => Elements::At(only),
        _ if listed => Elements::Each(numbers),
        [n, ..] if from => Elements::From(n),
        [n, ..] if to => Elements::To(n),
        [from, to, ..] => Elements::Between(from, to),
        // The text began with a digit, `-` or `:`, each of which gives a number or a mistake.
        _ => return mistake(format!("Could not analyze path component: {fragment}"), at),
    })
}

/// Collects the digits after a `:`; gives where they end.
fn slice_end(bytes: &[u8], mut at: usize, digits: &mut String) -> usize {
    while let Some(&b @ (b'0'..=b'9' | b' ' | b'-')) = bytes.get(at) {
        if b != b' ' {
            digits.push(b as char);
        }
        at += 1;
    }
    at
}

fn integer(digits: &str, at: usize) -> Result<i32, Mistake> {
    digits.parse().or_else(|_| mistake(format!("Not an index: \"{digits}\""), at))
}
