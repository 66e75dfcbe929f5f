//! The JSON Schema of what serde reads by hand.

use super::spec::{KeyAttribute, KeyType, Protocol};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// A filter policy: a table, or JSON text.
pub(super) fn filter_policy(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["object", "string"] })
}

/// Any value.
pub(super) fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}

impl JsonSchema for Protocol {
    fn schema_name() -> Cow<'static, str> {
        "Protocol".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Whom a subscription delivers to: a queue (`sqs`) or a function (`lambda`).",
            "enum": ["sqs", "lambda", "queue", "function"],
        })
    }
}

impl JsonSchema for KeyAttribute {
    fn schema_name() -> Cow<'static, str> {
        "KeyAttribute".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kind = generator.subschema_for::<KeyType>();
        json_schema!({
            "description": "A key attribute: its name (then it is of type S), or its name and type.",
            "anyOf": [
                { "type": "string", "minLength": 1, "maxLength": 255 },
                {
                    "type": "object",
                    "properties": {
                        "AttributeName": { "type": "string", "minLength": 1, "maxLength": 255 },
                        "AttributeType": kind,
                    },
                    "required": ["AttributeName"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
