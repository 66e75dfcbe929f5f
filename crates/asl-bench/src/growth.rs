//! Growth of the machine in memory: the cost of one unit of work at 1, 10 and 100 times the size. A ratio that grows with the
//! size is a cost that grows faster than its work. (`beside` and `stored` are about the store.)

use crate::Bench;
use crate::machine::{document_of, loop_of, map_of, run_large, transitions_of, writes};
use crate::measure::{in_turns, median};
use crate::report::Figure;
use std::time::Duration;

const SLICE: Duration = Duration::from_millis(200);

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] =
    &[("growth.events", events), ("growth.document", document), ("growth.map", map_items)];

/// Runs at 1, 10 and 100 times a size, which take turns. `work` is what does one unit of work at least, and says how many.
fn rows<W>(name: &str, what: &str, smallest: u32, work: impl Fn(u32) -> W) -> Vec<Figure>
where
    W: FnMut() -> u64,
{
    let sizes = [smallest, 10 * smallest, 100 * smallest];
    let [mut one, mut ten, mut hundred] = sizes.map(work);
    let rates = in_turns(SLICE, [&mut one, &mut ten, &mut hundred]);
    sized(name, what, "ns", sizes, rates.into_iter().map(|rates| rates.map(|rate| 1e9 / rate)))
}

/// What one unit of work costs at three sizes, in several rounds: each row beside the smallest size in the same round.
pub(crate) fn sized(
    name: &str,
    what: &str,
    unit: &'static str,
    sizes: [u32; 3],
    rounds: impl IntoIterator<Item = [f64; 3]>,
) -> Vec<Figure> {
    let rounds: Vec<[f64; 3]> = rounds.into_iter().collect();
    let row = |(at, size)| {
        let mut costs: Vec<f64> = rounds.iter().map(|costs| costs[at]).collect();
        Figure::lower(format!("growth: {name}, {size} {what}"), median(&mut costs), unit)
            .beside(rounds.iter().map(|costs| (costs[at], costs[0])), "the cost at 1x")
    };
    sizes.into_iter().enumerate().map(row).collect()
}

/// Events kept: a round of the loop makes four.
fn events() -> Vec<Figure> {
    rows("a transition", "events kept", 100, |size| {
        let (machine, input) = loop_of(size / 4);
        transitions_of(machine, input)
    })
}

/// A ResultPath write into a document.
fn document() -> Vec<Figure> {
    let chain = writes();
    rows("a ResultPath write", "KB of document", 1, |size| transitions_of(chain.clone(), document_of(size)))
}

/// Items of a Map; from 10,000 on beyond AWS's limits.
fn map_items() -> Vec<Figure> {
    rows("an item", "items of a Map", 1_000, |size| {
        let (machine, input) = map_of(size);
        move || {
            std::hint::black_box(run_large(&machine, &input));
            u64::from(size)
        }
    })
}
