//! Secondary indexes: rows of their own, kept with the items in the same transaction, in the order of the index's key.
//!
//! The rows of an index lie in a table of the store that is called `TABLE/INDEX`, under the index's key and then the item's: each
//! item has a row of its own. What an index holds depends on its declaration, which changes with the project file; so the store
//! remembers for which declarations the rows were made, and they are made anew where these are others ([`Tables::settle`]).

use super::attribute::{Attribute, Attributes};
use super::key::encode;
use super::{Schema, Table, Tables, stored, to_store};
use crate::embedded::created;
use crate::embedded::error::{Fault, Stop, invalid};
use crate::embedded::spec::{IndexSpec, KeyAttribute, ProjectionSpec, ProjectionType, TableSpec};
use asl_store::{ItemKey, ItemRange, ServiceTx};
use asl_value::{Map, Value};
use std::sync::PoisonError;

/// How many rows are asked of the store at once.
const BATCH: u32 = 200;

/// A secondary index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) schema: Schema,
    pub(crate) projection: ProjectionSpec,
    /// It has the hash key of the table.
    pub(crate) local: bool,
    /// The attributes of the table's key.
    table_key: Vec<String>,
}

/// The indexes of a table: the global ones, then the local ones.
pub(super) fn of(spec: &TableSpec, table: &Schema) -> Vec<Index> {
    let index = |local: bool, (name, index): (&String, &IndexSpec)| Index {
        name: name.clone(),
        schema: Schema {
            hash: index.hash_key.clone().filter(|_| !local).unwrap_or_else(|| table.hash.clone()),
            range: index.range_key.clone(),
        },
        projection: index.projection.clone(),
        local,
        table_key: table.attributes().map(|key| key.name.clone()).collect(),
    };
    let global = spec.global_secondary_indexes.iter().map(|one| index(false, one));
    global.chain(spec.local_secondary_indexes.iter().map(|one| index(true, one))).collect()
}

impl Index {
    /// Where the store has its rows.
    pub(super) fn rows(&self, table: &str) -> String {
        format!("{table}/{}", self.name)
    }

    /// The row of an item with this key; none where the item has no place in the index.
    pub(super) fn row_key(&self, key: &ItemKey, item: &Attributes) -> Option<ItemKey> {
        let value = |attribute: &KeyAttribute| item.get(&*attribute.name).map(encode);
        let hash = value(&self.schema.hash)?;
        let range = match &self.schema.range {
            Some(attribute) => value(attribute)?,
            None => String::new(),
        };
        Some(ItemKey { hash, range: joined(&[&range, &key.hash, &key.range]) })
    }

    /// Refuses an item whose attribute for this index has another type, or is empty.
    pub(super) fn check(&self, item: &Attributes) -> Result<(), Fault> {
        for key in self.schema.attributes() {
            let (name, index) = (&key.name, &self.name);
            let Some(value) = item.get(&**name) else { continue };
            let (wanted, given) = (key.kind.name(), value.type_name());
            if wanted != given {
                return Err(invalid(format!(
                    "One or more parameter values were invalid: Type mismatch for Index Key {name} Expected: {wanted} \
                     Actual: {given} IndexName: {index}"
                )));
            }
            let empty = match value {
                Attribute::S(text) if text.is_empty() => "string",
                Attribute::B(bytes) if bytes.is_empty() => "binary",
                _ => continue,
            };
            return Err(invalid(format!(
                "One or more parameter values are not valid. A value specified for a secondary index key is not \
                 supported. The AttributeValue for a key attribute cannot contain an empty {empty} value. IndexName: \
                 {index}, IndexKey: {name}"
            )));
        }
        Ok(())
    }

