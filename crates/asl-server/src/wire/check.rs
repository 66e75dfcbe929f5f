//! A request against the table: all its violations at once, in AWS's words.

use super::error::ApiError;
use super::table::{Member, Shape, Span, table};
use asl::{Map, Value};
use std::fmt::Write;

/// How many violations a message names.
const MAX_NAMED: usize = 50;

/// Checks a request.
///
/// # Errors
/// `SerializationException` for the first value of a wrong type; else one `ValidationException` for all constraints.
pub(crate) fn check(members: &[Member], request: &Map) -> Result<(), ApiError> {
    types(members, request)?;
    let mut found = Vec::new();
    structure(members, request, "", &mut found);
    if found.is_empty() {
        return Ok(());
    }
    let s = if found.len() == 1 { "" } else { "s" };
    let named = found[..found.len().min(MAX_NAMED)].join("; ");
    Err(ApiError::constraint(format!("{} validation error{s} detected: {named}", found.len())))
}

fn types(members: &[Member], request: &Map) -> Result<(), ApiError> {
    for member in members {
        if let Some(value) = request.get(member.name) {
            type_of(&member.shape, value)?;
        }
    }
    Ok(())
}

/// The words of AWS's own reader of JSON.
fn type_of(shape: &Shape, value: &Value) -> Result<(), ApiError> {
    let wrong = |message: String| Err(ApiError::serialization(message));
    let scalar = |java: &str| match value {
        Value::Array(_) => wrong(format!("Unrecognized collection type class java.lang.{java}")),
        Value::Object(_) => wrong("Start of structure or map found where not expected".to_owned()),
        Value::String(_) if java == "Boolean" => wrong("Unexpected token received from parser".to_owned()),
        other => wrong(format!("{}_VALUE cannot be converted to {java}", token(other))),
    };
    match (shape, value) {
        (_, Value::Null) | (Shape::Any, _) => Ok(()),
        (Shape::String(..) | Shape::Enum(_), Value::String(_)) => Ok(()),
        (Shape::String(..) | Shape::Enum(_), _) => scalar("String"),
        (Shape::Integer(_) | Shape::Long(_) | Shape::Float(_) | Shape::Timestamp, Value::Number(_)) => Ok(()),
        (Shape::Integer(_), _) => scalar("Integer"),
        (Shape::Long(_) | Shape::Timestamp, _) => scalar("Long"),
        (Shape::Float(_), _) => scalar("Float"),
        (Shape::Boolean, Value::Bool(_)) => Ok(()),
        (Shape::Boolean, _) => scalar("Boolean"),
        (Shape::List(_, of), Value::Array(items)) => items.iter().try_for_each(|item| type_of(of, item)),
        (Shape::List(..), Value::Object(_)) => wrong("Start of structure or map found where not expected".to_owned()),
        (Shape::Map(of), Value::Object(map)) => map.values().try_for_each(|item| type_of(of, item)),
        (Shape::Structure(name), Value::Object(map)) => types(&table().structures[name], map),
        (Shape::Structure(name), Value::Array(_)) => {
            wrong(format!("Unrecognized collection type class com.amazonaws.swf.service.v2.model.{name}"))
        }
        (Shape::List(..) | Shape::Map(_) | Shape::Structure(_), _) => wrong("Unexpected field type".to_owned()),
    }
}

fn token(value: &Value) -> &'static str {
    match value {
        Value::Bool(true) => "TRUE",
        Value::Bool(false) => "FALSE",
        Value::Number(number) if !number.is_integer() => "DECIMAL",
        Value::Number(_) => "NUMBER",
        _ => "STRING",
    }
}

fn structure(members: &[Member], request: &Map, path: &str, found: &mut Vec<String>) {
    for member in members {
        let path = if path.is_empty() { member.name.to_owned() } else { format!("{path}.{}", member.name) };
        match request.get(member.name) {
            None | Some(Value::Null) => {
                if member.required {
                    found.push(format!("Value null at '{path}' failed to satisfy constraint: Member must not be null"));
                }
            }
            Some(value) => constraints(&member.shape, value, &path, found),
        }
    }
}

fn constraints(shape: &Shape, value: &Value, path: &str, found: &mut Vec<String>) {
    let mut fail = |must: String| {
        let mut shown = String::new();
        show(shape, value, &mut shown);
        found.push(format!("Value '{shown}' at '{path}' failed to satisfy constraint: Member must {must}"));
    };
    match (shape, value) {
        (Shape::String(span, pattern), Value::String(text)) => {
            let outside = outside(*span, text.chars().count() as f64);
            outside.into_iter().for_each(|limit| fail(format!("have length {limit}")));
            if let Some(pattern) = pattern.filter(|pattern| !matches(pattern, text)) {
                fail(format!("satisfy regular expression pattern: {pattern}"));
            }
        }
        (Shape::Enum(values), Value::String(text)) if !values.contains(&&**text) => {
            fail(format!("satisfy enum value set: [{}]", values.join(", ")));
        }
        (Shape::Integer(span) | Shape::Long(span) | Shape::Float(span), Value::Number(number)) => {
            outside(*span, number.as_f64()).into_iter().for_each(|limit| fail(format!("have value {limit}")));
        }
        (Shape::List(span, of), Value::Array(items)) => {
            outside(*span, items.len() as f64).into_iter().for_each(|limit| fail(format!("have length {limit}")));
            for (number, item) in (1..).zip(items.iter()) {
                let path = format!("{path}.{number}.member");
                if item.is_null() {
                    found.push(format!("Value null at '{path}' failed to satisfy constraint: Member must not be null"));
                }
                constraints(of, item, &path, found);
            }
        }
        (Shape::Structure(name), Value::Object(map)) => structure(&table().structures[name], map, path, found),
        _ => {}
    }
}

