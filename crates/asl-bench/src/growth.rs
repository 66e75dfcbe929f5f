//! Growth of the machine in memory: the cost of one unit of work at 1, 10 and 100 times the size. A ratio that grows with the size is a cost that grows
//! faster than its work.

use crate::Bench;
use crate::machine::{document_of, loop_of, map_of, rate, run_large, writes};
use crate::measure::per_second;
use crate::report::Figure;
use std::time::Duration;

const SLICE: Duration = Duration::from_millis(200);

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] =
    &[("growth.events", events), ("growth.document", document), ("growth.map", map_items)];

/// Runs at 1, 10 and 100 times a size. `per_second` does units of work of that size.
fn rows(name: &str, what: &str, unit: &'static str, smallest: u32, per_second: impl Fn(u32) -> f64) -> Vec<Figure> {
    let sizes = [smallest, 10 * smallest, 100 * smallest];
    sized(name, what, unit, sizes, sizes.map(|size| 1e9 / per_second(size)))
}

/// What one unit of work costs at three sizes: each row beside the first.
pub(crate) fn sized(name: &str, what: &str, unit: &'static str, sizes: [u32; 3], costs: [f64; 3]) -> Vec<Figure> {
    let row = |(size, cost)| Figure::lower(format!("growth: {name}, {size} {what}"), cost, unit);
    sizes.into_iter().zip(costs).map(|sized| row(sized).ceiling(costs[0], "the cost at 1x")).collect()
}

/// Events kept: a round of the loop makes four.
fn events() -> Vec<Figure> {
    rows("a transition", "events kept", "ns", 100, |size| {
        let (machine, input) = loop_of(size / 4);
        rate(&machine, &input)
    })
}

/// A ResultPath write into a document.
fn document() -> Vec<Figure> {
    let chain = writes();
    rows("a ResultPath write", "KB of document", "ns", 1, |size| rate(&chain, &document_of(size)))
}

/// Items of a Map; from 10,000 on beyond AWS's limits.
fn map_items() -> Vec<Figure> {
    rows("an item", "items of a Map", "ns", 1_000, |size| {
        let (machine, input) = map_of(size);
        per_second(SLICE, || {
            std::hint::black_box(run_large(&machine, &input));
            u64::from(size)
        })
    })
}
