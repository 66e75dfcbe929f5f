//! Strings.

use super::{Answer, Call, arg, number, too_large};
use crate::jsonata::eval::Run;
use crate::jsonata::messages::Fail;
use crate::jsonata::value::Val;
use std::fmt::Write as _;

/// A string argument; `None` when undefined.
pub(super) fn given(args: &[Val], index: usize) -> Option<&str> {
    arg(args, index).as_str()
}

/// Applies `of` to the first argument, when there is one.
fn map(call: &Call, args: &[Val], of: impl Fn(&str) -> String) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(Val::Undefined) };
    call.run.spend(text.len() / 16)?;
    call.run.built(of(text))
}

pub(super) fn uppercase(call: &Call, args: &[Val]) -> Answer {
    map(call, args, str::to_uppercase)
}

pub(super) fn lowercase(call: &Call, args: &[Val]) -> Answer {
    map(call, args, str::to_lowercase)
}

/// Runs of blanks become one, and none stay at the ends.
pub(super) fn trim(call: &Call, args: &[Val]) -> Answer {
    map(call, args, |text| {
        let words = text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    })
}

pub(super) fn length(call: &Call, args: &[Val]) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(Val::Undefined) };
    call.run.spend(text.len() / 16)?;
    Ok(Val::Number(text.chars().count() as f64))
}

pub(super) fn substring(call: &Call, args: &[Val]) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(Val::Undefined) };
    call.run.spend(text.len() / 8)?;
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
        Some(length) if length <= 0.0 || arg(args, 1).is_undefined() => return Ok(Val::string("")),
        Some(length) if start >= 0.0 => start + length,
        Some(length) => count + start + length,
        None => count,
    };
    let (start, end) = (place(start) as usize, place(end) as usize);
    call.run.built(text.chars().skip(start).take(end.saturating_sub(start)).collect())
}

fn cut(call: &Call, args: &[Val], of: fn(&str, &str) -> Option<String>) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(Val::Undefined) };
    call.run.spend(text.len() / 16)?;
    // An undefined separator is searched for by its name.
    call.run.built(of(text, given(args, 1).unwrap_or("undefined")).unwrap_or_else(|| text.to_owned()))
}

pub(super) fn substring_before(call: &Call, args: &[Val]) -> Answer {
    cut(call, args, |text, separator| text.split_once(separator).map(|(before, _)| before.to_owned()))
}

pub(super) fn substring_after(call: &Call, args: &[Val]) -> Answer {
    cut(call, args, |text, separator| text.split_once(separator).map(|(_, after)| after.to_owned()))
}

/// To the right, to the left for a negative width.
pub(super) fn pad(call: &Call, args: &[Val]) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(Val::Undefined) };
    let width = number::given(args, 1).unwrap_or(f64::NAN);
    let fill = given(args, 2).filter(|fill| !fill.is_empty()).unwrap_or(" ");
    let missing = (width.abs() - text.chars().count() as f64).floor();
    if missing.is_nan() || missing <= 0.0 {
        return Ok(arg(args, 0).clone());
    }
    if missing > call.run.budget.bounds.memory as f64 {
        return too_large();
    }
    call.run.spend(missing as usize / 16)?;
    let padding: String = fill.chars().cycle().take(missing as usize).collect();
    call.run.built(if width > 0.0 { format!("{text}{padding}") } else { padding + text })
}

pub(super) fn join(call: &Call, args: &[Val]) -> Answer {
    let Some(list) = arg(args, 0).list() else { return Ok(Val::Undefined) };
    let separator = given(args, 1).unwrap_or_default();
    let mut text = String::new();
    call.run.spend(list.len())?;
    for (index, item) in list.iter().enumerate() {
        let part = item.as_str().unwrap_or_default();
        call.run.budget.room(text.len() + part.len() + separator.len())?;
        call.run.spend(part.len() / 16)?;
        if index > 0 {
            text.push_str(separator);
        }
        text.push_str(part);
    }
    call.run.built(text)
}

pub(super) fn string(call: &Call, args: &[Val]) -> Answer {
    let pretty = matches!(arg(args, 1), Val::Bool(true));
    match arg(args, 0) {
        Val::Undefined => Ok(Val::Undefined),
        Val::String(text) => Ok(Val::String(text.clone())),
        // The document, of which the context is the only item.
        Val::Seq(seq) if seq.flags.outer => {
            let document = seq.items.first().cloned().unwrap_or_default();
            call.run.built(text_of(call.run, &document, pretty)?)
        }
        value => call.run.built(text_of(call.run, value, pretty)?),
    }
}

