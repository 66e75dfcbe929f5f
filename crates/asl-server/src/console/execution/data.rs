//! The data of what is selected: of a state its input, the calls of its task, its output and variables; of an event its details;
//! of nothing, the execution's own.

use super::Shown;
use crate::console::act;
use crate::console::html::Html;
use crate::console::story::Attempt;
use crate::console::words;
use asl::parts::event::TaskStage;
use asl::{EventKind, to_aws};

/// How many bytes of a value a page shows; the file of the history has the whole.
const SHOWN: usize = 16 << 10;

pub(super) fn view(h: &mut Html, shown: &Shown<'_>) {
    h.tag("section", &[("class", "card data"), ("id", "data"), ("aria-labelledby", "data-title")], |h| {
        match shown.chosen.visit {
            Some(visit) => of_visit(h, shown, visit),
            None => of_execution(h, shown),
        }
        if let Some(event) = shown.chosen.event {
            let event = &shown.story.events[event];
            h.leaf("h3", &[], &format!("Event {}: {}", event.id, event.type_name()));
            value(h, "Event", &words::pretty(&to_aws(event)));
        }
    });
}

fn of_execution(h: &mut Html, shown: &Shown<'_>) {
    h.leaf("h2", &[("id", "data-title")], "Data of the execution");
    if let Some(state) = shown.visitor.query.get("state") {
        h.leaf("p", &[("class", "quiet")], &format!("{state} was not entered."));
    }
    value(h, "Input", &words::pretty_text(&shown.told.input));
    match &shown.told.output {
        Some(output) => value(h, "Output", &words::pretty(output)),
        None => {
            h.leaf("p", &[("class", "quiet")], "It has no output.");
        }
    }
}

fn of_visit(h: &mut Html, shown: &Shown<'_>, at: usize) {
    let visit = &shown.story.visits[at];
    h.tag("div", &[("class", "bar-of-tools")], |h| {
        h.leaf("h2", &[("id", "data-title")], &format!("Data of {}", visit.state));
        let same = shown.story.same(at);
        if same.len() > 1 {
            let place = same.partition_point(|visit| *visit < at);
            h.tag("nav", &[("class", "pager"), ("aria-label", "Visits of this state")], |h| {
                let mut to = |visit: Option<&usize>, text: &str| {
                    match visit {
                        Some(visit) => h.link(&shown.at_event(shown.story.visits[*visit].entered), text),
                        None => h.leaf("span", &[("class", "quiet")], text),
                    };
                };
                to(place.checked_sub(1).and_then(|before| same.get(before)), "previous");
                to(same.get(place + 1), "next");
                h.leaf("span", &[("class", "quiet")], &format!("visit {} of {}", place + 1, same.len()));
            });
        }
        h.link(&shown.at(&[("state", ""), ("event", ""), ("page", ""), ("of", "execution")]), "of the execution");
    });
    if let Some(failure) = &visit.failure {
        h.tag("p", &[("class", "bad")], |h| {
            h.leaf("code", &[], failure.error.as_deref().unwrap_or("no error name"));
        });
        if let Some(cause) = failure.cause.as_deref().filter(|cause| !cause.is_empty()) {
            value(h, "Cause", &words::pretty_text(cause));
        }
    }
    if let Some(input) = shown.story.input(at) {
        rerun(h, shown, &visit.state, visit.depth, &words::pretty(input));
        value(h, "Input", &words::pretty(input));
    }
    let many = visit.attempts.len();
    for (number, attempt) in (1..).zip(&visit.attempts) {
        if number > many.saturating_sub(3) {
            call(h, shown, attempt, if many > 1 { format!(" (attempt {number} of {many})") } else { String::new() });
        }
    }
    match shown.story.output(at) {
        Some((output, assigned)) => {
            value(h, "Output", &words::pretty(output));
            for (name, variable) in assigned {
                value(h, &format!("Variable {name}"), &words::pretty(variable));
            }
        }
        None => {
            h.leaf("p", &[("class", "quiet")], "It was not left, so it has no output.");
        }
    }
}

/// Begins a new execution at this state, where it is one of the top level.
fn rerun(h: &mut Html, shown: &Shown<'_>, state: &str, depth: usize, input: &str) {
    if depth > 0 || shown.row.is_child() {
        return;
    }
    h.tag("div", &[("class", "actions")], |h| {
        act::asking(h, shown.visitor, "Rerun from here…", |h| {
            h.leaf("p", &[], "A new execution begins at this state, with the variables that were set before. Tasks are called again.");
            let of = [("executionArn", shown.row.arn.as_str()), ("state", state)];
            act::form(h, shown.visitor, "RerunExecution", &of, |h| {
                act::json(h, "Input of the state, JSON", "input", input);
                h.tag("label", &[], |h| {
                    h.text("Another definition (may be empty: the one that it ran)");
                    h.leaf("textarea", &[("name", "definition"), ("rows", "3"), ("spellcheck", "false")], "");
                });
                h.leaf("button", &[("class", "primary")], "Rerun");
            });
        });
    });
}

fn call(h: &mut Html, shown: &Shown<'_>, attempt: &Attempt, which: String) {
    if let EventKind::Task { stage: TaskStage::Scheduled(scheduled), .. } = &shown.story.events[attempt.scheduled].kind
    {
        value(h, &format!("Parameters{which}"), &words::pretty(&scheduled.parameters));
    }
    let Some(ended) = attempt.ended.map(|ended| &shown.story.events[ended].kind) else { return };
    if let EventKind::Task { stage: TaskStage::Succeeded { output }, .. } = ended {
        value(h, &format!("Result{which}"), &words::pretty(output));
    }
    if let Some(failure) = ended.failure() {
        let error = failure.error.as_deref().unwrap_or_default();
        let cause = words::pretty_text(failure.cause.as_deref().unwrap_or_default());
        value(h, &format!("Failure{which}"), format!("{error}\n{cause}").trim());
    }
}

/// A value with its name, which can be folded.
fn value(h: &mut Html, name: &str, text: &str) {
    h.tag("details", &[("class", "value"), ("open", "")], |h| {
        h.leaf("summary", &[], name);
        let cut = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= SHOWN).last().unwrap_or(0);
        let is_whole = text.len() <= SHOWN;
        let shown = if is_whole { text } else { &text[..cut] };
        h.leaf("pre", &[("tabindex", "0"), ("aria-label", name)], shown);
        if !is_whole {
            let message = format!("The first {SHOWN} of {} bytes; the history as a file has all.", text.len());
            h.leaf("p", &[("class", "quiet")], &message);
        }
    });
}
