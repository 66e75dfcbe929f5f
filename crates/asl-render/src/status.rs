//! What became of the states of an execution, read from its history.
//!
//! Every event follows another (`previousEventId`), and so belongs to a visit of a state: an entry event begins one, the
//! events that follow it are of the same visit, and an exit ends the nearest visit of that name around. Whether an exit
//! was a Catch is seen from what it follows: a failure; or from where it leads: to a state only a catcher leads to.

use crate::model::{Edge, EdgeKind, Place};
use asl_core::{Event, EventId, EventKind, event::TaskStage};
use asl_expr::Timestamp;
use asl_syntax::model::{Definition, Next, StateId, StateType};
use std::collections::{BTreeMap, BTreeSet};

/// What became of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It was not entered.
    #[default]
    NotReached,
    /// It was entered and left as it should be.
    Succeeded,
    /// It failed, and a catcher took the error.
    Caught,
    /// It was given up: a sibling failed, or the execution was stopped or timed out.
    Aborted,
    /// It failed, and the error went on.
    Failed,
    /// It was entered and not left yet.
    InProgress,
}

impl Status {
    /// All of them, in the order of a legend.
    pub const ALL: [Status; 6] =
        [Status::Succeeded, Status::Caught, Status::Failed, Status::Aborted, Status::InProgress, Status::NotReached];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Status::NotReached => "not reached",
            Status::InProgress => "in progress",
            Status::Succeeded => "succeeded",
            Status::Caught => "caught",
            Status::Failed => "failed",
            Status::Aborted => "aborted",
        }
    }

    /// The sign for it, one column wide; in ASCII for terminals without Unicode.
    pub fn glyph(self, unicode: bool) -> char {
        match (self, unicode) {
            (Status::NotReached, true) => '·',
            (Status::InProgress, true) => '…',
            (Status::Succeeded, true) => '✓',
            (Status::Caught, true) => '↩',
            (Status::Failed, true) => '✗',
            (Status::Aborted, true) => '⊘',
            (Status::NotReached, false) => '.',
            (Status::InProgress, false) => '~',
            (Status::Succeeded, false) => '+',
            (Status::Caught, false) => '<',
            (Status::Failed, false) => 'x',
            (Status::Aborted, false) => '/',
        }
    }
}

/// How a state fared, all its visits together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How often it was entered; for a state within a Map, in all iterations.
    pub visits: u64,
    /// How often it was tried again after an error.
    pub retries: u64,
    /// How long it took, in milliseconds; of one that was not left, up to its last event.
    pub took_ms: i64,
    /// How many items a Map had, as far as its own history tells.
    pub items: Option<u64>,
}

impl Facts {
    /// In words: `1.2 s, 2 retries`.
    pub(crate) fn words(&self) -> String {
        let mut words = vec![format!("{}.{:03} s", self.took_ms / 1000, self.took_ms % 1000)];
        let count = |n: u64, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        words.extend((self.visits > 1).then(|| count(self.visits, "visit", "visits")));
        words.extend((self.retries > 0).then(|| count(self.retries, "retry", "retries")));
        words.extend(self.items.map(|items| count(items, "item", "items")));
        words.join(", ")
    }
}

/// What became of an execution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses {
    /// How the states that were entered fared.
    pub facts: BTreeMap<StateId, Facts>,
    /// The states that were entered.
    pub states: BTreeMap<StateId, Status>,
    /// The ways that were gone; true for a Catch.
    pub taken: BTreeSet<(Place, Place, bool)>,
}

impl Statuses {
    /// What became of a state.
    pub fn of(&self, state: StateId) -> Status {
        self.states.get(&state).copied().unwrap_or_default()
    }

    /// Whether the execution went along an edge. A rule and the Default of a Choice that lead to the same state cannot be
    /// told apart.
    pub fn took(&self, edge: &Edge) -> bool {
        self.taken.contains(&(edge.from, edge.to, edge.kind == EdgeKind::Catch))
    }
}

