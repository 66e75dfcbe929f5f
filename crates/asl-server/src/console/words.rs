//! Times, spans and states in words.

use asl::{Doing, Pending, Status, Timestamp, Value};

/// A span of time: `820 ms`, `3.2 s`, `4 min 5 s`, `2 h 3 min`, `5 d 1 h`.
pub(super) fn span(ms: i64) -> String {
    let ms = ms.max(0);
    let (s, min, h) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{s}.{} s", ms % 1000 / 100),
        60_000..3_600_000 => format!("{min} min {} s", s % 60),
        3_600_000..86_400_000 => format!("{h} h {} min", min % 60),
        _ => format!("{} d {} h", h / 24, h % 24),
    }
}

/// The class of a status, which colours it beside its name.
pub(super) fn class(status: Status) -> &'static str {
    match status {
        Status::Running => "status running",
        Status::Succeeded => "status succeeded",
        Status::Failed => "status failed",
        Status::TimedOut => "status timed-out",
        Status::Aborted => "status aborted",
    }
}

/// The sign before a status: its meaning does not depend on colour.
pub(super) fn sign(status: Status) -> &'static str {
    match status {
        Status::Running => "…",
        Status::Succeeded => "✓",
        Status::Failed => "✗",
        Status::TimedOut => "◴",
        Status::Aborted => "⊘",
    }
}

/// `Failed`, for people.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Running => "Running",
        Status::Succeeded => "Succeeded",
        Status::Failed => "Failed",
        Status::TimedOut => "Timed out",
        Status::Aborted => "Aborted",
    }
}

/// A state with the indexes of its iterations: `Ask[2]`.
pub(super) fn label(pending: &Pending) -> String {
    let indexes: String = pending.iterations.iter().map(|(_, index)| format!("[{index}]")).collect();
    format!("{}{indexes}", pending.state)
}

/// What a state is at: `waits for the task token of sqs:sendMessage, until …`.
pub(super) fn doing(doing: &Doing, now: Timestamp) -> String {
    let left = |at: Timestamp| match at.millis() - now.millis() {
        ms if ms > 0 => format!("in {}", span(ms)),
        _ => "now".to_owned(),
    };
    let within = |until: &Option<Timestamp>| until.map(|at| format!("; it times out {}", left(at))).unwrap_or_default();
    match doing {
        Doing::Ready => "goes on at once".to_owned(),
        Doing::Waiting { until } => format!("waits; it goes on {} ({until})", left(*until)),
        Doing::Retrying { retry, until } => format!("failed; retry {retry} comes {}", left(*until)),
        Doing::Calling { resource, retries: 0, until } => format!("calls {}{}", short(resource), within(until)),
        Doing::Calling { resource, retries, until } => {
            format!("calls {}, retry {retries}{}", short(resource), within(until))
        }
        Doing::Awaiting { resource, until, .. } => {
            format!("waits for the task token of {}{}", short(resource), within(until))
        }
        Doing::Mapping { running, started } => format!("maps: {running} children run, {started} were started"),
    }
}

/// `sqs:sendMessage.waitForTaskToken` of its ARN.
pub(super) fn short(resource: &str) -> &str {
    resource.splitn(6, ':').nth(5).unwrap_or(resource)
}

/// JSON with a member a line.
pub(super) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out
}

/// The text of an input, a member a line if it is JSON.
pub(super) fn pretty_text(text: &str) -> String {
    text.parse::<Value>().map_or_else(|_| text.to_owned(), |value| pretty(&value))
}

/// Values of a record are at most 500 deep: see `asl_core::DEPTH_LIMIT`. Deeper than this they are on one line.
const INDENTED: usize = 40;

fn write(out: &mut String, value: &Value, depth: usize) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    match value {
        Value::Array(items) if !items.is_empty() && depth < INDENTED => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                line(out, depth + 1);
                write(out, item, depth + 1);
            }
            line(out, depth);
            out.push(']');
        }
        Value::Object(members) if !members.is_empty() && depth < INDENTED => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                line(out, depth + 1);
                out.push_str(&Value::from(&**name).to_string());
                out.push_str(": ");
                write(out, member, depth + 1);
            }
            line(out, depth);
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_two_units() {
        let told = [0, 999, 1000, 59_999, 61_000, 3_700_000, 90_000_000].map(span);
        assert_eq!(told, ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
    }

    #[test]
    fn json_has_a_member_a_line_and_keeps_its_meaning() {
        let text = r#"{"a":[1,{"b":"x\ny"}],"c":{},"d":[]}"#;
        assert_eq!(
            pretty_text(text),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x\\ny\"\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}"
        );
        assert_eq!(pretty_text(text).parse::<Value>(), text.parse::<Value>());
        assert_eq!(pretty_text("no JSON"), "no JSON");
    }
}
