//! What came of a test case beside what it expects.

use super::diff;
use super::expect::{Expect, Inner, PathStep};
use super::trace::{Recorded, Way};
use crate::{Definition, Outcome, Value};
use asl_task::mock::contains;
use std::collections::BTreeMap;

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What: `status: expected SUCCEEDED, found FAILED`, `path`, `output` ...
    pub what: String,
    /// Lines that say more: differences, with `-` before what was expected and `+` before what was found.
    pub details: Vec<String>,
}

impl Mismatch {
    pub(super) fn new(what: impl Into<String>, details: Vec<String>) -> Mismatch {
        Mismatch { what: what.into(), details }
    }
}

/// The contents of one table or queue, or why it cannot be read.
pub(super) type Contents = BTreeMap<String, Result<Vec<Value>, String>>;

/// Compares everything that is expected.
pub(super) fn check(
    expect: &Expect,
    outcome: &Outcome,
    recorded: &Recorded,
    definition: &Definition,
    contents: &Contents,
) -> Vec<Mismatch> {
    let mut found = Vec::new();
    ended(expect, outcome, &mut found);
    if let Some(path) = &expect.path {
        let (expected, actual) = (expected_lines(path), actual_lines(path, &recorded.way(definition)));
        if expected != actual {
            found.push(Mismatch::new("path", diff::lines(&expected, &actual)));
        }
    }
    if let Some((min, max)) = expect.duration_ms {
        let took = recorded.duration_ms();
        if !(min..=max).contains(&took) {
            let expected = if max == i64::MAX { format!("{} or more", seconds(min)) } else { seconds(min) };
            let range =
                if max == i64::MAX || max - min < 1000 { expected } else { format!("{expected} to {}", seconds(max)) };
            found.push(Mismatch::new(format!("duration: expected {range}, found {}", seconds(took)), Vec::new()));
        }
    }
    for (state, count) in &expect.retries {
        let retries = recorded.retries.get(state).copied().unwrap_or(0);
        if retries != *count {
            found.push(Mismatch::new(format!("retries of {state}: expected {count}, found {retries}"), Vec::new()));
        }
    }
    let variables = recorded.variables();
    for (name, value) in &expect.variables {
        match variables.get(name) {
            Some(assigned) if assigned == value => {}
            Some(assigned) => found.push(Mismatch::new(format!("variable {name}"), json_diff(value, assigned))),
            None => found.push(Mismatch::new(format!("variable {name}: it is never assigned"), Vec::new())),
        }
    }
    let stores =
        expect.tables.iter().map(|table| ("table", table)).chain(expect.queues.iter().map(|queue| ("queue", queue)));
    for (kind, (name, expected)) in stores {
        found.extend(store(&format!("{kind} {name}"), expected, contents.get(&format!("{kind} {name}"))));
    }
    found
}

fn seconds(ms: i64) -> String {
    match ms % 1000 {
        0 => format!("{} s", ms / 1000),
        _ => format!("{}.{:03} s", ms / 1000, ms % 1000),
    }
}

/// Status, error, cause and output.
fn ended(expect: &Expect, outcome: &Outcome, found: &mut Vec<Mismatch>) {
    let (output, failure) = match outcome {
        Outcome::Succeeded(output) => (Some(output), None),
        Outcome::Failed(failure) | Outcome::TimedOut(failure) | Outcome::Aborted(failure) => (None, Some(failure)),
    };
    let error = failure.and_then(|failure| failure.error.as_deref());
    let cause = failure.and_then(|failure| failure.cause.as_deref());
    if outcome.status() != expect.status {
        let told = error.map(|error| format!("error: {error}")).into_iter();
        let told = told.chain(cause.filter(|cause| !cause.is_empty()).map(|cause| format!("cause: {cause}")));
        let what = format!("status: expected {}, found {}", expect.status, outcome.status());
        found.push(Mismatch::new(what, told.chain(output.map(|output| format!("output: {output}"))).collect()));
        return;
    }
    if let Some(expected) = &expect.error
        && error != Some(expected)
    {
        let details = vec![format!("- {expected}"), format!("+ {}", error.unwrap_or("(no error)"))];
        found.push(Mismatch::new("error", details));
    }
    if let Some(expected) = &expect.cause
        && !cause.is_some_and(|cause| cause.contains(expected))
    {
        let details = vec![format!("- ...{expected}..."), format!("+ {}", cause.unwrap_or("(no cause)"))];
        found.push(Mismatch::new("cause", details));
    }
    let Some(output) = output else { return };
    if let Some(expected) = expect.output.as_ref().filter(|expected| *expected != output) {
        found.push(Mismatch::new("output", json_diff(expected, output)));
    }
    if let Some(part) = expect.output_contains.as_ref().filter(|part| !contains(output, part)) {
        let mut details = Vec::new();
        diff::missing(output, part, "$", &mut details);
        found.push(Mismatch::new("outputContains", details));
    }
}

