//! The texts of documents in a response.

use asl_value::Value;

/// JSON with a blank after each comma and colon: so AWS writes the documents of TestState (recorded), unlike those of an
/// execution's history.
pub(super) fn spaced(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (at, (key, member)) in map.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                Value::from(key.clone()).write_to(out);
                out.push_str(": ");
                write(member, out);
            }
            out.push('}');
        }
        scalar => scalar.write_to(out),
    }
}
