//! The items of an `ItemReader`: from the text of a file, or the listing of a bucket (spec: ItemReader).
//!
//! Pure: whoever holds the bucket, a folder or a test's fixtures, hands out what can be read ([`Bucket`]) and asks here what items
//! they are ([`load`]).

mod csv;
mod json;
mod load;
mod text;

pub use load::{Bucket, load};

use crate::event::Failure;
use asl_value::{Map, Value};
use std::io::BufRead;
use text::Text;

/// An object of a bucket, for `listObjectsV2`.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its ETag, without quotes.
    pub etag: String,
    /// When it was changed last, in seconds since 1970.
    pub modified_s: f64,
}

/// The items of a listing.
pub fn listing(objects: impl IntoIterator<Item = Listed>) -> Value {
    let item = |object: Listed| {
        let mut out = Map::with_capacity(5);
        out.insert("Etag", format!("\"{}\"", object.etag));
        out.insert("LastModified", object.modified_s);
        out.insert("Key", object.key);
        out.insert("Size", object.size);
        out.insert("StorageClass", "STANDARD");
        Value::from(out)
    };
    objects.into_iter().map(item).collect()
}

/// How many items are wanted.
#[derive(Clone, Copy, Debug)]
struct Limit(Option<u64>);

impl Limit {
    fn reached(self, found: usize) -> bool {
        self.0.is_some_and(|max| found as u64 >= max)
    }
}

/// The items in a file, read as `ReaderConfig` says: an array, or an object of JSON.
///
/// # Errors
/// As [`read`].
pub fn parse(config: &Value, mut body: &[u8], max_items: Option<u64>) -> Result<Value, Failure> {
    read(config, &mut body, max_items)
}

/// The same of a file that comes piece by piece. Holds no more of it than the items, a piece of 64 KB, and what a row, line or
/// item has at most, 8 MB; reads little further than to the last item that is wanted.
///
/// # Errors
/// `States.ItemReaderFailed`, with what is wrong with the file.
pub fn read(config: &Value, body: &mut dyn BufRead, max_items: Option<u64>) -> Result<Value, Failure> {
    let mut text = Text::new(body)?;
    let limit = Limit(max_items);
    match config["InputType"].as_str() {
        Some("CSV") => csv::rows(config, &mut text, limit).map(Value::from),
        Some("JSONL") => lines(&mut text, limit),
        Some("JSON") | None => json::document(config, &mut text, limit),
        Some(other) => Err(failed(format!("InputType {other} cannot be read yet; use JSON, JSONL or CSV"))),
    }
}

/// A JSON pointer (RFC 6901).
fn pointed<'v>(json: &'v Value, pointer: &str) -> Option<&'v Value> {
    pointer.split('/').skip(1).try_fold(json, |at, token| {
        let token = token.replace("~1", "/").replace("~0", "~");
        match at {
            Value::Array(list) => token.parse::<usize>().ok().and_then(|index| list.get(index)),
            other => other.get(&token),
        }
    })
}

fn lines(text: &mut Text<'_>, limit: Limit) -> Result<Value, Failure> {
    let mut found = Vec::new();
    let mut number = 0_u64;
    while !limit.reached(found.len()) {
        let (line, behind) = match text.rest().find('\n') {
            Some(end) => (&text.rest()[..end], end + 1),
            None if !text.is_all() => {
                text.read_on("line")?;
                continue;
            }
            None if text.rest().is_empty() => break,
            None => (text.rest(), text.rest().len()),
        };
        number += 1;
        if !line.trim().is_empty() {
            found.push(line.parse().map_err(|e| failed(format!("Line {number} is not JSON: {e}")))?);
        }
        text.pass(behind);
    }
    Ok(Value::from(found))
}

