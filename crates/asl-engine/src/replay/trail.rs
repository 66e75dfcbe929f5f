//! Which state each event of a history belongs to, and by which way the execution came there.
//!
//! A *place* is a state with the way to it: the place before it, or the Parallel, or the iteration of the Map, that it is
//! the first state of. Two histories that went the same way have the same places, however their branches took turns.

use asl_core::event::{Event, EventKind};
use asl_syntax::model::StateType;
use std::collections::HashMap;
use std::sync::Arc;

/// The number of a place in [`Places`].
pub(crate) type PlaceId = usize;

/// What a place is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    /// The one it follows, or that it is inside of.
    after: Option<PlaceId>,
    /// The Parallel or Map, or the iteration, that it is inside of.
    inside: Option<PlaceId>,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum What {
    State(Arc<str>, &'static str),
    Iteration(u64),
}

/// Places by what they are: several histories can share them, to be compared.
#[derive(Debug, Default)]
pub(crate) struct Places {
    known: HashMap<Place, PlaceId>,
    list: Vec<Place>,
}

impl Places {
    fn id(&mut self, place: Place) -> PlaceId {
        if let Some(id) = self.known.get(&place) {
            return *id;
        }
        self.list.push(place.clone());
        self.known.insert(place, self.list.len() - 1);
        self.list.len() - 1
    }

    /// The state of a place; of an iteration its Map.
    pub(crate) fn state(&self, id: PlaceId) -> Arc<str> {
        let mut at = id;
        loop {
            match (&self.list[at].what, self.list[at].inside) {
                (What::State(name, _), _) => return name.clone(),
                (What::Iteration(_), Some(map)) => at = map,
                (What::Iteration(_), None) => return "".into(),
            }
        }
    }

    /// The place itself or the nearest one around it for which `is` holds.
    fn climb(&self, from: PlaceId, is: impl Fn(&What) -> bool) -> Option<PlaceId> {
        let mut at = Some(from);
        while let Some(id) = at.filter(|id| !is(&self.list[*id].what)) {
            at = self.list[id].inside;
        }
        at
    }
}

/// The places of one history, by event.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// By number of the event; the first is event 1.
    at: Vec<Option<PlaceId>>,
    /// The events that open a Parallel or Map: what follows is inside.
    opens: Vec<bool>,
}

impl Trail {
    /// Takes the next event. For one that enters a state, its place.
    pub(crate) fn add<P>(&mut self, places: &mut Places, event: &Event<P>) -> Option<PlaceId> {
        let before = self.place(event.previous);
        let opened = self.opens.get((event.previous as usize).wrapping_sub(1)).copied().unwrap_or(false);
        let named = |places: &Places, name: &str| {
            before.and_then(|b| places.climb(b, |what| matches!(what, What::State(n, _) if **n == *name)))
        };
        let typed = |places: &Places, state: StateType| {
            before.and_then(|b| places.climb(b, |what| matches!(what, What::State(_, t) if *t == state.name())))
        };
        let mut entered = None;
        let (place, opens) = match &event.kind {
            EventKind::StateEntered { state, name, .. } => {
                let inside = if opened { before } else { before.and_then(|b| places.list[b].inside) };
                let what = What::State(name.clone(), state.name());
                entered = Some(places.id(Place { after: before, inside, what }));
                (entered, false)
            }
            EventKind::StateExited { name, .. } => (named(places, name).or(before), false),
            EventKind::MapIteration { name, index, .. } => {
                let map = named(places, name);
                let iteration =
                    map.map(|map| Place { after: map.into(), inside: map.into(), what: What::Iteration(*index) });
                (iteration.map(|place| places.id(place)), true)
            }
            EventKind::ParallelStateStarted => (typed(places, StateType::Parallel), true),
            EventKind::MapStateStarted { .. } => (typed(places, StateType::Map), true),
            _ => (before, false),
        };
        self.at.push(place);
        self.opens.push(opens);
        entered
    }

    /// The place of an event.
    pub(crate) fn place(&self, event: u64) -> Option<PlaceId> {
        self.at.get((event as usize).checked_sub(1)?).copied().flatten()
    }

    /// The state of an event, if it belongs to one.
    pub(crate) fn state(&self, places: &Places, event: u64) -> Option<Arc<str>> {
        self.place(event).map(|place| places.state(place))
    }
}
