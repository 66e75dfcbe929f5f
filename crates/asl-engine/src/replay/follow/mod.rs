//! An exported history through a machine: what the record says of tasks are the inputs, its timestamps the clock.
//!
//! The machine works one step at a time, and before each the clock goes to the next recorded event that it has not made.
//! When that event is a task's answer, it is the next input. Every event the machine makes must be one of the record: same
//! type, same details, following the same event. Branches may have taken turns in another order than ours do; then the
//! numbers differ, and what follows what does not.
//!
//! Not compared, because AWS alone decides it: timestamps, and instants in payloads; ARNs, execution names, UUIDs and task
//! tokens (each must stand for the same one throughout); how payloads were delivered (`inputDetails` …). Children of a
//! Distributed Map are not in their parent's history: the map run's result is read off the state's output.

mod answers;
mod find;
mod identity;

use super::exported::{Exported, Recorded, Whose};
use super::names::Names;
use super::trail::{Places, Trail};
use super::{ReplayError, Replayed};
use asl_core::event::{EventKind, TaskStage};
use asl_core::{Command, Event, Input, Machine, MapRunId, TaskId};
use asl_expr::Timestamp;
use asl_syntax::model::Definition;
use asl_value::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// 2023-11-15: redrive was launched, and the context object got its `RedriveCount`.
const REDRIVE_MS: i64 = 1_700_006_400_000;

/// Replays an exported history with the definition that it ran.
///
/// # Errors
/// [`ReplayError::Divergence`] at the first event that differs; [`ReplayError::NotInRecord`] when the history does not hold
/// what the machine needs to go on.
pub fn replay_exported(
    definition: Arc<Definition>,
    history: &Exported,
    whose: &Whose,
) -> Result<Replayed, ReplayError> {
    let mut follower = Follower::new(definition, history, whose);
    follower.start(whose)?;
    follower.follow()?;
    let outcome = follower.machine.outcome().cloned();
    Ok(Replayed { records: 0, events: history.len(), outcome })
}

struct Follower<'h> {
    machine: Machine,
    history: &'h Exported,
    label: Arc<str>,
    no_data: bool,
    before_redrive: bool,
    names: Names,
    now: Timestamp,
    /// By recorded event: those that follow it.
    followers: HashMap<u64, Vec<u64>>,
    /// By recorded event, from 1: whether the machine has made it.
    made: Vec<bool>,
    next: u64,
    /// By our event, from 1: the recorded one.
    recorded: Vec<u64>,
    /// Answers by the recorded event that they make.
    agenda: BTreeMap<u64, (TaskId, Input)>,
    /// Tasks at work: when they timed out, if the record says so.
    heartbeats: HashMap<TaskId, (u64, Option<u64>)>,
    /// Map runs at work, by the recorded event that started them.
    map_runs: BTreeMap<u64, MapRunId>,
    map_run_count: u64,
    places: Places,
    trail: Trail,
}

impl<'h> Follower<'h> {
    fn new(definition: Arc<Definition>, history: &'h Exported, whose: &Whose) -> Follower<'h> {
        let mut followers: HashMap<u64, Vec<u64>> = HashMap::new();
        for event in &history.events {
            followers.entry(event.previous).or_default().push(event.id);
        }
        let has = |event: &Recorded| event.details.get("input").or(event.details.get("output")).is_some();
        Follower {
            machine: Machine::new(definition),
            history,
            label: whose.label.clone(),
            no_data: !history.events.iter().any(has),
            before_redrive: history.event(1).and_then(|e| e.timestamp).is_some_and(|at| at.millis() < REDRIVE_MS),
            names: Names::default(),
            now: Timestamp::default(),
            followers,
            made: vec![false; history.len() + 1],
            next: 1,
            recorded: vec![0],
            agenda: BTreeMap::new(),
            heartbeats: HashMap::new(),
            map_runs: BTreeMap::new(),
            map_run_count: 0,
            places: Places::default(),
            trail: Trail::default(),
        }
    }

    fn missing(&self, event: u64, why: impl Into<String>) -> ReplayError {
        ReplayError::NotInRecord { execution: self.label.clone(), event, why: why.into() }
    }

    fn start(&mut self, whose: &Whose) -> Result<(), ReplayError> {
        let Some(first) = self.history.event(1).filter(|e| e.id == 1 && &*e.kind == "ExecutionStarted") else {
            return Err(self.missing(self.history.first_event(), "is not its beginning: put all pages together"));
        };
        let text = first.text("input").or_else(|| whose.input.clone());
        let text = text.ok_or_else(|| self.missing(1, NO_DATA))?;
        let input: Value = text.parse().map_err(|e| self.missing(1, format!("has an input that is not JSON: {e}")))?;
        let regions = self.history.events.iter().filter_map(|e| e.text("region"));
        let region = regions.into_iter().next().unwrap_or_else(|| "us-east-1".into());
        let execution = identity::identity(whose, first, region, text, input);
        let mut made_up = Vec::new();
        if whose.execution_arn.is_none() {
            made_up.extend([execution.arn.clone(), execution.name.clone()]);
        }
        if whose.execution_arn.is_none() && whose.state_machine_arn.is_none() {
            made_up.extend([execution.state_machine_arn.clone(), execution.state_machine_name.clone()]);
        }
        self.names = Names::new(made_up);
        self.now = first.timestamp.unwrap_or_default();
        self.give(Input::Start(Box::new(execution)))
    }

    fn follow(&mut self) -> Result<(), ReplayError> {
        while let Some(next) = self.next_recorded() {
            self.move_clock(next.timestamp);
            if let Some((task, input)) = self.agenda.remove(&next.id) {
                self.give(input)?;
                self.plan(task, next.id)?;
            } else if &*next.kind == "ExecutionAborted" {
                self.give(Input::Stop(next.failure()))?;
            } else if &*next.kind == "ExecutionRedriven" {
                self.give(Input::Redrive)?;
            } else if !self.step()? {
                self.wait(next)?;
            }
        }
        Ok(())
    }

    /// The first recorded event that the machine has not made.
    fn next_recorded(&mut self) -> Option<&'h Recorded> {
        while self.made.get(self.next as usize).copied().unwrap_or(false) {
            self.next += 1;
        }
        self.history.event(self.next)
    }

