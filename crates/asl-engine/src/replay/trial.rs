//! What would another definition have done with a recorded execution?
//!
//! It gets the recorded input at the recorded time, and each of its calls the answer that the same call got: the nth call
//! of the same state (in the same iteration) to the same resource, as long after the call as then. A call that never
//! happened has no answer and gets none: the trial ends there and names it.

use super::facts::{Called, Facts, Ran, caller, gather};
use super::names::Names;
use super::same::{Difference, Rules, values};
use super::trail::{PlaceId, Places, Trail};
use super::{ReplayError, stored};
use asl_core::event::EventKind;
use asl_core::{ChildCall, Command, Effects, Input, Machine, MapCommand, MapRunId, Outcome, Progress, TaskCall};
use asl_expr::Timestamp;
use asl_store::{ExecutionRow, KeptHistory, Record, Store};
use asl_syntax::Definition;
use asl_value::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What came of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// How the new definition's way compares with the recorded one.
    pub verdict: Verdict,
    /// How the execution ended; `None` while it is open.
    pub recorded: Option<Outcome>,
    /// How it would have ended; `None` when the trial did not come to an end.
    pub now: Option<Outcome>,
    /// The first state that only one of them came to, if there is one.
    pub fork: Option<Fork>,
    /// The calls that were made with other parameters, and got the recorded answers all the same.
    pub changed: Vec<ChangedCall>,
}

/// How two ways compare.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// The same states, the same end; of an open execution, as far as it is recorded.
    Same,
    /// The same states, but another output.
    OtherOutput,
    /// Other states.
    OtherPath,
    /// It fails, times out or is aborted where it did not, or with another error.
    Fails,
    /// It makes a call that never happened.
    Needs(Needed),
    /// It cannot be started, for instance because it has no Map with the label that the execution is a child of.
    CannotStart(String),
}

/// Where two ways part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The first recorded state that the new definition does not come to.
    pub was: Option<Arc<str>>,
    /// The first state that it comes to instead.
    pub now: Option<Arc<str>>,
}

/// A call that never happened, or whose answer was not recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Needed {
    /// The state that makes it.
    pub state: Arc<str>,
    /// The resource; of a Distributed Map `items`, `child` or `results`.
    pub resource: Arc<str>,
    /// The parameters, or the child's input.
    pub parameters: Value,
    /// Whether it was made, and its answer is not recorded.
    pub unanswered: bool,
}

/// A call with other parameters than were recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedCall {
    /// The state.
    pub state: Arc<str>,
    /// The parameters that differ.
    pub differences: Vec<Difference>,
}

/// Tries another definition on an execution of a store. Nothing is called, and nothing is written.
///
/// # Errors
/// When the execution itself does not replay, or cannot be read.
pub async fn try_definition(
    store: &dyn Store,
    row: &ExecutionRow,
    definition: Arc<Definition>,
) -> Result<Trial, ReplayError> {
    let (own, records) = (stored::definition(store, row).await?, store.records(row.id).await?);
    try_records(own, &records, &row.arn.as_str().into(), definition)
}

/// Tries another definition on a kept history.
///
/// # Errors
/// When the history itself does not replay.
pub fn try_kept<'k>(kept: impl Into<KeptHistory<'k>>, definition: Arc<Definition>) -> Result<Trial, ReplayError> {
    let kept = kept.into();
    let (own, arn) = stored::kept(kept)?;
    try_records(own, kept.records, &arn, definition)
}

fn try_records(
    own: Arc<Definition>,
    records: &[Record],
    arn: &Arc<str>,
    definition: Arc<Definition>,
) -> Result<Trial, ReplayError> {
    let mut places = Places::default();
    let facts = gather(Machine::new(own), records, &mut places, arn)?;
    Ok(Trying::new(definition, facts, places).run())
}

struct Trying {
    machine: Machine,
    facts: Facts,
    places: Places,
    trail: Trail,
    came_to: Vec<PlaceId>,
    now: Timestamp,
    agenda: BTreeMap<(Timestamp, u64), Input>,
    planned: u64,
    runs: HashMap<MapRunId, (Arc<str>, Ran)>,
    run_count: u64,
    waiting: Vec<Needed>,
    needed: Option<Needed>,
    changed: Vec<ChangedCall>,
}

impl Trying {
    fn new(definition: Arc<Definition>, facts: Facts, places: Places) -> Trying {
        Trying {
            machine: Machine::new(definition),
            facts,
            places,
            trail: Trail::default(),
            came_to: Vec::new(),
            now: Timestamp::default(),
            agenda: BTreeMap::new(),
            planned: 0,
            runs: HashMap::new(),
            run_count: 0,
            waiting: Vec::new(),
            needed: None,
            changed: Vec::new(),
        }
    }

