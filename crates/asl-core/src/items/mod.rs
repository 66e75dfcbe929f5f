//! The items of an `ItemReader`: from the text of a file, or the listing of a bucket (spec: ItemReader).
//!
//! Pure: whoever holds the bucket, a folder or a test's fixtures, hands out bytes ([`Bucket`]) and asks here what items
//! they are ([`load`]).

mod csv;
mod load;

pub use load::{Bucket, load};

use crate::event::Failure;
use asl_value::{Map, Value};

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

/// The items in a file, read as `ReaderConfig` says: an array, or an object of JSON. Stops after `max_items`.
///
/// # Errors
/// `States.ItemReaderFailed`, with what is wrong with the file.
pub fn parse(config: &Value, body: &[u8], max_items: Option<u64>) -> Result<Value, Failure> {
    let text = std::str::from_utf8(body).map_err(|e| failed(format!("The file is not UTF-8: {e}")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let max = max_items.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
    match config["InputType"].as_str() {
        Some("CSV") => csv::rows(config, text, max).map(Value::from),
        Some("JSONL") => lines(text, max),
        Some("JSON") | None => document(config, text),
        Some(other) => Err(failed(format!("InputType {other} cannot be read yet; use JSON, JSONL or CSV"))),
    }
}

fn document(config: &Value, text: &str) -> Result<Value, Failure> {
    let json: Value = text.parse().map_err(|e| failed(format!("The file is not JSON: {e}")))?;
    let pointer = config["ItemsPointer"].as_str().unwrap_or_default();
    let items = pointed(&json, pointer)
        .ok_or_else(|| failed(format!("The ItemsPointer '{pointer}' points at nothing in the file")))?;
    match items {
        Value::Array(_) | Value::Object(_) => Ok(items.clone()),
        _ => Err(failed("Attempting to map over non-iterable node.")),
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

fn lines(text: &str, max: usize) -> Result<Value, Failure> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).take(max);
    lines
        .map(|(n, line)| line.parse().map_err(|e| failed(format!("Line {n} is not JSON: {e}"))))
        .collect::<Result<Vec<Value>, _>>()
        .map(Value::from)
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
