//! `AWS::DynamoDB::Table`, `AWS::Serverless::SimpleTable`.

use super::super::Model;
use super::{Properties, member_text};
use crate::project::error::Problem;
use crate::project::template::scope::{Resource, Scope};
use asl_task::embedded::{IndexSpec, KeyAttribute, KeyType, ProjectionSpec, ProjectionType, TableSpec};
use asl_value::Value;
use std::collections::BTreeMap;

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
    let key = |schema: &Value, role: &str| -> Result<Option<KeyAttribute>, Box<Problem>> {
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
    let indexes = |property: &str| -> Result<BTreeMap<String, IndexSpec>, Box<Problem>> {
        let list = properties.value(property)?.unwrap_or_default();
        let mut all = BTreeMap::new();
        for index in list.as_array().into_iter().flatten() {
            let name = member_text(index, "IndexName");
            let name = name.ok_or_else(|| properties.wrong(property, "an index has no IndexName"))?;
            let schema = index.get("KeySchema").cloned().unwrap_or_default();
            let projection = index.get("Projection").cloned().unwrap_or_default();
            let projection_type = match member_text(&projection, "ProjectionType").as_deref() {
                None | Some("ALL") => ProjectionType::All,
                Some("KEYS_ONLY") => ProjectionType::KeysOnly,
                Some("INCLUDE") => ProjectionType::Include,
                Some(other) => {
                    let message = format!("the ProjectionType of `{name}` is ALL, KEYS_ONLY or INCLUDE, not `{other}`");
                    return Err(properties.wrong(property, &message));
                }
            };
            let others = projection.get("NonKeyAttributes").and_then(Value::as_array).unwrap_or_default();
            let non_key_attributes = others.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
            let spec = IndexSpec {
                hash_key: key(&schema, "HASH")?,
                range_key: key(&schema, "RANGE")?,
                projection: ProjectionSpec { projection_type, non_key_attributes },
            };
            all.insert(name, spec);
        }
        Ok(all)
    };
    let no_hash = || properties.wrong("KeySchema", "KeySchema has no HASH key");
    Ok(TableSpec {
        hash_key: key(&schema, "HASH")?.ok_or_else(no_hash)?,
        range_key: key(&schema, "RANGE")?,
        global_secondary_indexes: indexes("GlobalSecondaryIndexes")?,
        local_secondary_indexes: indexes("LocalSecondaryIndexes")?,
    })
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
    Ok(TableSpec::new(KeyAttribute { name, kind }, None))
}

fn kind_named(name: &str) -> Option<KeyType> {
    [KeyType::S, KeyType::N, KeyType::B].into_iter().find(|kind| kind.name() == name)
}
