//! Scopes: the top level, Parallel branches and Map iterations of an execution, in one arena.

use crate::error::StateError;
use crate::event::EventId;
use crate::input::{TaskCall, TaskId};
use crate::join::Join;
use crate::map_run::MapRun;
use crate::redrive::Fallen;
use crate::timers::TimerKey;
use asl_expr::Timestamp;
use asl_syntax::model::StateId;
use asl_value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The place of a scope in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ScopeId(u32);

impl ScopeId {
    /// The top level of the execution.
    pub(crate) const ROOT: ScopeId = ScopeId(0);
}

/// Where a scope stands within its state.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// About to enter its state.
    Enter,
    /// About to do the state's work (again, after a back-off).
    Attempt,
    /// The task is scheduled and about to start.
    Start(Box<TaskCall>),
    /// An activity that waits to be scheduled: whether there is one of that name is a fact from outside.
    Queued(Box<TaskCall>),
    /// A scheduled activity that waits for a worker.
    Scheduled(Box<TaskCall>),
    /// The task is at work.
    Task(Box<TaskCall>),
    /// The call of the task was answered; its job or callback is awaited.
    Submitted(Box<TaskCall>),
    /// The task answered.
    Answered(Result<Value, StateError>),
    /// Waiting, for its Wait or back-off to end.
    Waiting,
    /// Children are at work.
    Join(Box<Join>),
    /// A map run is at work.
    MapRun(Box<MapRun>),
}

/// One thread of control.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The scope that waits for this one, and which branch or iteration this is.
    pub(crate) parent: Option<(ScopeId, u64)>,
    /// The state it is in.
    pub(crate) state: StateId,
    /// The raw input of that state.
    pub(crate) input: Value,
    /// The variables assigned in this scope; outer ones are read through the parents.
    pub(crate) variables: BTreeMap<Arc<str>, Value>,
    /// The last event of its chain.
    pub(crate) last: EventId,
    /// The event that entered the state.
    pub(crate) entered: EventId,
    /// The one before that.
    pub(crate) before: EventId,
    /// When the state was entered.
    pub(crate) entered_at: Timestamp,
    /// How often each retrier was used since the state was entered.
    pub(crate) retries: Vec<u64>,
    /// All retries since the state was entered.
    pub(crate) retry_count: u64,
    /// Where it stands.
    pub(crate) phase: Phase,
    /// Its timers: a wake-up, or a timeout and a heartbeat.
    pub(crate) timers: Vec<TimerKey>,
    /// What its Parallel or Map had when it failed: a redrive goes on with that. None again once the state is left or
    /// tried again.
    pub(crate) fallen: Option<Box<Fallen>>,
}

impl Scope {
    pub(crate) fn new(parent: Option<(ScopeId, u64)>, start: StateId, input: Value, last: EventId) -> Scope {
        Scope {
            parent,
            state: start,
            input,
            variables: BTreeMap::new(),
            last,
            entered: 0,
            before: last,
            entered_at: Timestamp::default(),
            retries: Vec::new(),
            retry_count: 0,
            phase: Phase::Enter,
            timers: Vec::new(),
            fallen: None,
        }
    }

    /// About how many bytes it keeps.
    pub(crate) fn held_bytes(&self) -> usize {
        const SCOPE_BYTES: usize = 512;
        let variables: usize = self.variables.values().map(|value| value.measure().bytes + 64).sum();
        let waits = match &self.phase {
            Phase::Start(call)
            | Phase::Queued(call)
            | Phase::Scheduled(call)
            | Phase::Task(call)
            | Phase::Submitted(call) => {
                call.parameters.measure().bytes + call.submitted.as_ref().map_or(0, |answer| answer.measure().bytes)
            }
            Phase::Answered(Ok(result)) => result.measure().bytes,
            // An array of results is measured once it is made.
            Phase::Join(join) => join.results.len() * 64,
            Phase::MapRun(run) => run.held_bytes(),
            _ => 0,
        };
        SCOPE_BYTES + self.input.measure().bytes + variables + waits
    }

    /// The call this scope waits for.
    pub(crate) fn call(&self) -> Option<&TaskCall> {
        match &self.phase {
            Phase::Start(call)
            | Phase::Queued(call)
            | Phase::Scheduled(call)
            | Phase::Task(call)
            | Phase::Submitted(call) => Some(call),
            _ => None,
        }
    }

    /// The task this scope waits for.
    pub(crate) fn task(&self) -> Option<TaskId> {
        self.call().map(|call| call.id)
    }
}

/// The arena. Places are used again, so a million iterations need only as many places as run at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scopes {
    places: Vec<Option<Scope>>,
    free: Vec<u32>,
}

impl Scopes {
    pub(crate) fn add(&mut self, scope: Scope) -> ScopeId {
        match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = Some(scope);
                ScopeId(place)
            }
            None => {
                self.places.push(Some(scope));
                ScopeId((self.places.len() - 1) as u32)
            }
        }
    }

    pub(crate) fn remove(&mut self, id: ScopeId) -> Option<Scope> {
        let scope = self.places.get_mut(id.0 as usize)?.take();
        if scope.is_some() {
            self.free.push(id.0);
        }
        scope
    }

    /// Those that are alive, by their places.
    pub(crate) fn alive(&self) -> impl Iterator<Item = (ScopeId, &Scope)> {
        let places = (0..).zip(&self.places);
        places.filter_map(|(place, scope)| Some((ScopeId(place), scope.as_ref()?)))
    }

    /// All that are alive.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Scope> {
        self.places.iter().flatten()
    }

    /// The scope; it must be alive.
    pub(crate) fn get(&self, id: ScopeId) -> &Scope {
        self.places[id.0 as usize].as_ref().expect("a scope in use is alive")
    }

    /// The scope, to change; it must be alive.
    pub(crate) fn get_mut(&mut self, id: ScopeId) -> &mut Scope {
        self.places[id.0 as usize].as_mut().expect("a scope in use is alive")
    }
}
