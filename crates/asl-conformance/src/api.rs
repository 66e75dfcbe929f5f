//! API scripts: the calls of a test, in their order, to a server of this process.

use crate::client::{Called, call, operation};
use crate::world_server::Served;
use asl_value::{Map, Value};
use std::time::{Duration, Instant};

/// Members that AWS's answers have only since a day (the launch of what they tell of); recordings of before do not have them.
const ADDED: [(&str, &str); 2] = [("redriveCount", "2023-11-15"), ("encryptionConfiguration", "2024-07-25")];

/// How long executions may take to end where the recording waited for that.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What the script's stand-ins for names and ids are here.
#[derive(Default)]
struct Known {
    /// `exec-N`: the execution that step N started without a name; (stand-in, ARN).
    executions: Vec<(String, String)>,
    started: Vec<String>,
    revisions: Vec<String>,
    token: Option<String>,
}

/// The responses that the case wants, by their keys.
pub(crate) fn run(case: &Value) -> Result<Value, String> {
    let served = Served::new(&queues(&case.to_string()))?;
    let (mut known, mut responses) = (Known::default(), Map::new());
    let mut expected_step = 0;
    let recorded_on = &*day(case["source"]["recorded"].as_str().unwrap_or_default());
    for step in case["steps"].as_array().unwrap_or_default() {
        let number = step["step"].as_i64().unwrap_or(expected_step);
        if number > expected_step {
            // Calls that waited for something are left out of the script.
            known.await_ends(&served);
        }
        expected_step = number + 1;
        let params = known.real(&step["params"]);
        let params = params.as_object().cloned().unwrap_or_default();
        let name = operation(step["op"].as_str().unwrap_or_default());
        let called = call(served.address, &name, &params)?;
        if let Called::Answered(answer, _) = &called {
            known.learn(&name, number, &params, answer);
        }
        for (key, recorded) in step["expect"].as_object().into_iter().flat_map(Map::iter) {
            let mut response = told(&name, &called, recorded);
            ADDED.iter().filter(|(_, day)| *recorded_on < **day).for_each(|(member, _)| forget(&mut response, member));
            responses.insert(key.clone(), response);
        }
    }
    Ok(Value::from(Map::from_iter([("responses", responses)])))
}

/// `2024-06-01` of `01-06-2024, 10:19:47`.
fn day(recorded: &str) -> String {
    let parts: Vec<&str> = recorded.split([',', '-']).take(3).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("-")
}

/// Removes a member wherever it is.
fn forget(value: &mut Value, member: &str) {
    *value = match &*value {
        Value::Array(items) => {
            let mut items = items.to_vec();
            items.iter_mut().for_each(|item| forget(item, member));
            Value::from(items)
        }
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| ***key != *member);
            let kept = kept.map(|(key, value)| {
                let mut value = value.clone();
                forget(&mut value, member);
                (key.clone(), value)
            });
            Value::from(kept.collect::<Map>())
        }
        other => other.clone(),
    };
}

/// The queues that a script's executions send to: the test made them with another service's client.
fn queues(case: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (at, _) in case.match_indices("queue-0") {
        let name: String = case[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// An answer in the form in which the test kept it: the response, `e.response`, the text of the exception, or its parts.
fn told(operation: &str, called: &Called, recorded: &Value) -> Value {
    let metadata = |status: &u64| {
        let members = [("HTTPHeaders", Value::empty_object()), ("HTTPStatusCode", Value::from(*status))];
        Map::from_iter(members)
    };
    let (kind, text, whole) = match called {
        Called::Answered(answer, status) => {
            let mut whole = answer.clone();
            whole.insert("ResponseMetadata", metadata(status));
            return whole.into();
        }
        Called::Refused { code, message, more, status } => {
            let mut whole = more.clone();
            whole.insert("Error", Map::from_iter([("Code", code), ("Message", message)]));
            whole.insert("ResponseMetadata", metadata(status));
            let text = format!("An error occurred ({code}) when calling the {operation} operation: {message}");
            (code.as_str(), text, whole)
        }
        Called::Invalid(text) => ("ParamValidationError", text.clone(), Map::new()),
    };
    match recorded {
        Value::String(_) => text.into(),
        Value::Object(members) if members.contains_key("exception_typename") => {
            Map::from_iter([("exception_typename", kind), ("exception_value", &text)]).into()
        }
        _ => whole.into(),
    }
}

impl Known {
    /// Parameters with what the stand-ins are here.
    fn real(&self, params: &Value) -> Value {
        match params {
            Value::String(text) => {
                if let Some((_, arn)) = self.executions.iter().find(|(stub, _)| text.ends_with(&format!(":{stub}"))) {
                    return arn.as_str().into();
                }
                let number = text.strip_prefix("stub-revisionid-").and_then(|number| number.parse::<usize>().ok());
                if let Some(revision) = number.and_then(|number| self.revisions.get(number.checked_sub(1)?)) {
                    return revision.as_str().into();
                }
                if let Some(token) = self.token.as_ref().filter(|_| text.starts_with("next-token-")) {
                    return token.as_str().into();
                }
                params.clone()
            }
            Value::Array(items) => Value::from(items.iter().map(|item| self.real(item)).collect::<Vec<_>>()),
            Value::Object(members) => {
                Value::from(members.iter().map(|(name, value)| (name.clone(), self.real(value))).collect::<Map>())
            }
            other => other.clone(),
        }
    }

    fn learn(&mut self, operation: &str, step: i64, params: &Map, answer: &Map) {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        if operation == "StartExecution" {
            self.started.extend(text("executionArn"));
            if !params.contains_key("name") {
                self.executions.extend(text("executionArn").map(|arn| (format!("exec-{step}"), arn)));
            }
        }
        self.revisions.extend(text("revisionId").filter(|_| operation == "UpdateStateMachine"));
        self.token = text("nextToken").or(self.token.take());
    }

    /// Waits until the started executions have ended, at most for the given time.
    fn await_ends(&self, served: &Served) {
        let began = Instant::now();
        let runs = |arn: &String| {
            let params = Map::from_iter([("executionArn", arn.as_str())]);
            let answer = call(served.address, "DescribeExecution", &params);
            matches!(answer, Ok(Called::Answered(answer, _)) if answer.get("status").and_then(Value::as_str) == Some("RUNNING"))
        };
        while began.elapsed() < PATIENCE && self.started.iter().any(runs) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
