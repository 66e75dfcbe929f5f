//! The writer: takes what is queued into one transaction, which is written or not, and then answers.

use super::outside::Ask;
use super::process::Caller;
use super::{Entry, Sim, Weather};
use crate::Sabotage;
use crate::store::Exec;
use crate::world::{self, Handed, is_embedded, waits_for_token};
use asl_core::{Execution, Input, Machine, MapRunId, Outcome, TaskCall};
use asl_engine::protocol::{Protocol, Recording, time_for};
use asl_store::{Record, Verdict};
use asl_value::{Map, Value};

/// Who wants a new execution.
pub(super) enum Who {
    Client(Ask),
    Parent(Exec, MapRunId, u64),
}

pub(super) struct Create {
    pub(super) machine: Machine,
    pub(super) execution: Execution,
    pub(super) first: Recording,
    pub(super) who: Who,
    pub(super) worker: u64,
}

#[derive(Clone)]
pub(super) struct Append {
    pub(super) exec: Exec,
    /// Who writes it.
    pub(super) worker: u64,
    pub(super) record: Record,
    pub(super) outcome: Option<Outcome>,
    /// What becomes of signals of the inbox.
    pub(super) taken: Vec<Verdict>,
    /// It was acted upon before.
    pub(super) early: bool,
}

/// What the writer is asked for.
pub(super) enum Job {
    Create(Box<Create>),
    Append(Box<Append>),
    /// A task that runs inside the transaction.
    Embedded(Exec, Box<TaskCall>),
}

/// A job that is in the transaction, and what is to be done when that is committed.
enum Done {
    Created(Exec, Box<Create>),
    /// The ARN is taken.
    There(Exec, Who),
    Appended(Box<Append>),
    Transacted(Exec, Box<Recording>),
}

/// How a transaction goes.
enum Fate {
    Written,
    Refused,
    /// It is written, but the answer is an error.
    WrittenUnknown,
    CrashBefore,
    CrashAfter,
}

