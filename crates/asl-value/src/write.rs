//! Compact JSON text, and how long it would be.

use crate::{MapIter, Measure, Number, Value};
use std::fmt::{self, Write};

impl fmt::Display for Value {
    /// Compact JSON; with `{:#}` indented by two spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { write_value::<true>(self, f) } else { write_value::<false>(self, f) }
    }
}

impl fmt::Debug for Value {
    /// The compact JSON, whatever the flags: in a dump, a value is a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_value::<false>(self, f)
    }
}

impl Value {
    /// Appends the compact text, what [`Display`](fmt::Display) gives, to `out`: the fast way to write much of it.
    pub fn write_to(&self, out: &mut String) {
        // Writing into a String cannot fail.
        let _ = write_value::<false>(self, out);
    }

    /// True when its compact text is this one, to the letter. It is compared as it would be written; nothing is kept of it.
    pub fn has_text(&self, text: &str) -> bool {
        let mut due = Due(text);
        write_value::<false>(self, &mut due).is_ok() && due.0.is_empty()
    }

    /// The length of the compact text in bytes and the depth of nesting, found without writing it.
    pub fn measure(&self) -> Measure {
        match self {
            Value::Null => Measure { bytes: 4, depth: 0 },
            Value::Bool(b) => Measure { bytes: if *b { 4 } else { 5 }, depth: 0 },
            Value::Number(Number::Int(i)) => {
                let digits = i.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
                Measure { bytes: digits + usize::from(*i < 0), depth: 0 }
            }
            Value::Number(n) => {
                let mut counter = Counter(0);
                // Writing into a counter cannot fail.
                let _ = write!(counter, "{n}");
                Measure { bytes: counter.0, depth: 0 }
            }
            Value::String(s) => Measure { bytes: quoted_len(s), depth: 0 },
            Value::Array(_) | Value::Object(_) => self.known().unwrap_or_else(|| crate::deep::measure(self)),
        }
    }

    /// Measures an array or object whose parts are measured, and remembers it there.
    pub(crate) fn remember(&self) {
        match self {
            Value::Array(items) => items.remember(measure_parts(items.iter().map(|v| (0, v)))),
            Value::Object(map) => map.remember(measure_parts(map.iter().map(|(k, v)| (quoted_len(k) + 1, v)))),
            _ => {}
        }
    }
}

fn measure_parts<'a>(parts: impl ExactSizeIterator<Item = (usize, &'a Value)>) -> Measure {
    let mut bytes = 2 + parts.len().saturating_sub(1);
    let mut depth = 0;
    for (before, value) in parts {
        let inner = value.measure();
        bytes = bytes.saturating_add(before + inner.bytes);
        depth = depth.max(inner.depth);
    }
    Measure { bytes, depth: depth + 1 }
}

struct Counter(usize);

impl Write for Counter {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0 += s.len();
        Ok(())
    }
}

/// A text that is to be written; writing anything else fails.
struct Due<'a>(&'a str);

