//! The events: AWS's table, a page at a time; a filter by type or state.

use super::Shown;
use crate::console::html::Html;
use crate::console::words;
use asl::parts::event::{Family, TaskStage};
use asl::{Event, EventKind};

/// Rows of a page.
const ROWS: usize = 200;

pub(super) fn view(h: &mut Html, shown: &Shown<'_>) {
    let wanted = shown.visitor.query.get("filter").unwrap_or_default().to_lowercase();
    let events: Vec<usize> = (0..shown.story.events.len()).filter(|at| is_wanted(shown, *at, &wanted)).collect();
    let pages = events.len().div_ceil(ROWS).max(1);
    let asked = shown.visitor.query.get("page").and_then(|page| page.parse::<usize>().ok());
    let chosen = shown.chosen.event.or(shown.chosen.visit.map(|visit| shown.story.visits[visit].entered));
    let of_chosen = chosen.map(|chosen| events.partition_point(|at| *at < chosen) / ROWS + 1);
    let page = asked.or(of_chosen).unwrap_or(1).clamp(1, pages);
    h.tag("section", &[("class", "card events"), ("id", "events"), ("aria-labelledby", "events-title")], |h| {
        h.tag("div", &[("class", "bar-of-tools")], |h| {
            h.leaf("h2", &[("id", "events-title")], &format!("Events ({})", events.len()));
            filter(h, shown);
            pager(h, shown, page, pages);
        });
        h.tag(
            "div",
            &[("class", "scroll"), ("tabindex", "0"), ("role", "group"), ("aria-label", "Table of events")],
            |h| {
                table(h, shown, &events[(page - 1) * ROWS..(page * ROWS).min(events.len())]);
            },
        );
        pager(h, shown, page, pages);
    });
}

/// A slider through the events; the other views follow. Without JavaScript it is a form.
pub(super) fn scrubber(h: &mut Html, shown: &Shown<'_>) {
    let Some(last) = shown.story.events.last() else { return };
    let chosen = shown.chosen.event.or(shown.chosen.visit.map(|visit| shown.story.visits[visit].entered));
    let at = chosen.map_or(last.id, |at| shown.story.events[at].id).to_string();
    h.tag("section", &[("id", "scrub"), ("aria-label", "Through time")], |h| {
        h.tag("form", &[("class", "scrub")], |h| {
            let (most, label) = (last.id.to_string(), ("aria-label", "Event that is shown"));
            let range = [("type", "range"), ("id", "scrubber"), ("name", "event"), ("min", "1")];
            let with = [&range[..], &[("max", &*most), ("value", &*at), label]].concat();
            h.void("input", &with).leaf("button", &[], "Show");
        });
    });
}

fn is_wanted(shown: &Shown<'_>, at: usize, wanted: &str) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let state = shown.story.of[at].map(|visit| shown.story.visits[visit].state.to_lowercase());
    shown.story.events[at].type_name().to_lowercase().contains(wanted)
        || state.is_some_and(|state| state.contains(wanted))
}

fn filter(h: &mut Html, shown: &Shown<'_>) {
    h.tag("form", &[("class", "search"), ("role", "search")], |h| {
        for (name, value) in shown.visitor.query.iter().filter(|(name, _)| ["event", "state"].contains(name)) {
            h.void(
                "input",
                &[("type", "hidden"), ("name", if name == "event" { "event" } else { "state" }), ("value", value)],
            );
        }
        let value = shown.visitor.query.get("filter").unwrap_or_default();
        let label = ("aria-label", "Filter events by type or state");
        h.void(
            "input",
            &[("type", "search"), ("name", "filter"), ("value", value), label, ("placeholder", "Type or state")],
        );
    });
}

fn pager(h: &mut Html, shown: &Shown<'_>, page: usize, pages: usize) {
    if pages == 1 {
        return;
    }
    h.tag("nav", &[("class", "pager"), ("aria-label", "Pages of events")], |h| {
        let mut to = |is_there: bool, page: usize, text: &str| {
            let at = format!("{}#events", shown.at(&[("page", &page.to_string())]));
            match is_there {
                true => h.link(&at, text),
                false => h.leaf("span", &[("class", "quiet")], text),
            };
        };
        to(page > 1, 1, "first");
        to(page > 1, page.saturating_sub(1), "previous");
        to(page < pages, page + 1, "next");
        to(page < pages, pages, "last");
        h.leaf("span", &[("class", "quiet")], &format!("page {page} of {pages}"));
    });
}

fn table(h: &mut Html, shown: &Shown<'_>, events: &[usize]) {
    h.tag("table", &[], |h| {
        h.tag("thead", &[], |h| {
            h.tag("tr", &[], |h| {
                for name in ["ID", "Type", "Step", "Resource", "Started after", "Timestamp"] {
                    h.leaf("th", &[("scope", "col")], name);
                }
            });
        });
        h.tag("tbody", &[], |h| events.iter().for_each(|at| row(h, shown, *at)));
    });
}

fn row(h: &mut Html, shown: &Shown<'_>, at: usize) {
    let event = &shown.story.events[at];
    let is_chosen = shown.chosen.event == Some(at);
    let of_visit = shown.chosen.visit.is_some() && shown.story.of[at] == shown.chosen.visit;
    let class = match (is_chosen, of_visit) {
        (true, _) => "chosen",
        (_, true) => "of-chosen",
        _ => "",
    };
    let id = event.id.to_string();
    h.tag("tr", &[("class", class)], |h| {
        h.tag("td", &[("class", "number")], |h| {
            let current = if is_chosen { "true" } else { "false" };
            h.leaf("a", &[("href", &shown.at_event(at)), ("aria-current", current)], &id);
        });
        let bad = event.kind.failure().is_some();
        h.leaf("td", &[("class", if bad { "bad" } else { "" })], &event.type_name());
        h.leaf("td", &[], shown.story.of[at].map_or("", |visit| &*shown.story.visits[visit].state));
        h.leaf("td", &[], &resource(event));
        let after = event.timestamp.millis() - shown.row.started.millis();
        h.leaf("td", &[("class", "number")], &words::span(after));
        h.leaf("td", &[("class", "time")], &event.timestamp.to_string());
    });
}

/// What a task's event is about, in short.
fn resource(event: &Event) -> String {
    match &event.kind {
        EventKind::Task { family: Family::Service { resource_type, resource }, .. } => {
            format!("{resource_type}:{resource}")
        }
        EventKind::Task { stage: TaskStage::Scheduled(scheduled), .. } => {
            words::short(&scheduled.resource_or_region).to_owned()
        }
        EventKind::MapIteration { index, .. } => format!("[{index}]"),
        _ => String::new(),
    }
}
