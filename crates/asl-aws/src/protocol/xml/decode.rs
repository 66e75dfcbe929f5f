//! Results out of XML.

use super::super::Broken;
use super::Element;
use crate::blob;
use crate::model::{Location, Member, Service, Shape, Structure, Type};
use crate::time::Timestamp;
use asl_value::{Map, Number, Value};

/// The value of an element.
pub(in crate::protocol) fn decode(service: &Service, ty: Type, element: &Element) -> Result<Value, Broken> {
    match service.shape(ty) {
        Some(Shape::Structure(structure)) => Ok(Value::from(decode_map(service, structure, element)?)),
        Some(Shape::List { item, .. }) => element.children.iter().map(|c| decode(service, *item, c)).collect(),
        Some(Shape::Map { value, key_name, value_name, .. }) => {
            entries(service, *value, (key_name, value_name), element.children.iter())
        }
        None => decode_text(ty, &element.text),
    }
}

/// The members of a structure that stand in the body.
pub(in crate::protocol) fn decode_map(
    service: &Service,
    structure: &Structure,
    element: &Element,
) -> Result<Map, Broken> {
    let mut made = Map::new();
    for member in structure.members.iter().filter(|m| m.location == Location::Body) {
        if let Some(value) = decode_member(service, member, element)? {
            made.insert(member.key.clone(), value);
        }
    }
    Ok(made)
}

fn decode_member(service: &Service, member: &Member, element: &Element) -> Result<Option<Value>, Broken> {
    if member.attribute {
        return Ok(attribute(element, &member.wire).map(Value::from));
    }
    match service.shape(member.ty) {
        Some(Shape::List { item, flattened, item_name }) if member.flattened || *flattened => {
            let name = item_name.as_ref().unwrap_or(&member.wire);
            let items = named(element, name).map(|c| decode(service, *item, c)).collect::<Result<Vec<_>, _>>()?;
            Ok((!items.is_empty()).then(|| Value::from(items)))
        }
        Some(Shape::Map { value, flattened, key_name, value_name }) if member.flattened || *flattened => {
            let all = named(element, &member.wire);
            let found = entries(service, *value, (key_name, value_name), all)?;
            Ok(Some(found).filter(|f| f.as_object().is_some_and(|o| !o.is_empty())))
        }
        _ => element.child(&member.wire).map(|c| decode(service, member.ty, c)).transpose(),
    }
}

fn named<'a>(element: &'a Element, name: &'a str) -> impl Iterator<Item = &'a Element> {
    element.children.iter().filter(move |c| c.name == *name)
}

fn entries<'a>(
    service: &Service,
    of: Type,
    (key_name, value_name): (&str, &str),
    all: impl Iterator<Item = &'a Element>,
) -> Result<Value, Broken> {
    let mut made = Map::new();
    for entry in all {
        let key = entry.child(key_name).ok_or_else(|| Broken::new(format!("an entry of a map has no <{key_name}>")))?;
        if let Some(value) = entry.child(value_name) {
            made.insert(key.text.as_str(), decode(service, of, value)?);
        }
    }
    Ok(Value::from(made))
}

/// An attribute with its prefix, or with any other: `xsi:type` is bound by its name space, not by its letters.
fn attribute<'a>(element: &'a Element, name: &str) -> Option<&'a str> {
    let local = |name: &'a str| name.rsplit_once(':').map_or(name, |(_, local)| local);
    let wanted = name.rsplit_once(':').map_or(name, |(_, local)| local);
    element.attributes.iter().find(|(n, _)| n == name || local(n) == wanted).map(|(_, value)| value.as_str())
}

/// The value of a text, in a body, a header or the status.
pub(in crate::protocol) fn decode_text(ty: Type, text: &str) -> Result<Value, Broken> {
    let trimmed = text.trim();
    let bad = |what: &str| Broken::new(format!("'{}' is no {what}", trimmed.chars().take(40).collect::<String>()));
    Ok(match ty {
        Type::Boolean => match trimmed {
            "true" | "True" => Value::from(true),
            "false" | "False" => Value::from(false),
            _ => return Err(bad("boolean")),
        },
        Type::Integer | Type::Long | Type::Float | Type::Double => match (Number::parse(trimmed), trimmed) {
            (Some(number), _) => Value::from(number),
            (None, "NaN" | "Infinity" | "-Infinity") => Value::from(trimmed),
            (None, _) => return Err(bad("number")),
        },
        Type::Timestamp(_) => Value::from(Timestamp::parse(trimmed).ok_or_else(|| bad("time"))?.to_string()),
        Type::Blob | Type::Streaming => blob::to_value(&blob::from_base64(trimmed).ok_or_else(|| bad("base64"))?),
        _ => Value::from(text),
    })
}
