//! Files that are looked at again and again while a command runs, because people edit them meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often it is looked whether files have changed.
pub(crate) const LOOK: Duration = Duration::from_millis(500);

/// When a file was changed, and its length.
type Stamp = (SystemTime, u64);

/// Files, and what they were when they were last looked at; none for one that was not there.
pub(crate) struct Watched(BTreeMap<PathBuf, Option<Stamp>>);

impl Watched {
    /// Watches these from now on.
    pub(crate) fn of(files: impl IntoIterator<Item = PathBuf>) -> Watched {
        Watched(files.into_iter().map(|file| (file.clone(), stamp(&file))).collect())
    }

    /// A file that has changed since. One that is gone is likely being replaced.
    pub(crate) fn look(&mut self) -> Option<PathBuf> {
        let is_other = |(file, known): (&PathBuf, &mut Option<Stamp>)| {
            let now = stamp(file);
            let changed = now.is_some() && now != *known;
            *known = if changed { now } else { *known };
            changed.then(|| file.clone())
        };
        self.0.iter_mut().filter_map(is_other).last()
    }

    /// The same, where these files are meant by now: a new one counts as changed.
    pub(crate) fn look_at(&mut self, files: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
        for file in files {
            self.0.entry(file).or_default();
        }
        self.look()
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}
