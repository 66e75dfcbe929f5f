//! Shapes as JSON.

use super::Broken;
use crate::blob;
use crate::model::{Member, Service, Shape, TimeFormat, Type};
use crate::time::Timestamp;
use asl_value::{Map, Value};

/// A checked value as it stands in a JSON body.
pub(super) fn encode(service: &Service, ty: Type, value: &Value) -> Value {
    match ty {
        Type::Blob | Type::Streaming => Value::from(blob::to_base64(&blob::of_value(value))),
        Type::Timestamp(format) => match (Timestamp::of(value), format.unwrap_or(TimeFormat::Unix)) {
            (Some(at), TimeFormat::Unix) => at.number(),
            (Some(at), format) => Value::from(at.text(format)),
            (None, _) => Value::Null,
        },
        Type::Shape(_) => match (service.shape(ty), value) {
            (Some(Shape::Structure(structure)), Value::Object(given)) => {
                let members = given.iter().filter_map(|(key, value)| Some((structure.by_key(key)?, value)));
                members_of(service, members)
            }
            (Some(Shape::List { item, .. }), Value::Array(items)) => {
                items.iter().map(|i| if i.is_null() { Value::Null } else { encode(service, *item, i) }).collect()
            }
            (Some(Shape::Map { value: of, .. }), Value::Object(entries)) => {
                Value::from(entries.iter().map(|(k, v)| (k.clone(), encode(service, *of, v))).collect::<Map>())
            }
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

/// Members of a structure as a JSON object.
pub(super) fn members_of<'a>(service: &Service, members: impl Iterator<Item = (&'a Member, &'a Value)>) -> Value {
    Value::from(members.map(|(m, v)| (m.wire.clone(), encode(service, m.ty, v))).collect::<Map>())
}

/// What a JSON body holds, in the names and forms of results.
pub(super) fn decode(service: &Service, ty: Type, wire: &Value) -> Result<Value, Broken> {
    Ok(match (ty, wire) {
        (Type::Blob | Type::Streaming, Value::String(text)) => {
            let bytes = blob::from_base64(text).ok_or_else(|| Broken::new("bytes are not base64"))?;
            blob::to_value(&bytes)
        }
        (Type::Timestamp(_), _) => match Timestamp::of(wire) {
            Some(at) => Value::from(at.to_string()),
            None => return Err(Broken::new(format!("{wire} is no time"))),
        },
        (Type::Shape(_), _) => return decode_compound(service, ty, wire),
        _ => wire.clone(),
    })
}

fn decode_compound(service: &Service, ty: Type, wire: &Value) -> Result<Value, Broken> {
    match (service.shape(ty), wire) {
        (Some(Shape::Structure(structure)), Value::Object(given)) => {
            let mut made = Map::new();
            for member in &structure.members {
                if let Some(value) = given.get(&member.wire).filter(|v| !v.is_null()) {
                    made.insert(member.key.clone(), decode(service, member.ty, value)?);
                }
            }
            Ok(Value::from(made))
        }
        (Some(Shape::List { item, .. }), Value::Array(items)) => {
            items.iter().map(|i| if i.is_null() { Ok(Value::Null) } else { decode(service, *item, i) }).collect()
        }
        (Some(Shape::Map { value: of, .. }), Value::Object(entries)) => {
            let mut made = Map::with_capacity(entries.len());
            for (key, value) in entries.iter() {
                let value = if value.is_null() { Value::Null } else { decode(service, *of, value)? };
                made.insert(key.clone(), value);
            }
            Ok(Value::from(made))
        }
        (Some(Shape::Structure(_) | Shape::Map { .. }), other) => {
            Err(Broken::new(format!("an object is expected, not {}", article(other))))
        }
        (Some(Shape::List { .. }), other) => Err(Broken::new(format!("a list is expected, not {}", article(other)))),
        (None, _) => Ok(Value::Null),
    }
}

fn article(value: &Value) -> String {
    let name = value.kind().name();
    let article = if name.starts_with(['a', 'o']) { "an" } else { "a" };
    if value.is_null() { name.to_owned() } else { format!("{article} {name}") }
}
