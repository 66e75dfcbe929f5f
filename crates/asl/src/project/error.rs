//! What is wrong with a project, with the place and the remedy.

use asl_value::Span;
use std::fmt;
use std::sync::Arc;

/// Everything that was found wrong with a project, or with a definition in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectError {
    /// At least one problem.
    pub problems: Vec<Problem>,
}

/// One problem: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as a person would name it.
    pub file: String,
    /// The file's text; empty when it could not be read.
    pub text: Arc<str>,
    /// The place in the text, in bytes.
    pub span: Option<Span>,
    /// What is wrong.
    pub message: String,
    /// Other places that matter, each with what it is.
    pub labels: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem of a file as a whole.
    pub fn new(file: &str, text: &str, message: impl Into<String>) -> Problem {
        let (file, text, message) = (file.to_owned(), text.into(), message.into());
        Problem { file, text, span: None, message, labels: Vec::new(), help: None }
    }

    /// The line and the column, both from 1; columns count characters.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        let before = self.text.get(..self.span?.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }
}

/// `FILE:LINE:COLUMN: MESSAGE`, the line with a caret, and the help.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.line_column() {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        if let (Some((line, column)), Some(span)) = (self.line_column(), self.span) {
            let source = self.text.lines().nth(line - 1).unwrap_or_default();
            let room = source.chars().count().saturating_sub(column - 1).max(1);
            let marked = self.text.get(span.start..span.end).map_or(1, |text| text.chars().count()).clamp(1, room);
            let (margin, carets) = (" ".repeat(line.to_string().len()), "^".repeat(marked));
            write!(f, "\n {line} | {source}\n {margin} | {}{carets}", " ".repeat(column - 1))?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let newline = if index > 0 { "\n" } else { "" };
            write!(f, "{newline}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ProjectError {}

impl From<Problem> for ProjectError {
    fn from(problem: Problem) -> ProjectError {
        ProjectError { problems: vec![problem] }
    }
}
