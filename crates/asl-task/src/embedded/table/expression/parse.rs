//! What the grammars share: a cursor over tokens, paths, placeholders, and the order in which faults are told.

use super::lex::{Kind, Token, lex};
use super::path::{Path, Step};
use super::reserved::is_reserved;
use crate::embedded::error::{Fault, invalid};
use crate::embedded::params::{Params, wrong_kind};
use crate::embedded::table::attribute::Attribute;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The largest expression, in bytes.
const MAX_SIZE: usize = 4096;
/// How deep parentheses, NOT and functions nest; it keeps the parser's stack small.
const MAX_DEPTH: usize = 64;

/// The `ExpressionAttributeNames` and `ExpressionAttributeValues` of a call, and which of them an expression used.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    names: BTreeMap<String, (Arc<str>, bool)>,
    values: BTreeMap<String, (Attribute, bool)>,
}

impl Placeholders {
    /// Reads the two parameters. `expressions` names the expression parameters of the action.
    pub(crate) fn read(params: &Params<'_>, expressions: &[&str]) -> Result<Placeholders, Fault> {
        let mut all = Placeholders::default();
        let present = |name: &&&str| params.get(name).is_some();
        if let Some(names) = params.object("ExpressionAttributeNames")? {
            if !expressions.iter().any(|name| present(&name)) {
                return Err(invalid("ExpressionAttributeNames can only be specified when using expressions"));
            }
            check_keys("ExpressionAttributeNames", '#', names.keys().map(|key| &**key))?;
            for (key, name) in names {
                let name = name.as_str().ok_or_else(|| wrong_kind(key, "a STRING"))?;
                all.names.insert(key.to_string(), (name.into(), false));
            }
        }
        if let Some(values) = params.object("ExpressionAttributeValues")? {
            let users: Vec<&str> = expressions.iter().filter(|e| **e != "ProjectionExpression").copied().collect();
            if !users.iter().any(|name| present(&name)) {
                let verb = if users.len() > 1 { "are" } else { "is" };
                let users = users.join(" and ");
                return Err(invalid(format!(
                    "ExpressionAttributeValues can only be specified when using expressions: {users} {verb} null"
                )));
            }
            check_keys("ExpressionAttributeValues", ':', values.keys().map(|key| &**key))?;
            for (key, value) in values {
                let value = Attribute::read(value).map_err(|fault| match fault {
                    Fault::Refused { message, .. } => {
                        invalid(format!("ExpressionAttributeValues contains invalid value: {message} for key {key}"))
                    }
                    unreadable => unreadable,
                })?;
                all.values.insert(key.to_string(), (value, false));
            }
        }
        Ok(all)
    }

    /// Refuses placeholders that no expression used.
    pub(crate) fn check_used(&self) -> Result<(), Fault> {
        let names: Vec<&str> = self.names.iter().filter(|(_, (_, used))| !used).map(|(key, _)| &**key).collect();
        let values: Vec<&str> = self.values.iter().filter(|(_, (_, used))| !used).map(|(key, _)| &**key).collect();
        for (what, unused) in [("Names", names), ("Values", values)] {
            if !unused.is_empty() {
                return Err(invalid(format!(
                    "Value provided in ExpressionAttribute{what} unused in expressions: keys: {{{}}}",
                    unused.join(", ")
                )));
            }
        }
        Ok(())
    }
}

fn check_keys<'a>(what: &str, sign: char, mut keys: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
    let good = |key: &str| {
        let name = key.strip_prefix(sign).unwrap_or("");
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let mut keys = keys.by_ref().peekable();
    if keys.peek().is_none() {
        return Err(invalid(format!("{what} must not be empty")));
    }
    match keys.find(|key| !good(key)) {
        Some(key) => Err(invalid(format!("{what} contains invalid key: Syntax error; key: \"{key}\""))),
        None => Ok(()),
    }
}

/// The order in which DynamoDB tells faults of one expression; a syntax error comes before them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Parentheses,
    Reserved,
    UnknownFunction,
    MisusedFunction,
    Section,
    Undefined,
    Overlap,
    Conflict,
    OperandCount,
    Distinct,
    OperandType,
}

/// A parser over one expression. Faults other than syntax are collected, the first by rank is told at the end.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// The tokens of the last pair of parentheses that closed.
    closed: Option<(usize, usize)>,
    placeholders: &'a mut Placeholders,
    fault: Option<(Rank, String)>,
}

/// A syntax error; its message.
pub(super) type Syntax<T> = Result<T, String>;

/// Parses a whole expression with `grammar`; `what` is the parameter's name, for the message.
pub(super) fn parse<'a, T>(
    what: &str,
    text: &'a str,
    placeholders: &'a mut Placeholders,
    grammar: impl FnOnce(&mut Parser<'a>) -> Syntax<T>,
) -> Result<T, Fault> {
    let bad = |message: String| invalid(format!("Invalid {what}: {message}"));
    if text.trim_ascii().is_empty() {
        return Err(bad("The expression can not be empty;".to_owned()));
    }
    if text.len() > MAX_SIZE {
        let size = text.len();
        return Err(bad(format!("Expression size has exceeded the maximum allowed size; expression size: {size}")));
    }
    let mut parser = Parser { text, tokens: lex(text), at: 0, depth: 0, closed: None, placeholders, fault: None };
    let parsed = grammar(&mut parser).and_then(|parsed| match parser.peek().kind {
        Kind::End => Ok(parsed),
        _ => Err(parser.syntax_error()),
    });
    let parsed = parsed.map_err(bad)?;
    match parser.fault {
        Some((_, message)) => Err(bad(message)),
        None => Ok(parsed),
    }
}

