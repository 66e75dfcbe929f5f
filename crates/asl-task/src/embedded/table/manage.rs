//! CreateTable, DescribeTable, ListTables, DeleteTable.

use super::index::{Index, clear};
use super::{Table, Tables, validation};
use crate::embedded::answer::iso_date;
use crate::embedded::created;
use crate::embedded::error::{Fault, Stop, invalid, refused};
use crate::embedded::ids::uuid;
use crate::embedded::params::{Params, Shape};
use crate::embedded::queue::page;
use crate::embedded::spec::{IndexSpec, KeyAttribute, KeyType, ProjectionSpec, ProjectionType, TableSpec};
use crate::embedded::{Dialect, ServiceCall, Services, name_of};
use asl_store::{ItemKey, ItemRange, ServiceTx};
use asl_value::{Map, Value};
use std::collections::BTreeMap;

const CREATE: Shape = Shape {
    known: &[
        "TableName",
        "AttributeDefinitions",
        "KeySchema",
        "GlobalSecondaryIndexes",
        "LocalSecondaryIndexes",
        "BillingMode",
        "ProvisionedThroughput",
        "SSESpecification",
        "Tags",
        "TableClass",
        "DeletionProtectionEnabled",
        "OnDemandThroughput",
        "WarmThroughput",
    ],
    refused: &["StreamSpecification", "ResourcePolicy"],
};
const TABLE: Shape = Shape { known: &["TableName"], refused: &[] };
const LIST: Shape = Shape { known: &["ExclusiveStartTableName", "Limit"], refused: &[] };

