//! The records of an execution as text: to be kept for ever, and replayed by every later version.
//!
//! Lines of JSON. The first is `{"asl_history":1,"name":...,"definition":...}`; each further one is a row of the journal:
//! `{"number","first_event","event_count","checksum","body":{...}}`, the body to the letter: where the text of the execution's
//! input has line breaks, that row has them too. With the records goes the key of the execution's task tokens, for without it
//! they do not replay: the text of an execution that has not ended is a secret.

use crate::encoding::codec::{Decoder, Row, encode};
use crate::encoding::payloads::Numbering;
use crate::{Definition, ExecutionId, ExecutionRow, Journal, JournalError, Record};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt::Write;

/// The version of the text.
const VERSION: u32 = 1;

/// The records of an execution, read back from text.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The name of its state machine.
    pub name: String,
    /// The definition it ran: JSON or YAML.
    pub definition: String,
    /// Its records, each checked against its checksum.
    pub records: Vec<Record>,
}

/// Why a text is no kept history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {what}")]
pub struct KeptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

#[derive(Serialize, Deserialize)]
struct Head {
    asl_history: u32,
    name: String,
    definition: String,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    number: u64,
    first_event: u64,
    event_count: u64,
    checksum: u32,
    #[serde(borrow)]
    body: &'a RawValue,
}

impl<'k> From<&'k Kept> for asl_store::KeptHistory<'k> {
    fn from(Kept { name, definition, records }: &'k Kept) -> Self {
        asl_store::KeptHistory { name, definition, records }
    }
}

impl Kept {
    /// Reads what [`Journal::keep`] wrote.
    ///
    /// # Errors
    /// Names the line that is not as it was written.
    pub fn parse(text: &str) -> Result<Kept, KeptError> {
        let wrong = |line: usize, what: String| KeptError { line, what };
        if text.is_empty() {
            return Err(wrong(1, "is missing".to_owned()));
        }
        let (head, mut rest) = text.split_once('\n').unwrap_or((text, ""));
        let head: Head = serde_json::from_str(head).map_err(|e| wrong(1, format!("begins no kept history: {e}")))?;
        if head.asl_history > VERSION {
            let what = format!("is of version {}, this program reads up to {VERSION}", head.asl_history);
            return Err(wrong(1, what));
        }
        let mut decoder = Decoder::new(ExecutionId(0));
        let mut records = Vec::new();
        let mut at = 2;
        while let Some((line, end)) = next(rest).map_err(|e| wrong(at, format!("is no record: {e}")))? {
            let row = Row {
                number: line.number,
                first_event: line.first_event,
                event_count: line.event_count,
                body: line.body.get().to_owned(),
                checksum: line.checksum,
            };
            records.push(decoder.decode(&row).map_err(|error| wrong(at, format!("is damaged: {error}")))?);
            at += rest[..end].matches('\n').count();
            rest = &rest[end..];
        }
        Ok(Kept { name: head.name, definition: head.definition, records })
    }

    /// The text that [`Kept::parse`] reads: that of [`Journal::keep`].
    ///
    /// # Errors
    /// [`JournalError::OutOfOrder`] when an event's number does not follow that of the one before.
    pub fn text(&self) -> Result<String, JournalError> {
        let mut out = head(&self.name, &self.definition);
        let mut numbering = Numbering::start();
        for record in &self.records {
            line(&mut out, &encode(record, ExecutionId(0), &mut numbering)?);
        }
        Ok(out)
    }
}

impl Journal {
    /// The records of an execution as text, with its definition: lines of JSON that [`Kept::parse`] reads.
    ///
    /// # Errors
    /// When the database cannot be read, or a record is not as it was written.
    pub async fn keep(&self, execution: &ExecutionRow) -> Result<String, JournalError> {
        let definition = self.definition(&execution.definition).await?;
        text_of(execution, definition, &self.rows(execution.id).await?)
    }
}

/// The rows of an execution as text, each checked.
pub(crate) fn text_of(
    execution: &ExecutionRow,
    definition: Option<Definition>,
    rows: &[Row],
) -> Result<String, JournalError> {
    let definition = definition.map_or_else(|| "".into(), |definition| definition.text);
    let mut out = head(&execution.state_machine, &definition);
    let mut decoder = Decoder::new(execution.id);
    for row in rows {
        decoder.decode(row)?;
        line(&mut out, row);
    }
    Ok(out)
}

/// The first record of a text and where it ends; `None` when there is none.
fn next(text: &str) -> Result<Option<(Line<'_>, usize)>, serde_json::Error> {
    let mut records = serde_json::Deserializer::from_str(text).into_iter();
    let line = records.next().transpose()?;
    let end = records.byte_offset();
    // The line break after it is its own.
    Ok(line.map(|line| (line, end + usize::from(text[end..].starts_with('\n')))))
}

/// The first line.
fn head(name: &str, definition: &str) -> String {
    let head = Head { asl_history: VERSION, name: name.to_owned(), definition: definition.to_owned() };
    serde_json::to_string(&head).expect("strings and a number have no way to fail") + "\n"
}

/// A further line.
fn line(out: &mut String, row: &Row) {
    let Row { number, first_event, event_count, checksum, body } = row;
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "{{\"number\":{number},\"first_event\":{first_event},\"event_count\":{event_count},\
         \"checksum\":{checksum},\"body\":{body}}}"
    );
}
