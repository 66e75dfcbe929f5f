//! The map runs of an execution: how far each is, and the way to its children, those that failed first.

use crate::console::Visitor;
use crate::console::fields::Fields;
use crate::console::html::Html;
use crate::wire::ApiError;
use asl::{ExecutionRow, Map, Value};

/// How many map runs are told one by one, newest first.
const TOLD: u64 = 10;

/// The map runs, as DescribeMapRun tells of them.
pub(super) async fn read(visitor: &Visitor<'_>, row: &ExecutionRow) -> Result<Vec<Map>, ApiError> {
    let mut asked = Map::from_iter([("executionArn", row.arn.as_str())]);
    asked.insert("maxResults", TOLD);
    let listed = visitor.api.call("ListMapRuns", &asked).await?;
    let runs = listed.get("mapRuns").and_then(Value::as_array).unwrap_or_default();
    let mut told = Vec::with_capacity(runs.len());
    for run in runs {
        let arn = run.get("mapRunArn").and_then(Value::as_str).unwrap_or_default();
        let mut described = visitor.api.call("DescribeMapRun", &Map::from_iter([("mapRunArn", arn)])).await?;
        described.insert("stateMachineArn", run.get("stateMachineArn").cloned());
        told.push(described);
    }
    Ok(told)
}

pub(super) fn view(h: &mut Html, runs: &[Map]) {
    if runs.is_empty() {
        return;
    }
    h.tag("section", &[("class", "card maps"), ("id", "maps"), ("aria-labelledby", "maps-title")], |h| {
        h.leaf("h2", &[("id", "maps-title")], "Map runs");
        h.tag("ul", &[], |h| runs.iter().for_each(|run| one(h, run)));
    });
}

fn one(h: &mut Html, run: &Map) {
    let text = |name: &str| run.get(name).and_then(Value::as_str).unwrap_or_default();
    let count = |name: &str| run.get("itemCounts").and_then(|counts| counts.get(name)?.as_f64()).unwrap_or(0.0) as u64;
    let (total, done) = (count("total"), count("succeeded"));
    let failed = count("failed") + count("timedOut") + count("aborted");
    h.tag("li", &[], |h| {
        h.text(&format!("{}: {done} of {total} items succeeded, {failed} did not, ", text("status")));
        h.text(&format!("{} run, {} wait ", count("running"), count("pending")));
        let (most, now) = (total.max(1).to_string(), (done + failed).to_string());
        h.leaf("progress", &[("max", &most), ("value", &now), ("aria-label", "Items that are done")], "");
        let of = |status: &str| {
            let fields = [("machine", text("stateMachineArn")), ("children", "1"), ("status", status)];
            format!("/{}", Fields::default().with(&fields))
        };
        h.text(" ").link(&of("FAILED"), "children that failed").text(" ").link(&of(""), "all children");
        let limits = [("toleratedFailureCount", ""), ("toleratedFailurePercentage", " %")];
        for (name, unit) in limits {
            let most = run.get(name).and_then(Value::as_f64).filter(|most| *most > 0.0);
            if let Some(most) = most {
                h.leaf("span", &[("class", "quiet")], &format!(" · {most}{unit} may fail"));
            }
        }
    });
}
