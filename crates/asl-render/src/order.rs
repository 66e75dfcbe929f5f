//! The order within layers: first as a walk along the main path finds it, then by barycenters, for few crossings.

use crate::layers::Layered;

/// Larger pictures get fewer rounds.
const LARGE: usize = 4_000;

/// Orders the layers.
pub(crate) fn order(graph: &mut Layered) {
    let (down, up) = neighbours(graph);
    graph.layers = walk(graph, &down, &up);
    let mut best = graph.layers.clone();
    let mut fewest = crossings(graph, &down);
    let rounds = if graph.vertices.len() > LARGE { 4 } else { 16 };
    for round in 0..rounds {
        if fewest == 0 {
            break;
        }
        sweep(graph, if round % 2 == 0 { &up } else { &down }, round % 2 == 0);
        if graph.vertices.len() <= LARGE {
            exchange(graph, &down, &up);
        }
        let now = crossings(graph, &down);
        if now < fewest {
            fewest = now;
            best.clone_from(&graph.layers);
        }
    }
    graph.layers = best;
}

/// The vertices below and above each vertex, more important ones first.
fn neighbours(graph: &Layered) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let (down, up) = graph.adjacent();
    let ends = |lists: Vec<Vec<usize>>, below: bool| {
        let sorted = lists.into_iter().map(|mut list| {
            list.sort_by_key(|s| std::cmp::Reverse(graph.segments[*s].weight));
            let end = |s: usize| if below { graph.segments[s].lower } else { graph.segments[s].upper };
            list.into_iter().map(end).collect()
        });
        sorted.collect()
    };
    (ends(down, true), ends(up, false))
}

/// Every vertex when a walk depth first comes to it: the main path first, so it is on the left and the catchers right.
fn walk(graph: &Layered, down: &[Vec<usize>], up: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut layers = vec![Vec::new(); graph.layers.len()];
    let mut seen = vec![false; graph.vertices.len()];
    let mut stack: Vec<usize> = (0..graph.vertices.len()).rev().filter(|v| up[*v].is_empty()).collect();
    while let Some(vertex) = stack.pop() {
        if std::mem::replace(&mut seen[vertex], true) {
            continue;
        }
        layers[graph.vertices[vertex].layer].push(vertex);
        stack.extend(down[vertex].iter().rev().filter(|v| !seen[**v]));
    }
    layers
}

/// Sorts each layer by the mean place of the neighbours in the layer before it.
fn sweep(graph: &mut Layered, neighbours: &[Vec<usize>], downward: bool) {
    let mut at = graph.positions();
    let count = graph.layers.len();
    for step in 0..count {
        let layer = if downward { step } else { count - 1 - step };
        let mut keyed: Vec<(f64, usize)> = graph.layers[layer]
            .iter()
            .map(|v| {
                let near = &neighbours[*v];
                let sum: usize = near.iter().map(|n| at[*n]).sum();
                let key = if near.is_empty() { at[*v] as f64 } else { sum as f64 / near.len() as f64 };
                (key, *v)
            })
            .collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        graph.layers[layer] = keyed.into_iter().map(|(_, v)| v).collect();
        graph.layers[layer].iter().enumerate().for_each(|(i, v)| at[*v] = i);
    }
}

/// Exchanges neighbours within a layer where that saves crossings.
fn exchange(graph: &mut Layered, down: &[Vec<usize>], up: &[Vec<usize>]) {
    let mut at = graph.positions();
    for layer in &mut graph.layers {
        for i in 1..layer.len() {
            let (a, b) = (layer[i - 1], layer[i]);
            let pairs = down[a].len() * down[b].len() + up[a].len() * up[b].len();
            if pairs == 0 || pairs > LARGE {
                continue;
            }
            let cost = |l: usize, r: usize| between(&down[l], &down[r], &at) + between(&up[l], &up[r], &at);
            if cost(b, a) < cost(a, b) {
                layer.swap(i - 1, i);
                at.swap(a, b);
            }
        }
    }
}

/// The crossings between the lines of two neighbours, the one with `left` being on the left.
fn between(left: &[usize], right: &[usize], at: &[usize]) -> usize {
    left.iter().map(|l| right.iter().filter(|r| at[**r] < at[*l]).count()).sum()
}

/// All crossings, counted with a Fenwick tree for each pair of layers.
fn crossings(graph: &Layered, down: &[Vec<usize>]) -> usize {
    let at = graph.positions();
    let mut total = 0;
    for (layer, below) in graph.layers.iter().zip(graph.layers.iter().skip(1)) {
        let mut tree = vec![0_usize; below.len() + 1];
        let mut count = 0;
        for vertex in layer {
            let mut ends: Vec<usize> = down[*vertex].iter().map(|v| at[*v]).collect();
            ends.sort_unstable();
            for end in &ends {
                let mut i = end + 1;
                let mut left_or_same = 0;
                while i > 0 {
                    left_or_same += tree[i];
                    i &= i - 1;
                }
                total += count - left_or_same;
            }
            for end in ends {
                count += 1;
                let mut i = end + 1;
                while i <= below.len() {
                    tree[i] += 1;
                    i += i & i.wrapping_neg();
                }
            }
        }
    }
    total
}
