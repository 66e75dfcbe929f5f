//! Redrive: an execution that failed, timed out or was stopped goes on from there (spec: RedriveExecution).
//!
//! Whatever was entered and not left is done again; what succeeded is kept. Branches and iterations that a failure took
//! down are kept in the scope of their Parallel or Map ([`Fallen`]) for as long as that state is not left.

use crate::EventId;
use crate::event::EventKind;
use crate::input::{ExecutionType, Outcome};
use crate::join::{Join, Work};
use crate::machine::{Machine, STANDARD_LIMIT_MS};
use crate::map_run::{self, MapRun, is_child};
use crate::scope::{Phase, Scope, ScopeId};
use crate::timers::Timers;
use asl_expr::Timestamp;
use asl_syntax::model::{StateKind, StateType};
use std::collections::BTreeMap;
use std::fmt;

/// Fourteen days: how long after its end an execution can be redriven (AWS limit).
const PERIOD_MS: i64 = 14 * 24 * 3_600_000;

/// Why an execution cannot be redriven; displayed in AWS's words, its `redriveStatusReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRedrivable {
    /// It has not ended.
    Running,
    /// It succeeded.
    Succeeded,
    /// Express executions are started anew instead, unless they are children of a map run.
    Express,
    /// It has 24,999 events or more.
    HistoryLimit,
    /// It started more than a year ago.
    OpenTooLong,
    /// It ended more than 14 days ago.
    PeriodExceeded,
}

impl fmt::Display for NotRedrivable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotRedrivable::Running => "Execution is RUNNING and cannot be redriven",
            NotRedrivable::Succeeded => "Execution is SUCCEEDED and cannot be redriven",
            NotRedrivable::Express => "This operation is not supported by this type of state machine",
            NotRedrivable::HistoryLimit => "Execution history event limit exceeded",
            NotRedrivable::OpenTooLong => "Execution has exceeded the max execution time",
            NotRedrivable::PeriodExceeded => "Execution redrivable period exceeded",
        })
    }
}

impl std::error::Error for NotRedrivable {}

/// How often an execution was redriven, and when last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Redrives {
    pub(crate) count: u64,
    pub(crate) last: Option<Timestamp>,
}

/// What a Parallel or Map had when it failed.
#[derive(Clone, Debug)]
pub(crate) enum Fallen {
    /// The join, and the children that were at work, by index.
    Join(Box<Join>, BTreeMap<u64, Scope>),
    /// The map run of a Distributed Map.
    MapRun(Box<MapRun>),
}

impl Machine {
    /// How often it was redriven.
    pub fn redrive_count(&self) -> u64 {
        self.redrives.count
    }

    /// Whether an `Input::Redrive` would be taken at that time.
    ///
    /// # Errors
    /// Says why not: the rules are those of AWS's RedriveExecution.
    pub fn redrivable(&self, now: Timestamp) -> Result<(), NotRedrivable> {
        let (Some(execution), Some(outcome)) = (&self.execution, &self.outcome) else {
            return Err(NotRedrivable::Running);
        };
        let child = is_child(&execution.state_machine_arn);
        match outcome {
            Outcome::Succeeded(_) => Err(NotRedrivable::Succeeded),
            _ if execution.execution_type == ExecutionType::Express && !child => Err(NotRedrivable::Express),
            _ if self.last_event() >= self.limits.history_events - 1 => Err(NotRedrivable::HistoryLimit),
            _ if now >= self.started.plus_ms(STANDARD_LIMIT_MS) => Err(NotRedrivable::OpenTooLong),
            // The machine's clock stands at its end.
            _ if now > self.now.plus_ms(PERIOD_MS) => Err(NotRedrivable::PeriodExceeded),
            _ => Ok(()),
        }
    }

