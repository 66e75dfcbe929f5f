//! Whether a function's code is still what its workers have loaded.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::spec::Code;

/// Files beyond this many are not looked at.
const MAX_FILES: usize = 2_000;
/// A look may cost one part in so many of the time.
const COST_SHARE: u32 = 20;
/// Folders of what others wrote, which change only by an installation: too many files to look at before each call.
const PASSED_OVER: [&str; 4] = ["node_modules", "__pycache__", "venv", "site-packages"];

/// The code of one function, as it was when it was looked at last.
pub(crate) struct Watched {
    what: What,
    seen: Mutex<Seen>,
}

enum What {
    File(PathBuf),
    /// The files below a folder whose names end so.
    Folder(PathBuf, &'static [&'static str]),
}

struct Seen {
    files: BTreeMap<PathBuf, Stamp>,
    /// Counts the changes.
    version: u64,
    next_look: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Watched {
    /// `task_root` is the folder that imports begin in.
    pub(crate) fn new(code: &Code, task_root: &Path) -> Self {
        let folder = |ends| What::Folder(task_root.to_owned(), ends);
        let what = match code {
            Code::Python { .. } => folder(&[".py"]),
            Code::Node { .. } => folder(&[".js", ".mjs", ".cjs", "package.json"]),
            Code::Provided { executable } => What::File(executable.clone()),
            // Started anew for each call, or not here.
            Code::Command { .. } | Code::Url { .. } => What::Folder(PathBuf::new(), &[]),
        };
        let files = what.look();
        Self { what, seen: Mutex::new(Seen { files, version: 0, next_look: Instant::now() }) }
    }

    /// The number of the code's version now, and, when it has changed since the last call, the first file that did.
    pub(crate) fn version(&self) -> (u64, Option<PathBuf>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        if begun < seen.next_look {
            return (seen.version, None);
        }
        let files = self.what.look();
        // The folder of a large project on a slow disk is looked at less often.
        seen.next_look = begun + begun.elapsed().min(Duration::from_millis(50)) * COST_SHARE;
        if files == seen.files {
            return (seen.version, None);
        }
        let new = files.iter().find(|(path, stamp)| seen.files.get(*path) != Some(*stamp));
        let gone = || seen.files.iter().find(|(path, _)| !files.contains_key(*path));
        let changed = new.or_else(gone).map(|(path, _)| path.clone());
        seen.files = files;
        seen.version += 1;
        (seen.version, changed)
    }
}

impl What {
    fn look(&self) -> BTreeMap<PathBuf, Stamp> {
        let mut files = BTreeMap::new();
        match self {
            What::File(path) => files.extend(stamp(path).map(|stamp| (path.clone(), stamp))),
            What::Folder(_, []) => {}
            What::Folder(folder, ends) => {
                let mut left = MAX_FILES;
                walk(folder, ends, &mut left, &mut files);
            }
        }
        files
    }
}

fn walk(folder: &Path, ends: &[&str], left: &mut usize, files: &mut BTreeMap<PathBuf, Stamp>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Some(rest) = left.checked_sub(1) else { return };
        *left = rest;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && !PASSED_OVER.contains(&&*name) {
            walk(&entry.path(), ends, left, files);
        } else if !is_folder && ends.iter().any(|end| name.ends_with(end)) {
            let path = entry.path();
            files.extend(stamp(&path).map(|stamp| (path, stamp)));
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    Some(Stamp {
        inode: meta.ino(),
        size: meta.size(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::Watched;
    use crate::spec::Code;

    #[test]
    fn only_a_change_of_code_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("lib")).unwrap();
        std::fs::create_dir_all(path(".venv")).unwrap();
        for file in ["a.py", "lib/b.py", "data.log"] {
            std::fs::write(path(file), "1").unwrap();
        }
        let code = Code::Python { file: path("a.py"), handler: "f".into() };
        let watched = Watched::new(&code, folder.path());
        let look = || {
            // Looks are not made all the time.
            watched.seen.lock().unwrap().next_look = std::time::Instant::now();
            watched.version()
        };
        assert_eq!(look(), (0, None));
        for file in ["data.log", "new.log", ".venv/x.py"] {
            std::fs::write(path(file), "another text").unwrap();
            assert_eq!(look(), (0, None), "{file}");
        }
        for (version, file) in (1..).zip(["a.py", "lib/b.py", "lib/c.py"]) {
            std::fs::write(path(file), "22").unwrap();
            assert_eq!(look(), (version, Some(path(file))));
            assert_eq!(look(), (version, None));
        }
        std::fs::remove_file(path("lib/c.py")).unwrap();
        assert_eq!(look(), (4, Some(path("lib/c.py"))));
    }
}
