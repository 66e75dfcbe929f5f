//! What an execution does or waits for now, in words.

use asl::{Doing, Pending};

/// The state, with the indexes of its iterations: `Ask[2]`.
pub(crate) fn label(pending: &Pending) -> String {
    let indexes: String = pending.iterations.iter().map(|(_, index)| format!("[{index}]")).collect();
    format!("{}{indexes}", pending.state)
}

/// What it is at, in a word and in more.
pub(crate) fn told(doing: &Doing) -> (&'static str, String) {
    let within = |until: &Option<asl::Timestamp>| until.map(|at| format!(", until {at}")).unwrap_or_default();
    match doing {
        Doing::Ready => ("ready", String::new()),
        Doing::Waiting { until } => ("waits", format!("until {until}")),
        Doing::Retrying { retry, until } => ("retries", format!("for the {} time at {until}", ordinal(*retry))),
        Doing::Calling { resource, retries: 0, until } => ("calls", format!("{}{}", short(resource), within(until))),
        Doing::Calling { resource, retries, until } => {
            ("calls", format!("{}, retry {retries}{}", short(resource), within(until)))
        }
        Doing::Awaiting { resource, until, .. } => {
            ("waits", format!("for the task token of {}{}", short(resource), within(until)))
        }
        Doing::Mapping { running, started } => ("maps", format!("{running} of {started} children run")),
    }
}

/// The command that answers it.
pub(crate) fn command(doing: &Doing) -> Option<String> {
    match doing {
        Doing::Awaiting { token, .. } => {
            Some(format!("asl send-task-success --task-token {token} --task-output '{{}}'"))
        }
        _ => None,
    }
}

/// `sqs:sendMessage.waitForTaskToken` of its ARN.
fn short(resource: &str) -> &str {
    resource.splitn(6, ':').nth(5).unwrap_or(resource)
}

fn ordinal(n: u64) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}
