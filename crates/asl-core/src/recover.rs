//! Errors of a state: Retry, then Catch, then the scope fails, and with it what waits for it (spec: Errors).

use crate::context::{Context, Subject, draw};
use crate::data::{ask, place};
use crate::error::{Class, StateError};
use crate::event::{EventId, EventKind, IterationStage};
use crate::input::{Command, Outcome};
use crate::machine::{Machine, Note};
use crate::probe::DataStage;
use crate::redrive::Fallen;
use crate::scope::{Phase, Scope, ScopeId};
use crate::timers::Timer;
use asl_expr::Env;
use asl_syntax::model::{Catcher, Next, Retrier, State, StateKind, StateType};
use asl_value::Value;
use std::collections::BTreeMap;

impl Machine {
    /// A state ran into an error: retry it, catch it, or fail.
    pub(crate) fn recover(&mut self, id: ScopeId, error: StateError) {
        let definition = self.definition.clone();
        let state = Machine::state_of(&definition, self.scopes.get(id));
        let mut error = self.tell(id, state, error);
        if let Some(hint) = error.hint.take() {
            self.note(Note::Hint { state: state.name.clone(), hint });
        }
        if self.retry(id, state, &error) {
            return;
        }
        if error.class != Class::Runtime {
            match &state.kind {
                StateKind::Parallel(_) => {
                    self.emit_in(id, EventKind::ParallelStateFailed);
                }
                StateKind::Map(_) => {
                    self.emit_in(id, EventKind::MapStateFailed);
                }
                _ => {}
            }
        }
        let taken = state.catch().iter().enumerate().find(|(_, c)| error.matches(&c.error_equals));
        match taken {
            Some((rule, catcher)) => {
                let next = definition.state(catcher.next).name.clone();
                let note = Note::Caught { state: state.name.clone(), error: error.failure.clone(), rule, next };
                self.note(note);
                self.catch(id, state, catcher, &error);
            }
            None => self.fail_scope(id, error),
        }
    }

    /// The history's form of an error; that of an expression in JSONata has an event of its own.
    fn tell(&mut self, id: ScopeId, state: &State, error: StateError) -> StateError {
        let mut error = self.explain(id, state, error);
        let Class::Query(location) = &error.class else { return error };
        let (failure, location) = (error.failure.clone(), location.clone().unwrap_or_default());
        let scope = self.scopes.get_mut(id);
        // What fails as soon as its state is entered follows what the state itself follows; but not in a Wait (recorded
        // AWS behaviour).
        if scope.last == scope.entered && state.state_type() != StateType::Wait {
            scope.last = scope.before;
        }
        self.emit_in(id, EventKind::EvaluationFailed { failure, location, state: state.name.clone() });
        error.class = Class::Other;
        error
    }

    /// Errors that the interpreter finds name the state and the event that entered it.
    fn explain(&self, id: ScopeId, state: &State, mut error: StateError) -> StateError {
        let ours = matches!(error.class, Class::Runtime | Class::Other | Class::Query(_));
        if let (true, Some(cause)) = (ours, &error.failure.cause)
            && !cause.starts_with(PREFIX)
            && !self.holds()
        {
            let entered = self.scopes.get(id).entered;
            let name = &state.name;
            error.failure.cause =
                Some(format!("{PREFIX}'{name}' (entered at the event id #{entered}). {cause}").into());
        }
        error.failure = error.failure.within_limits();
        error
    }

    /// Starts a back-off when a retrier takes the error and has attempts left.
    fn retry(&mut self, id: ScopeId, state: &State, error: &StateError) -> bool {
        let Some(at) = state.retry().iter().position(|r| error.matches(&r.error_equals)) else { return false };
        self.see(id, DataStage::RetryIndex, || Value::from(at as u64));
        let retrier = &state.retry()[at];
        let used = self.scopes.get(id).retries[at];
        if used >= retrier.max_attempts {
            return false;
        }
        let jitter = Context::new(self, id).random();
        let delay_ms = backoff_ms(retrier, used, jitter);
        let wake_at = self.now.plus_ms(delay_ms);
        self.note(Note::Retry {
            state: state.name.clone(),
            error: error.failure.clone(),
            rule: at,
            attempt: used + 1,
            max_attempts: retrier.max_attempts,
            delay_ms,
        });
        let scope = self.scopes.get_mut(id);
        scope.retries[at] += 1;
        scope.retry_count += 1;
        scope.phase = Phase::Attempt;
        self.set_timer(id, wake_at, Timer::Wake(id));
        true
    }

