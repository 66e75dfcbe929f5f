//! The commands, one file each.

pub(crate) mod check;
pub(crate) mod describe;
pub(crate) mod explain;
pub(crate) mod exported;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod mocks;
pub(crate) mod queue;
pub(crate) mod redrive;
pub(crate) mod replay;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod send_task;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod table;
pub(crate) mod test;
pub(crate) mod trial;
pub(crate) mod wait;
pub(crate) mod worker;

use crate::exit::Trouble;
use crate::render::snippet::Finding;
use asl::ParseError;
use asl::parts::syntax::{self, Loaded, Severity, Source};
use std::time::{SystemTime, UNIX_EPOCH};

/// What to show of diagnostics of a severity: the first hundred, and how many more there are.
pub(crate) fn findings(source: &Source, loaded: &Loaded, severity: Severity) -> Vec<Finding> {
    let wanted = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity);
    let mut shown: Vec<Finding> =
        wanted.take(syntax::MAX_SHOWN).map(|diagnostic| Finding::of(source, diagnostic)).collect();
    let more = loaded.count(severity) - shown.len();
    if more > 0 {
        shown.push(Finding {
            severity,
            rule: None,
            message: format!("{more} more {}s are not shown", severity.as_str().to_ascii_lowercase()),
            file: source.name().to_owned(),
            text: source.original().clone(),
            span: None,
            labels: Vec::new(),
            help: None,
        });
    }
    shown
}

/// What is to be told of a file that should be JSON and is not.
pub(crate) fn not_json(what: &str, file: &str, text: &str, problem: &ParseError) -> Trouble {
    Trouble::Places(vec![Finding {
        severity: Severity::Error,
        rule: None,
        message: format!("{what} is not JSON: {problem}"),
        file: file.to_owned(),
        span: Some(problem.offset..problem.offset + 1),
        text: text.into(),
        labels: Vec::new(),
        help: None,
    }])
}

/// The time, in epoch milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
