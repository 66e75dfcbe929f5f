//! What is told of test cases: a line each, the failures again at the end, a summary.

use super::coverage;
use crate::render::look::Look;
use asl::testing::{Case, CaseResult, Mismatch, Report, SuiteReport};
use asl::{Map, Value};
use std::time::Duration;

/// `PASS [  0.012s] fare happy`.
pub(super) fn line(suite: &str, case: &str, result: &CaseResult, look: Look) -> String {
    let word = if result.passed() { look.good("PASS") } else { look.bad("FAIL") };
    format!("  {word} [{:>7.3}s] {} {case}\n", result.took.as_secs_f64(), look.strong(suite))
}

/// The report as JSON.
pub(super) fn to_value(report: &Report) -> Value {
    let cases = report.suites.iter().flat_map(|suite| suite.cases.iter().map(move |case| item(suite, case)));
    let mut out = Map::new();
    out.insert("cases", cases.collect::<Vec<_>>());
    out.insert("coverage", coverage::to_value(&coverage::by_definition(report)));
    out.into()
}

fn item(suite: &SuiteReport, (case, result): &(Case, CaseResult)) -> Value {
    let mismatch = |mismatch: &Mismatch| {
        let details: Vec<Value> = mismatch.details.iter().map(|line| line.as_str().into()).collect();
        Value::from(Map::from_iter([("what", Value::from(&*mismatch.what)), ("details", details.into())]))
    };
    let mut item = Map::new();
    item.insert("file", suite.file.as_str());
    item.insert("line", case.line as u64);
    item.insert("name", case.name.as_str());
    item.insert("passed", result.passed());
    item.insert("milliseconds", u64::try_from(result.took.as_millis()).unwrap_or(u64::MAX));
    item.insert("mismatches", result.mismatches.iter().map(mismatch).collect::<Vec<_>>());
    item.into()
}

/// Every failure with its differences.
pub(super) fn failures(report: &Report, look: Look) -> String {
    let mut out = String::new();
    for suite in &report.suites {
        for (case, result) in suite.cases.iter().filter(|(_, result)| !result.passed()) {
            let place = look.dim(&format!("{}:{}", suite.file, case.line));
            out += &format!("\n{}", line(&suite.name, &case.name, result, look));
            out += &format!("    at {place}\n");
            for mismatch in &result.mismatches {
                out += &format!("    {}\n", look.strong(&mismatch.what));
                for detail in &mismatch.details {
                    out += &format!("      {}\n", marked(detail, look));
                }
            }
        }
    }
    out
}

/// A line of a difference, in the colour of its marker.
fn marked(line: &str, look: Look) -> String {
    match line.as_bytes().first() {
        Some(b'-') => look.bad(line),
        Some(b'+') => look.good(line),
        _ => line.to_owned(),
    }
}

/// `3 cases of 2 files`.
pub(super) fn cases(cases: usize, files: usize) -> String {
    let s = |n: usize| if n == 1 { "" } else { "s" };
    format!("{cases} case{} of {files} file{}", s(cases), s(files))
}

/// `8 cases: 7 passed, 1 failed in 0.31 s`.
pub(super) fn summary(report: &Report, took: Duration, look: Look) -> String {
    let results = || report.suites.iter().flat_map(|suite| &suite.cases);
    let (all, failed) = (results().count(), results().filter(|(_, result)| !result.passed()).count());
    let files = report.suites.iter().filter(|suite| !suite.cases.is_empty()).count();
    let passed = look.good(&format!("{} passed", all - failed));
    let failed = if failed > 0 { format!(", {}", look.bad(&format!("{failed} failed"))) } else { String::new() };
    format!("\n{}: {passed}{failed} in {:.2} s\n", cases(all, files), took.as_secs_f64())
}
