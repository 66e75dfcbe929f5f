//! What an execution did, as it is observed: events, retries, and the way through its states.

use super::coverage::{Point, reached};
use crate::{Definition, Event, EventKind, Note, Observer, Update, Value};
use asl_core::event::{IterationStage, TaskStage};
use asl_syntax::model::{FlowId, StateKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Remembers everything that happens in one engine.
pub(super) struct Recorder {
    definition: Arc<Definition>,
    recorded: Mutex<Recorded>,
}

/// What was remembered.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded {
    /// The events of each execution, in the order in which they began: the first is no child.
    pub(super) executions: Vec<Vec<Event>>,
    /// Where each execution is, by its ARN.
    places: HashMap<Arc<str>, usize>,
    /// How often each state was tried again.
    pub(super) retries: BTreeMap<String, u64>,
    pub(super) reached: BTreeSet<Point>,
}

impl Recorder {
    pub(super) fn new(definition: Arc<Definition>) -> Recorder {
        Recorder { definition, recorded: Mutex::default() }
    }

    pub(super) fn recorded(&self) -> Recorded {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Recorder {
    fn observe(&self, update: &Update<'_>) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let next = recorded.executions.len();
        let place = *recorded.places.entry(update.execution.arn.clone()).or_insert(next);
        if place == next {
            recorded.executions.push(Vec::new());
        }
        recorded.executions[place].extend_from_slice(update.events);
        for note in update.notes {
            if let Note::Retry { state, .. } = note {
                *recorded.retries.entry(state.to_string()).or_default() += 1;
            }
        }
        reached(&self.definition, update.events, update.notes, &mut recorded.reached);
    }
}

impl Recorded {
    /// The events of the execution itself.
    pub(super) fn events(&self) -> &[Event] {
        self.executions.first().map_or(&[], Vec::as_slice)
    }

    /// How long it took, in milliseconds of the engine's clock.
    pub(super) fn duration_ms(&self) -> i64 {
        let (first, last) = (self.events().first(), self.events().last());
        first.zip(last).map_or(0, |(first, last)| last.timestamp.millis() - first.timestamp.millis())
    }

    /// What was assigned to each variable last, children included.
    pub(super) fn variables(&self) -> BTreeMap<String, Value> {
        let mut variables = BTreeMap::new();
        for event in self.executions.iter().flatten() {
            if let EventKind::StateExited { assigned, .. } = &event.kind {
                variables.extend(assigned.iter().map(|(name, value)| (name.to_string(), value.clone())));
            }
        }
        variables
    }

    /// The causes of failed tasks and map runs.
    pub(super) fn causes(&self) -> impl Iterator<Item = &str> {
        self.executions.iter().flatten().filter_map(|event| match &event.kind {
            EventKind::Task { stage: TaskStage::Failed(failure) | TaskStage::SubmitFailed(failure), .. }
            | EventKind::MapRunFailed(failure) => failure.cause.as_deref(),
            _ => None,
        })
    }

    /// The way of the execution, with those of its branches, iterations and children.
    pub(super) fn way(&self, definition: &Definition) -> Way {
        let mut ways = self.executions.iter().map(|events| Scopes::of(definition, events).way(0));
        let mut way = ways.next().unwrap_or_default();
        for child in ways {
            let first = child.0.first().and_then(|stop| definition.find(&stop.state));
            let owner = first.and_then(|id| definition.flow(definition.state(id).flow).owner);
            if let Some(owner) = owner {
                way.adopt(&definition.state(owner).name, child);
            }
        }
        way
    }
}

/// The states a scope entered, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way(pub(super) Vec<Stop>);

/// A state on a way, and the ways within it: by branch, by iteration, or of children in no order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stop {
    pub(super) state: String,
    pub(super) inner: Vec<Way>,
}

impl Way {
    /// Puts the way of a child of a Distributed Map where that Map is. Children come in no order: ways are sorted.
    fn adopt(&mut self, map: &str, child: Way) {
        for stop in self.0.iter_mut().rev() {
            if stop.state == map {
                let at = stop.inner.partition_point(|way| *way < child);
                return stop.inner.insert(at, child);
            }
            stop.inner.iter_mut().for_each(|way| way.adopt(map, child.clone()));
        }
    }
}

/// The scopes of one execution, found again in its events.
struct Scopes<'d> {
    definition: &'d Definition,
    scopes: Vec<ScopeWay>,
    /// The scope of each event, and whether it opens new ones.
    places: Vec<(usize, bool)>,
}

