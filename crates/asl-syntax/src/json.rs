//! JSON text to nodes; its mistakes as AWS (which uses Jackson) tells them.

use crate::diagnostic::{Diagnostic, Rule};
use crate::load::MAX_DEFINITION_BYTES;
use crate::source::Source;
use crate::tree::{Node, Nodes};
use asl_value::{ParseError, ParseErrorKind, Span, parse_with};

/// How much of the text a message shows, in characters (as Jackson does).
const SHOWN_CHARS: usize = 500;

pub(crate) fn parse(source: &Source) -> Result<Node, Box<Diagnostic>> {
    acceptable(source)?;
    parse_with(source.text(), &mut Nodes).map_err(|error| Box::new(diagnostic(source, &error)))
}

/// Refuses texts that are empty or too large, in any format.
pub(crate) fn acceptable(source: &Source) -> Result<(), Box<Diagnostic>> {
    if source.text().trim().is_empty() {
        let mut empty = Diagnostic::new(Rule::NotAnObject, "Definition must be a valid JSON object");
        empty.help("the text is empty");
        return Err(Box::new(empty));
    }
    if source.text().len() > MAX_DEFINITION_BYTES {
        let message = format!("The definition is larger than {MAX_DEFINITION_BYTES} bytes");
        let mut large = Diagnostic::new(Rule::TooLarge, message);
        large.help("move parts of it into state machines of their own, started with states:startExecution");
        return Err(Box::new(large));
    }
    Ok(())
}

fn diagnostic(source: &Source, error: &ParseError) -> Diagnostic {
    // Jackson names the column after what it has read, not the one where it starts.
    let (rule, read) = match &error.kind {
        ParseErrorKind::Depth(_) => (Rule::TooDeep, 0),
        ParseErrorKind::Token(word) => (Rule::JsonSyntax, word.chars().count()),
        ParseErrorKind::Unexpected(..) | ParseErrorKind::Control(_) => (Rule::JsonSyntax, 1),
        _ => (Rule::JsonSyntax, 0),
    };
    let place = format!("[Source: {}; line: {}, column: {}]", shown(source.text()), error.line, error.column + read);
    let mut diagnostic = Diagnostic::new(rule, format!("{}\n at {place}", error.kind));
    diagnostic.location = Some(place);
    let end = source.text()[error.offset.min(source.text().len())..].chars().next().map_or(0, char::len_utf8);
    let span = Span { start: error.offset, end: error.offset + end.max(read.min(1)) };
    diagnostic.span = Some(source.original_span(span));
    if let Some(help) = help(source.text(), error) {
        diagnostic.help(help);
    }
    diagnostic
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((cut, _)) => format!("(String)\"{}\"[truncated {} chars]", &text[..cut], text[cut..].chars().count()),
        None => format!("(String)\"{text}\""),
    }
}

fn help(text: &str, error: &ParseError) -> Option<&'static str> {
    let before = text.get(..error.offset)?.trim_end();
    let at = text.get(error.offset..)?;
    match &error.kind {
        ParseErrorKind::Unexpected('}' | ']', _) if before.ends_with(',') => Some("remove the comma before it"),
        ParseErrorKind::Unexpected('"', expected) if expected.contains("comma") => {
            Some("a comma is missing before this")
        }
        ParseErrorKind::Unexpected('/', _) => Some("JSON has no comments: use a \"Comment\" field"),
        ParseErrorKind::Unexpected('\'', _) => Some("JSON strings stand in double quotes"),
        ParseErrorKind::Unexpected('$', _) if at.starts_with("${") => {
            Some("this looks like a substitution: give it a value")
        }
        _ => None,
    }
}
