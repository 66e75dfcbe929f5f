//! Files in folders.

use crate::exit::Trouble;
use std::path::{Path, PathBuf};

/// Folders that hold what others have made.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// A file of this name keeps the search out of its folder, unless that is the one which was named.
const KEPT_OUT: &str = ".aslignore";

/// The files that are wanted in a folder and the folders below it, by name; hidden folders are not entered.
pub(crate) fn below(folder: &Path, is_wanted: fn(&Path) -> bool) -> Result<Vec<PathBuf>, Trouble> {
    let unreadable =
        |problem: std::io::Error| Trouble::new(format!("the folder {} cannot be read: {problem}", folder.display()));
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A link to a folder could lead around in a circle.
        if path.is_dir() && !path.is_symlink() && is_entered(&path, &name) {
            found.extend(below(&path, is_wanted)?);
        } else if path.is_file() && is_wanted(&path) {
            found.push(path.strip_prefix(".").map(Path::to_owned).unwrap_or(path));
        }
    }
    Ok(found)
}

fn is_entered(folder: &Path, name: &str) -> bool {
    !name.starts_with('.') && !SKIPPED.contains(&name) && !folder.join(KEPT_OUT).exists()
}
