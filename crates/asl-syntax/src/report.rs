//! Diagnostics in the shapes that AWS answers with, and as plain text.

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Source;
use asl_value::{Map, Value};
use std::fmt::Write;

/// The message of the `InvalidDefinition` exception of CreateStateMachine and UpdateStateMachine.
pub fn create_error_message(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|d| d.is_error());
    let texts: Vec<String> = errors
        .map(|d| format!("{}: {} at {}", d.code.as_str(), d.message, d.location.as_deref().unwrap_or("null")))
        .collect();
    format!("Invalid State Machine Definition: '{}'", texts.join(", "))
}

/// The answer of ValidateStateMachineDefinition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// `result` is OK: there is no error.
    pub ok: bool,
    /// The diagnostics that were asked for.
    pub diagnostics: Vec<Diagnostic>,
    /// There are more than those.
    pub truncated: bool,
}

/// Makes the answer of ValidateStateMachineDefinition: with [`Severity::Error`] errors alone, with [`Severity::Warning`]
/// warnings too; at most `max_results` of them (AWS: 100, also when asked for 0).
pub fn validate(diagnostics: &[Diagnostic], severity: Severity, max_results: usize) -> Validation {
    let max_results = if max_results == 0 { 100 } else { max_results.min(100) };
    let wanted: Vec<&Diagnostic> = diagnostics.iter().filter(|d| d.severity <= severity).collect();
    Validation {
        ok: !diagnostics.iter().any(Diagnostic::is_error),
        truncated: wanted.len() > max_results,
        diagnostics: wanted.into_iter().take(max_results).cloned().collect(),
    }
}

impl Validation {
    /// As AWS writes it: `{"result", "diagnostics": [{"severity", "code", "message", "location"?}], "truncated"}`.
    pub fn to_value(&self) -> Value {
        let mut answer = Map::with_capacity(3);
        answer.insert("result", if self.ok { "OK" } else { "FAIL" });
        answer.insert("diagnostics", Value::from(self.diagnostics.iter().map(entry).collect::<Vec<_>>()));
        answer.insert("truncated", self.truncated);
        answer.into()
    }
}

fn entry(diagnostic: &Diagnostic) -> Value {
    let mut entry = Map::with_capacity(4);
    entry.insert("severity", diagnostic.severity.as_str());
    entry.insert("code", diagnostic.code.as_str());
    entry.insert("message", diagnostic.message.as_str());
    if let Some(location) = &diagnostic.location {
        entry.insert("location", location.as_str());
    }
    entry.into()
}

/// How many diagnostics are shown to people; the others are counted.
pub const MAX_SHOWN: usize = 100;

/// The diagnostics as plain text, one paragraph each:
/// `LINE:COLUMN: error[RULE]: MESSAGE`, then indented the location, the labels and the help. Of more than [`MAX_SHOWN`] the
/// first are shown, and the rest is counted.
pub fn plain_text(source: &Source, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics.iter().take(MAX_SHOWN) {
        let severity = diagnostic.severity.as_str().to_ascii_lowercase();
        if let Some(span) = diagnostic.span {
            let (line, column) = source.line_column(span.start);
            let _ = write!(out, "{line}:{column}: ");
        }
        let message = diagnostic.headline().replace('\n', "\n    ");
        let _ = writeln!(out, "{severity}[{}]: {message}", diagnostic.rule);
        // Where the text is no JSON, AWS's location is the text once more.
        let location = diagnostic.location.as_deref().filter(|location| !location.starts_with("[Source: "));
        let location = location.unwrap_or("-").replace('\n', "\\n");
        let _ = writeln!(out, "    {} at {location}", diagnostic.code.as_str());
        for (span, label) in &diagnostic.labels {
            let (line, column) = source.line_column(span.start);
            let _ = writeln!(out, "    {line}:{column}: {label}");
        }
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(out, "    help: {help}");
        }
    }
    if let Some(more) = diagnostics.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "and {more} more");
    }
    out
}