/// What is kept of a request, and shown again.
const KEPT: [&str; 5] =
    ["AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "BillingMode"];

/// The declaration that a request to make a table amounts to.
pub(super) fn spec_of(request: &Value) -> Result<TableSpec, Fault> {
    let definitions = request["AttributeDefinitions"].as_array().unwrap_or_default();
    let key = |schema: &Value, role: &str| -> Result<Option<KeyAttribute>, Fault> {
        let mut parts = schema.as_array().unwrap_or_default().iter();
        let Some(part) = parts.find(|part| part["KeyType"].as_str() == Some(role)) else { return Ok(None) };
        let name = part["AttributeName"].as_str().unwrap_or_default();
        let defined = definitions.iter().find(|one| one["AttributeName"].as_str() == Some(name));
        let kind = match defined.and_then(|one| one["AttributeType"].as_str()) {
            Some("S") => KeyType::S,
            Some("N") => KeyType::N,
            Some("B") => KeyType::B,
            _ => {
                return Err(invalid(format!(
                    "One or more parameter values were invalid: Some index key attributes are not defined in \
                     AttributeDefinitions. Keys: [{name}], AttributeDefinitions: [{}]",
                    definitions.iter().filter_map(|one| one["AttributeName"].as_str()).collect::<Vec<_>>().join(", ")
                )));
            }
        };
        Ok(Some(KeyAttribute { name: name.to_owned(), kind }))
    };
    let no_hash = || invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
    let indexes = |name: &str, local: bool| -> Result<BTreeMap<String, IndexSpec>, Fault> {
        let mut all = BTreeMap::new();
        for index in request[name].as_array().unwrap_or_default() {
            let (hash_key, range_key) = (key(&index["KeySchema"], "HASH")?, key(&index["KeySchema"], "RANGE")?);
            if hash_key.is_none() {
                return Err(no_hash());
            }
            let projection = &index["Projection"];
            let projection_type = match projection["ProjectionType"].as_str() {
                Some("KEYS_ONLY") => ProjectionType::KeysOnly,
                Some("INCLUDE") => ProjectionType::Include,
                Some("ALL") => ProjectionType::All,
                _ => return Err(invalid("One or more parameter values were invalid: Unknown ProjectionType: null")),
            };
            let others = projection["NonKeyAttributes"].as_array().unwrap_or_default();
            let non_key_attributes = others.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
            let spec = IndexSpec {
                hash_key: hash_key.filter(|_| !local),
                range_key,
                projection: ProjectionSpec { projection_type, non_key_attributes },
            };
            all.insert(index["IndexName"].as_str().unwrap_or_default().to_owned(), spec);
        }
        Ok(all)
    };
    Ok(TableSpec {
        hash_key: key(&request["KeySchema"], "HASH")?.ok_or_else(no_hash)?,
        range_key: key(&request["KeySchema"], "RANGE")?,
        global_secondary_indexes: indexes("GlobalSecondaryIndexes", false)?,
        local_secondary_indexes: indexes("LocalSecondaryIndexes", true)?,
    })
}

fn check_name(name: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if (3..=255).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    let bound = match name.len() {
        0..3 => "Member must have length greater than or equal to 3",
        256.. => "Member must have length less than or equal to 255",
        _ => "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
    };
    Err(validation(format!("Value '{name}' at 'tableName' failed to satisfy constraint: {bound}")))
}

impl Tables {
    pub(crate) async fn create(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &CREATE)?;
        let name = name_of(params.text("TableName")?.unwrap_or_default()).to_owned();
        check_name(&name)?;
        let spec = spec_of(call.parameters)?;
        let indexes = spec.global_secondary_indexes.keys().chain(spec.local_secondary_indexes.keys());
        indexes.clone().try_for_each(|index| check_name(index))?;
        match self.find(tx, &name).await {
            Ok(_) => {
                let text = format!("Table already exists: {name}");
                return Err(refused("ResourceInUseException", text).into());
            }
            Err(Stop::Fault(_)) => {}
            Err(failed) => return Err(failed),
        }
        let kept = KEPT.iter().filter_map(|key| Some((*key, params.get(key)?.clone())));
        let mut row: Map = kept.collect();
        row.insert("Created", Value::from(call.now_ms));
        row.insert("TableId", uuid(call.seed, "table", 0));
        let row = Value::from(row);
        created::TABLE.put(tx, &name, &name, &row).await?;
        let table = self.find(tx, &name).await?;
        let described = self.describe_one(tx, &table, call.dialect).await?;
        Ok(Map::from_iter([("TableDescription", described)]))
    }

    pub(crate) async fn describe(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &TABLE)?;
        let table = self.existing(tx, &params).await?;
        Ok(Map::from_iter([("Table", self.describe_one(tx, &table, call.dialect).await?)]))
    }

    /// The table of a call that is about tables: where there is none, it is told by name.
    async fn existing<'q>(&'q self, tx: &mut dyn ServiceTx, params: &Params<'_>) -> Result<Table<'q>, Stop> {
        let name = name_of(params.text("TableName")?.unwrap_or_default());
        match self.table(tx, params).await {
            Err(Stop::Fault(Fault::Refused { code: "ResourceNotFoundException", .. })) => Err(refused(
                "ResourceNotFoundException",
                format!("Requested resource not found: Table: {name} not found"),
            )
            .into()),
            found => found,
        }
    }

    pub(crate) async fn delete_table(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &TABLE)?;
        let table = self.existing(tx, &params).await?;
        if table.created.is_none() {
            let text = format!("the table {} is declared in the project file: change it there", table.name);
            return Err(refused("ResourceInUseException", text).into());
        }
        let mut described = self.describe_one(tx, &table, call.dialect).await?;
        for index in &table.definition.indexes {
            clear(tx, &index.rows(&table.name)).await?;
        }
        clear(tx, &table.name).await?;
        created::TABLE.remove(tx, &table.name, &table.name).await?;
        described.insert("TableStatus", "DELETING");
        Ok(Map::from_iter([("TableDescription", described)]))
    }

    pub(crate) async fn list(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>, _: &Services) -> Result<Map, Stop> {
        let params = Params::of(call, &LIST)?;
        let limit = params.integer("Limit")?.unwrap_or(100);
        if !(1..=100).contains(&limit) {
            let bound = if limit < 1 { "greater than or equal to 1" } else { "less than or equal to 100" };
            return Err(validation(format!(
                "Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value {bound}"
            ))
            .into());
        }
        let mut names: Vec<String> = self.names().map(str::to_owned).collect();
        names.extend(created::TABLE.list(tx, None).await?.into_iter().map(|(_, name, _)| name));
        names.sort();
        names.dedup();
        let all = names.into_iter().map(|name| (name.clone(), Value::from(name))).collect();
        let (names, next) = page(all, params.text("ExclusiveStartTableName")?, limit as usize);
        let mut answer = Map::from_iter([("TableNames", names)]);
        if let Some(next) = next {
            answer.insert("LastEvaluatedTableName", next);
        }
        Ok(answer)
    }

    async fn describe_one(&self, tx: &mut dyn ServiceTx, table: &Table<'_>, dialect: Dialect) -> Result<Map, Stop> {
        let name = &*table.name;
        let row = table.created.clone().unwrap_or_default();
        let (count, bytes) = measured(tx, name).await?;
        let created_ms = row["Created"].as_i64().unwrap_or(0);
        let created = match dialect {
            // Seconds since 1970, with a fraction.
            Dialect::Wire => Value::from(created_ms as f64 / 1000.0),
            Dialect::AwsSdk | Dialect::Optimized => Value::from(iso_date(created_ms)),
        };
        let definition = &table.definition;
        let keys = definition.schema.attributes().chain(definition.indexes.iter().flat_map(|i| i.schema.attributes()));
        let defined: BTreeMap<&str, &str> = keys.map(|key| (key.name.as_str(), key.kind.name())).collect();
        let defined = defined.into_iter().map(|(name, kind)| {
            Value::from_iter([("AttributeName", Value::from(name)), ("AttributeType", Value::from(kind))])
        });
        let arn = self.identity.arn("dynamodb", &format!("table/{name}"));
        let provisioned = || {
            Value::from_iter([
                ("NumberOfDecreasesToday", Value::from(0)),
                ("ReadCapacityUnits", Value::from(0)),
                ("WriteCapacityUnits", Value::from(0)),
            ])
        };
        let index = |one: &Index| {
            let mut shown = Map::from_iter([
                ("IndexName", Value::from(&one.name)),
                ("KeySchema", key_schema(&one.schema)),
                ("Projection", projection(&one.projection)),
                ("IndexArn", Value::from(format!("{arn}/index/{}", one.name))),
                ("IndexSizeBytes", Value::from(0)),
                ("ItemCount", Value::from(0)),
            ]);
            if !one.local {
                shown.insert("IndexStatus", "ACTIVE");
                shown.insert("ProvisionedThroughput", provisioned());
            }
            Value::from(shown)
        };
        let mut shown = Map::from_iter([
            ("AttributeDefinitions", defined.collect::<Value>()),
            ("TableName", Value::from(name)),
            ("KeySchema", key_schema(&definition.schema)),
            ("TableStatus", Value::from("ACTIVE")),
            ("CreationDateTime", created),
            ("ProvisionedThroughput", provisioned()),
            ("TableSizeBytes", Value::from(bytes)),
            ("ItemCount", Value::from(count)),
            ("TableArn", Value::from(&arn)),
        ]);
        if let Some(id) = row["TableId"].as_str() {
            shown.insert("TableId", id);
        }
        if row["BillingMode"].as_str() == Some("PAY_PER_REQUEST") {
            shown.insert("BillingModeSummary", Value::from_iter([("BillingMode", "PAY_PER_REQUEST")]));
        }
        for (key, local) in [("GlobalSecondaryIndexes", false), ("LocalSecondaryIndexes", true)] {
            let some: Vec<Value> = definition.indexes.iter().filter(|one| one.local == local).map(index).collect();
            if !some.is_empty() {
                shown.insert(key, some);
            }
        }
        Ok(shown)
    }
}

