//! Changes of the status of executions, told to the default bus where a rule may match them: by whatever process they were written, each once,
//! also over a crash. The feed of records is followed, and how far is written together with what was told.

use crate::engine::Inner;
use crate::error::EngineError;
use asl_core::{Event, EventKind};
use asl_store::{Description, FeedEntry, Page, Position, Status, contract};
use asl_task::embedded::StatusChange;
use asl_value::{Map, Value};
use std::sync::Arc;

/// How many records are looked at at once.
const BATCH: u32 = 64;
/// What is older is not told any more, as EventBridge gives up after a day: rules may have been away for long.
const TOLD_MS: i64 = 86_400_000;
/// Of longer inputs and outputs AWS tells only that there are some; bytes.
const INCLUDED_BYTES: usize = 248 << 10;

/// Looks for rules that were made at run time, and begins to follow the feed where there are some: from now on.
pub(crate) async fn begin(inner: &Arc<Inner>) -> Result<(), EngineError> {
    let services = &inner.backends.services;
    if !services.watches_statuses() && !services.is_open_to_clients() {
        return Ok(());
    }
    if !services.watches_statuses() {
        let asked = services.clone();
        let looked = contract::inspect(&*inner.store, move |tx| {
            let asked = asked.clone();
            Box::pin(async move { Ok::<_, EngineError>(asked.look_for_rules(tx).await?) })
        });
        looked.await?;
    }
    if services.watches_statuses() {
        let end = inner.store.feed_end().await?;
        advance(inner, None, Vec::new(), end).await?;
    }
    Ok(())
}

/// Tells what has changed since it was last told. Nothing is read where no rule may match.
pub(crate) async fn publish(inner: &Arc<Inner>) -> Result<(), EngineError> {
    let services = &inner.backends.services;
    while services.watches_statuses() {
        let asked = services.clone();
        let told = contract::inspect(&*inner.store, move |tx| {
            let asked = asked.clone();
            Box::pin(async move { Ok::<_, EngineError>(asked.statuses_put(tx).await?) })
        });
        let Some(told) = told.await? else { return begin(inner).await };
        let entries = inner.store.records_after(Position(told), BATCH).await?;
        let Some(last) = entries.last().map(|entry| entry.position) else { return Ok(()) };
        let mut changes = Vec::new();
        for entry in &entries {
            changes.extend(changes_of(inner, entry).await?);
        }
        advance(inner, Some(told), changes, last).await?;
    }
    Ok(())
}

/// Puts changes in the transaction that goes on to `to`, if nobody else went on meanwhile.
async fn advance(
    inner: &Arc<Inner>,
    from: Option<i64>,
    changes: Vec<StatusChange>,
    to: Position,
) -> Result<(), EngineError> {
    let (services, now_ms) = (inner.backends.services.clone(), inner.clock.now().millis());
    let put = contract::transact(&*inner.store, move |tx| {
        let (services, changes) = (services.clone(), changes.clone());
        Box::pin(async move {
            if services.statuses_put(tx).await? == from {
                services.put_statuses(tx, &changes, to.0, now_ms).await?;
            }
            Ok::<_, EngineError>(())
        })
    });
    put.await
}

/// What a record changed: an execution began or was redriven, an execution ended, or both.
async fn changes_of(inner: &Arc<Inner>, entry: &FeedEntry) -> Result<Vec<StatusChange>, EngineError> {
    let Some(last) = (entry.first_event + entry.event_count).checked_sub(1).filter(|_| entry.event_count > 0) else {
        return Ok(Vec::new());
    };
    let Some(told) = inner.store.describe(entry.execution).await? else { return Ok(Vec::new()) };
    let is_express = told.row.arn.contains(":express:");
    if told.row.is_child() || is_express {
        return Ok(Vec::new());
    }
    let mut wanted = vec![entry.first_event, last];
    wanted.dedup();
    let mut changes = Vec::new();
    for number in wanted {
        let page = Page { after: Some(number - 1), limit: Some(1), ..Page::default() };
        let events = inner.store.history(entry.execution, page).await?;
        changes.extend(events.first().and_then(|event| change(&told, event, entry)));
    }
    let oldest = inner.clock.now().millis() - TOLD_MS;
    changes.retain(|change| change.at_ms >= oldest);
    Ok(changes)
}

