//! The coverage of definitions: a table, and what no case reached.

use crate::render::grid::grid;
use crate::render::look::Look;
use asl::testing::{Coverage, Report};
use asl::{Map, Value};

const KINDS: [&str; 5] = ["states", "transitions", "catchers", "retriers", "choice rules"];

/// Several test files can be for one definition: what any of them reached counts.
pub(super) fn by_definition(report: &Report) -> Vec<Coverage> {
    let mut found: Vec<Coverage> = Vec::new();
    for suite in &report.suites {
        match found.iter_mut().find(|coverage| coverage.file == suite.coverage.file) {
            Some(coverage) => coverage.merge(&suite.coverage),
            None => found.push(suite.coverage.clone()),
        }
    }
    found
}

fn total(coverages: &[Coverage]) -> (usize, usize) {
    coverages.iter().map(Coverage::total).fold((0, 0), |(hit, all), (h, a)| (hit + h, all + a))
}

/// Of all definitions together.
pub(super) fn percent(coverages: &[Coverage]) -> f64 {
    asl::testing::percent(total(coverages))
}

/// A row for each definition, then a line for each point that was not reached: `FILE:LINE: not reached: WHAT`.
pub(super) fn table(coverages: &[Coverage], look: Look) -> String {
    let kinds: Vec<&str> =
        KINDS.into_iter().filter(|kind| coverages.iter().any(|c| count(c, kind).is_some())).collect();
    let shown = |(hit, all): (usize, usize)| format!("{:.1} %", asl::testing::percent((hit, all)));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for coverage in coverages {
        let cells =
            kinds.iter().map(|kind| count(coverage, kind).map_or("-".to_owned(), |(hit, all)| format!("{hit}/{all}")));
        rows.push([coverage.file.clone(), shown(coverage.total())].into_iter().chain(cells).collect());
    }
    if coverages.len() > 1 {
        let sum =
            |kind: &&str| coverages.iter().filter_map(|c| count(c, kind)).fold((0, 0), |(h, a), (x, y)| (h + x, a + y));
        let cells = kinds.iter().map(sum).map(|(hit, all)| format!("{hit}/{all}"));
        rows.push(["total".to_owned(), shown(total(coverages))].into_iter().chain(cells).collect());
    }
    let titles: Vec<String> = kinds.iter().map(|kind| kind.to_uppercase()).collect();
    let header: Vec<&str> = ["DEFINITION", "REACHED"].into_iter().chain(titles.iter().map(String::as_str)).collect();
    let right: Vec<usize> = (1..header.len()).collect();
    let mut out = grid(&header, &rows, &right, look);
    for coverage in coverages.iter().filter(|coverage| !coverage.unreached.is_empty()) {
        out.push('\n');
        for missed in &coverage.unreached {
            out += &format!("{}:{}: not reached: {}\n", coverage.file, missed.line, missed.what);
        }
    }
    out
}

fn count(coverage: &Coverage, wanted: &str) -> Option<(usize, usize)> {
    coverage.counts.iter().find(|(kind, ..)| *kind == wanted).map(|(_, hit, all)| (*hit, *all))
}

/// `{"percent", "definitions": [...]}`.
pub(super) fn to_value(coverages: &[Coverage]) -> Value {
    let (reached, points) = total(coverages);
    let mut value = Map::new();
    value.insert("reached", reached as u64);
    value.insert("points", points as u64);
    value.insert("definitions", Value::from(coverages.iter().map(Coverage::to_value).collect::<Vec<_>>()));
    value.into()
}
