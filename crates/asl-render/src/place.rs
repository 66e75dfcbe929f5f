//! Columns: vertices whose edges matter most are aligned into blocks, straight from top to bottom; then the blocks are
//! moved towards what they are connected with, as far as their neighbours let them.

use crate::layers::{Layered, Segment};
use std::collections::{BTreeMap, BTreeSet};

/// How often the blocks are moved.
const ROUNDS: usize = 10;
/// The weight of a segment between two bends or labels: long lines first of all are straight.
const INNER: i32 = 100;

/// The column of each vertex's axis.
pub(crate) fn place(graph: &Layered) -> Vec<i32> {
    let block = blocks(graph);
    let count = block.iter().max().map_or(0, |b| b + 1);
    let mut right: Vec<Vec<(usize, i32)>> = vec![Vec::new(); count];
    let mut left: Vec<Vec<(usize, i32)>> = vec![Vec::new(); count];
    for layer in &graph.layers {
        for pair in layer.windows(2) {
            let distance = distance(graph, pair[0], pair[1]);
            right[block[pair[0]]].push((block[pair[1]], distance));
            left[block[pair[1]]].push((block[pair[0]], distance));
        }
    }
    let sequence = left_to_right(&left, &right);
    let mut axis = vec![0; count];
    for &b in &sequence {
        axis[b] = left[b].iter().map(|(l, d)| axis[*l] + d).max().unwrap_or(0);
    }
    let wishes = wishes(graph, &block, count);
    // What is connected with one block alone goes where that goes, and does not keep it from going there; where that takes no
    // more room.
    let follows = |b: usize| {
        let first = wishes[b].first()?.0;
        wishes[b].iter().all(|(other, _)| *other == first).then_some(first)
    };
    let follows: Vec<Option<usize>> = (0..count).map(follows).collect();
    let nothing = vec![None; count];
    let [even, narrow] = [&follows, &nothing].map(|follows| {
        let axis = settled(axis.clone(), &sequence, &wishes, [&left, &right], follows);
        let columns: Vec<i32> = block.iter().map(|b| axis[*b]).collect();
        let first = graph.vertices.iter().zip(&columns).map(|(v, x)| x - v.left).min().unwrap_or(0);
        let last = graph.vertices.iter().zip(&columns).map(|(v, x)| x + v.right).max().unwrap_or(0);
        (last - first, columns.into_iter().map(|x| x - first).collect())
    });
    if even.0 <= narrow.0 { even.1 } else { narrow.1 }
}

/// Moves blocks towards what they are connected with.
fn settled(
    mut axis: Vec<i32>,
    sequence: &[usize],
    wishes: &[Vec<(usize, i32)>],
    [left, right]: [&[Vec<(usize, i32)>]; 2],
    follows: &[Option<usize>],
) -> Vec<i32> {
    let count = axis.len();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); count];
    for &b in sequence {
        if let Some(owner) = follows[b] {
            followers[owner].push(b);
        }
    }
    let backwards = followers.iter().map(|all| all.iter().rev().copied().collect()).collect();
    let on_right = Side { next: right, back: left, follows, followers, sign: 1 };
    let on_left = Side { next: left, back: right, follows, followers: backwards, sign: -1 };
    let mut limits = vec![0; count];
    for round in 0..ROUNDS {
        let mut step = |b: usize| {
            let (lo, hi) = (on_left.room(b, &axis, &mut limits), on_right.room(b, &axis, &mut limits));
            if let Some(wish) = median(&wishes[b], &axis) {
                let to = wish.clamp(lo, hi.max(lo));
                on_left.push(b, to, &mut axis);
                on_right.push(b, to, &mut axis);
            }
        };
        // The rightmost first, so that it makes room for those that want to go right; then the other way.
        if round % 2 == 0 {
            sequence.iter().rev().for_each(|b| step(*b))
        } else {
            sequence.iter().for_each(|b| step(*b))
        }
    }
    axis
}

