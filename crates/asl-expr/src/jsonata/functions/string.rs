//! Strings.

use super::{Answer, Call, Shared, arg, number, too_large};
use jsonata_core::evaluator::EvaluatorError;
use jsonata_core::value::JValue;
use std::fmt::Write as _;

/// A string argument; `None` when undefined.
pub(super) fn given(args: &[JValue], index: usize) -> Option<&str> {
    arg(args, index).as_str()
}

/// Applies `of` to the first argument, when there is one.
fn map(call: &Call, args: &[JValue], of: impl Fn(&str) -> String) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(JValue::Undefined) };
    call.shared.spend(text.len() / 16)?;
    call.shared.built(of(text))
}

pub(super) fn uppercase(call: &Call, args: &[JValue]) -> Answer {
    map(call, args, str::to_uppercase)
}

pub(super) fn lowercase(call: &Call, args: &[JValue]) -> Answer {
    map(call, args, str::to_lowercase)
}

/// Runs of blanks become one, and none stay at the ends.
pub(super) fn trim(call: &Call, args: &[JValue]) -> Answer {
    map(call, args, |text| {
        let words = text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    })
}

pub(super) fn length(call: &Call, args: &[JValue]) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(JValue::Undefined) };
    call.shared.spend(text.len() / 16)?;
    Ok(JValue::Number(text.chars().count() as f64))
}

pub(super) fn substring(call: &Call, args: &[JValue]) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(JValue::Undefined) };
    call.shared.spend(text.len() / 8)?;
    let count = text.chars().count() as f64;
    let mut start = number::given(args, 1).unwrap_or(0.0);
    if count + start < 0.0 {
        start = 0.0;
    }
    // JavaScript's `slice`: a fraction is dropped, a negative place counts from the end.
    let place = |at: f64| {
        let at = if at.is_nan() { 0.0 } else { at.trunc() };
        if at < 0.0 { (count + at).max(0.0) } else { at.min(count) }
    };
    let end = match number::given(args, 2) {
        Some(length) if length <= 0.0 || arg(args, 1).is_undefined() => return Ok(JValue::string("")),
        Some(length) if start >= 0.0 => start + length,
        Some(length) => count + start + length,
        None => count,
    };
    let (start, end) = (place(start) as usize, place(end) as usize);
    call.shared.built(text.chars().skip(start).take(end.saturating_sub(start)).collect())
}

fn cut(call: &Call, args: &[JValue], of: fn(&str, &str) -> Option<String>) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(JValue::Undefined) };
    call.shared.spend(text.len() / 16)?;
    // An undefined separator is searched for by its name.
    call.shared.built(of(text, given(args, 1).unwrap_or("undefined")).unwrap_or_else(|| text.to_owned()))
}

pub(super) fn substring_before(call: &Call, args: &[JValue]) -> Answer {
    cut(call, args, |text, separator| text.split_once(separator).map(|(before, _)| before.to_owned()))
}

pub(super) fn substring_after(call: &Call, args: &[JValue]) -> Answer {
    cut(call, args, |text, separator| text.split_once(separator).map(|(_, after)| after.to_owned()))
}

/// To the right, to the left for a negative width.
pub(super) fn pad(call: &Call, args: &[JValue]) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(JValue::Undefined) };
    let width = number::given(args, 1).unwrap_or(f64::NAN);
    let fill = given(args, 2).filter(|fill| !fill.is_empty()).unwrap_or(" ");
    let missing = (width.abs() - text.chars().count() as f64).floor();
    if missing.is_nan() || missing <= 0.0 {
        return Ok(arg(args, 0).clone());
    }
    if missing > call.shared.bounds.memory as f64 {
        return too_large();
    }
    call.shared.spend(missing as usize / 16)?;
    let padding: String = fill.chars().cycle().take(missing as usize).collect();
    call.shared.built(if width > 0.0 { format!("{text}{padding}") } else { padding + text })
}

pub(super) fn join(call: &Call, args: &[JValue]) -> Answer {
    let JValue::Array(items) = arg(args, 0) else { return Ok(JValue::Undefined) };
    let separator = given(args, 1).unwrap_or_default();
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        let part = item.as_str().unwrap_or_default();
        call.shared.room(text.len() + part.len() + separator.len())?;
        if index > 0 {
            text.push_str(separator);
        }
        text.push_str(part);
    }
    call.shared.spend(items.len() + text.len() / 16)?;
    call.shared.built(text)
}

