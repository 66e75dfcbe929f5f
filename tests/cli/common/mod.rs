//! A copy of the repository's examples in a folder of its own, and the real binary in it.
#![allow(dead_code, reason = "every test file uses another part of it")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    /// Where it is not `.asl/asl.db`.
    database: Option<String>,
}

/// What came of a command.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.stdout, self.stderr))
    }

    /// It said this on stderr.
    #[track_caller]
    pub(crate) fn says(&self, part: &str) -> &Ran {
        assert!(self.stderr.contains(part), "stderr should say: {part}\nit says:\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says_all(&self, parts: &[&str]) -> &Ran {
        parts.iter().fold(self, |ran, part| ran.says(part))
    }

    #[track_caller]
    pub(crate) fn ends(&self, code: i32) -> &Ran {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Place {
    /// `definitions/` and `fixtures/fare/`, as in a fresh clone.
    pub(crate) fn new() -> Place {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let place = Place::empty();
        for folder in ["definitions", "fixtures/fare"] {
            copy(&root.join(folder), &place.path(folder));
        }
        place
    }

    pub(crate) fn empty() -> Place {
        Place { folder: tempfile::tempdir().unwrap(), database: None }
    }

    /// An empty folder whose database is a schema of its own on the server that `ASL_TEST_POSTGRES` names (`.ci/postgres` starts one);
    /// none, said aloud, without a server.
    pub(crate) fn on_postgres(test: &str) -> Option<Place> {
        let Ok(url) = std::env::var("ASL_TEST_POSTGRES") else {
            assert!(std::env::var_os("ASL_NO_SKIP").is_none(), "ASL_TEST_POSTGRES is not set");
            eprintln!("skipped: {test} on PostgreSQL needs ASL_TEST_POSTGRES=postgres://...; .ci/postgres starts one");
            return None;
        };
        let database = format!("{url}?schema=c{}_{test}", std::process::id());
        Some(Place { database: Some(database), ..Place::empty() })
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, text: &str) -> PathBuf {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_asl"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        let colours = ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "PAGER", "LC_ALL", "LC_CTYPE", "LANG"];
        for name in ["ASL_LOG", "ASL_DB", "ASL_PROJECT"].into_iter().chain(colours) {
            command.env_remove(name);
        }
        command.envs(self.database.iter().map(|url| ("ASL_DB", url)));
        command
    }

    pub(crate) fn asl(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    pub(crate) fn asl_with_stdin(&self, args: &[&str], input: &str) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// Starts a command, and returns it when it has said `part` on stderr.
    pub(crate) fn start_until(&self, args: &[&str], part: &str) -> Child {
        self.start_and_read_until(args, part).0
    }

    /// A process that has written a line with this part to stderr, and all lines so far.
    pub(crate) fn start_and_read_until(&self, args: &[&str], part: &str) -> (Child, String) {
        let mut command = self.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.as_mut().unwrap());
        let (mut told, mut seen) = (String::new(), 0);
        while !told[seen..].contains(part) {
            seen = told.len();
            assert_ne!(lines.read_line(&mut told).unwrap(), 0, "it ended without saying {part}:\n{told}");
        }
        (child, told)
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() != ".asl" => copy(&entry.path(), &target),
            true => {}
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
