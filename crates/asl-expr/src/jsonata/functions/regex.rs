//! Regular expressions: JavaScript's patterns, run by a matcher whose time is linear in the text.

use super::{Answer, Call, Shared, arg, coded, fail, number, string};
use jsonata_core::evaluator::EvaluatorError;
use jsonata_core::value::JValue;
use regex::{Captures, Regex, RegexBuilder};
use std::fmt::Write as _;
use std::rc::Rc;

/// How large a compiled pattern may be, in bytes.
const COMPILED_BYTES: usize = 1 << 20;

/// The pattern in the syntax of the crate `regex`: classes are ASCII, braces and brackets may stand for themselves.
fn translate(pattern: &str, multi_line: bool) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut class = false;
    let mut chars = pattern.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let Some((_, escaped)) = chars.next() else { break };
                let hex = |count: usize, skip: usize| {
                    let digits = pattern.get(at + skip..at + skip + count)?;
                    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| digits.to_owned())
                };
                match escaped {
                    'd' => out.push_str(if class { "0-9" } else { "[0-9]" }),
                    'w' => out.push_str(if class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                    'D' => out.push_str("[^0-9]"),
                    'W' => out.push_str("[^0-9A-Za-z_]"),
                    's' => out.push_str(if class { "\\s\\x{FEFF}" } else { "[\\s\\x{FEFF}]" }),
                    'S' => out.push_str("[^\\s\\x{FEFF}]"),
                    'b' if class => out.push_str("\\x08"),
                    'b' => out.push_str("(?-u:\\b)"),
                    'B' => out.push_str("(?-u:\\B)"),
                    '0' => out.push_str("\\x00"),
                    'x' | 'u' if hex(if escaped == 'x' { 2 } else { 4 }, 2).is_some() => {
                        let digits = hex(if escaped == 'x' { 2 } else { 4 }, 2).unwrap_or_default();
                        let _ = write!(out, "\\x{{{digits}}}");
                        digits.chars().for_each(|_| _ = chars.next());
                    }
                    // A reference to a group is left for the compiler to refuse.
                    'n' | 'r' | 't' | 'f' | 'v' | '1'..='9' => out.extend(['\\', escaped]),
                    other => out.push_str(&regex::escape(&other.to_string())),
                }
            }
            '[' if class => out.push_str("\\["),
            '[' => {
                let rest = &pattern[at + 1..];
                if rest.starts_with("^]") || rest.starts_with(']') {
                    out.push_str(if rest.starts_with('^') { "[\\s\\S]" } else { "[^\\s\\S]" });
                    (0..=usize::from(rest.starts_with('^'))).for_each(|_| _ = chars.next());
                } else {
                    class = true;
                    out.push('[');
                }
            }
            ']' if class => {
                class = false;
                out.push(']');
            }
            '&' | '~' if class => out.extend(['\\', c]),
            '-' if class && chars.peek().is_some_and(|(_, next)| *next == '-') => out.push_str("\\-"),
            '.' if !class => out.push_str("[^\\n\\r\\x{2028}\\x{2029}]"),
            ']' => out.push_str("\\]"),
            '{' if !class && !is_count(&pattern[at..]) => out.push_str("\\{"),
            '}' if !class && !closes_count(&pattern[..at]) => out.push_str("\\}"),
            '^' | '$' if !class && multi_line => {
                let _ = write!(out, "(?m:{c})");
            }
            other => out.push(other),
        }
    }
    out
}

/// `{2}`, `{2,}` or `{2,3}` at the start.
fn is_count(text: &str) -> bool {
    let Some((inner, _)) = text[1..].split_once('}') else { return false };
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    !least.is_empty() && least.bytes().chain(most.bytes()).all(|b| b.is_ascii_digit())
}

fn closes_count(before: &str) -> bool {
    before.rfind('{').is_some_and(|at| is_count(&format!("{}}}", &before[at..])))
}

