//! Files beneath a folder, and nothing else: no link leads out of it, and only regular files are read.
//!
//! Paths are looked up by the kernel from the open folder (`openat2` with `RESOLVE_BENEATH`), so nobody can put a link in
//! their way between a check and the use. Where the kernel has no such call, each part of a path is opened by itself, and no link
//! is followed at all.

use rustix::fs::{CWD, Mode, OFlags, fsync, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How the name of a file ends that is being written.
pub(crate) const PART: &str = ".asl-part";
/// How the name of a file ends that keeps what a bucket knows of another: `.NAME.asl-about`.
const ABOUT: &str = ".asl-about";
/// The longest such text, in bytes.
const MAX_DESCRIPTION_BYTES: u64 = 64 << 10;

static PARTS: AtomicU64 = AtomicU64::new(0);

/// An open folder.
pub(crate) struct Folder(OwnedFd);

impl Folder {
    /// Opens it; the path to it may have links.
    pub(crate) fn open(path: &Path) -> io::Result<Folder> {
        Ok(Folder(openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// Opens a regular file for reading; `None` if there is none.
    ///
    /// # Errors
    /// What there is instead, in words.
    pub(crate) fn read(&self, key: &str) -> Result<Option<File>, String> {
        self.open_file(&relative(key)?)
    }

    fn open_file(&self, path: &Path) -> Result<Option<File>, String> {
        // Without NONBLOCK the open of a FIFO waits for a writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match beneath(self.0.as_fd(), path, flags) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(problem) => return Err(in_words(problem)),
        };
        let kind = file.metadata().map_err(|e| e.to_string())?.file_type();
        if kind.is_file() { Ok(Some(file)) } else { Err("it is not a regular file".to_owned()) }
    }

    /// Writes a file: it appears whole, and is on the disk when it does.
    ///
    /// # Errors
    /// Why not, in words. Nothing is there then.
    pub(crate) fn write(&self, key: &str, body: &[u8]) -> Result<(), String> {
        self.write_described(key, &mut &*body, None)
    }

    /// The same for a body that is read piece by piece; `describe` makes the text that is kept of the file ([`Folder::described`]). That
    /// is on the disk before the file appears, and is of no effect until then.
    pub(crate) fn write_described(&self, key: &str, body: &mut dyn Read, describe: Describe<'_>) -> Result<(), String> {
        let path = relative(key)?;
        let name = path.file_name().unwrap_or_default();
        let parent = self.make(path.parent().unwrap_or(Path::new(""))).map_err(in_words)?;
        put(&parent, name, body, describe).map_err(|problem| problem.to_string())
    }

    /// The text that is kept of a file, if there is one.
    pub(crate) fn described(&self, key: &str) -> Option<String> {
        let mut text = String::new();
        let file = self.open_file(&beside(&relative(key).ok()?)).ok()??;
        file.take(MAX_DESCRIPTION_BYTES).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Removes a file, if it is there. A link is removed itself, not what it leads to.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) fn remove(&self, key: &str) -> Result<(), String> {
        let path = relative(key)?;
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = match beneath(self.0.as_fd(), above, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC) {
            Ok(parent) => parent,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(problem) => return Err(in_words(problem)),
        };
        for name in [path.file_name(), beside(&path).file_name()].into_iter().flatten() {
            match unlinkat(&parent, name, rustix::fs::AtFlags::empty()) {
                // What is a folder is no object.
                Ok(()) | Err(Errno::NOENT | Errno::ISDIR | Errno::PERM) => {}
                Err(problem) => return Err(in_words(problem)),
            }
        }
        fsync(&parent).map_err(in_words)
    }

    /// The folder at `path`, made where it is not there.
    fn make(&self, path: &Path) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut parent = beneath(self.0.as_fd(), Path::new("."), flags)?;
        let mut at = PathBuf::new();
        for part in path.components() {
            at.push(part);
            parent = match beneath(self.0.as_fd(), &at, flags) {
                Err(Errno::NOENT) => {
                    match mkdirat(&parent, part.as_os_str(), Mode::from_raw_mode(0o777)) {
                        // Somebody else was faster.
                        Ok(()) | Err(Errno::EXIST) => fsync(&parent)?,
                        Err(problem) => return Err(problem),
                    }
                    beneath(self.0.as_fd(), &at, flags)?
                }
                opened => opened?,
            };
        }
        Ok(parent)
    }
}

/// Makes the text that is kept of a file, of what the system says of it.
pub(crate) type Describe<'d> = Option<&'d dyn Fn(&Metadata) -> Option<Vec<u8>>>;

/// Where the text lies that is kept of a file.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsStr::new(".").to_owned();
    name.push(path.file_name().unwrap_or_default());
    name.push(ABOUT);
    path.with_file_name(name)
}

/// Writes a file of an open folder.
fn put(parent: &OwnedFd, name: &OsStr, body: &mut dyn Read, describe: Describe<'_>) -> io::Result<()> {
    let part = format!(".{}-{}{PART}", std::process::id(), PARTS.fetch_add(1, Ordering::Relaxed));
    let written = || -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(parent, part.as_str(), flags, Mode::from_raw_mode(0o666))?);
        io::copy(body, &mut file)?;
        file.sync_all()?;
        if let Some(describe) = describe
            && let Some(text) = describe(&file.metadata()?)
        {
            put(parent, beside(Path::new(name)).file_name().unwrap_or_default(), &mut &*text, None)?;
        }
        renameat(parent, part.as_str(), parent, name)?;
        Ok(fsync(parent)?)
    };
    let mut written = written;
    written().inspect_err(|_| {
        let _ = unlinkat(parent, part.as_str(), rustix::fs::AtFlags::empty());
    })
}

