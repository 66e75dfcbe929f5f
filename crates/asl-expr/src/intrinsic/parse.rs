//! The grammar of calls: `States.Name(arg, …)`.

use super::functions::Function;
use super::{Arg, Call};
use crate::{Path, SyntaxError};
use asl_value::{Number, Value};

/// How deep calls may be nested (spec 5).
const MAX_NESTING: usize = 10;

const KINDS_OF_ARGUMENT: &str = "a text in single quotes, a number, true, false, null, a path, or a call";

pub(super) fn parse(text: &str) -> Result<Call, SyntaxError> {
    let mut parser = Parser { text, at: 0 };
    parser.skip_blanks();
    let call = parser.call(1)?;
    parser.skip_blanks();
    if parser.at < text.len() { parser.fail("Nothing may follow the call") } else { Ok(call) }
}

/// Takes the backslashes off `\'`, `\{`, `\}` and `\\`.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { message: message.into(), offset: self.at })
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn call(&mut self, nesting: usize) -> Result<Call, SyntaxError> {
        if nesting > MAX_NESTING {
            return self.fail(format!("Intrinsic functions can not be nested more than {MAX_NESTING} deep"));
        }
        let Some(name) = self.rest().strip_prefix("States.") else {
            return self.fail("An intrinsic function begins with 'States.'");
        };
        let name = &name[..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())];
        let Some(function) = Function::named(name) else {
            return self.fail(format!("There is no intrinsic function 'States.{name}'"));
        };
        self.at += "States.".len() + name.len();
        self.skip_blanks();
        if !self.eat('(') {
            return self.fail("Expected '('");
        }
        let args = self.args(nesting)?;
        Ok(Call { function, args })
    }

    /// The arguments, up to and with the `)`.
    fn args(&mut self, nesting: usize) -> Result<Vec<Arg>, SyntaxError> {
        let mut args = Vec::new();
        self.skip_blanks();
        if self.eat(')') {
            return Ok(args);
        }
        loop {
            self.skip_blanks();
            args.push(self.arg(nesting)?);
            self.skip_blanks();
            if self.eat(')') {
                return Ok(args);
            }
            if !self.eat(',') {
                return self.fail("Expected ',' or ')'");
            }
        }
    }

    fn arg(&mut self, nesting: usize) -> Result<Arg, SyntaxError> {
        match self.rest().chars().next() {
            Some('\'') => self.quoted(),
            Some('$') => self.path(),
            Some('S') => self.call(nesting + 1).map(Arg::Call),
            Some(_) => self.literal(),
            None => self.fail("The call is not closed"),
        }
    }

    fn quoted(&mut self) -> Result<Arg, SyntaxError> {
        let open = self.at;
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                '\'' => {
                    let inside = &self.text[open + 1..open + i];
                    self.at = open + i + 1;
                    return Ok(Arg::Quoted(inside.into()));
                }
                '\\' => match chars.next() {
                    Some((_, '\'' | '{' | '}' | '\\')) => {}
                    Some((_, other)) => {
                        self.at = open + i;
                        return self.fail(format!(r"'\{other}' is no escape: only \', \{{, \}} and \\ are"));
                    }
                    None => break,
                },
                _ => {}
            }
        }
        self.fail("The text is not closed")
    }

    /// A path ends at a `,`, `)` or blank outside of its brackets.
    fn path(&mut self) -> Result<Arg, SyntaxError> {
        let (mut open, mut quoted) = (0_usize, false);
        let end = self.rest().find(|c: char| {
            match c {
                '\'' if open > 0 => quoted = !quoted,
                _ if quoted => {}
                '[' => open += 1,
                ']' => open = open.saturating_sub(1),
                _ => return open == 0 && (matches!(c, ',' | ')' | '(') || c.is_whitespace()),
            }
            false
        });
        let text = &self.rest()[..end.unwrap_or(self.rest().len())];
        let path = Path::parse(text).map_err(|e| SyntaxError { message: e.message, offset: self.at + e.offset })?;
        self.at += text.len();
        Ok(Arg::Path(path))
    }

    fn literal(&mut self) -> Result<Arg, SyntaxError> {
        let len = self.rest().find(|c: char| matches!(c, ',' | ')') || c.is_whitespace()).unwrap_or(self.rest().len());
        let word = &self.rest()[..len];
        let value = match word {
            "true" => Value::from(true),
            "false" => Value::from(false),
            "null" => Value::Null,
            _ => match Number::parse(word) {
                Some(number) => Value::from(number),
                None if word.is_empty() => return self.fail("An argument is missing"),
                None => return self.fail(format!("'{word}' is no argument: use {KINDS_OF_ARGUMENT}")),
            },
        };
        self.at += len;
        Ok(Arg::Literal(value))
    }
}
