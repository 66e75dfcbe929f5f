//! From a flow of the definition to boxes and links.

use crate::draw::{LOOP_HEIGHT, loop_width};
use crate::label::{self, Sizes, width};
use crate::layers::Item;
use crate::model::{EdgeKind, Place};
use crate::rank::Link;
use asl_syntax::model::{Condition, Definition, FlowId, Next, State, StateId, StateKind};
use std::collections::BTreeMap;

/// The narrowest box, so that its ports have room.
const MIN_WIDTH: i32 = 14;

/// An edge before it has a place.
#[derive(Clone, Debug)]
pub(crate) struct Arrow {
    pub(crate) from: Place,
    pub(crate) to: Place,
    pub(crate) kind: EdgeKind,
    /// The label in short, and whole.
    pub(crate) label: Option<(String, String)>,
}

/// What is in a flow.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What the items stand for; the start of the flow is the first.
    pub(crate) places: Vec<Place>,
    pub(crate) items: Vec<Item>,
    pub(crate) arrows: Vec<Arrow>,
    /// One for each arrow.
    pub(crate) links: Vec<Link>,
}

/// How a state's box is written.
#[derive(Clone, Debug)]
pub(crate) struct Face {
    pub(crate) lines: Vec<String>,
    pub(crate) tag: String,
}

impl Face {
    /// The face of a state.
    pub(crate) fn of(state: &State, sizes: Sizes) -> Face {
        let kind = state.state_type().name();
        let tag = match &state.kind {
            StateKind::Task(task) => {
                let function = state.parameters.as_ref().and_then(|parameters| parameters.literal("FunctionName"));
                let called = label::clean(&label::resource(&task.resource, function.and_then(|name| name.as_str())));
                // What is called says that it is a Task, where there is no room for both.
                let fits = kind.len() + 1 + width(&called) <= sizes.name;
                if fits || sizes == Sizes::USUAL { format!("{kind} {called}") } else { called }
            }
            StateKind::Map(map) if map.distributed.is_some() => format!("{kind} distributed"),
            _ => kind.to_owned(),
        };
        Face { lines: label::wrap(&state.name, sizes.name), tag: label::shorten(&label::clean(&tag), sizes.name) }
    }

    /// The columns it needs: both borders, a blank on either side, and two for the sign of a status.
    pub(crate) fn width(&self) -> i32 {
        let longest = self.lines.iter().chain([&self.tag]).map(|l| width(l)).max().unwrap_or(0);
        (longest as i32 + 6).max(MIN_WIDTH)
    }
}

/// Plans a flow, which `is_top` where the picture begins and ends with it. `groups` has the sizes of the Parallel and Map states in
/// it.
pub(crate) fn plan(
    definition: &Definition,
    flow_id: FlowId,
    is_top: bool,
    groups: &BTreeMap<StateId, (i32, i32)>,
    sizes: Sizes,
) -> Plan {
    let flow = definition.flow(flow_id);
    let mut arrows = Vec::new();
    if is_top {
        arrows.push(Arrow { from: Place::Start, to: Place::State(flow.start_at), kind: EdgeKind::Next, label: None });
    }
    for &id in &flow.states {
        arrows_of(definition, id, is_top, sizes.label, &mut arrows);
    }
    let mut places = if is_top { vec![Place::Start] } else { Vec::new() };
    places.push(Place::State(flow.start_at));
    places.extend(flow.states.iter().filter(|s| **s != flow.start_at).map(|s| Place::State(*s)));
    if arrows.iter().any(|a| a.to == Place::End) {
        places.push(Place::End);
    }
    let index: BTreeMap<Place, usize> = places.iter().enumerate().map(|(i, p)| (*p, i)).collect();
    let mut items: Vec<Item> = places.iter().map(|p| item(definition, *p, groups, sizes)).collect();
    let links: Vec<Link> = arrows.iter().map(|a| link(definition, a, &index, sizes)).collect();
    let mut loops: BTreeMap<usize, i32> = BTreeMap::new();
    for link in links.iter().filter(|l| l.from == l.to) {
        let count = loops.entry(link.from).or_default();
        *count += 1;
        let item = &mut items[link.from];
        item.h = item.h.max(LOOP_HEIGHT * *count - 2 * (*count - 1));
        item.spare = item.spare.max(loop_width(link.label));
    }
    Plan { places, items, arrows, links }
}

