//! JSON text to values, with the place of every mistake.

use crate::{Map, Number, Value};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// How deep arrays and objects may be nested in a text. Deeper texts are refused, so that no walk over a value
/// can run out of stack.
pub const MAX_DEPTH: usize = 512;

/// A range of bytes in a source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// What a JSON text is turned into: [`Value`]s, or a tree that also knows its places.
pub trait Build {
    /// A node of the tree.
    type Node;
    /// How deep arrays and objects may be nested, at most [`MAX_DEPTH`].
    const MAX_DEPTH: usize = MAX_DEPTH;
    /// A scalar at `span`.
    fn scalar(&mut self, value: Value, span: Span) -> Self::Node;
    /// An array with its elements.
    fn array(&mut self, items: Vec<Self::Node>, span: Span) -> Self::Node;
    /// An object with its members in the order of the text: key, place of the key, value. Keys may repeat.
    fn object(&mut self, members: Vec<(Arc<str>, Span, Self::Node)>, span: Span) -> Self::Node;
}

/// Why a text is not JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Where it is, as a byte offset.
    pub offset: usize,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
}

/// What can be wrong with a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// A word that is not `null`, `true` or `false`.
    Token(String),
    /// A character that cannot stand here; the text says what was expected.
    Unexpected(char, &'static str),
    /// The text ends too early; the text says inside of what.
    End(&'static str),
    /// A number that is malformed or not finite.
    Number(String),
    /// A `\` followed by something that is no escape.
    Escape,
    /// A control character inside a string, which must be escaped.
    Control(u8),
    /// Nested deeper than so many levels: [`Build::MAX_DEPTH`].
    Depth(usize),
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseErrorKind::Token(word) => write!(
                f,
                "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
            ),
            ParseErrorKind::Unexpected(c, expected) => {
                write!(f, "Unexpected character ('{c}' (code {})): {expected}", *c as u32)
            }
            ParseErrorKind::End(inside) => write!(f, "Unexpected end-of-input{inside}"),
            ParseErrorKind::Number(text) => write!(f, "'{text}' is not a JSON number"),
            ParseErrorKind::Escape => f.write_str("Unrecognized character escape in a string"),
            ParseErrorKind::Control(b) => {
                write!(f, "Illegal unquoted character (code {b}) in a string: it has to be escaped with a backslash")
            }
            ParseErrorKind::Depth(limit) => write!(f, "nested deeper than {limit} levels"),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {}, column {}", self.kind, self.line, self.column)
    }
}

impl std::error::Error for ParseError {}

/// Reads one JSON text (RFC 8259; a byte order mark at its head is skipped; of repeated keys the last one wins).
///
/// # Errors
/// The first mistake with its place; nested deeper than [`MAX_DEPTH`] is one.
pub fn parse(text: &str) -> Result<Value, ParseError> {
    parse_with(text, &mut Values)
}

