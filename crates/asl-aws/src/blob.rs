//! Bytes in JSON.
//!
//! Step Functions' parameters and results are JSON, the members of many operations bytes. What AWS shows: a body of text comes
//! as that text, an object is sent as its JSON text, a function's answer comes as text. For other bytes there is base64, as in
//! AWS's own JSON protocols. So a result that is not text becomes base64; and for what takes it as a parameter again
//! (a ciphertext, a signature), a text that can only be such base64 is read as base64.

use asl_value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A shorter text is itself, whatever it looks like: names and words are base64 by chance, and so are short passwords.
const SHORTEST: usize = 44;

/// Base64 with padding.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a base64 text.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok()
}

/// The value that shows `bytes`: the text they are, or base64.
pub fn to_value(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) if is_text(text) => Value::from(text),
        _ => Value::from(to_base64(bytes)),
    }
}

fn is_text(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// The bytes that a parameter means: a text's own, or those of the base64 that [`to_value`] made of bytes that are no text;
/// of any other JSON its text.
pub fn of_value(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => binary(text).unwrap_or_else(|| text.as_bytes().to_vec()),
        other => other.to_string().into_bytes(),
    }
}

/// The bytes of a text that is base64 of no text: long, canonical, and no digest in hexadecimal.
fn binary(text: &str) -> Option<Vec<u8>> {
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    if text.len() < SHORTEST || !text.len().is_multiple_of(4) || hex {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    let shown = std::str::from_utf8(&bytes).is_ok_and(is_text);
    (!shown).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_stay_texts() {
        for text in ["test", "abcd", "hunter2hunter2", "äöü\n", "{\"a\":1}", &"0123456789abcdef".repeat(4)] {
            assert_eq!(of_value(&Value::from(text)), text.as_bytes(), "{text}");
            assert_eq!(to_value(text.as_bytes()), Value::from(text), "{text}");
        }
        assert_eq!(of_value(&"{\"a\": [1]}".parse().unwrap()), b"{\"a\":[1]}");
    }

    proptest! {
        #[test]
        fn bytes_that_are_shown_can_be_given_again(bytes in proptest::collection::vec(any::<u8>(), 33..200)) {
            prop_assert_eq!(of_value(&to_value(&bytes)), bytes);
        }
    }
}