fn item(definition: &Definition, place: Place, groups: &BTreeMap<StateId, (i32, i32)>, sizes: Sizes) -> Item {
    match place {
        Place::Start => Item { w: 9, h: 3, spare: 0 },
        Place::End => Item { w: 9, h: 3, spare: 0 },
        Place::State(id) => match groups.get(&id) {
            Some((w, h)) => Item { w: *w, h: *h, spare: 0 },
            None => {
                let face = Face::of(definition.state(id), sizes);
                Item { w: face.width(), h: 2 + face.lines.len() as i32, spare: 0 }
            }
        },
    }
}

fn link(definition: &Definition, arrow: &Arrow, index: &BTreeMap<Place, usize>, sizes: Sizes) -> Link {
    let jump = match arrow.to {
        Place::State(id) => width(&definition.state(id).name).min(sizes.name) as i32 + 6,
        Place::Start | Place::End => 9,
    };
    Link {
        from: index[&arrow.from],
        to: index[&arrow.to],
        catch: arrow.kind == EdgeKind::Catch,
        weight: match arrow.kind {
            EdgeKind::Next => 8,
            EdgeKind::Choice | EdgeKind::Default => 4,
            EdgeKind::Catch => 1,
        },
        label: arrow.label.as_ref().map_or(0, |(text, _)| width(text) as i32 + 2),
        jump: jump.max(MIN_WIDTH),
    }
}

/// The edges out of a state. Those of one kind to one state are one edge.
fn arrows_of(definition: &Definition, id: StateId, is_top: bool, label: usize, arrows: &mut Vec<Arrow>) {
    let state = definition.state(id);
    let from = Place::State(id);
    match state.next {
        Next::State(next) => arrows.push(Arrow { from, to: Place::State(next), kind: EdgeKind::Next, label: None }),
        Next::End if is_top => arrows.push(Arrow { from, to: Place::End, kind: EdgeKind::Next, label: None }),
        Next::End | Next::None => {}
    }
    if let StateKind::Choice(choice) = &state.kind {
        let rules = by_target(choice.rules.iter().map(|r| (r.next, &r.condition)));
        for (next, rules) in rules {
            let rules: Vec<&Condition> = rules;
            let text = Some(label::conditions(&rules, label));
            arrows.push(Arrow { from, to: Place::State(next), kind: EdgeKind::Choice, label: text });
        }
        if let Some(next) = choice.default {
            let text = Some(("default".to_owned(), "default".to_owned()));
            arrows.push(Arrow { from, to: Place::State(next), kind: EdgeKind::Default, label: text });
        }
    }
    for (next, names) in by_target(state.catch().iter().map(|c| (c.next, &c.error_equals))) {
        let names: Vec<_> = names.into_iter().flatten().cloned().collect();
        let text = Some(label::errors(&names, label));
        arrows.push(Arrow { from, to: Place::State(next), kind: EdgeKind::Catch, label: text });
    }
}

/// Groups by target, in the order of each target's first appearance.
fn by_target<T>(pairs: impl Iterator<Item = (StateId, T)>) -> Vec<(StateId, Vec<T>)> {
    let mut at: BTreeMap<StateId, usize> = BTreeMap::new();
    let mut out: Vec<(StateId, Vec<T>)> = Vec::new();
    for (id, value) in pairs {
        let index = *at.entry(id).or_insert_with(|| {
            out.push((id, Vec::new()));
            out.len() - 1
        });
        out[index].1.push(value);
    }
    out
}
