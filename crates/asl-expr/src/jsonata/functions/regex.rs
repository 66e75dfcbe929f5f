//! Regular expressions: JavaScript's patterns, run by a matcher whose time is linear in the text.

use super::{Answer, Call, Function, arg, coded, fail, number, string};
use crate::jsonata::eval::Run;
use crate::jsonata::messages::Fail;
use crate::jsonata::value::{PLAIN, SEQUENCE, Val};
use regex::{Captures, Regex, RegexBuilder};
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

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

/// A regular expression, compiled when it is first used.
#[derive(Debug)]
pub(in crate::jsonata) struct Pattern {
    text: String,
    flags: String,
    compiled: OnceLock<Result<Regex, regex::Error>>,
}

impl Pattern {
    pub(in crate::jsonata) fn new(text: &str, flags: &str) -> Pattern {
        Pattern { text: text.to_owned(), flags: flags.to_owned(), compiled: OnceLock::new() }
    }

    /// The compiled pattern. Each evaluation pays for it once, whether it was compiled before or not.
    fn regex(&self, run: &Run<'_>) -> Result<&Regex, Fail> {
        let me = std::ptr::from_ref(self);
        let paid = run.patterns.borrow().contains(&me);
        if !paid {
            // Compiling costs about this much more than matching a character.
            run.spend(2_000 + self.text.len() * 200)?;
            run.patterns.borrow_mut().push(me);
        }
        let compiled = self.compiled.get_or_init(|| {
            RegexBuilder::new(&translate(&self.text, self.flags.contains('m')))
                .case_insensitive(self.flags.contains('i'))
                .size_limit(COMPILED_BYTES)
                .dfa_size_limit(COMPILED_BYTES)
                .build()
        });
        match compiled {
            Ok(regex) => Ok(regex),
            Err(regex::Error::CompiledTooBig(_)) => super::too_large(),
            Err(_) => fail(format!("Invalid regular expression: /{}/: not supported", self.text)),
        }
    }
}

/// What gives the match after one.
pub(in crate::jsonata) struct Next {
    pattern: Arc<Pattern>,
    text: Arc<str>,
    at: usize,
}

/// A match: what a matching function gives.
struct Match {
    text: String,
    /// In bytes of the text, where it is the language's own; else in UTF-16 units.
    start: usize,
    end: usize,
    groups: Val,
    next: Val,
    /// As the function gave it.
    whole: Val,
}

/// Calls a regular expression as a function.
pub(in crate::jsonata) fn matcher(run: &Run<'_>, pattern: &Arc<Pattern>, args: &[Val]) -> Answer {
    let Some(text) = args.first().and_then(Val::as_str) else { return Ok(Val::Undefined) };
    found_from(run, pattern, &Arc::from(text), 0)
}

/// Calls the function that gives the next match.
pub(in crate::jsonata) fn next(run: &Run<'_>, next: &Next) -> Answer {
    if next.at >= next.text.len() {
        return Ok(Val::Undefined);
    }
    let found = found_from(run, &next.pattern, &next.text, next.at)?;
    if found.member("match").as_str() == Some("") {
        return coded("D1004", &[]);
    }
    Ok(found)
}

fn found_from(run: &Run<'_>, pattern: &Arc<Pattern>, text: &Arc<str>, at: usize) -> Answer {
    run.spend(20 + (text.len() - at) / 4)?;
    let Some(found) = pattern.regex(run)?.captures_at(text, at) else { return Ok(Val::Undefined) };
    let whole = found.get(0).map_or(at..at, |m| m.range());
    let units = |at: usize| Val::Number(text[..at].encode_utf16().count() as f64);
    let (start, end) = (units(whole.start), units(whole.end));
    given_out(run, pattern, text, &found, (start, end))
}

/// A match as functions of an expression see it.
fn given_out(
    run: &Run<'_>,
    pattern: &Arc<Pattern>,
    text: &Arc<str>,
    found: &Captures,
    (start, end): (Val, Val),
) -> Answer {
    let whole = found.get(0).map_or(0..0, |m| m.range());
    let next = Function::Next(Next { pattern: Arc::clone(pattern), text: Arc::clone(text), at: whole.end });
    let mut record = run.record(5)?;
    record.insert("match".into(), Val::string(&text[whole]))?;
    record.insert("start".into(), start)?;
    record.insert("end".into(), end)?;
    record.insert("groups".into(), groups(run, found)?)?;
    record.insert("next".into(), next.into())?;
    record.finish()
}

