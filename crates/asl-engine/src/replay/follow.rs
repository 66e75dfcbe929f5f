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

use super::exported::{Exported, Recorded, Whose};
use super::names::{Learnt, Names};
use super::same::{self, Difference, Rules};
use super::trail::{Places, Trail};
use super::{Divergence, ReplayError, Replayed};
use asl_core::event::{EventKind, TaskStage, to_aws};
use asl_core::{Command, Event, Execution, ExecutionType, Input, Machine, MapRunId, Outcome, TaskCall, TaskId};
use asl_expr::Timestamp;
use asl_syntax::model::{Definition, PathField, ResultPath, StateKind};
use asl_syntax::{ResourceKind, model::State};
use asl_value::{Step, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What follows what depends on which branch was last: these are found by what they say.
const FREE: [&str; 14] = [
    "ParallelStateSucceeded",
    "ParallelStateExited",
    "ParallelStateFailed",
    "ParallelStateAborted",
    "MapStateSucceeded",
    "MapStateExited",
    "MapStateFailed",
    "MapStateAborted",
    "MapIterationStarted",
    "MapIterationFailed",
    "MapIterationAborted",
    "TaskStateAborted",
    "WaitStateAborted",
    "ExecutionFailed",
];

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
        let execution = identity(whose, first, region, text, input);
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

    /// The map run that was last started in the state of an event.
    fn map_run_of(&self, event: u64) -> Option<MapRunId> {
        let place = self.trail.place(event)?;
        let starts = (1..self.recorded.len() as u64).filter(|id| {
            let recorded = self.history.event(self.recorded[*id as usize]);
            recorded.is_some_and(|e| &*e.kind == "MapRunStarted")
        });
        let numbered = starts.zip(1..).filter(|(id, _)| self.trail.place(*id) == Some(place));
        numbered.last().map(|(_, number)| MapRunId(number))
    }

    /// What the record says of a task. `started` is its recorded start; an activity has none yet.
    fn run_task(&mut self, call: TaskCall, started: Option<u64>) -> Result<(), ReplayError> {
        if let Some(seconds) = call.heartbeat_seconds {
            self.heartbeats.insert(call.id, (seconds, None));
        }
        if !matches!(call.resource.kind, ResourceKind::Activity { .. }) {
            return started.map_or(Ok(()), |started| self.plan(call.id, started));
        }
        let entered = self.recorded.get(call.entered as usize).copied().unwrap_or(0);
        let scheduled = self.history.events.iter().find(|event| {
            &*event.kind == "ActivityScheduled"
                && !self.made[event.id as usize]
                && !self.agenda.contains_key(&event.id)
                && self.leads_to(event.previous, entered)
        });
        match scheduled {
            Some(event) => drop(self.agenda.insert(event.id, (call.id, Input::TaskScheduled { task: call.id }))),
            None => {
                let failed =
                    self.history.events.iter().find(|e| e.previous == entered && &*e.kind == "ExecutionFailed");
                let Some(failed) = failed else { return Ok(()) };
                let cause = failed.text("cause").unwrap_or_default();
                self.agenda.insert(failed.id, (call.id, Input::TaskRejected { task: call.id, cause }));
            }
        }
        Ok(())
    }

    /// True when the chain of a recorded event goes back to another.
    fn leads_to(&self, from: u64, to: u64) -> bool {
        let mut at = from;
        while at > to {
            at = self.history.event(at).map_or(0, |event| event.previous);
        }
        at == to
    }

    /// Plans the answer that follows a recorded event of a task.
    fn plan(&mut self, task: TaskId, after: u64) -> Result<(), ReplayError> {
        let Some(followers) = self.followers.get(&after) else { return Ok(()) };
        let prefixes = ["Task", "LambdaFunction", "Activity"];
        let answers = followers.iter().filter_map(|id| self.history.event(*id)).filter_map(|event| {
            let stage = prefixes.iter().find_map(|prefix| event.kind.strip_prefix(prefix))?;
            (!stage.starts_with("State")).then_some((event, stage))
        });
        let output = |event: &Recorded| match event.text("output") {
            Some(text) => {
                text.parse().map_err(|e| self.missing(event.id, format!("has an output that is not JSON: {e}")))
            }
            None => Err(self.missing(event.id, NO_DATA)),
        };
        for (event, stage) in answers {
            let input = match stage {
                "Started" => Input::TaskStarted { task, worker: event.text("workerName") },
                "Submitted" => Input::TaskSubmitted { task, output: output(event)? },
                "Succeeded" => Input::TaskSucceeded { task, output: output(event)? },
                "Failed" | "SubmitFailed" | "StartFailed" | "ScheduleFailed" => {
                    Input::TaskFailed { task, failure: event.failure() }
                }
                "TimedOut" => {
                    if let Some(heartbeat) = self.heartbeats.get_mut(&task) {
                        heartbeat.1 = Some(event.id);
                    }
                    return Ok(());
                }
                _ => continue,
            };
            self.agenda.insert(event.id, (task, input));
            return Ok(());
        }
        Ok(())
    }

    /// How a map run ended, as its parent's history shows it.
    fn map_result(&self, ended: &Recorded) -> Result<Outcome, ReplayError> {
        if &*ended.kind != "MapRunSucceeded" {
            return Ok(Outcome::Failed(ended.failure()));
        }
        let definition = self.machine.definition();
        let ours = self.recorded.iter().position(|recorded| *recorded == ended.previous).unwrap_or(0) as u64;
        let name = self.trail.state(&self.places, ours).unwrap_or_default();
        let exit = self.history.events[ended.id as usize..]
            .iter()
            .find(|event| &*event.kind == "MapStateExited" && event.text("name").is_some_and(|exited| exited == name));
        // Without an exit nobody saw the result.
        let Some(exit) = exit else { return Ok(Outcome::Succeeded(Value::empty_array())) };
        let Some(state) = definition.states.iter().find(|state| state.name == name) else {
            return Ok(Outcome::Succeeded(Value::empty_array()));
        };
        let output = exit.text("output").ok_or_else(|| self.missing(exit.id, NO_DATA))?;
        let output: Value = output.parse().unwrap_or_default();
        let why = "does not tell the results of the children: the state's output is made of them by a ResultSelector, \
                   OutputPath, Output or Assign, and children have histories of their own";
        result_of(state, &output).map(Outcome::Succeeded).ok_or_else(|| self.missing(exit.id, why))
    }

    /// The recorded event that this one is.
    fn find(&mut self, event: &Event) -> Result<u64, ReplayError> {
        let replayed = to_aws(event);
        let kind = event.type_name();
        self.trail.add(&mut self.places, event);
        if let EventKind::MapRunStarted { arn } = &event.kind {
            self.names.make_up(arn);
        }
        let mut found = self.search(event, &kind, &replayed);
        if found.is_err() {
            // Task tokens are among the things that nobody recorded.
            let tokens: Vec<Arc<str>> = self.machine.open_tasks().into_iter().filter_map(|call| call.token).collect();
            tokens.iter().for_each(|token| self.names.make_up(token));
            found = self.search(event, &kind, &replayed);
        }
        match found {
            Ok((id, learnt)) => {
                self.names.keep(learnt);
                self.made[id as usize] = true;
                self.recorded.push(id);
                Ok(id)
            }
            Err((closest, differences)) => Err(self.differs(closest, Some((event, replayed)), differences)),
        }
    }

    /// A recorded event that is the same; else the closest, with what differs.
    fn search(
        &self,
        event: &Event,
        kind: &str,
        replayed: &Value,
    ) -> Result<(u64, Learnt), (Option<u64>, Vec<Difference>)> {
        let previous = self.recorded.get(event.previous as usize).copied().unwrap_or(0);
        let free = |id: &u64| !self.made[*id as usize];
        let following = self.followers.get(&previous).into_iter().flatten().copied().filter(free);
        let mut closest: Option<(u64, Vec<Difference>)> = None;
        for id in following {
            let Some(recorded) = self.history.event(id) else { continue };
            if &*recorded.kind != kind {
                closest.get_or_insert_with(|| (id, Vec::new()));
                continue;
            }
            match self.compare(recorded, replayed) {
                Ok(learnt) => return Ok((id, learnt)),
                Err(differences) if closest.as_ref().is_none_or(|(_, known)| known.is_empty()) => {
                    closest = Some((id, differences));
                }
                Err(_) => {}
            }
        }
        let redriven = self.machine.redrive_count() > 0;
        if FREE.contains(&kind) || redriven {
            let known = |event: &&Recorded| &*event.kind == kind && !self.made[event.id as usize];
            let after = |event: &&Recorded| event.previous == 0 || self.made[event.previous as usize];
            for recorded in self.history.events[self.next as usize - 1..].iter().filter(known).filter(after) {
                if let Ok(learnt) = self.compare(recorded, replayed) {
                    return Ok((recorded.id, learnt));
                }
            }
        }
        Err(closest.map_or((None, Vec::new()), |(id, differences)| (Some(id), differences)))
    }

    fn compare(&self, recorded: &Recorded, replayed: &Value) -> Result<Learnt, Vec<Difference>> {
        let rules = Rules { names: Some(&self.names), no_data: self.no_data, before_redrive: self.before_redrive };
        same::details(&recorded.details, details(replayed), rules)
    }

    /// The machine makes nothing of what comes next in the record.
    fn nothing(&mut self, next: Option<&Recorded>) -> ReplayError {
        self.differs(next.map(|next| next.id), None, Vec::new())
    }

    fn differs(
        &mut self,
        recorded: Option<u64>,
        replayed: Option<(&Event, Value)>,
        differences: Vec<Difference>,
    ) -> ReplayError {
        let next = self.next_recorded().map(|event| event.id);
        let recorded = recorded.or(next).and_then(|id| self.history.event(id));
        let state = match (&replayed, recorded) {
            (Some((event, _)), _) => self.trail.state(&self.places, event.id),
            (None, Some(recorded)) => {
                let ours = self.recorded.iter().position(|id| *id == recorded.previous && *id > 0);
                ours.and_then(|ours| self.trail.state(&self.places, ours as u64)).or_else(|| recorded.text("name"))
            }
            (None, None) => None,
        };
        ReplayError::Divergence(Box::new(Divergence {
            execution: self.label.clone(),
            event: recorded.map_or_else(|| replayed.as_ref().map_or(0, |(event, _)| event.id), |event| event.id),
            state,
            recorded: recorded.map(|event| event.whole.clone()),
            replayed: replayed.map(|(_, replayed)| replayed),
            differences,
        }))
    }
}

