//! The command line as whole processes: `asl run` of one state beside SQLite, and `asl list` and `asl run` over a database
//! with many executions beside an empty one.

use crate::Bench;
use crate::load::{Amount, builder, close, pass, runtime, starts};
use crate::measure::median;
use crate::process::{peak_bytes, wall_ms};
use crate::report::Figure;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("command.run", run), ("command.cold", cold)];

/// How often a process is started to be timed, and to have its memory measured.
const TIMED: usize = 30;
const WEIGHED: usize = 5;
/// Finished executions of the database that is not empty.
const MANY: usize = 100_000;
const MB: f64 = 1024.0 * 1024.0;

/// A folder with a definition and databases, and the `asl` that was built with this program; `None` when there is none.
struct Place {
    asl: PathBuf,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Option<Place> {
        let asl = std::env::current_exe().ok()?.with_file_name("asl");
        if !asl.exists() {
            eprintln!("skipped: there is no asl beside this program; build it with `cargo build --release`");
            return None;
        }
        let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
        let machine = r#"{"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": true}}}"#;
        std::fs::write(folder.path().join("one.asl.json"), machine).expect("written");
        Some(Place { asl, folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `asl run` of one Pass state.
    fn run(&self, database: &str) -> Command {
        let mut command = Command::new(&self.asl);
        command.arg("run").arg(self.path().join("one.asl.json")).arg("--db").arg(self.path().join(database));
        command
    }

    fn list(&self, database: &str, options: &[&str]) -> Command {
        let mut command = Command::new(&self.asl);
        command.arg("list").args(options).arg("--db").arg(self.path().join(database));
        command
    }

    /// What it is measured against: a process that writes a row into the same file.
    fn sqlite(&self, database: &str) -> Command {
        let mut command = Command::new("sqlite3");
        command.arg(self.path().join(database));
        command.arg("PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS bench (x); INSERT INTO bench VALUES (1);");
        command
    }
}

/// The wall times of two commands that take turns: the median of each, in milliseconds.
fn in_turns(times: usize, mut one: impl FnMut() -> Command, mut other: impl FnMut() -> Command) -> (f64, f64) {
    let (mut ones, mut others): (Vec<f64>, Vec<f64>) =
        (0..times).map(|_| (wall_ms(&mut one()), wall_ms(&mut other()))).unzip();
    (median(&mut ones), median(&mut others))
}

/// The peak of a command's memory in megabytes.
fn peak_mb(command: &Command) -> f64 {
    let mut peaks: Vec<f64> = (0..WEIGHED).map(|_| peak_bytes(command) / MB).collect();
    median(&mut peaks)
}

fn run() -> Vec<Figure> {
    let Some(place) = Place::new() else { return Vec::new() };
    // The first makes the database.
    wall_ms(&mut place.run("asl.db"));
    let name = "asl run of one Pass state";
    let wall = if Command::new("sqlite3").arg("--version").output().is_ok() {
        let (ours, theirs) = in_turns(TIMED, || place.run("asl.db"), || place.sqlite("asl.db"));
        Figure::lower(format!("{name}, wall"), ours, "ms")
            .beside([(ours, theirs)], "sqlite3 writing one row to the same file")
            .ratio_goal(3.0, 1.5)
    } else {
        eprintln!("nothing to compare with: there is no sqlite3 on the path (Debian: apt-get install sqlite3)");
        let (ours, _) = in_turns(TIMED / 2, || place.run("asl.db"), || place.run("asl.db"));
        Figure::lower(format!("{name}, wall"), ours, "ms")
    };
    vec![wall, Figure::lower(format!("{name}, peak memory"), peak_mb(&place.run("asl.db")), "MB")]
}

/// What a process costs that finds many finished executions, beside one that finds a new database with a single one. The
/// file is in the system's cache, as it is where the command was used before.
fn cold() -> Vec<Figure> {
    let Some(place) = Place::new() else { return Vec::new() };
    runtime().block_on(async {
        let engine = builder(&place.path().join("full.db")).await.build();
        starts(&engine, &pass(), 1024, Amount::Count(MANY)).await;
        close(engine).await;
    });
    wall_ms(&mut place.run("empty.db"));
    let rows = |what: &str, times, command: &dyn Fn(&str) -> Command| {
        let (full, empty) = in_turns(times, || command("full.db"), || command("empty.db"));
        let (full_mb, empty_mb) = (peak_mb(&command("full.db")), peak_mb(&command("empty.db")));
        let of = |unit: &str| format!("{what}, {MANY} finished: {unit}");
        let beside = "the same on a new database";
        [
            Figure::lower(of("wall"), full, "ms").beside([(full, empty)], beside),
            Figure::lower(of("peak memory"), full_mb, "MB").beside([(full_mb, empty_mb)], beside),
        ]
    };
    [
        rows("asl run", TIMED, &|database| place.run(database)),
        rows("asl list --limit 20", TIMED, &|database| place.list(database, &["--limit", "20"])),
        // It prints them all, so this one may grow with them.
        rows("asl list", WEIGHED, &|database| place.list(database, &[])),
    ]
    .concat()
}
