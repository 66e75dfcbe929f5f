//! The command line: `asl run` of one state as a whole process, beside SQLite as a whole process.

use crate::Bench;
use crate::measure::median;
use crate::report::Figure;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("command.run", run)];

/// The `asl` that was built with this program.
fn asl() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.with_file_name("asl");
    beside.exists().then_some(beside)
}

fn once_ms(command: &mut Command) -> f64 {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "{command:?}: {status}");
    start.elapsed().as_secs_f64() * 1000.0
}

fn run_command(asl: &Path, folder: &Path) -> Command {
    let mut command = Command::new(asl);
    command.arg("run").arg(folder.join("one.asl.json")).arg("--db").arg(folder.join("asl.db"));
    command
}

fn sqlite_command(folder: &Path) -> Command {
    let mut command = Command::new("sqlite3");
    command.arg(folder.join("asl.db"));
    command.arg("PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS bench (x); INSERT INTO bench VALUES (1);");
    command
}

fn run() -> Vec<Figure> {
    let Some(asl) = asl() else {
        eprintln!("skipped: there is no asl beside this program; build it with `cargo build --release`");
        return Vec::new();
    };
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let machine = r#"{"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": true}}}"#;
    std::fs::write(folder.path().join("one.asl.json"), machine).expect("written");
    // The first makes the database.
    once_ms(&mut run_command(&asl, folder.path()));
    let sqlite = Command::new("sqlite3").arg("--version").output().is_ok();
    if !sqlite {
        eprintln!("no ceiling: there is no sqlite3 on the path (Debian: apt-get install sqlite3)");
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        ours.push(once_ms(&mut run_command(&asl, folder.path())));
        if sqlite {
            theirs.push(once_ms(&mut sqlite_command(folder.path())));
        }
    }
    let figure = Figure::lower("asl run of one Pass state, wall", median(&mut ours), "ms");
    let figure = match sqlite {
        true => figure.ceiling(median(&mut theirs), "sqlite3 writing one row to the same file").ratio_goal(3.0, 1.5),
        false => figure,
    };
    vec![figure]
}
