//! `Wait`: how long.

use super::Loader;
use super::read::{Range, Roots};
use crate::diagnostic::Rule;
use crate::model::Wait;
use crate::tree::Item;
use asl_expr::Timestamp;

const FIELDS: [&str; 4] = ["Seconds", "Timestamp", "SecondsPath", "TimestampPath"];
/// How long an execution lasts at most: a year.
const MAX_EXECUTION_SECONDS: u64 = 31_536_000;

impl Loader<'_> {
    pub(crate) fn wait(&mut self, item: &Item<'_>) -> Option<Wait> {
        let fields = if self.is_jsonata() { &FIELDS[..2] } else { &FIELDS };
        if !self.only_one_of(item, fields) {
            return None;
        }
        let Some(name) = fields.iter().find(|name| item.has(name)) else {
            if FIELDS.iter().any(|name| item.has(name)) {
                return None;
            }
            let message = format!("One of the following fields is required: [{}]", fields.join(", "));
            self.error(Rule::RequiredField, item, message);
            return None;
        };
        let field = item.get(name)?;
        if self.is_expression(&field) {
            let query = self.query(&field)?;
            return Some(if *name == "Seconds" { Wait::SecondsQuery(query) } else { Wait::TimestampQuery(query) });
        }
        match *name {
            "Seconds" => {
                let seconds = self.seconds(&field);
                self.hint_path(&field, "SecondsPath");
                seconds.map(Wait::Seconds)
            }
            "Timestamp" => {
                let timestamp = self.timestamp(&field);
                self.hint_path(&field, "TimestampPath");
                timestamp.map(Wait::Timestamp)
            }
            "SecondsPath" => self.reference_path(&field, Roots::All).map(Wait::SecondsPath),
            _ => self.reference_path(&field, Roots::All).map(Wait::TimestampPath),
        }
    }

    fn seconds(&mut self, field: &Item<'_>) -> Option<u64> {
        let seconds = self.integer(field, Range::at_least(0))?;
        if seconds > MAX_EXECUTION_SECONDS {
            self.error(Rule::WaitTooLong, field, "This wait is longer than an execution may last")
                .help("an execution lasts a year (31536000 seconds) at most, and ends before such a wait does");
        }
        Some(seconds)
    }

    /// A literal in the profile of RFC 3339 that ASL asks for.
    pub(crate) fn timestamp(&mut self, field: &Item<'_>) -> Option<Timestamp> {
        let text = self.string(field)?;
        match Timestamp::parse(&text) {
            Ok(timestamp) => Some(timestamp),
            Err(_) => {
                self.error(Rule::BadTimestamp, field, "String does not match RFC3339 timestamp")
                    .help("write it like 2026-03-14T01:59:00Z: with a T, and with Z or an offset such as +02:00");
                None
            }
        }
    }
}
