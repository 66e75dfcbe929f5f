//! Tables that behave like DynamoDB's.
//!
//! `number` and `attribute` are the values, `expression` the language over them, `key` the primary key, `index` the secondary
//! indexes; `write` and `read` are the operations on items, `batch` and `transact` those on many, `manage` those on tables.

pub(crate) mod attribute;
mod batch;
mod expression;
mod index;
mod key;
mod manage;
mod number;
mod read;
mod transact;
mod write;

use super::created;
use super::error::{Fault, Stop, invalid, refused};
use super::params::Params;
use super::spec::TableSpec;
use super::{Dialect, Identity, name_of};
use asl_store::ServiceTx;
use asl_value::{Map, Value};
use attribute::{Attributes, read_all, size_all, write_all};
use index::Index;
pub(crate) use key::Schema;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// The declared tables by name.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    tables: BTreeMap<String, Definition>,
    identity: Identity,
    /// Declared tables whose indexes were found to be as they are declared: this need not be looked at again.
    settled: Arc<Mutex<BTreeSet<String>>>,
}

/// What a table is: its key and its indexes.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) schema: Schema,
    pub(crate) indexes: Vec<Index>,
}

/// A table that a call is about: a declared one, or one that was made at run time.
#[derive(Clone, Debug)]
pub(crate) struct Table<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) definition: Cow<'a, Definition>,
    /// What the store has of one that was made at run time.
    pub(crate) created: Option<Value>,
}

impl Table<'_> {
    pub(crate) fn schema(&self) -> &Schema {
        &self.definition.schema
    }
}

impl Definition {
    fn new(spec: &TableSpec) -> Definition {
        let schema = Schema { hash: spec.hash_key.clone(), range: spec.range_key.clone() };
        Definition { indexes: index::of(spec, &schema), schema }
    }
}

impl Tables {
    pub(crate) fn new(specs: &BTreeMap<String, TableSpec>, identity: &Identity) -> Tables {
        let tables = specs.iter().map(|(name, spec)| (name.clone(), Definition::new(spec))).collect();
        Tables { tables, identity: identity.clone(), settled: Arc::default() }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// Whether a name or ARN is that of a declared table.
    pub(crate) fn is_declared(&self, reference: &str) -> bool {
        self.tables.contains_key(name_of(reference))
    }

    /// The table a call names, by name or ARN.
    async fn table<'q>(&'q self, tx: &mut dyn ServiceTx, params: &Params<'_>) -> Result<Table<'q>, Stop> {
        let null =
            |name| validation(format!("Value null at '{name}' failed to satisfy constraint: Member must not be null"));
        let name = params.text("TableName")?.ok_or_else(|| null("tableName"))?;
        self.find(tx, name).await
    }

    /// A table, by name or ARN.
    pub(crate) async fn find<'q>(&'q self, tx: &mut dyn ServiceTx, reference: &str) -> Result<Table<'q>, Stop> {
        let name = name_of(reference);
        if let Some((name, definition)) = self.tables.get_key_value(name) {
            let (name, definition) = (Cow::Borrowed(name.as_str()), Cow::Borrowed(definition));
            return Ok(Table { name, definition, created: None });
        }
        let row = created::TABLE.get(tx, name, name).await?;
        let row = row.ok_or_else(|| refused("ResourceNotFoundException", "Requested resource not found"))?;
        let definition = Definition::new(&manage::spec_of(&row)?);
        Ok(Table { name: Cow::Owned(name.to_owned()), definition: Cow::Owned(definition), created: Some(row) })
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

/// Adds `ConsumedCapacity` of several tables when the call asks for it.
fn add_capacities(answer: &mut Map, params: &Params<'_>, tables: &BTreeMap<String, f64>) -> Result<(), Fault> {
    if capacity_wish(params)? != "NONE" {
        let one = |(table, units): (&String, &f64)| {
            Value::from(Map::from_iter([("TableName", Value::from(table)), ("CapacityUnits", Value::from(*units))]))
        };
        answer.insert("ConsumedCapacity", tables.iter().map(one).collect::<Value>());
    }
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
        Fault::Unknown => bad("it has no type"),
    })
}

/// The form in which items are stored.
fn to_store(item: &Attributes) -> Value {
    write_all(item, Dialect::Optimized)
}
