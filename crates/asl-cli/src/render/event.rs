//! A history as a table.

use super::grid::Grid;
use super::look::Look;
use super::text::{duration, gist, one_line};
use super::trail::Trail;
use asl::{Event, EventKind, ExecutionRow, Failure, Map, Timestamp, Value, to_aws};
use asl_core::event::{Family, TaskStage};

const HEADER: [&str; 6] = ["ID", "PREV", "SECONDS", "EVENT", "STATE", "DETAIL"];

/// A history, page by page.
pub(crate) struct Table<'a> {
    look: Look,
    /// Service metadata is shown too.
    full: bool,
    /// Only what happened in this state.
    state: Option<&'a str>,
    started: Timestamp,
    trail: Trail,
    grid: Grid<'a>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(row: &ExecutionRow, state: Option<&'a str>, full: bool, look: Look) -> Table<'a> {
        let grid = Grid::new(&HEADER, &[0, 1, 2], look);
        Table { look, full, state, started: row.started, trail: Trail::after(0), grid }
    }

    /// What is known of the execution.
    pub(crate) fn head(&mut self, row: &ExecutionRow, events: &[Event]) -> String {
        self.started = events.first().map_or(row.started, |event| event.timestamp);
        let mut out = format!("{} · {}  {}", self.look.strong(&row.state_machine), row.name, status(row, self.look));
        out += &format!("  started {}", row.started);
        if let Some(stopped) = row.stopped {
            out += &format!(", took {}", duration(stopped.millis() - row.started.millis()));
        }
        out + "\n\n"
    }

    /// The events that are wanted, of those that come next: their numbers, and their rows.
    pub(crate) fn add(&mut self, events: &[Event]) -> Vec<(u64, Vec<String>)> {
        let mut rows = Vec::new();
        for event in events {
            self.trail.add(event);
            let is_wanted = self.state.is_none_or(|wanted| self.trail.state(event.id).as_deref() == Some(wanted));
            if is_wanted {
                rows.push((event.id, self.row(event)));
            }
        }
        rows
    }

    /// Rows as text.
    pub(crate) fn page(&mut self, rows: Vec<(u64, Vec<String>)>) -> String {
        let rows: Vec<Vec<String>> = rows.into_iter().map(|(_, row)| row).collect();
        self.grid.page(&rows)
    }

    fn row(&self, event: &Event) -> Vec<String> {
        let offset = event.timestamp.millis() - self.started.millis();
        let (state, detail) = told(&event.kind, self.full);
        vec![
            event.id.to_string(),
            event.previous.to_string(),
            format!("+{}.{:03}", offset / 1000, offset % 1000),
            event.type_name(),
            state,
            detail,
        ]
    }
}

/// Everything about one event: a line for each member of AWS's shape, JSON in texts indented.
pub(crate) fn whole(event: &Event, look: Look) -> String {
    let shape = to_aws(event);
    let members = shape.as_object().into_iter().flat_map(Map::iter);
    let details = members.clone().filter_map(|(_, value)| value.as_object()).flat_map(Map::iter);
    let plain = members.filter(|(_, value)| value.as_object().is_none());
    let shown: Vec<(&str, String)> = plain.chain(details).map(|(name, value)| (&**name, text(value))).collect();
    let width = shown.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, text): &(&str, String)| {
        let indented = text.trim_end().replace('\n', &format!("\n{:width$}  ", ""));
        format!("{}  {indented}\n", look.dim(&format!("{name:<width$}")))
    };
    shown.iter().map(line).collect()
}

fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => super::text::whole(text),
        None => value.to_string(),
    }
}

/// What services add to each answer about the call itself.
const METADATA: [&str; 3] = ["SdkHttpMetadata", "SdkResponseMetadata", "ResponseMetadata"];

/// So many characters of a payload stand in a row; `--full`, `--event` and `--json` have all of it.
const MAX_DETAIL: usize = 300;

/// A payload in a line, without service metadata and cut off where it is long, unless all is wanted.
fn payload(value: &Value, full: bool) -> String {
    if full { value.to_string() } else { one_line(&folded(value).to_string(), Some(MAX_DETAIL)) }
}

