//! Definitions in files and templates: what a project gives them, what is wrong with them.

use super::place;
use crate::exit::Trouble;
use crate::render::look::Look;
use crate::render::snippet::Finding;
use crate::terminal::say;
use asl::Definition;
use asl::parts::syntax::{self, Kind, Loaded, Severity, Source, load};
use asl::project::{Opened, Problem, Wanted};
use std::path::Path;
use std::sync::Arc;

/// A definition that can run as far as its text tells, and what was found in it.
pub(crate) struct Checked {
    pub(crate) opened: Opened,
    pub(crate) definition: Arc<Definition>,
    pub(crate) warnings: usize,
}

/// The definition in a file or template, with its project's values for `${...}`; `named` is what `--project` says.
///
/// # Errors
/// With every place that is wrong.
pub(crate) fn checked(file: &Path, named: Option<&Path>, wanted: &Wanted) -> Result<Checked, Trouble> {
    checked_as(file, named, wanted, false)
}

/// As [`checked`]; `express` takes it for an Express state machine, whatever its template says.
///
/// # Errors
/// As for [`checked`].
pub(crate) fn checked_as(
    file: &Path,
    named: Option<&Path>,
    wanted: &Wanted,
    express: bool,
) -> Result<Checked, Trouble> {
    let mut opened = place::open(file, named, wanted)?;
    if express {
        opened.options.kind = Kind::Express;
    }
    let loaded = load(&opened.source, &opened.options);
    let warnings = loaded.count(Severity::Warning);
    match loaded.definition {
        Some(definition) => Ok(Checked { opened, definition, warnings }),
        None => Err(Trouble::Places(findings(&opened.source, &loaded, Severity::Error))),
    }
}

/// What to show of diagnostics of a severity: the first hundred, and how many more there are.
pub(crate) fn findings(source: &Source, loaded: &Loaded, severity: Severity) -> Vec<Finding> {
    let wanted = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity);
    let shown = wanted.take(syntax::MAX_SHOWN).map(|diagnostic| Finding::of(source, diagnostic));
    let mut shown: Vec<Finding> = shown.collect();
    shown.extend(unshown(source.name(), severity, loaded.count(severity) - shown.len()));
    shown
}

/// That there are more of a severity than are shown, if there are.
pub(crate) fn unshown(file: &str, severity: Severity, more: usize) -> Option<Finding> {
    (more > 0).then(|| Finding {
        severity,
        rule: None,
        message: format!("{more} more {}s are not shown", severity.as_str().to_ascii_lowercase()),
        file: file.to_owned(),
        text: "".into(),
        span: None,
        labels: Vec::new(),
        help: None,
    })
}

/// A quiet line for each note about a template.
pub(crate) fn note(notes: &[Problem], look: Look) {
    for note in notes {
        let place = note.line_column().map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        let help = note.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
        say(&format!("{}\n", look.dim(&format!("note: {}{place}: {}{help}", note.file, note.message))));
    }
}
