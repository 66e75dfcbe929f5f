//! The case's recorded task results, as answers to the machine's task calls.

use crate::execution::python_json;
use asl_core::{Failure, Input, TaskCall};
use asl_syntax::ResourceKind;
use asl_value::Value;
use std::collections::{BTreeSet, HashMap};

/// Finds the record of each call: by state, visit of that state, attempt and iterations.
pub(crate) struct Mocks<'c> {
    rows: &'c [Value],
    visits: HashMap<String, BTreeSet<u64>>,
    used: BTreeSet<usize>,
}

impl<'c> Mocks<'c> {
    pub(crate) fn new(rows: &'c [Value]) -> Mocks<'c> {
        Mocks { rows, visits: HashMap::new(), used: BTreeSet::new() }
    }

    /// The inputs that a call's record amounts to; none when the task timed out or its end was not recorded.
    pub(crate) fn answer(&mut self, call: &TaskCall) -> Vec<Input> {
        let visits = self.visits.entry(call.state.to_string()).or_default();
        visits.insert(call.entered);
        let occurrence = visits.iter().position(|v| *v == call.entered).unwrap_or(0);
        let row = self.find(call, occurrence);
        let activity = matches!(call.resource.kind, ResourceKind::Activity { .. });
        let Some(row) = row else {
            if activity {
                let cause = format!("The activity {} does not exist.", call.resource.arn).into();
                return vec![Input::TaskRejected { task: call.id, cause }];
            }
            return Vec::new();
        };
        let mut inputs = Vec::new();
        if activity {
            inputs.push(Input::TaskScheduled { task: call.id });
            inputs.push(Input::TaskStarted { task: call.id, worker: Some("worker".into()) });
        }
        if !row["submitted"].is_null() {
            inputs.push(Input::TaskSubmitted { task: call.id, output: row["submitted"].clone() });
        }
        let outcome = &row["outcome"];
        if let Some(output) = outcome.get("output") {
            inputs.push(Input::TaskSucceeded { task: call.id, output: output.clone() });
        } else if outcome["timeout"] != Value::Bool(true) && !outcome.is_null() {
            // A function's own error text is Python's JSON; what passes through a service integration is Java's.
            let function = matches!(call.resource.kind, ResourceKind::Lambda { .. });
            let text = |v: &Value| match v {
                Value::Null => None,
                Value::String(s) => Some(s.clone()),
                json if function => Some(python_json(json).into()),
                json => Some(json.to_string().into()),
            };
            let failure = Failure { error: text(&outcome["error"]), cause: text(&outcome["cause"]) };
            inputs.push(Input::TaskFailed { task: call.id, failure });
        }
        inputs
    }

    /// The row of this very call; where the record counts visits otherwise (parallel work), the first unused one of the
    /// same state and attempt.
    fn find(&mut self, call: &TaskCall, occurrence: usize) -> Option<&'c Value> {
        let fits = |row: &Value, exact: bool| {
            let same_iterations = row["iterations"].as_array().unwrap_or_default().iter().eq_by_pairs(&call.iterations);
            row["state"].as_str() == Some(&call.state)
                && row["attempt"].as_i64() == Some(call.attempt as i64)
                && (!exact || (row["occurrence"].as_i64() == Some(occurrence as i64) && same_iterations))
        };
        let free = |i: &usize| !self.used.contains(i);
        let rows = self.rows;
        let exact = (0..rows.len()).filter(free).find(|i| fits(&rows[*i], true));
        let found = exact.or_else(|| (0..rows.len()).filter(free).find(|i| fits(&rows[*i], false)))?;
        self.used.insert(found);
        Some(&rows[found])
    }
}

trait EqByPairs {
    fn eq_by_pairs(self, pairs: &[(std::sync::Arc<str>, u64)]) -> bool;
}

impl<'v, I: Iterator<Item = &'v Value>> EqByPairs for I {
    fn eq_by_pairs(self, pairs: &[(std::sync::Arc<str>, u64)]) -> bool {
        let mut pairs = pairs.iter();
        for row in self {
            match pairs.next() {
                Some((name, index)) if row[0].as_str() == Some(name) && row[1].as_i64() == Some(*index as i64) => {}
                _ => return false,
            }
        }
        pairs.next().is_none()
    }
}
