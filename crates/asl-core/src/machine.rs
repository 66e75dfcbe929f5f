//! The machine: takes inputs, runs scopes, keeps the timers, gives effects.

use crate::budget::{Budget, STEP_WORK, Spent};
use crate::error::StateError;
use crate::event::{Event, EventId, EventKind, Failure};
use crate::input::{Command, Execution, ExecutionType, Input, Outcome, Rejected, TaskCall, TaskId};
use crate::map_run::{self, MapCommand, MapRunId};
use crate::probe::{DataStage, Probe};
use crate::redrive::Redrives;
use crate::rehearsal::Rehearsal;
use crate::scope::{Phase, Scope, ScopeId, Scopes};
use crate::timers::{Timer, Timers};
use crate::{Limits, state};
use asl_expr::Timestamp;
use asl_syntax::ResourceKind;
use asl_syntax::model::{Definition, FlowId, State, StateId, StateType};
use asl_value::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A year: how long a Standard execution may take (AWS limit).
pub(crate) const STANDARD_LIMIT_MS: i64 = 365 * 24 * 3_600_000;
/// Five minutes: how long an Express execution may take (AWS limit).
const EXPRESS_LIMIT_MS: i64 = 5 * 60_000;

/// Why a [`Machine::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing to do until an input or the next deadline.
    Quiescent,
    /// The budget is used up; there is more to do.
    Yielded,
    /// The execution has ended.
    Finished,
}

/// What a [`Machine::run`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Why it came back.
    pub progress: Progress,
    /// How many steps of its budget it used.
    pub steps: u32,
    /// How many units of work were done since the last [`Machine::take_effects`].
    pub work: u64,
    /// How many bytes of events there are since then.
    pub bytes: usize,
}

/// What came of inputs: to be stored in one transaction before any command goes out.
#[derive(Debug, Default)]
pub struct Effects {
    /// New history events, in order.
    pub events: Vec<Event>,
    /// Requests to the world, in order.
    pub commands: Vec<Command>,
    /// What the history does not say but a reader of a log wants to know. Not recorded.
    pub notes: Vec<Note>,
}

/// A remark for people who watch an execution.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// A retrier takes an error: the state is tried again.
    Retry {
        /// The state.
        state: Arc<str>,
        /// The error it ran into.
        error: Failure,
        /// Which entry of `Retry`, from 0.
        rule: usize,
        /// Which retry this is, from 1.
        attempt: u64,
        /// How many this retrier allows.
        max_attempts: u64,
        /// How long it waits first, in milliseconds.
        delay_ms: i64,
    },
    /// A catcher takes an error.
    Caught {
        /// The state.
        state: Arc<str>,
        /// The error.
        error: Failure,
        /// Which entry of `Catch`, from 0.
        rule: usize,
        /// The state it leads to.
        next: Arc<str>,
    },
    /// A Choice took a way.
    Chose {
        /// The state.
        state: Arc<str>,
        /// Which entry of `Choices`, from 0; `None` is `Default`.
        rule: Option<usize>,
    },
    /// A path led nowhere: what is there instead. The error's cause is AWS's and does not say.
    Hint {
        /// The state.
        state: Arc<str>,
        /// `` `$.order` has no `lins`: did you mean `$.order.lines`? ``
        hint: Arc<str>,
    },
}

impl Note {
    /// The state it is about.
    pub fn state(&self) -> &Arc<str> {
        match self {
            Note::Retry { state, .. }
            | Note::Caught { state, .. }
            | Note::Chose { state, .. }
            | Note::Hint { state, .. } => state,
        }
    }
}

/// One execution. Plain data: cloning it takes a snapshot.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) definition: Arc<Definition>,
    pub(crate) limits: Limits,
    pub(crate) flow: FlowId,
    pub(crate) execution: Option<Arc<Execution>>,
    pub(crate) started: Timestamp,
    pub(crate) now: Timestamp,
    /// The clock has moved since timers were looked at.
    moved: bool,
    pub(crate) scopes: Scopes,
    pub(crate) timers: Timers,
    pub(crate) tasks: BTreeMap<TaskId, ScopeId>,
    pub(crate) task_count: u64,
    pub(crate) invocations: BTreeMap<StateId, u64>,
    pub(crate) map_runs: BTreeMap<MapRunId, ScopeId>,
    pub(crate) map_run_count: u64,
    ready: VecDeque<ScopeId>,
    last_event: EventId,
    events: Vec<Event>,
    commands: Vec<Command>,
    notes: Vec<Note>,
    pub(crate) spent: Spent,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) redrives: Redrives,
    pub(crate) probe: Option<Box<Probe>>,
    pub(crate) rehearsal: Option<Arc<Rehearsal>>,
}

