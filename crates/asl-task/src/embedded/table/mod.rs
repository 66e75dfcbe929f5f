//! Tables that behave like DynamoDB's.
//!
//! `number` and `attribute` are the values, `expression` the language over them, `key` the primary key; `write` and
//! `read` are the actions.

pub(crate) mod attribute;
mod expression;
mod key;
mod number;
mod read;
mod write;

use super::error::{Fault, Stop, invalid, refused};
use super::params::Params;
use super::spec::TableSpec;
use super::{Dialect, ServiceCall, name_of};
use asl_store::ServiceTx;
use asl_value::{Map, Value};
use attribute::{Attributes, read_all, size_all, write_all};
pub(crate) use key::Schema;
use std::collections::BTreeMap;

/// The declared tables by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables(BTreeMap<String, Schema>);

/// The actions of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    PutItem,
    GetItem,
    UpdateItem,
    DeleteItem,
    Query,
    Scan,
}

impl Action {
    /// The action of a task resource; the optimized integration has four of them.
    pub(crate) fn named(name: &str, dialect: Dialect) -> Option<Action> {
        match name {
            "putItem" => Some(Action::PutItem),
            "getItem" => Some(Action::GetItem),
            "updateItem" => Some(Action::UpdateItem),
            "deleteItem" => Some(Action::DeleteItem),
            "query" if dialect == Dialect::AwsSdk => Some(Action::Query),
            "scan" if dialect == Dialect::AwsSdk => Some(Action::Scan),
            _ => None,
        }
    }
}

impl Tables {
    pub(crate) fn new(specs: &BTreeMap<String, TableSpec>) -> Tables {
        Tables(specs.iter().map(|(name, spec)| (name.clone(), Schema::new(spec))).collect())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) async fn call(
        &self,
        action: Action,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
    ) -> Result<Map, Stop> {
        match action {
            Action::PutItem => self.put(tx, call).await,
            Action::UpdateItem => self.update(tx, call).await,
            Action::DeleteItem => self.delete(tx, call).await,
            Action::GetItem => self.get(tx, call).await,
            Action::Query => self.query(tx, call).await,
            Action::Scan => self.scan(tx, call).await,
        }
    }

    /// The table a call names, by name or ARN.
    fn table(&self, params: &Params<'_>) -> Result<(&str, &Schema), Fault> {
        let null =
            |name| validation(format!("Value null at '{name}' failed to satisfy constraint: Member must not be null"));
        let name = params.text("TableName")?.ok_or_else(|| null("tableName"))?;
        self.named(name).ok_or_else(|| refused("ResourceNotFoundException", "Requested resource not found"))
    }

    /// A declared table, by name or ARN.
    pub(crate) fn named(&self, name: &str) -> Option<(&str, &Schema)> {
        self.0.get_key_value(name_of(name)).map(|(name, schema)| (name.as_str(), schema))
    }
}

/// The complaint of the request validation that runs before the service looks at anything.
fn validation(detail: String) -> Fault {
    invalid(format!("1 validation error detected: {detail}"))
}

/// A required object of attribute values, such as `Item` or `Key`.
fn attributes(params: &Params<'_>, name: &str) -> Result<Attributes, Fault> {
    let lower = name.to_ascii_lowercase();
    let null = || validation(format!("Value null at '{lower}' failed to satisfy constraint: Member must not be null"));
    read_all(params.object(name)?.ok_or_else(null)?)
}

/// A parameter with a fixed set of values.
fn choice<'a>(params: &Params<'a>, name: &str, choices: &[&str]) -> Result<Option<&'a str>, Fault> {
    let Some(given) = params.text(name)? else { return Ok(None) };
    if choices.contains(&given) {
        return Ok(Some(given));
    }
    let lower = format!("{}{}", name[..1].to_ascii_lowercase(), &name[1..]);
    Err(validation(format!(
        "Value '{given}' at '{lower}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
        choices.join(", ")
    )))
}

/// Whether and how the call asks for `ConsumedCapacity`.
fn capacity_wish<'a>(params: &Params<'a>) -> Result<&'a str, Fault> {
    Ok(choice(params, "ReturnConsumedCapacity", &["INDEXES", "TOTAL", "NONE"])?.unwrap_or("NONE"))
}

/// Adds `ConsumedCapacity` when the call asks for it.
fn add_capacity(answer: &mut Map, params: &Params<'_>, table: &str, units: f64) -> Result<(), Fault> {
    let asked = capacity_wish(params)?;
    if asked == "NONE" {
        return Ok(());
    }
    let mut capacity = Map::from_iter([("CapacityUnits", Value::from(units))]);
    if asked == "INDEXES" {
        let own = Value::from(capacity.clone());
        capacity.insert("Table", own);
    }
    capacity.insert("TableName", table);
    answer.insert("ConsumedCapacity", capacity);
    Ok(())
}

/// One unit for each started 4 KB read, half of it when the read may be stale.
fn read_units(bytes: usize, params: &Params<'_>) -> Result<f64, Fault> {
    let units = bytes.div_ceil(4096).max(1) as f64;
    Ok(if params.flag("ConsistentRead")? { units } else { units / 2.0 })
}

/// One unit for each started KB of the larger of the old and the new item.
fn write_units(old: Option<&Attributes>, new: Option<&Attributes>) -> f64 {
    let bytes = [old, new].into_iter().flatten().map(size_all).max().unwrap_or(0);
    bytes.div_ceil(1024).max(1) as f64
}

/// An item as it was stored. The store only ever holds what this module wrote.
fn stored(item: &Value) -> Result<Attributes, Stop> {
    let bad =
        |what: &str| Stop::Store(asl_store::StoreError::new(format!("an item in the database is damaged: {what}")));
    let map = item.as_object().ok_or_else(|| bad("it is not a JSON object"))?;
    read_all(map).map_err(|fault| match fault {
        Fault::Refused { message, .. } | Fault::Unreadable(message) => bad(&message),
    })
}

/// The form in which items are stored.
fn to_store(item: &Attributes) -> Value {
    write_all(item, Dialect::Optimized)
}
