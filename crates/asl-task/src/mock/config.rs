//! The mock configuration of AWS Step Functions Local (spec: Mock config).

use super::{Answer, MockRule, MockedState, Mocks, Reply};
use asl_core::Failure;
use asl_syntax::model::{Definition, State, StateKind};
use asl_syntax::{Format, Member, Node, Source, nearest, parse};
use asl_value::Span;
use std::ops::RangeInclusive;

/// What is wrong with a mock configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MockError {
    /// What kind of mistake it is.
    pub kind: MockErrorKind,
    /// What is wrong.
    pub message: String,
    /// The place in the configuration, in bytes.
    pub span: Option<Span>,
    /// What to do about it.
    pub help: Option<String>,
}

/// The kinds of mistakes in mock configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MockErrorKind {
    /// It is not JSON.
    NotJson,
    /// It has no such state machine.
    StateMachine,
    /// It has no such test case.
    TestCase,
    /// It has no such response.
    Response,
    /// A response or a test case is malformed.
    Malformed,
    /// The definition has no such Task state.
    State,
}

impl MockError {
    fn new(kind: MockErrorKind, span: Span, message: impl Into<String>) -> MockError {
        MockError { kind, message: message.into(), span: Some(span), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> MockError {
        self.help = Some(help.into());
        self
    }
}

impl Mocks {
    /// The mocks of one test case of a state machine. Only the responses it uses are looked at.
    ///
    /// # Errors
    /// When the text is not JSON, names are missing, or a response it uses is malformed.
    pub fn load(text: &str, state_machine: &str, test_case: &str) -> Result<Mocks, MockError> {
        let root = read(text)?;
        let machines = root.member("StateMachines").map_or(&root, |member| &member.value);
        let machine = named(machines, state_machine, MockErrorKind::StateMachine, "state machine")?;
        let cases = machine.member("TestCases").map_or(machine, |member| &member.value);
        let case = named(cases, test_case, MockErrorKind::TestCase, &format!("test case of '{state_machine}'"))?;
        let responses = root.member("MockedResponses").map_or(&root, |member| &member.value);
        let mut mocks = Mocks::default();
        for member in case.as_object().unwrap_or_default() {
            let Some(response) = member.value.as_str() else {
                let message = format!("'{}' needs the name of a response", member.key);
                return Err(MockError::new(MockErrorKind::Malformed, member.value.span, message));
            };
            let entries = named(responses, response, MockErrorKind::Response, "response")
                .map_err(|error| MockError { span: Some(member.value.span), ..error })?;
            let rules = rules(entries, response)?;
            let name = format!("MockedResponses.{response}");
            mocks.set(&member.key, MockedState { rules, name, span: Some(member.key_span) });
        }
        Ok(mocks)
    }

    /// The names of the test cases that a configuration has for a state machine, in the order of the text.
    ///
    /// # Errors
    /// When the text is not JSON.
    pub fn test_cases(text: &str, state_machine: &str) -> Result<Vec<String>, MockError> {
        let root = read(text)?;
        let machine = root.member("StateMachines").and_then(|machines| machines.value.member(state_machine));
        let cases = machine.and_then(|machine| machine.value.member("TestCases")?.value.as_object());
        Ok(cases.unwrap_or_default().iter().map(|case| case.key.to_string()).collect())
    }

    /// Mocked states that are no Task states of a definition: mistakes, all of them.
    pub fn misplaced(&self, definition: &Definition) -> Vec<MockError> {
        let mocked = self.states().filter_map(|(name, mocked)| {
            let mut error =
                MockError { kind: MockErrorKind::State, message: String::new(), span: mocked.span, help: None };
            let id = definition.find(name);
            match id.map(|id| definition.state(id)) {
                Some(state) if is_mockable(state) => return None,
                Some(state) => {
                    error.message = format!(
                        "'{name}' is a {} state: only Task states and the ItemReader of a Map are mocked",
                        state.state_type().name()
                    );
                }
                None => {
                    let names = definition.states.iter().map(|state| &*state.name);
                    error.message = format!("the definition has no state '{name}'");
                    error.help = nearest(name, names).map(|near| format!("did you mean '{near}'?"));
                }
            }
            Some(error)
        });
        mocked.collect()
    }
}

/// Tasks, and Maps that read their items.
fn is_mockable(state: &State) -> bool {
    match &state.kind {
        StateKind::Task(_) => true,
        StateKind::Map(map) => map.distributed.as_ref().is_some_and(|distributed| distributed.reader.is_some()),
        _ => false,
    }
}

fn read(text: &str) -> Result<Node, MockError> {
    parse(&Source::new("", text), Format::Json).map_err(|diagnostic| {
        let message = diagnostic.message.lines().next().unwrap_or_default().to_owned();
        MockError { kind: MockErrorKind::NotJson, message, span: diagnostic.span, help: diagnostic.help }
    })
}

fn named<'n>(map: &'n Node, name: &str, kind: MockErrorKind, what: &str) -> Result<&'n Node, MockError> {
    map.member(name).map(|member| &member.value).ok_or_else(|| {
        let names: Vec<&str> = map.as_object().unwrap_or_default().iter().map(|member| &*member.key).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let error =
            MockError::new(kind, map.span, format!("the mock configuration has no {what} '{name}'; it has {known}"));
        match nearest(name, names) {
            Some(near) => error.help(format!("did you mean '{near}'?")),
            None => error,
        }
    })
}