    /// The clock goes on, never back. Workers that were alive at AWS send their heartbeats.
    fn move_clock(&mut self, to: Option<Timestamp>) {
        let Some(to) = to.filter(|to| *to > self.now) else { return };
        self.now = to;
        for (task, (seconds, timed_out)) in &self.heartbeats {
            let dies = timed_out.and_then(|event| self.history.event(event)).map(|event| event.timestamp);
            let dies_soon = dies.is_some_and(|at| {
                at.is_none_or(|at| at.millis() - to.millis() <= (*seconds as i64).saturating_mul(1000))
            });
            if !dies_soon {
                // One that has ended meanwhile sends none.
                let _ = self.machine.handle(Input::TaskHeartbeat { task: *task }, to);
            }
        }
    }

    /// One step of the machine. False when there was nothing to do.
    fn step(&mut self) -> Result<bool, ReplayError> {
        let step = self.machine.run(self.now, 1);
        let effects = self.machine.take_effects();
        let idle = step.steps == 0 && effects.events.is_empty() && effects.commands.is_empty();
        self.take(&effects.events, effects.commands)?;
        Ok(!idle)
    }

    /// Gives the machine an input.
    fn give(&mut self, input: Input) -> Result<(), ReplayError> {
        let next = self.next_recorded().cloned();
        if self.machine.handle(input, self.now).is_err() {
            return Err(self.nothing(next.as_ref()));
        }
        let effects = self.machine.take_effects();
        self.take(&effects.events, effects.commands)
    }

    /// Nothing happens until something does: what makes the next recorded event?
    fn wait(&mut self, next: &'h Recorded) -> Result<(), ReplayError> {
        if matches!(&*next.kind, "MapRunSucceeded" | "MapRunFailed")
            && let Some(run) = self.map_runs.remove(&next.previous)
        {
            let outcome = self.map_result(next)?;
            return self.give(Input::MapRunDone { run, outcome });
        }
        let stopped = || self.history.events[next.id as usize..].iter().find(|e| &*e.kind == "ExecutionAborted");
        if matches!(&*next.kind, "MapRunAborted" | "MapStateAborted")
            && let Some(stopped) = stopped()
        {
            return self.give(Input::Stop(stopped.failure()));
        }
        let nap = self.machine.next_deadline();
        if nap.is_none()
            && let Some((_, (task, input))) = self.agenda.pop_first()
        {
            self.give(input)?;
            let last = self.recorded.last().copied().unwrap_or(0);
            return self.plan(task, last);
        }
        match nap {
            Some(deadline) => {
                self.move_clock(Some(deadline));
                let waited = self.step()?;
                if waited { Ok(()) } else { Err(self.nothing(Some(next))) }
            }
            None => Err(self.nothing(Some(next))),
        }
    }

    fn take(&mut self, events: &[Event], commands: Vec<Command>) -> Result<(), ReplayError> {
        let mut started = None;
        for event in events {
            if self.next_recorded().is_none() && !self.history.events.last().is_some_and(Recorded::ends_execution) {
                // The export ends in the middle of an execution that went on.
                return Ok(());
            }
            let recorded = self.find(event)?;
            match &event.kind {
                EventKind::Task { stage: TaskStage::Started { .. }, .. } => started = Some(recorded),
                EventKind::MapRunStarted { .. } => {
                    self.map_run_count += 1;
                    self.map_runs.insert(recorded, MapRunId(self.map_run_count));
                }
                EventKind::MapRunRedriven { .. } => {
                    // Which it is, its chain says: the run of the same place.
                    let run = self.map_run_of(event.id);
                    self.map_runs.extend(run.map(|run| (recorded, run)));
                }
                _ => {}
            }
        }
        for command in commands {
            match command {
                Command::RunTask(call) => self.run_task(*call, started)?,
                Command::CancelTask(task) => {
                    self.heartbeats.remove(&task);
                    self.agenda.retain(|_, (of, _)| *of != task);
                }
                Command::Map(_) | Command::Finish(_) => {}
            }
        }
        Ok(())
    }
}

const NO_DATA: &str = "was exported without its data; export the history again with --include-execution-data";
