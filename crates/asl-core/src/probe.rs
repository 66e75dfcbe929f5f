//! A pure observer of the data flow: what a state's data was after each step of its processing. Whoever inspects a state
//! (TestState, a console) sets one; a machine without one pays a look at an empty option.

use crate::machine::Machine;
use crate::scope::ScopeId;
use asl_value::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// A step of the processing, in AWS's names (`InspectionData` of TestState).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is AWS's field of that name")]
pub enum DataStage {
    AfterInputPath,
    AfterParameters,
    AfterArguments,
    Result,
    AfterResultSelector,
    AfterResultPath,
    AfterItemsPath,
    /// An array: the input of each iteration.
    AfterItemSelector,
    /// An array: the input of each child.
    AfterItemBatcher,
    MaxConcurrency,
    ToleratedFailureCount,
    ToleratedFailurePercentage,
    /// The entry of `Retry` that matched an error, whether or not it has attempts left.
    RetryIndex,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// The state.
    pub state: Arc<str>,
    /// The step that made it.
    pub stage: DataStage,
    /// What it made.
    pub value: Value,
}

/// The sights so far. Evaluation only reads the machine, so what it sees is written through a lock, which nobody else holds.
#[derive(Debug, Default)]
pub(crate) struct Probe(Mutex<Vec<Sight>>);

impl Clone for Probe {
    fn clone(&self) -> Probe {
        Probe(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl Machine {
    /// From now on notes what each step of a state's processing makes: see [`Machine::take_sights`].
    pub fn observe(&mut self) {
        self.probe.get_or_insert_default();
    }

    /// Takes what was seen since the last call, in order. Empty without [`Machine::observe`].
    pub fn take_sights(&mut self) -> Vec<Sight> {
        let sights = self.probe.as_mut().map(|probe| probe.0.get_mut().unwrap_or_else(PoisonError::into_inner));
        sights.map(std::mem::take).unwrap_or_default()
    }

    /// Notes what a step made; `value` is only asked for where somebody observes.
    pub(crate) fn see(&self, id: ScopeId, stage: DataStage, value: impl FnOnce() -> Value) {
        if let Some(probe) = &self.probe {
            let state = Machine::state_of(&self.definition, self.scopes.get(id)).name.clone();
            let sight = Sight { state, stage, value: value() };
            probe.0.lock().unwrap_or_else(PoisonError::into_inner).push(sight);
        }
    }

    /// True when somebody observes.
    pub(crate) fn is_observed(&self) -> bool {
        self.probe.is_some()
    }
}
