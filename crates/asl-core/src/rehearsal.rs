//! One state alone: the machine enters it with variables and a context of the caller's, and the work of its branches,
//! iterations and children is answered from outside (TestState). The rules are those of every other execution.

use crate::error::StateError;
use crate::event::{EventKind, Failure};
use crate::input::{Execution, Outcome};
use crate::join::{Join, Work};
use crate::machine::Machine;
use crate::map_run::{self, MapRunId};
use crate::probe::DataStage;
use crate::scope::{Phase, ScopeId};
use asl_expr::Timestamp;
use asl_syntax::model::{Definition, FlowId, StateId};
use asl_value::Value;
use std::sync::Arc;

/// How a state is entered.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The state.
    pub state: StateId,
    /// The variables it sees.
    pub variables: Vec<(Arc<str>, Value)>,
    /// The context object, instead of the execution's own.
    pub context: Option<Value>,
    /// The item of the Map that the state is in, where it is in one: `Map.Item` of the execution's own context.
    pub map_item: Option<Value>,
    /// How often each of its retriers was used before.
    pub retry_count: u64,
}

impl Machine {
    /// A machine whose execution begins in one state of `definition`. It goes on from there as any other, but starts no
    /// branch, iteration or child: a Parallel or Map waits for [`Machine::conclude`]. Causes are bare: they do not name the
    /// state and its event (recorded AWS behaviour of TestState).
    pub fn rehearse(
        definition: Arc<Definition>,
        execution: Execution,
        rehearsal: Rehearsal,
        now: Timestamp,
    ) -> Machine {
        let mut machine = Machine::new(definition);
        machine.advance(now);
        machine.start(execution, FlowId::TOP);
        let scope = machine.scopes.get_mut(ScopeId::ROOT);
        scope.state = rehearsal.state;
        scope.variables.extend(rehearsal.variables.iter().cloned());
        machine.rehearsal = Some(Arc::new(rehearsal));
        machine
    }

    /// The name of the state that the execution is about to enter.
    pub fn entering(&self) -> Option<&Arc<str>> {
        let scope = self.scopes.all().next()?;
        matches!(scope.phase, Phase::Enter).then(|| &self.definition.state(scope.state).name)
    }

    /// The variables of the top level.
    pub fn variables(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.scopes.all().next().into_iter().flat_map(|scope| &scope.variables)
    }

    /// How many items the Map has that waits for [`Machine::conclude`].
    pub fn held_items(&self) -> Option<usize> {
        match &self.scopes.all().next()?.phase {
            Phase::Join(join) => Some(join.results.len()),
            Phase::MapRun(run) => Some(run.item_count()),
            _ => None,
        }
    }

    /// True when so many failed items are more than the Distributed Map that waits for [`Machine::conclude`] tolerates.
    pub fn exceeds_tolerance(&self, failed: u64) -> bool {
        let phase = self.scopes.all().next().map(|scope| &scope.phase);
        matches!(phase, Some(Phase::MapRun(run)) if run.exceeds_tolerance(failed))
    }

    /// The Distributed Map that waits for its items or for [`Machine::conclude`].
    pub fn held_map_run(&self) -> Option<MapRunId> {
        match &self.scopes.all().next()?.phase {
            Phase::MapRun(run) => Some(run.id),
            _ => None,
        }
    }

    /// True when a Parallel or a Map waits for [`Machine::conclude`].
    pub fn is_held(&self) -> bool {
        let phase = self.scopes.all().next().map(|scope| &scope.phase);
        matches!(phase, Some(Phase::Join(_) | Phase::MapRun(_)))
    }

    /// Ends the work of the Parallel or Map that waits, with what its branches or iterations came to. Call
    /// [`Machine::run`] afterwards. Nothing happens where none waits.
    pub fn conclude(&mut self, result: Result<Value, Failure>) {
        let id = ScopeId::ROOT;
        if let Some(run) = self.held_map_run() {
            let outcome = result.map_or_else(Outcome::Failed, Outcome::Succeeded);
            return map_run::conclude(self, run, outcome);
        }
        let Phase::Join(join) = &self.scopes.get(id).phase else { return };
        let closing = match join.work {
            Work::Branches => EventKind::ParallelStateSucceeded,
            Work::Items { .. } => EventKind::MapStateSucceeded,
        };
        let result = result.map_err(StateError::of_work);
        if result.is_ok() {
            self.emit_in(id, closing);
        }
        self.scopes.get_mut(id).phase = Phase::Answered(result);
        self.wake(id);
    }

    /// True when branches, iterations and children are not to be started.
    pub(crate) fn holds(&self) -> bool {
        self.rehearsal.is_some()
    }

    /// Collects what an observer is shown of many items: as much as a record may hold, so that a selector cannot make
    /// without bound what nobody limits elsewhere.
    pub(crate) fn sights_of(
        &self,
        id: ScopeId,
        values: impl Iterator<Item = Result<Value, StateError>>,
    ) -> Result<Vec<Value>, StateError> {
        const MOST_BYTES: usize = 8 << 20;
        let mut bytes = 0;
        values
            .map(|value| {
                let value = value?;
                bytes += value.measure().bytes;
                if bytes > MOST_BYTES {
                    let name = &Machine::state_of(&self.definition, self.scopes.get(id)).name;
                    return Err(StateError::data_limit(name, "provided", "parameters"));
                }
                Ok(value)
            })
            .collect()
    }

    /// Notes what the iterations of an inline Map would get.
    pub(crate) fn see_iterations(&self, id: ScopeId, join: &Join) -> Result<(), StateError> {
        let Work::Items { items, input } = &join.work else { return Ok(()) };
        if !self.is_observed() || !self.has_selector(id) {
            return Ok(());
        }
        let selected = (0..items.len()).map(|index| self.iteration_input(id, items, input, index));
        let selected = self.sights_of(id, selected)?;
        self.see(id, DataStage::AfterItemSelector, || Value::from(selected));
        Ok(())
    }
}
