//! Workers, and what becomes of them.

use crate::common::Place;
use asl_sim::Dice;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Marks every process of this soak in its environment.
const MARK: &str = "ASL_SOAK_MARK";
/// Where Debian has the library that sets the clock of a process.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
/// How long a worker may take to end when it is told to.
const DRAIN: Duration = Duration::from_secs(30);

/// What disturbed a worker, and so may have had a call made again.
pub(crate) struct Chaos<'p> {
    place: &'p Place,
    dice: Dice,
    wanted: usize,
    workers: Vec<Child>,
    disk: Option<PathBuf>,
    clock: Option<PathBuf>,
    /// How far the clock is ahead once it is calm; seconds.
    ahead_s: u64,
    count: BTreeMap<&'static str, u32>,
    /// The most memory that a worker had; bytes.
    pub(crate) most_memory: u64,
}

impl<'p> Chaos<'p> {
    pub(crate) fn new(place: &'p Place, dice: Dice, wanted: usize) -> Chaos<'p> {
        let disk = build_disk(place);
        let clock = std::path::Path::new(FAKETIME).exists().then(|| place.write("clock", "+0s\n"));
        for (have, what) in
            [(disk.is_some(), "full disks: needs cc"), (clock.is_some(), "clock steps: needs Debian's faketime")]
        {
            if !have {
                println!("SKIPPED: {what}");
            }
        }
        let (workers, count) = (Vec::new(), BTreeMap::new());
        let mut chaos = Chaos { place, dice, wanted, workers, disk, clock, ahead_s: 0, count, most_memory: 0 };
        chaos.fill();
        chaos
    }

    /// Does one thing to somebody, and sees to it that there are as many workers as there should be.
    pub(crate) fn one(&mut self) {
        self.sample();
        std::thread::sleep(Duration::from_millis(self.dice.below(400)));
        match self.dice.below(24) {
            0 | 1 => self.kill(),
            2 => self.stop(),
            3 => self.freeze(),
            4 => self.step_clock(),
            5 => self.full_disk(),
            _ => {}
        }
        self.fill();
    }

    /// From here on nothing is done to anybody. The clock stands where no timer that was set is in the future.
    pub(crate) fn calm(&mut self) {
        self.skip_a_day();
        for mut worker in std::mem::take(&mut self.workers) {
            let _ = worker.kill();
            let _ = worker.wait();
        }
        self.fill();
    }

    /// A day and an hour more pass for all workers; false when their clock cannot be set.
    pub(crate) fn skip_a_day(&mut self) -> bool {
        self.ahead_s += 90_000;
        let clock = self.clock.as_ref();
        clock.map(|clock| std::fs::write(clock, format!("+{}s\n", self.ahead_s)).unwrap()).is_some()
    }

    /// Makes sure that all workers live.
    pub(crate) fn fill(&mut self) {
        self.workers.retain_mut(|worker| worker.try_wait().unwrap().is_none());
        while self.workers.len() < self.wanted {
            let worker = self.worker(None);
            self.workers.push(worker);
        }
    }

    fn did(&mut self, what: &'static str) {
        *self.count.entry(what).or_default() += 1;
    }

    fn any(&mut self) -> usize {
        self.dice.below(self.workers.len() as u64) as usize
    }

    fn worker(&self, fault_at: Option<u64>) -> Child {
        let mut command = self.place.command(&["worker", "--max-memory", "128M", "--drain-timeout", "5"]);
        let log = std::fs::File::options().create(true).append(true).open(self.place.path("workers.log")).unwrap();
        command.env(MARK, self.place.path("")).stdout(Stdio::null()).stderr(log);
        let mut preload: Vec<String> = Vec::new();
        if let Some(clock) = &self.clock {
            preload.push(FAKETIME.to_owned());
            command
                .env("FAKETIME_TIMESTAMP_FILE", clock)
                .env("FAKETIME_NO_CACHE", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        if let (Some(disk), Some(at)) = (&self.disk, fault_at) {
            preload.push(disk.display().to_string());
            command.env("FAULT_MODE", "enospc").env("FAULT_AT", at.to_string());
        }
        command.env("LD_PRELOAD", preload.join(":")).spawn().unwrap()
    }

    fn kill(&mut self) {
        let at = self.any();
        let mut worker = self.workers.swap_remove(at);
        worker.kill().unwrap();
        worker.wait().unwrap();
        self.did("killed");
    }

    fn stop(&mut self) {
        let at = self.any();
        let worker = self.workers.swap_remove(at);
        end(worker);
        self.did("told to stop");
    }

    /// Longer than nothing, shorter than a lease, or longer than one.
    fn freeze(&mut self) {
        let at = self.any();
        let id = self.workers[at].id();
        signal("STOP", id);
        std::thread::sleep(Duration::from_millis(100 + self.dice.below(3000)));
        signal("CONT", id);
        self.did("frozen");
    }

    fn step_clock(&mut self) {
        let Some(clock) = &self.clock else { return };
        let steps = ["+0s", "+25s", "-25s", "+3600s", "-3600s", "+86400s", "-86400s"];
        std::fs::write(clock, format!("{}\n", self.dice.pick(&steps))).unwrap();
        self.did("clock steps");
    }

    /// A worker whose disk is full from some operation on; it ends by itself, or is killed.
    fn full_disk(&mut self) {
        if self.disk.is_none() {
            return;
        }
        self.kill();
        let at = 50 + self.dice.below(1500);
        let worker = self.worker(Some(at));
        self.workers.push(worker);
        self.did("full disks");
    }

    fn sample(&mut self) {
        let high = |worker: &Child| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", worker.id())).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let most = self.workers.iter().filter_map(high).max().unwrap_or(0) * 1024;
        self.most_memory = self.most_memory.max(most);
    }

    /// Ends the workers; what is still running of this soak a second later.
    pub(crate) fn end(mut self) -> Left {
        self.sample();
        let open_files = self.workers.iter().map(|worker| files(worker.id())).max().unwrap_or(0);
        for worker in std::mem::take(&mut self.workers) {
            end(worker);
        }
        std::thread::sleep(Duration::from_secs(1));
        Left { running: marked(&self.place.path("").display().to_string()), open_files, most_memory: self.most_memory }
    }

    pub(crate) fn summary(&self) -> String {
        let parts: Vec<String> = self.count.iter().map(|(what, count)| format!("{count} {what}")).collect();
        format!("{}, {} MB at most", parts.join(", "), self.most_memory >> 20)
    }
}

impl Drop for Chaos<'_> {
    /// A soak that fails leaves no worker behind.
    fn drop(&mut self) {
        for mut worker in std::mem::take(&mut self.workers) {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// What is left when all workers have been told to end.
pub(crate) struct Left {
    /// Processes that still run, as their command lines.
    pub(crate) running: Vec<String>,
    /// The most files that a worker had open at the end.
    pub(crate) open_files: usize,
    /// The most memory that a worker had; bytes.
    pub(crate) most_memory: u64,
}

fn signal(name: &str, process: u32) {
    Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status().unwrap();
}

/// Tells a worker to stop; it must do so in time.
fn end(mut worker: Child) {
    signal("TERM", worker.id());
    let until = Instant::now() + DRAIN;
    while worker.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            let _ = worker.kill();
            panic!("a worker that was told to stop did not end within {} s", DRAIN.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn files(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)
}

/// The processes that have the mark of this soak, but for this one.
fn marked(mark: &str) -> Vec<String> {
    let wanted = format!("{MARK}={mark}");
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_soak = processes.filter(|entry| {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|line| line == wanted.as_bytes())
    });
    of_soak
        .map(|entry| {
            String::from_utf8_lossy(&std::fs::read(entry.path().join("cmdline")).unwrap_or_default()).replace('\0', " ")
        })
        .collect()
}

/// The disk that fails, of the tests of faults.
fn build_disk(place: &Place) -> Option<PathBuf> {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli/faults/disk.c");
    let shim = place.path("disk.so");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).status();
    built.is_ok_and(|status| status.success()).then_some(shim)
}
