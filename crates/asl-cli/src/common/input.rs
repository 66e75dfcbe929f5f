//! JSON that a command is given: as text, as a file, or on stdin.

use crate::exit::Trouble;
use crate::render::snippet::Finding;
use asl::parts::syntax::Severity;
use asl::{ParseError, Value};
use std::io::Read;
use std::path::Path;

/// The JSON that an argument gives, and its text as it was given: `-` reads stdin; what begins as only JSON can (`{`, `[`,
/// `"`), or is a number, `true`, `false` or `null` and no file's name, is JSON itself; everything else names a file.
///
/// # Errors
/// With the place of what is wrong. `what` is how it is called there: `the input`.
pub(crate) fn read_json(what: &str, argument: &str) -> Result<(String, Value), Trouble> {
    let (name, text) = match argument {
        "-" => ("<stdin>".to_owned(), read_stdin(what)?),
        inline if is_json(inline) => (format!("<{}>", what.trim_start_matches("the ")), inline.to_owned()),
        file => (file.to_owned(), read_file(what, file)?),
    };
    let parsed: Result<Value, _> = text.parse();
    match parsed {
        Ok(value) => Ok((text, value)),
        Err(problem) => Err(not_json(what, &name, &text, &problem)),
    }
}

fn is_json(argument: &str) -> bool {
    if argument.trim_start().starts_with(['{', '[', '"']) {
        return true;
    }
    !Path::new(argument).exists() && argument.parse::<Value>().is_ok()
}

/// What stands on stdin, in UTF-8.
pub(crate) fn read_stdin(what: &str) -> Result<String, Trouble> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    read.map_err(|problem| Trouble::new(format!("{what} <stdin> cannot be read: {problem}")))?;
    text(what, "<stdin>", bytes)
}

fn read_file(what: &str, file: &str) -> Result<String, Trouble> {
    let bytes = std::fs::read(file).map_err(|problem| {
        Trouble::new(format!("{what} {file} cannot be read: {problem}"))
            .hint("check the path; JSON itself can stand here too, and - reads stdin")
    })?;
    text(what, file, bytes)
}

fn text(what: &str, name: &str, bytes: Vec<u8>) -> Result<String, Trouble> {
    String::from_utf8(bytes).map_err(|_| Trouble::new(format!("{what} {name} is not UTF-8")).hint("save it as UTF-8"))
}

/// What is to be told of a text that should be JSON and is not.
pub(crate) fn not_json(what: &str, file: &str, text: &str, problem: &ParseError) -> Trouble {
    Trouble::Places(vec![Finding {
        severity: Severity::Error,
        rule: None,
        message: format!("{what} is not JSON: {problem}"),
        file: file.to_owned(),
        span: Some(problem.offset..problem.offset + 1),
        text: text.into(),
        labels: Vec::new(),
        help: None,
    }])
}
