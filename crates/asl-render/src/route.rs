//! Rows and lines: every layer gets its row, every link its corners.

use crate::layers::{Class, Layered, Role};
use crate::model::Point;
use crate::ports::{Ports, ports};
use crate::tracks::{Net, Way, tracks};
use std::collections::BTreeMap;

/// Where everything of a flow is.
#[derive(Clone, Debug)]
pub(crate) struct Routed {
    /// The top row of each layer.
    pub(crate) top: Vec<i32>,
    /// The corners of each link, from its source to its target.
    pub(crate) lines: Vec<Vec<Point>>,
    /// How many rows there are.
    pub(crate) height: i32,
}

/// The segments between a layer and the next, with their nets.
#[derive(Default)]
struct Gap {
    segments: Vec<usize>,
    /// The net of each segment.
    net: Vec<usize>,
    ways: Vec<Way>,
    tracks: i32,
}

/// Routes the links of a flow.
pub(crate) fn route(graph: &Layered, axis: &[i32]) -> Routed {
    let fan_out = fan_out(graph);
    let ports = ports(graph, axis, &fan_out);
    let mut gaps: Vec<Gap> = graph.layers.iter().map(|_| Gap::default()).collect();
    for (i, segment) in graph.segments.iter().enumerate() {
        gaps[graph.vertices[segment.upper].layer].segments.push(i);
    }
    let mut top = Vec::with_capacity(graph.layers.len());
    let mut first_track = Vec::with_capacity(graph.layers.len());
    let mut row = 0;
    for (layer, gap) in gaps.iter_mut().enumerate() {
        top.push(row);
        row += graph.layers[layer].iter().map(|v| graph.vertices[*v].h).max().unwrap_or(0);
        assign(graph, &ports, &fan_out, gap);
        let (lead, tail) = margins(graph, layer, gap);
        first_track.push(row + lead);
        if layer + 1 < graph.layers.len() {
            row += lead + gap.tracks + tail;
        }
    }
    let mut pieces = vec![Vec::new(); graph.segments.len()];
    for (layer, gap) in gaps.iter().enumerate() {
        for (at, &s) in gap.segments.iter().enumerate() {
            let segment = &graph.segments[s];
            let upper = &graph.vertices[segment.upper];
            let start = Point::new(ports.upper[s], top[layer] + (upper.h - 1).max(0));
            let end = Point::new(ports.lower[s], top[layer + 1]);
            pieces[s] = corners(start, end, gap.ways[gap.net[at]], first_track[layer]);
        }
    }
    let lines = lines(graph, &pieces);
    Routed { top, lines, height: row }
}

/// Puts the pieces of each link together. Straight runs, which many links may share, are gone through once.
fn lines(graph: &Layered, pieces: &[Vec<Point>]) -> Vec<Vec<Point>> {
    let straight = |s: usize| matches!(pieces[s][..], [a, b] if a.x == b.x);
    let next = |s: usize| {
        let segment = &graph.segments[s];
        graph.onward[if segment.class.back { segment.upper } else { segment.lower }]
    };
    let mut run_end: Vec<Option<usize>> = vec![None; graph.segments.len()];
    let mut walk = |first: &Option<usize>| {
        let mut points: Vec<Point> = Vec::new();
        let mut at = *first;
        while let Some(start) = at {
            let mut run = Vec::new();
            let mut end = start;
            while straight(start) && run_end[end].is_none() {
                run.push(end);
                match next(end).filter(|n| straight(*n)) {
                    Some(next) => end = next,
                    None => break,
                }
            }
            end = run_end[end].unwrap_or(end);
            run.into_iter().for_each(|s| run_end[s] = Some(end));
            for s in if start == end { vec![start] } else { vec![start, end] } {
                let mut piece = pieces[s].clone();
                if graph.segments[s].class.back {
                    piece.reverse();
                }
                points.append(&mut piece);
            }
            at = next(end);
        }
        joined(points.into_iter())
    };
    graph.first.iter().map(&mut walk).collect()
}

/// Which segments share their upper end with another.
fn fan_out(graph: &Layered) -> Vec<bool> {
    let mut count: BTreeMap<(usize, Class), usize> = BTreeMap::new();
    for segment in &graph.segments {
        *count.entry((segment.upper, segment.class)).or_default() += 1;
    }
    graph.segments.iter().map(|s| count[&(s.upper, s.class)] > 1).collect()
}

/// Bundles the segments of a gap into nets and gives those their tracks.
fn assign(graph: &Layered, ports: &Ports, fan_out: &[bool], gap: &mut Gap) {
    let mut nets: Vec<Net> = Vec::new();
    let mut known: BTreeMap<(bool, usize, i32, Class), usize> = BTreeMap::new();
    for &s in &gap.segments {
        let segment = &graph.segments[s];
        let key = match fan_out[s] {
            true => (true, segment.upper, ports.upper[s], segment.class),
            false => (false, segment.lower, ports.lower[s], segment.class),
        };
        let net = *known.entry(key).or_insert_with(|| {
            nets.push(Net::default());
            nets.len() - 1
        });
        nets[net].tops.push(ports.upper[s]);
        nets[net].bottoms.push(ports.lower[s]);
        gap.net.push(net);
    }
    for net in &mut nets {
        for columns in [&mut net.tops, &mut net.bottoms] {
            columns.sort_unstable();
            columns.dedup();
        }
    }
    let (ways, count) = tracks(&nets);
    gap.ways = ways;
    gap.tracks = count as i32;
}

/// The rows above and below the tracks of a gap: for arrows, and so that short lines can be seen.
fn margins(graph: &Layered, layer: usize, gap: &Gap) -> (i32, i32) {
    let has_items = |layer: usize| {
        let vertices = graph.layers.get(layer).into_iter().flatten();
        vertices.filter(|v| graph.vertices[**v].is_item()).count() > 0
    };
    let upward = gap.segments.iter().any(|s| {
        let segment = &graph.segments[*s];
        segment.class.back && matches!(graph.vertices[segment.upper].role, Role::Item(_))
    });
    let lead = i32::from(upward);
    let tail = i32::from(has_items(layer + 1));
    if lead + tail + gap.tracks == 0 || (gap.tracks == 0 && has_items(layer) && has_items(layer + 1)) {
        return (lead, tail + 1);
    }
    (lead, tail)
}

fn corners(start: Point, end: Point, way: Way, first_track: i32) -> Vec<Point> {
    let row = |track: usize| first_track + track as i32;
    match way {
        _ if start.x == end.x => vec![start, end],
        Way::Down => vec![start, end],
        Way::Track(track) => vec![start, Point::new(start.x, row(track)), Point::new(end.x, row(track)), end],
        Way::Detour { first, column, second } => vec![
            start,
            Point::new(start.x, row(first)),
            Point::new(column, row(first)),
            Point::new(column, row(second)),
            Point::new(end.x, row(second)),
            end,
        ],
    }
}

/// The corners of a line without points on the way and doubled ones.
pub(crate) fn joined(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut out: Vec<Point> = Vec::new();
    for p in points {
        if out.last() == Some(&p) {
            continue;
        }
        if let [.., a, b] = out[..] {
            let straight = (a.x == b.x && b.x == p.x) || (a.y == b.y && b.y == p.y);
            if straight {
                out.pop();
            }
        }
        out.push(p);
    }
    out
}