impl Machine {
    /// A machine for one execution of `definition`; its first input is [`Input::Start`].
    pub fn new(definition: Arc<Definition>) -> Machine {
        Machine::with_limits(definition, Limits::default())
    }

    /// The execution of a machine that was started: whatever runs, or is redriven, was.
    pub(crate) fn running_execution(&self) -> Arc<Execution> {
        self.execution.clone().expect("a machine that runs was started")
    }

    /// A machine with other limits than AWS's. They are no part of an execution's record: whoever replays it must set the
    /// same, or what went over AWS's limits diverges there.
    pub fn with_limits(definition: Arc<Definition>, limits: Limits) -> Machine {
        Machine {
            definition,
            // The end alone takes an event, and there is one before it.
            limits: Limits { history_events: limits.history_events.max(2), ..limits },
            flow: FlowId::TOP,
            execution: None,
            started: Timestamp::default(),
            now: Timestamp::default(),
            moved: false,
            scopes: Scopes::default(),
            timers: Timers::default(),
            tasks: BTreeMap::new(),
            task_count: 0,
            invocations: BTreeMap::new(),
            map_runs: BTreeMap::new(),
            map_run_count: 0,
            ready: VecDeque::new(),
            last_event: 0,
            events: Vec::new(),
            commands: Vec::new(),
            notes: Vec::new(),
            spent: Spent::default(),
            outcome: None,
            redrives: Redrives::default(),
            probe: None,
            rehearsal: None,
        }
    }

    /// Who this execution is, once it has started.
    pub fn execution(&self) -> Option<&Arc<Execution>> {
        self.execution.as_ref()
    }

    /// The definition it runs.
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The number of the last event.
    pub fn last_event(&self) -> EventId {
        self.last_event
    }

    /// The tasks that are out: what to run again after a crash, with the same numbers. One that is scheduled and about
    /// to start is not among them: its command comes when the machine goes on. Nor is an activity that is scheduled: it waits
    /// where workers ask for it.
    pub fn open_tasks(&self) -> Vec<TaskCall> {
        self.calls(|phase| match phase {
            Phase::Queued(_) => true,
            Phase::Task(call) => !is_activity(call),
            _ => false,
        })
    }

    /// The tasks whose call was made and answered, and that wait for more: the end of a job, a task token, the worker of an
    /// activity. The call is not made again.
    pub fn submitted_tasks(&self) -> Vec<TaskCall> {
        self.calls(|phase| match phase {
            Phase::Submitted(_) | Phase::Scheduled(_) => true,
            Phase::Task(call) => is_activity(call),
            _ => false,
        })
    }

    /// The tasks that were scheduled and have not ended, wherever they stand.
    pub fn scheduled_tasks(&self) -> Vec<TaskCall> {
        self.calls(|_| true)
    }

    fn calls(&self, wanted: fn(&Phase) -> bool) -> Vec<TaskCall> {
        let scopes = self.tasks.values().map(|id| self.scopes.get(*id));
        scopes.filter(|scope| wanted(&scope.phase)).filter_map(Scope::call).cloned().collect()
    }

    /// The time as the machine knows it: the latest it was told. A driver whose clock was set back goes on from here, so
    /// that a record's time is the time of its events.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What the map runs at work wait for: to be asked for again after a crash, with the same names.
    pub fn open_map_work(&self) -> Vec<MapCommand> {
        let scopes = self.map_runs.values().map(|id| self.scopes.get(*id));
        let runs = scopes.filter_map(|scope| match &scope.phase {
            Phase::MapRun(run) => Some(run),
            _ => None,
        });
        runs.flat_map(|run| run.open_work()).collect()
    }

