//! Parts of histories: a page from either end, and what a description shows. The same for all databases, over their chains.
//!
//! A chain is walked without the bodies of its records; only the bodies that a page shows, and those that have payloads which it
//! refers to, are read.

use super::codec::{Decoder, Row, references};
use crate::{ExecutionId, ExecutionRow, JournalError, Status};
use asl_core::{Event, EventKind, Input};
use asl_store::{Description, Page};
use async_trait::async_trait;
use std::collections::BTreeSet;

/// A record of a chain without its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) position: i64,
    pub(crate) number: u64,
    pub(crate) first_event: u64,
    pub(crate) event_count: u64,
}

impl Entry {
    /// Of (position, number, first_event, event_count), as databases have them.
    pub(crate) fn of((position, number, first_event, event_count): (i64, i64, i64, i64)) -> Entry {
        let (number, first_event) = (number.unsigned_abs(), first_event.unsigned_abs());
        Entry { position, number, first_event, event_count: event_count.unsigned_abs() }
    }

    fn end(&self) -> u64 {
        self.first_event + self.event_count
    }
}

/// The chains of a database.
#[async_trait]
pub(crate) trait Chains: Sync {
    /// The chain of an execution from its end back to the record that has the event `until`, in order.
    async fn walk(&self, execution: ExecutionId, until: u64) -> Result<Vec<Entry>, JournalError>;
    /// The records at these positions with their bodies, in order.
    async fn bodies(&self, execution: ExecutionId, positions: &[i64]) -> Result<Vec<Row>, JournalError>;
    /// The first record of an execution.
    async fn first(&self, execution: ExecutionId) -> Result<Option<Row>, JournalError>;
}

fn positions(entries: &[Entry]) -> Vec<i64> {
    entries.iter().map(|entry| entry.position).collect()
}

/// A page of an execution's history, from either end; see [`asl_store::Store::history`].
pub(crate) async fn history(
    chains: &impl Chains,
    execution: ExecutionId,
    page: Page,
) -> Result<Vec<Event>, JournalError> {
    let limit = page.limit.map_or(u64::MAX, u64::from);
    // The last event there is tells where a page from the end begins.
    let tail = chains.walk(execution, u64::MAX).await?;
    let Some(end) = tail.last().map(Entry::end) else { return Ok(Vec::new()) };
    let wanted = if page.reverse {
        let end = page.after.map_or(end, |after| after.min(end));
        end.saturating_sub(limit).max(1)..end
    } else {
        let begin = page.after.map_or(1, |after| after.saturating_add(1));
        begin..begin.saturating_add(limit).min(end)
    };
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut chain = chains.walk(execution, wanted.start).await?;
    let shown: Vec<Entry> = chain
        .iter()
        .filter(|entry| entry.event_count > 0 && entry.first_event < wanted.end && entry.end() > wanted.start)
        .copied()
        .collect();
    let rows = chains.bodies(execution, &positions(&shown)).await?;
    let mut numbers = BTreeSet::new();
    for row in &rows {
        numbers.extend(references(row, execution)?);
    }
    if numbers.first().is_some_and(|least| chain.first().is_none_or(|first| *least < first.number)) {
        chain = chains.walk(execution, 0).await?;
    }
    let is_shown = |entry: &Entry| shown.iter().any(|shown| shown.position == entry.position);
    let holders: BTreeSet<usize> =
        numbers.iter().filter_map(|n| chain.partition_point(|entry| entry.number < *n).checked_sub(1)).collect();
    let holders: Vec<Entry> = holders.into_iter().map(|at| chain[at]).filter(|entry| !is_shown(entry)).collect();
    let held = chains.bodies(execution, &positions(&holders)).await?;
    let mut all: Vec<(Row, bool)> = held.into_iter().map(|row| (row, false)).collect();
    all.extend(rows.into_iter().map(|row| (row, true)));
    all.sort_by_key(|(row, _)| row.number);
    let (mut decoder, mut events) = (Decoder::new(execution), Vec::new());
    for (row, is_shown) in &all {
        if *is_shown {
            decoder.skip_to(row)?;
            events.extend(decoder.decode(row)?.events);
        } else {
            decoder.payloads_of(row)?;
        }
    }
    events.retain(|event| wanted.contains(&event.id));
    if page.reverse {
        events.reverse();
    }
    Ok(events)
}

/// What a description shows of the execution with this header; see [`asl_store::Store::describe`].
pub(crate) async fn describe(chains: &impl Chains, row: ExecutionRow) -> Result<Description, JournalError> {
    let execution = row.id;
    let missing = |what: &str| JournalError::Corrupt { execution, arn: None, record: 1, what: what.to_owned() };
    let first = chains.first(execution).await?.ok_or_else(|| missing("it is missing"))?;
    let record = Decoder::new(execution).decode(&first)?;
    let input = record.inputs.iter().find_map(|input| match input {
        Input::Start(execution) => Some(execution.input_text.clone()),
        _ => None,
    });
    let input = input.ok_or_else(|| missing("it does not start the execution"))?;
    let mut output = None;
    if row.status == Status::Succeeded {
        let last = history(chains, execution, Page { reverse: true, limit: Some(1), ..Page::default() }).await?;
        output = last.into_iter().find_map(|event| match event.kind {
            EventKind::ExecutionSucceeded { output } => Some(output),
            _ => None,
        });
    }
    Ok(Description { row, input, output })
}