/// Reads the history of one execution, whole or so far. Where a state was visited several times, the last visit counts; of the
/// iterations of a Map, the worst. Children of a Distributed Map have histories of their own and are not reached here.
pub fn statuses<P>(definition: &Definition, events: &[Event<P>]) -> Statuses {
    let mut reader = Reader::new(definition);
    events.iter().for_each(|event| reader.read(event));
    reader.finish()
}

struct Visit {
    state: StateId,
    /// The visit of the Parallel or Map around.
    owner: Option<usize>,
    /// Which run of the owner it belongs to, and which branch or iteration of that.
    run: EventId,
    branch: EventId,
    open: bool,
    /// Its failure was told by an event.
    failed: bool,
    /// For a Parallel or Map: the event that started its branches last.
    started: EventId,
    status: Status,
    entered_at: Timestamp,
    last_at: Timestamp,
    /// How often its task was scheduled, or its branches were started.
    tries: u64,
    items: Option<u64>,
}

/// What an event was, for those that follow it.
#[derive(Clone, Copy)]
struct Seen {
    visit: usize,
    /// The visits after it are inside of its own.
    opens: bool,
    is_exit: bool,
    is_failure: bool,
}

struct Reader<'d> {
    definition: &'d Definition,
    names: BTreeMap<&'d str, StateId>,
    visits: Vec<Visit>,
    events: BTreeMap<EventId, Seen>,
    statuses: Statuses,
}

