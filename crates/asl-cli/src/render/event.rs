//! A history as a table.

use super::grid::grid;
use super::look::Look;
use super::text::{duration, gist};
use asl::{Event, EventKind, ExecutionRow, Failure};
use asl_core::event::{Family, TaskStage};

/// What is known of the execution, then a row for each event.
pub(crate) fn history(row: &ExecutionRow, events: &[Event], look: Look) -> String {
    let start = events.first().map_or(row.started, |event| event.timestamp);
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| {
            let offset = event.timestamp.millis() - start.millis();
            let (state, detail) = told(&event.kind);
            vec![
                event.id.to_string(),
                event.previous.to_string(),
                format!("+{}.{:03}", offset / 1000, offset % 1000),
                event.type_name(),
                state,
                detail,
            ]
        })
        .collect();
    let mut out = format!("{} · {}  {}", look.strong(&row.state_machine), row.name, status(row, look));
    out += &format!("  started {}", row.started);
    if let Some(stopped) = row.stopped {
        out += &format!(", took {}", duration(stopped.millis() - row.started.millis()));
    }
    out + "\n\n" + &grid(&["ID", "PREV", "SECONDS", "EVENT", "STATE", "DETAIL"], &rows, &[0, 1, 2], look)
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
fn told(kind: &EventKind) -> (String, String) {
    let none = String::new;
    match kind {
        EventKind::ExecutionStarted { input, .. } => (none(), input.trim().to_owned()),
        EventKind::ExecutionSucceeded { output } => (none(), output.to_string()),
        EventKind::StateEntered { name, input, .. } => (name.to_string(), input.to_string()),
        EventKind::StateExited { name, output, .. } => (name.to_string(), output.to_string()),
        EventKind::MapStateStarted { length } => (none(), format!("{length} items")),
        EventKind::MapIteration { name, index, .. } => (format!("{name}[{index}]"), none()),
        EventKind::MapRunStarted { arn } | EventKind::MapRunRedriven { arn, .. } => (none(), arn.to_string()),
        EventKind::ExecutionRedriven { redrive_count } => (none(), format!("redrive {redrive_count}")),
        EventKind::EvaluationFailed { failure, state, location } => {
            let place = if location.is_empty() { none() } else { format!("{location}: ") };
            (state.to_string(), place + &failed(failure))
        }
        EventKind::Task { family, stage } => (none(), task(family, stage)),
        EventKind::ExecutionFailed(failure)
        | EventKind::ExecutionAborted(failure)
        | EventKind::ExecutionTimedOut(failure)
        | EventKind::MapRunFailed(failure) => (none(), failed(failure)),
        _ => (none(), none()),
    }
}

fn task(family: &Family, stage: &TaskStage) -> String {
    let called = match family {
        Family::Service { resource_type, resource } => format!("{resource_type}:{resource}"),
        Family::Lambda => "function".to_owned(),
        Family::Activity => "activity".to_owned(),
    };
    match stage {
        TaskStage::Scheduled(scheduled) => format!("{called} {}", scheduled.parameters),
        TaskStage::Started { .. } => called,
        TaskStage::Submitted { output } | TaskStage::Succeeded { output } => format!("{called} {output}"),
        TaskStage::Failed(failure)
        | TaskStage::TimedOut(failure)
        | TaskStage::ScheduleFailed(failure)
        | TaskStage::StartFailed(failure)
        | TaskStage::SubmitFailed(failure) => format!("{called} {}", failed(failure)),
    }
}

fn failed(failure: &Failure) -> String {
    let cause = failure.cause.as_deref().map(gist).unwrap_or_default();
    match failure.error.as_deref() {
        Some(error) if cause.is_empty() => error.to_owned(),
        Some(error) => format!("{error}: {cause}"),
        None => cause,
    }
}
