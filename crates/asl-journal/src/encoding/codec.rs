//! A record as a row: JSON text in which each distinct payload stands once in an execution.
//!
//! ```json
//! {"now":1700000000000,"steps":3,"payloads":[{"fareId":"f1"}],
//!  "inputs":[{"task_succeeded":{"task":0,"output":7}}],"events":[[4,{"state_entered":{"state":"Pass","name":"A","input":7}}]]}
//! ```
//!
//! Payloads are numbers of payloads, which run through the whole execution; an event is `[previous, kind]`, with its own
//! time as a third where that is not `now`. Payload texts are written and read by [`Value`], which is exact; the rest is
//! serde's. The texts of the execution's input are `#n`, the text of payload n to the letter (with its white space around),
//! or `$n`, the string that payload n is.

use crate::encoding::payloads::{Numbering, RECENT};
use crate::encoding::wire::{At, Body, WHITE, WireEvent};
use crate::{ExecutionId, JournalError, Record};
use asl_core::{Event, EventKind, Input};
use asl_expr::Timestamp;
use asl_value::Value;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;

/// A row of the journal, but for its position and its execution.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) first_event: u64,
    pub(crate) event_count: u64,
    pub(crate) body: String,
    pub(crate) checksum: u32,
}

impl Row {
    fn sum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for n in [self.number, self.first_event, self.event_count] {
            hasher.update(&n.to_le_bytes());
        }
        hasher.update(self.body.as_bytes());
        hasher.finalize()
    }
}

#[derive(Deserialize)]
struct Stored<'a> {
    now: At,
    steps: u32,
    #[serde(borrow)]
    payloads: Vec<&'a RawValue>,
    inputs: Vec<Input<u64>>,
    events: Vec<WireEvent>,
}

/// Encodes the next record of an execution and moves its numbering on. Nothing moves when it fails.
pub(crate) fn encode(record: &Record, execution: ExecutionId, numbering: &mut Numbering) -> Result<Row, JournalError> {
    let first_event = numbering.next_event;
    for (event, expected) in record.events.iter().zip(first_event..) {
        if event.id != expected {
            return Err(JournalError::OutOfOrder { execution, expected, found: event.id });
        }
    }
    let event_count = record.events.len() as u64;
    let number = numbering.begin_record();
    let body = Body::new(record.now, record.steps, record.events.len(), numbering);
    let body = body.finish(&record.inputs, &record.events);
    numbering.next_event += event_count;
    let row = Row { number, first_event, event_count, body, checksum: 0 };
    Ok(Row { checksum: row.sum(), ..row })
}

/// The numbers of the payloads of other records that a record refers to.
pub(crate) fn references(row: &Row, execution: ExecutionId) -> Result<Vec<u64>, JournalError> {
    let corrupt = |what| JournalError::Corrupt { execution, arn: None, record: row.number, what };
    let body: Stored<'_> = serde_json::from_str(&row.body).map_err(|e| corrupt(e.to_string()))?;
    let mut numbers = Vec::new();
    let mut note = |n: u64| numbers.extend((n < row.number).then_some(n));
    body.inputs.into_iter().for_each(|input| drop(input.map(&mut note)));
    for WireEvent(previous, kind, _) in body.events {
        drop(Event { id: 0, previous, timestamp: Timestamp::default(), kind }.map(&mut note));
    }
    Ok(numbers)
}

/// The numbering behind a record: what the next one of its execution goes on with.
pub(crate) fn after(row: &Row, execution: ExecutionId) -> Result<Numbering, JournalError> {
    let corrupt = |what| JournalError::Corrupt { execution, arn: None, record: row.number, what };
    let body: Stored<'_> = serde_json::from_str(&row.body).map_err(|e| corrupt(e.to_string()))?;
    Ok(Numbering::at(row.number + 1 + body.payloads.len() as u64, row.first_event + row.event_count))
}

/// Reads the records of one execution, in order.
#[derive(Debug)]
pub(crate) struct Decoder {
    execution: ExecutionId,
    /// By number; records have numbers too, and no payload.
    payloads: Vec<Option<Value>>,
    next_event: u64,
    /// Where payloads are forgotten: the record that had or used each of those that are left last, by their numbers.
    used: Option<HashMap<u64, u64>>,
}

impl Decoder {
    pub(crate) fn new(execution: ExecutionId) -> Decoder {
        // Numbers begin at 1.
        Decoder { execution, payloads: vec![None], next_event: 1, used: None }
    }

    /// One that keeps no more payloads than later records may refer to.
    pub(crate) fn forgetful(execution: ExecutionId) -> Decoder {
        Decoder { used: Some(HashMap::new()), ..Decoder::new(execution) }
    }

    /// The next record, checked.
    pub(crate) fn decode(&mut self, row: &Row) -> Result<Record, JournalError> {
        let result = self.read(row);
        let execution = self.execution;
        result.map_err(|what| JournalError::Corrupt { execution, arn: None, record: row.number, what })
    }

    /// Passes over the records before this one, as if they had no payloads.
    pub(crate) fn skip_to(&mut self, row: &Row) -> Result<(), JournalError> {
        let before = self.payloads.len() as u64;
        // Damage would make the number anything: it is believed only with its checksum.
        if row.sum() != row.checksum || row.number < before {
            let what = "its checksum is wrong, or its number is that of another".to_owned();
            return Err(JournalError::Corrupt { execution: self.execution, arn: None, record: row.number, what });
        }
        self.payloads.resize(usize::try_from(row.number).unwrap_or(usize::MAX), None);
        self.next_event = row.first_event;
        Ok(())
    }