    fn catch(&mut self, id: ScopeId, state: &State, catcher: &Catcher, error: &StateError) {
        let output = error.output();
        let subject = Subject::Error(&output);
        let assigned = self.assign(id, catcher.assign.as_ref(), subject);
        let placed = match &catcher.output {
            Some(query) => ask(query, &Context::new(self, id).about(subject)),
            None => place(&catcher.result_path, &self.scopes.get(id).input, output.clone()),
        };
        match placed.and_then(|placed| Ok((placed, assigned?))) {
            Ok((placed, assigned)) => self.exit(id, state, placed, assigned, Next::State(catcher.next)),
            // An error inside the catcher is not caught by its own state.
            Err(error) => {
                let error = self.tell(id, state, error);
                self.fail_scope(id, error);
            }
        }
    }

    /// A scope failed. At the top that ends the execution; else the Parallel or Map around it has the error now.
    pub(crate) fn fail_scope(&mut self, id: ScopeId, mut error: StateError) {
        error.failure = error.failure.within_limits();
        let scope = self.scopes.get(id);
        let last = scope.last;
        match scope.parent {
            // States.Runtime fails the execution wherever it happens.
            Some((parent, index)) if error.class != Class::Runtime => {
                self.abort_children(parent, Some(index), last);
                self.scopes.get_mut(parent).last = last;
                self.recover(parent, error);
            }
            _ => self.end(Outcome::Failed(error.failure), last),
        }
    }

    /// Gives up all children of a Parallel or Map; `failed` is the one that failed, if one did. `cause` is the event
    /// they follow.
    pub(crate) fn abort_children(&mut self, parent: ScopeId, failed: Option<u64>, cause: EventId) {
        let scope = self.scopes.get_mut(parent);
        let mut join = match std::mem::replace(&mut scope.phase, Phase::Waiting) {
            Phase::Join(join) => join,
            // A redrive has to know whether its state was entered.
            other => return scope.phase = other,
        };
        let definition = self.definition.clone();
        let state = Machine::state_of(&definition, self.scopes.get(parent));
        let is_map = state.state_type() == StateType::Map;
        let mut children: Vec<(u64, ScopeId)> = std::mem::take(&mut join.running).into_iter().collect();
        let mut fallen = BTreeMap::new();
        children.sort_by_key(|(index, _)| (Some(*index) != failed, *index));
        for (index, child) in children {
            if is_map {
                let stage = if Some(index) == failed { IterationStage::Failed } else { IterationStage::Aborted };
                self.emit(cause, EventKind::MapIteration { stage, name: state.name.clone(), index });
            }
            fallen.extend(self.abort(child, cause).map(|scope| (index, scope)));
        }
        self.scopes.get_mut(parent).fallen = Some(Box::new(Fallen::Join(join, fallen)));
    }

    /// Gives up a scope, and returns it as it was: its task is cancelled, its timers are taken back, its state is recorded as aborted.
    fn abort(&mut self, id: ScopeId, cause: EventId) -> Option<Scope> {
        let definition = self.definition.clone();
        let scope = self.scopes.get(id);
        let state_type = Machine::state_of(&definition, scope).state_type();
        let inside = !matches!(scope.phase, Phase::Enter);
        let last = scope.last;
        let mapped = crate::map_run::abandon(self, id);
        let scope = self.scopes.get(id);
        let joined = mapped || matches!(scope.phase, Phase::Join(_));
        if let Some(task) = scope.task() {
            self.tasks.remove(&task);
            self.command(Command::CancelTask(task));
        }
        self.clear_timers(id);
        self.forget(id);
        self.abort_children(id, None, cause);
        let recorded = match state_type {
            StateType::Task | StateType::Wait => inside,
            StateType::Parallel | StateType::Map => joined,
            _ => false,
        };
        if mapped {
            self.emit(last, EventKind::MapRunAborted);
        }
        if recorded {
            self.emit(cause, EventKind::StateAborted(state_type));
        }
        self.scopes.remove(id)
    }
}

/// How AWS begins the cause of every error that the interpreter itself finds.
const PREFIX: &str = "An error occurred while executing the state ";

/// The delay before the next attempt: interval times rate^used, capped, drawn from 0 up to that with FULL jitter.
fn backoff_ms(retrier: &Retrier, used: u64, jitter: u64) -> i64 {
    let mut seconds = retrier.interval_seconds as f64 * retrier.backoff_rate.powf(used as f64);
    if let Some(cap) = retrier.max_delay_seconds {
        seconds = seconds.min(cap as f64);
    }
    if retrier.full_jitter {
        // 53 bits make an even fraction of [0, 1).
        seconds *= (draw(jitter, 0, 0) >> 11) as f64 / (1_u64 << 53) as f64;
    }
    // A saturating conversion: an absurd rate waits for ever instead of wrapping.
    (seconds * 1000.0) as i64
}
