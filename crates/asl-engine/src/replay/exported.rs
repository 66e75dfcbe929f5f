//! A history as `aws stepfunctions get-execution-history` gives it.

use asl_expr::Timestamp;
use asl_value::{ParseError, Value};
use std::sync::Arc;

/// A history in AWS's JSON: one page or several put together.
#[derive(Clone, Debug)]
pub struct Exported {
    /// In the order of their numbers, without gaps.
    pub(super) events: Vec<Recorded>,
}

/// An event of it.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) id: u64,
    pub(super) previous: u64,
    /// `TaskStateEntered` …
    pub(super) kind: Arc<str>,
    /// `None` where the export has none that can be read.
    pub(super) timestamp: Option<Timestamp>,
    /// The member `…EventDetails`; null for none.
    pub(super) details: Value,
    /// All of it.
    pub(super) whole: Value,
}

/// Whose history it is, as far as anybody knows: a history does not say.
#[derive(Clone, Debug, Default)]
pub struct Whose {
    /// What to call it in messages: the file's name.
    pub label: Arc<str>,
    /// The execution's ARN, from `aws stepfunctions describe-execution`.
    pub execution_arn: Option<Arc<str>>,
    /// The state machine's ARN, from `describe-execution` or `describe-state-machine`.
    pub state_machine_arn: Option<Arc<str>>,
    /// The input, for a history that was exported without execution data.
    pub input: Option<Arc<str>>,
}

/// Why a text is no history.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(ParseError),
    /// It has no events.
    #[error("it has no `events`: export it with `aws stepfunctions get-execution-history`")]
    NoEvents,
    /// An event has not the shape of one.
    #[error("its event number {at} {why}")]
    Event {
        /// Its place in the list, from 1.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// Events are missing.
    #[error("event {missing} is missing: put all pages together")]
    Gap {
        /// The number of the first that is.
        missing: u64,
    },
}

impl Exported {
    /// Reads `{"events": [...]}`, a list of such pages, or a list of events. Events may be in any order, as
    /// `--reverse-order` gives them; a page may begin in the middle of the history.
    ///
    /// # Errors
    /// When the text is no such thing, or events are missing between the first and the last.
    pub fn parse(text: &str) -> Result<Exported, ExportError> {
        Exported::read(&text.parse().map_err(ExportError::NotJson)?)
    }

    /// As [`Exported::parse`], from a value.
    ///
    /// # Errors
    /// As [`Exported::parse`].
    pub fn read(value: &Value) -> Result<Exported, ExportError> {
        let mut events = Vec::new();
        let mut take = |page: &Value| -> Result<(), ExportError> {
            for event in page.as_array().ok_or(ExportError::NoEvents)? {
                events.push(recorded(event).map_err(|why| ExportError::Event { at: events.len() + 1, why })?);
            }
            Ok(())
        };
        match value.as_array() {
            Some(pages) if pages.iter().any(|page| page.get("events").is_some()) => {
                pages.iter().try_for_each(|page| take(&page["events"]))?;
            }
            Some(_) => take(value)?,
            None => take(&value["events"])?,
        }
        Exported::of(events)
    }

    fn of(mut events: Vec<Recorded>) -> Result<Exported, ExportError> {
        if events.is_empty() {
            return Err(ExportError::NoEvents);
        }
        events.sort_by_key(|event| event.id);
        events.dedup_by_key(|event| event.id);
        let gap = events.windows(2).find(|pair| pair[1].id != pair[0].id + 1);
        match gap {
            Some(pair) => Err(ExportError::Gap { missing: pair[0].id + 1 }),
            None => Ok(Exported { events }),
        }
    }

    /// With the events of a further page.
    ///
    /// # Errors
    /// When events are missing between the two.
    pub fn and(mut self, page: Exported) -> Result<Exported, ExportError> {
        self.events.extend(page.events);
        Exported::of(self.events)
    }

    /// The number of its first event: 1, unless it is a further page.
    pub fn first_event(&self) -> u64 {
        self.events.first().map_or(0, |event| event.id)
    }

    /// How many events it has; there is always one.
    #[allow(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// The event with that number; the history begins with event 1.
    pub(super) fn event(&self, id: u64) -> Option<&Recorded> {
        self.events.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }
}

impl Recorded {
    /// The text of a detail.
    pub(super) fn text(&self, member: &str) -> Option<Arc<str>> {
        self.details[member].as_str().map(Arc::from)
    }

    /// `error` and `cause`.
    pub(super) fn failure(&self) -> asl_core::Failure {
        asl_core::Failure { error: self.text("error"), cause: self.text("cause") }
    }

    /// True for the events that say how an execution ended.
    pub(super) fn ends_execution(&self) -> bool {
        ["ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"].contains(&&*self.kind)
    }
}

fn recorded(event: &Value) -> Result<Recorded, &'static str> {
    let map = event.as_object().ok_or("is not an object")?;
    let number = |member: &str| event[member].as_i64().and_then(|n| u64::try_from(n).ok());
    let id = number("id").filter(|id| *id > 0).ok_or("has no `id` above 0")?;
    let previous = number("previousEventId").unwrap_or(0);
    if previous >= id {
        return Err("follows an event that comes after it");
    }
    let details = map.iter().find(|(key, _)| key.ends_with("EventDetails")).map(|(_, details)| details.clone());
    Ok(Recorded {
        id,
        previous,
        kind: event["type"].as_str().ok_or("has no `type`")?.into(),
        timestamp: timestamp(&event["timestamp"]),
        details: details.unwrap_or(Value::Null),
        whole: event.clone(),
    })
}

/// As the AWS CLI prints it, ISO-8601 or epoch seconds, by its `cli_timestamp_format`.
fn timestamp(value: &Value) -> Option<Timestamp> {
    match value.as_f64() {
        Some(seconds) => Some(Timestamp::from_millis((seconds * 1000.0).round() as i64)),
        None => Timestamp::parse(value.as_str()?).ok(),
    }
}
