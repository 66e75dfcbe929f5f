//! The whole picture: flows are drawn from the inside out, then put together from the outside in.

use crate::build::{Face, Plan, plan};
use crate::draw::{Drawn, draw};
use crate::label::{Sizes, clean, shorten, width, wrap};
use crate::model::{Edge, Graph, Group, Label, Node, NodeKind, Place, Point, Rect};
use asl_syntax::model::{Definition, FlowId, State, StateId, StateKind};
use std::collections::{BTreeMap, VecDeque};

/// Columns between a group's border and its content.
const PADDING: i32 = 3;
/// Columns between two branches.
const LANE_GAP: i32 = 5;

/// Lays out a state machine. Takes about a second for ten thousand states; lines that are too long to be drawn then end
/// at a [`NodeKind::Jump`].
pub fn layout(definition: &Definition) -> Graph {
    layout_flow(definition, FlowId::TOP)
}

/// Lays out one flow of a state machine, with what is inside of it: what a child of a Distributed Map runs.
pub fn layout_flow(definition: &Definition, top: FlowId) -> Graph {
    laid_out(definition, top, Sizes::USUAL)
}

/// The largest state machine that is laid out more than once to fit, in states.
const MAX_TRIES: usize = 500;

/// Lays out one flow of a state machine for so many columns: nothing is cut off where there is room, and names and labels are broken
/// and cut earlier where that makes it fit. When nothing does, it is laid out as if there were room.
pub fn layout_within(definition: &Definition, top: FlowId, columns: usize) -> Graph {
    if definition.states.len() > MAX_TRIES {
        return layout_flow(definition, top);
    }
    let mut graphs = Sizes::FROM_WIDE.iter().map(|sizes| laid_out(definition, top, *sizes));
    let Some(widest) = graphs.next() else { return layout_flow(definition, top) };
    let fits = |graph: &Graph| usize::try_from(graph.width).is_ok_and(|width| width <= columns);
    if fits(&widest) { widest } else { graphs.find(fits).unwrap_or(widest) }
}

fn laid_out(definition: &Definition, top: FlowId, sizes: Sizes) -> Graph {
    let mut flows: Vec<Option<(Plan, Drawn)>> = definition.flows.iter().map(|_| None).collect();
    let mut groups: BTreeMap<StateId, (i32, i32)> = BTreeMap::new();
    for flow in inside_out(definition, top) {
        let plan = plan(definition, flow, flow == top, &groups, sizes);
        let drawn = draw(&plan.items, &plan.links);
        flows[flow.0 as usize] = Some((plan, drawn));
        // The owner is drawn later, when all its flows have their size.
        if flow != top
            && let Some(owner) = definition.flow(flow).owner
        {
            let state = definition.state(owner);
            let inner: Option<Vec<&Drawn>> =
                inner_flows(state).iter().map(|f| flows[f.0 as usize].as_ref().map(|(_, d)| d)).collect();
            if let Some(inner) = inner {
                groups.insert(owner, Frame::new(state, &inner, sizes).size);
            }
        }
    }
    let mut graph = Graph { comment: definition.comment.clone(), ..Graph::default() };
    let mut todo = VecDeque::from([(top, Point::new(1, 0), None)]);
    while let Some((flow, at, group)) = todo.pop_front() {
        let Some((plan, drawn)) = &flows[flow.0 as usize] else { continue };
        if group.is_none() {
            (graph.width, graph.height) = (drawn.w + 2, drawn.h);
        }
        add_edges(&mut graph, definition, plan, drawn, at, group);
        for (index, place) in plan.places.iter().enumerate() {
            let rect = Rect::new(at.plus(drawn.items[index]), plan.items[index].w, plan.items[index].h);
            match place {
                Place::State(id) if groups.contains_key(id) => {
                    let state = definition.state(*id);
                    let inner = inner_flows(state);
                    let drawn: Vec<&Drawn> =
                        inner.iter().filter_map(|f| Some(&flows[f.0 as usize].as_ref()?.1)).collect();
                    let lanes = Frame::new(state, &drawn, sizes).lanes(rect, &drawn);
                    let index = graph.groups.len();
                    for (flow, lane) in inner.into_iter().zip(&lanes) {
                        todo.push_back((flow, Point::new(lane.x, lane.y), Some(index)));
                    }
                    graph.groups.push(frame_of(state, *id, rect, lanes, group, sizes));
                }
                place => graph.nodes.push(node(definition, *place, rect, group, sizes)),
            }
        }
    }
    graph
}