fn failed(cause: impl Into<std::sync::Arc<str>>) -> Failure {
    Failure::new("States.ItemReaderFailed", cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_items() {
        let table = [
            (r#"{"InputType":"JSON"}"#, "[1,2]", "[1,2]"),
            (r#"{"InputType":"JSON"}"#, r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"InputType":"JSON","ItemsPointer":"/a~1b/0"}"#, r#"{"a/b":[[3]]}"#, "[3]"),
            (r#"{"InputType":"JSONL"}"#, "{\"a\":1}\n\n2\n", r#"[{"a":1},2]"#),
            (
                r#"{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}"#,
                "a,b\n1,2\n3\n4,5,6\n",
                r#"[{"a":"1","b":"2"},{"a":"3","b":""},{"a":"4","b":"5"}]"#,
            ),
            (
                r#"{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["x"],"CSVDelimiter":"PIPE"}"#,
                "\u{feff}\"a\nb\"|c\r\n\"q\"\"r\"\r\n",
                r#"[{"x":"a\nb"},{"x":"q\"r"}]"#,
            ),
            (
                r#"{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}"#,
                "h\na\\,b\na\\\\\\n\n",
                r#"[{"h":"a,b"},{"h":"a\\n"}]"#,
            ),
            (
                r#"{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}"#,
                "j,k,l,m\n{\"\"K\"\":\"\"V\"\"},\"\",5\"\",\"\"\"q\"\"\"\n",
                r#"[{"j":"{\"K\":\"V\"}","k":"","l":"5\"","m":"\"q\""}]"#,
            ),
        ];
        for (config, body, expected) in table {
            let config: Value = config.parse().unwrap();
            let items = parse(&config, body.as_bytes(), None).unwrap();
            assert_eq!(items.to_string(), expected, "{config} of {body:?}");
        }
    }

    /// A file of a hundred megabytes whose end is not what it should be: who wants five items never sees it.
    #[test]
    fn no_more_is_read_than_is_wanted() {
        let csv = r#"{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}"#;
        let table = [
            (csv, "h\n", "\"a,\nb\",c\n", r#"{"h":"a,\nb"}"#),
            (r#"{"InputType":"JSONL"}"#, "", "{\"a\":1}\n", r#"{"a":1}"#),
            (r#"{"InputType":"JSON"}"#, "[0", ",1", "1"),
        ];
        for (config, head, item, expected) in table {
            let config: Value = config.parse().unwrap();
            let mut read_bytes = 0;
            let mut file = Counting { head: head.as_bytes(), item: item.as_bytes(), at: 0, read: &mut read_bytes };
            let items = read(&config, &mut std::io::BufReader::new(&mut file), Some(5)).unwrap();
            assert_eq!(items.as_array().unwrap().len(), 5);
            assert_eq!(items.as_array().unwrap().last().unwrap().to_string(), expected);
            // A JSON document is gathered up to 8 MB first.
            let most = if item == ",1" { 20 << 20 } else { 200 << 10 };
            assert!(read_bytes < most, "{config}: {read_bytes}");
        }
    }

    /// A file without end.
    struct Counting<'c> {
        head: &'c [u8],
        item: &'c [u8],
        at: usize,
        read: &'c mut usize,
    }

    impl std::io::Read for Counting<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            for byte in into.iter_mut() {
                let behind = self.at.checked_sub(self.head.len());
                *byte = behind.map_or_else(|| self.head[self.at], |behind| self.item[behind % self.item.len()]);
                self.at += 1;
            }
            *self.read += into.len();
            Ok(into.len())
        }
    }

    #[test]
    fn pieces_fit_together() {
        // Rows and characters that lie across the ends of pieces, in every way.
        let config = r#"{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}"#.parse().unwrap();
        for pad in 0..8 {
            let row = format!("\"{}🚗ü\"\"\r\n\",x\r\n", "-".repeat(1000 + pad));
            let file = format!("a,b\n{}", row.repeat(200));
            let items = parse(&config, file.as_bytes(), None).unwrap();
            let items = items.as_array().unwrap();
            assert_eq!(items.len(), 200);
            let expected = format!("{}🚗ü\"\r\n", "-".repeat(1000 + pad));
            assert!(items.iter().all(|item| item["a"].as_str() == Some(&*expected) && item["b"].as_str() == Some("x")));
        }
        let bad = [b"a\n".repeat(40_000), b"\xc3".to_vec()].concat();
        assert!(parse(&config, &bad, None).unwrap_err().cause.unwrap().contains("not UTF-8"));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let csv = r#"{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}"#;
        let table = [
            (r#"{"InputType":"JSON"}"#, "1", "non-iterable"),
            (r#"{"InputType":"JSON"}"#, "{", "not JSON"),
            (r#"{"InputType":"JSON","ItemsPointer":"/a"}"#, "{}", "points at nothing"),
            (r#"{"InputType":"JSONL"}"#, "1\n{", "Line 2"),
            (r#"{"InputType":"PARQUET"}"#, "", "PARQUET"),
            (csv, "a,a\n1,2", "CSV headers cannot contain duplicates."),
        ];
        for (config, body, expected) in table {
            let failure = parse(&config.parse().unwrap(), body.as_bytes(), None).unwrap_err();
            assert_eq!(failure.error.as_deref(), Some("States.ItemReaderFailed"));
            assert!(failure.cause.as_deref().unwrap().contains(expected), "{config}: {failure:?}");
        }
    }
}
