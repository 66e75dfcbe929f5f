//! A driver in virtual time for tests: no I/O, no sleeps; children of map runs are machines of their own.
#![allow(dead_code, reason = "each test binary uses its part")]

use asl_core::items::{Bucket, Listed};
use asl_core::{
    ChildCall, Command, Event, Execution, ExecutionType, Failure, Input, Machine, MapCommand, Outcome, Progress,
    ReadItems, ResultFile, TaskCall,
};
use asl_expr::Timestamp;
use asl_syntax::model::Definition;
use asl_syntax::{Kind, Options, Source, load};
use asl_value::Value;
use std::collections::{BTreeMap, VecDeque};
use std::io::BufRead;
use std::sync::Arc;

/// 2026-01-01T00:00:00Z
pub(crate) const EPOCH_MS: i64 = 1_767_225_600_000;

/// What the world answers: each input with the milliseconds until it comes.
pub(crate) trait Answers {
    fn task(&mut self, call: &TaskCall) -> Vec<(i64, Input)>;
    fn read(&mut self, read: &ReadItems) -> Result<Value, Failure>;
    fn write(&mut self, bucket: &str, files: Vec<ResultFile>);
}

/// What a driver would have written down.
pub(crate) struct Record {
    pub(crate) now: Timestamp,
    pub(crate) inputs: Vec<Input>,
    pub(crate) steps: u32,
}

/// How a machine is driven.
#[derive(Clone, Copy)]
pub(crate) struct Drive {
    /// Steps a run may use.
    pub(crate) budget: u32,
    /// Whether each run goes on with a clone of the machine.
    pub(crate) snapshots: bool,
}

pub(crate) struct World<'a> {
    pub(crate) machine: Machine,
    pub(crate) events: Vec<Event>,
    pub(crate) records: Vec<Record>,
    pub(crate) most_children: usize,
    answers: &'a mut dyn Answers,
    drive: Drive,
    pub(crate) now: Timestamp,
    later: BTreeMap<(Timestamp, u64), Input>,
    children: BTreeMap<Arc<str>, Machine>,
    count: u64,
}

impl<'a> World<'a> {
    pub(crate) fn new(machine: Machine, answers: &'a mut dyn Answers, drive: Drive, now: Timestamp) -> World<'a> {
        let (events, records, later) = (Vec::new(), Vec::new(), BTreeMap::new());
        World {
            machine,
            events,
            records,
            most_children: 0,
            answers,
            drive,
            now,
            later,
            children: BTreeMap::new(),
            count: 0,
        }
    }

    /// Something that happens after so many milliseconds.
    pub(crate) fn plan(&mut self, after_ms: i64, input: Input) {
        self.count += 1;
        self.later.insert((self.now.plus_ms(after_ms), self.count), input);
    }

    /// Lets time pass after the end.
    pub(crate) fn sleep(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
    }

    /// Runs to the end; `None` when nothing moves it on. What was planned before another end is forgotten.
    pub(crate) fn run(&mut self, start: Input) -> Option<Outcome> {
        if self.machine.outcome().is_some() {
            self.later.clear();
        }
        let mut inputs = VecDeque::from([start]);
        loop {
            let mut taken: Vec<Input> =
                inputs.drain(..).filter_map(|input| self.machine.accept(input, self.now)).collect();
            loop {
                if self.drive.snapshots {
                    self.machine = self.machine.clone();
                }
                let step = self.machine.run(self.now, self.drive.budget);
                self.records.push(Record { now: self.now, inputs: std::mem::take(&mut taken), steps: step.steps });
                if step.progress != Progress::Yielded {
                    break;
                }
            }
            let effects = self.machine.take_effects();
            self.events.extend(effects.events);
            for command in effects.commands {
                self.obey(command);
            }
            if let Some(outcome) = self.machine.outcome() {
                return Some(outcome.clone());
            }
            inputs.extend(self.wait()?);
        }
    }

    fn wait(&mut self) -> Option<Option<Input>> {
        let answer = self.later.first_key_value().map(|((at, _), _)| *at);
        let next = [answer, self.machine.next_deadline()].into_iter().flatten().min()?;
        self.now = self.now.max(next);
        Some(if answer == Some(next) { self.later.pop_first().map(|(_, input)| input) } else { None })
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::RunTask(call) => {
                for (after_ms, input) in self.answers.task(&call) {
                    self.plan(after_ms, input);
                }
            }
            Command::Map(MapCommand::Read(read)) => {
                let run = read.run;
                let input = match self.answers.read(&read) {
                    Ok(items) => Input::MapItems { run, items },
                    Err(failure) => Input::MapFailed { run, failure },
                };
                self.plan(0, input);
            }
            Command::Map(MapCommand::Start(call)) => self.child(*call),
            Command::Map(MapCommand::Write(write)) => {
                self.answers.write(&write.bucket, write.files);
                self.plan(0, Input::MapWritten { run: write.run });
            }
            Command::Map(MapCommand::Stop { .. }) | Command::CancelTask(_) | Command::Finish(_) => {}
        }
    }

