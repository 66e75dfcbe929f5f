//! Rows: loops are turned round, then every item goes one row below the lowest item that leads to it.

/// A line to draw between two items of one flow.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// The item it comes from.
    pub(crate) from: usize,
    /// The item it leads to.
    pub(crate) to: usize,
    /// Whether it is a Catch: those are drawn apart from the others.
    pub(crate) catch: bool,
    /// How much it matters that it is straight: more is more.
    pub(crate) weight: i32,
    /// The width of its label; 0 for none.
    pub(crate) label: i32,
    /// The width of the box that takes the target's place if the line would be too long.
    pub(crate) jump: i32,
}

/// The rows of items and the direction of links.
#[derive(Clone, Debug)]
pub(crate) struct Ranks {
    /// The row of each item, from 0.
    pub(crate) rank: Vec<usize>,
    /// Whether a link goes upward.
    pub(crate) back: Vec<bool>,
}

/// Ranks `items` items; the first one is where the flow starts. Links from an item to itself have no say.
pub(crate) fn rank(items: usize, links: &[Link]) -> Ranks {
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); items];
    for (i, link) in links.iter().enumerate().filter(|(_, l)| l.from != l.to) {
        out[link.from].push(i);
    }
    let back = back_links(items, links, &out);
    Ranks { rank: longest_paths(items, links, &back), back }
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
}

/// The links that close a loop, found by walking depth first from the start. Without recursion: chains are long.
fn back_links(items: usize, links: &[Link], out: &[Vec<usize>]) -> Vec<bool> {
    let mut back = vec![false; links.len()];
    let mut visit = vec![Visit::New; items];
    let mut stack: Vec<(usize, usize)> = Vec::new();
    for root in 0..items {
        if visit[root] != Visit::New {
            continue;
        }
        visit[root] = Visit::Open;
        stack.push((root, 0));
        while let Some((item, next)) = stack.last_mut() {
            let Some(&link) = out[*item].get(*next) else {
                visit[*item] = Visit::Done;
                stack.pop();
                continue;
            };
            *next += 1;
            let to = links[link].to;
            match visit[to] {
                Visit::Open => back[link] = true,
                Visit::Done => {}
                Visit::New => {
                    visit[to] = Visit::Open;
                    stack.push((to, 0));
                }
            }
        }
    }
    back
}

fn longest_paths(items: usize, links: &[Link], back: &[bool]) -> Vec<usize> {
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); items];
    let mut waits_for = vec![0_usize; items];
    for (link, back) in links.iter().zip(back).filter(|(l, _)| l.from != l.to) {
        let (upper, lower) = if *back { (link.to, link.from) } else { (link.from, link.to) };
        below[upper].push(lower);
        waits_for[lower] += 1;
    }
    let mut rank = vec![0; items];
    let mut ready: Vec<usize> = (0..items).filter(|i| waits_for[*i] == 0).collect();
    while let Some(item) = ready.pop() {
        for &lower in &below[item] {
            rank[lower] = rank[lower].max(rank[item] + 1);
            waits_for[lower] -= 1;
            if waits_for[lower] == 0 {
                ready.push(lower);
            }
        }
    }
    rank
}
