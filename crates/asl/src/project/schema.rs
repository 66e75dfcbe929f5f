//! The JSON Schema of the project file, for editors.

use super::file::{File, Runtime, Setting, Substitution};
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// The JSON Schema (draft 7, which every TOML editor knows) of `asl.toml`, as indented JSON. The repository has it as
/// `docs/reference/asl.schema.json`.
pub fn schema() -> String {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(without_null));
    let mut schema = settings.into_generator().into_root_schema_for::<File>();
    schema.insert("title".to_owned(), "asl.toml".into());
    format!("{:#}\n", schema.as_value())
}

/// An optional key is absent: TOML has no null.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.get("default").is_some_and(|default| default.is_null()) {
        object.remove("default");
    }
    if let Some(types) = object.get_mut("type") {
        let rest: Vec<_> = types.as_array().into_iter().flatten().filter(|kind| *kind != "null").cloned().collect();
        match <[_; 1]>::try_from(rest) {
            Ok([only]) => *types = only,
            Err(rest) if rest.is_empty() => {}
            Err(rest) => *types = rest.into(),
        }
    }
    if let Some(several) = object.get_mut("anyOf").and_then(|any| any.as_array_mut()) {
        several.retain(|one| one["type"] != "null");
        if several.len() == 1 && several[0].get("$ref").is_some() {
            let only = object.remove("anyOf").unwrap_or_default();
            object.insert("allOf".to_owned(), only);
        }
    }
}

impl JsonSchema for Runtime {
    fn schema_name() -> Cow<'static, str> {
        "Runtime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`python`, `node`, `provided` (any executable built on a Lambda runtime), or AWS's identifier of one: `python3.13`, `nodejs22.x`, `provided.al2023`.",
            "anyOf": [
                { "enum": ["python", "node", "provided"] },
                { "type": "string", "pattern": "^(python3|nodejs|provided\\.)" },
            ],
        })
    }
}

impl JsonSchema for Setting {
    fn schema_name() -> Cow<'static, str> {
        "Setting".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl JsonSchema for Substitution {
    fn schema_name() -> Cow<'static, str> {
        "Substitution".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The text itself, or the ARN of something declared in this file.",
            "anyOf": [
                { "type": ["string", "number", "boolean"] },
                {
                    "type": "object",
                    "properties": {
                        "Arn": {
                            "description": "The name of a function, table, topic or queue of this file.",
                            "type": "string",
                        },
                    },
                    "required": ["Arn"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::path::{Path, PathBuf};

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// `ASL_UPDATE=1 cargo test -p asl` writes the file anew.
    #[test]
    fn the_committed_schema_is_the_generated_one() {
        let file = root().join("docs/reference/asl.schema.json");
        if std::env::var_os("ASL_UPDATE").is_some() {
            std::fs::write(&file, schema()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), schema());
    }

    #[test]
    fn the_schema_accepts_what_loads_and_refuses_what_does_not() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let page = std::fs::read_to_string(root().join("docs/reference/project-file.md")).unwrap();
        let example = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let mut good = vec![example.to_owned()];
        for folder in ["", "hello", "trip"] {
            good.push(std::fs::read_to_string(root().join("definitions").join(folder).join("asl.toml")).unwrap());
        }
        good.extend(["[topics.T]\n[[topics.T.Subscriptions]]\nProtocol = 'queue'\nEndpoint = 'Q'\n".to_owned()]);
        for text in &good {
            assert_eq!(wrong(&schema, text), None, "{text}");
        }
        for (text, place) in [
            ("[tabels.X]\n", ".tabels"),
            ("[tables.X]\nHashKy = 'a'\n", ".tables.X"),
            ("[tables.X]\nHashKey = 3\n", ".tables.X.HashKey"),
            ("[tables.X]\nHashKey = { AttributeName = 'a', AttributeType = 'Q' }\n", ".tables.X.HashKey"),
            ("[queues.Q]\nVisibilityTimeout = '30'\n", ".queues.Q.VisibilityTimeout"),
            ("[queues.Q]\nVisibilityTimeout = 99999\n", ".queues.Q.VisibilityTimeout"),
            ("[queues.Q]\nRedrivePolicy = { deadLetterTargetArn = 'D' }\n", ".queues.Q.RedrivePolicy"),
            ("[functions.F]\nTimeout = 901\n", ".functions.F.Timeout"),
            ("[functions.F]\nRuntime = 3\n", ".functions.F.Runtime"),
            ("[buckets.B]\n", ".buckets.B"),
            ("[substitutions]\nA = ['B']\n", ".substitutions.A"),
        ] {
            let told = wrong(&schema, text).unwrap_or_else(|| panic!("accepted: {text}"));
            assert!(told.starts_with(place), "{text}: {told}");
        }
    }

    fn wrong(schema: &Value, text: &str) -> Option<String> {
        let value: Value = toml::from_str(text).unwrap();
        mistake(schema, schema, &value, "")
    }

    /// The first place that a schema refuses: as much of JSON Schema as this one uses, but for patterns.
    fn mistake(root: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
        let no = |why: &str| Some(format!("{at}: {why}"));
        if schema == &Value::Bool(false) {
            return no("nothing is allowed here");
        }
        if let Some(target) = schema["$ref"].as_str() {
            return mistake(root, root.pointer(&target[1..]).unwrap(), value, at);
        }
        let list = |key: &str| schema[key].as_array().cloned().unwrap_or_default();
        if let Some(found) = list("allOf").iter().find_map(|part| mistake(root, part, value, at)) {
            return Some(found);
        }
        for key in ["anyOf", "oneOf"] {
            let parts = list(key);
            if !parts.is_empty() && parts.iter().all(|part| mistake(root, part, value, at).is_some()) {
                return no("none of the alternatives");
            }
        }
        let kinds = match &schema["type"] {
            Value::String(kind) => vec![kind.clone()],
            kinds => kinds.as_array().into_iter().flatten().filter_map(|k| k.as_str().map(str::to_owned)).collect(),
        };
        if !kinds.is_empty() && !kinds.iter().any(|kind| is(value, kind)) {
            return no(&format!("not of type {kinds:?}"));
        }
        if schema.get("const").is_some_and(|only| only != value)
            || schema.get("enum").is_some_and(|_| !list("enum").contains(value))
        {
            return no("not one of the values");
        }
        let number = |key: &str| schema[key].as_f64();
        if let Some(given) = value.as_f64()
            && (number("minimum").is_some_and(|least| given < least)
                || number("maximum").is_some_and(|most| given > most))
        {
            return no("out of range");
        }
        let missing = list("required").into_iter().find(|key| value.get(key.as_str().unwrap_or_default()).is_none());
        if let (Some(key), true) = (missing, value.is_object()) {
            return no(&format!("{key} is missing"));
        }
        let rest = schema.get("additionalProperties").unwrap_or(&Value::Bool(true));
        let mut members = value.as_object().into_iter().flatten();
        let in_member = members.find_map(|(key, member)| {
            mistake(root, schema["properties"].get(key).unwrap_or(rest), member, &format!("{at}.{key}"))
        });
        let items = value.as_array().filter(|_| schema.get("items").is_some());
        in_member.or_else(|| {
            items.into_iter().flatten().find_map(|item| mistake(root, &schema["items"], item, &format!("{at}[]")))
        })
    }

    fn is(value: &Value, kind: &str) -> bool {
        match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            other => panic!("what is the type {other}?"),
        }
    }
}