impl<'d> Reader<'d> {
    fn new(definition: &'d Definition) -> Reader<'d> {
        let names = (0..).zip(&definition.states).map(|(i, s)| (&*s.name, StateId(i))).collect();
        let statuses = Statuses::default();
        Reader { definition, names, visits: Vec::new(), events: BTreeMap::new(), statuses }
    }

    fn read<P>(&mut self, event: &Event<P>) {
        let before = self.events.get(&event.previous).copied();
        let mut seen = Seen { visit: 0, opens: false, is_exit: false, is_failure: false };
        let from = before.map(|b| b.visit);
        let visit = match &event.kind {
            EventKind::StateEntered { name, .. } => self.enter(name, before, event),
            EventKind::StateExited { name, .. } => {
                seen.is_exit = true;
                let visit = from.and_then(|v| self.climb(v, |r, v| r.is_named(v, name)));
                self.leave(visit, before.is_some_and(|b| b.is_failure));
                visit
            }
            EventKind::MapIteration { name, .. } => {
                seen.opens = true;
                from.and_then(|v| self.climb(v, |r, v| r.is_named(v, name)))
            }
            EventKind::ParallelStateStarted => {
                seen.opens = true;
                self.start(from, StateType::Parallel, event.id)
            }
            EventKind::MapStateStarted { .. } => {
                seen.opens = true;
                self.start(from, StateType::Map, event.id)
            }
            EventKind::ParallelStateSucceeded => {
                from.and_then(|v| self.climb(v, |r, v| r.is_open(v, StateType::Parallel)))
            }
            EventKind::MapStateSucceeded => from.and_then(|v| self.climb(v, |r, v| r.is_open(v, StateType::Map))),
            EventKind::ParallelStateFailed => {
                seen.is_failure = true;
                self.fail(from, StateType::Parallel)
            }
            EventKind::MapStateFailed => {
                seen.is_failure = true;
                self.fail(from, StateType::Map)
            }
            EventKind::Task { stage, .. } => {
                seen.is_failure = is_failure(stage);
                from
            }
            EventKind::EvaluationFailed { .. } | EventKind::MapRunFailed(_) => {
                seen.is_failure = true;
                from
            }
            EventKind::ExecutionSucceeded { .. } => {
                if let Some(visit) = from {
                    self.take(Place::State(self.visits[visit].state), Place::End, false);
                }
                None
            }
            EventKind::ExecutionFailed(_) => {
                self.end(from);
                None
            }
            EventKind::ExecutionAborted(_) | EventKind::ExecutionTimedOut(_) => {
                self.end(None);
                None
            }
            EventKind::ExecutionRedriven { .. } => {
                self.reopen();
                None
            }
            EventKind::StateAborted(_)
            | EventKind::MapRunStarted { .. }
            | EventKind::MapRunSucceeded
            | EventKind::MapRunAborted
            | EventKind::MapRunRedriven { .. } => from,
            EventKind::ExecutionStarted { .. } => None,
        };
        if let Some(visit) = visit {
            self.note(visit, event);
            self.events.insert(event.id, Seen { visit, ..seen });
        }
    }

    /// What an event tells of how its visit fares.
    fn note<P>(&mut self, visit: usize, event: &Event<P>) {
        let visit = &mut self.visits[visit];
        visit.last_at = event.timestamp;
        match &event.kind {
            EventKind::Task { stage: TaskStage::Scheduled(_), .. } | EventKind::ParallelStateStarted => {
                visit.tries += 1
            }
            EventKind::MapStateStarted { length } => {
                visit.tries += 1;
                visit.items = Some(*length);
            }
            _ => {}
        }
    }

    fn enter<P>(&mut self, name: &str, before: Option<Seen>, event: &Event<P>) -> Option<usize> {
        let state = *self.names.get(name)?;
        let (mut owner, mut run, mut branch) = (None, 0, 0);
        match before {
            None => self.take(Place::Start, Place::State(state), false),
            Some(before) if before.opens => {
                // Each branch and each iteration begins with an entry of its own.
                (owner, branch) = (Some(before.visit), event.id);
                run = self.visits[before.visit].started;
            }
            Some(before) => {
                let last = &self.visits[before.visit];
                (owner, run, branch) = (last.owner, last.run, last.branch);
                if before.is_exit {
                    self.went(before.visit, state);
                }
            }
        }
        self.visits.push(Visit {
            state,
            owner,
            run,
            branch,
            open: true,
            failed: false,
            started: 0,
            status: Status::InProgress,
            entered_at: event.timestamp,
            last_at: event.timestamp,
            tries: 0,
            items: None,
        });
        Some(self.visits.len() - 1)
    }

    /// A visit led to another state: that can tell a Catch.
    fn went(&mut self, visit: usize, to: StateId) {
        let from = self.visits[visit].state;
        let state = self.definition.state(from);
        if state.next != Next::State(to) && state.catch().iter().any(|c| c.next == to) {
            self.visits[visit].status = Status::Caught;
        }
        let caught = self.visits[visit].status == Status::Caught;
        self.take(Place::State(from), Place::State(to), caught);
    }

    fn leave(&mut self, visit: Option<usize>, failed: bool) {
        let Some(visit) = visit else { return };
        let has_inside = self.visits[visit].started != 0;
        if has_inside {
            // What is still open inside was given up; the failure had no event.
            self.give_up(visit, None);
        }
        let visit = &mut self.visits[visit];
        visit.open = false;
        visit.status = if failed { Status::Caught } else { Status::Succeeded };
    }

    /// A Parallel or Map starts, perhaps again after a retry.
    fn start(&mut self, from: Option<usize>, state_type: StateType, event: EventId) -> Option<usize> {
        let visit = self.climb(from?, |r, v| r.is_open(v, state_type))?;
        self.give_up(visit, from);
        self.visits[visit].failed = false;
        self.visits[visit].started = event;
        Some(visit)
    }

    fn fail(&mut self, from: Option<usize>, state_type: StateType) -> Option<usize> {
        let visit = self.climb(from?, |r, v| r.is_open(v, state_type))?;
        self.give_up(visit, from);
        self.visits[visit].failed = true;
        Some(visit)
    }

    /// Ends what is open inside of `around`: the visits from `failed` up have failed, the others were given up.
    fn give_up(&mut self, around: usize, failed: Option<usize>) {
        let inside: Vec<usize> = (around + 1..self.visits.len())
            .filter(|v| self.visits[*v].open && self.climb(*v, |_, v| v == around).is_some())
            .collect();
        self.close(&inside, failed);
    }

    /// The execution is over.
    fn end(&mut self, failed: Option<usize>) {
        let open: Vec<usize> = (0..self.visits.len()).filter(|v| self.visits[*v].open).collect();
        self.close(&open, failed);
    }

    /// The execution goes on: what did not succeed is open again.
    fn reopen(&mut self) {
        for visit in self.visits.iter_mut().filter(|v| matches!(v.status, Status::Failed | Status::Aborted)) {
            visit.open = true;
            visit.failed = false;
            visit.status = Status::InProgress;
        }
    }

    fn close(&mut self, visits: &[usize], failed: Option<usize>) {
        let mut failing = BTreeSet::new();
        let mut next = failed;
        while let Some(visit) = next {
            failing.insert(visit);
            next = self.visits[visit].owner;
        }
        for &v in visits {
            let visit = &mut self.visits[v];
            visit.open = false;
            visit.status = if visit.failed || failing.contains(&v) { Status::Failed } else { Status::Aborted };
        }
    }

    /// The visit or the nearest one around it for which `is` holds. An owner was entered before what is inside.
    fn climb(&self, from: usize, is: impl Fn(&Reader<'_>, usize) -> bool) -> Option<usize> {
        let mut next = Some(from);
        while let Some(visit) = next.filter(|v| !is(self, *v)) {
            next = self.visits[visit].owner;
        }
        next
    }

    fn is_named(&self, visit: usize, name: &str) -> bool {
        &*self.definition.state(self.visits[visit].state).name == name
    }

    /// A Parallel or Map that is at work and has not been told to have failed.
    fn is_open(&self, visit: usize, state_type: StateType) -> bool {
        let visit = &self.visits[visit];
        visit.open && !visit.failed && self.definition.state(visit.state).state_type() == state_type
    }

    fn take(&mut self, from: Place, to: Place, caught: bool) {
        self.statuses.taken.insert((from, to, caught));
    }

    fn finish(mut self) -> Statuses {
        // Of each state: its last run, and of each branch or iteration in that the last visit.
        let mut last: BTreeMap<StateId, (EventId, BTreeMap<EventId, Status>)> = BTreeMap::new();
        for visit in &self.visits {
            let entry = last.entry(visit.state).or_default();
            if entry.0 != visit.run {
                *entry = (visit.run, BTreeMap::new());
            }
            entry.1.insert(visit.branch, visit.status);
        }
        for visit in &self.visits {
            let facts = self.statuses.facts.entry(visit.state).or_default();
            facts.visits += 1;
            facts.retries += visit.tries.saturating_sub(1);
            facts.took_ms += visit.last_at.millis() - visit.entered_at.millis();
            // A Distributed Map that has not read its items has none yet.
            let items = visit.items.filter(|items| *items > 0 || visit.status == Status::Succeeded);
            facts.items = items.map_or(facts.items, |items| Some(facts.items.unwrap_or(0) + items));
        }
        let worst = |branches: BTreeMap<EventId, Status>| branches.into_values().max().unwrap_or_default();
        self.statuses.states = last.into_iter().map(|(state, (_, branches))| (state, worst(branches))).collect();
        self.statuses
    }
}

fn is_failure<P>(stage: &TaskStage<P>) -> bool {
    match stage {
        TaskStage::Failed(_)
        | TaskStage::TimedOut(_)
        | TaskStage::ScheduleFailed(_)
        | TaskStage::StartFailed(_)
        | TaskStage::SubmitFailed(_) => true,
        TaskStage::Scheduled(_)
        | TaskStage::Started { .. }
        | TaskStage::Submitted { .. }
        | TaskStage::Succeeded { .. } => false,
    }
}