    fn run(mut self) -> Trial {
        let Some((execution, start)) = self.facts.start.take() else {
            return self.trial(Some(Verdict::CannotStart("its record has no beginning".to_owned())));
        };
        self.now = start;
        for (after_ms, order) in std::mem::take(&mut self.facts.orders) {
            self.plan(after_ms, order);
        }
        if let Err(rejected) = self.machine.handle(Input::Start(Box::new(execution)), start) {
            return self.trial(Some(Verdict::CannotStart(rejected.to_string())));
        }
        let begins_at = self.facts.begins_at.take();
        if let Some(Err(rejected)) = begins_at.map(|begins_at| self.machine.handle(begins_at, start)) {
            return self.trial(Some(Verdict::CannotStart(rejected.to_string())));
        }
        while self.needed.is_none() {
            let progress = self.machine.run(self.now, crate::pace::RECORD).progress;
            let effects = self.machine.take_effects();
            self.take(effects);
            let goes_on = progress == Progress::Yielded || self.wait();
            if !goes_on {
                break;
            }
        }
        self.trial(None)
    }

    fn plan(&mut self, after_ms: i64, input: Input) {
        self.planned += 1;
        self.agenda.insert((self.now.plus_ms(after_ms), self.planned), input);
    }

    /// Goes to the next thing that happens. False when nothing does.
    fn wait(&mut self) -> bool {
        let answer = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let ended = self.machine.outcome().is_some();
        let deadline = self.machine.next_deadline();
        let next = [answer, deadline].into_iter().flatten().min();
        // Of an execution that goes on nobody knows what comes after the last record.
        let Some(next) = next.filter(|next| !self.is_open() || *next <= self.facts.end) else { return false };
        self.now = self.now.max(next);
        // All that is due goes in together, as it did then; a late one is too late.
        let mut taken = false;
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now) {
            taken |= self.machine.handle(entry.remove(), self.now).is_ok();
        }
        taken || !ended || !self.agenda.is_empty()
    }

    /// The record ends before the execution does.
    fn is_open(&self) -> bool {
        self.facts.outcome.is_none()
    }

    fn take(&mut self, effects: Effects) {
        for event in &effects.events {
            self.came_to.extend(self.trail.add(&mut self.places, event));
            if let EventKind::MapRunStarted { .. } = event.kind {
                self.run_count += 1;
                let state = self.trail.state(&self.places, event.id).unwrap_or_default();
                let ran = self.facts.runs.get_mut(&state).and_then(|runs| runs.pop_front()).unwrap_or_default();
                self.runs.insert(MapRunId(self.run_count), (state, ran));
            }
        }
        for command in effects.commands {
            match command {
                Command::RunTask(call) => self.call(*call),
                Command::Map(MapCommand::Read(read)) => self.ask(read.run, "items", read.parameters),
                Command::Map(MapCommand::Write(write)) => {
                    let files = write.files.iter().map(|file| Value::from(file.key.as_str())).collect::<Vec<_>>();
                    self.ask(write.run, "results", files.into());
                }
                Command::Map(MapCommand::Start(call)) => self.child(*call),
                Command::Map(MapCommand::Stop { .. }) | Command::CancelTask(_) | Command::Finish(_) => {}
            }
        }
    }

    /// A task is called: it gets the answers of the same call.
    fn call(&mut self, call: TaskCall) {
        let recorded = self.facts.calls.get_mut(&caller(&call)).and_then(|calls| {
            let at = calls.iter().position(|called| *called.resource == *call.resource.arn)?;
            calls.remove(at)
        });
        let needed = |unanswered| Needed {
            state: call.state.clone(),
            resource: call.resource.arn.clone(),
            parameters: call.parameters.clone(),
            unanswered,
        };
        let Some(Called { parameters, answers, .. }) = recorded else {
            self.needed.get_or_insert(needed(false));
            return;
        };
        let names = Names::new(call.token.iter().cloned().collect());
        let rules = Rules { names: Some(&names), no_data: false, before_redrive: false };
        let differences = values(&parameters, &call.parameters, rules);
        if !differences.is_empty() {
            self.changed.push(ChangedCall { state: call.state.clone(), differences });
        }
        if answers.is_empty() {
            self.waiting.push(needed(true));
        }
        for (after_ms, answer) in answers {
            self.plan(after_ms, of_task(answer, call.id));
        }
    }

    /// A map run asks for its items, or has its results written.
    fn ask(&mut self, run: MapRunId, what: &str, parameters: Value) {
        let Some((state, ran)) = self.runs.get_mut(&run) else { return };
        let needed = Needed { state: state.clone(), resource: what.into(), parameters, unanswered: false };
        let is_piece = |(_, answer): &(i64, Input)| matches!(answer, Input::MapPiece { .. });
        let count = ran.answers.iter().take_while(|answer| is_piece(answer)).count() + 1;
        let mut answers: Vec<(i64, Input)> = ran.answers.drain(..count.min(ran.answers.len())).collect();
        let last = answers.pop();
        answers.into_iter().for_each(|(after_ms, piece)| self.plan(after_ms, of_run(piece, run)));
        match last {
            Some((after_ms, answer)) => self.plan(after_ms, of_run(answer, run)),
            None if self.is_open() => self.waiting.push(needed),
            None => drop(self.needed.get_or_insert(needed)),
        }
    }

    fn child(&mut self, call: ChildCall) {
        let Some((state, ran)) = self.runs.get_mut(&call.run) else { return };
        let input = call.execution.input;
        let needed = |unanswered| Needed {
            state: state.clone(),
            resource: "child".into(),
            parameters: input.clone(),
            unanswered,
        };
        match ran.children.remove(&call.child) {
            Some((recorded, ended)) if recorded == input => match ended {
                Some((after_ms, outcome)) => {
                    self.plan(after_ms, Input::ChildDone { run: call.run, child: call.child, outcome });
                }
                None => {
                    let needed = needed(true);
                    self.waiting.push(needed);
                }
            },
            _ => {
                let needed = needed(false);
                self.needed.get_or_insert(needed);
            }
        }
    }

    fn trial(mut self, verdict: Option<Verdict>) -> Trial {
        let recorded = self.facts.outcome.clone();
        let now = self.machine.outcome().cloned();
        let fork = self.fork();
        // It waits for an answer that nobody gave: then the other definition did not wait.
        if now.is_none() && !self.is_open() && self.needed.is_none() && verdict.is_none() {
            self.needed = self.waiting.first().cloned();
        }
        let verdict = verdict.unwrap_or_else(|| match (self.needed.take(), &recorded, &now) {
            (Some(needed), _, _) => Verdict::Needs(needed),
            (None, recorded, Some(now))
                if failed(now).is_some() && failing(recorded) != failing(&Some(now.clone())) =>
            {
                Verdict::Fails
            }
            _ if fork.is_some() => Verdict::OtherPath,
            (None, Some(recorded), Some(now)) if recorded != now => Verdict::OtherOutput,
            _ => Verdict::Same,
        });
        Trial { verdict, recorded, now, fork, changed: self.changed }
    }

    /// The first place that only one of the two came to. What lies beyond the record of an open execution is no other way.
    fn fork(&self) -> Option<Fork> {
        let (old, new) = (&self.facts.places, &self.came_to);
        let (known, came_to): (HashSet<_>, HashSet<_>) = (old.iter().collect(), new.iter().collect());
        let ended = self.machine.outcome().is_some();
        let was = old.iter().find(|place| !came_to.contains(place)).filter(|_| ended || self.needed.is_none());
        let now = new.iter().find(|place| !known.contains(place));
        let name = |place: Option<&PlaceId>| place.map(|place| self.places.state(*place));
        (was.is_some() || now.is_some()).then(|| Fork { was: name(was), now: name(now) })
    }
}

