//! `asl replay --definition NEW`: what would another definition have done with recorded executions?

use super::exported::Text;
use super::{count, difference};
use crate::exit::{Exit, Trouble};
use crate::render::grid::grid;
use crate::render::look::Look;
use crate::render::text::{gist, json};
use crate::terminal::answer;
use asl::{Database, ExecutionRow, Failure, Map, Outcome, ReplayError, Trial, Value, Verdict, try_definition};
use std::collections::BTreeMap;

/// An execution, and what came of its trial.
pub(crate) type Tried = (String, Result<Trial, ReplayError>);

/// Tries a definition on executions of a database.
pub(crate) async fn stored(journal: &Database, rows: &[ExecutionRow], text: &Text) -> Vec<Tried> {
    let mut tried = Vec::new();
    for row in rows {
        tried.push((row.name.clone(), try_definition(&**journal, row, text.definition.clone()).await));
    }
    tried
}

/// A line for each execution and the counts, or an object for each.
pub(crate) fn tell(tried: Vec<Tried>, as_json: bool) -> Result<Exit, Trouble> {
    let mut cells = Vec::new();
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let total = tried.len();
    for (name, trial) in tried {
        let trial = match trial {
            Ok(trial) => trial,
            Err(ReplayError::Store(problem)) => return Err(problem.into()),
            Err(problem) => return Err(Trouble::new(problem.to_string()).hint("`asl replay` of it alone shows more")),
        };
        let words = words(&trial.verdict);
        *counts.entry((words.order, words.sentence)).or_default() += 1;
        if as_json {
            answer(&json(&item(&name, &trial, &words)))?;
        } else {
            cells.push(vec![name, words.sentence.to_owned(), detail(&trial)]);
        }
    }
    if !as_json {
        let parts: Vec<String> = counts.iter().map(|((_, sentence), n)| format!("{n} {sentence}")).collect();
        let table = grid(&["EXECUTION", "WITH THIS DEFINITION", "DETAIL"], &cells, &[], Look::of_stdout());
        answer(&format!("{table}\n{}: {}\n", count(total, "execution"), parts.join(", ")))?;
    }
    let all_same = counts.keys().all(|(order, _)| *order == 0);
    Ok(if all_same { Exit::Done } else { Exit::Failed })
}

/// How a verdict is called, for people and for programs, and its place among the counts.
struct Words {
    order: usize,
    sentence: &'static str,
    word: &'static str,
}

fn words(verdict: &Verdict) -> Words {
    let (order, sentence, word) = match verdict {
        Verdict::Same => (0, "same way", "SAME"),
        Verdict::OtherOutput => (1, "same way, another output", "OTHER_OUTPUT"),
        Verdict::OtherPath => (2, "another path", "OTHER_PATH"),
        Verdict::Fails => (3, "fails", "FAILS"),
        Verdict::Needs(needed) if needed.unanswered => (4, "waits for an answer not recorded", "NEEDS_ANSWER"),
        Verdict::Needs(_) => (5, "needs a call that never happened", "NEEDS_CALL"),
        _ => (6, "cannot start", "CANNOT_START"),
    };
    Words { order, sentence, word }
}

fn failure(outcome: &Outcome) -> Option<&Failure> {
    match outcome {
        Outcome::Succeeded(_) => None,
        Outcome::Failed(failure) | Outcome::TimedOut(failure) | Outcome::Aborted(failure) => Some(failure),
    }
}

/// What there is to say besides the verdict.
fn detail(trial: &Trial) -> String {
    let mut parts = Vec::new();
    match &trial.verdict {
        Verdict::Needs(needed) => {
            parts.push(format!("{}: {} {}", needed.state, needed.resource, gist(&needed.parameters.to_string())));
        }
        Verdict::CannotStart(why) => parts.push(why.clone()),
        Verdict::Fails => {
            let failure = trial.now.as_ref().and_then(failure);
            let error = failure.and_then(|f| f.error.as_deref()).unwrap_or("without an error name");
            let cause = failure.and_then(|f| f.cause.as_deref()).map(gist).unwrap_or_default();
            parts.push(if cause.is_empty() { error.to_owned() } else { format!("{error}: {cause}") });
        }
        Verdict::OtherOutput => {
            if let (Some(Outcome::Succeeded(was)), Some(Outcome::Succeeded(now))) = (&trial.recorded, &trial.now) {
                parts.push(format!("was {}, now {}", gist(&was.to_string()), gist(&now.to_string())));
            }
        }
        _ => {}
    }
    if let Some(fork) = &trial.fork {
        let state = |state: &Option<std::sync::Arc<str>>| state.as_deref().unwrap_or("(the end)").to_owned();
        parts.push(format!("was {}, now {}", state(&fork.was), state(&fork.now)));
    }
    for call in &trial.changed {
        let fields: Vec<&str> = call.differences.iter().map(|d| d.field.as_str()).collect();
        parts.push(format!("{} called with another {}", call.state, fields.join(", ")));
    }
    parts.join("; ")
}

fn item(name: &str, trial: &Trial, words: &Words) -> Value {
    let mut item = Map::new();
    item.insert("execution", name);
    item.insert("verdict", words.word);
    let status = |outcome: &Option<Outcome>| outcome.as_ref().map_or("RUNNING", Outcome::status);
    item.insert("status", Map::from_iter([("recorded", status(&trial.recorded)), ("now", status(&trial.now))]));
    if let Some(fork) = &trial.fork {
        let state = |state: &Option<std::sync::Arc<str>>| state.as_ref().map_or(Value::Null, Value::from);
        item.insert("firstDifference", Map::from_iter([("was", state(&fork.was)), ("now", state(&fork.now))]));
    }
    if let Some(failure) = trial.now.as_ref().and_then(failure) {
        failure.error.iter().for_each(|error| drop(item.insert("error", error)));
        failure.cause.iter().for_each(|cause| drop(item.insert("cause", cause)));
    }
    match &trial.verdict {
        Verdict::Needs(needed) => {
            let mut needs = Map::new();
            needs.insert("state", &needed.state);
            needs.insert("resource", &needed.resource);
            needs.insert("parameters", needed.parameters.clone());
            item.insert("needs", needs);
        }
        Verdict::CannotStart(why) => drop(item.insert("reason", why.as_str())),
        _ => {}
    }
    let changed = trial.changed.iter().map(|call| {
        let differences = call.differences.iter().map(difference).collect::<Vec<_>>();
        Value::from(Map::from_iter([("state", Value::from(&call.state)), ("differences", differences.into())]))
    });
    item.insert("changedCalls", changed.collect::<Vec<_>>());
    item.into()
}
