//! Mocked task results, in the mock configuration format of AWS Step Functions Local (spec: Mock config).
//!
//! ```json
//! {"StateMachines": {"fare": {"TestCases": {"Declined": {"ChargeFare": "CardDeclined"}}}},
//!  "MockedResponses": {"CardDeclined": {"0-1": {"Throw": {"Error": "Lambda.ServiceException", "Cause": "busy"}},
//!                                       "2": {"Return": {"Payload": {"ok": false}}}}}}
//! ```

use asl_core::Failure;
use asl_value::{Map, Value};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The mocked states of one test case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mocks(BTreeMap<String, MockedState>);

#[derive(Clone, Debug, PartialEq)]
struct MockedState {
    response: String,
    /// By invocation of the state in the execution, from 0.
    answers: Vec<(RangeInclusive<u64>, Result<Value, Failure>)>,
}

/// What is wrong with a mock configuration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MockError {
    /// It is not JSON.
    #[error("the mock configuration is not JSON: {0}")]
    NotJson(#[from] asl_value::ParseError),
    /// It has no such state machine, test case or response.
    #[error("the mock configuration has no {what} '{name}'; it has {}", if .known.is_empty() { "none" } else { .known })]
    Unknown {
        /// `state machine`, `test case of 'M'` or `response`.
        what: String,
        /// The name.
        name: String,
        /// The names it has.
        known: String,
    },
    /// A response is malformed.
    #[error("MockedResponses.{response}: {problem}")]
    Response {
        /// The response's name.
        response: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Mocks {
    /// The mocks of one test case of a state machine. Only the responses it uses are looked at.
    ///
    /// # Errors
    /// When the text is not JSON, names are missing, or a response it uses is malformed.
    pub fn load(text: &str, state_machine: &str, test_case: &str) -> Result<Mocks, MockError> {
        let config: Value = text.parse()?;
        let machine = member(&config["StateMachines"], state_machine, "state machine".to_owned())?;
        let what = format!("test case of '{state_machine}'");
        let case = member(&machine["TestCases"], test_case, what)?;
        let mut states = BTreeMap::new();
        for (state, response) in case.as_object().into_iter().flatten() {
            let response = response.as_str().unwrap_or_default();
            let answers = member(&config["MockedResponses"], response, "response".to_owned())?;
            let answers = answers
                .as_object()
                .map_or(Ok(Vec::new()), read_answers)
                .map_err(|problem| MockError::Response { response: response.to_owned(), problem })?;
            states.insert(state.to_string(), MockedState { response: response.to_owned(), answers });
        }
        Ok(Mocks(states))
    }

    /// Whether a state is mocked.
    pub fn contains(&self, state: &str) -> bool {
        self.0.contains_key(state)
    }

    /// The answer to the `invocation`th call of a state, from 0; `None` when the state is not mocked. A mocked state
    /// without an answer for this call fails with `States.Runtime`.
    pub fn answer(&self, state: &str, invocation: u64) -> Option<Result<Value, Failure>> {
        let mocked = self.0.get(state)?;
        let found = mocked.answers.iter().find(|(range, _)| range.contains(&invocation));
        Some(found.map_or_else(
            || {
                let response = &mocked.response;
                let cause =
                    format!("MockedResponses.{response} has no answer for call {invocation} of state '{state}'");
                Err(Failure::new("States.Runtime", cause))
            },
            |(_, answer)| answer.clone(),
        ))
    }
}

fn member<'v>(map: &'v Value, name: &str, what: String) -> Result<&'v Value, MockError> {
    map.get(name).ok_or_else(|| {
        let names: Vec<&str> = map.as_object().into_iter().flat_map(Map::keys).map(|k| &**k).collect();
        MockError::Unknown { what, name: name.to_owned(), known: names.join(", ") }
    })
}

type Answers = Vec<(RangeInclusive<u64>, Result<Value, Failure>)>;

fn read_answers(map: &Map) -> Result<Answers, String> {
    let mut answers: Answers = Vec::with_capacity(map.len());
    for (key, entry) in map {
        let range = read_range(key).ok_or_else(|| format!("'{key}' is no call number like 0 and no range like 1-3"))?;
        if let Some((other, _)) = answers.iter().find(|(r, _)| r.start() <= range.end() && range.start() <= r.end()) {
            return Err(format!("'{key}' overlaps {}-{}", other.start(), other.end()));
        }
        let answer = match (entry.get("Return"), entry.get("Throw")) {
            (Some(value), None) => Ok(value.clone()),
            (None, Some(thrown)) => match (thrown["Error"].as_str(), thrown["Cause"].as_str()) {
                (Some(error), Some(cause)) => Err(Failure::new(error, cause)),
                _ => return Err(format!("'{key}'.Throw needs an Error and a Cause, both strings")),
            },
            _ => return Err(format!("'{key}' needs either Return or Throw")),
        };
        answers.push((range, answer));
    }
    Ok(answers)
}

fn read_range(key: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = key.split_once('-').unwrap_or((key, key));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{
        "StateMachines": {"m": {"TestCases": {"c": {"A": "Flaky"}, "broken": {"A": "Bad"}, "lost": {"A": "None"}}}},
        "MockedResponses": {
            "Flaky": {"0-1": {"Throw": {"Error": "E", "Cause": "why"}}, "2": {"Return": {"ok": true}}},
            "Bad": {"0": {"Return": 1}, "0-3": {"Return": 2}}
        }
    }"#;

    #[test]
    fn answers_are_found_by_invocation() {
        let mocks = Mocks::load(CONFIG, "m", "c").unwrap();
        assert_eq!(mocks.answer("A", 1), Some(Err(Failure::new("E", "why"))));
        assert_eq!(mocks.answer("A", 2), Some(Ok(r#"{"ok": true}"#.parse().unwrap())));
        assert_eq!(mocks.answer("A", 3).unwrap().unwrap_err().error.as_deref(), Some("States.Runtime"));
        assert_eq!(mocks.answer("B", 0), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (machine, case, words) in [
            ("n", "c", "no state machine 'n'; it has m"),
            ("m", "d", "no test case of 'm' 'd'; it has c, broken, lost"),
            ("m", "lost", "no response 'None'"),
            ("m", "broken", "MockedResponses.Bad: '0-3' overlaps 0-0"),
        ] {
            let error = Mocks::load(CONFIG, machine, case).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(Mocks::load("{", "m", "c").is_err());
    }
}