    fn child(&mut self, call: ChildCall) {
        let arn = call.execution.arn.clone();
        let known = self.children.remove(&arn).filter(|child| child.outcome().is_some());
        let machine = known.unwrap_or_else(|| Machine::new(self.machine.definition().clone()));
        let mut world = World::new(machine, self.answers, self.drive, self.now);
        let outcome = match world.machine.outcome().cloned() {
            Some(_) if world.machine.redrive_count() < call.redrives => world.run(Input::Redrive),
            Some(outcome) => Some(outcome),
            None => world.run(Input::Start(Box::new(call.execution))),
        };
        let outcome = outcome.expect("something moves a child on");
        let took_ms = world.now.millis() - self.now.millis();
        let machine = world.machine.clone();
        self.children.insert(arn, machine);
        self.plan(took_ms, Input::ChildDone { run: call.run, child: call.child, outcome });
        let running = self.machine.open_map_work().iter().filter(|w| matches!(w, MapCommand::Start(_))).count();
        self.most_children = self.most_children.max(running);
    }
}

/// A definition that must be right.
pub(crate) fn definition(text: String, express: bool) -> Arc<Definition> {
    let kind = if express { Kind::Express } else { Kind::Standard };
    let loaded = load(&Source::new("definition", text.clone()), &Options { kind, lints: false, ..Options::default() });
    loaded.definition.unwrap_or_else(|| panic!("the definition does not load: {:?}\n{text}", loaded.diagnostics))
}

pub(crate) fn identity(input: Value, express: bool) -> Execution {
    let account = "arn:aws:states:us-east-1:123456789012";
    Execution {
        arn: format!("{account}:execution:machine:run").into(),
        name: "run".into(),
        state_machine_arn: format!("{account}:stateMachine:machine").into(),
        state_machine_name: "machine".into(),
        role_arn: "arn:aws:iam::123456789012:role/machine".into(),
        region: "us-east-1".into(),
        execution_type: if express { ExecutionType::Express } else { ExecutionType::Standard },
        seed: 7,
        token_key: None,
        input_text: input.to_string().into(),
        input,
    }
}

/// Files of buckets, by `bucket/key`.
pub(crate) struct Files(pub(crate) BTreeMap<String, String>);

impl Bucket for Files {
    fn open(&self, bucket: &str, key: &str) -> Result<Option<Box<dyn BufRead + '_>>, String> {
        Ok(self.0.get(&format!("{bucket}/{key}")).map(|body| Box::new(body.as_bytes()) as Box<dyn BufRead>))
    }

    fn list(&self, bucket: &str, prefix: &str, most: usize) -> Result<Vec<Listed>, String> {
        let below = format!("{bucket}/");
        let keys = self.0.iter().filter_map(|(path, body)| Some((path.strip_prefix(&below)?, body)));
        let listed = |(key, body): (&str, &String)| Listed {
            key: key.to_owned(),
            size: body.len() as u64,
            etag: "etag".to_owned(),
            modified_s: 1.5,
        };
        Ok(keys.filter(|(key, _)| key.starts_with(prefix)).map(listed).take(most).collect())
    }
}
