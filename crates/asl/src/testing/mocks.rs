//! The mocks of a test case: `STATE: ANSWER`, or a list of answers, one for each call.

use super::reader::Reader;
use asl_core::Failure;
use asl_syntax::{Member, Node};
use asl_task::mock::{Answer, MockRule, MockedState, Mocks, Reply};
use std::ops::RangeInclusive;

const ANSWER: [&str; 6] = ["return", "throw", "never", "after", "times", "when"];

/// Reads `mocks` over what is mocked already.
pub(super) fn read(reader: &mut Reader, node: &Node, mocks: &mut Mocks) {
    for member in reader.members(node, "`mocks`") {
        if member.value.as_str() == Some("real") {
            mocks.remove(&member.key);
        } else if let Some(rules) = rules(reader, member) {
            let name = format!("the mock of line {}", reader.line(member.key_span));
            mocks.set(&member.key, MockedState { rules, name, span: Some(member.key_span) });
        }
    }
}

fn rules(reader: &mut Reader, state: &Member) -> Option<Vec<MockRule>> {
    let Some(answers) = state.value.as_array() else {
        return rule(reader, &state.value).map(|(rule, times)| {
            let calls = times.map_or(0..=u64::MAX, |times| span(0, times));
            vec![MockRule { calls, ..rule }]
        });
    };
    let mut next: u64 = 0;
    let mut rules = Vec::with_capacity(answers.len());
    for answer in answers {
        let (rule, times) = rule(reader, answer)?;
        // An answer for certain parameters is for whichever call has them.
        let calls = match (&rule.when, times) {
            (Some(_), None) => 0..=u64::MAX,
            (_, times) => {
                let first = next;
                next = first.saturating_add(times.unwrap_or(1));
                span(first, times.unwrap_or(1))
            }
        };
        rules.push(MockRule { calls, ..rule });
    }
    Some(rules)
}

fn span(first: u64, times: u64) -> RangeInclusive<u64> {
    first..=first.saturating_add(times.saturating_sub(1))
}

/// One answer, and how many calls it is for.
fn rule(reader: &mut Reader, node: &Node) -> Option<(MockRule, Option<u64>)> {
    if node.as_str() == Some("never") {
        return Some((MockRule::always(Reply::Never.into()), None));
    }
    let before = reader.problems.len();
    let (mut reply, mut after_ms, mut times, mut when) = (None, None, None, None);
    for member in reader.known(node, "a mock", &ANSWER) {
        let given = match &*member.key {
            "return" => Some(Reply::Return(member.value.to_value())),
            "throw" => failure(reader, member).map(Reply::Throw),
            "never" => reader.flag(member).map(|_| Reply::Never),
            "after" => {
                after_ms = reader.seconds(&member.value, "after");
                continue;
            }
            "times" => {
                times = reader.count(&member.value, "times");
                if times == Some(0) {
                    reader.report(member.value.span, "an answer is given at least once", "");
                }
                continue;
            }
            "when" => {
                when = Some(member.value.to_value());
                continue;
            }
            _ => continue,
        };
        if reply.is_some() {
            reader.report(member.key_span, "a mock has one answer", "keep one of return, throw and never");
        }
        reply = given;
    }
    match reply {
        Some(reply) => Some((MockRule { calls: 0..=0, when, answer: Answer { reply, after_ms } }, times)),
        None => {
            if reader.problems.len() == before {
                let help = "add `return: RESULT`, `throw: ERROR`, or write `never` or `real` in its place";
                reader.report(node.span, "a mock without an answer", help);
            }
            None
        }
    }
}

/// `throw: NAME`, or `throw: {error: NAME, cause: TEXT}`.
fn failure(reader: &mut Reader, member: &Member) -> Option<Failure> {
    if let Some(error) = member.value.as_str() {
        return Some(Failure::new(error, ""));
    }
    let mut failure = Failure::default();
    for part in reader.known(&member.value, "`throw`", &["error", "cause"]) {
        let text = reader.text(part).map(Into::into);
        match &*part.key {
            "error" => failure.error = text,
            _ => failure.cause = text,
        }
    }
    if failure.error.is_none() {
        reader.report(
            member.value.span,
            "`throw` has no error",
            "write `throw: NAME`, or `{error: NAME, cause: TEXT}`",
        );
    }
    Some(failure)
}