impl Write for Due<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(s).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// An array or object that is being written.
enum Open<'v> {
    Array(std::slice::Iter<'v, Value>),
    Object(MapIter<'v>),
}

/// Writes a value; `PRETTY` is with a line for each element and member.
fn write_value<const PRETTY: bool>(value: &Value, out: &mut impl Write) -> fmt::Result {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut at = value;
    loop {
        let mut first = false;
        match at {
            Value::Null => out.write_str("null")?,
            Value::Bool(b) => out.write_str(if *b { "true" } else { "false" })?,
            Value::Number(Number::Int(i)) => out.write_str(itoa::Buffer::new().format(*i))?,
            Value::Number(n) => write!(out, "{n}")?,
            Value::String(s) => write_quoted(s, out)?,
            Value::Array(items) if items.is_empty() => out.write_str("[]")?,
            Value::Object(map) if map.is_empty() => out.write_str("{}")?,
            Value::Array(items) => {
                open.push(Open::Array(items.iter()));
                first = true;
            }
            Value::Object(map) => {
                open.push(Open::Object(map.iter()));
                first = true;
            }
        }
        at = loop {
            let depth = open.len();
            let next = match open.last_mut() {
                None => return Ok(()),
                Some(Open::Array(items)) => items.next().map(|item| (None, item)),
                Some(Open::Object(members)) => members.next().map(|(key, value)| (Some(key), value)),
            };
            let Some((key, next)) = next else {
                let end = if matches!(open.pop(), Some(Open::Array(_))) { ']' } else { '}' };
                break_line::<PRETTY>(out, depth - 1)?;
                out.write_char(end)?;
                first = false;
                continue;
            };
            out.write_char(match (first, key) {
                (false, _) => ',',
                (true, None) => '[',
                (true, Some(_)) => '{',
            })?;
            break_line::<PRETTY>(out, depth)?;
            if let Some(key) = key {
                write_quoted(key, out)?;
                out.write_str(if PRETTY { ": " } else { ":" })?;
            }
            break next;
        };
    }
}

/// A new line at a level, two spaces each.
fn break_line<const PRETTY: bool>(out: &mut impl Write, level: usize) -> fmt::Result {
    if PRETTY { write!(out, "\n{:1$}", "", 2 * level) } else { Ok(()) }
}

/// The escape of a byte inside a JSON string; `None` where the byte stands for itself.
const fn escape(byte: u8) -> Option<&'static str> {
    const CONTROL: [&str; 32] = [
        "\\u0000", "\\u0001", "\\u0002", "\\u0003", "\\u0004", "\\u0005", "\\u0006", "\\u0007", "\\b", "\\t", "\\n",
        "\\u000b", "\\f", "\\r", "\\u000e", "\\u000f", "\\u0010", "\\u0011", "\\u0012", "\\u0013", "\\u0014",
        "\\u0015", "\\u0016", "\\u0017", "\\u0018", "\\u0019", "\\u001a", "\\u001b", "\\u001c", "\\u001d", "\\u001e",
        "\\u001f",
    ];
    match byte {
        b'"' => Some("\\\""),
        b'\\' => Some("\\\\"),
        0..=31 => Some(CONTROL[byte as usize]),
        _ => None,
    }
}

/// Appends `text` to `out` as a JSON string: in quotes, with the escapes it needs and no other.
pub fn quote_to(text: &str, out: &mut String) {
    // Writing into a String cannot fail.
    let _ = write_quoted(text, out);
}

fn write_quoted(s: &str, out: &mut impl Write) -> fmt::Result {
    out.write_char('"')?;
    let mut from = 0;
    if !is_plain(s.as_bytes()) {
        for (at, byte) in s.bytes().enumerate() {
            if let Some(text) = escape(byte) {
                out.write_str(&s[from..at])?;
                out.write_str(text)?;
                from = at + 1;
            }
        }
    }
    out.write_str(&s[from..])?;
    out.write_char('"')
}

/// True when no byte has an escape. Most texts are so: many bytes are asked at once, without a branch for each.
fn is_plain(bytes: &[u8]) -> bool {
    let blocks = plain_blocks::<16>(bytes).or_else(|| plain_blocks::<4>(bytes));
    blocks.unwrap_or_else(|| bytes.iter().all(|byte| LONGER[usize::from(*byte)] == 0))
}

/// In blocks of `N`, the last of which may overlap the one before; `None` for less than one.
fn plain_blocks<const N: usize>(bytes: &[u8]) -> Option<bool> {
    let last = bytes.last_chunk::<N>()?;
    let has_escape = |byte: u8| byte < 32 || byte == b'"' || byte == b'\\';
    let plain = |block: &[u8; N]| !block.iter().fold(false, |any, byte| any | has_escape(*byte));
    Some(plain(last) && bytes.as_chunks::<N>().0.iter().all(plain))
}

/// By how much the escape of each byte is longer than the byte.
const LONGER: [u8; 256] = {
    let mut longer = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if let Some(text) = escape(byte as u8) {
            longer[byte] = text.len() as u8 - 1;
        }
        byte += 1;
    }
    longer
};

pub(crate) fn quoted_len(s: &str) -> usize {
    let longer = |s: &str| s.bytes().map(|b| usize::from(LONGER[usize::from(b)])).sum::<usize>();
    2 + s.len() + if is_plain(s.as_bytes()) { 0 } else { longer(s) }
}
