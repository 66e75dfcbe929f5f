//! Parsing, with the reference implementation's codes, words and places.

use super::functions::number;
use super::lexer::{Kind, Token};
use super::messages::{self, Parts, quoted};
use super::{JsonataSyntaxError, grammar};
use jsonata_core::ast::AstNode;
use jsonata_core::parser;

/// Parses `text`: the reference's grammar has the first word, then the evaluator's parser.
pub(super) fn parse(text: &str) -> Result<AstNode, JsonataSyntaxError> {
    grammar::check(text).map_err(|mistake| {
        let parts = Parts {
            value: mistake.value.or_else(|| mistake.token.as_ref().map(json)),
            literal: match mistake.code {
                // What is no number is told as it is written.
                "S0102" => mistake.token.as_ref().map(|token| quoted(&token.text)),
                _ => mistake.token.as_ref().map(json),
            },
            ..Parts::default()
        };
        messages::syntax(mistake.code, &parts, "", mistake.offset)
    })?;
    parser::parse(text).map_err(|e| explain(text, &e.to_string()))
}

/// A token as JSON text.
fn json(token: &Token) -> String {
    match token.kind {
        Kind::Number => token.text.parse::<f64>().map_or_else(|_| token.text.clone(), number::json),
        Kind::Value => token.text.clone(),
        Kind::Regex => "{}".to_owned(),
        _ => quoted(&token.text),
    }
}

/// How long a text may be for its mistake to be placed; every prefix is parsed until one has it.
const PLACED: usize = 4096;

fn explain(text: &str, message: &str) -> JsonataSyntaxError {
    let (code, tail) = match messages::split_code(message) {
        Some(found) => found,
        None if message.contains("Unclosed comment") => ("S0106", message),
        None if message.contains("Unclosed regex") => ("S0302", message),
        None => ("S0201", message),
    };
    if matches!(code, "S0101" | "S0105" | "S0106" | "S0203" | "S0207" | "S0302") {
        let parts = Parts { value: expected(tail), ..Parts::default() };
        return messages::syntax(code, &parts, tail, text.len());
    }
    let end = mistake_end(text, message);
    let start = token_start(text, end);
    let token = text.get(start..end).unwrap_or_default().trim();
    let value = if code == "S0202" { expected(tail) } else { Some(literal(token)) };
    let parts = Parts { token: Some(token.to_owned()), value, ..Parts::default() };
    messages::syntax(code, &parts, tail, start)
}

/// The end of the shortest beginning of `text` that has the same mistake.
fn mistake_end(text: &str, message: &str) -> usize {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let mut ends = ends.take(if text.len() > PLACED { 0 } else { PLACED });
    ends.find(|&end| parser::parse(&text[..end]).is_err_and(|e| e.to_string() == message)).unwrap_or(text.len())
}

/// The start of the token that ends at `end`.
fn token_start(text: &str, end: usize) -> usize {
    let head = &text[..end];
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let Some(last) = head.chars().next_back() else { return 0 };
    if word(last) {
        return head.rfind(|c| !word(c)).map_or(0, |at| at + head[at..].chars().next().map_or(1, char::len_utf8));
    }
    let pair = head.len().checked_sub(2).and_then(|at| head.get(at..).map(|pair| (at, pair)));
    match (last, pair) {
        ('"' | '\'', _) => head[..end - 1].rfind(last).unwrap_or(end - 1),
        (_, Some((at, ":=" | "!=" | ">=" | "<=" | "~>" | ".." | "**"))) => at,
        _ => end - last.len_utf8(),
    }
}

/// A literal as JSON text.
fn literal(token: &str) -> String {
    if token.parse::<f64>().is_ok() { token.to_owned() } else { quoted(token.trim_matches(['"', '\''])) }
}

/// The symbol that was expected, from the parser's name of it.
fn expected(tail: &str) -> Option<String> {
    let name = tail.strip_prefix("Expected ")?.split([' ', ',']).next()?;
    let symbol = match name {
        "RightParen" => ")",
        "RightBracket" => "]",
        "RightBrace" => "}",
        "LeftParen" => "(",
        "LeftBrace" => "{",
        "Colon" => ":",
        "Comma" => ",",
        "Pipe" => "|",
        other => other,
    };
    Some(quoted(symbol))
}
