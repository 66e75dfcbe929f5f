//! Percent encoding as AWS's signatures need it.

use std::fmt::Write;

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

/// A text with all but unreserved characters encoded, and but for those in `safe`.
pub(crate) fn encode(text: &str, safe: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if unreserved(byte) || safe.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Fields as the body of a form: a blank is a plus.
pub(crate) fn form(fields: &[(String, String)]) -> String {
    let field = |(name, value): &(String, String)| {
        format!("{}={}", encode(name, b" ").replace(' ', "+"), encode(value, b" ").replace(' ', "+"))
    };
    fields.iter().map(field).collect::<Vec<_>>().join("&")
}
