//! What takes a regular expression, and what one gives; `pattern` runs them.

use super::{Answer, Call, Function, arg, coded, number, string};
use crate::jsonata::eval::Run;
use crate::jsonata::messages::Fail;
use crate::jsonata::pattern::{Found, Pattern};
use crate::jsonata::value::{PLAIN, SEQUENCE, Val};
use std::sync::Arc;

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
    let Some(found) = pattern.ready(run)?.find(run, text, at)? else { return Ok(Val::Undefined) };
    let whole = found.whole();
    let units = |at: usize| Val::Number(text[..at].encode_utf16().count() as f64);
    let (start, end) = (units(whole.start), units(whole.end));
    given_out(run, pattern, text, &found, (start, end))
}

/// A match as functions of an expression see it.
fn given_out(
    run: &Run<'_>,
    pattern: &Arc<Pattern>,
    text: &Arc<str>,
    found: &Found,
    (start, end): (Val, Val),
) -> Answer {
    let whole = found.whole();
    let next = Function::Next(Next { pattern: Arc::clone(pattern), text: Arc::clone(text), at: whole.end });
    let mut record = run.record(5)?;
    record.insert("match".into(), Val::string(&text[whole]))?;
    record.insert("start".into(), start)?;
    record.insert("end".into(), end)?;
    record.insert("groups".into(), groups(run, found)?)?;
    record.insert("next".into(), next.into())?;
    record.finish()
}

fn groups(run: &Run<'_>, found: &Found) -> Answer {
    let mut build = run.build();
    for index in 1..found.len() {
        build.push(found.group(index).map_or(Val::Undefined, Val::string))?;
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
    mut see: impl FnMut(&Found) -> Result<bool, Fail>,
) -> Result<(), Fail> {
    let pattern = pattern.ready(run)?;
    run.spend(text.len() / 4)?;
    let mut next = pattern.find(run, text, 0)?;
    while let Some(found) = next {
        run.spend(16)?;
        let more = see(&found)?;
        let end = found.whole().end;
        // The next one is looked for also where enough were found.
        next = if end < text.len() { pattern.find(run, text, end)? } else { None };
        if next.as_ref().is_some_and(|next| next.whole().is_empty()) {
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
    described_by(&call.run.call_back(function, args)?)
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
        Some(pattern) => pattern.ready(call.run)?.is_match(call.run, text)?,
        None if wanted.is_function() => {
            let answer = call.run.call_back(wanted, vec![arg(args, 0).clone()])?;
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
                    let whole = found.whole();
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
                let whole = found.whole();
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
            let whole = found.whole();
            let put = match replacement {
                Val::String(template) => {
                    let mut put = String::new();
                    call.run.budget.room(template.len())?;
                    let group = |index: usize| found.group(index).unwrap_or("");
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
    match call.run.call_back(function, vec![found])? {
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