/// One side of all blocks: `sign` is 1 on the right and -1 on the left.
struct Side<'a> {
    /// The neighbours of each block, and how far away they must be.
    next: &'a [Vec<(usize, i32)>],
    /// Those on the other side.
    back: &'a [Vec<(usize, i32)>],
    follows: &'a [Option<usize>],
    /// What follows each block, each after those between it and the block.
    followers: Vec<Vec<usize>>,
    sign: i32,
}

impl Side<'_> {
    /// How far block `b` can go to this side when those that follow it go with it. `limits` is room to work in.
    fn room(&self, b: usize, axis: &[i32], limits: &mut [i32]) -> i32 {
        for &follower in self.followers[b].iter().rev() {
            limits[follower] = self.limit(follower, b, axis, limits);
        }
        self.limit(b, b, axis, limits)
    }

    fn limit(&self, of: usize, owner: usize, axis: &[i32], limits: &[i32]) -> i32 {
        let reach = |(next, distance): &(usize, i32)| {
            let limit = if self.follows[*next] == Some(owner) { limits[*next] } else { axis[*next] };
            limit.saturating_mul(self.sign).saturating_sub(*distance)
        };
        self.next[of].iter().map(reach).min().unwrap_or(i32::MAX).saturating_mul(self.sign)
    }

    /// Puts block `b` there, and those that follow it and stand in its way beside it.
    fn push(&self, b: usize, to: i32, axis: &mut [i32]) {
        axis[b] = to;
        for &follower in &self.followers[b] {
            for (before, distance) in &self.back[follower] {
                let least = axis[*before] + distance * self.sign;
                let is_of = *before == b || self.follows[*before] == Some(b);
                if is_of && (axis[follower] - least) * self.sign < 0 {
                    axis[follower] = least;
                }
            }
        }
    }
}

/// The least distance of two axes side by side.
fn distance(graph: &Layered, a: usize, b: usize) -> i32 {
    let (a, b) = (&graph.vertices[a], &graph.vertices[b]);
    let gap = if a.is_item() && b.is_item() { 3 } else { 2 };
    a.right + gap + b.left
}

/// The block of each vertex: aligned neighbours are of one. Alignments do not cross, so blocks have an order.
fn blocks(graph: &Layered) -> Vec<usize> {
    let at = graph.positions();
    let mut candidates: Vec<(i32, usize)> = Vec::new();
    for (i, segment) in graph.segments.iter().enumerate() {
        if let Some(weight) = straight_weight(graph, segment) {
            candidates.push((weight, i));
        }
    }
    drop_forks(graph, &at, &mut candidates);
    drop_ends(graph, &at, &mut candidates);
    candidates.sort_by_key(|(weight, i)| (std::cmp::Reverse(*weight), *i));
    let count = graph.vertices.len();
    let (mut below, mut above) = (vec![None; count], vec![None; count]);
    let mut taken: Vec<BTreeMap<usize, usize>> = vec![BTreeMap::new(); graph.layers.len()];
    for (_, i) in candidates {
        let Segment { upper, lower, .. } = graph.segments[i];
        let pairs = &mut taken[graph.vertices[upper].layer];
        let crosses = pairs.range(..at[upper]).next_back().is_some_and(|(_, l)| *l > at[lower])
            || pairs.range(at[upper]..).next().is_some_and(|(_, l)| *l < at[lower]);
        if below[upper].is_none() && above[lower].is_none() && !crosses {
            below[upper] = Some(lower);
            above[lower] = Some(upper);
            pairs.insert(at[upper], at[lower]);
        }
    }
    let mut block = vec![0; count];
    for (index, top) in (0..count).filter(|v| above[*v].is_none()).enumerate() {
        let mut vertex = Some(top);
        while let Some(v) = vertex {
            block[v] = index;
            vertex = below[v];
        }
    }
    block
}

/// How much a segment should be straight; `None` when it does not leave or meet a box in its middle.
fn straight_weight(graph: &Layered, segment: &Segment) -> Option<i32> {
    let (upper, lower) = (&graph.vertices[segment.upper], &graph.vertices[segment.lower]);
    match (upper.is_item(), lower.is_item()) {
        (true, _) if segment.class.catch || segment.class.back => None,
        (_, true) if segment.class.back => None,
        (false, false) => Some(INNER),
        _ => Some(segment.weight),
    }
}