pub(super) fn string(call: &Call, args: &[JValue]) -> Answer {
    let pretty = arg(args, 1).as_bool() == Some(true);
    match arg(args, 0) {
        JValue::Undefined => Ok(JValue::Undefined),
        JValue::String(text) => Ok(JValue::String(text.clone())),
        JValue::Number(n) if !n.is_finite() => super::coded("D3001", &[]),
        value => call.shared.built(text_of(call.shared, value, pretty)?),
    }
}

/// The operator `&`.
pub(super) fn concat(call: &Call, args: &[JValue]) -> Answer {
    let mut text = String::new();
    for side in args {
        match side {
            JValue::Undefined => {}
            JValue::String(side) => text.push_str(side),
            JValue::Number(n) if !n.is_finite() => return super::coded("D3001", &[]),
            side => text.push_str(&text_of(call.shared, side, false)?),
        }
        call.shared.room(text.len())?;
    }
    call.shared.spend(text.len() / 16)?;
    call.shared.built(text)
}

/// What `$string` makes of what is no string.
pub(super) fn text_of(shared: &Shared, value: &JValue, pretty: bool) -> Result<String, EvaluatorError> {
    if value.is_function() || value.is_regex() {
        return Ok(String::new());
    }
    let mut writer = Writer { out: String::new(), pretty, shared: Some(shared), round: true };
    writer.value(value, 0)?;
    Ok(writer.out)
}

/// A value as a message of the reference shows it.
pub(in crate::jsonata) fn json_of(value: &JValue) -> String {
    let mut writer = Writer { out: String::new(), pretty: false, shared: None, round: false };
    match writer.value(value, 0) {
        Ok(()) if !value.is_undefined() => writer.out,
        _ => "undefined".to_owned(),
    }
}

/// How deep a text may nest.
const DEEPEST: usize = 400;
/// How long a value in a message may be.
const SHOWN: usize = 65_536;

struct Writer<'a> {
    out: String,
    pretty: bool,
    shared: Option<&'a Shared>,
    round: bool,
}

impl Writer<'_> {
    fn line(&mut self, depth: usize) {
        if self.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    fn check(&self, depth: usize) -> Result<(), EvaluatorError> {
        match self.shared {
            _ if depth > DEEPEST => too_large(),
            Some(shared) => {
                shared.spend(20)?;
                shared.room(self.out.len())
            }
            None if self.out.len() > SHOWN => too_large(),
            None => Ok(()),
        }
    }

    fn quoted(&mut self, text: &str) {
        let _ = write!(self.out, "{}", asl_value::Value::from(text));
    }

    fn value(&mut self, value: &JValue, depth: usize) -> Result<(), EvaluatorError> {
        self.check(depth)?;
        match value {
            JValue::Undefined | JValue::Null => self.out.push_str("null"),
            JValue::Bool(b) => self.out.push_str(if *b { "true" } else { "false" }),
            JValue::Number(n) if self.round && !n.is_finite() => return super::out_of_range(*n),
            // Short whole numbers, which are the most, need no rounding.
            JValue::Number(n) if n.fract() == 0.0 && n.abs() < 1e15 => _ = write!(self.out, "{}", *n as i64),
            JValue::Number(n) if self.round => self.out.push_str(&number::json(number::rounded(*n))),
            JValue::Number(n) => self.out.push_str(&number::json(*n)),
            JValue::String(text) => self.quoted(text),
            JValue::Array(items) if items.is_empty() => self.out.push_str("[]"),
            JValue::Array(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.line(depth + 1);
                    self.value(item, depth + 1)?;
                }
                self.line(depth);
                self.out.push(']');
            }
            JValue::Object(members) => self.object(members.iter().filter(|(_, v)| !v.is_undefined()), depth)?,
            JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => self.out.push_str("\"\""),
        }
        Ok(())
    }

    fn object<'v>(
        &mut self,
        members: impl Iterator<Item = (&'v String, &'v JValue)>,
        depth: usize,
    ) -> Result<(), EvaluatorError> {
        self.out.push('{');
        let mut any = false;
        for (key, member) in members {
            if any {
                self.out.push(',');
            }
            any = true;
            self.line(depth + 1);
            self.quoted(key);
            self.out.push_str(if self.pretty { ": " } else { ":" });
            self.value(member, depth + 1)?;
        }
        if any {
            self.line(depth);
        }
        self.out.push('}');
        Ok(())
    }
}
