//! What is started, stopped and answered, and what was acknowledged of it.

use crate::chaos::Chaos;
use crate::common::Place;
use crate::world;
use asl_sim::Dice;
use asl_sim::generate;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// What an execution is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Saga,
    Random,
    Hostile,
}

/// The load so far.
pub(crate) struct Load<'p> {
    place: &'p Place,
    dice: Dice,
    next: u64,
    /// Executions whose start was acknowledged.
    pub(crate) started: BTreeMap<String, Kind>,
    /// Those whose stop was.
    pub(crate) stopped: BTreeSet<String>,
    tokens_read: usize,
    answers: u32,
}

impl<'p> Load<'p> {
    pub(crate) fn new(place: &'p Place, dice: Dice) -> Load<'p> {
        Load { place, dice, next: 0, started: BTreeMap::new(), stopped: BTreeSet::new(), tokens_read: 0, answers: 0 }
    }

    /// One thing of the load.
    pub(crate) fn one(&mut self) {
        match self.dice.below(10) {
            0..=3 => self.start(Kind::Saga),
            4..=6 => self.start(Kind::Random),
            7 => self.start(Kind::Hostile),
            8 => self.answer(),
            _ => self.stop(),
        }
    }

    fn start(&mut self, kind: Kind) {
        let n = self.next;
        self.next += 1;
        let (file, input) = match kind {
            Kind::Saga => ("saga.asl.json".to_owned(), "{}".to_owned()),
            Kind::Random => {
                let text = random(&mut self.dice);
                (self.write(&format!("random-{n}"), &text), generate::input(&mut self.dice))
            }
            Kind::Hostile => {
                let text = world::hostile(self.dice.below(1000));
                (self.write(&format!("hostile-{n}"), &text), format!(r#"{{"s":"{}"}}"#, "s".repeat(10_000)))
            }
        };
        let name = format!("{kind:?}-{n:05}").to_lowercase();
        let started = self.place.asl_with_stdin(&["start", &file, "--name", &name, "-i", "-"], &input);
        assert_eq!(started.code, 0, "{name}: {}", started.stderr);
        self.started.insert(name, kind);
    }

    fn write(&self, name: &str, text: &str) -> String {
        let file = format!("{name}.asl.json");
        self.place.write(&file, text);
        file
    }

    fn stop(&mut self) {
        let Some(name) = self.started.keys().nth(self.dice.below(self.started.len().max(1) as u64) as usize).cloned()
        else {
            return;
        };
        if self.place.asl(&["stop", &name]).code == 0 {
            self.stopped.insert(name);
        }
    }

    /// Answers every token that is about, with two commands at once: at most one of them is told that it was taken.
    fn answer(&mut self) {
        for token in self.tokens() {
            let answer = |text: &str| {
                let mut command =
                    self.place.command(&["send-task-success", "--task-token", &token, "--task-output", text]);
                command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
            };
            let both = [answer("1"), answer("2")];
            let taken =
                both.into_iter().filter_map(|mut child| child.wait().ok()).filter(|status| status.success()).count();
            assert!(taken < 2, "two answers to one token were both acknowledged: {token}");
            self.answers += taken as u32;
        }
    }

    fn tokens(&mut self) -> Vec<String> {
        let log = std::fs::read_to_string(self.place.path("tokens.log")).unwrap_or_default();
        let mut tokens: Vec<String> = log.lines().skip(self.tokens_read).map(str::to_owned).collect();
        self.tokens_read += tokens.len();
        let received = self.place.asl(&["queue", "receive", "q", "--max", "10", "--json"]);
        let messages: Value = serde_json::from_str(&received.stdout).unwrap_or_default();
        for message in messages["Messages"].as_array().into_iter().flatten() {
            let body = message["Body"].as_str().unwrap_or_default();
            let token =
                serde_json::from_str::<Value>(body).ok().and_then(|body| body["token"].as_str().map(str::to_owned));
            tokens.push(token.unwrap_or_else(|| body.to_owned()));
            let receipt = message["ReceiptHandle"].as_str().unwrap_or_default();
            self.place.asl(&["queue", "delete", "q", receipt]);
        }
        // Messages that are no tokens are numbers and identifiers, which are short.
        tokens.retain(|token| token.len() > 64);
        tokens
    }

    /// Waits until all that was acknowledged has ended.
    pub(crate) fn finish(&mut self, at_most: Duration, chaos: &mut Chaos) {
        let until = Instant::now() + at_most;
        let mut looked = Instant::now();
        loop {
            chaos.fill();
            let open = open(self.place);
            if open.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "stuck: {open:?}\n{}", self.place.asl(&["describe", &open[0]]).stderr);
            if looked.elapsed() > Duration::from_secs(20) {
                looked = Instant::now();
                self.end_pauses(&open, chaos);
            }
            self.answer();
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// What takes longer to load than a worker lived is blamed for kills that were the soak's, and waits for up to a day. Where
    /// nothing else is open, the day passes, and it must go on by itself; without a clock that can be set it is asked for.
    fn end_pauses(&self, open: &[String], chaos: &mut Chaos) {
        let is_set_aside = |name: &String| self.place.asl(&["describe", name]).stdout.contains("set aside");
        if !open.iter().all(is_set_aside) || chaos.skip_a_day() {
            return;
        }
        open.iter().for_each(|name| drop(self.place.asl(&["resume", name])));
    }

    pub(crate) fn summary(&self) -> String {
        let of = |kind: Kind| self.started.values().filter(|of| **of == kind).count();
        format!(
            "{} sagas, {} random and {} hostile executions, {} stops, {} answers",
            of(Kind::Saga),
            of(Kind::Random),
            of(Kind::Hostile),
            self.stopped.len(),
            self.answers
        )
    }
}

/// The names of the executions that have not ended, children among them.
fn open(place: &Place) -> Vec<String> {
    let mut open = Vec::new();
    for children in [&["--children"][..], &[]] {
        for status in ["RUNNING"] {
            let list = place.asl(&[&["list", "--json", "--status", status, "--limit", "50"], children].concat());
            let list: Value = serde_json::from_str(&list.stdout).unwrap_or_default();
            let names = list["executions"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|row| row["name"].as_str().map(str::to_owned));
            open.extend(names);
        }
    }
    open
}

/// A random definition of what has a backend here.
fn random(dice: &mut Dice) -> String {
    loop {
        let text = generate::definition(dice);
        if !text.contains("glue") && !text.contains(":activity:") {
            return text
                .replace(r#""TableName":"T""#, r#""TableName":"Things""#)
                .replace(r#""Bucket":"b""#, r#""Bucket":"things""#);
        }
    }
}