    /// The earliest deadline: call [`Machine::run`] when it has come. `None` when only inputs can move it on.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.outcome.is_some() { None } else { self.timers.next() }
    }

    /// Takes a fact from outside. Call [`Machine::run`] afterwards.
    ///
    /// # Errors
    /// When the input has no place any more (a late answer, a second start); then nothing has happened, and the
    /// input must not be recorded.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<(), Rejected> {
        if matches!(input, Input::Redrive) {
            self.redrivable(now).map_err(Rejected::NotRedrivable)?;
            self.advance(now);
            self.redrive();
            self.check_history();
            return Ok(());
        }
        if self.outcome.is_some() {
            return Err(Rejected::Finished);
        }
        if self.execution.is_some() == matches!(input, Input::Start(_)) {
            return Err(Rejected::OutOfOrder);
        }
        self.advance(now);
        self.take(input)?;
        self.check_history();
        Ok(())
    }

    fn take(&mut self, input: Input) -> Result<(), Rejected> {
        match input {
            Input::Redrive => return Err(Rejected::OutOfOrder),
            Input::Start(execution) => {
                let flow = map_run::flow_of(&self.definition, &execution).ok_or(Rejected::NoSuchMap)?;
                self.start(*execution, flow);
            }
            Input::Rerun(rerun) => return self.begin_elsewhere(&rerun),
            Input::Hurry { entered } => return self.hurry(entered),
            Input::Stop(failure) => {
                self.abort_map_runs();
                self.end(Outcome::Aborted(failure), 0);
            }
            Input::Fail(failure) => {
                self.abort_map_runs();
                self.end(Outcome::Failed(failure), 0);
            }
            input @ (Input::MapItems { run, .. }
            | Input::MapPiece { run, .. }
            | Input::MapFailed { run, .. }
            | Input::ChildDone { run, .. }
            | Input::MapWritten { run }
            | Input::MapRunDone { run, .. }) => return map_run::answer(self, run, input),
            other => return state::task::answer(self, other),
        }
        Ok(())
    }

    /// Works until nothing is left to do, or the budget is used up, or the execution ends. Timers due at `now` fire.
    pub fn run(&mut self, now: Timestamp, budget: impl Into<Budget>) -> Step {
        self.run_while(now, budget, || true)
    }

    /// As [`Machine::run`], and asks after each step but the last whether to go on: a driver looks at its clock there, and
    /// whether the execution is to be stopped. Two runs one after the other at one time do what one of as many steps does.
    pub fn run_while(&mut self, now: Timestamp, budget: impl Into<Budget>, mut goes_on: impl FnMut() -> bool) -> Step {
        let budget = budget.into();
        self.advance(now);
        let definition = self.definition.clone();
        let mut steps = 0;
        // What falls due while the clock stands still waits for the steps before it, however the runs are cut.
        if std::mem::take(&mut self.moved) {
            self.fire_due();
        }
        let progress = loop {
            if self.outcome.is_some() {
                break Progress::Finished;
            }
            let Some(scope) = self.ready.front().copied() else {
                if self.fire_due() {
                    continue;
                }
                break Progress::Quiescent;
            };
            if steps == budget.steps || (steps > 0 && (self.spent.is_over(&budget) || !goes_on())) {
                break Progress::Yielded;
            }
            self.ready.pop_front();
            steps += 1;
            self.spent.charge(STEP_WORK);
            self.step(&definition, scope);
            self.check_history();
        };
        Step { progress, steps, work: self.spent.work(), bytes: self.spent.bytes() }
    }

    /// About how many bytes it keeps: inputs, variables, results and items that wait. Shared ones count each time.
    pub fn held_bytes(&self) -> usize {
        const MACHINE_BYTES: usize = 4096;
        MACHINE_BYTES + self.scopes.all().map(Scope::held_bytes).sum::<usize>()
    }

    /// True when there is something to do before the next input or deadline.
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes what happened since the last call.
    pub fn take_effects(&mut self) -> Effects {
        self.spent.reset();
        Effects {
            events: std::mem::take(&mut self.events),
            commands: std::mem::take(&mut self.commands),
            notes: std::mem::take(&mut self.notes),
        }
    }

    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.moved |= now > self.now;
        self.now = self.now.max(now);
    }

    /// `flow` is what it runs: the top level, or the processor of a Distributed Map for one of its children.
    pub(crate) fn start(&mut self, execution: Execution, flow: FlowId) {
        self.flow = flow;
        self.started = self.now;
        self.limit_time(execution.execution_type);
        self.emit(
            0,
            EventKind::ExecutionStarted { input: execution.input_text.clone(), role_arn: execution.role_arn.clone() },
        );
        let start_at = self.definition.flow(self.flow).start_at;
        // The first state's event follows none, not the start (recorded AWS behaviour).
        let root = self.scopes.add(Scope::new(None, start_at, execution.input.clone(), 0));
        debug_assert_eq!(root, ScopeId::ROOT);
        self.execution = Some(Arc::new(execution));
        self.wake(root);
    }

    /// Sets the time until which the execution may take: by its machine from now on, by AWS's limit from its start on.
    pub(crate) fn limit_time(&mut self, execution_type: ExecutionType) {
        let limit_ms = match execution_type {
            ExecutionType::Standard => STANDARD_LIMIT_MS,
            ExecutionType::Express => EXPRESS_LIMIT_MS,
        };
        let limit = self.started.plus_ms(limit_ms);
        let of_machine = self.definition.timeout_seconds.filter(|_| self.flow == FlowId::TOP);
        let asked = of_machine.map_or(limit, |s| self.now.plus_ms((s as i64).saturating_mul(1000)));
        self.timers.set(asked.min(limit), Timer::Execution);
    }

    /// One step of a scope that is ready.
    fn step(&mut self, definition: &Definition, id: ScopeId) {
        let phase = std::mem::replace(&mut self.scopes.get_mut(id).phase, Phase::Waiting);
        match phase {
            Phase::Enter => self.enter(definition, id),
            Phase::Attempt => state::attempt(self, id, Machine::state_of(definition, self.scopes.get(id))),
            Phase::Start(call) => state::task::start(self, id, call),
            Phase::Answered(Ok(result)) => {
                self.see(id, DataStage::Result, || result.clone());
                self.finish_state(id, Machine::state_of(definition, self.scopes.get(id)), result);
            }
            Phase::Answered(Err(error)) => self.recover(id, error),
            other => self.scopes.get_mut(id).phase = other,
        }
    }

    fn enter(&mut self, definition: &Definition, id: ScopeId) {
        let scope = self.scopes.get(id);
        let state = definition.state(scope.state);
        let (last, input) = (scope.last, scope.input.clone());
        let kind = EventKind::StateEntered { state: state.state_type(), name: state.name.clone(), input };
        let entered = self.emit(last, kind);
        let now = self.now;
        let used = self.rehearsal.as_ref().map_or(0, |rehearsal| rehearsal.retry_count);
        let scope = self.scopes.get_mut(id);
        scope.last = entered;
        scope.entered = entered;
        scope.before = last;
        scope.entered_at = now;
        scope.retries.clear();
        scope.retries.resize(state.retry().len(), used);
        scope.retry_count = used;
        scope.fallen = None;
        state::attempt(self, id, state);
    }

    /// The state a scope is in.
    pub(crate) fn state_of<'d>(definition: &'d Definition, scope: &Scope) -> &'d State {
        definition.state(scope.state)
    }

    /// Puts a scope at the end of the queue.
    pub(crate) fn wake(&mut self, id: ScopeId) {
        self.ready.push_back(id);
    }

    /// Takes a scope out of the queue: it is given up.
    pub(crate) fn forget(&mut self, id: ScopeId) {
        self.ready.retain(|ready| *ready != id);
    }

    /// Records an event and returns its number.
    pub(crate) fn emit(&mut self, previous: EventId, kind: EventKind) -> EventId {
        self.last_event += 1;
        self.spent.event(&kind, &self.events);
        self.events.push(Event { id: self.last_event, previous, timestamp: self.now, kind });
        self.last_event
    }

    /// Records an event of a scope's chain.
    pub(crate) fn emit_in(&mut self, id: ScopeId, kind: EventKind) -> EventId {
        let last = self.scopes.get(id).last;
        let event = self.emit(last, kind);
        self.scopes.get_mut(id).last = event;
        event
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    pub(crate) fn map_command(&mut self, command: MapCommand) {
        self.command(Command::Map(command));
    }

    /// The map runs of an execution that is stopped are recorded as aborted, unlike its other states.
    fn abort_map_runs(&mut self) {
        for id in self.map_runs.values().copied().collect::<Vec<_>>() {
            self.emit_in(id, EventKind::MapRunAborted);
            self.emit_in(id, EventKind::StateAborted(StateType::Map));
        }
    }

    /// A history holds 25,000 events on AWS: event 25,000 is the end, so an execution that would go on fails there.
    fn check_history(&mut self) {
        let limit = self.limits.history_events;
        let fits = self.last_event < limit || (self.last_event == limit && self.outcome.is_some());
        if fits {
            return;
        }
        let keep = self.events.len().saturating_sub((self.last_event - (limit - 1)) as usize);
        self.events.truncate(keep);
        self.commands.retain(|c| !matches!(c, Command::Finish(_)));
        self.outcome = None;
        self.last_event = limit - 1;
        let cause = format!("The execution reached the maximum number of history events ({limit}).");
        self.end(Outcome::Failed(Failure::new("States.Runtime", cause)), limit - 1);
    }

    /// Ends the execution with the event that says so.
    pub(crate) fn end(&mut self, outcome: Outcome, previous: EventId) {
        let kind = match &outcome {
            Outcome::Succeeded(output) => EventKind::ExecutionSucceeded { output: output.clone() },
            Outcome::Failed(failure) => EventKind::ExecutionFailed(failure.clone()),
            Outcome::TimedOut(failure) => EventKind::ExecutionTimedOut(failure.clone()),
            Outcome::Aborted(failure) => EventKind::ExecutionAborted(failure.clone()),
        };
        self.emit(previous, kind);
        let open: Vec<TaskId> = std::mem::take(&mut self.tasks).into_keys().collect();
        for task in open {
            self.command(Command::CancelTask(task));
        }
        for id in std::mem::take(&mut self.map_runs).into_values() {
            map_run::abandon(self, id);
        }
        self.ready.clear();
        self.outcome = Some(outcome.clone());
        self.command(Command::Finish(outcome));
    }

    fn fire_due(&mut self) -> bool {
        let mut fired = false;
        while self.outcome.is_none() {
            let Some((key, timer)) = self.timers.pop_due(self.now) else { break };
            fired = true;
            match timer {
                Timer::Execution => {
                    let failure = Failure { error: Some("States.Timeout".into()), cause: None };
                    self.end(Outcome::TimedOut(failure), 0);
                }
                Timer::Wake(id) => {
                    self.scopes.get_mut(id).timers.retain(|k| *k != key);
                    self.wake(id);
                }
                Timer::Timeout(id) => state::task::time_out(self, id, crate::Class::Timeout),
                Timer::Heartbeat(id) => state::task::time_out(self, id, crate::Class::Heartbeat),
            }
        }
        fired
    }

    /// Sets a timer of a scope.
    pub(crate) fn set_timer(&mut self, id: ScopeId, at: Timestamp, timer: Timer) {
        let key = self.timers.set(at, timer);
        self.scopes.get_mut(id).timers.push(key);
    }

    /// Takes back one timer of a scope.
    pub(crate) fn cancel_timer(&mut self, id: ScopeId, timer: Timer) {
        let keys = &mut self.scopes.get_mut(id).timers;
        if let Some(at) = keys.iter().position(|key| self.timers.get(*key) == Some(timer)) {
            self.timers.cancel(keys.swap_remove(at));
        }
    }

    /// Takes back all timers of a scope.
    pub(crate) fn clear_timers(&mut self, id: ScopeId) {
        for key in std::mem::take(&mut self.scopes.get_mut(id).timers) {
            self.timers.cancel(key);
        }
    }

    /// Fails when a payload is over the limit, or nested too deep for a record.
    pub(crate) fn check_size(&self, value: &Value, error: impl FnOnce() -> StateError) -> Result<(), StateError> {
        if self.fits(value) { Ok(()) } else { Err(error()) }
    }
}

fn is_activity(call: &TaskCall) -> bool {
    matches!(call.resource.kind, ResourceKind::Activity { .. })
}