/// Reads one JSON text into the nodes of `build`.
///
/// # Errors
/// As [`parse`].
pub fn parse_with<B: Build>(text: &str, build: &mut B) -> Result<B::Node, ParseError> {
    let mut parser = Parser { text, at: 0, build };
    if text.starts_with('\u{feff}') {
        parser.at = 3;
    }
    let node = parser.document();
    node.map_err(|(kind, offset)| {
        let before = &text[..floor_boundary(text, offset)];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        ParseError {
            kind,
            offset,
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    })
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// What can stand where a value is due. This and the other texts are those of Jackson, which AWS passes on.
const EXPECTED_VALUE: &str =
    "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

struct Values;

impl Build for Values {
    type Node = Value;

    fn scalar(&mut self, value: Value, _: Span) -> Value {
        value
    }

    fn array(&mut self, items: Vec<Value>, _: Span) -> Value {
        Value::from(items)
    }

    fn object(&mut self, members: Vec<(Arc<str>, Span, Value)>, _: Span) -> Value {
        let mut map = Map::with_capacity(members.len());
        for (key, _, value) in members {
            map.insert(key, value);
        }
        Value::from(map)
    }
}

struct Parser<'t, 'b, B> {
    text: &'t str,
    at: usize,
    build: &'b mut B,
}

type Fail = (ParseErrorKind, usize);

impl<'t, B: Build> Parser<'t, '_, B> {
    fn document(&mut self) -> Result<B::Node, Fail> {
        let node = self.value(0)?;
        self.blanks();
        match self.peek() {
            None => Ok(node),
            Some(_) => Err(self.unexpected("expected the end of the text")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, expected: &'static str) -> Fail {
        match self.text.get(self.at..).and_then(|t| t.chars().next()) {
            Some(c) => (ParseErrorKind::Unexpected(c, expected), self.at),
            None => (ParseErrorKind::End(""), self.at),
        }
    }

    fn value(&mut self, depth: usize) -> Result<B::Node, Fail> {
        self.blanks();
        let start = self.at;
        let scalar = match self.peek() {
            Some(b'{' | b'[') if depth >= B::MAX_DEPTH => return Err((ParseErrorKind::Depth(B::MAX_DEPTH), start)),
            Some(b'{') => return self.object(depth),
            Some(b'[') => return self.array(depth),
            Some(b'"') => Value::from(&*self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b) if b.is_ascii_alphabetic() || b == b'_' || b >= 0x80 => self.word()?,
            _ => return Err(self.unexpected(EXPECTED_VALUE)),
        };
        Ok(self.build.scalar(scalar, Span { start, end: self.at }))
    }

    fn word(&mut self) -> Result<Value, Fail> {
        let rest = &self.text[self.at..];
        let len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let start = self.at;
        self.at += len;
        match &rest[..len] {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            word => Err((ParseErrorKind::Token(word.chars().take(64).collect()), start)),
        }
    }

    fn number(&mut self) -> Result<Value, Fail> {
        let rest = &self.text[self.at..];
        let len = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let text = &rest[..len];
        let number =
            Number::parse(text).ok_or_else(|| (ParseErrorKind::Number(text.chars().take(64).collect()), self.at))?;
        self.at += len;
        Ok(Value::Number(number))
    }

    fn array(&mut self, depth: usize) -> Result<B::Node, Fail> {
        let start = self.at;
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(self.build.array(items, Span { start, end: self.at }));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(self.build.array(items, Span { start, end: self.at }));
                }
                None => return Err((ParseErrorKind::End(" inside an array"), self.at)),
                Some(_) => return Err(self.unexpected("was expecting comma to separate Array entries")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<B::Node, Fail> {
        let start = self.at;
        self.at += 1;
        let mut members = Vec::new();
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(self.build.object(members, Span { start, end: self.at }));
        }
        loop {
            self.blanks();
            let key_start = self.at;
            match self.peek() {
                Some(b'"') => {}
                None => return Err((ParseErrorKind::End(" inside an object"), self.at)),
                Some(_) => return Err(self.unexpected("was expecting double-quote to start field name")),
            }
            let key: Arc<str> = self.string()?.into();
            let key_span = Span { start: key_start, end: self.at };
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("was expecting a colon to separate field name and value"));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            members.push((key, key_span, value));
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(self.build.object(members, Span { start, end: self.at }));
                }
                None => return Err((ParseErrorKind::End(" inside an object"), self.at)),
                Some(_) => return Err(self.unexpected("was expecting comma to separate Object entries")),
            }
        }
    }

    /// A string in quotes. One without escapes, as most are, is a part of the text.
    fn string(&mut self) -> Result<Cow<'t, str>, Fail> {
        let start = self.at;
        self.at += 1;
        let mut out = Cow::Borrowed("");
        loop {
            let rest = &self.text[self.at..];
            let run = rest.bytes().position(|b| matches!(b, b'"' | b'\\' | 0..=31)).unwrap_or(rest.len());
            out += &rest[..run];
            self.at += run;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.to_mut().push(self.escape()?),
                Some(b) => return Err((ParseErrorKind::Control(b), self.at)),
                None => return Err((ParseErrorKind::End(": was expecting closing quote for a string value"), start)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fail> {
        let start = self.at;
        let bad = (ParseErrorKind::Escape, start);
        self.at += 2;
        match self.text.as_bytes().get(start + 1) {
            Some(b'"') => Ok('"'),
            Some(b'\\') => Ok('\\'),
            Some(b'/') => Ok('/'),
            Some(b'b') => Ok('\u{8}'),
            Some(b'f') => Ok('\u{c}'),
            Some(b'n') => Ok('\n'),
            Some(b'r') => Ok('\r'),
            Some(b't') => Ok('\t'),
            Some(b'u') => {
                let high = self.hex4().ok_or(bad)?;
                if (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with("\\u") {
                    let back = self.at;
                    self.at += 2;
                    if let Some(low @ 0xdc00..0xe000) = self.hex4() {
                        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                        return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = back;
                }
                // A lone surrogate has no place in UTF-8.
                Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            _ => Err(bad),
        }
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}