struct ScopeWay {
    flow: FlowId,
    parent: usize,
    stops: Vec<(String, BTreeMap<u64, usize>)>,
}

impl<'d> Scopes<'d> {
    fn of(definition: &'d Definition, events: &[Event]) -> Scopes<'d> {
        let root = ScopeWay { flow: FlowId::TOP, parent: 0, stops: Vec::new() };
        let mut scopes = Scopes { definition, scopes: vec![root], places: Vec::with_capacity(events.len()) };
        for event in events {
            let place = scopes.place(event);
            scopes.places.push(place);
        }
        scopes
    }

    fn place(&mut self, event: &Event) -> (usize, bool) {
        let before = usize::try_from(event.previous).ok().and_then(|id| id.checked_sub(1));
        let (from, opens) = before.and_then(|at| self.places.get(at)).copied().unwrap_or((0, false));
        match &event.kind {
            EventKind::StateEntered { name, .. } => (self.enter(from, opens, name), false),
            EventKind::StateExited { name, .. } => (self.around(from, name), false),
            EventKind::MapIteration { stage: IterationStage::Started, name, index } => {
                let map = self.around(from, name);
                let flow = match self.definition.find(name).map(|id| &self.definition.state(id).kind) {
                    Some(StateKind::Map(map)) => map.processor,
                    _ => FlowId::TOP,
                };
                (self.open(map, *index, flow), false)
            }
            EventKind::ParallelStateStarted => (from, true),
            _ => (from, false),
        }
    }

    /// The scope a state is in, from an event before it outwards.
    fn around(&self, from: usize, state: &str) -> usize {
        let flow = self.definition.find(state).map_or(FlowId::TOP, |id| self.definition.state(id).flow);
        self.outwards(from, flow).unwrap_or(from)
    }

    fn outwards(&self, mut at: usize, flow: FlowId) -> Option<usize> {
        loop {
            if self.scopes[at].flow == flow {
                return Some(at);
            }
            if at == 0 {
                return None;
            }
            at = self.scopes[at].parent;
        }
    }

    fn enter(&mut self, from: usize, opens: bool, name: &str) -> usize {
        let Some(id) = self.definition.find(name) else { return from };
        let flow = self.definition.state(id).flow;
        // The first event of a child of a Distributed Map: its flow is not the top one.
        if self.scopes.len() == 1 && self.scopes[0].stops.is_empty() {
            self.scopes[0].flow = flow;
        }
        let owner = self.definition.flow(flow).owner.map(|owner| self.definition.state(owner));
        let scope = match (opens, owner) {
            (true, Some(owner)) => {
                let parent = self.outwards(from, owner.flow).unwrap_or(0);
                let branch = match &owner.kind {
                    StateKind::Parallel(parallel) => parallel.branches.iter().position(|branch| *branch == flow),
                    _ => None,
                };
                self.open(parent, branch.unwrap_or(0) as u64, flow)
            }
            _ => self.outwards(from, flow).unwrap_or(from),
        };
        self.scopes[scope].stops.push((name.to_owned(), BTreeMap::new()));
        scope
    }

    /// A new scope in the state that `parent` is in. One of an earlier attempt gives way.
    fn open(&mut self, parent: usize, index: u64, flow: FlowId) -> usize {
        let scope = self.scopes.len();
        self.scopes.push(ScopeWay { flow, parent, stops: Vec::new() });
        if let Some((_, inner)) = self.scopes[parent].stops.last_mut() {
            inner.insert(index, scope);
        }
        scope
    }

    fn way(&self, scope: usize) -> Way {
        let stop = |(state, inner): &(String, BTreeMap<u64, usize>)| Stop {
            state: state.clone(),
            inner: inner.values().map(|scope| self.way(*scope)).collect(),
        };
        Way(self.scopes[scope].stops.iter().map(stop).collect())
    }
}