fn outside(span: Span, measure: f64) -> Option<String> {
    let low = span.min.filter(|min| measure < *min as f64).map(|min| format!("greater than or equal to {min}"));
    low.or_else(|| span.max.filter(|max| measure > *max as f64).map(|max| format!("less than or equal to {max}")))
}

/// The few patterns that the model has.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        r"\p{ASCII}*" => text.is_ascii(),
        "[!-~]+" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()),
        // An alias: not digits alone, which are a version.
        _ => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
            text.bytes().all(allowed) && text.bytes().any(|byte| !byte.is_ascii_digit())
        }
    }
}

/// A value as AWS's messages show it: structures with all their members.
fn show(shape: &Shape, value: &Value, out: &mut String) {
    match (shape, value) {
        (_, Value::Null) => out.push_str("null"),
        (_, Value::String(text)) => out.push_str(text),
        (Shape::List(_, of), Value::Array(items)) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                show(of, item, out);
            }
            out.push(']');
        }
        (Shape::Structure(name), Value::Object(map)) => {
            let _ = write!(out, "{name}(");
            for (at, member) in table().structures[name].iter().enumerate() {
                let _ = write!(out, "{}{}=", if at > 0 { ", " } else { "" }, member.name);
                show(&member.shape, map.get(member.name).unwrap_or(&Value::Null), out);
            }
            out.push(')');
        }
        (_, other) => other.write_to(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(operation: &str, request: &str) -> String {
        let request: Value = request.parse().unwrap();
        let checked = check(&table().operations[operation].input, request.as_object().unwrap());
        checked.map_or_else(|error| format!("{}: {}", error.code, error.message), |()| "fine".to_owned())
    }

    #[test]
    fn violations_are_told_in_aws_words() {
        let table = [
            (
                "ListStateMachines",
                r#"{"maxResults": 1001}"#,
                "ValidationException: 1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000",
            ),
            (
                "ListStateMachines",
                r#"{"maxResults": "1"}"#,
                "SerializationException: STRING_VALUE cannot be converted to Integer",
            ),
            (
                "DescribeActivity",
                "{}",
                "ValidationException: 1 validation error detected: Value null at 'activityArn' failed to satisfy constraint: Member must not be null",
            ),
            (
                "ListExecutions",
                r#"{"statusFilter": "succeeded", "maxResults": -1, "stateMachineArn": null}"#,
                "ValidationException: 2 validation errors detected: Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]; Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 0",
            ),
            (
                "TagResource",
                r#"{"resourceArn": "a", "tags": [{"key": "", "value": "v"}]}"#,
                "ValidationException: 1 validation error detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
            ),
            (
                "UntagResource",
                r#"{"resourceArn": "a", "tagKeys": ["a", null]}"#,
                "ValidationException: 1 validation error detected: Value null at 'tagKeys.2.member' failed to satisfy constraint: Member must not be null",
            ),
            (
                "CreateStateMachineAlias",
                r#"{"name": "12", "routingConfiguration": [{"stateMachineVersionArn": "a", "weight": 101}]}"#,
                r"ValidationException: 2 validation errors detected: Value '12' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$; Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less than or equal to 100",
            ),
            (
                "CreateStateMachineAlias",
                r#"{"name": "a", "routingConfiguration": [{"stateMachineVersionArn": "a", "weight": 1}, {"stateMachineVersionArn": "b", "weight": 2}, {"stateMachineVersionArn": "c", "weight": 3}]}"#,
                "ValidationException: 1 validation error detected: Value '[RoutingConfigurationListItem(stateMachineVersionArn=a, weight=1), RoutingConfigurationListItem(stateMachineVersionArn=b, weight=2), RoutingConfigurationListItem(stateMachineVersionArn=c, weight=3)]' at 'routingConfiguration' failed to satisfy constraint: Member must have length less than or equal to 2",
            ),
            (
                "CreateStateMachine",
                r#"{"name": "a", "definition": "{}", "roleArn": "r", "publish": 1}"#,
                "SerializationException: NUMBER_VALUE cannot be converted to Boolean",
            ),
            (
                "CreateStateMachine",
                r#"{"name": "a", "definition": {}, "roleArn": "r"}"#,
                "SerializationException: Start of structure or map found where not expected",
            ),
            ("ListActivities", r#"{"other": 1, "nextToken": null}"#, "fine"),
        ];
        for (operation, request, told) in table {
            assert_eq!(refused(operation, request), told, "{operation} {request}");
        }
    }

    /// Every pattern of the table is one that is known here: each refuses what it must.
    #[test]
    fn patterns_are_those_of_the_table() {
        let samples = [(r"\p{ASCII}*", "é"), ("[!-~]+", "a b"), (r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$", "a/b")];
        let operations =
            table().operations.values().flat_map(|operation| operation.input.iter().chain(&operation.output));
        for member in operations.chain(table().structures.values().flatten()) {
            if let Shape::String(_, Some(pattern)) = &member.shape {
                let sample = samples.iter().find(|(known, _)| known == pattern);
                let (_, bad) = sample.unwrap_or_else(|| panic!("{pattern} of {} is not known", member.name));
                assert!(!matches(pattern, bad), "{pattern}");
            }
        }
    }
}