    /// Takes the payloads of a record, for later ones that refer to them.
    pub(crate) fn payloads_of(&mut self, row: &Row) -> Result<(), JournalError> {
        self.skip_to(row)?;
        let corrupt = |what| JournalError::Corrupt { execution: self.execution, arn: None, record: row.number, what };
        let body: Stored<'_> = serde_json::from_str(&row.body).map_err(|e| corrupt(e.to_string()))?;
        let read = |text: &&RawValue| text.get().parse().map_err(|e: asl_value::ParseError| corrupt(e.to_string()));
        let payloads: Result<Vec<Value>, JournalError> = body.payloads.iter().map(read).collect();
        self.payloads.push(None);
        self.payloads.extend(payloads?.into_iter().map(Some));
        Ok(())
    }

    fn read(&mut self, row: &Row) -> Result<Record, String> {
        if row.sum() != row.checksum {
            return Err("its checksum is wrong".to_owned());
        }
        if row.number != self.payloads.len() as u64 || row.first_event != self.next_event {
            return Err(format!("a record before it is missing (number {} comes next)", self.payloads.len()));
        }
        let body: Stored<'_> = serde_json::from_str(&row.body).map_err(|e| e.to_string())?;
        if body.events.len() as u64 != row.event_count {
            return Err(format!("it has {} events instead of {}", body.events.len(), row.event_count));
        }
        self.payloads.push(None);
        for text in &body.payloads {
            self.payloads.push(Some(text.get().parse().map_err(|e: asl_value::ParseError| e.to_string())?));
        }
        let first = row.number + 1;
        let mut reader =
            Reader { payloads: &self.payloads, texts: &body.payloads, first, error: None, used: Vec::new() };
        let inputs = body.inputs.into_iter().map(|input| reader.input(input)).collect();
        let now = body.now.time()?;
        let wire = body.events.into_iter().zip(row.first_event..);
        let events = wire.map(|(event, id)| reader.event(event, id, now)).collect();
        let Reader { error, used, .. } = reader;
        error.map_or(Ok(()), Err)?;
        self.next_event += row.event_count;
        self.forget(row.number, used);
        Ok(Record { now, inputs, steps: body.steps, events })
    }

    /// Forgets the payloads that no later record can refer to: a record refers to the last [`RECENT`] that were used before.
    fn forget(&mut self, record: u64, used: Vec<u64>) {
        let Some(last_used) = &mut self.used else { return };
        let had = record + 1..self.payloads.len() as u64;
        last_used.extend(had.chain(used).map(|payload| (payload, record)));
        if last_used.len() <= 2 * RECENT {
            return;
        }
        // Within one record the order of uses is not known: of a record some of whose payloads are recent, all stay.
        let mut records: Vec<u64> = last_used.values().copied().collect();
        let (_, oldest, _) = records.select_nth_unstable_by(RECENT - 1, |a, b| b.cmp(a));
        let oldest = *oldest;
        last_used.retain(|payload, record| {
            let stays = *record >= oldest;
            if !stays && let Some(place) = self.payloads.get_mut(*payload as usize) {
                *place = None;
            }
            stays
        });
    }
}

/// Puts payloads back in the place of their numbers.
struct Reader<'a> {
    payloads: &'a [Option<Value>],
    texts: &'a [&'a RawValue],
    first: u64,
    error: Option<String>,
    /// The numbers of the payloads that it put back.
    used: Vec<u64>,
}

impl Reader<'_> {
    fn payload(&mut self, n: u64) -> Value {
        self.used.push(n);
        let found = usize::try_from(n).ok().and_then(|n| self.payloads.get(n)).cloned().flatten();
        found.unwrap_or_else(|| {
            self.error.get_or_insert(format!("there is no payload {n}"));
            Value::Null
        })
    }

    fn text(&mut self, stands: &str) -> Arc<str> {
        let number = |digits: &str| digits.parse::<u64>().unwrap_or(0);
        if let Some((before, rest)) = stands.split_once('#') {
            let digits = rest.trim_end_matches(WHITE);
            let at = number(digits).checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
            if let Some(text) = at.and_then(|at| self.texts.get(at)) {
                return format!("{before}{}{}", text.get(), &rest[digits.len()..]).into();
            }
        } else if let Some(digits) = stands.strip_prefix('$')
            && let Value::String(text) = self.payload(number(digits))
        {
            return text;
        }
        self.error.get_or_insert(format!("{stands} stands for no text"));
        stands.into()
    }

    fn input(&mut self, input: Input<u64>) -> Input {
        let mut input = input.map(&mut |n| self.payload(n));
        if let Input::Start(execution) = &mut input {
            execution.input_text = self.text(&execution.input_text);
        }
        input
    }

    fn event(&mut self, WireEvent(previous, kind, at): WireEvent, id: u64, now: Timestamp) -> Event {
        let timestamp = at.map_or(Ok(now), |at| at.time()).unwrap_or_else(|error| {
            self.error.get_or_insert(error);
            now
        });
        let mut event = Event { id, previous, timestamp, kind }.map(&mut |n| self.payload(n));
        if let EventKind::ExecutionStarted { input, .. } = &mut event.kind {
            *input = self.text(input);
        }
        event
    }
}
