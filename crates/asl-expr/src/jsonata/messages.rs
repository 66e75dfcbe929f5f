//! The words of errors: the evaluator's own texts in, those of the reference implementation out.

use super::{JsonataError, JsonataSyntaxError, codes};
use asl_value::Value;

/// What a message names.
#[derive(Default)]
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

/// The text of a bound, which has no code.
fn bound(text: String) -> JsonataError {
    JsonataError { text, coded: false, unsupported_result: false }
}

/// Past the bound on memory.
pub(super) fn memory() -> JsonataError {
    bound("Expression evaluation memory limit exceeded: Check for excessive memory usage".to_owned())
}

/// Past the bound on time or steps.
pub(super) fn timeout() -> JsonataError {
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
pub(super) fn unsupported() -> JsonataError {
    JsonataError { unsupported_result: true, ..bound("The result is a function or a regular expression".to_owned()) }
}

/// What a text begins with that is in the reference's words already.
const TOLD: char = '\u{1}';

/// The text of an error of our own functions: the code and the message with its parts, which are JSON texts but for
/// `token`, `type`, `message` and `functionName`.
pub(super) fn told(code: &str, parts: &[(&str, String)]) -> String {
    let part = |names: &[&str]| parts.iter().find(|(name, _)| names.contains(name)).map(|(_, part)| part.clone());
    let parts = Parts {
        token: part(&["token", "functionName"]),
        literal: None,
        value: part(&["value"]),
        value2: part(&["value2", "exp"]),
        index: part(&["index"]),
        kind: part(&["type"]),
        message: part(&["message"]),
    };
    format!("{TOLD}{code}: {}", fill(code, &parts).unwrap_or_default())
}

/// The error of an evaluation, from the evaluator's own text. `depth` is its bound.
pub(super) fn runtime(text: &str, depth: usize, hints: &Hints) -> JsonataError {
    if let Some(text) = text.strip_prefix(TOLD) {
        return JsonataError { text: text.to_owned(), coded: true, unsupported_result: false };
    }
    let Some((code, tail)) = split_code(text) else {
        return bound(text.to_owned());
    };
    match code {
        "D1011" | "U1001" => stack(depth),
        "D1012" | "U1003" => timeout(),
        "D2015" => memory(),
        _ => {
            let message = fill(code, &parts(code, tail, hints)).unwrap_or_else(|| tail.to_owned());
            JsonataError { text: format!("{code}: {message}"), coded: true, unsupported_result: false }
        }
    }
}

/// What the expression has of what the evaluator's texts leave out.
#[derive(Clone, Debug, Default)]
pub(super) struct Hints {
    /// The functions it calls, in the order of the text.
    pub(super) functions: Vec<String>,
}

/// The message of `code` with its parts; `None` for an unknown code, or where a part is not known.
pub(super) fn fill(code: &str, parts: &Parts) -> Option<String> {
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
        out.push_str(&part?);
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

/// The code in a text and what follows it, wherever it stands: `Invalid syntax: S0213: The …`.
pub(super) fn split_code(text: &str) -> Option<(&str, &str)> {
    let is_code = |at: usize| {
        let code = text.as_bytes().get(at..at + 6)?;
        (code[0].is_ascii_uppercase() && code[1..5].iter().all(u8::is_ascii_digit) && code[5] == b':').then_some(at)
    };
    let at = std::iter::once(0).chain(text.match_indices(": ").map(|(i, _)| i + 2)).find_map(is_code)?;
    Some((&text[at..at + 5], text[at + 6..].trim_start()))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

fn after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.split_once(before).map(|(_, rest)| rest)
}

/// A number as the reference prints it, other text as a string.
fn json(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() => text.to_owned(),
        Ok(_) => "null".to_owned(),
        Err(_) => quoted(text.trim_matches('"')),
    }
}

/// Reads the parts out of the evaluator's own text.
fn parts(code: &str, tail: &str, hints: &Hints) -> Parts {
    let mut parts = Parts::default();
    match code {
        "T0410" | "T0411" | "T0412" => {
            let function = after(tail, "function ").and_then(|t| t.split([' ', '.']).next());
            let named = function.filter(|f| !matches!(*f, "does" | "must" | "signature" | "undefined"));
            parts.token = named
                .map(|f| f.trim_start_matches('$').trim_end_matches('\'').to_owned())
                .or_else(|| hints.functions.first().cloned());
            let index = after(tail, "rgument ").and_then(|t| t.split(' ').next());
            let count = between(tail, "expected ", ",").and_then(|n| n.parse::<usize>().ok()).map(|n| n + 1);
            let index = index.filter(|i| i.bytes().all(|b| b.is_ascii_digit())).map(str::to_owned);
            // A function that is applied with `~>` has one argument.
            let index = if tail.contains("expected 2, got 1") { Some("2".to_owned()) } else { index };
            parts.index = index.or_else(|| count.map(|n| n.to_string())).or_else(|| Some("1".to_owned()));
            parts.kind = after(tail, "array of ").map(|t| format!("{}s", t.trim().to_lowercase()));
        }
        "T2001" | "T2002" => parts.token = between(tail, " side of the ", " operator").map(str::to_owned),
        "T1005" | "T1007" => {
            parts.token = after(tail, "Did you mean $").map(|t| t.trim_end_matches('?').to_owned());
        }
        "T1010" => {
            let name = after(tail, "function ").and_then(|t| t.split(' ').next());
            parts.token = name.map(|t| t.trim_matches(['"', '$']).to_owned());
        }
        "D3030" => parts.value = between(tail, "'", "' to number").map(quoted).or_else(|| after_cast(tail)),
        "D3061" => {
            parts.value = between(tail, "base=", ",").map(json);
            parts.value2 = after(tail, "exponent=").map(json);
        }
        "D3100" => parts.value = after(tail, "got ").map(json),
        "D3137" | "D3141" => parts.message = Some(tail.to_owned()),
        "D3140" => {
            parts.token = between(tail, "$", "(").map(str::to_owned);
            parts.value = after(tail, "(): ").map(json);
        }
        "T2007" => {
            parts.value = between(tail, "clause: ", " and ").map(json);
            parts.value2 = after(tail, " and ").map(json);
        }
        "D1001" => parts.value = after(tail, ": ").map(json).or(Some("null".to_owned())),
        "T1003" => {
            let got = after(tail, "got: ").map(str::trim);
            parts.value = got.map(|got| if got.parse::<Value>().is_ok() { got.to_owned() } else { quoted(got) });
        }
        _ => parts.value = after(tail, ": ").map(json),
    }
    parts
}

fn after_cast(tail: &str) -> Option<String> {
    tail.contains("null").then(|| "null".to_owned())
}

/// An error of syntax.
pub(super) fn syntax(code: &str, parts: &Parts, fallback: &str, offset: usize) -> JsonataSyntaxError {
    let message = fill(code, parts).unwrap_or_else(|| fallback.to_owned());
    JsonataSyntaxError { code: code.to_owned(), message, offset }
}
