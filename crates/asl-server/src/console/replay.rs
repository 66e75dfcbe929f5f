//! Replay and what-if: an execution done again from its records, and a changed definition tried over the last executions. Nothing
//! is called for either, and nothing is written.

use super::fields::Fields;
use super::frame::Page;
use super::html::Html;
use super::{Visitor, act, execution, machine, words};
use crate::operation::{kind_of, no_execution};
use crate::wire::ApiError;
use asl::parts::store::StateMachineRow;
use asl::parts::syntax::{Options, Source, load};
use asl::{ExecutionRow, Filter, Outcome, Trial, Verdict, stored_options};

/// How many executions a trial takes, unless the form says so, and at most.
const TRIED: u32 = 20;
const MOST: u32 = 100;

/// The page that says whether an execution replays.
pub(super) async fn page(visitor: &Visitor<'_>, arn: &str) -> Result<Page, ApiError> {
    let row = visitor.api.execution(arn).await?;
    if row.arn != arn {
        return Err(no_execution(arn));
    }
    let replayed = asl::replay(visitor.api.store(), &row).await;
    let mut page = Page::new(&format!("Replay of {}", row.name));
    page.above = vec![
        (machine::address(&row.state_machine_arn), row.state_machine.clone()),
        (execution::address(&row.arn), row.name.clone()),
    ];
    page.body.tag("section", &[("class", "card")], |h| {
        h.leaf("h1", &[], "Replay");
        match &replayed {
            Ok(replayed) => {
                let message = format!(
                    "It replays: {} records and {} events came out of this program as they were recorded.",
                    replayed.records, replayed.events
                );
                h.leaf("p", &[], &message);
            }
            Err(error) => {
                h.leaf("p", &[("class", "bad"), ("role", "alert")], "It does not replay.");
                h.leaf(
                    "pre",
                    &[("class", "cause"), ("tabindex", "0"), ("aria-label", "Difference")],
                    &error.to_string(),
                );
            }
        }
        h.tag("p", &[], |h| {
            h.link(&execution::address(&row.arn), "Back to the execution");
        });
    });
    Ok(page)
}

/// The form of a what-if, on a state machine's page.
pub(super) fn form(h: &mut Html, visitor: &Visitor<'_>, row: &StateMachineRow, text: &str) {
    h.tag("details", &[("class", "act")], |h| {
        h.leaf("summary", &[("class", "button")], "What if…");
        h.tag("div", &[("class", "sheet wide")], |h| {
            h.leaf("p", &[], "Change the definition: it is tried over the last executions with the answers that their tasks got. Nothing is called and nothing is stored.");
            h.tag("form", &[("method", "post"), ("action", "/console/try"), ("class", "fields")], |h| {
                h.void("input", &[("type", "hidden"), ("name", "page"), ("value", visitor.console.guard.token())]);
                h.void("input", &[("type", "hidden"), ("name", "machine"), ("value", &row.arn)]);
                h.tag("label", &[], |h| {
                    h.text("Definition");
                    h.leaf("textarea", &[("name", "definition"), ("rows", "18"), ("spellcheck", "false")], text);
                });
                act::line(h, "How many of the last executions", "last", &TRIED.to_string());
                h.leaf("button", &[("class", "primary")], "Try it");
            });
        });
    });
}

