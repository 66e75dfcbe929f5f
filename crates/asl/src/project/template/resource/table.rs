//! `AWS::DynamoDB::Table`, `AWS::Serverless::SimpleTable`.

use super::super::Model;
use super::{Properties, member_text};
use crate::project::error::Problem;
use crate::project::template::scope::{Resource, Scope};
use asl_task::embedded::{KeyAttribute, KeyType, TableSpec};
use asl_value::Value;

pub(super) fn read(
    scope: &Scope<'_>,
    resource: &Resource<'_>,
    name: &str,
    model: &mut Model,
) -> Result<(), Box<Problem>> {
    let properties = Properties { scope, resource };
    let spec = match resource.kind {
        "AWS::Serverless::SimpleTable" => simple(&properties)?,
        _ => table(&properties)?,
    };
    properties.note_places(&format!("tables.{name}"), model);
    model.tables.insert(name.to_owned(), spec);
    Ok(())
}

fn table(properties: &Properties<'_, '_>) -> Result<TableSpec, Box<Problem>> {
    let schema = properties.value("KeySchema")?.ok_or_else(|| properties.missing("KeySchema"))?;
    let definitions = properties.value("AttributeDefinitions")?.unwrap_or_default();
    let key = |role: &str| -> Result<Option<KeyAttribute>, Box<Problem>> {
        let mut entries = schema.as_array().into_iter().flatten();
        let entry = entries.find(|entry| member_text(entry, "KeyType").as_deref() == Some(role));
        let Some(name) = entry.and_then(|entry| member_text(entry, "AttributeName")) else { return Ok(None) };
        let mut defined = definitions.as_array().into_iter().flatten();
        let defined = defined.find(|one| member_text(one, "AttributeName").as_deref() == Some(&name));
        let Some(kind) = defined.and_then(|one| member_text(one, "AttributeType")) else {
            let message = format!("the key attribute `{name}` is not in AttributeDefinitions");
            return Err(properties.wrong("KeySchema", &message));
        };
        let kind = kind_named(&kind).ok_or_else(|| {
            properties.wrong("AttributeDefinitions", &format!("the type of `{name}` is S, N or B, not `{kind}`"))
        })?;
        Ok(Some(KeyAttribute { name, kind }))
    };
    let hash_key = key("HASH")?.ok_or_else(|| properties.wrong("KeySchema", "KeySchema has no HASH key"))?;
    Ok(TableSpec { hash_key, range_key: key("RANGE")? })
}

fn simple(properties: &Properties<'_, '_>) -> Result<TableSpec, Box<Problem>> {
    let key = properties.value("PrimaryKey")?.unwrap_or(Value::Null);
    let name = member_text(&key, "Name").unwrap_or_else(|| "id".to_owned());
    let kind = match member_text(&key, "Type").as_deref() {
        None | Some("String") => KeyType::S,
        Some("Number") => KeyType::N,
        Some("Binary") => KeyType::B,
        Some(other) => {
            let message = format!("the Type of a PrimaryKey is String, Number or Binary, not `{other}`");
            return Err(properties.wrong("PrimaryKey", &message));
        }
    };
    Ok(TableSpec { hash_key: KeyAttribute { name, kind }, range_key: None })
}

fn kind_named(name: &str) -> Option<KeyType> {
    [KeyType::S, KeyType::N, KeyType::B].into_iter().find(|kind| kind.name() == name)
}
