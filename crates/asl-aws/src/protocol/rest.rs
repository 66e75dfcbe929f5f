//! What stands outside of the body: path, query, headers, status.

use super::{Broken, Request, Response, xml};
use crate::blob;
use crate::check::scalar_text;
use crate::model::{Location, Member, Operation, Service, Shape, Structure, TimeFormat, Type};
use crate::uri;
use asl_value::{Map, Value};

/// Puts each member where it belongs; those of the body are left.
pub(super) fn bind<'a>(
    service: &Service,
    operation: &Operation,
    structure: &'a Structure,
    parameters: &'a Value,
    request: &mut Request,
) -> Vec<(&'a Member, &'a Value)> {
    let mut body = vec![];
    let mut labels = vec![];
    for (key, value) in parameters.as_object().into_iter().flatten() {
        let Some(member) = structure.by_key(key) else { continue };
        match member.location {
            Location::Body | Location::Status => body.push((member, value)),
            Location::Uri => labels.push((member.wire.to_string(), scalar_text(member.ty, value, TimeFormat::Iso8601))),
            Location::Query => query(service, member, value, &mut request.query),
            Location::Header => {
                if let Some(text) = header(service, member.ty, value) {
                    request.headers.push((member.wire.to_string(), text));
                }
            }
            Location::Headers => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    request.headers.push((format!("{}{name}", member.wire), value.as_str().unwrap_or("").to_owned()));
                }
            }
        }
    }
    path(operation, &labels, request);
    body
}

/// The path with its labels filled in, and the constant query behind it.
fn path(operation: &Operation, labels: &[(String, String)], request: &mut Request) {
    let (template, constant) = operation.uri.split_once('?').unwrap_or((&operation.uri, ""));
    request.path.clear();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (label, after) = after.split_once('}').unwrap_or((after, ""));
        request.path.push_str(before);
        let name = label.trim_end_matches('+');
        let text = labels.iter().find(|(n, _)| n == name).map_or("", |(_, text)| text.as_str());
        request.path.push_str(&uri::encode(text, if label.ends_with('+') { b"/" } else { b"" }));
        rest = after;
    }
    request.path.push_str(rest);
    let constants = constant.split('&').filter(|c| !c.is_empty()).map(|c| match c.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (c.to_owned(), None),
    });
    request.query.splice(0..0, constants);
}

fn query(service: &Service, member: &Member, value: &Value, out: &mut Vec<(String, Option<String>)>) {
    let text = |ty, value: &Value| Some(scalar_text(ty, value, TimeFormat::Iso8601));
    match (service.shape(member.ty), value) {
        (Some(Shape::List { item, .. }), Value::Array(items)) => {
            out.extend(items.iter().map(|i| (member.wire.to_string(), text(*item, i))));
        }
        (Some(Shape::Map { value: of, .. }), Value::Object(entries)) => {
            for (key, value) in entries.iter() {
                match value {
                    Value::Array(values) => out.extend(values.iter().map(|v| (key.to_string(), text(Type::String, v)))),
                    _ => out.push((key.to_string(), text(*of, value))),
                }
            }
        }
        _ => out.push((member.wire.to_string(), text(member.ty, value))),
    }
}

/// The text of a header; `None` for an empty list.
fn header(service: &Service, ty: Type, value: &Value) -> Option<String> {
    match (service.shape(ty), value) {
        (Some(Shape::List { .. }), Value::Array(items)) if items.is_empty() => None,
        (Some(Shape::List { item, .. }), Value::Array(items)) => {
            let one = |i: &Value| match (item, i) {
                (Type::String, Value::String(text)) if text.contains([',', '"']) => {
                    format!("\"{}\"", text.replace('"', "\\\""))
                }
                _ => scalar_text(*item, i, TimeFormat::Rfc822),
            };
            Some(items.iter().map(one).collect::<Vec<_>>().join(","))
        }
        _ if ty == Type::JsonText => Some(blob::to_base64(value.as_str().unwrap_or("").as_bytes())),
        _ => Some(scalar_text(ty, value, TimeFormat::Rfc822)),
    }
}

/// Reads the members that stand in headers and the status.
pub(super) fn unbind(
    service: &Service,
    structure: &Structure,
    response: &Response,
    into: &mut Map,
) -> Result<(), Broken> {
    for member in &structure.members {
        match member.location {
            Location::Status => {
                into.insert(member.key.clone(), u32::from(response.status));
            }
            Location::Header => {
                if let Some(text) = response.header(&member.wire) {
                    into.insert(member.key.clone(), from_header(service, member.ty, text)?);
                }
            }
            Location::Headers => {
                let prefix = member.wire.to_ascii_lowercase();
                let all = response.headers.iter().filter(|(n, _)| n.to_ascii_lowercase().starts_with(&prefix));
                // The rest of a name and its value are the user's: they come as they are.
                let found: Map = all.map(|(n, v)| (&n[prefix.len()..], v.as_str())).collect();
                if !found.is_empty() {
                    into.insert(member.key.clone(), found);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn from_header(service: &Service, ty: Type, text: &str) -> Result<Value, Broken> {
    match (service.shape(ty), ty) {
        (Some(Shape::List { item: Type::Timestamp(_), .. }), _) | (_, Type::Timestamp(_)) => {
            xml::decode_text(ty_of_item(service, ty), text)
        }
        (Some(Shape::List { item, .. }), _) => text.split(',').map(|t| xml::decode_text(*item, t.trim())).collect(),
        (_, Type::JsonText) => {
            let bytes = blob::from_base64(text).ok_or_else(|| Broken::new("a header is not base64"))?;
            Ok(Value::from(String::from_utf8_lossy(&bytes).into_owned()))
        }
        _ => xml::decode_text(ty, text),
    }
}

fn ty_of_item(service: &Service, ty: Type) -> Type {
    if let Some(Shape::List { item, .. }) = service.shape(ty) { *item } else { ty }
}
