//! The page of an execution: what it does or waits for, and one selection in four views: graph, timeline, events, data.

mod data;
mod events;
mod graph;
mod maps;
mod now;
mod timeline;

use super::fields::encode;
use super::frame::{Live, Page};
use super::html::Html;
use super::story::Story;
use super::{Visitor, machine, respond, words};
use crate::http::Answered;
use crate::operation::no_execution;
use crate::wire::ApiError;
use asl::parts::store::{Description, Page as Events};
use asl::{Definition, ExecutionRow, Map, Pending, Status, Timestamp, Value, to_aws};
use std::sync::Arc;

/// The address of an execution's page.
pub(super) fn address(arn: &str) -> String {
    format!("/console/execution/{}", encode(arn))
}

/// What the page shows.
struct Shown<'a> {
    visitor: &'a Visitor<'a>,
    row: &'a ExecutionRow,
    told: Description,
    story: Story,
    /// The ARN of the execution that it is a rerun of, and the state it began at.
    rerun_of: Option<(Arc<str>, Arc<str>)>,
    /// What it is at; or why that is not known.
    pending: Result<Vec<Pending>, String>,
    definition: Option<Arc<Definition>>,
    now: Timestamp,
    chosen: Chosen,
}

/// What is selected: a visit, and perhaps one of its events, by their places in the story.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Chosen {
    visit: Option<usize>,
    event: Option<usize>,
}

impl Shown<'_> {
    /// The address of this page with another selection.
    fn at(&self, changed: &[(&str, &str)]) -> String {
        format!("{}{}", address(&self.row.arn), self.visitor.query.with(changed))
    }

    fn at_event(&self, event: usize) -> String {
        let id = self.story.events[event].id.to_string();
        self.at(&[("event", &id), ("state", ""), ("page", ""), ("of", "")])
    }

    fn is_open(&self) -> bool {
        self.row.status == Status::Running
    }
}

pub(super) async fn page(visitor: &Visitor<'_>, arn: &str) -> Result<Page, ApiError> {
    let number = visitor.api.execution(arn).await?.id.0;
    let live = Live::new(visitor, number).await;
    // Read after the mark: what changes in between is told by the stream.
    let row = visitor.api.execution(arn).await?;
    let store = visitor.api.store();
    let told = store.describe(row.id).await?.ok_or_else(|| no_execution(arn))?;
    let story = Story::read(store.history(row.id, Events::default()).await?);
    let pending = match row.status {
        Status::Running => asl::pending(store, &row).await.map_err(|error| error.to_string()),
        _ => Ok(Vec::new()),
    };
    let has_runs = story.events.iter().any(|event| matches!(event.kind, asl::EventKind::MapRunStarted { .. }));
    let rerun_of = asl::rerun_of(store, &row).await?;
    let runs = if has_runs { maps::read(visitor, &row).await? } else { Vec::new() };
    let definition = visitor.api.definition(&row.definition).await.ok();
    let chosen = choose(visitor, &row, &story, &pending);
    let now = visitor.api.now();
    let shown = Shown { visitor, row: &row, told, story, rerun_of, pending, definition, now, chosen };
    let mut page = Page::new(&row.name);
    page.above = vec![(machine::address(&row.state_machine_arn), row.state_machine.clone())];
    page.live = shown.is_open().then_some(live);
    head(&mut page.body, &shown);
    maps::view(&mut page.body, &runs);
    events::scrubber(&mut page.body, &shown);
    page.body.tag("div", &[("class", "views")], |h| {
        graph::view(h, &shown);
        data::view(h, &shown);
        timeline::view(h, &shown);
        events::view(h, &shown);
    });
    Ok(page)
}

/// What the address selects; else what waits, or failed.
fn choose(visitor: &Visitor<'_>, row: &ExecutionRow, story: &Story, pending: &Result<Vec<Pending>, String>) -> Chosen {
    let event = visitor.query.get("event").and_then(|id| id.parse().ok()).and_then(|id| story.numbered(id));
    if let Some(event) = event {
        return Chosen { visit: story.of[event], event: Some(event) };
    }
    if let Some(state) = visitor.query.get("state") {
        return Chosen { visit: story.last_of(state), event: None };
    }
    if visitor.query.get("of") == Some("execution") {
        return Chosen::default();
    }
    let visit = match row.status {
        Status::Running => pending.as_ref().ok().and_then(|all| story.last_of(&all.first()?.state)),
        Status::Failed => story.failing(),
        _ => None,
    };
    Chosen { visit, ..Chosen::default() }
}

fn head(h: &mut Html, shown: &Shown<'_>) {
    let row = shown.row;
    h.tag("section", &[("class", "head"), ("id", "head")], |h| {
        h.tag("div", &[("class", "headline")], |h| {
            h.leaf("h1", &[], &row.name);
            h.tag("span", &[("class", words::class(row.status))], |h| {
                h.leaf("span", &[("aria-hidden", "true")], words::sign(row.status)).text(" ");
                h.text(words::status(row.status));
            });
        });
        now::view(h, shown);
        h.tag("p", &[("class", "facts")], |h| {
            let took = row.stopped.unwrap_or(shown.now).millis() - row.started.millis();
            h.text("started ").leaf("time", &[("datetime", &row.started.to_string())], &row.started.to_string());
            h.text(&format!(" · {} {}", if shown.is_open() { "for" } else { "took" }, words::span(took)));
            h.text(&format!(" · {} events", row.last_event));
            if row.redrive_count > 0 {
                h.text(&format!(" · redriven {} times", row.redrive_count));
            }
            if let Some((of, state)) = &shown.rerun_of {
                h.text(" · rerun of ").link(&address(of), of.rsplit(':').next().unwrap_or(of));
                h.text(&format!(" from {state}"));
            }
            h.text(" · ").link(&format!("/console/download/{}", encode(&row.arn)), "history as a file");
            h.text(" · ").link(&format!("/console/replay/{}", encode(&row.arn)), "replay");
            h.text(" · ").leaf("code", &[("class", "arn")], &row.arn);
        });
    });
}

/// The history in AWS's shape, as a file.
pub(super) async fn download(visitor: &Visitor<'_>, arn: &str) -> Result<Answered, ApiError> {
    let row = visitor.api.execution(arn).await?;
    let events = visitor.api.store().history(row.id, Events::default()).await?;
    let events: Vec<Value> = events.iter().map(to_aws).collect();
    let text = Value::from(Map::from_iter([("events", Value::from(events))])).to_string();
    Ok(respond::download(&format!("{}.history.json", row.name), text))
}