/// What came of a trial.
pub(super) async fn trial(visitor: &Visitor<'_>, form: &Fields) -> Result<Page, ApiError> {
    let arn = form.get("machine").unwrap_or_default();
    let row = visitor.api.machine(arn).await?;
    let text = form.get("definition").unwrap_or_default();
    let options = Options { kind: kind_of(Some(&row.kind)), lints: false, format: stored_options(text).format };
    let source = Source::new(&*row.name, text);
    let loaded = load(&source, &options);
    let mut page = Page::new(&format!("What if: {}", row.name));
    page.above = vec![(machine::address(&row.arn), row.name.clone())];
    let Some(definition) = loaded.definition else {
        page.body.tag("section", &[("class", "card"), ("role", "alert")], |h| {
            h.leaf("h1", &[], "The definition is not accepted");
            machine::source(h, &source, &loaded.diagnostics, text);
        });
        return Ok(page);
    };
    let last = form.get("last").and_then(|last| last.parse().ok()).unwrap_or(TRIED).clamp(1, MOST);
    let filter = Filter { state_machine: Some(row.arn.clone()), limit: Some(last), ..Filter::default() };
    let rows = visitor.api.store().executions(&filter).await?;
    let mut tried = Vec::with_capacity(rows.len());
    for row in rows {
        let trial = asl::try_definition(visitor.api.store(), &row, definition.clone()).await;
        tried.push((row, trial.map_err(|error| error.to_string())));
    }
    show(&mut page.body, &tried);
    Ok(page)
}

type Tried = (ExecutionRow, Result<Trial, String>);

fn show(h: &mut Html, tried: &[Tried]) {
    let is_same = |tried: &&Tried| tried.1.as_ref().is_ok_and(|trial| trial.verdict == Verdict::Same);
    let same = tried.iter().filter(is_same).count();
    h.tag("section", &[("class", "card")], |h| {
        h.leaf("h1", &[], &format!("{same} of {} go the same way", tried.len()));
        h.tag("table", &[], |h| {
            h.tag("thead", &[], |h| {
                h.tag("tr", &[], |h| {
                    for name in ["Execution", "With the change", "Where", "Ended then", "Ends now"] {
                        h.leaf("th", &[("scope", "col")], name);
                    }
                });
            });
            h.tag("tbody", &[], |h| tried.iter().for_each(|tried| line(h, tried)));
        });
    });
}

fn line(h: &mut Html, (row, trial): &Tried) {
    h.tag("tr", &[], |h| {
        h.tag("td", &[("class", "name")], |h| {
            h.link(&execution::address(&row.arn), &row.name);
        });
        match trial {
            Ok(trial) => {
                let class = if trial.verdict == Verdict::Same { "" } else { "bad" };
                h.leaf("td", &[("class", class)], &verdict(&trial.verdict));
                let state = |state: &Option<std::sync::Arc<str>>| state.as_deref().unwrap_or("the end").to_owned();
                let fork = trial.fork.as_ref().map(|fork| format!("{} → {}", state(&fork.was), state(&fork.now)));
                h.leaf("td", &[], &fork.unwrap_or_default());
                h.leaf("td", &[], &outcome(trial.recorded.as_ref())).leaf("td", &[], &outcome(trial.now.as_ref()));
            }
            Err(error) => {
                h.leaf("td", &[("class", "bad"), ("colspan", "4")], error);
            }
        }
    });
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Same => "the same way".to_owned(),
        Verdict::OtherOutput => "another output".to_owned(),
        Verdict::OtherPath => "another way".to_owned(),
        Verdict::Fails => "fails".to_owned(),
        Verdict::Needs(needed) => {
            format!("needs an answer that is not recorded: {} in {}", needed.resource, needed.state)
        }
        Verdict::CannotStart(why) => format!("cannot be started: {why}"),
        _ => "differs".to_owned(),
    }
}

fn outcome(outcome: Option<&Outcome>) -> String {
    let with = |status: asl::Status, failure: &asl::Failure| match &failure.error {
        Some(error) => format!("{}: {error}", words::status(status)),
        None => words::status(status).to_owned(),
    };
    match outcome {
        None => "open".to_owned(),
        Some(Outcome::Succeeded(_)) => words::status(asl::Status::Succeeded).to_owned(),
        Some(Outcome::Failed(failure)) => with(asl::Status::Failed, failure),
        Some(Outcome::TimedOut(failure)) => with(asl::Status::TimedOut, failure),
        Some(Outcome::Aborted(failure)) => with(asl::Status::Aborted, failure),
    }
}
