//! Functions on strings that the evaluator gets wrong or does not bound.

use super::{Answer, Shared, Table, arg, mismatch, too_large};
use jsonata_core::value::JValue;

pub(super) const TABLE: Table =
    &[("pad", pad), ("encodeUrl", encode_url), ("encodeUrlComponent", encode_url_component)];

/// `$pad(text, width, char)`: to the right, to the left for a negative width. The context comes last.
fn pad(shared: &Shared, args: &[JValue]) -> Answer {
    if let ([width @ JValue::Number(_), fill, ..], Some(context @ JValue::String(_))) = (args, args.get(3)) {
        return pad(shared, &[context.clone(), width.clone(), fill.clone()]);
    }
    let text = match arg(args, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text,
        _ => return mismatch(1, "pad"),
    };
    let JValue::Number(width) = arg(args, 1) else { return mismatch(2, "pad") };
    let fill = match arg(args, 2) {
        JValue::Undefined => " ",
        JValue::String(fill) if fill.is_empty() => " ",
        JValue::String(fill) => fill,
        _ => return mismatch(3, "pad"),
    };
    let missing = width.abs().trunc() - text.chars().count() as f64;
    if missing.is_nan() || missing <= 0.0 {
        return Ok(JValue::String(text.clone()));
    }
    if missing * fill.len() as f64 > 4.0 * shared.bounds.memory as f64 {
        return too_large();
    }
    let (missing, each) = (missing as usize, fill.chars().count());
    let mut padding = fill.repeat(missing / each);
    padding.extend(fill.chars().take(missing % each));
    shared.built(if *width < 0.0 { padding + text } else { format!("{text}{padding}") })
}

fn encode_url(_: &Shared, args: &[JValue]) -> Answer {
    encode(args, "encodeUrl", "-_.!~*'();/?:@&=+$,#")
}

fn encode_url_component(_: &Shared, args: &[JValue]) -> Answer {
    encode(args, "encodeUrlComponent", "-_.!~*'()")
}

/// JavaScript's `encodeURI` and `encodeURIComponent`: letters, digits and `kept` stay.
fn encode(args: &[JValue], function: &str, kept: &str) -> Answer {
    let text = match arg(args, 0) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text,
        _ => return mismatch(1, function),
    };
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(JValue::string(out))
}