/// A key as a path in the folder; keys that would lead out of it, or are no path, are refused.
fn relative(key: &str) -> Result<PathBuf, String> {
    // A file system takes `a//b` and `a/./b` for `a/b`; a bucket does not.
    let plain = key.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !plain || key.contains('\0') || is_own(key) {
        return Err(format!("the key '{key}' cannot be a file in a local bucket"));
    }
    Ok(PathBuf::from(key))
}

/// Whether a file is one of this program's own: a part that is being written, or the text that is kept of another.
pub(crate) fn is_own(name: &str) -> bool {
    name.ends_with(PART) || name.ends_with(ABOUT)
}

fn in_words(problem: Errno) -> String {
    match problem {
        Errno::XDEV | Errno::LOOP => "a link leads out of the bucket's folder, or cannot be followed".to_owned(),
        other => io::Error::from(other).to_string(),
    }
}

#[cfg(target_os = "linux")]
fn beneath(folder: BorrowedFd<'_>, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    // EAGAIN: something was renamed meanwhile, and the kernel could not tell where the path had led.
    for _ in 0..16 {
        match openat2(folder, path, flags, Mode::empty(), resolve) {
            Err(Errno::NOSYS) => return step_by_step(folder, path, flags),
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

#[cfg(not(target_os = "linux"))]
fn beneath(folder: BorrowedFd<'_>, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    step_by_step(folder, path, flags)
}

/// Opens each part of a path from the one before it, and follows no link.
fn step_by_step(folder: BorrowedFd<'_>, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let enter = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => Some(step_by_step(folder, parent, enter)?),
        _ => None,
    };
    let parent = parent.as_ref().map_or(folder, |parent| parent.as_fd());
    openat(parent, path.file_name().unwrap_or(OsStr::new(".")), flags | OFlags::NOFOLLOW, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder with a file, links in it and out of it, and what is no file; beside it a secret.
    fn folder() -> (tempfile::TempDir, Folder) {
        let all = tempfile::tempdir().unwrap();
        let path = |name: &str| all.path().join(name);
        std::fs::create_dir_all(path("bucket/deep")).unwrap();
        std::fs::create_dir_all(path("outside")).unwrap();
        std::fs::write(path("outside/secret"), "secret").unwrap();
        std::fs::write(path("bucket/deep/file"), "text").unwrap();
        symlink("deep/file", path("bucket/inside")).unwrap();
        symlink("../outside/secret", path("bucket/out")).unwrap();
        symlink(path("outside"), path("bucket/outer")).unwrap();
        symlink("loop", path("bucket/loop")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path("bucket/fifo")).status().unwrap().success());
        let folder = Folder::open(&path("bucket")).unwrap();
        (all, folder)
    }

    #[test]
    fn only_files_of_the_folder_are_read() {
        let (_all, folder) = folder();
        let read = |key: &str| {
            folder.read(key).map(|file| {
                let mut text = String::new();
                file.map(|mut file| file.read_to_string(&mut text)).transpose().unwrap().map(|_| text)
            })
        };
        assert_eq!(read("deep/file"), Ok(Some("text".to_owned())));
        if cfg!(target_os = "linux") {
            assert_eq!(read("inside"), Ok(Some("text".to_owned())), "a link that stays in the folder");
        }
        for key in ["none", "none/file", "deep/file/x"] {
            assert_eq!(read(key), Ok(None), "{key}");
        }
        for key in ["out", "outer/secret", "loop"] {
            assert!(read(key).unwrap_err().contains("a link leads out"), "{key}");
        }
        for key in ["fifo", "deep"] {
            assert!(read(key).unwrap_err().contains("not a regular file"), "{key}");
        }
        for key in [
            "",
            "/etc/passwd",
            "../outside/secret",
            "a/../../x",
            "./deep/file",
            "deep/file/",
            "a\0b",
            "deep//file",
            "deep/./file",
            "x.asl-part",
            ".file.asl-about",
        ] {
            assert!(read(key).unwrap_err().contains("cannot be a file"), "{key}");
        }
    }

    #[test]
    fn only_files_of_the_folder_are_written() {
        let (all, folder) = folder();
        for (key, body) in [("new", "1"), ("deep/file", "2"), ("a/b/c", "3"), ("out", "4"), ("fifo", "5")] {
            folder.write(key, body.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(all.path().join("bucket").join(key)).unwrap(), body, "{key}");
        }
        assert_eq!(std::fs::read_to_string(all.path().join("outside/secret")).unwrap(), "secret");
        for (key, told) in [("outer/x", "a link leads out"), ("deep", "directory"), ("new/x", "ot a directory")] {
            let problem = folder.write(key, b"x").unwrap_err();
            assert!(problem.contains(told), "{key}: {problem}");
        }
        let all = std::fs::read_dir(all.path().join("bucket")).unwrap().flatten();
        assert!(folder.write("a//c", b"x").unwrap_err().contains("cannot be a file"), "it is not a/c");
        let parts: Vec<_> = all.filter(|entry| entry.file_name().to_string_lossy().ends_with(PART)).collect();
        assert!(parts.is_empty(), "{parts:?}");
    }

    #[test]
    fn without_help_of_the_kernel_no_link_is_followed() {
        let (_all, folder) = folder();
        let open = |key: &str| step_by_step(folder.0.as_fd(), Path::new(key), OFlags::RDONLY | OFlags::NONBLOCK);
        assert!(open("deep/file").is_ok() && open(".").is_ok());
        for key in ["inside", "out", "outer/secret", "outer"] {
            assert!(open(key).is_err(), "{key}");
        }
    }
}