fn key_schema(schema: &super::Schema) -> Value {
    let roles = ["HASH", "RANGE"];
    let parts = schema.attributes().zip(roles);
    parts.map(|(key, role)| Value::from_iter([("AttributeName", key.name.as_str()), ("KeyType", role)])).collect()
}

fn projection(spec: &ProjectionSpec) -> Value {
    let mut shown = Map::from_iter([("ProjectionType", Value::from(spec.projection_type.name()))]);
    if !spec.non_key_attributes.is_empty() {
        shown.insert("NonKeyAttributes", spec.non_key_attributes.iter().map(Value::from).collect::<Value>());
    }
    shown.into()
}

/// How many items a table has, and the bytes of their JSON text.
async fn measured(tx: &mut dyn ServiceTx, table: &str) -> Result<(usize, usize), Stop> {
    let (mut count, mut bytes) = (0, 0);
    let mut after: Option<ItemKey> = None;
    loop {
        let rows = tx.items(table, ItemRange { after: after.as_ref(), limit: 500, ..ItemRange::default() }).await?;
        count += rows.len();
        bytes += rows.iter().map(|(_, item)| item.to_string().len()).sum::<usize>();
        after = rows.last().map(|(key, _)| key.clone());
        if rows.len() < 500 {
            return Ok((count, bytes));
        }
    }
}
