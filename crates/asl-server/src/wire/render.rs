//! A response as its shape has it: nothing that is not in the table, no nulls, times as epoch seconds.

use super::table::{Member, Shape, table};
use asl::{Map, Timestamp, Value};

/// Shapes a response. Times may be texts, as the command line prints them.
pub(crate) fn render(members: &[Member], response: &Map) -> Map {
    let mut out = Map::with_capacity(response.len());
    for (key, value) in response.iter() {
        let member = members.iter().find(|member| member.name == &**key);
        if let Some(member) = member.filter(|_| !value.is_null()) {
            out.insert(key.clone(), shaped(&member.shape, value));
        }
    }
    out
}

fn shaped(shape: &Shape, value: &Value) -> Value {
    match (shape, value) {
        (Shape::Timestamp, Value::String(text)) => Timestamp::parse(text).map_or_else(|_| value.clone(), epoch),
        (Shape::Structure(name), Value::Object(map)) => render(&table().structures[name], map).into(),
        (Shape::List(_, of), Value::Array(items)) => {
            Value::from(items.iter().map(|item| shaped(of, item)).collect::<Vec<_>>())
        }
        // An event of a history, which has one time.
        (Shape::Any, Value::Object(map)) => {
            let mut event = Map::clone(map);
            if let Some(time) = event.get_mut("timestamp") {
                *time = shaped(&Shape::Timestamp, time);
            }
            event.into()
        }
        _ => value.clone(),
    }
}

/// Epoch seconds, with milliseconds behind the point.
pub(crate) fn epoch(at: Timestamp) -> Value {
    match at.millis() % 1000 {
        0 => Value::from(at.millis() / 1000),
        _ => Value::from(at.millis() as f64 / 1000.0),
    }
}