/// The same of JSON as text.
fn payload_text(text: &str, full: bool) -> String {
    if full {
        return text.to_owned();
    }
    let parsed: Result<Value, _> = text.parse();
    parsed.map_or_else(|_| one_line(text, Some(MAX_DETAIL)), |value| payload(&value, false))
}

fn folded(value: &Value) -> Value {
    if let Some(object) = value.as_object() {
        let members = object.iter().map(|(name, value)| {
            let is_metadata = METADATA.contains(&&**name);
            (name.clone(), if is_metadata { Value::from("…") } else { folded(value) })
        });
        return Map::from_iter(members).into();
    }
    if let Some(items) = value.as_array() {
        return items.iter().map(folded).collect::<Vec<_>>().into();
    }
    // An answer that was passed on as text, such as the message of a queue, has its metadata too.
    match value.as_str().filter(|text| METADATA.iter().any(|name| text.contains(name))).map(str::parse::<Value>) {
        Some(Ok(inner)) if inner.as_object().is_some() => folded(&inner).to_string().into(),
        _ => value.clone(),
    }
}

/// The status, in its colour.
pub(crate) fn status(row: &ExecutionRow, look: Look) -> String {
    match row.status {
        asl::Status::Succeeded => look.good(row.status.name()),
        asl::Status::Running => look.warn(row.status.name()),
        _ => look.bad(row.status.name()),
    }
}

/// The state an event names, and what else it says.
fn told(kind: &EventKind, full: bool) -> (String, String) {
    let none = String::new;
    match kind {
        EventKind::ExecutionStarted { input, .. } => (none(), payload_text(input.trim(), full)),
        EventKind::ExecutionSucceeded { output } => (none(), payload(output, full)),
        EventKind::StateEntered { name, input, .. } => (name.to_string(), payload(input, full)),
        EventKind::StateExited { name, output, .. } => (name.to_string(), payload(output, full)),
        EventKind::MapStateStarted { length } => (none(), format!("{length} items")),
        EventKind::MapIteration { name, index, .. } => (format!("{name}[{index}]"), none()),
        EventKind::MapRunStarted { arn } | EventKind::MapRunRedriven { arn, .. } => (none(), arn.to_string()),
        EventKind::ExecutionRedriven { redrive_count } => (none(), format!("redrive {redrive_count}")),
        EventKind::EvaluationFailed { failure, state, location } => {
            let place = if location.is_empty() { none() } else { format!("{location}: ") };
            (state.to_string(), place + &failed(failure, full))
        }
        EventKind::Task { family, stage } => (none(), task(family, stage, full)),
        EventKind::ExecutionFailed(failure)
        | EventKind::ExecutionAborted(failure)
        | EventKind::ExecutionTimedOut(failure)
        | EventKind::MapRunFailed(failure) => (none(), failed(failure, full)),
        _ => (none(), none()),
    }
}

fn task(family: &Family, stage: &TaskStage, full: bool) -> String {
    let called = match family {
        Family::Service { resource_type, resource } => format!("{resource_type}:{resource}"),
        Family::Lambda => "function".to_owned(),
        Family::Activity => "activity".to_owned(),
    };
    match stage {
        TaskStage::Scheduled(scheduled) => {
            format!("{called} {}", payload_text(&scheduled.parameters.to_string(), full))
        }
        TaskStage::Started { .. } => called,
        TaskStage::Submitted { output } | TaskStage::Succeeded { output } => {
            format!("{called} {}", payload(output, full))
        }
        TaskStage::Failed(failure)
        | TaskStage::TimedOut(failure)
        | TaskStage::ScheduleFailed(failure)
        | TaskStage::StartFailed(failure)
        | TaskStage::SubmitFailed(failure) => format!("{called} {}", failed(failure, full)),
    }
}

fn failed(failure: &Failure, full: bool) -> String {
    let cause = failure.cause.as_deref().map(gist).unwrap_or_default();
    let cause = if full { cause } else { one_line(&cause, Some(MAX_DETAIL)) };
    match failure.error.as_deref() {
        Some(error) if cause.is_empty() => error.to_owned(),
        Some(error) => format!("{error}: {cause}"),
        None => cause,
    }
}