impl Sim<'_> {
    pub(super) fn queue(&mut self, job: Job) {
        let Some(process) = &mut self.process else { return };
        process.queue.push_back(job);
        if std::mem::take(&mut self.freeze_next) && self.frozen.is_none() {
            return self.freeze();
        }
        if matches!(self.weather, Weather::Storm | Weather::Kills) {
            self.soon(12, Entry::Commit);
        } else {
            self.commit();
        }
    }

    fn fate(&mut self) -> Fate {
        match self.weather {
            Weather::Calm | Weather::Poison | Weather::Kills => Fate::Written,
            Weather::CrashAfterEachRecord => Fate::CrashAfter,
            Weather::Storm => {
                if !self.goes_wrong() {
                    return Fate::Written;
                }
                match self.dice.below(5) {
                    0 => Fate::Refused,
                    1 => Fate::WrittenUnknown,
                    2 => Fate::CrashBefore,
                    _ => Fate::CrashAfter,
                }
            }
        }
    }

    /// One transaction: the first jobs of the queue, or all of them.
    pub(super) fn commit(&mut self) {
        let waiting = self.process.as_ref().map_or(0, |process| process.queue.len());
        if waiting == 0 {
            return;
        }
        let storm = self.weather == Weather::Storm;
        let size = if storm { 1 + self.dice.below(waiting as u64) as usize } else { waiting };
        if size < waiting {
            self.soon(12, Entry::Commit);
        }
        let Some(process) = &mut self.process else { return };
        let jobs: Vec<Job> = process.queue.drain(..size).collect();
        let fate = self.fate();
        if matches!(fate, Fate::Refused | Fate::CrashBefore) {
            if self.has(Sabotage::EffectOutsideTransaction) {
                self.effects_of(&jobs);
            }
            return match fate {
                Fate::Refused => self.refuse_all(jobs),
                _ => self.crash(),
            };
        }
        let done: Vec<Done> = jobs.into_iter().filter_map(|job| self.write(job)).collect();
        match fate {
            Fate::CrashAfter => self.crash(),
            Fate::WrittenUnknown => {
                self.stats.store_errors += 1;
                done.into_iter().for_each(|done| self.doubt(done));
            }
            _ => done.into_iter().for_each(|done| self.reply(done)),
        }
    }

    /// The effects of a transaction that is not committed.
    fn effects_of(&mut self, jobs: &[Job]) {
        for job in jobs {
            if let Job::Embedded(exec, call) = job {
                *self.store.effects.entry((*exec, call.id)).or_insert(0) += 1;
            }
        }
    }

    fn refuse_all(&mut self, jobs: Vec<Job>) {
        self.stats.store_errors += 1;
        for job in jobs {
            match job {
                Job::Create(create) => self.not_created(create.who),
                Job::Append(append) => self.lose(append.exec),
                Job::Embedded(exec, _) => self.lose(exec),
            }
        }
    }

    fn not_created(&mut self, who: Who) {
        match who {
            Who::Client(ask) => {
                self.asking.remove(&ask);
                self.ask_again(ask);
            }
            Who::Parent(parent, ..) => self.lose(parent),
        }
        let after_ms = 100 + self.dice.below(5000) as i64;
        self.plan(after_ms, Entry::Crash);
    }

    /// Nobody knows whether it is written: the driver ends, and the store has the truth.
    fn doubt(&mut self, done: Done) {
        match done {
            Done::Created(_, create) => self.not_created(create.who),
            Done::There(_, who) => self.not_created(who),
            Done::Appended(append) if self.has(Sabotage::RecordTwice) => self.queue(Job::Append(append)),
            Done::Appended(append) => self.lose(append.exec),
            Done::Transacted(exec, _) => self.lose(exec),
        }
    }

    /// A job of a process from which another has taken over.
    pub(super) fn write_too_late(&mut self, job: Job) {
        let worker = match &job {
            Job::Create(create) => create.worker,
            Job::Append(append) => append.worker,
            // Its transaction does not begin.
            Job::Embedded(..) => return,
        };
        if worker != self.store.in_force && !self.has(Sabotage::NoFence) {
            self.stats.fenced += 1;
            return;
        }
        self.write(job);
        self.tell_verdicts();
    }

    fn write(&mut self, job: Job) -> Option<Done> {
        match job {
            Job::Create(create) => {
                if let Some(exec) = self.store.find(&create.execution.arn) {
                    return Some(Done::There(exec, create.who));
                }
                let record = create.first.record.clone();
                let outcome = create.machine.outcome().cloned();
                let definition = create.machine.definition().clone();
                match self.store.create(definition, create.execution.clone(), record, outcome) {
                    Ok(exec) => Some(Done::Created(exec, create)),
                    Err(why) => {
                        self.break_rule(why);
                        None
                    }
                }
            }
            Job::Append(append) => self.append(append),
            Job::Embedded(exec, call) => self.embedded(exec, *call),
        }
    }

    fn append(&mut self, append: Box<Append>) -> Option<Done> {
        let exec = append.exec;
        for input in &append.record.inputs {
            self.settle(exec, input);
        }
        if let Err(why) = self.store.append(exec, append.record.clone(), append.outcome.clone()) {
            self.break_rule(format!("the store refused a record: {why}"));
            return None;
        }
        self.store.decide(&append.taken);
        self.tell_verdicts();
        Some(Done::Appended(append))
    }

    /// An answer is committed: nobody may be asked for it again.
    fn settle(&mut self, exec: Exec, input: &Input) {
        match input {
            Input::TaskSucceeded { task, .. } | Input::TaskFailed { task, .. } | Input::TaskRejected { task, .. } => {
                self.world.settled.insert((exec, *task));
            }
            Input::TaskSubmitted { task, .. } => {
                let call = self.world.handed.get(&(exec, *task)).map(|handed| &handed.call);
                if call.is_some_and(|call| waits_for_token(call) && !is_embedded(call)) {
                    self.world.settled.insert((exec, *task));
                }
            }
            _ => {}
        }
    }

    /// A task of an embedded service: its effect, its answer, what the machine makes of that and the record are one.
    fn embedded(&mut self, exec: Exec, call: TaskCall) -> Option<Done> {
        let mut driver = self.process.as_mut()?.drivers.remove(&exec)?;
        let machine = driver.protocol.machine_mut();
        let now = time_for(self.clock(), machine);
        let seed = self.store.row(exec).execution.seed;
        let answer = world::embedded(self.scenario.seed, seed, call.id).map(|()| {
            let count = self.store.effects.entry((exec, call.id)).or_insert(0);
            *count += 1;
            Value::from(Map::from_iter([("count", *count)]))
        });
        if answer.is_ok() && waits_for_token(&call) {
            self.hand_token(exec, driver.number, &call);
        }
        let task = call.id;
        let input = match answer {
            Ok(output) if waits_for_token(&call) => Input::TaskSubmitted { task, output },
            Ok(output) => Input::TaskSucceeded { task, output },
            Err(failure) => Input::TaskFailed { task, failure },
        };
        let budget = self.given();
        let recording = Recording::answer(machine, now, Some(input), |machine| machine.run(now, budget));
        let (record, outcome) = (recording.record.clone(), machine.outcome().cloned());
        let process = self.process.as_mut()?;
        process.drivers.insert(exec, driver);
        let append = Append { exec, worker: process.number, record, outcome, taken: Vec::new(), early: false };
        self.append(Box::new(append))?;
        Some(Done::Transacted(exec, Box::new(recording)))
    }

    /// Somebody outside gets the token of an embedded callback, with the effect.
    fn hand_token(&mut self, exec: Exec, driver: u64, call: &TaskCall) {
        let place = (exec, call.id);
        let handed = Handed { call: call.clone(), key: 0, times: 1, driver };
        self.world.handed.entry(place).or_insert(handed);
        let planned = world::plan(self.scenario.seed, self.store.row(exec).execution.seed, call);
        let said = self.world.said.entry(place).or_default();
        let first = said.len();
        said.extend(planned.iter().cloned());
        for (k, said) in (first..).zip(planned) {
            self.ask_later(said.after_ms, Ask::Token(exec, call.id, k));
        }
    }

    /// The commit is through.
    fn reply(&mut self, done: Done) {
        match done {
            Done::There(_, Who::Client(ask)) => self.acknowledge(ask),
            Done::There(exec, Who::Parent(parent, run, child)) => self.follow(exec, (parent, run, child)),
            Done::Created(exec, create) => {
                let Create { machine, first, who, .. } = *create;
                self.launch(exec, Protocol::created(machine, first), false);
                match who {
                    Who::Client(ask) => self.acknowledge(ask),
                    Who::Parent(parent, run, child) => {
                        if let Some(process) = &mut self.process {
                            process.followers.insert(exec, (parent, run, child));
                        }
                        if self.is_unwanted((parent, run, child)) {
                            self.soon(20, Entry::Halt(exec));
                        }
                    }
                }
                self.soon(3, Entry::Go(exec));
            }
            Done::Appended(append) if append.early => {}
            Done::Appended(append) => self.goes_on(append.exec, Protocol::written),
            Done::Transacted(exec, recording) => self.goes_on(exec, |protocol| protocol.transacted(*recording)),
        }
    }

    fn goes_on(&mut self, exec: Exec, told: impl FnOnce(&mut Protocol<Caller>)) {
        if let Some(driver) = self.driver(exec) {
            driver.awaits = false;
            told(&mut driver.protocol);
        }
        self.soon(3, Entry::Go(exec));
    }
}
