//! A history as visits of states: which event belongs to which, how often a task was tried, and how it ended.
//!
//! Every event follows another (`previousEventId`), and so belongs to a visit: an entry event begins one, the events that follow it
//! are of the same visit, and an exit ends the nearest visit of that name around.

use asl::parts::event::TaskStage;
use asl::{Event, EventKind, Failure, Timestamp, Value};
use std::sync::Arc;

/// How a visit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Open,
    Succeeded,
    /// It failed, and a catcher took it.
    Caught,
    Failed,
    /// It was given up with its surroundings.
    Aborted,
}

/// One stay in a state. Events are named by their place in the history, from 0.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) state: Arc<str>,
    pub(super) kind: &'static str,
    /// The visit of the Parallel or Map around.
    pub(super) owner: Option<usize>,
    pub(super) depth: usize,
    /// The index of the iteration it is in, if it is in one.
    pub(super) iteration: Option<u64>,
    pub(super) entered: usize,
    pub(super) exited: Option<usize>,
    pub(super) last: usize,
    pub(super) attempts: Vec<Attempt>,
    pub(super) failure: Option<Failure>,
    pub(super) end: End,
}

/// One call of a task.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) scheduled: usize,
    pub(super) started: Option<usize>,
    pub(super) ended: Option<usize>,
    pub(super) failed: bool,
}

/// Variables by name.
type Assigned = [(Arc<str>, Value)];

/// A history and its visits.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) events: Vec<Event>,
    pub(super) visits: Vec<Visit>,
    /// The visit of each event.
    pub(super) of: Vec<Option<usize>>,
}

impl Story {
    pub(super) fn read(events: Vec<Event>) -> Story {
        let mut story = Story { of: Vec::with_capacity(events.len()), events, visits: Vec::new() };
        for at in 0..story.events.len() {
            let visit = story.place(at);
            story.of.push(visit);
            if let Some(visit) = visit {
                story.visits[visit].last = at;
            }
        }
        story
    }

    pub(super) fn at(&self, event: usize) -> Timestamp {
        self.events[event].timestamp
    }

    /// The event with this number.
    pub(super) fn numbered(&self, id: u64) -> Option<usize> {
        let at = usize::try_from(id).ok()?.checked_sub(1)?;
        self.events.get(at).filter(|event| event.id == id).map(|_| at)
    }

    /// The last visit of a state.
    pub(super) fn last_of(&self, state: &str) -> Option<usize> {
        self.visits.iter().rposition(|visit| &*visit.state == state)
    }

    /// The visits of the same state.
    pub(super) fn same(&self, visit: usize) -> Vec<usize> {
        let state = &self.visits[visit].state;
        (0..self.visits.len()).filter(|at| self.visits[*at].state == *state).collect()
    }

    /// The innermost visit that failed last, where the execution failed.
    pub(super) fn failing(&self) -> Option<usize> {
        let last = self.events.last()?;
        let from = self.numbered(last.previous)?;
        self.of[from].or_else(|| self.visits.iter().rposition(|visit| visit.end == End::Failed))
    }

    /// What a state got.
    pub(super) fn input(&self, visit: usize) -> Option<&Value> {
        match &self.events[self.visits[visit].entered].kind {
            EventKind::StateEntered { input, .. } => Some(input),
            _ => None,
        }
    }

    /// What a state gave, and the variables that it set.
    pub(super) fn output(&self, visit: usize) -> Option<(&Value, &Assigned)> {
        match &self.events[self.visits[visit].exited?].kind {
            EventKind::StateExited { output, assigned, .. } => Some((output, assigned)),
            _ => None,
        }
    }

    fn place(&mut self, at: usize) -> Option<usize> {
        let before = self.numbered(self.events[at].previous).filter(|before| *before < at);
        let from = before.and_then(|before| self.of[before]);
        match &self.events[at].kind {
            EventKind::StateEntered { state, name, .. } => {
                let (kind, name) = (state.name(), name.clone());
                Some(self.enter(kind, name, before, from, at))
            }
            EventKind::StateExited { name, .. } => {
                let name = name.clone();
                let visit = self.climb(from?, |visit| visit.state == name)?;
                let caught = before.is_some_and(|before| self.events[before].kind.failure().is_some());
                self.close_inside(visit, None);
                let left = &mut self.visits[visit];
                left.exited = Some(at);
                left.end = if caught { End::Caught } else { End::Succeeded };
                Some(visit)
            }
            EventKind::MapIteration { name, .. } => {
                let name = name.clone();
                self.climb(from?, |visit| visit.state == name)
            }
            EventKind::ParallelStateStarted => self.climb(from?, |visit| visit.kind == "Parallel"),
            EventKind::MapStateStarted { .. } => self.climb(from?, |visit| visit.kind == "Map"),
            EventKind::ParallelStateSucceeded => {
                self.climb(from?, |visit| visit.kind == "Parallel" && visit.end == End::Open)
            }
            EventKind::MapStateSucceeded => self.climb(from?, |visit| visit.kind == "Map" && visit.end == End::Open),
            EventKind::ParallelStateFailed => self.give_up(from?, "Parallel"),
            EventKind::MapStateFailed => self.give_up(from?, "Map"),
            EventKind::Task { .. } => {
                self.tried(from?, at);
                from
            }
            EventKind::EvaluationFailed { failure, .. } | EventKind::MapRunFailed(failure) => {
                let failure = failure.clone();
                self.visits[from?].failure = Some(failure);
                from
            }
            EventKind::ExecutionFailed(failure) => {
                let failure = failure.clone();
                if let Some(from) = from {
                    self.visits[from].failure.get_or_insert(failure);
                }
                self.end(from);
                None
            }
            EventKind::ExecutionAborted(_) | EventKind::ExecutionTimedOut(_) => {
                self.end(None);
                None
            }
            EventKind::ExecutionRedriven { .. } => {
                let unsuccessful =
                    self.visits.iter_mut().filter(|visit| matches!(visit.end, End::Failed | End::Aborted));
                unsuccessful.for_each(|visit| visit.end = End::Open);
                None
            }
            EventKind::ExecutionStarted { .. } | EventKind::ExecutionSucceeded { .. } => None,
            EventKind::StateAborted(_)
            | EventKind::MapRunStarted { .. }
            | EventKind::MapRunSucceeded
            | EventKind::MapRunAborted
            | EventKind::MapRunRedriven { .. } => from,
        }
    }

