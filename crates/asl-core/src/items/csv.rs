//! CSV as AWS reads it: quotes, backslashes, short and long rows (spec: ItemReader, CSV rules).

use super::text::Text;
use super::{Limit, failed};
use crate::event::Failure;
use asl_value::{Map, Value};
use std::collections::BTreeSet;

/// An object of strings for each row, up to the limit.
pub(super) fn rows(config: &Value, text: &mut Text<'_>, limit: Limit) -> Result<Vec<Value>, Failure> {
    let delimiter = match config["CSVDelimiter"].as_str() {
        Some("PIPE") => '|',
        Some("SEMICOLON") => ';',
        Some("SPACE") => ' ',
        Some("TAB") => '\t',
        _ => ',',
    };
    let headers = match config["CSVHeaderLocation"].as_str() {
        Some("GIVEN") => {
            let given = config["CSVHeaders"].as_array().unwrap_or_default();
            given.iter().map(|h| h.as_str().unwrap_or_default().to_owned()).collect()
        }
        _ => next_row(text, delimiter)?.unwrap_or_default(),
    };
    if headers.iter().collect::<BTreeSet<_>>().len() != headers.len() {
        return Err(failed("CSV headers cannot contain duplicates."));
    }
    let order = java_order(&headers);
    let object = |row: Vec<String>| {
        // Short rows are filled up, extra fields are dropped.
        let field = |at: &usize| (&*headers[*at], row.get(*at).map_or("", String::as_str));
        Value::from(order.iter().map(field).collect::<Map>())
    };
    let mut found = Vec::new();
    while !limit.reached(found.len())
        && let Some(row) = next_row(text, delimiter)?
    {
        found.push(object(row));
    }
    Ok(found)
}

/// The next row, with as much of the file as it takes.
fn next_row(text: &mut Text<'_>, delimiter: char) -> Result<Option<Vec<String>>, Failure> {
    loop {
        let mut rows = Rows { rest: text.rest(), delimiter };
        let row = rows.next();
        // Where a row ends with what is at hand, it may go on behind it.
        if !rows.rest.is_empty() || text.is_all() {
            let passed = text.rest().len() - rows.rest.len();
            text.pass(passed);
            return Ok(row);
        }
        text.read_on("row")?;
    }
}

/// The places of the headers in the order of a Java `HashMap`, in which AWS keeps a row (recorded AWS behaviour).
fn java_order(headers: &[String]) -> Vec<usize> {
    let mut capacity = 16;
    while headers.len() * 4 > capacity * 3 {
        capacity *= 2;
    }
    let bucket = |at: &usize| {
        let hash = headers[*at].encode_utf16().fold(0_u32, |h, c| h.wrapping_mul(31).wrapping_add(u32::from(c)));
        (hash ^ (hash >> 16)) as usize & (capacity - 1)
    };
    let mut order: Vec<usize> = (0..headers.len()).collect();
    order.sort_by_key(bucket);
    order
}

struct Rows<'t> {
    rest: &'t str,
    delimiter: char,
}

impl Iterator for Rows<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        self.rest = self.rest.trim_start_matches(['\r', '\n']);
        if self.rest.is_empty() {
            return None;
        }
        let mut row = Vec::new();
        let mut field = String::new();
        let mut quoted = false;
        let mut chars = self.rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.peek() {
                    // Before anything else the backslash is dropped.
                    Some((_, '\\' | '"')) => field.extend(chars.next().map(|(_, escaped)| escaped)),
                    Some((_, escaped)) if *escaped == self.delimiter => field.extend(chars.next().map(|(_, c)| c)),
                    _ => {}
                },
                // Two quotes stand for one, also in a field that does not begin with a quote (AWS's example).
                '"' if (quoted || !field.is_empty()) && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    field.push('"');
                    chars.next();
                }
                '"' if quoted || field.is_empty() => quoted = !quoted,
                '\n' if !quoted => {
                    self.rest = &self.rest[at + 1..];
                    row.push(std::mem::take(&mut field));
                    return Some(row);
                }
                '\r' if !quoted && chars.peek().is_some_and(|(_, next)| *next == '\n') => {}
                c if c == self.delimiter && !quoted => row.push(std::mem::take(&mut field)),
                c => field.push(c),
            }
        }
        self.rest = "";
        row.push(field);
        Some(row)
    }
}
