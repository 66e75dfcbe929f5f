//! What an execution does, or waits for, at the moment.

use crate::event::EventId;
use crate::input::TaskCall;
use crate::machine::Machine;
use crate::map_run::MapRun;
use crate::scope::{Phase, Scope, ScopeId};
use crate::state::task::iterations;
use crate::timers::Timer;
use asl_expr::Timestamp;
use asl_syntax::Pattern;
use std::sync::Arc;

/// A state that was entered and not left, and what it is at. Parallel and inline Map are not among them, but the states
/// within them.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// The state.
    pub state: Arc<str>,
    /// The Map iterations around it, outermost first: the Map's name and the index.
    pub iterations: Vec<(Arc<str>, u64)>,
    /// The event that entered it; 0 before that.
    pub entered: EventId,
    /// When it was entered.
    pub since: Timestamp,
    /// What it is at.
    pub doing: Doing,
}

/// What a state is at.
#[derive(Clone, Debug, PartialEq)]
pub enum Doing {
    /// Its next step comes at once.
    Ready,
    /// It waits until then, as a Wait does.
    Waiting {
        /// The end.
        until: Timestamp,
    },
    /// It failed and is tried again then.
    Retrying {
        /// Which retry of the state that will be, from 1.
        retry: u64,
        /// When it is due.
        until: Timestamp,
    },
    /// Its task is at work.
    Calling {
        /// What is called, as the definition writes it.
        resource: Arc<str>,
        /// How often it was retried before.
        retries: u64,
        /// When `TimeoutSeconds` or `HeartbeatSeconds` run out, the earlier.
        until: Option<Timestamp>,
    },
    /// Its task was called; the task token is to come back, or an activity's worker to answer.
    Awaiting {
        /// What was called.
        resource: Arc<str>,
        /// The token that answers it.
        token: Arc<str>,
        /// When `TimeoutSeconds` or `HeartbeatSeconds` run out, the earlier.
        until: Option<Timestamp>,
    },
    /// A Distributed Map is at work.
    Mapping {
        /// How many children run.
        running: usize,
        /// How many have been started, those that run and those that ended.
        started: u64,
    },
}

impl Machine {
    /// What the execution does or waits for now, in the order of the events that entered the states; nothing once it has
    /// ended.
    pub fn pending(&self) -> Vec<Pending> {
        if self.outcome.is_some() {
            return Vec::new();
        }
        let leaves = self.scopes.alive().filter_map(|(id, scope)| Some((scope.entered, self.doing(scope)?, id)));
        let mut leaves: Vec<_> = leaves.collect();
        leaves.sort_by_key(|(entered, ..)| *entered);
        let told = leaves.into_iter().map(|(_, doing, id)| self.told(id, doing));
        told.collect()
    }

    fn told(&self, id: ScopeId, doing: Doing) -> Pending {
        let scope = self.scopes.get(id);
        let state = Machine::state_of(&self.definition, scope).name.clone();
        // What is about to enter its state has not been there before.
        let since = if matches!(scope.phase, Phase::Enter) { self.now } else { scope.entered_at };
        Pending { state, iterations: iterations(self, id), entered: scope.entered, since, doing }
    }

    /// `None` for a scope that waits for others.
    fn doing(&self, scope: &Scope) -> Option<Doing> {
        let wake = || self.deadline(scope, |timer| matches!(timer, Timer::Wake(_)));
        Some(match &scope.phase {
            Phase::Join(_) => return None,
            Phase::MapRun(run) => mapping(run),
            Phase::Attempt => match wake() {
                Some(until) => Doing::Retrying { retry: scope.retry_count, until },
                None => Doing::Ready,
            },
            Phase::Answered(_) => wake().map_or(Doing::Ready, |until| Doing::Waiting { until }),
            Phase::Start(call) | Phase::Task(call) => self.calling(scope, call, false),
            Phase::Queued(call) | Phase::Scheduled(call) | Phase::Submitted(call) => self.calling(scope, call, true),
            Phase::Enter | Phase::Waiting => Doing::Ready,
        })
    }

    fn calling(&self, scope: &Scope, call: &TaskCall, is_made: bool) -> Doing {
        let until = self.deadline(scope, |timer| matches!(timer, Timer::Timeout(_) | Timer::Heartbeat(_)));
        let resource = call.resource.arn.clone();
        let waits = is_made || call.resource.pattern() == Pattern::WaitForTaskToken;
        match call.token.clone().filter(|_| waits) {
            Some(token) => Doing::Awaiting { resource, token, until },
            None => Doing::Calling { resource, retries: call.attempt, until },
        }
    }

    /// The earliest deadline of a scope's timers of a kind.
    fn deadline(&self, scope: &Scope, of: fn(Timer) -> bool) -> Option<Timestamp> {
        let keys = scope.timers.iter().filter(|key| self.timers.get(**key).is_some_and(of));
        keys.map(|(at, _)| *at).min()
    }
}

fn mapping(run: &MapRun) -> Doing {
    let (running, started) = run.counts();
    Doing::Mapping { running, started }
}