fn failed(outcome: &Outcome) -> Option<&asl_core::Failure> {
    match outcome {
        Outcome::Succeeded(_) => None,
        Outcome::Failed(failure) | Outcome::TimedOut(failure) | Outcome::Aborted(failure) => Some(failure),
    }
}

/// The status and the error's name.
fn failing(outcome: &Option<Outcome>) -> Option<(&'static str, Option<Arc<str>>)> {
    outcome.as_ref().map(|outcome| (outcome.status(), failed(outcome).and_then(|failure| failure.error.clone())))
}

/// The answer, as one to another task.
fn of_task(answer: Input, id: asl_core::TaskId) -> Input {
    let mut answer = answer;
    if let Input::TaskScheduled { task }
    | Input::TaskRejected { task, .. }
    | Input::TaskStarted { task, .. }
    | Input::TaskSubmitted { task, .. }
    | Input::TaskSucceeded { task, .. }
    | Input::TaskFailed { task, .. }
    | Input::TaskHeartbeat { task } = &mut answer
    {
        *task = id;
    }
    answer
}

/// The answer, as one to another map run.
fn of_run(answer: Input, id: MapRunId) -> Input {
    let mut answer = answer;
    if let Input::MapItems { run, .. }
    | Input::MapPiece { run, .. }
    | Input::MapFailed { run, .. }
    | Input::MapWritten { run } = &mut answer
    {
        *run = id;
    }
    answer
}