impl<'a> Parser<'a> {
    pub(super) fn report(&mut self, rank: Rank, message: impl FnOnce() -> String) {
        if self.fault.as_ref().is_none_or(|(first, _)| rank < *first) {
            self.fault = Some((rank, message()));
        }
    }

    pub(super) fn peek(&self) -> Token {
        self.tokens[self.at]
    }

    /// The text of the next token.
    pub(super) fn next_text(&self) -> &'a str {
        let token = self.peek();
        &self.text[token.start..token.end]
    }

    pub(super) fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    /// DynamoDB's complaint about the next token: the token, and its neighbours.
    pub(super) fn syntax_error(&self) -> String {
        let token = self.peek();
        let first = self.tokens[self.at.saturating_sub(1)];
        let last = self.tokens[(self.at + 1).min(self.tokens.len() - 1)];
        let shown = if token.kind == Kind::End { "<EOF>" } else { self.next_text() };
        let near = self.text[first.start..last.end.max(first.end)].trim_end();
        format!("Syntax error; token: \"{shown}\", near: \"{near}\"")
    }

    /// Takes the symbol if it is next.
    pub(super) fn symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().kind == Kind::Symbol && self.next_text() == symbol;
        if found {
            self.advance();
        }
        found
    }

    /// The index of the next token.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Notes that the parenthesis at `open` has just been closed, and refuses a pair right around another.
    pub(super) fn close(&mut self, open: usize) {
        let close = self.at - 1;
        if self.closed == Some((open + 1, close - 1)) {
            self.report(Rank::Parentheses, || "The expression has redundant parentheses;".to_owned());
        }
        self.closed = Some((open, close));
    }

    /// Takes the symbol or fails.
    pub(super) fn expect(&mut self, symbol: &str) -> Syntax<()> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.syntax_error()) }
    }

    /// True when the next token is the keyword, in any case of letters.
    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        self.peek().kind == Kind::Word && self.next_text().eq_ignore_ascii_case(keyword)
    }

    /// Takes the keyword if it is next.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(keyword);
        if found {
            self.advance();
        }
        found
    }

    /// Runs `inner` one level deeper.
    pub(super) fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Syntax<T>) -> Syntax<T> {
        if self.depth >= MAX_DEPTH {
            return Err("The expression is nested too deeply".to_owned());
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// The name of a function, when a word and an opening parenthesis are next; both are taken.
    pub(super) fn function(&mut self) -> Option<&'a str> {
        let open = self.tokens.get(self.at + 1)?;
        if self.peek().kind != Kind::Word || &self.text[open.start..open.end] != "(" {
            return None;
        }
        let name = self.next_text();
        self.advance();
        self.advance();
        Some(name)
    }

    /// A document path.
    pub(super) fn path(&mut self) -> Syntax<Path> {
        let mut steps = vec![Step::Name(self.name()?)];
        loop {
            if self.symbol(".") {
                steps.push(Step::Name(self.name()?));
            } else if self.symbol("[") {
                let index = self.next_text().parse().ok().filter(|_| self.peek().kind == Kind::Number);
                let index = index.ok_or_else(|| self.syntax_error())?;
                self.advance();
                self.expect("]")?;
                steps.push(Step::Index(index));
            } else {
                return Ok(Path(steps));
            }
        }
    }

    fn name(&mut self) -> Syntax<Arc<str>> {
        let text = self.next_text();
        let name = match self.peek().kind {
            Kind::Word => {
                if is_reserved(text) {
                    let message = || format!("Attribute name is a reserved keyword; reserved keyword: {text}");
                    self.report(Rank::Reserved, message);
                }
                Arc::from(text)
            }
            Kind::Name => match self.placeholders.names.get_mut(text) {
                Some((name, used)) => {
                    *used = true;
                    name.clone()
                }
                None => {
                    self.report(Rank::Undefined, || {
                        format!("An expression attribute name used in the document path is not defined; attribute name: {text}")
                    });
                    Arc::from(text)
                }
            },
            _ => return Err(self.syntax_error()),
        };
        self.advance();
        Ok(name)
    }

    /// The attribute value of a `:placeholder`, if one is next.
    pub(super) fn value(&mut self) -> Option<Attribute> {
        if self.peek().kind != Kind::Value {
            return None;
        }
        let text = self.next_text();
        let value = match self.placeholders.values.get_mut(text) {
            Some((value, used)) => {
                *used = true;
                value.clone()
            }
            None => {
                self.report(Rank::Undefined, || {
                    format!("An expression attribute value used in expression is not defined; attribute value: {text}")
                });
                Attribute::Null
            }
        };
        self.advance();
        Some(value)
    }

    /// Checks the number of operands of a function.
    pub(super) fn check_count(&mut self, function: &str, wanted: usize, given: usize) {
        if wanted != given {
            self.report(Rank::OperandCount, || {
                format!(
                    "Incorrect number of operands for operator or function; operator or function: {function}, \
                     number of operands: {given}"
                )
            });
        }
    }

    /// Tells that an operand has a type the operator or function does not take.
    pub(super) fn wrong_type(&mut self, function: &str, kind: &str) {
        self.report(Rank::OperandType, || {
            format!(
                "Incorrect operand type for operator or function; operator or function: {function}, operand type: {kind}"
            )
        });
    }

    /// Tells that a function wants a document path.
    pub(super) fn wants_path(&mut self, function: &str) {
        self.report(Rank::OperandType, || {
            format!("Operator or function requires a document path; operator or function: {function}")
        });
    }
}
