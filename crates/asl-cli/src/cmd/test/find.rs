//! Which test files are meant.

use crate::common::find::below;
use crate::exit::Trouble;
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
            definition => vec![beside(definition)?],
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

/// The test file of a definition.
fn beside(definition: &Path) -> Result<PathBuf, Trouble> {
    let name = definition.file_name().unwrap_or_default().to_string_lossy();
    let ends = [".json", ".yaml", ".yml"];
    let stem = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let stem = stem.strip_suffix(".asl").unwrap_or(stem);
    let mut names = ENDINGS.iter().map(|end| definition.with_file_name(format!("{stem}{end}")));
    names.find(|path| path.is_file()).ok_or_else(|| {
        Trouble::new(format!("{} has no tests: there is no {stem}.test.yaml beside it", definition.display()))
            .hint(HINT)
    })
}
