//! JSONata: every expression is parsed when the definition is loaded, and what it reads must be there where it stands.

use super::Loader;
use crate::diagnostic::Rule;
use crate::query::{Query, is_expression};
use crate::tree::Item;
use asl_expr::jsonata::{Expression, Reference};
use asl_value::Span;

/// What `$states` holds, besides `input` and `context`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sees {
    /// Nothing more.
    #[default]
    Input,
    /// `result`: `Output` and `Assign` of a Task, a Parallel or a Map.
    Result,
    /// `errorOutput`: `Output` and `Assign` of a Catcher.
    ErrorOutput,
}

impl Loader<'_> {
    /// A field of a JSONata state. Every expression in it is checked, at any depth.
    pub(crate) fn query(&mut self, item: &Item<'_>) -> Option<Query> {
        let wrong = self.errors;
        self.expressions(item);
        if self.errors > wrong {
            return None;
        }
        let location = item.location();
        let field = location.get(self.current.place + 1..).unwrap_or_default();
        let query = Query::parse(field, item.node.to_value());
        if query.is_none() {
            self.error(Rule::JsonataSyntax, item, "The JSONata expressions in this field cannot be read");
        }
        query
    }

    /// Looks at a field with `$states.result` or `$states.errorOutput` in sight.
    pub(crate) fn seeing<T>(&mut self, sees: Sees, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.current.sees, sees);
        let out = read(self);
        self.current.sees = before;
        out
    }

    /// True for an expression in a JSONata state, which stands for a value computed later.
    pub(crate) fn is_expression(&self, item: &Item<'_>) -> bool {
        self.is_jsonata() && item.node.as_str().is_some_and(|text| text.starts_with("{%"))
    }

    fn expressions(&mut self, item: &Item<'_>) {
        self.expression(item);
        for (_, member) in item.members() {
            self.expressions(&member);
        }
        for element in item.elements() {
            self.expressions(&element);
        }
    }

    /// One string: `{%` and `%}` come together, and what stands between them can be parsed.
    fn expression(&mut self, item: &Item<'_>) {
        let Some(text) = item.node.as_str() else { return };
        if !is_expression(text) {
            // With blanks outside it is plain text (recorded AWS behaviour).
            if text.starts_with("{%") || text.ends_with("%}") {
                self.error(
                    Rule::JsonataDelimiters,
                    item,
                    "A JSONata expression must begin with '{%' and end with '%}'",
                )
                .help("nothing may stand before {% or after %}, blanks neither");
            }
            return;
        }
        let inside = &text[2..text.len() - 2];
        let begin = 2 + inside.len() - inside.trim_start().len();
        let inside = inside.trim();
        self.note_words(inside);
        match Expression::parse(inside) {
            Ok(expression) => {
                for reference in expression.references() {
                    self.reference(item, inside, begin, reference);
                }
                for mistaken in expression.mistaken() {
                    let span = self.inside(item, begin + mistaken.offset, mistaken.len);
                    let message = mistaken.message.clone();
                    self.error_at(Rule::JsonataMistake, item, span, message).help(mistaken.help.clone());
                }
            }
            Err(error) => {
                let offset = error.offset.min(inside.len());
                let len = inside.get(offset..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                let span = self.inside(item, begin + offset, len);
                let code = format!("JSONata error {}", error.code);
                self.error_at(Rule::JsonataSyntax, item, span, error.message).help(code);
            }
        }
    }

    /// Something that an expression reads from outside.
    fn reference(&mut self, item: &Item<'_>, text: &str, begin: usize, reference: &Reference) {
        let (rule, named, message, help) = match reference {
            Reference::Variable(name) => {
                let span = self.naming(item, text, begin, &format!("${name}"));
                return self.note_variable_read(name, span, item);
            }
            Reference::Function(_) => return,
            Reference::States(None) => return,
            Reference::States(Some(field)) => {
                let help = match (field.as_str(), self.current.sees) {
                    ("input" | "context", _) | ("result", Sees::Result) | ("errorOutput", Sees::ErrorOutput) => return,
                    ("result", _) => "only Output and Assign of a Task, Parallel or Map have a result",
                    ("errorOutput", _) => "only Output and Assign of a Catcher have an error",
                    _ => "there are $states.input, $states.context, $states.result and $states.errorOutput",
                };
                let named = format!("$states.{field}");
                let message = format!("Field '{named}' does not exist.");
                (Rule::JsonataReference, named, message, help)
            }
            Reference::Root => {
                let help = "there is no document around an expression: begin with $states.input";
                (Rule::JsonataReference, "$$".to_owned(), "Reference to '$$' is not supported.".to_owned(), help)
            }
            Reference::Field(name) => {
                let message = format!("Reference to '{name}' at the top level is not supported.");
                let help = "there is no document around an expression: begin with $states.input";
                (Rule::JsonataReference, name.clone(), message, help)
            }
        };
        let span = self.naming(item, text, begin, &named);
        self.error_at(rule, item, span, message).help(help);
    }

    /// The place where an expression first names something as a whole word.
    fn naming(&self, item: &Item<'_>, text: &str, begin: usize, name: &str) -> Span {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let whole = |(at, _): &(usize, &str)| {
            let ends = !text[at + name.len()..].starts_with(word);
            ends && !text[..*at].ends_with(word)
        };
        match text.match_indices(name).find(whole) {
            Some((at, _)) => self.inside(item, begin + at, name.len()),
            None => item.node.span,
        }
    }

    /// The place of `len` bytes at `offset` of a string in the text it was written in. Only JSON's escapes are followed;
    /// elsewhere (block scalars of YAML) the place is that of the whole string.
    fn inside(&self, item: &Item<'_>, offset: usize, len: usize) -> Span {
        let whole = item.node.span;
        let (Some(value), Some(written)) = (item.node.as_str(), self.source.text().get(whole.start..whole.end)) else {
            return whole;
        };
        if let Some(at) = written.find(value) {
            let start = whole.start + at + offset;
            return Span { start, end: start + len };
        }
        let places = places(written);
        match (places.get(offset), places.get(offset + len)) {
            (Some(start), Some(end)) if places.len() == value.len() + 1 => {
                Span { start: whole.start + start, end: whole.start + end }
            }
            _ => whole,
        }
    }
}

/// Where each byte of a JSON string stands in its text with quotes and escapes; the last entry is the closing quote.
fn places(written: &str) -> Vec<usize> {
    let mut out = Vec::with_capacity(written.len());
    let mut chars = written.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        let (decoded, skip) = match c {
            '"' => {
                out.push(at);
                break;
            }
            '\\' => match written.as_bytes().get(at + 1) {
                Some(b'u') => {
                    let digits = written.get(at + 2..at + 6).and_then(|d| u32::from_str_radix(d, 16).ok());
                    match digits {
                        // Two escapes make one character of four bytes.
                        Some(0xd800..0xdc00) => (4, 11),
                        Some(code) => (char::from_u32(code).map_or(3, char::len_utf8), 5),
                        None => return Vec::new(),
                    }
                }
                _ => (1, 1),
            },
            c => (c.len_utf8(), 0),
        };
        out.extend(std::iter::repeat_n(at, decoded));
        for _ in 0..skip {
            chars.next();
        }
    }
    out
}
