//! Which files are meant.

use crate::common::find::below;
use crate::exit::Trouble;
use asl::project::{FILE_NAME, is_template};
use std::path::{Path, PathBuf};

/// How a definition on stdin is called.
pub(super) const STDIN: &str = "<stdin>";

/// Something to check.
pub(super) enum Target {
    Project(PathBuf),
    Definition(PathBuf),
    Stdin,
}

/// What paths name, each file once; folders are searched for definitions, templates and project files.
pub(super) fn targets(paths: &[PathBuf]) -> Result<Vec<Target>, Trouble> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here } else { paths };
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths {
        let found = if path.is_dir() { below(path, is_meant)? } else { vec![path.clone()] };
        for file in found {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    if files.is_empty() {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Trouble::new(format!("there are no definitions in {}", names.join(", "))).hint(
            "in a folder they are called NAME.asl.json, NAME.asl.yaml, NAME.asl.yml or template.yaml; name other files one by one",
        ));
    }
    let target = |file: PathBuf| match file.extension() {
        _ if file == Path::new("-") => Target::Stdin,
        Some(extension) if extension == "toml" => Target::Project(file),
        _ => Target::Definition(file),
    };
    Ok(files.into_iter().map(target).collect())
}

fn is_meant(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name == FILE_NAME
        || [".asl.json", ".asl.yaml", ".asl.yml"].iter().any(|end| name.ends_with(end))
        || (["template.yaml", "template.yml", "template.json"].contains(&&*name) && is_template(file))
}