fn rules(response: &Node, name: &str) -> Result<Vec<MockRule>, MockError> {
    let mut rules: Vec<MockRule> = Vec::new();
    for member in response.as_object().unwrap_or_default() {
        let bad = |problem: String| {
            MockError::new(MockErrorKind::Malformed, member.key_span, format!("MockedResponses.{name}: {problem}"))
        };
        let key = &member.key;
        let calls = range(key).ok_or_else(|| bad(format!("'{key}' is no call number like 0 and no range like 1-3")))?;
        let overlaps = |rule: &&MockRule| rule.calls.start() <= calls.end() && calls.start() <= rule.calls.end();
        if let Some(MockRule { calls: other, .. }) = rules.iter().find(overlaps) {
            return Err(bad(format!("'{key}' overlaps {}-{}", other.start(), other.end())));
        }
        let answer = Answer::from(reply(member).map_err(bad)?);
        rules.push(MockRule { calls, when: None, answer });
    }
    Ok(rules)
}

fn reply(member: &Member) -> Result<Reply, String> {
    let (key, entry) = (&member.key, &member.value);
    match (entry.member("Return"), entry.member("Throw")) {
        (Some(value), None) => Ok(Reply::Return(value.value.to_value())),
        (None, Some(thrown)) => {
            let text = |key| thrown.value.member(key).and_then(|member| member.value.as_str());
            match (text("Error"), text("Cause")) {
                (Some(error), Some(cause)) => Ok(Reply::Throw(Failure::new(error, cause))),
                _ => Err(format!("'{key}'.Throw needs an Error and a Cause, both strings")),
            }
        }
        _ => Err(format!("'{key}' needs either Return or Throw")),
    }
}

fn range(key: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = key.split_once('-').unwrap_or((key, key));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use asl_syntax::{Options, load};
    use asl_value::Value;

    const CONFIG: &str = r#"{
        "StateMachines": {"m": {"TestCases": {"c": {"A": "Flaky"}, "broken": {"A": "Bad"}, "lost": {"A": "None"},
                                              "typo": {"Aa": "Flaky", "P": "Flaky"}}}},
        "MockedResponses": {
            "Flaky": {"0-1": {"Throw": {"Error": "E", "Cause": "why"}}, "2": {"Return": {"ok": true}}},
            "Bad": {"0": {"Return": 1}, "0-3": {"Return": 2}}
        }
    }"#;

    #[test]
    fn answers_are_found_by_invocation() {
        let mocks = Mocks::load(CONFIG, "m", "c").unwrap();
        let reply = |call| mocks.answer("A", call, &Value::Null).unwrap().reply;
        assert_eq!(reply(1), Reply::Throw(Failure::new("E", "why")));
        assert_eq!(reply(2), Reply::Return(r#"{"ok": true}"#.parse().unwrap()));
        let Reply::Throw(failure) = reply(3) else { panic!("there is no call 3") };
        assert_eq!(failure.cause.as_deref(), Some("MockedResponses.Flaky has no answer for call 3 of state 'A'"));
        assert_eq!(Mocks::test_cases(CONFIG, "m").unwrap(), ["c", "broken", "lost", "typo"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (machine, case, words, place) in [
            ("n", "c", "no state machine 'n'; it has m", "{\"m\": "),
            ("m", "brokn", "no test case of 'm' 'brokn'; it has c, broken, lost, typo", "{\"c\": "),
            ("m", "lost", "no response 'None'; it has Flaky, Bad", "\"None\""),
            ("m", "broken", "MockedResponses.Bad: '0-3' overlaps 0-0", "\"0-3\""),
        ] {
            let error = Mocks::load(CONFIG, machine, case).unwrap_err();
            assert!(error.message.contains(words), "{error}");
            assert!(CONFIG[error.span.unwrap().start..].starts_with(place), "{error:?}");
        }
        assert_eq!(Mocks::load(CONFIG, "m", "brokn").unwrap_err().help.as_deref(), Some("did you mean 'broken'?"));
        assert_eq!(Mocks::load("{", "m", "c").unwrap_err().kind, MockErrorKind::NotJson);
    }

    #[test]
    fn only_task_states_of_the_definition_are_mocked() {
        let text = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "Next": "A"},
            "A": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": true}}}"#;
        let definition = load(&Source::new("m", text), &Options::default()).definition.unwrap();
        assert_eq!(Mocks::load(CONFIG, "m", "c").unwrap().misplaced(&definition), []);
        let told = Mocks::load(CONFIG, "m", "typo").unwrap().misplaced(&definition);
        assert_eq!(told[0].to_string(), "the definition has no state 'Aa'");
        assert_eq!(told[0].help.as_deref(), Some("did you mean 'A'?"));
        assert!(CONFIG[told[0].span.unwrap().start..].starts_with("\"Aa\""));
        assert_eq!(told[1].to_string(), "'P' is a Pass state: only Task states and the ItemReader of a Map are mocked");
    }
}
