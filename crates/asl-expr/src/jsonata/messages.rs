//! The words of errors: those of the reference implementation, filled from what the evaluator knows.

use super::functions::{number, string};
use super::lexer::{Kind, Mistake, Token};
use super::value::Val;
use super::{JsonataError, JsonataSyntaxError, codes};
use asl_value::Value;

/// What a message names.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// A symbol or the name of a function.
    pub(super) token: Option<String>,
    /// A symbol that is no string, as JSON text.
    pub(super) literal: Option<String>,
    /// A value, as JSON text.
    pub(super) value: Option<String>,
    pub(super) value2: Option<String>,
    pub(super) index: Option<String>,
    pub(super) kind: Option<String>,
    /// The bare text of `$error` and `$assert`.
    pub(super) message: Option<String>,
}

/// How an evaluation fails.
#[derive(Debug)]
pub(super) enum Fail {
    /// An error of the language.
    Coded(Box<Coded>),
    /// Past the bound on memory or items.
    Memory,
    /// Past the bound on work.
    Timeout,
    /// Past the bound on depth.
    Stack,
    /// The result is no JSON.
    Unsupported,
    /// Something that has no code.
    Other(Box<str>),
}

/// An error with its code, and what its message names.
#[derive(Debug)]
pub(super) struct Coded {
    code: &'static str,
    parts: Parts,
}

/// The error `code`, to be told more about.
pub(super) fn coded(code: &'static str) -> Coded {
    Coded { code, parts: Parts::default() }
}

impl Coded {
    pub(super) fn token(mut self, token: &str) -> Coded {
        self.parts.token = Some(token.to_owned());
        self
    }

    pub(super) fn value(mut self, value: &Val) -> Coded {
        self.parts.value = Some(string::json_of(value));
        self
    }

    pub(super) fn value2(mut self, value: &Val) -> Coded {
        self.parts.value2 = Some(string::json_of(value));
        self
    }

    /// With parts by name, which are JSON texts but for `token`, `type`, `message` and `functionName`.
    pub(super) fn parts(mut self, parts: &[(&str, String)]) -> Coded {
        for (name, text) in parts {
            let place = match *name {
                "token" | "functionName" => &mut self.parts.token,
                "value" => &mut self.parts.value,
                "value2" | "exp" => &mut self.parts.value2,
                "index" => &mut self.parts.index,
                "type" => &mut self.parts.kind,
                _ => &mut self.parts.message,
            };
            *place = Some(text.clone());
        }
        self
    }

    pub(super) fn raise<T>(self) -> Result<T, Fail> {
        Err(Fail::Coded(Box::new(self)))
    }
}

impl Fail {
    /// With the name of the function it was in, unless an inner one has told its own.
    pub(super) fn named(mut self, name: Option<&str>) -> Fail {
        if let (Fail::Coded(coded), Some(name)) = (&mut self, name)
            && coded.parts.token.is_none()
        {
            coded.parts.token = Some(name.to_owned());
        }
        self
    }

    /// With the operator it was beside, whatever it named before.
    pub(super) fn renamed(mut self, token: &str) -> Fail {
        if let Fail::Coded(coded) = &mut self {
            coded.parts.token = Some(token.to_owned());
        }
        self
    }

    /// Code and message, without the code's parts that are not known.
    pub(super) fn told(&self, depth: usize) -> JsonataError {
        match self {
            Fail::Coded(coded) => {
                let message = fill(coded.code, &coded.parts).unwrap_or_default();
                JsonataError { text: format!("{}: {message}", coded.code), coded: true, unsupported_result: false }
            }
            Fail::Memory => memory(),
            Fail::Timeout => timeout(),
            Fail::Stack => stack(depth),
            Fail::Unsupported => unsupported(),
            Fail::Other(text) => bound(text.to_string()),
        }
    }
}

/// The text of a bound, which has no code.
fn bound(text: String) -> JsonataError {
    JsonataError { text, coded: false, unsupported_result: false }
}

/// Past the bound on memory.
fn memory() -> JsonataError {
    bound("Expression evaluation memory limit exceeded: Check for excessive memory usage".to_owned())
}

/// Past the bound on time or steps.
fn timeout() -> JsonataError {
    bound("Expression evaluation timeout: Check for infinite loop".to_owned())
}

/// Past the bound on depth.
fn stack(depth: usize) -> JsonataError {
    bound(format!(
        "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive. \
         Depth={} max={depth}",
        depth + 1
    ))
}

/// A result that is no JSON.
fn unsupported() -> JsonataError {
    JsonataError { unsupported_result: true, ..bound("The result is a function or a regular expression".to_owned()) }
}

/// The message of `code` with its parts; `None` for an unknown code.
fn fill(code: &str, parts: &Parts) -> Option<String> {
    let mut out = String::new();
    let mut rest = codes::template(code)?;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, tail) = after.split_once("}}")?;
        let (bare, tail) = (name.starts_with('{'), tail.strip_prefix('}').unwrap_or(tail));
        let part = match name.trim_start_matches('{') {
            "token" if parts.literal.is_some() => parts.literal.clone(),
            "token" | "functionName" => {
                parts.token.as_ref().map(|t| if bare || is_number(t) { t.clone() } else { quoted(t) })
            }
            "value" => parts.value.clone(),
            "value2" | "exp" => parts.value2.clone(),
            "index" => parts.index.clone(),
            "type" => parts.kind.as_ref().map(|kind| quoted(kind)),
            "message" => parts.message.clone(),
            _ => None,
        };
        out.push_str(before);
        // What JavaScript has no value for is told so.
        out.push_str(part.as_deref().unwrap_or("undefined"));
        rest = tail;
    }
    out.push_str(rest);
    Some(out)
}

fn is_number(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_digit()) && token.parse::<f64>().is_ok()
}

/// A string as JSON text.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// An error of syntax.
pub(super) fn syntax(mistake: Mistake) -> JsonataSyntaxError {
    let Mistake { code, token, value, offset } = mistake;
    let parts = Parts {
        value: value.or_else(|| token.as_ref().map(json)),
        literal: match code {
            // What is no number is told as it is written.
            "S0102" => token.as_ref().map(|token| quoted(&token.text)),
            _ => token.as_ref().map(json),
        },
        ..Parts::default()
    };
    JsonataSyntaxError { code: code.to_owned(), message: fill(code, &parts).unwrap_or_default(), offset }
}

/// A token as JSON text.
fn json(token: &Token) -> String {
    match token.kind {
        Kind::Number => token.text.parse::<f64>().map_or_else(|_| token.text.to_string(), number::json),
        Kind::Value => token.text.to_string(),
        Kind::Regex { .. } => "{}".to_owned(),
        _ => quoted(&token.text),
    }
}
