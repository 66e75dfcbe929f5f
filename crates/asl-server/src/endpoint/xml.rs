//! Answers in XML.

use crate::http::Answered;
use asl::Value;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

pub(super) fn answer(status: u16, kind: &'static str, body: String) -> Answered {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A value as AWS's query protocol has it: a list's items are `member`s, attributes are `entry`s.
pub(super) fn element(name: &str, value: &Value, out: &mut String) {
    *out += &format!("<{name}>");
    match value {
        Value::Null => {}
        Value::String(text) => escape(text, out),
        Value::Array(items) => items.iter().for_each(|item| element("member", item, out)),
        Value::Object(map) if name == "Attributes" => {
            for (key, value) in map.iter() {
                *out += "<entry>";
                element("key", &key.clone().into(), out);
                element("value", value, out);
                *out += "</entry>";
            }
        }
        Value::Object(map) => map.iter().for_each(|(name, value)| element(name, value, out)),
        other => *out += &other.to_string(),
    }
    *out += &format!("</{name}>");
}

/// A value as S3 has it: a list is the element over and over.
pub(super) fn element_flat(name: &str, value: &Value, out: &mut String) {
    if let Value::Array(items) = value {
        return items.iter().for_each(|item| element_flat(name, item, out));
    }
    *out += &format!("<{name}>");
    match value {
        Value::Null => {}
        Value::String(text) => escape(text, out),
        Value::Object(map) => map.iter().for_each(|(name, value)| element_flat(name, value, out)),
        other => *out += &other.to_string(),
    }
    *out += &format!("</{name}>");
}

/// The text that an element has: the five entities, and those with numbers.
pub(super) fn unescape(text: &str) -> String {
    let mut pieces = text.split('&');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (entity, rest) = piece.split_once(';').unwrap_or(("", piece));
        let number = entity.strip_prefix('#').and_then(|number| match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        });
        let known = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')];
        let known = known.iter().find(|(name, _)| *name == entity).map(|(_, c)| *c);
        match known.or_else(|| number.and_then(char::from_u32)) {
            Some(c) => {
                out.push(c);
                out.push_str(rest);
            }
            None => {
                out.push('&');
                out.push_str(piece);
            }
        }
    }
    out
}

/// Text in XML. Characters that XML 1.0 cannot have at all are left out.
pub(super) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => *out += "&amp;",
            '<' => *out += "&lt;",
            '>' => *out += "&gt;",
            '"' => *out += "&quot;",
            '\r' => *out += "&#xD;",
            '\t' | '\n' => out.push(c),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => {}
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let mut out = String::new();
        element("A", &"<&\u{1}>".into(), &mut out);
        assert_eq!(out, "<A>&lt;&amp;&gt;</A>");
    }
}