fn change(told: &Description, event: &Event, entry: &FeedEntry) -> Option<StatusChange> {
    let (status, failure, output) = match &event.kind {
        EventKind::ExecutionStarted { .. } | EventKind::ExecutionRedriven { .. } => (Status::Running, None, None),
        EventKind::ExecutionSucceeded { output } => (Status::Succeeded, None, Some(output.to_string())),
        EventKind::ExecutionFailed(failure) => (Status::Failed, Some(failure), None),
        EventKind::ExecutionAborted(failure) => (Status::Aborted, Some(failure), None),
        EventKind::ExecutionTimedOut(failure) => (Status::TimedOut, Some(failure), None),
        _ => return None,
    };
    let row = &told.row;
    let is_running = status == Status::Running;
    let redrives = match &event.kind {
        EventKind::ExecutionStarted { .. } => 0,
        EventKind::ExecutionRedriven { redrive_count } => *redrive_count,
        // A redrive may have come since.
        _ if event.id == row.last_event => row.redrive_count,
        _ => row.redrive_count.saturating_sub(1),
    };
    let redriven = row.redriven.filter(|_| redrives > 0 && redrives == row.redrive_count);
    let text = |text: Option<&str>| text.map_or(Value::Null, Value::from);
    let included = |text: &str| text.len() <= INCLUDED_BYTES;
    let details = |text: Option<&str>| match text {
        Some(text) => Value::from_iter([("included", included(text))]),
        None => Value::Null,
    };
    let (input, output) = (Some(&*told.input), output.as_deref());
    // Of an execution that ran out of time AWS tells neither.
    let failure = failure.filter(|_| status != Status::TimedOut);
    let named = row.started_as.clone().unwrap_or_default();
    let can_redrive = !matches!(status, Status::Running | Status::Succeeded);
    let reason = (!can_redrive).then(|| format!("Execution is {status} and cannot be redriven"));
    let version = named.version.map(|version| format!("{}:{version}", row.state_machine_arn));
    let alias = named.alias.map(|alias| format!("{}:{alias}", row.state_machine_arn));
    let detail = Map::from_iter([
        ("executionArn", Value::from(row.arn.as_str())),
        ("stateMachineArn", Value::from(row.state_machine_arn.as_str())),
        ("name", Value::from(row.name.as_str())),
        ("status", Value::from(status.name())),
        ("startDate", Value::from(row.started.millis())),
        ("stopDate", if is_running { Value::Null } else { Value::from(event.timestamp.millis()) }),
        ("input", text(input.filter(|text| included(text)))),
        ("inputDetails", details(input)),
        ("output", text(output.filter(|text| included(text)))),
        ("outputDetails", details(output)),
        ("error", text(failure.and_then(|failure| failure.error.as_deref()))),
        ("cause", text(failure.and_then(|failure| failure.cause.as_deref()))),
        ("redriveCount", Value::from(redrives)),
        ("redriveDate", redriven.map_or(Value::Null, |at| Value::from(at.millis()))),
        ("redriveStatus", Value::from(if can_redrive { "REDRIVABLE" } else { "NOT_REDRIVABLE" })),
        ("redriveStatusReason", text(reason.as_deref())),
        ("stateMachineVersionArn", text(version.as_deref())),
        ("stateMachineAliasArn", text(alias.as_deref())),
    ]);
    let number = entry.position.0 * 2 + i64::from(is_running);
    Some(StatusChange { execution: row.arn.clone(), at_ms: event.timestamp.millis(), detail, number })
}
