//! The file of a database as the operating system has it: its one name, who may read it, whether it is still there.

use crate::JournalError;
use crate::sqlite::error;
use std::fs::{DirBuilder, OpenOptions, Permissions, set_permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder in a project that is ours alone: what lies in it is nobody else's, and no part of the project's versions.
const OURS: &str = ".asl";
/// What SQLite puts beside the file.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// What every file of SQLite begins with has so many bytes.
const HEADER_BYTES: u64 = 100;

/// A file, by the name that all processes find it under, and as which file that was when it was opened.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    pub(crate) path: Arc<Path>,
    device: u64,
    inode: u64,
}

impl DatabaseFile {
    /// Of a file that was opened just now.
    pub(crate) fn of(path: &Path) -> Result<DatabaseFile, JournalError> {
        let failed = |error| failed(path, &error);
        // Symbolic links lead to it by other names, and what lies beside it is found beside its own.
        let canonical = path.canonicalize().map_err(failed)?;
        let found = std::fs::metadata(&canonical).map_err(failed)?;
        Ok(DatabaseFile { path: canonical.into(), device: found.dev(), inode: found.ino() })
    }

    /// Whether the file of this name is still the one that was opened.
    ///
    /// # Errors
    /// [`JournalError::Gone`] when it was deleted, moved or replaced. `told` is its name for messages.
    pub(crate) fn is_there(&self, told: &Arc<Path>) -> Result<(), JournalError> {
        let gone = |what| Err(JournalError::Gone { place: error::name(told), what });
        match std::fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (self.device, self.inode) => Ok(()),
            Ok(_) => gone("was replaced by another file"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => gone("was deleted or moved away"),
            // Nothing is known then, and nothing is lost yet.
            Err(_) => Ok(()),
        }
    }

    /// How many bytes the write-ahead log has.
    pub(crate) fn log_bytes(&self) -> u64 {
        std::fs::metadata(beside(&self.path, "-wal")).map_or(0, |log| log.len())
    }
}

/// Refuses what names no file: SQLite would take `:memory:` and `file:` for something else, each connection on its own. And a file
/// that is too short for a database, and not empty.
pub(crate) fn check(path: &Path) -> Result<(), JournalError> {
    let name = path.as_os_str().as_encoded_bytes();
    let is_file = !name.is_empty() && !name.starts_with(b":") && !name.starts_with(b"file:");
    if !is_file {
        return Err(JournalError::NoFile { place: error::name(path) });
    }
    // SQLite takes a file of less than a page for an empty one, and writes over it.
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && (1..HEADER_BYTES).contains(&found.len()) => {
            Err(JournalError::NotADatabase { place: error::name(path) })
        }
        _ => Ok(()),
    }
}

/// Makes the folder and the file where there are none, for their owner alone. In the folder `.asl` what is there already gets
/// the same protection; elsewhere it stays as its owner has it.
pub(crate) fn make(path: &Path) -> Result<(), JournalError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(path, &error))?;
    }
    let ours = folder.filter(|folder| folder.file_name().is_some_and(|name| name == OURS));
    if let Some(folder) = ours {
        hide(folder);
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, &error)),
        Err(_) if ours.is_some() => {
            protect(path, 0o600);
            COMPANIONS.iter().for_each(|end| protect(&beside(path, end), 0o600));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Makes an empty file that was not there, for its owner alone.
pub(crate) fn make_new(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// Nobody else reads it, and no version control takes it in. A folder of somebody else's, or one that cannot be written, is
/// as good as it is: whether the database can be used is found out next.
fn hide(folder: &Path) {
    protect(folder, 0o700);
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        let _ = std::fs::write(ignore, "*\n");
    }
}

fn protect(path: &Path, mode: u32) {
    if let Ok(found) = std::fs::symlink_metadata(path)
        && !found.is_symlink()
        && found.mode() & 0o077 != 0
    {
        let _ = set_permissions(path, Permissions::from_mode(mode));
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn failed(path: &Path, io: &io::Error) -> JournalError {
    JournalError::Io { place: error::name(path), message: io.to_string() }
}