    /// Goes on from where the execution ended. It must be redrivable.
    pub(crate) fn redrive(&mut self) {
        let execution = self.running_execution();
        let outcome = self.outcome.take().expect("only what has ended is redriven");
        let ended = self.last_event();
        self.redrives = Redrives { count: self.redrives.count + 1, last: Some(self.now) };
        self.timers = Timers::default();
        let kind = EventKind::ExecutionRedriven { redrive_count: self.redrives.count };
        let redriven = self.emit(ended, kind);
        if execution.execution_type == ExecutionType::Express {
            return self.restart(redriven);
        }
        self.limit_time(execution.execution_type);
        let anew = matches!(&outcome, Outcome::Failed(f) if f.error.as_deref() == Some("States.DataLimitExceeded"));
        self.revive(ScopeId::ROOT, anew);
    }

    /// A child of an Express map run begins again.
    fn restart(&mut self, redriven: EventId) {
        let execution = self.running_execution();
        self.started = self.now;
        self.limit_time(execution.execution_type);
        self.give_up_children(ScopeId::ROOT);
        let start_at = self.definition.flow(self.flow).start_at;
        *self.scopes.get_mut(ScopeId::ROOT) = Scope::new(None, start_at, execution.input.clone(), redriven);
        self.wake(ScopeId::ROOT);
    }

    /// Brings a scope back to work. `anew`: a payload was over the limit, so Parallel and Map states are done again as a
    /// whole.
    fn revive(&mut self, id: ScopeId, anew: bool) {
        let scope = self.scopes.get_mut(id);
        scope.timers.clear();
        scope.retries.fill(0);
        scope.retry_count = 0;
        if anew {
            self.give_up_children(id);
        }
        let scope = self.scopes.get_mut(id);
        let fallen = scope.fallen.take();
        match (std::mem::replace(&mut scope.phase, Phase::Waiting), fallen.map(|fallen| *fallen)) {
            (Phase::Enter, _) => self.attempt_again(id, Phase::Enter),
            (Phase::Join(join), _) => self.revive_join(id, join, BTreeMap::new()),
            (_, Some(Fallen::Join(join, children))) => self.revive_join(id, join, children),
            (Phase::MapRun(run), _) | (_, Some(Fallen::MapRun(run))) => map_run::redrive(self, id, run),
            _ => self.revive_state(id),
        }
    }

    /// A state that was entered and not left.
    fn revive_state(&mut self, id: ScopeId) {
        let definition = self.definition.clone();
        let state = Machine::state_of(&definition, self.scopes.get(id));
        match &state.kind {
            // It is left without being done again.
            StateKind::Pass { .. } => {
                let input = self.scopes.get(id).input.clone();
                self.exit(id, state, input, Vec::new(), state.next);
            }
            _ if state.state_type() == StateType::Fail => self.attempt_again(id, Phase::Enter),
            _ => self.attempt_again(id, Phase::Attempt),
        }
    }

    fn attempt_again(&mut self, id: ScopeId, phase: Phase) {
        self.scopes.get_mut(id).phase = phase;
        self.wake(id);
    }

    /// A Parallel or inline Map goes on with the children that were at work; `fallen` are those that were taken down.
    fn revive_join(&mut self, id: ScopeId, mut join: Box<Join>, fallen: BTreeMap<u64, Scope>) {
        for (index, child) in fallen {
            let child = self.scopes.add(Scope { parent: Some((id, index)), ..child });
            join.running.insert(index, child);
        }
        let children: Vec<ScopeId> = join.running.values().copied().collect();
        let idle = children.is_empty() && matches!(join.work, Work::Items { .. });
        let last = self.scopes.get(id).last;
        self.scopes.get_mut(id).phase = Phase::Join(join);
        for child in children {
            if self.outcome.is_some() {
                return;
            }
            self.revive(child, false);
        }
        // The input of the next iteration could not be made.
        if idle {
            self.start_iteration(id, last);
        }
    }

    /// Forgets what is below a scope.
    fn give_up_children(&mut self, id: ScopeId) {
        let scope = self.scopes.get_mut(id);
        scope.fallen = None;
        let phase = match &scope.phase {
            Phase::Enter => return,
            Phase::Join(_) | Phase::MapRun(_) => std::mem::replace(&mut scope.phase, Phase::Attempt),
            _ => return,
        };
        if let Phase::Join(join) = phase {
            for child in join.running.into_values() {
                self.give_up_children(child);
                self.scopes.remove(child);
            }
        }
    }
}
