//! What tables and queues hold after a test.

use crate::{Journal, JournalError, Map, Number, Value};
use asl_task::embedded::{AccessError, Services};

/// How many items and messages are looked at.
const LIMIT: u32 = 10_000;

/// Why a table or queue cannot be read.
pub(super) struct Unread(pub(super) String);

impl From<JournalError> for Unread {
    fn from(error: JournalError) -> Unread {
        Unread(error.to_string())
    }
}

impl From<AccessError> for Unread {
    fn from(error: AccessError) -> Unread {
        Unread(error.to_string())
    }
}

/// The items of a table in key order, as plain JSON.
pub(super) async fn table(journal: &Journal, services: &Services, name: &str) -> Result<Vec<Value>, Unread> {
    let (services, name) = (services.clone(), name.to_owned());
    let items = journal
        .inspect(|tx| Box::pin(async move { services.scan_items(tx, &name, None, LIMIT).await.map_err(Unread::from) }));
    Ok(items.await?.into_iter().map(|(_, item)| plain_item(&item)).collect())
}

/// The bodies of the messages of a queue in their order, hidden ones too: JSON where it is JSON.
pub(super) async fn queue(journal: &Journal, services: &Services, name: &str) -> Result<Vec<Value>, Unread> {
    let (asked, name) = (services.clone(), name.to_owned());
    let messages = journal.transact(move |tx| {
        Box::pin(async move {
            // At the beginning of time nothing has been kept too long.
            let messages = asked.peek_messages(tx, &name, 0, LIMIT, 0).await?;
            Ok::<_, Unread>(messages)
        })
    });
    let body = |text: &str| text.parse().unwrap_or_else(|_| Value::from(text));
    Ok(messages.await?.iter().map(|message| body(&message.body)).collect())
}

fn plain_item(item: &Value) -> Value {
    let attributes = item.as_object().into_iter().flat_map(Map::iter);
    attributes.map(|(name, value)| (name.clone(), plain(value))).collect::<Map>().into()
}

/// A typed attribute value without its type: `{"N": "7.5"}` is 7.5, a set is a list.
fn plain(attribute: &Value) -> Value {
    let Some((kind, value)) = attribute.as_object().and_then(|typed| typed.iter().next()) else { return Value::Null };
    let number = |value: &Value| value.as_str().and_then(Number::parse).map_or(Value::Null, Value::Number);
    let list = |each: &dyn Fn(&Value) -> Value| {
        value.as_array().unwrap_or_default().iter().map(each).collect::<Vec<_>>().into()
    };
    match &**kind {
        "N" => number(value),
        "NULL" => Value::Null,
        "M" => plain_item(value),
        "L" => list(&plain),
        "NS" => list(&number),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_values_lose_their_types() {
        let item = r#"{"s": {"S": "x"}, "n": {"N": "7.50"}, "b": {"BOOL": true}, "z": {"NULL": true},
            "l": {"L": [{"N": "1"}, {"M": {"k": {"SS": ["a", "b"]}}}]}, "ns": {"NS": ["1", "2"]}}"#;
        let plain = r#"{"s": "x", "n": 7.5, "b": true, "z": null, "l": [1, {"k": ["a", "b"]}], "ns": [1, 2]}"#;
        assert_eq!(plain_item(&item.parse().unwrap()), plain.parse().unwrap());
    }
}
