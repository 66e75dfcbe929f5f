//! Mocked tasks: what states answer without being run.
//!
//! Set up in Rust, or read from a mock configuration of AWS Step Functions Local (spec: Mock config):
//!
//! ```json
//! {"StateMachines": {"fare": {"TestCases": {"Declined": {"ChargeFare": "CardDeclined"}}}},
//!  "MockedResponses": {"CardDeclined": {"0-1": {"Throw": {"Error": "Lambda.ServiceException", "Cause": "busy"}},
//!                                       "2": {"Return": {"Payload": {"ok": false}}}}}}
//! ```

mod config;
mod matching;

pub use config::{MockError, MockErrorKind};
pub use matching::contains;

use asl_core::Failure;
use asl_value::{Span, Value};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The mocked states of a test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mocks(BTreeMap<String, MockedState>);

/// What one state answers: the first rule that fits a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MockedState {
    /// The rules, in order.
    pub rules: Vec<MockRule>,
    /// What it is called in the message that no rule fits a call: `MockedResponses.Busy`.
    pub name: String,
    /// The place in the file that names the state, in bytes.
    pub span: Option<Span>,
}

/// One answer, and for which calls it is.
#[derive(Clone, Debug, PartialEq)]
pub struct MockRule {
    /// The calls of the state in its execution, from 0: retries, loops and iterations all count.
    pub calls: RangeInclusive<u64>,
    /// The parameters have to hold this too ([`contains`]).
    pub when: Option<Value>,
    /// What is answered.
    pub answer: Answer,
}

impl MockRule {
    /// An answer for every call.
    pub fn always(answer: Answer) -> MockRule {
        MockRule { calls: 0..=u64::MAX, when: None, answer }
    }
}

/// What a mocked task answers, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer.
    pub reply: Reply,
    /// How long it takes, in milliseconds of the engine's clock; `None`: no time.
    pub after_ms: Option<i64>,
}

/// What a mocked task answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Its result, before `ResultSelector`.
    Return(Value),
    /// Its error.
    Throw(Failure),
    /// Nothing: only its timeout ends it.
    Never,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Answer {
        Answer { reply, after_ms: None }
    }
}

impl Mocks {
    /// Every call of a state gives this result.
    pub fn returns(self, state: &str, result: Value) -> Mocks {
        self.answers(state, [Reply::Return(result)], true)
    }

    /// Every call of a state fails with this error.
    pub fn throws(self, state: &str, failure: Failure) -> Mocks {
        self.answers(state, [Reply::Throw(failure)], true)
    }

    /// The calls of a state are answered with these, one after another; a call beyond them fails with `States.Runtime`.
    pub fn sequence(self, state: &str, replies: impl IntoIterator<Item = Reply>) -> Mocks {
        self.answers(state, replies, false)
    }

    fn answers(mut self, state: &str, replies: impl IntoIterator<Item = Reply>, always: bool) -> Mocks {
        let rule = |(call, reply)| MockRule {
            calls: if always { 0..=u64::MAX } else { call..=call },
            ..MockRule::always(Answer::from(reply))
        };
        let rules = (0..).zip(replies).map(rule).collect();
        self.set(state, MockedState { rules, name: format!("the mock of '{state}'"), span: None });
        self
    }

    /// Mocks a state, in place of what it was mocked with before.
    pub fn set(&mut self, state: &str, mocked: MockedState) {
        self.0.insert(state.to_owned(), mocked);
    }

    /// Takes the mock of a state away: it runs.
    pub fn remove(&mut self, state: &str) {
        self.0.remove(state);
    }

    /// Whether a state is mocked.
    pub fn contains(&self, state: &str) -> bool {
        self.0.contains_key(state)
    }

    /// The mocked states, by name.
    pub fn states(&self) -> impl Iterator<Item = (&str, &MockedState)> {
        self.0.iter().map(|(state, mocked)| (state.as_str(), mocked))
    }

    /// The answer to the `invocation`th call of a state, from 0; `None` when the state is not mocked. A mocked state
    /// without an answer for this call fails with `States.Runtime`.
    pub fn answer(&self, state: &str, invocation: u64, parameters: &Value) -> Option<Answer> {
        let mocked = self.0.get(state)?;
        let fits = |rule: &&MockRule| {
            rule.calls.contains(&invocation) && rule.when.as_ref().is_none_or(|when| contains(parameters, when))
        };
        let found = mocked.rules.iter().find(fits);
        Some(found.map_or_else(
            || {
                let cause = format!("{} has no answer for call {invocation} of state '{state}'", mocked.name);
                Reply::Throw(Failure::new("States.Runtime", cause)).into()
            },
            |rule| rule.answer.clone(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(mocks: &Mocks, call: u64, parameters: &str) -> Reply {
        mocks.answer("A", call, &parameters.parse().unwrap()).unwrap().reply
    }

    #[test]
    fn answers_are_found_by_call_and_by_parameters() {
        let one = || Reply::Return(Value::from(1));
        assert_eq!(reply(&Mocks::default().returns("A", 1.into()), 7, "{}"), one());
        let mocks = Mocks::default().sequence("A", [Reply::Never, one()]);
        assert_eq!((reply(&mocks, 0, "{}"), reply(&mocks, 1, "{}")), (Reply::Never, one()));
        let Reply::Throw(beyond) = reply(&mocks, 2, "{}") else { panic!("an error") };
        assert_eq!(beyond.cause.as_deref(), Some("the mock of 'A' has no answer for call 2 of state 'A'"));

        let mut mocks = Mocks::default();
        let when = MockRule { when: Some(r#"{"id": 5}"#.parse().unwrap()), ..MockRule::always(one().into()) };
        let rules = vec![when, MockRule::always(Reply::Never.into())];
        mocks.set("A", MockedState { rules, ..MockedState::default() });
        assert_eq!(reply(&mocks, 0, r#"{"id": 5, "more": true}"#), one());
        assert_eq!(reply(&mocks, 0, r#"{"id": 6}"#), Reply::Never);
        assert_eq!(mocks.answer("B", 0, &Value::Null), None);
    }
}
