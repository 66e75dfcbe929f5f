//! The error names of `Retry` and `Catch` lists: what comes too late and what does not exist.

use crate::diagnostic::Rule;
use crate::load::Loader;
use crate::tree::Item;
use std::collections::HashMap;

/// The error names that the States Language and AWS reserve.
const RESERVED: [&str; 14] = [
    "States.ALL",
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.TaskFailed",
];
/// Reserved too, but worth no suggestion.
const ALSO_RESERVED: [&str; 3] = ["States.Timeout", "States.Runtime", "States.Http.Socket"];

impl Loader<'_> {
    /// A whole `Retry` or `Catch`; `done` is what the entries do: "retried", "caught".
    pub(crate) fn check_errors(&mut self, list: &Item<'_>, done: &str) {
        let count = list.node.as_array().map_or(0, <[_]>::len);
        let mut seen: HashMap<String, (usize, usize)> = HashMap::new();
        for (i, entry) in list.elements().enumerate() {
            let Some(names) = entry.get("ErrorEquals") else { continue };
            for (j, name) in names.elements().enumerate() {
                let Some(text) = name.node.as_str() else { continue };
                if text == "States.ALL" && i + 1 < count {
                    self.error(Rule::AllNotLast, &entry, "States.ALL must appear in the last entry of the list")
                        .help("nothing after it can ever match: move it to the end");
                }
                self.error_name(&name, text, done);
                if let Some((entry, at)) = seen.get(text) {
                    let message =
                        format!("'{text}' is {done} by an earlier entry already, so this one never matches it");
                    let earlier = if self.keeps(Rule::NeverMatches) { list.location() } else { String::new() };
                    self.error(Rule::NeverMatches, &name, message)
                        .help(format!("see {earlier}[{entry}]/ErrorEquals[{at}]"));
                }
                seen.entry(text.to_owned()).or_insert((i, j));
            }
        }
    }

    fn error_name(&mut self, name: &Item<'_>, text: &str, done: &str) {
        if text == "States.Runtime" {
            self.error(Rule::NeverMatches, name, format!("'States.Runtime' is never {done}"))
                .help("such an error always fails the execution");
        }
        let known =
            RESERVED.contains(&text) || ALSO_RESERVED.contains(&text) || text.starts_with("States.Http.StatusCode.");
        let close_to_reserved =
            text.starts_with("States.") || text.starts_with("State.") || text.starts_with("states.");
        if known || !close_to_reserved || self.survey.raised.contains(text) {
            return;
        }
        let near = self.suggest(text, RESERVED.into_iter().chain(ALSO_RESERVED));
        let diagnostic = self.error(Rule::UnknownErrorName, name, format!("There is no error '{text}'"));
        match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("names that begin with `States.` are reserved"),
        };
    }
}