fn groups(run: &Run<'_>, found: &Captures) -> Answer {
    let mut build = run.build();
    for group in found.iter().skip(1) {
        build.push(group.map_or(Val::Undefined, |m| Val::string(m.as_str())))?;
    }
    build.finish(PLAIN)
}

/// Every match of a pattern, in order. One of no length is the end, and an error unless it is the first.
///
/// # Errors
/// What `see` gives back, and D1004.
fn matches(
    run: &Run<'_>,
    pattern: &Pattern,
    text: &str,
    mut see: impl FnMut(&Captures) -> Result<bool, Fail>,
) -> Result<(), Fail> {
    let regex = pattern.regex(run)?;
    run.spend(text.len() / 4)?;
    let mut next = regex.captures_at(text, 0);
    while let Some(found) = next {
        run.spend(16)?;
        let more = see(&found)?;
        let end = found.get(0).map_or(text.len(), |m| m.end());
        // The next one is looked for also where enough were found.
        next = if end < text.len() { regex.captures_at(text, end) } else { None };
        if next.as_ref().is_some_and(|next| next.get(0).is_some_and(|m| m.is_empty())) {
            return coded("D1004", &[]);
        }
        if !more {
            break;
        }
    }
    Ok(())
}

/// The pattern an argument is; `None` when it is a string, or another function.
fn given(value: &Val) -> Option<&Arc<Pattern>> {
    let Val::Function(function) = value else { return None };
    match &**function {
        Function::Regex(pattern) => Some(pattern),
        Function::Wrapped(inner) => given(inner),
        _ => None,
    }
}

/// What JavaScript takes for false, but undefined.
fn falsy(value: &Val) -> bool {
    match value {
        Val::Null | Val::Bool(false) => true,
        Val::String(text) => text.is_empty(),
        other => other.as_f64().is_some_and(|n| n == 0.0 || n.is_nan()),
    }
}

/// Calls a matching function of the expression: on a text, or for the match after one.
fn ask(call: &Call, function: &Val, text: Option<&Val>) -> Result<Option<Match>, Fail> {
    let args = text.map_or_else(Vec::new, |text| vec![text.clone()]);
    described_by(&call.run.apply(function, args, &Val::Undefined)?)
}

/// The match that a matching function's answer tells of.
fn described_by(found: &Val) -> Result<Option<Match>, Fail> {
    if found.is_undefined() {
        return Ok(None);
    }
    let (start, end, groups) = (found.member("start"), found.member("end"), found.member("groups"));
    let next = found.member("next");
    let shaped = start.as_f64().is_some() || groups.is_array() || next.is_function();
    if falsy(found) || !shaped {
        return coded("T1010", &[]);
    }
    let place = |value: &Val| value.as_f64().map_or(0, |n| n.max(0.0) as usize);
    let (start, end) = (place(&start), place(&end));
    let text = found.member("match").as_str().unwrap_or_default().to_owned();
    Ok(Some(Match { text, start, end, groups, next, whole: found.clone() }))
}

/// Every match that a function of the expression gives for a text, with places in UTF-16 units.
fn asked(
    call: &Call,
    function: &Val,
    text: &Val,
    mut see: impl FnMut(&Match) -> Result<bool, Fail>,
) -> Result<(), Fail> {
    let mut found = ask(call, function, Some(text))?;
    while let Some(one) = found {
        call.run.spend(20)?;
        let more = see(&one)?;
        found = if one.next.is_function() { ask(call, &one.next, None)? } else { None };
        if !more {
            break;
        }
    }
    Ok(())
}

pub(super) fn contains(call: &Call, args: &[Val]) -> Answer {
    let Some(text) = string::given(args, 0) else { return Ok(Val::Undefined) };
    call.run.spend(text.len() / 8)?;
    let wanted = arg(args, 1);
    let found = match given(wanted) {
        Some(pattern) => pattern.regex(call.run)?.is_match(text),
        None if wanted.is_function() => {
            let answer = call.run.apply(wanted, vec![arg(args, 0).clone()], &Val::Undefined)?;
            // Whatever is not undefined is a match, and what is false is not looked at.
            falsy(&answer) || described_by(&answer)?.is_some()
        }
        None => text.contains(wanted.as_str().unwrap_or("undefined")),
    };
    Ok(Val::Bool(found))
}

/// A match as `$match` gives it, with the place in UTF-16 units.
fn described(call: &Call, text: &str, index: usize, groups: Val) -> Answer {
    let mut record = call.run.record(3)?;
    record.insert("match".into(), Val::string(text))?;
    record.insert("index".into(), Val::Number(index as f64))?;
    record.insert("groups".into(), groups)?;
    record.finish()
}

