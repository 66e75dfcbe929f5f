//! Ports: where along their borders boxes are left and reached.
//!
//! The main way out is in the middle of the bottom, catchers beside it. What comes in is kept apart by where it comes from,
//! except lines that all lead only here: those join.

use crate::layers::{Class, Layered, Vertex};
use std::collections::BTreeMap;

/// The columns of each segment's two ends.
#[derive(Clone, Debug)]
pub(crate) struct Ports {
    pub(crate) upper: Vec<i32>,
    pub(crate) lower: Vec<i32>,
}

/// Chooses the ports. `fan_out[s]` tells whether segment `s` shares its upper end with another.
pub(crate) fn ports(graph: &Layered, axis: &[i32], fan_out: &[bool]) -> Ports {
    let upper: Vec<i32> = graph.segments.iter().map(|s| axis[s.upper]).collect();
    let lower: Vec<i32> = graph.segments.iter().map(|s| axis[s.lower]).collect();
    let mut ports = Ports { upper, lower };
    let (down, up) = graph.adjacent();
    for (v, vertex) in graph.vertices.iter().enumerate().filter(|(_, v)| v.is_item()) {
        ports_below(graph, axis, axis[v], vertex, &down[v], &mut ports.upper);
    }
    for (v, vertex) in graph.vertices.iter().enumerate().filter(|(_, v)| v.is_item()) {
        let Ports { upper, lower } = &mut ports;
        ports_above(graph, axis[v], vertex, &up[v], fan_out, upper, lower);
    }
    ports
}

/// The leftmost and the rightmost column where a line may touch a box: not its corners, nor next to them.
fn range(axis: i32, vertex: &Vertex) -> (i32, i32) {
    (axis - vertex.left + 2, axis + vertex.right - vertex.spare - 3)
}

fn ports_below(graph: &Layered, axes: &[i32], axis: i32, vertex: &Vertex, down: &[usize], upper: &mut [i32]) {
    let mut classes: BTreeMap<Class, Vec<usize>> = BTreeMap::new();
    for &s in down {
        classes.entry(graph.segments[s].class).or_default().push(s);
    }
    // The main way out keeps the middle.
    if classes.len() > 1 {
        classes.remove(&Class { catch: false, back: false });
    } else if classes.keys().next().is_none_or(|c| !c.back && !c.catch) {
        return;
    }
    let mean = |list: &Vec<usize>| list.iter().map(|s| axes[graph.segments[*s].lower]).sum::<i32>() / list.len() as i32;
    let mut ways: Vec<(i32, Vec<usize>)> = classes.into_values().map(|list| (mean(&list), list)).collect();
    ways.sort();
    let (lo, hi) = range(axis, vertex);
    let (left, right): (Vec<_>, Vec<_>) = ways.into_iter().partition(|(x, _)| *x < axis);
    let mut set = |list: &[usize], x: i32| list.iter().for_each(|s| upper[*s] = x);
    for (side, limit, sign) in [(right, hi, 1), (left.into_iter().rev().collect::<Vec<_>>(), lo, -1)] {
        let (room, count) = ((limit - axis).abs(), side.len() as i32);
        for (i, (x, list)) in (1..).zip(side) {
            let straight = count == 1 && (x - axis).abs() >= 2 && (x - axis).abs() <= room;
            let step = if count == 1 { (room + 1) / 2 } else { room / count };
            let away = if straight { (x - axis).abs() } else { i * step.clamp(1, 6) };
            set(&list, axis + sign * away);
        }
    }
}

fn ports_above(
    graph: &Layered,
    axis: i32,
    vertex: &Vertex,
    up: &[usize],
    fan_out: &[bool],
    upper: &[i32],
    lower: &mut [i32],
) {
    let mut ways: BTreeMap<(Class, Option<usize>), Vec<usize>> = BTreeMap::new();
    for &s in up {
        let segment = &graph.segments[s];
        let apart = fan_out[s] && !segment.class.back;
        ways.entry((segment.class, apart.then_some(segment.upper))).or_default().push(s);
    }
    let mean = |list: &Vec<usize>| list.iter().map(|s| upper[*s]).sum::<i32>() / list.len() as i32;
    // A line that comes straight from above decides for those that join it.
    let wish = |list: &Vec<usize>| if list.iter().any(|s| upper[*s] == axis) { axis } else { mean(list) };
    let mut ways: Vec<(i32, Vec<usize>)> = ways.into_values().map(|list| (wish(&list), list)).collect();
    ways.sort();
    let (lo, hi) = range(axis, vertex);
    let count = ways.len() as i32;
    let reach = 2 * count;
    let mut columns: Vec<i32> = ways
        .iter()
        .map(|(x, list)| match (lo..=hi).contains(x) {
            true if count > 1 || list.len() == 1 => *x,
            _ if count == 1 => axis,
            _ => (*x).clamp((axis - reach).max(lo), (axis + reach).min(hi)),
        })
        .collect();
    spread(&mut columns, lo, hi);
    for ((_, list), x) in ways.iter().zip(columns) {
        list.iter().for_each(|s| lower[*s] = x);
    }
}

/// Moves columns apart, keeping their order and staying between `lo` and `hi`; they meet when there is no room.
fn spread(columns: &mut [i32], lo: i32, hi: i32) {
    let count = columns.len() as i32;
    if count > hi - lo + 1 {
        for (i, x) in (0..).zip(columns.iter_mut()) {
            *x = lo + i * (hi - lo) / (count - 1).max(1);
        }
        return;
    }
    let apart = ((hi - lo) / (count - 1).max(1)).clamp(1, 2);
    for i in 1..columns.len() {
        columns[i] = columns[i].max(columns[i - 1] + apart);
    }
    let mut limit = hi;
    for x in columns.iter_mut().rev() {
        *x = (*x).min(limit);
        limit = *x - apart;
    }
    // What did not fit on the left is pushed back in.
    let mut limit = lo;
    for x in columns.iter_mut() {
        *x = (*x).max(limit);
        limit = *x + apart;
    }
}