impl Shared {
    /// The compiled pattern, compiled once in an evaluation.
    fn regex(&self, pattern: &str, flags: &str) -> Result<Rc<Regex>, EvaluatorError> {
        let key = format!("{flags}/{pattern}");
        if let Some(known) = self.regexes.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        // Compiling costs about this much more than matching a character.
        self.spend(2_000 + pattern.len() * 200)?;
        let translated = translate(pattern, flags.contains('m'));
        let built = RegexBuilder::new(&translated)
            .case_insensitive(flags.contains('i'))
            .size_limit(COMPILED_BYTES)
            .dfa_size_limit(COMPILED_BYTES)
            .build();
        match built {
            Ok(regex) => {
                let regex = Rc::new(regex);
                if self.regexes.borrow().len() >= 16 {
                    self.regexes.borrow_mut().clear();
                }
                self.regexes.borrow_mut().insert(key, Rc::clone(&regex));
                Ok(regex)
            }
            Err(regex::Error::CompiledTooBig(_)) => super::too_large(),
            Err(_) => fail(format!("Invalid regular expression: /{pattern}/: not supported")),
        }
    }

    /// Every match, in order. One of no length is the end, and an error unless it is the first.
    ///
    /// # Errors
    /// What `see` gives back, and D1004.
    fn matches(
        &self,
        regex: &Regex,
        text: &str,
        mut see: impl FnMut(&Captures) -> Result<bool, EvaluatorError>,
    ) -> Result<(), EvaluatorError> {
        self.spend(text.len() / 4)?;
        let mut at = 0;
        let mut first = true;
        while let Some(found) = regex.captures_at(text, at) {
            self.spend(16)?;
            let whole = found.get(0).map_or(0..0, |m| m.range());
            if whole.is_empty() && !first {
                return coded("D1004", &[]);
            }
            if !see(&found)? {
                break;
            }
            (at, first) = (whole.end, false);
            if at >= text.len() {
                break;
            }
        }
        Ok(())
    }
}

/// The regular expression an argument is; `None` when it is a string, or another function.
fn given(shared: &Shared, value: &JValue) -> Result<Option<Rc<Regex>>, EvaluatorError> {
    match value {
        JValue::Regex { pattern, flags } => shared.regex(pattern, flags).map(Some),
        _ => Ok(None),
    }
}

pub(super) fn contains(call: &Call, args: &[JValue]) -> Answer {
    let Some(text) = string::given(args, 0) else { return Ok(JValue::Undefined) };
    call.shared.spend(text.len() / 8)?;
    let found = match given(call.shared, arg(args, 1))? {
        Some(regex) => regex.is_match(text),
        None => text.contains(string::given(args, 1).unwrap_or("undefined")),
    };
    Ok(JValue::Bool(found))
}

/// A match as `$match` gives it, with the place in UTF-16 units.
fn described(found: &Captures, index: usize) -> JValue {
    let groups = found.iter().skip(1).map(|group| group.map_or(JValue::Undefined, |m| JValue::string(m.as_str())));
    let members = [
        ("match", JValue::string(found.get(0).map_or("", |m| m.as_str()))),
        ("index", JValue::Number(index as f64)),
        ("groups", JValue::array(groups.collect())),
    ];
    JValue::object(members.into_iter().map(|(key, member)| (key.to_owned(), member)).collect())
}

pub(super) fn find(call: &Call, args: &[JValue]) -> Answer {
    let Some(text) = string::given(args, 0) else { return Ok(JValue::Undefined) };
    let limit = number::given(args, 2);
    if limit.is_some_and(|limit| limit < 0.0) {
        return coded("D3040", &[]);
    }
    let Some(regex) = given(call.shared, arg(args, 1))? else {
        return coded("T1010", &[("token", call.token.to_owned())]);
    };
    let mut out = Vec::new();
    let (mut seen_bytes, mut seen_units) = (0, 0);
    if limit.is_none_or(|limit| limit > 0.0) {
        call.shared.matches(&regex, text, |found| {
            let start = found.get(0).map_or(0, |m| m.start());
            seen_units += text[seen_bytes..start].encode_utf16().count();
            seen_bytes = start;
            out.push(described(found, seen_units));
            call.shared.hold(found.get(0).map_or(0, |m| m.len()) + 500 + 64 * found.len())?;
            Ok(limit.is_none_or(|limit| (out.len() as f64) < limit))
        })?;
    }
    Ok(JValue::sequence(out))
}

