//! `AWS::Serverless::StateMachine`, `AWS::StepFunctions::StateMachine`.

use super::super::{Definition, Machine, Model};
use super::Properties;
use crate::project::error::Problem;
use crate::project::template::function::called;
use crate::project::template::parameter::scalar_text;
use crate::project::template::scope::{Resource, Scope};
use asl_syntax::Kind;
use asl_value::Value;
use std::collections::BTreeMap;

pub(super) fn read(scope: &Scope<'_>, resource: &Resource<'_>, name: &str, model: &mut Model) {
    let properties = Properties { scope, resource };
    let mut substitutions = BTreeMap::new();
    let read = read_substitutions(&properties, &mut substitutions)
        .and_then(|()| definition(&properties, &mut substitutions))
        .and_then(|definition| Ok((definition, kind(&properties)?)));
    let (definition, kind) = read.unwrap_or_else(|problem| (Definition::Unread(problem), Kind::Standard));
    let (id, name) = (resource.id.to_owned(), name.to_owned());
    model.machines.push(Machine { id, name, kind, definition, substitutions, span: resource.span });
}

fn kind(properties: &Properties<'_, '_>) -> Result<Kind, Box<Problem>> {
    let name = if is_serverless(properties) { "Type" } else { "StateMachineType" };
    match properties.text(name)?.as_deref() {
        None | Some("STANDARD") => Ok(Kind::Standard),
        Some("EXPRESS") => Ok(Kind::Express),
        Some(other) => Err(properties.wrong(name, &format!("{name} is STANDARD or EXPRESS, not `{other}`"))),
    }
}

fn is_serverless(properties: &Properties<'_, '_>) -> bool {
    properties.resource.kind == "AWS::Serverless::StateMachine"
}

fn read_substitutions(
    properties: &Properties<'_, '_>,
    values: &mut BTreeMap<String, String>,
) -> Result<(), Box<Problem>> {
    let Some(node) = properties.node("DefinitionSubstitutions")? else { return Ok(()) };
    let Some(members) = node.as_object() else {
        return Err(properties.wrong("DefinitionSubstitutions", "DefinitionSubstitutions is an object"));
    };
    for member in members {
        if let Some(text) = properties.scope.text_of(&member.value)? {
            values.insert(member.key.to_string(), text);
        }
    }
    Ok(())
}

fn definition(
    properties: &Properties<'_, '_>,
    substitutions: &mut BTreeMap<String, String>,
) -> Result<Definition, Box<Problem>> {
    let (scope, resource) = (properties.scope, properties.resource);
    let text = |(text, origins): (String, Vec<asl_syntax::Origin>)| Definition::Text(text.into(), origins);
    if let Some(node) = resource.property("Definition") {
        return match is_serverless(properties) && called(node).is_none() {
            true => scope.sam_definition(node, substitutions).map(text),
            false => scope.object_definition(node).map(text),
        };
    }
    if let Some(node) = resource.property("DefinitionString") {
        return scope.text_definition(node).map(text);
    }
    for name in ["DefinitionUri", "DefinitionS3Location"] {
        let Some(node) = resource.property(name) else { continue };
        let file = |path: &str| Definition::File(path.to_owned(), node.span);
        if let Some(asset) = resource.asset() {
            return Ok(file(asset));
        }
        let value = properties.value(name)?.unwrap_or(Value::Null);
        let found = match value.as_str() {
            Some(uri) => match uri.strip_prefix("s3://") {
                Some(object) => object.split_once('/').map(|(_, key)| key.split('?').next().unwrap_or(key).to_owned()),
                None => Some(uri.to_owned()),
            },
            None => value.get("Key").and_then(scalar_text),
        };
        let message = format!("{name} is a path, or an object with Bucket and Key");
        return found.map(|path| file(&path)).ok_or_else(|| properties.wrong(name, &message));
    }
    let expected = if is_serverless(properties) { "Definition or DefinitionUri" } else { "DefinitionString" };
    Err(properties.missing(expected))
}
