//! What happened to a recorded execution from outside, put down by the calls that asked for it: so that another definition
//! can be given the same answers.

use super::ReplayError;
use super::stored::divergence;
use super::trail::{PlaceId, Places, Trail};
use asl_core::event::EventKind;
use asl_core::{Command, Execution, Input, Machine, MapCommand, MapRunId, Outcome, TaskCall, TaskId};
use asl_expr::Timestamp;
use asl_store::Record;
use asl_value::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Where a call comes from: the state, and the iterations around it.
pub(super) type Caller = (Arc<str>, Vec<(Arc<str>, u64)>);

/// A call that was made, and what was answered, with the milliseconds since the call.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) resource: Arc<str>,
    pub(super) parameters: Value,
    pub(super) answers: Vec<(i64, Input)>,
    at: Timestamp,
}

/// What a map run was answered, with the milliseconds since it asked.
#[derive(Debug, Default)]
pub(super) struct Ran {
    /// Items, failures, and that results were written, in order.
    pub(super) answers: VecDeque<(i64, Input)>,
    /// Children by number: their input, and when and how they ended.
    pub(super) children: HashMap<u64, (Value, Option<(i64, Outcome)>)>,
    asked: Timestamp,
    started: HashMap<u64, Timestamp>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) start: Option<(Execution, Timestamp)>,
    /// The state it began at, where that is not the definition's first.
    pub(super) begins_at: Option<Input>,
    pub(super) calls: HashMap<Caller, VecDeque<Called>>,
    /// The map runs of each state, in order.
    pub(super) runs: HashMap<Arc<str>, VecDeque<Ran>>,
    /// That it was stopped or redriven, with the milliseconds since its start.
    pub(super) orders: Vec<(i64, Input)>,
    /// The places it came to, in order.
    pub(super) places: Vec<PlaceId>,
    pub(super) outcome: Option<Outcome>,
    /// When the last of it happened.
    pub(super) end: Timestamp,
}

pub(super) fn caller(call: &TaskCall) -> Caller {
    (call.state.clone(), call.iterations.clone())
}

/// Replays the records with their own definition, and notes what is asked and answered.
pub(super) fn gather(
    mut machine: Machine,
    records: &[Record],
    places: &mut Places,
    arn: &Arc<str>,
) -> Result<Facts, ReplayError> {
    let mut gatherer = Gatherer::default();
    let mut trail = Trail::default();
    for (at, record) in records.iter().enumerate() {
        for input in &record.inputs {
            gatherer.input(input, record.now);
            machine.handle(input.clone(), record.now).map_err(|rejected| ReplayError::Rejected {
                execution: arn.clone(),
                record: at + 1,
                rejected,
            })?;
        }
        machine.run(record.now, record.steps);
        let effects = machine.take_effects();
        if effects.events != record.events {
            return Err(ReplayError::Divergence(Box::new(divergence(&records[..=at], &effects.events, arn))));
        }
        for event in &effects.events {
            gatherer.facts.places.extend(trail.add(places, event));
            if let EventKind::MapRunStarted { .. } = event.kind {
                gatherer.run_states.push(trail.state(places, event.id).unwrap_or_default());
            }
        }
        effects.commands.into_iter().for_each(|command| gatherer.command(command, record.now));
    }
    gatherer.facts.outcome = machine.outcome().cloned();
    gatherer.facts.end = records.last().map(|record| record.now).unwrap_or_default();
    Ok(gatherer.facts())
}

#[derive(Default)]
struct Gatherer {
    facts: Facts,
    open: HashMap<TaskId, (Caller, Called)>,
    order: Vec<TaskId>,
    /// By number of the map run, from 1: its state.
    run_states: Vec<Arc<str>>,
    runs: HashMap<MapRunId, Ran>,
}

impl Gatherer {
    fn input(&mut self, input: &Input, now: Timestamp) {
        match input {
            Input::Start(execution) => self.facts.start = Some(((**execution).clone(), now)),
            // How long the other definition waits is its own affair.
            Input::Hurry { .. } => {}
            Input::Rerun(_) => self.facts.begins_at = Some(input.clone()),
            Input::Stop(_) | Input::Fail(_) | Input::Redrive => {
                let since = self.facts.start.as_ref().map_or(now, |(_, start)| *start);
                self.facts.orders.push((now.millis() - since.millis(), input.clone()));
            }
            Input::TaskScheduled { task }
            | Input::TaskRejected { task, .. }
            | Input::TaskStarted { task, .. }
            | Input::TaskSubmitted { task, .. }
            | Input::TaskSucceeded { task, .. }
            | Input::TaskFailed { task, .. }
            | Input::TaskHeartbeat { task } => {
                if let Some((_, called)) = self.open.get_mut(task) {
                    called.answers.push((now.millis() - called.at.millis(), input.clone()));
                }
            }
            Input::ChildDone { run, child, outcome } => {
                let Some(ran) = self.runs.get_mut(run) else { return };
                let started = ran.started.get(child).copied().unwrap_or(now);
                if let Some((_, ended)) = ran.children.get_mut(child) {
                    *ended = Some((now.millis() - started.millis(), outcome.clone()));
                }
            }
            Input::MapItems { run, .. }
            | Input::MapPiece { run, .. }
            | Input::MapFailed { run, .. }
            | Input::MapWritten { run }
            | Input::MapRunDone { run, .. } => {
                let Some(ran) = self.runs.get_mut(run) else { return };
                ran.answers.push_back((now.millis() - ran.asked.millis(), input.clone()));
            }
        }
    }

    fn command(&mut self, command: Command, now: Timestamp) {
        match command {
            Command::RunTask(call) => {
                let called = Called {
                    resource: call.resource.arn.clone(),
                    parameters: call.parameters.clone(),
                    answers: Vec::new(),
                    at: now,
                };
                self.order.push(call.id);
                self.open.insert(call.id, (caller(&call), called));
            }
            Command::Map(MapCommand::Read(read)) => self.runs.entry(read.run).or_default().asked = now,
            Command::Map(MapCommand::Write(write)) => self.runs.entry(write.run).or_default().asked = now,
            Command::Map(MapCommand::Start(call)) => {
                let ran = self.runs.entry(call.run).or_default();
                ran.started.insert(call.child, now);
                ran.children.insert(call.child, (call.execution.input, None));
            }
            Command::Map(MapCommand::Stop { .. }) | Command::CancelTask(_) | Command::Finish(_) => {}
        }
    }

    fn facts(mut self) -> Facts {
        for task in self.order {
            if let Some((caller, called)) = self.open.remove(&task) {
                self.facts.calls.entry(caller).or_default().push_back(called);
            }
        }
        for (number, state) in (1..).zip(self.run_states) {
            let ran = self.runs.remove(&MapRunId(number)).unwrap_or_default();
            self.facts.runs.entry(state).or_default().push_back(ran);
        }
        self.facts
    }
}
