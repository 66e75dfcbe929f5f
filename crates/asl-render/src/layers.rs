//! Layers: every edge becomes segments between neighbouring layers, through bends and labels.
//!
//! A label is a vertex on its edge, in a layer of its own between two rows: so nothing can lie on it. Long edges to the
//! same item share their bends: they join into one line, which can only lead there.

use crate::rank::{Link, Ranks};
use std::collections::BTreeMap;

/// How many bends a picture may have before its longest lines become jumps.
const MAX_BENDS: usize = 20_000;

/// A box to place: a state, a marker, or a group of known size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) w: i32,
    pub(crate) h: i32,
    /// Columns to keep free on its right, for an edge to itself.
    pub(crate) spare: i32,
}

/// What a vertex stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Item(usize),
    Label(usize),
    Bend,
}

/// Something with a place in a layer.
#[derive(Clone, Debug)]
pub(crate) struct Vertex {
    pub(crate) role: Role,
    pub(crate) layer: usize,
    /// Columns left of its axis.
    pub(crate) left: i32,
    /// Columns from its axis on, with the axis.
    pub(crate) right: i32,
    /// How many of those are kept free.
    pub(crate) spare: i32,
    pub(crate) h: i32,
}

impl Vertex {
    fn new(role: Role, layer: usize, w: i32, h: i32) -> Vertex {
        Vertex { role, layer, left: w / 2, right: w - w / 2, spare: 0, h }
    }

    pub(crate) fn is_item(&self) -> bool {
        matches!(self.role, Role::Item(_))
    }
}

/// Lines that may run together: those of one class at one box share their way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class {
    pub(crate) catch: bool,
    pub(crate) back: bool,
}

/// A piece of one or more edges between two neighbouring layers.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) upper: usize,
    pub(crate) lower: usize,
    pub(crate) class: Class,
    pub(crate) weight: i32,
}

/// A flow in layers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layered {
    /// The items come first, with the same index.
    pub(crate) vertices: Vec<Vertex>,
    /// The vertices of each layer, left to right.
    pub(crate) layers: Vec<Vec<usize>>,
    pub(crate) segments: Vec<Segment>,
    /// The first segment of each link, at its source; none for a link from an item to itself.
    pub(crate) first: Vec<Option<usize>>,
    /// For each bend and label the one segment by which all its lines go on.
    pub(crate) onward: Vec<Option<usize>>,
}

impl Layered {
    /// For each vertex its segments downward and upward.
    pub(crate) fn adjacent(&self) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let (mut down, mut up) = (vec![Vec::new(); self.vertices.len()], vec![Vec::new(); self.vertices.len()]);
        for (i, segment) in self.segments.iter().enumerate() {
            down[segment.upper].push(i);
            up[segment.lower].push(i);
        }
        (down, up)
    }

    /// The place of each vertex within its layer.
    pub(crate) fn positions(&self) -> Vec<usize> {
        let mut at = vec![0; self.vertices.len()];
        for layer in &self.layers {
            layer.iter().enumerate().for_each(|(i, v)| at[*v] = i);
        }
        at
    }
}

/// Turns the longest links into links to new items of their own (returned, by link), until the bends are few enough.
pub(crate) fn cut(items: &mut Vec<Item>, links: &mut [Link], ranks: &mut Ranks) -> BTreeMap<usize, usize> {
    let span = |l: &Link, rank: &[usize]| rank[l.from].abs_diff(rank[l.to]);
    let mut longest = links.iter().map(|l| span(l, &ranks.rank)).max().unwrap_or(0);
    let bends = |longest: usize| -> usize {
        let mut chains: BTreeMap<(usize, bool, bool), usize> = BTreeMap::new();
        for (link, back) in links.iter().zip(&ranks.back) {
            let span = span(link, &ranks.rank);
            if span <= longest {
                let chain = chains.entry((link.to, link.catch, *back)).or_default();
                *chain = span.max(*chain);
            }
        }
        chains.values().map(|span| 2 * span).sum()
    };
    // Edges between neighbours need no bends, however many they are.
    while longest > 1 && bends(longest) > MAX_BENDS + 2 * links.len() {
        longest /= 2;
    }
    let mut jumps = BTreeMap::new();
    for (i, link) in links.iter_mut().enumerate() {
        if span(link, &ranks.rank) > longest {
            jumps.insert(i, items.len());
            link.to = items.len();
            items.push(Item { w: link.jump, h: 3, spare: 0 });
            ranks.back[i] = false;
            ranks.rank.push(ranks.rank[link.from] + 1);
        }
    }
    jumps
}

/// Makes the layers; within each the vertices are in no particular order yet.
pub(crate) fn build(items: &[Item], links: &[Link], ranks: &Ranks) -> Layered {
    let rows = ranks.rank.iter().max().map_or(0, |r| r + 1);
    let mut labelled = vec![false; rows];
    for (link, back) in links.iter().zip(&ranks.back).filter(|(l, _)| l.label > 0 && l.from != l.to) {
        labelled[ranks.rank[link.from] - usize::from(*back)] = true;
    }
    let mut layer_of = Vec::with_capacity(rows);
    let mut count = 0;
    for labelled in &labelled {
        layer_of.push(count);
        count += 1 + usize::from(*labelled);
    }
    let mut graph = Layered { layers: vec![Vec::new(); count], ..Layered::default() };
    for (i, item) in items.iter().enumerate() {
        let mut vertex = Vertex::new(Role::Item(i), layer_of[ranks.rank[i]], item.w, item.h);
        vertex.right += item.spare;
        vertex.spare = item.spare;
        add(&mut graph, vertex);
    }
    let mut bends = BTreeMap::new();
    for (i, link) in links.iter().enumerate() {
        let first = if link.from == link.to {
            None
        } else {
            let (from, to) = (layer_of[ranks.rank[link.from]], layer_of[ranks.rank[link.to]]);
            Some(connect(&mut graph, &mut bends, (i, link), from, to))
        };
        graph.first.push(first);
    }
    graph
}

/// The bends there are: of lines to this item, of this class, in this layer.
type Bends = BTreeMap<(usize, Class, usize), usize>;

/// Leads a link from its source to where it meets a line to the same target, or to the target; returns its first segment.
fn connect(graph: &mut Layered, bends: &mut Bends, (index, link): (usize, &Link), from: usize, to: usize) -> usize {
    let class = Class { catch: link.catch, back: to < from };
    let first = graph.segments.len();
    let (mut vertex, mut layer) = (link.from, from);
    loop {
        layer = if class.back { layer - 1 } else { layer + 1 };
        let beside_source = layer.abs_diff(from) == 1;
        let (ahead, joins) = if layer == to {
            (link.to, true)
        } else if link.label > 0 && beside_source {
            (add(graph, Vertex::new(Role::Label(index), layer, link.label, 1)), false)
        } else if let Some(bend) = bends.get(&(link.to, class, layer)) {
            (*bend, true)
        } else {
            let bend = add(graph, Vertex::new(Role::Bend, layer, 1, 0));
            bends.insert((link.to, class, layer), bend);
            (bend, false)
        };
        if vertex != link.from {
            graph.onward[vertex] = Some(graph.segments.len());
        }
        let (upper, lower) = if class.back { (ahead, vertex) } else { (vertex, ahead) };
        graph.segments.push(Segment { upper, lower, class, weight: link.weight });
        if joins {
            return first;
        }
        vertex = ahead;
    }
}

fn add(graph: &mut Layered, vertex: Vertex) -> usize {
    let index = graph.vertices.len();
    graph.layers[vertex.layer].push(index);
    graph.vertices.push(vertex);
    graph.onward.push(None);
    index
}