    fn enter(
        &mut self,
        kind: &'static str,
        state: Arc<str>,
        before: Option<usize>,
        from: Option<usize>,
        at: usize,
    ) -> usize {
        let (opens, index) = match before.map(|before| &self.events[before].kind) {
            Some(EventKind::ParallelStateStarted | EventKind::MapStateStarted { .. }) => (true, None),
            Some(EventKind::MapIteration { index, .. }) => (true, Some(*index)),
            _ => (false, None),
        };
        let owner = if opens { from } else { from.and_then(|from| self.visits[from].owner) };
        let iteration = if opens { index } else { from.and_then(|from| self.visits[from].iteration) };
        let depth = owner.map_or(0, |owner| self.visits[owner].depth + 1);
        let end = End::Open;
        let (exited, attempts, failure) = (None, Vec::new(), None);
        self.visits.push(Visit {
            state,
            kind,
            owner,
            depth,
            iteration,
            entered: at,
            exited,
            last: at,
            attempts,
            failure,
            end,
        });
        self.visits.len() - 1
    }

    /// A step in the life of a task.
    fn tried(&mut self, visit: usize, at: usize) {
        let EventKind::Task { stage, .. } = &self.events[at].kind else { return };
        let failed = self.events[at].kind.failure().cloned();
        let visit = &mut self.visits[visit];
        match stage {
            TaskStage::Scheduled(_) => {
                visit.attempts.push(Attempt { scheduled: at, started: None, ended: None, failed: false });
            }
            TaskStage::Started { .. } => {
                visit.attempts.last_mut().into_iter().for_each(|attempt| attempt.started = Some(at));
            }
            TaskStage::Submitted { .. } => {}
            _ => {
                if let Some(attempt) = visit.attempts.last_mut() {
                    (attempt.ended, attempt.failed) = (Some(at), failed.is_some());
                }
            }
        }
        visit.failure =
            failed.or_else(|| visit.failure.take().filter(|_| !matches!(stage, TaskStage::Succeeded { .. })));
    }

    /// The visit, or the nearest one around it, for which `is` holds.
    fn climb(&self, from: usize, is: impl Fn(&Visit) -> bool) -> Option<usize> {
        let mut next = Some(from);
        while let Some(visit) = next.filter(|visit| !is(&self.visits[*visit])) {
            next = self.visits[visit].owner;
        }
        next
    }

    fn give_up(&mut self, from: usize, kind: &str) -> Option<usize> {
        let around = self.climb(from, |visit| visit.kind == kind && visit.end == End::Open)?;
        self.close_inside(around, Some(from));
        let failure = self.visits[from].failure.clone();
        self.visits[around].failure = failure;
        Some(around)
    }

    /// Ends what is open inside of a visit: what failed and what is around that has failed, the rest was given up.
    fn close_inside(&mut self, around: usize, failed: Option<usize>) {
        if !matches!(self.visits[around].kind, "Parallel" | "Map") {
            return;
        }
        for at in around + 1..self.visits.len() {
            if self.visits[at].end == End::Open && self.is_inside(at, around) {
                let has_failed = failed.is_some_and(|failed| failed == at || self.is_inside(failed, at));
                self.visits[at].end = if has_failed { End::Failed } else { End::Aborted };
            }
        }
    }

    fn is_inside(&self, visit: usize, around: usize) -> bool {
        let mut next = self.visits[visit].owner;
        while let Some(owner) = next.filter(|owner| *owner != around) {
            next = self.visits[owner].owner;
        }
        next.is_some()
    }

    fn end(&mut self, failed: Option<usize>) {
        for at in 0..self.visits.len() {
            if self.visits[at].end == End::Open {
                let has_failed = failed.is_some_and(|failed| failed == at || self.is_inside(failed, at));
                self.visits[at].end = if has_failed { End::Failed } else { End::Aborted };
            }
        }
    }
}
