//! Joins: how a Parallel or an inline Map waits for its branches or iterations (spec: Wait, Parallel, Map).

use crate::context::{Context, MapItem};
use crate::data::fill;
use crate::error::StateError;
use crate::event::{EventId, EventKind, IterationStage};
use crate::machine::Machine;
use crate::scope::{Phase, Scope, ScopeId};
use asl_syntax::model::{StateId, StateKind};
use asl_value::{Array, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a Parallel or Map state waits for.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    /// The children at work, by index.
    pub(crate) running: BTreeMap<u64, ScopeId>,
    /// The outputs so far, by index; null where there is none yet.
    pub(crate) results: Vec<Value>,
    /// How many children are done.
    pub(crate) done: usize,
    /// The index of the next iteration to start.
    pub(crate) next: usize,
    /// The last event of the child that was done last.
    pub(crate) last: EventId,
    /// What the children get.
    pub(crate) work: Work,
}

/// What the children of a join get.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Each branch the same input; all started at once.
    Branches,
    /// Each iteration an item; made one by one as places come free.
    Items {
        /// The array.
        items: Arc<Array>,
        /// The effective input of the Map, `$` of the ItemSelector.
        input: Value,
    },
}

/// An invariant: a scope with children waits for them.
const JOINS: &str = "a scope with children has a join";

impl Machine {
    /// Starts the branches of a Parallel.
    pub(crate) fn fork(&mut self, id: ScopeId, starts: &[StateId], input: &Value) {
        let started = self.emit_in(id, EventKind::ParallelStateStarted);
        let mut running = BTreeMap::new();
        let to_start = if self.holds() { &[] } else { starts };
        for (index, start) in (0..).zip(to_start) {
            let child = self.scopes.add(Scope::new(Some((id, index)), *start, input.clone(), started));
            running.insert(index, child);
            self.wake(child);
        }
        let results = vec![Value::Null; starts.len()];
        let join = Join { running, results, done: 0, next: starts.len(), last: started, work: Work::Branches };
        let scope = self.scopes.get_mut(id);
        scope.phase = Phase::Join(Box::new(join));
        scope.fallen = None;
    }

    /// Starts an inline Map: up to `limit` iterations at once, the others as places come free.
    pub(crate) fn iterate(&mut self, id: ScopeId, items: Arc<Array>, input: Value, limit: usize) {
        let started = self.emit_in(id, EventKind::MapStateStarted { length: items.len() as u64 });
        let total = items.len();
        let join = Join {
            running: BTreeMap::new(),
            results: vec![Value::Null; total],
            done: 0,
            next: 0,
            last: started,
            work: Work::Items { items, input },
        };
        let seen = self.see_iterations(id, &join);
        let scope = self.scopes.get_mut(id);
        scope.phase = Phase::Join(Box::new(join));
        scope.fallen = None;
        if self.holds() {
            if let Err(error) = seen {
                self.scopes.get_mut(id).phase = Phase::Waiting;
                self.recover(id, error);
            }
            return;
        }
        if total == 0 {
            return self.joined(id);
        }
        for _ in 0..limit.min(total) {
            if !self.start_iteration(id, started) {
                return;
            }
        }
    }

    fn join_mut(&mut self, id: ScopeId) -> Option<&mut Join> {
        match &mut self.scopes.get_mut(id).phase {
            Phase::Join(join) => Some(join),
            _ => None,
        }
    }

    /// Starts the next iteration, following `previous`. False when its input could not be made, which fails the Map.
    pub(crate) fn start_iteration(&mut self, id: ScopeId, previous: EventId) -> bool {
        let join = self.join_mut(id).expect(JOINS);
        let Work::Items { items, input } = &join.work else { panic!("only a Map has iterations") };
        let (index, items, input) = (join.next, items.clone(), input.clone());
        join.next += 1;
        let definition = self.definition.clone();
        let state = Machine::state_of(&definition, self.scopes.get(id));
        let StateKind::Map(map) = &state.kind else { panic!("only a Map has iterations") };
        let kind =
            EventKind::MapIteration { stage: IterationStage::Started, name: state.name.clone(), index: index as u64 };
        let started = self.emit(previous, kind);
        match self.iteration_input(id, &items, &input, index) {
            Ok(selected) => {
                let start_at = definition.flow(map.processor).start_at;
                let child = self.scopes.add(Scope::new(Some((id, index as u64)), start_at, selected, started));
                if let Some(join) = self.join_mut(id) {
                    join.running.insert(index as u64, child);
                }
                self.wake(child);
                true
            }
            Err(error) => {
                self.scopes.get_mut(id).last = started;
                if let Some(join) = self.join_mut(id) {
                    // A redrive begins with it again.
                    join.next = index;
                }
                self.abort_children(id, None, started);
                self.recover(id, error);
                false
            }
        }
    }

    /// What an iteration gets: its item, through the ItemSelector.
    pub(crate) fn iteration_input(
        &self,
        id: ScopeId,
        items: &Array,
        input: &Value,
        index: usize,
    ) -> Result<Value, StateError> {
        let state = Machine::state_of(&self.definition, self.scopes.get(id));
        let selector = match &state.kind {
            StateKind::Map(map) => map.item_selector.as_ref(),
            _ => None,
        };
        let Some(selector) = selector else { return Ok(items[index].clone()) };
        let item = MapItem { index: index as u64, value: items[index].clone(), key: None, source: None };
        let selected = fill(selector, input, &Context::new(self, id).with_item(&item))?;
        self.check_size(&selected, || StateError::data_limit(&state.name, "provided", "parameters"))?;
        Ok(selected)
    }

    /// True when the scope is in a Map with an ItemSelector.
    pub(crate) fn has_selector(&self, id: ScopeId) -> bool {
        let state = Machine::state_of(&self.definition, self.scopes.get(id));
        matches!(&state.kind, StateKind::Map(map) if map.item_selector.is_some())
    }

    /// A branch or an iteration is done.
    pub(crate) fn child_done(&mut self, parent: ScopeId, child: ScopeId, index: u64, output: Value) {
        let last = self.scopes.remove(child).map_or(0, |scope| scope.last);
        let join = self.join_mut(parent).expect(JOINS);
        join.running.remove(&index);
        join.results[index as usize] = output;
        join.done += 1;
        let finished = join.done == join.results.len();
        let more = join.next < join.results.len();
        let is_map = matches!(join.work, Work::Items { .. });
        let closing = if is_map {
            let name = Machine::state_of(&self.definition, self.scopes.get(parent)).name.clone();
            self.emit(last, EventKind::MapIteration { stage: IterationStage::Succeeded, name, index })
        } else {
            last
        };
        self.join_mut(parent).expect(JOINS).last = closing;
        if finished {
            self.joined(parent);
        } else if more {
            self.start_iteration(parent, last);
        }
    }

    /// All children are done: the state has its result. The event that says so is nobody's previous one.
    fn joined(&mut self, id: ScopeId) {
        let phase = std::mem::replace(&mut self.scopes.get_mut(id).phase, Phase::Waiting);
        let Phase::Join(join) = phase else { panic!("{JOINS}") };
        let kind = match join.work {
            Work::Branches => EventKind::ParallelStateSucceeded,
            Work::Items { .. } => EventKind::MapStateSucceeded,
        };
        self.emit(join.last, kind);
        self.scopes.get_mut(id).last = join.last;
        let definition = self.definition.clone();
        let state = Machine::state_of(&definition, self.scopes.get(id));
        self.finish_state(id, state, Value::from(join.results));
    }
}
