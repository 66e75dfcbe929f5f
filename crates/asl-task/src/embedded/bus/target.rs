//! Targets of rules: whom a matched event goes to, and what of it.

use crate::embedded::error::{Fault, refused};
use crate::embedded::spec::{TargetSpec, TransformerSpec};
use asl_expr::{NoEnv, Path};
use asl_value::{Map, Value};
use std::collections::BTreeMap;

/// Whom a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom<'a> {
    Queue(&'a str),
    Topic(&'a str),
    Function(&'a str),
    StateMachine(&'a str),
}

/// Whom an ARN means, or its short form `sqs:Name`; none of what cannot be a target here.
pub(crate) fn whom(arn: &str) -> Option<&str> {
    whom_of(arn).map(|whom| match whom {
        Whom::Queue(name) | Whom::Topic(name) | Whom::Function(name) | Whom::StateMachine(name) => name,
    })
}

pub(super) fn whom_of(arn: &str) -> Option<Whom<'_>> {
    let service = match arn.strip_prefix("arn:") {
        Some(rest) => rest.split(':').nth(1)?,
        None => arn.split_once(':')?.0,
    };
    let name = if arn.starts_with("arn:") { arn } else { arn.split_once(':')?.1 };
    match service {
        "sqs" => Some(Whom::Queue(name)),
        "sns" => Some(Whom::Topic(name)),
        "lambda" => Some(Whom::Function(name)),
        "states" => Some(Whom::StateMachine(name)),
        _ => None,
    }
}

/// The targets of a `PutTargets` request, or those that the store has.
pub(super) fn read_all(list: &Value) -> Result<Vec<TargetSpec>, Fault> {
    let read = |target: &Value| {
        let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
        let id = text(target, "Id").filter(|id| !id.is_empty()).ok_or_else(|| invalid("Id"))?;
        let arn = text(target, "Arn").filter(|arn| whom(arn).is_some());
        let arn = arn.ok_or_else(|| {
            let text = format!("Parameter Arn of target {id} is not valid. Reason: a target is an SQS queue, an SNS topic, a Lambda function or a state machine");
            refused("ValidationException", text)
        })?;
        let transformer = target["InputTransformer"].as_object().map(|transformer| {
            let paths = transformer.get("InputPathsMap").and_then(Value::as_object).into_iter().flatten();
            let paths = paths.filter_map(|(name, path)| Some((name.to_string(), path.as_str()?.to_owned())));
            let template = transformer.get("InputTemplate").and_then(Value::as_str).unwrap_or_default().to_owned();
            TransformerSpec { input_paths_map: paths.collect(), input_template: template }
        });
        let spec = TargetSpec {
            id: Some(id),
            arn,
            input: target.get("Input").filter(|input| !input.is_null()).cloned(),
            input_path: text(target, "InputPath"),
            input_transformer: transformer,
            message_group_id: text(&target["SqsParameters"], "MessageGroupId"),
            dead_letter_arn: text(&target["DeadLetterConfig"], "Arn"),
        };
        check(&spec).map_err(|problem| refused("ValidationException", problem))?;
        Ok(spec)
    };
    list.as_array().unwrap_or_default().iter().map(read).collect()
}

fn invalid(name: &str) -> Fault {
    refused("ValidationException", format!("Parameter {name} of a target is not valid"))
}

/// What is wrong with a target.
pub(crate) fn check(target: &TargetSpec) -> Result<(), String> {
    let forms = [target.input.is_some(), target.input_path.is_some(), target.input_transformer.is_some()];
    if forms.into_iter().filter(|given| *given).count() > 1 {
        return Err("a target has one of Input, InputPath and InputTransformer".to_owned());
    }
    let paths =
        target.input_path.iter().chain(target.input_transformer.iter().flat_map(|t| t.input_paths_map.values()));
    for path in paths {
        Path::parse(path).map_err(|problem| format!("the path {path} is not one: {problem}"))?;
    }
    Ok(())
}

/// What a target gets of an event: a value, or a text that is no JSON.
pub(super) fn input(target: &TargetSpec, event: &Value, rule: (&str, &str)) -> Value {
    if let Some(input) = &target.input {
        return input.as_str().map_or_else(|| input.clone(), |text| text.parse().unwrap_or_else(|_| Value::from(text)));
    }
    let at = |path: &str| Path::parse(path).ok().and_then(|path| path.eval(event, &NoEnv).ok());
    if let Some(path) = &target.input_path {
        return at(path).unwrap_or_default();
    }
    let Some(transformer) = &target.input_transformer else { return event.clone() };
    let paths = transformer.input_paths_map.iter().map(|(name, path)| (name.as_str(), at(path).unwrap_or_default()));
    let mut values: BTreeMap<&str, Value> = paths.collect();
    values.insert("aws.events.rule-name", Value::from(rule.0));
    values.insert("aws.events.rule-arn", Value::from(rule.1));
    values.insert("aws.events.event.ingestion-time", event["time"].clone());
    values.insert("aws.events.event.json", event.clone());
    values.insert("aws.events.event", event.clone());
    let text = filled(&transformer.input_template, &values);
    text.parse().unwrap_or_else(|_| Value::from(text))
}

/// A template with its `<names>` replaced: within quotes by the text of the value, outside of them by its JSON.
fn filled(template: &str, values: &BTreeMap<&str, Value>) -> String {
    let (mut out, mut quoted, mut rest) = (String::new(), false, template);
    while let Some(c) = rest.chars().next() {
        if c == '<'
            && let Some((name, after)) = rest[1..].split_once('>')
            && let Some(value) = values.get(name)
        {
            match value {
                Value::String(text) if quoted => {
                    let json = Value::from(text).to_string();
                    out.push_str(&json[1..json.len() - 1]);
                }
                value if quoted => out.push_str(&value.to_string().replace('\\', "\\\\").replace('"', "\\\"")),
                value => out.push_str(&value.to_string()),
            }
            rest = after;
            continue;
        }
        if c == '\\' && quoted {
            let two: usize = rest.chars().take(2).map(char::len_utf8).sum();
            out.push_str(&rest[..two]);
            rest = &rest[two..];
            continue;
        }
        quoted ^= c == '"';
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// A target as `ListTargetsByRule` shows it.
pub(super) fn shown(target: &TargetSpec, number: usize, arn: String) -> Value {
    let mut shown =
        Map::from_iter([("Id", target.id.clone().unwrap_or_else(|| format!("target{}", number + 1))), ("Arn", arn)]);
    if let Some(input) = &target.input {
        shown.insert("Input", input.as_str().map_or_else(|| input.to_string(), str::to_owned));
    }
    if let Some(path) = &target.input_path {
        shown.insert("InputPath", path);
    }
    if let Some(transformer) = &target.input_transformer {
        let paths = transformer.input_paths_map.iter().map(|(name, path)| (name.as_str(), path.as_str()));
        let members = [
            ("InputPathsMap", Value::from(Map::from_iter(paths))),
            ("InputTemplate", Value::from(&transformer.input_template)),
        ];
        shown.insert("InputTransformer", Map::from_iter(members));
    }
    if let Some(group) = &target.message_group_id {
        shown.insert("SqsParameters", Map::from_iter([("MessageGroupId", group.as_str())]));
    }
    if let Some(arn) = &target.dead_letter_arn {
        shown.insert("DeadLetterConfig", Map::from_iter([("Arn", arn.as_str())]));
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled() {
        let values =
            BTreeMap::from([("a", Value::from("x\"y")), ("n", Value::from(1)), ("o", "{\"k\":[1]}".parse().unwrap())]);
        let table = [
            (r#"{"t": <a>, "n": <n>, "o": <o>}"#, r#"{"t": "x\"y", "n": 1, "o": {"k":[1]}}"#),
            (r#""it is <a>, <n>, <unknown>""#, r#""it is x\"y, 1, <unknown>""#),
            (r#""\"<n>""#, r#""\"1""#),
            ("a < b", "a < b"),
        ];
        for (template, expected) in table {
            assert_eq!(filled(template, &values), expected);
        }
    }
}