pub(super) fn find(call: &Call, args: &[Val]) -> Answer {
    let Some(text) = string::given(args, 0) else { return Ok(Val::Undefined) };
    let limit = number::given(args, 2);
    if limit.is_some_and(|limit| limit < 0.0) {
        return coded("D3040", &[]);
    }
    let mut out = call.run.build();
    let more = |count: usize| limit.is_none_or(|limit| (count as f64) < limit);
    if more(0) {
        match given(arg(args, 1)) {
            Some(pattern) => {
                let (mut seen_bytes, mut seen_units) = (0, 0);
                matches(call.run, pattern, text, |found| {
                    let whole = found.get(0).map_or(0..0, |m| m.range());
                    seen_units += text[seen_bytes..whole.start].encode_utf16().count();
                    seen_bytes = whole.start;
                    out.push(described(call, &text[whole], seen_units, groups(call.run, found)?)?)?;
                    Ok(more(out.len()))
                })?;
            }
            None => asked(call, arg(args, 1), arg(args, 0), |found| {
                out.push(described(call, &found.text, found.start, found.groups.clone())?)?;
                Ok(more(out.len()))
            })?,
        }
    }
    out.finish(SEQUENCE)
}

/// The part of a text from one UTF-16 unit to another.
fn units(text: &str, from: usize, to: usize) -> String {
    let units: Vec<u16> = text.encode_utf16().skip(from).take(to.saturating_sub(from)).collect();
    String::from_utf16_lossy(&units)
}

pub(super) fn split(call: &Call, args: &[Val]) -> Answer {
    let Some(text) = string::given(args, 0) else { return Ok(Val::Undefined) };
    let limit = number::given(args, 2);
    if limit.is_some_and(|limit| limit < 0.0) {
        return coded("D3020", &[]);
    }
    let mut parts = call.run.build();
    // A limit that is no number is none that anything is below.
    let full = |count: usize| !limit.is_none_or(|limit| (count as f64) < limit);
    let separator = arg(args, 1);
    match given(separator) {
        _ if full(0) => {}
        Some(pattern) => {
            let (mut start, mut more) = (0, true);
            matches(call.run, pattern, text, |found| {
                let whole = found.get(0).map_or(0..0, |m| m.range());
                call.run.spend(2 + (whole.start - start) / 16)?;
                parts.push(Val::string(&text[start..whole.start]))?;
                start = whole.end;
                more = !full(parts.len());
                Ok(more)
            })?;
            if more {
                parts.push(Val::string(&text[start..]))?;
            }
        }
        None if separator.is_function() => {
            let (mut start, mut more) = (0, true);
            asked(call, separator, arg(args, 0), |found| {
                call.run.spend(2 + text.len() / 4)?;
                parts.push(Val::string(units(text, start, found.start)))?;
                start = found.end;
                more = !full(parts.len());
                Ok(more)
            })?;
            if more {
                parts.push(Val::string(units(text, start, usize::MAX)))?;
            }
        }
        None => {
            let separator = separator.as_str().unwrap_or("undefined");
            // JavaScript makes an unsigned integer of 32 bits of this limit.
            let most = limit.map_or(usize::MAX, |limit| limit.trunc().rem_euclid(4_294_967_296.0) as usize);
            let every = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]);
            let pieces: Box<dyn Iterator<Item = &str>> =
                if separator.is_empty() { Box::new(every) } else { Box::new(text.split(separator)) };
            for part in pieces.take(most) {
                call.run.spend(2 + part.len() / 16)?;
                parts.push(Val::string(part))?;
            }
        }
    }
    parts.finish(PLAIN)
}

/// The text that stands for `$n`; `$1` is a group, `$0` the match, `$$` a dollar. Calls `put` with each piece.
fn substitute<'t>(
    template: &'t str,
    whole: &'t str,
    groups: &dyn Fn(usize) -> &'t str,
    count: usize,
    out: &mut String,
) {
    let most_digits = if count == 0 { 1 } else { (count as f64).log10().floor() as usize + 1 };
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('0') {
            out.push_str(whole);
            rest = after;
        } else {
            let digits = rest.bytes().take(most_digits).take_while(u8::is_ascii_digit).count();
            let number = |digits: usize| rest[..digits].parse::<usize>().ok();
            let index = match number(digits) {
                Some(index) if most_digits > 1 && index > count => number(digits.min(most_digits - 1)),
                index => index,
            };
            match index {
                Some(index) => {
                    if (1..=count).contains(&index) {
                        out.push_str(groups(index));
                    }
                    rest = rest.get(index.to_string().len()..).unwrap_or_default();
                }
                None => out.push('$'),
            }
        }
    }
    out.push_str(rest);
}

