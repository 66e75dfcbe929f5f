//! The file of an `ItemReader`: `ReaderConfig` (first line) and the bytes of the file (the rest).
#![no_main]

use asl_core::items::parse;
use asl_fuzz::reads_back;
use asl_value::{Map, Value};
use libfuzzer_sys::fuzz_target;

const CONFIGS: [&str; 5] = [
    r#"{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}"#,
    r#"{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["a","b"],"CSVDelimiter":"PIPE"}"#,
    r#"{"InputType":"JSONL"}"#,
    r#"{"InputType":"JSON","ItemsPointer":"/a/0"}"#,
    r#"{"InputType":"JSON"}"#,
];

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|b| *b == b'\n').unwrap_or(0);
    let (head, body) = data.split_at(at);
    let body = body.get(1..).unwrap_or_default();
    let given = std::str::from_utf8(head).ok().and_then(|text| text.parse().ok());
    let config = given.unwrap_or_else(|| {
        let choice = usize::from(head.first().copied().unwrap_or_default());
        CONFIGS[choice % CONFIGS.len()].parse().expect("the configurations are JSON")
    });
    for max in [None, Some(0), Some(3)] {
        let Ok(items) = parse(&config, body, max) else { continue };
        reads_back(&items);
        let all = items.as_array().unwrap_or_default();
        match config["InputType"].as_str() {
            Some("CSV") => csv(all, max),
            Some("JSONL") => {
                assert!(max.is_none_or(|max| all.len() as u64 <= max));
                let lines: Vec<String> = all.iter().map(Value::to_string).collect();
                assert_eq!(parse(&config, lines.join("\n").as_bytes(), None).as_ref(), Ok(&items));
            }
            _ => {}
        }
    }
});

/// Every row has the same fields; written with all quotes, it is read back the same.
fn csv(rows: &[Value], max: Option<u64>) {
    assert!(max.is_none_or(|max| rows.len() as u64 <= max));
    let Some(first) = rows.first().and_then(Value::as_object) else { return };
    let headers: Vec<&str> = first.keys().map(|key| &**key).collect();
    if headers.is_empty() {
        return;
    }
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\""));
    let line = |fields: Vec<&str>| fields.into_iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
    let mut text = line(headers.clone());
    for row in rows {
        let row = row.as_object().expect("a row is an object");
        assert!(row.keys().map(|key| &**key).eq(headers.iter().copied()), "every row has the same fields");
        text += &line(row.values().map(|field| field.as_str().expect("a field is a text")).collect());
    }
    let config = Value::from(Map::from_iter([("InputType", "CSV"), ("CSVHeaderLocation", "FIRST_ROW")]));
    assert_eq!(parse(&config, text.as_bytes(), None), Ok(Value::from(rows.to_vec())), "{text}");
}