    /// What the index has of an item.
    fn project(&self, item: &Attributes) -> Attributes {
        let keeps = |name: &str| match self.projection.projection_type {
            ProjectionType::All => true,
            kind => {
                self.schema.contains(name)
                    || self.table_key.iter().any(|key| key == name)
                    || (kind == ProjectionType::Include
                        && self.projection.non_key_attributes.iter().any(|one| one == name))
            }
        };
        item.iter().filter(|(name, _)| keeps(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Follows a change of an item.
    pub(super) async fn replace(
        &self,
        tx: &mut dyn ServiceTx,
        table: &Table<'_>,
        key: &ItemKey,
        old: Option<&Attributes>,
        new: Option<&Attributes>,
    ) -> Result<(), Stop> {
        let rows = self.rows(&table.name);
        let row = |item: Option<&Attributes>| item.and_then(|item| self.row_key(key, item));
        let (before, after) = (row(old), row(new));
        if let Some(before) = before.filter(|before| after.as_ref() != Some(before)) {
            tx.delete_item(&rows, &before).await?;
        }
        if let (Some(after), Some(new)) = (after, new) {
            tx.put_item(&rows, &after, &to_store(&self.project(new))).await?;
        }
        Ok(())
    }

    /// What its rows depend on.
    fn described(&self) -> Value {
        let key = |key: &KeyAttribute| Value::from(format!("{} {}", key.name, key.kind.name()));
        let others = self.projection.non_key_attributes.iter().map(Value::from).collect::<Value>();
        Value::from(Map::from_iter([
            ("IndexName", Value::from(&self.name)),
            ("Key", self.schema.attributes().map(key).collect()),
            ("TableKey", self.table_key.iter().map(Value::from).collect()),
            ("Projection", Value::from(self.projection.projection_type.name())),
            ("NonKeyAttributes", others),
        ]))
    }
}

/// Parts as one text whose order is that of the parts: U+0001 ends a part, and stands in none.
fn joined(parts: &[&str]) -> String {
    let escaped = |part: &&str| part.replace('\u{2}', "\u{2}\u{2}").replace('\u{1}', "\u{2}\u{1}");
    parts.iter().map(escaped).collect::<Vec<_>>().join("\u{1}")
}

impl Tables {
    /// Sees to it that the rows of a declared table's indexes are those of its declaration. It is called before anything is written
    /// to the table, and before an index is read. Processes that run different declarations of one table at the same time are not
    /// provided for: each sees to it when it begins.
    pub(super) async fn settle(&self, tx: &mut dyn ServiceTx, table: &Table<'_>) -> Result<(), Stop> {
        let settled = || self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        // A table that was made at run time has one declaration for all, and its indexes from the beginning.
        if table.created.is_some() || settled().contains(&*table.name) {
            return Ok(());
        }
        let indexes = &table.definition.indexes;
        let wanted: Vec<Value> = indexes.iter().map(Index::described).collect();
        let found = created::INDEX.get(tx, &table.name, &table.name).await?.unwrap_or_else(Value::empty_array);
        if found.as_array() == Some(&wanted[..]) {
            // Only what is found so is remembered: what is written now may be undone.
            settled().insert(table.name.to_string());
            return Ok(());
        }
        for gone in found.as_array().unwrap_or_default() {
            clear(tx, &format!("{}/{}", table.name, gone["IndexName"].as_str().unwrap_or_default())).await?;
        }
        let mut after: Option<ItemKey> = None;
        loop {
            let range = ItemRange { hash: None, after: after.as_ref(), reverse: false, limit: BATCH };
            let rows = tx.items(&table.name, range).await?;
            for (key, item) in &rows {
                let item = stored(item)?;
                for index in indexes.iter().filter(|index| index.check(&item).is_ok()) {
                    index.replace(tx, table, key, None, Some(&item)).await?;
                }
            }
            after = rows.last().map(|(key, _)| key.clone());
            if rows.len() < BATCH as usize {
                break;
            }
        }
        created::INDEX.put(tx, &table.name, &table.name, &Value::from(wanted)).await
    }
}

/// Removes all rows of a table of the store.
pub(super) async fn clear(tx: &mut dyn ServiceTx, rows: &str) -> Result<(), Stop> {
    loop {
        let some = tx.items(rows, ItemRange { limit: BATCH, ..ItemRange::default() }).await?;
        for (key, _) in &some {
            tx.delete_item(rows, key).await?;
        }
        if some.len() < BATCH as usize {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn joined_parts_keep_their_order(a in "[\\x01-\\x04a]{0,4}", b in "[\\x01-\\x04a]{0,4}", c in "[\\x01-\\x04a]{0,4}", d in "[\\x01-\\x04a]{0,4}") {
            prop_assert_eq!((&a, &b).cmp(&(&c, &d)), joined(&[&a, &b]).cmp(&joined(&[&c, &d])));
        }
    }
}
