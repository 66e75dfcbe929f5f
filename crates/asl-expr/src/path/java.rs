//! Values as Java prints them: the text form of `Map.toString`, which shows up in AWS's messages and in `States.Format`.

use asl_value::Value;
use std::fmt::Write;

/// Objects as `{k=v, k2=v2}`, strings bare, arrays as JSON (with `/` escaped, as json-smart writes it).
pub(crate) fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Appends that text.
pub(crate) fn write(value: &Value, out: &mut String) {
    match value {
        Value::String(s) => out.push_str(s),
        Value::Object(map) => {
            for (i, (key, value)) in map.iter().enumerate() {
                out.push_str(if i == 0 { "{" } else { ", " });
                out.push_str(key);
                out.push('=');
                write(value, out);
            }
            out.push_str(if map.is_empty() { "{}" } else { "}" });
        }
        Value::Array(_) => out.push_str(&value.to_string().replace('/', "\\/")),
        // Writing into a String cannot fail.
        other => _ = write!(out, "{other}"),
    }
}