/// A flow and those inside of it, each after those inside of it.
fn inside_out(definition: &Definition, top: FlowId) -> Vec<FlowId> {
    let mut order = Vec::with_capacity(definition.flows.len());
    let mut todo = vec![top];
    while let Some(flow) = todo.pop() {
        order.push(flow);
        for state in &definition.flow(flow).states {
            todo.extend(inner_flows(definition.state(*state)));
        }
    }
    order.reverse();
    order
}

fn inner_flows(state: &State) -> Vec<FlowId> {
    match &state.kind {
        StateKind::Parallel(parallel) => parallel.branches.clone(),
        StateKind::Map(map) => vec![map.processor],
        _ => Vec::new(),
    }
}

/// The box around branches.
struct Frame {
    face: Face,
    inner_width: i32,
    size: (i32, i32),
}

impl Frame {
    fn new(state: &State, inner: &[&Drawn], sizes: Sizes) -> Frame {
        let mut face = Face::of(state, sizes);
        let gaps = LANE_GAP * (inner.len() as i32 - 1).max(0);
        let inner_width = inner.iter().map(|d| d.w).sum::<i32>() + gaps;
        face.lines = wrap(&state.name, sizes.name.max(inner_width as usize));
        let w = face.width().max(inner_width + 2 * PADDING);
        // Borders, the name, a free row, the branches; and never so low that edges to itself have no room.
        let inner_height = inner.iter().map(|d| d.h).max().unwrap_or(0).max(3);
        Frame { inner_width, size: (w, 3 + face.lines.len() as i32 + inner_height), face }
    }

    fn lanes(&self, rect: Rect, inner: &[&Drawn]) -> Vec<Rect> {
        let mut x = rect.x + (rect.w - self.inner_width) / 2;
        let y = rect.y + 2 + self.face.lines.len() as i32;
        let mut lanes = Vec::new();
        for drawn in inner {
            lanes.push(Rect { x, y, w: drawn.w, h: rect.bottom() - y });
            x += drawn.w + LANE_GAP;
        }
        lanes
    }
}

fn frame_of(state: &State, id: StateId, rect: Rect, lanes: Vec<Rect>, group: Option<usize>, sizes: Sizes) -> Group {
    let face = Face::of(state, sizes);
    let lines = wrap(&state.name, sizes.name.max((rect.w - 2 * PADDING) as usize));
    let state_type = state.state_type();
    Group { state: id, state_type, name: state.name.clone(), lines, tag: face.tag, rect, lanes, group }
}

fn node(definition: &Definition, place: Place, rect: Rect, group: Option<usize>, sizes: Sizes) -> Node {
    let marker = |kind, name: &str| Node {
        kind,
        name: name.into(),
        lines: vec![name.to_owned()],
        tag: String::new(),
        rect,
        group,
    };
    match place {
        Place::Start => marker(NodeKind::Start, "Start"),
        Place::End => marker(NodeKind::End, "End"),
        Place::State(id) => {
            let state = definition.state(id);
            let face = Face::of(state, sizes);
            Node { kind: NodeKind::State(id), name: state.name.clone(), lines: face.lines, tag: face.tag, rect, group }
        }
    }
}

fn add_edges(graph: &mut Graph, definition: &Definition, plan: &Plan, drawn: &Drawn, at: Point, group: Option<usize>) {
    let moved = |rect: Rect| Rect { x: rect.x + at.x, y: rect.y + at.y, ..rect };
    for (arrow, line) in plan.arrows.iter().zip(&drawn.links) {
        let label = arrow.label.as_ref().zip(line.label);
        let jump = line.jump.map(|rect| {
            let (kind, name) = match arrow.to {
                Place::State(id) => (NodeKind::Jump(id), &*definition.state(id).name),
                Place::Start | Place::End => (NodeKind::End, "End"),
            };
            let room = (rect.w - 6).max(1) as usize;
            debug_assert!(width(&shorten(&clean(name), room)) <= room);
            let lines = vec![shorten(&clean(name), room)];
            graph.nodes.push(Node { kind, name: name.into(), lines, tag: String::new(), rect: moved(rect), group });
            graph.nodes.len() - 1
        });
        graph.edges.push(Edge {
            from: arrow.from,
            to: arrow.to,
            kind: arrow.kind,
            label: label.map(|((text, full), rect)| Label {
                text: text.clone(),
                full: full.clone(),
                rect: moved(rect),
            }),
            points: line.points.iter().map(|p| p.plus(at)).collect(),
            jump,
        });
    }
}