pub(super) fn split(call: &Call, args: &[JValue]) -> Answer {
    let Some(text) = string::given(args, 0) else { return Ok(JValue::Undefined) };
    let limit = number::given(args, 2);
    if limit.is_some_and(|limit| limit < 0.0) {
        return coded("D3020", &[]);
    }
    let mut parts: Vec<JValue> = Vec::new();
    let full = |count: usize| limit.is_some_and(|limit| count as f64 >= limit);
    let add = |parts: &mut Vec<JValue>, part: &str| -> Result<bool, EvaluatorError> {
        call.shared.give(part.len().max(8))?;
        call.shared.hold(part.len() + 64)?;
        call.shared.spend(2 + part.len() / 16)?;
        parts.push(JValue::string(part));
        Ok(!full(parts.len()))
    };
    match given(call.shared, arg(args, 1))? {
        _ if full(0) => {}
        Some(regex) => {
            let mut start = 0;
            let mut more = true;
            call.shared.matches(&regex, text, |found| {
                let whole = found.get(0).map_or(0..0, |m| m.range());
                more = add(&mut parts, &text[start..whole.start])?;
                start = whole.end;
                Ok(more)
            })?;
            if more {
                add(&mut parts, &text[start..])?;
            }
        }
        None => {
            let separator = string::given(args, 1).unwrap_or("undefined");
            // JavaScript drops the fraction of this limit.
            let most = limit.map_or(usize::MAX, |limit| limit as usize);
            let every = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]);
            let pieces: Box<dyn Iterator<Item = &str>> =
                if separator.is_empty() { Box::new(every) } else { Box::new(text.split(separator)) };
            for part in pieces.take(most) {
                add(&mut parts, part)?;
            }
        }
    }
    Ok(JValue::array(parts))
}

/// `$1` is a group, `$0` the match, `$$` a dollar.
fn substitute(template: &str, found: &Captures, out: &mut String) {
    let groups = found.len() - 1;
    let most_digits = if groups == 0 { 1 } else { (groups as f64).log10().floor() as usize + 1 };
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('0') {
            out.push_str(found.get(0).map_or("", |m| m.as_str()));
            rest = after;
        } else {
            let digits = rest.bytes().take(most_digits).take_while(u8::is_ascii_digit).count();
            let number = |digits: usize| rest[..digits].parse::<usize>().ok();
            let index = match number(digits) {
                Some(index) if most_digits > 1 && index > groups => number(digits.min(most_digits - 1)),
                index => index,
            };
            match index {
                Some(index) => {
                    out.push_str(found.get(index).filter(|_| index > 0).map_or("", |m| m.as_str()));
                    rest = rest.get(index.to_string().len()..).unwrap_or_default();
                }
                None => out.push('$'),
            }
        }
    }
    out.push_str(rest);
}

/// With a string as the replacement; the evaluator itself calls functions.
pub(super) fn replace(call: &Call, args: &[JValue]) -> Answer {
    let Some(text) = string::given(args, 0) else { return Ok(JValue::Undefined) };
    let (pattern, limit) = (arg(args, 1), number::given(args, 3));
    if pattern.as_str() == Some("") {
        return coded("D3010", &[]);
    }
    if limit.is_some_and(|limit| limit < 0.0) {
        return coded("D3011", &[]);
    }
    if limit == Some(0.0) {
        return Ok(arg(args, 0).clone());
    }
    let template = string::given(args, 2).unwrap_or("undefined");
    let (mut out, mut done, mut count) = (String::new(), 0, 0.0);
    let mut step = |range: std::ops::Range<usize>, put: &mut dyn FnMut(&mut String)| -> Result<bool, EvaluatorError> {
        out.push_str(&text[done..range.start]);
        let before = out.len();
        put(&mut out);
        call.shared.spend(4 + (out.len() - before) / 16)?;
        call.shared.room(out.len())?;
        (done, count) = (range.end, count + 1.0);
        Ok(limit.is_none_or(|limit| count < limit))
    };
    match given(call.shared, pattern)? {
        Some(regex) => call.shared.matches(&regex, text, |found| {
            let whole = found.get(0).map_or(0..0, |m| m.range());
            step(whole, &mut |out| substitute(template, found, out))
        })?,
        None => {
            call.shared.spend(text.len() / 8)?;
            let pattern = pattern.as_str().unwrap_or("undefined");
            for (at, _) in text.match_indices(pattern) {
                if !step(at..at + pattern.len(), &mut |out| out.push_str(template))? {
                    break;
                }
            }
        }
    }
    out.push_str(&text[done..]);
    call.shared.built(out)
}