pub(super) fn replace(call: &Call, args: &[Val]) -> Answer {
    let Val::String(text) = arg(args, 0) else { return Ok(Val::Undefined) };
    let (pattern, replacement, limit) = (arg(args, 1), arg(args, 2), number::given(args, 3));
    if pattern.as_str() == Some("") {
        return coded("D3010", &[]);
    }
    if limit.is_some_and(|limit| limit < 0.0) {
        return coded("D3011", &[]);
    }
    if limit.is_some_and(|limit| limit == 0.0 || limit.is_nan()) {
        return Ok(arg(args, 0).clone());
    }
    let mut replacing = Replacing { call, text, out: String::new(), done: 0, count: 0.0, limit };
    match given(pattern) {
        Some(pattern) => matches(call.run, pattern, text, |found| {
            let whole = found.get(0).map_or(0..0, |m| m.range());
            let put = match replacement {
                Val::String(template) => {
                    let mut put = String::new();
                    call.run.budget.room(template.len())?;
                    let group = |index: usize| found.get(index).map_or("", |m| m.as_str());
                    substitute(template, &text[whole.clone()], &group, found.len() - 1, &mut put);
                    put
                }
                function => {
                    let place = |at: usize| Val::Number(text[..at].encode_utf16().count() as f64);
                    call.run.spend(whole.end / 8)?;
                    let places = (place(whole.start), place(whole.end));
                    replaced_by(call, function, given_out(call.run, pattern, text, found, places)?)?
                }
            };
            replacing.put(whole, &put)
        })?,
        None if pattern.is_function() => {
            let mut done = 0;
            let mut at = 0;
            asked(call, pattern, arg(args, 0), |found| {
                call.run.spend(text.len() / 4)?;
                let before = units(text, done, found.start).len();
                let put = match replacement {
                    Val::String(template) => {
                        let mut put = String::new();
                        let list: Vec<Val> = found.groups.list().map_or_else(Vec::new, |list| list.iter().collect());
                        let group = |index: usize| list[index - 1].as_str().unwrap_or("");
                        substitute(template, &found.text, &group, list.len(), &mut put);
                        put
                    }
                    function => replaced_by(call, function, found.whole.clone())?,
                };
                let start = (at + before).min(text.len());
                let end = (start + found.text.len()).min(text.len());
                (done, at) = (found.start + found.text.encode_utf16().count(), end);
                if !text.is_char_boundary(start) || !text.is_char_boundary(end) {
                    return Ok(false);
                }
                replacing.put(start..end, &put)
            })?;
        }
        None => {
            call.run.spend(text.len() / 8)?;
            let pattern = pattern.as_str().unwrap_or("undefined");
            for (at, _) in text.match_indices(pattern) {
                let template = match replacement {
                    Val::String(template) => template,
                    // JavaScript writes its name.
                    Val::Undefined => "undefined",
                    // JavaScript would write the function's source.
                    _ => return coded("D3012", &[]),
                };
                if !replacing.put(at..at + pattern.len(), template)? {
                    break;
                }
            }
        }
    }
    let Replacing { mut out, done, .. } = replacing;
    call.run.budget.room(out.len() + text.len() - done)?;
    out.push_str(&text[done..]);
    call.run.built(out)
}

/// What a function gives in place of a match.
fn replaced_by(call: &Call, function: &Val, found: Val) -> Result<String, Fail> {
    match call.run.apply(function, vec![found], &Val::Undefined)? {
        Val::String(text) => Ok(text.as_ref().to_owned()),
        other => coded("D3012", &[("value", string::json_of(&other))]),
    }
}

/// A text in which matches are replaced.
struct Replacing<'c, 'r, 'e> {
    call: &'c Call<'r, 'e>,
    text: &'c str,
    out: String,
    /// How far it is done, in bytes.
    done: usize,
    count: f64,
    limit: Option<f64>,
}

impl Replacing<'_, '_, '_> {
    /// Puts `put` in place of what is at `range`; false when it is enough.
    fn put(&mut self, range: std::ops::Range<usize>, put: &str) -> Result<bool, Fail> {
        let before = &self.text[self.done.min(range.start)..range.start];
        self.call.run.budget.room(self.out.len() + before.len() + put.len())?;
        self.call.run.spend(4 + (before.len() + put.len()) / 16)?;
        self.out.push_str(before);
        self.out.push_str(put);
        (self.done, self.count) = (range.end, self.count + 1.0);
        Ok(self.limit.is_none_or(|limit| self.count < limit))
    }
}
