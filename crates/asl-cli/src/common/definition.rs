//! Definitions in files: their text, what a project gives them, what is wrong with them.

use crate::exit::Trouble;
use crate::render::snippet::Finding;
use asl::Definition;
use asl::parts::syntax::{self, Diagnostic, Format, Severity, Source, load};
use asl::project::Project;
use std::path::Path;
use std::sync::Arc;

/// A definition that can run as far as its text tells, and what was found in it.
pub(crate) struct Checked {
    pub(crate) source: Source,
    pub(crate) definition: Arc<Definition>,
    pub(crate) warnings: usize,
}

/// The definition in a file, with its project's values for `${...}`.
///
/// # Errors
/// With every place that is wrong.
pub(crate) fn checked(file: &Path, project: &Project) -> Result<Checked, Trouble> {
    let text = read_definition(file)?;
    let source = project.source(&file.to_string_lossy(), &text)?;
    let loaded = load(&source, &load_options(file));
    match loaded.definition {
        Some(definition) => Ok(Checked { source, definition, warnings: loaded.diagnostics.len() }),
        None => Err(Trouble::Places(findings(&source, &loaded.diagnostics, Severity::Error))),
    }
}

/// The text of a definition's file.
pub(crate) fn read_definition(file: &Path) -> Result<String, Trouble> {
    std::fs::read_to_string(file).map_err(|problem| {
        Trouble::new(format!("the definition {} cannot be read: {problem}", file.display()))
            .hint("check the path; a definition is a JSON or YAML file in UTF-8")
    })
}

/// Options for a definition in this file.
pub(crate) fn load_options(file: &Path) -> syntax::Options {
    let yaml = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"));
    let format = if yaml { Format::Yaml } else { Format::Json };
    syntax::Options { format, ..syntax::Options::default() }
}

/// What to show of diagnostics of a severity.
pub(crate) fn findings(source: &Source, diagnostics: &[Diagnostic], severity: Severity) -> Vec<Finding> {
    let wanted = diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity);
    wanted.map(|diagnostic| Finding::of(source, diagnostic)).collect()
}

/// A source whose `${...}` have the project's values, where there is a project: without one they stand as they are.
pub(crate) fn bound(file: &Path, project: &Project) -> Result<Source, Trouble> {
    let text = read_definition(file)?;
    let name = file.to_string_lossy();
    Ok(match project.file {
        Some(_) => project.source(&name, &text)?,
        None => Source::new(&*name, text),
    })
}

/// `fare` for `definitions/fare.asl.json`.
pub(crate) fn machine_name(definition: &Path) -> String {
    let name = definition.file_name().unwrap_or_default().to_string_lossy();
    let stem = ["json", "yaml", "yml", "asl"].iter().fold(&*name, |name, end| {
        name.strip_suffix(end).and_then(|stem| stem.strip_suffix('.')).filter(|stem| !stem.is_empty()).unwrap_or(name)
    });
    let allowed = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    stem.chars().map(allowed).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_after_its_file() {
        let table = [
            ("definitions/fare.asl.json", "fare"),
            ("fare.json", "fare"),
            ("a.b.asl.yaml", "a.b"),
            ("my fare.asl.yml", "my-fare"),
            (".json", ".json"),
            ("fare", "fare"),
        ];
        for (file, name) in table {
            assert_eq!(machine_name(Path::new(file)), name);
        }
    }
}
