//! Base64 and URL encoding, as JavaScript does them.

use super::{Answer, Call, coded, string::given};
use crate::jsonata::messages::quoted;
use crate::jsonata::value::Val;
use base64::Engine as _;

/// Of the low byte of each UTF-16 unit.
pub(super) fn base64encode(call: &Call, args: &[Val]) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(Val::Undefined) };
    call.run.spend(text.len() / 8)?;
    let bytes: Vec<u8> = text.encode_utf16().map(|unit| unit as u8).collect();
    call.run.built(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// A character for each byte; what is no base64 is passed over, and the text ends at the first `=`.
pub(super) fn base64decode(call: &Call, args: &[Val]) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(Val::Undefined) };
    call.run.spend(text.len() / 8)?;
    let (mut bits, mut count, mut out) = (0u32, 0, String::new());
    for c in text.chars().take_while(|&c| c != '=') {
        let value = match c {
            'A'..='Z' => c as u32 - 'A' as u32,
            'a'..='z' => c as u32 - 'a' as u32 + 26,
            '0'..='9' => c as u32 - '0' as u32 + 52,
            '+' | '-' => 62,
            '/' | '_' => 63,
            _ => continue,
        };
        bits = bits << 6 | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(char::from((bits >> count) as u8));
        }
    }
    call.run.built(out)
}

const COMPONENT: &str = "-_.!~*'()";
const RESERVED: &str = ";/?:@&=+$,#";

pub(super) fn encode_url(call: &Call, args: &[Val]) -> Answer {
    encode(call, args, true)
}

pub(super) fn encode_url_component(call: &Call, args: &[Val]) -> Answer {
    encode(call, args, false)
}

fn encode(call: &Call, args: &[Val], whole: bool) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(Val::Undefined) };
    call.run.spend(text.len() / 4)?;
    let kept = |byte: u8| {
        let c = char::from(byte);
        c.is_ascii_alphanumeric() || COMPONENT.contains(c) || (whole && RESERVED.contains(c))
    };
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii() && kept(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    call.run.built(out)
}

pub(super) fn decode_url(call: &Call, args: &[Val]) -> Answer {
    decode(call, args, "decodeUrl", true)
}

pub(super) fn decode_url_component(call: &Call, args: &[Val]) -> Answer {
    decode(call, args, "decodeUrlComponent", false)
}

fn decode(call: &Call, args: &[Val], name: &str, whole: bool) -> Answer {
    let Some(text) = given(args, 0) else { return Ok(Val::Undefined) };
    call.run.spend(text.len() / 4)?;
    match decoded(text, whole) {
        Some(out) => call.run.built(out),
        None => coded("D3140", &[("functionName", name.to_owned()), ("value", quoted(text))]),
    }
}

/// `None` where a `%` is not followed by two hex digits, or the bytes are not UTF-8. A reserved character stays encoded in
/// a whole URL.
fn decoded(text: &str, whole: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = tail.get(..2)?;
        let hex = |digit: u8| char::from(digit).to_digit(16);
        let value = (hex(digits[0])? * 16 + hex(digits[1])?) as u8;
        rest = &tail[2..];
        if whole && RESERVED.contains(char::from(value)) && value.is_ascii() {
            out.extend([b'%', digits[0], digits[1]]);
        } else {
            out.push(value);
        }
    }
    String::from_utf8(out).ok()
}