/// Of the ways out of one box only the one in the middle goes straight down, so a fork is even on both sides.
fn drop_forks(graph: &Layered, at: &[usize], candidates: &mut Vec<(i32, usize)>) {
    let mut ways: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (_, i) in candidates.iter() {
        let segment = &graph.segments[*i];
        if graph.vertices[segment.upper].is_item() {
            ways.entry(segment.upper).or_default().push(segment.lower);
        }
    }
    let middle = |upper: usize| -> Option<usize> {
        let mut lower = ways.get(&upper)?.clone();
        lower.sort_by_key(|v| at[*v]);
        (lower.len() % 2 == 1).then(|| lower[lower.len() / 2])
    };
    let middles: BTreeMap<usize, Option<usize>> = ways.keys().map(|u| (*u, middle(*u))).collect();
    candidates.retain(|(_, i)| {
        let Segment { upper, lower, .. } = graph.segments[*i];
        middles.get(&upper).is_none_or(|middle| *middle == Some(lower))
    });
}

/// Of the ways into a box that leads nowhere, such as the end, only the one in the middle goes straight down: it stands in the
/// middle of what leads there.
fn drop_ends(graph: &Layered, at: &[usize], candidates: &mut Vec<(i32, usize)>) {
    let goes_on: BTreeSet<usize> = graph.segments.iter().map(|segment| segment.upper).collect();
    let mut ways: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for segment in &graph.segments {
        let usual = !segment.class.catch && !segment.class.back;
        if usual && graph.vertices[segment.lower].is_item() && !goes_on.contains(&segment.lower) {
            ways.entry(segment.lower).or_default().push(segment.upper);
        }
    }
    for upper in ways.values_mut() {
        upper.sort_by_key(|v| at[*v]);
        upper.dedup();
    }
    candidates.retain(|(_, i)| {
        let Segment { upper, lower, .. } = graph.segments[*i];
        ways.get(&lower).is_none_or(|all| all.len() % 2 == 1 && all[all.len() / 2] == upper)
    });
}

/// The blocks in an order in which each comes after those on its left.
fn left_to_right(left: &[Vec<(usize, i32)>], right: &[Vec<(usize, i32)>]) -> Vec<usize> {
    let mut waits_for: Vec<usize> = left.iter().map(Vec::len).collect();
    let mut ready: Vec<usize> = (0..left.len()).rev().filter(|b| waits_for[*b] == 0).collect();
    let mut sequence = Vec::with_capacity(left.len());
    while let Some(b) = ready.pop() {
        sequence.push(b);
        for (r, _) in &right[b] {
            waits_for[*r] -= 1;
            if waits_for[*r] == 0 {
                ready.push(*r);
            }
        }
    }
    debug_assert_eq!(sequence.len(), left.len(), "alignments do not cross");
    sequence
}

/// For each block the blocks it is connected with, and how much that counts.
fn wishes(graph: &Layered, block: &[usize], count: usize) -> Vec<Vec<(usize, i32)>> {
    let mut wishes = vec![Vec::new(); count];
    for segment in &graph.segments {
        let (a, b) = (block[segment.upper], block[segment.lower]);
        if a != b {
            wishes[a].push((b, segment.weight));
            wishes[b].push((a, segment.weight));
        }
    }
    wishes
}

/// The weighted median of where the others are; between two, their middle.
fn median(wishes: &[(usize, i32)], axis: &[i32]) -> Option<i32> {
    let mut at: Vec<(i32, i32)> = wishes.iter().map(|(b, weight)| (axis[*b], *weight)).collect();
    at.sort_unstable();
    let total: i32 = at.iter().map(|(_, weight)| weight).sum();
    let reach = |half: i32| {
        let mut sum = 0;
        at.iter().find(|(_, weight)| {
            sum += weight;
            sum >= half
        })
    };
    let lower = reach((total + 1) / 2)?.0;
    let upper = reach(total / 2 + 1)?.0;
    Some(lower + (upper - lower) / 2)
}