fn json_diff(expected: &Value, actual: &Value) -> Vec<String> {
    diff::lines(&diff::json(expected, expected), &diff::json(actual, expected))
}

fn store(what: &str, expected: &[Value], contents: Option<&Result<Vec<Value>, String>>) -> Option<Mismatch> {
    let held = match contents? {
        Ok(held) => held,
        Err(problem) => return Some(Mismatch::new(format!("{what}: {problem}"), Vec::new())),
    };
    let all = held.len() == expected.len() && held.iter().zip(expected).all(|(held, part)| contains(held, part));
    if all {
        return None;
    }
    let mut details = Vec::new();
    if held.len() == expected.len() {
        for (at, (held, part)) in held.iter().zip(expected).enumerate() {
            diff::missing(held, part, &format!("[{at}]"), &mut details);
        }
        return Some(Mismatch::new(what, details));
    }
    details.extend(held.iter().map(|held| format!("+ {held}")));
    Some(Mismatch::new(format!("{what}: expected {}, found {}", expected.len(), held.len()), details))
}

fn expected_lines(path: &[PathStep]) -> Vec<String> {
    let mut out = Vec::new();
    expected(path, "", &mut out);
    out
}

fn expected(path: &[PathStep], indent: &str, out: &mut Vec<String>) {
    for step in path {
        out.push(format!("{indent}{}", step.state));
        match &step.inner {
            Some(Inner::Each(path)) => each(indent, "each", out, |indent, out| expected(path, indent, out)),
            Some(Inner::One(paths)) => {
                for (at, path) in paths.iter().enumerate() {
                    each(indent, &format!("[{at}]"), out, |indent, out| expected(path, indent, out));
                }
            }
            None => {}
        }
    }
}

fn each(indent: &str, label: &str, out: &mut Vec<String>, inner: impl FnOnce(&str, &mut Vec<String>)) {
    out.push(format!("{indent}  {label}"));
    inner(&format!("{indent}    "), out);
}

/// The way that was gone, as deep as the path looks into states.
fn actual_lines(path: &[PathStep], way: &Way) -> Vec<String> {
    let mut shape = BTreeMap::new();
    look_into(path, &mut shape);
    let mut out = Vec::new();
    actual(way, &shape, "", &mut out);
    out
}

fn look_into<'p>(path: &'p [PathStep], shape: &mut BTreeMap<&'p str, &'p Inner>) {
    for step in path {
        let Some(inner) = &step.inner else { continue };
        shape.entry(&step.state).or_insert(inner);
        match inner {
            Inner::Each(path) => look_into(path, shape),
            Inner::One(paths) => paths.iter().for_each(|path| look_into(path, shape)),
        }
    }
}

fn actual(way: &Way, shape: &BTreeMap<&str, &Inner>, indent: &str, out: &mut Vec<String>) {
    for stop in &way.0 {
        out.push(format!("{indent}{}", stop.state));
        let Some(inner) = shape.get(&*stop.state) else { continue };
        let lines = |way: &Way, indent: &str| {
            let mut lines = Vec::new();
            actual(way, shape, indent, &mut lines);
            lines
        };
        match (inner, stop.inner.first()) {
            // Each of none goes any way.
            (Inner::Each(path), None) => each(indent, "each", out, |indent, out| expected(path, indent, out)),
            (Inner::Each(_), Some(first)) if stop.inner.iter().all(|way| lines(way, "") == lines(first, "")) => {
                each(indent, "each", out, |indent, out| out.extend(lines(first, indent)));
            }
            _ => {
                for (at, way) in stop.inner.iter().enumerate() {
                    each(indent, &format!("[{at}]"), out, |indent, out| out.extend(lines(way, indent)));
                }
            }
        }
    }
}
