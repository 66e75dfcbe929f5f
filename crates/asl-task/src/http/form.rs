//! `application/x-www-form-urlencoded`, with the four ways to write an array.

use asl_value::Value;
use std::fmt::Write;

/// How an array is written (`Transform.RequestEncodingOptions.ArrayFormat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArrayFormat {
    /// `a[0]=1&a[1]=2`
    Indices,
    /// `a=1&a=2`
    Repeat,
    /// `a=1,2`
    Commas,
    /// `a[]=1&a[]=2`
    Brackets,
}

impl ArrayFormat {
    pub(super) fn named(name: &str) -> Option<ArrayFormat> {
        Some(match name {
            "INDICES" => ArrayFormat::Indices,
            "REPEAT" => ArrayFormat::Repeat,
            "COMMAS" => ArrayFormat::Commas,
            "BRACKETS" => ArrayFormat::Brackets,
            _ => return None,
        })
    }
}

/// An object as a form. Members of objects are `a[b]`.
pub(super) fn encode(value: &Value, format: ArrayFormat) -> String {
    let mut fields = Vec::new();
    for (name, value) in value.as_object().into_iter().flat_map(|o| o.iter()) {
        collect(name.to_string(), value, format, &mut fields);
    }
    pairs(&fields)
}

fn collect(name: String, value: &Value, format: ArrayFormat, fields: &mut Vec<(String, String)>) {
    match value {
        Value::Array(items) if format == ArrayFormat::Commas => {
            let texts: Vec<String> = items.iter().map(text).collect();
            fields.push((name, texts.join(",")));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let name = match format {
                    ArrayFormat::Indices => format!("{name}[{index}]"),
                    ArrayFormat::Brackets => format!("{name}[]"),
                    _ => name.clone(),
                };
                collect(name, item, format, fields);
            }
        }
        Value::Object(members) => {
            for (member, value) in members.iter() {
                collect(format!("{name}[{member}]"), value, format, fields);
            }
        }
        other => fields.push((name, text(other))),
    }
}

/// A scalar as it stands in an address, a header or a form.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    }
}

/// Names and values, joined.
pub(super) fn pairs(fields: &[(String, String)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        escape(name, &mut out);
        out.push('=');
        escape(value, &mut out);
    }
    out
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_written_in_four_ways() {
        let value: Value = r#"{"a": ["x y", 2], "o": {"k": true}, "n": null}"#.parse().unwrap();
        for (name, array) in [
            ("INDICES", "a%5B0%5D=x+y&a%5B1%5D=2"),
            ("REPEAT", "a=x+y&a=2"),
            ("COMMAS", "a=x+y%2C2"),
            ("BRACKETS", "a%5B%5D=x+y&a%5B%5D=2"),
        ] {
            let format = ArrayFormat::named(name).unwrap();
            assert_eq!(encode(&value, format), format!("{array}&o%5Bk%5D=true&n="), "{name}");
        }
        assert_eq!(ArrayFormat::named("PIPES"), None);
    }
}