/// What `$string` makes of what is no string.
pub(in crate::jsonata) fn text_of(run: &Run<'_>, value: &Val, pretty: bool) -> Result<String, Fail> {
    match value {
        Val::Number(n) if !n.is_finite() => return super::coded("D3001", &[]),
        value if value.is_function() => return Ok(String::new()),
        _ => {}
    }
    let mut writer = Writer { out: String::new(), pretty, run: Some(run), round: true };
    writer.value(value, 0)?;
    Ok(writer.out)
}

/// A value as a message of the reference shows it.
pub(in crate::jsonata) fn json_of(value: &Val) -> String {
    let mut writer = Writer { out: String::new(), pretty: false, run: None, round: false };
    match writer.value(value, 0) {
        Ok(()) if !value.is_undefined() && !value.is_function() => writer.out,
        _ => "undefined".to_owned(),
    }
}

/// How deep a text may nest.
const DEEPEST: usize = 400;
/// How long a value in a message may be.
const SHOWN: usize = 65_536;

struct Writer<'r, 'e> {
    out: String,
    pretty: bool,
    run: Option<&'r Run<'e>>,
    round: bool,
}

impl Writer<'_, '_> {
    fn line(&mut self, depth: usize) {
        if self.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    fn check(&self, depth: usize) -> Result<(), Fail> {
        match self.run {
            _ if depth > DEEPEST => too_large(),
            Some(run) => {
                run.spend(4)?;
                run.budget.room(self.out.len())
            }
            None if self.out.len() > SHOWN => too_large(),
            None => Ok(()),
        }
    }

    fn quoted(&mut self, text: &str) -> Result<(), Fail> {
        if let Some(run) = self.run {
            run.spend(text.len() / 16)?;
            run.budget.room(self.out.len() + text.len())?;
        }
        asl_value::quote_to(text, &mut self.out);
        Ok(())
    }

    fn number(&mut self, n: f64) -> Result<(), Fail> {
        match n {
            n if self.round && n.is_infinite() => return super::out_of_range(n),
            // Short whole numbers, which are the most, need no rounding.
            n if n.fract() == 0.0 && n.abs() < 1e15 => _ = write!(self.out, "{}", n as i64),
            // Whole ones have all their digits, also where they are more than 15.
            n if n.fract() == 0.0 && n.abs() < 1e21 => self.out.push_str(&number::json(n)),
            n if self.round && n.is_finite() => number::write_rounded(n, &mut self.out),
            n => self.out.push_str(&number::json(n)),
        }
        Ok(())
    }

    fn value(&mut self, value: &Val, depth: usize) -> Result<(), Fail> {
        self.check(depth)?;
        match value {
            Val::Undefined | Val::Unset | Val::Null => self.out.push_str("null"),
            Val::Bool(b) => self.out.push_str(if *b { "true" } else { "false" }),
            Val::Number(n) => self.number(*n)?,
            Val::Exact(n) => self.number(n.as_f64())?,
            Val::String(text) => self.quoted(text)?,
            Val::Array(_) | Val::Seq(_) => {
                let Some(list) = value.list() else { return Ok(()) };
                self.out.push('[');
                for (index, item) in list.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.line(depth + 1);
                    self.value(&item, depth + 1)?;
                }
                if list.len() > 0 {
                    self.line(depth);
                }
                self.out.push(']');
            }
            Val::Object(_) | Val::Record(_) => self.object(value, depth)?,
            Val::Function(_) | Val::Tuples(_) | Val::Thunk(_) => self.out.push_str("\"\""),
        }
        Ok(())
    }

    fn object(&mut self, value: &Val, depth: usize) -> Result<(), Fail> {
        self.out.push('{');
        let mut any = false;
        for (key, member) in value.members().filter(|(_, member)| !member.is_undefined()) {
            if any {
                self.out.push(',');
            }
            any = true;
            self.line(depth + 1);
            self.quoted(&key)?;
            self.out.push_str(if self.pretty { ": " } else { ":" });
            self.value(&member, depth + 1)?;
        }
        if any {
            self.line(depth);
        }
        self.out.push('}');
        Ok(())
    }
}