const NO_DATA: &str = "was exported without its data; export the history again with --include-execution-data";

fn details(event: &Value) -> &Value {
    let member = event.as_object().and_then(|map| map.iter().find(|(key, _)| key.ends_with("EventDetails")));
    member.map_or(&Value::Null, |(_, details)| details)
}

/// Who the execution is, as far as anybody knows; the rest is made up.
fn identity(whose: &Whose, first: &Recorded, region: Arc<str>, text: Arc<str>, input: Value) -> Execution {
    let prefix = format!("arn:aws:states:{region}:000000000000");
    let arn = whose.execution_arn.clone();
    let machine = whose.state_machine_arn.clone().or_else(|| {
        // arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME
        let parts: Vec<&str> = arn.as_deref()?.splitn(8, ':').collect();
        Some(format!("{}:stateMachine:{}", parts.get(..5)?.join(":"), parts.get(6)?).into())
    });
    let machine = machine.unwrap_or_else(|| format!("{prefix}:stateMachine:asl-replay-machine").into());
    let machine_name: Arc<str> = machine.rsplit(':').next().unwrap_or_default().into();
    let arn = arn.unwrap_or_else(|| format!("{prefix}:execution:{machine_name}:asl-replay-execution").into());
    Execution {
        name: arn.rsplit(':').next().unwrap_or_default().into(),
        arn,
        state_machine_arn: machine,
        state_machine_name: machine_name,
        role_arn: first.text("roleArn").unwrap_or_default(),
        region,
        execution_type: ExecutionType::Standard,
        seed: 0,
        input_text: text,
        input,
    }
}

/// The result of a state whose output is known; `None` where it cannot be told.
fn result_of(state: &State, output: &Value) -> Option<Value> {
    let StateKind::Map(_) = &state.kind else { return None };
    if state.output.is_some() || state.result_selector.is_some() || state.assign.is_some() {
        return None;
    }
    if !matches!(state.output_path, PathField::All) {
        return None;
    }
    match &state.result_path {
        ResultPath::Replace => Some(output.clone()),
        ResultPath::Discard => Some(Value::empty_array()),
        ResultPath::At { steps, .. } => {
            let inside = |value: Option<Value>, step: &Step| match step {
                Step::Key(key) => value?.get(key).cloned(),
                Step::Index(index) => value?.at(*index).cloned(),
            };
            steps.iter().fold(Some(output.clone()), inside)
        }
    }
}
