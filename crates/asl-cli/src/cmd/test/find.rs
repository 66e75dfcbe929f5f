//! Which test files are meant.

use crate::common::find::below;
use crate::exit::Trouble;
use asl::project::{Project, StackOptions, is_template};
use asl::testing::ENDINGS;
use std::path::{Path, PathBuf};

/// The test files of paths, each once.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Trouble> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here } else { paths };
    let mut found: Vec<PathBuf> = Vec::new();
    for path in paths {
        let files = match path {
            path if path.is_dir() => below(path, is_test)?,
            path if is_test(path) || !path.exists() => vec![path.clone()],
            template if is_template(template) => of_template(template)?,
            definition => vec![beside(definition).ok_or_else(|| untested(definition))?],
        };
        for file in files {
            if !found.contains(&file) {
                found.push(file);
            }
        }
    }
    if found.is_empty() {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Trouble::new(format!("there are no test files in {}", names.join(", "))).hint(HINT));
    }
    Ok(found)
}

const HINT: &str = "a test file is called NAME.test.yaml and lies beside NAME.asl.json";

fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ENDINGS.iter().any(|end| name.ends_with(end))
}

/// The test files of a template: beside it, and beside the definitions that it names.
fn of_template(template: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let project = Project::of_template(template, None, &StackOptions::default())?;
    let definitions = project.machines().iter().filter_map(|machine| project.definition_file(machine));
    let here = std::env::current_dir().unwrap_or_default();
    let shorter = |path: PathBuf| path.strip_prefix(&here).map(Path::to_owned).unwrap_or(path);
    let found: Vec<PathBuf> =
        beside(template).into_iter().chain(definitions.filter_map(|file| beside(&file)).map(shorter)).collect();
    if found.is_empty() { Err(untested(template)) } else { Ok(found) }
}

fn untested(definition: &Path) -> Trouble {
    let stem = stem(definition);
    let message = format!("{} has no tests: there is no {stem}.test.yaml beside it", definition.display());
    Trouble::new(message).hint(HINT)
}

fn stem(definition: &Path) -> String {
    let name = definition.file_name().unwrap_or_default().to_string_lossy();
    let ends = [".json", ".yaml", ".yml"];
    let stem = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    stem.strip_suffix(".asl").unwrap_or(stem).to_owned()
}

/// The test file of a definition.
fn beside(definition: &Path) -> Option<PathBuf> {
    let stem = stem(definition);
    let mut names = ENDINGS.iter().map(|end| definition.with_file_name(format!("{stem}{end}")));
    names.find(|path| path.is_file())
}
