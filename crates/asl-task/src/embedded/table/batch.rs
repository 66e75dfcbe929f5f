//! BatchGetItem and BatchWriteItem: many items of several tables.

use super::attribute::{Attributes, read_all, size_all, write_all};
use super::expression::parse::Placeholders;
use super::expression::projection::Projection;
use super::write::replace;
use super::{Table, Tables, add_capacities, choice, read_units, stored, validation, write_units};
use crate::embedded::error::{Fault, Stop, invalid};
use crate::embedded::params::{Params, Shape, wrong_kind};
use crate::embedded::{ServiceCall, Services};
use asl_store::{ItemKey, ServiceTx};
use asl_value::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// An answer of BatchGetItem has at most so many bytes; keys beyond it are given back as unprocessed.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
const MAX_KEYS: usize = 100;
const MAX_WRITES: usize = 25;
/// The largest item, in bytes.
const MAX_ITEM_SIZE: usize = 400 * 1024;

const GET: Shape = Shape { known: &["RequestItems", "ReturnConsumedCapacity"], refused: &[] };
const KEYS: Shape = Shape {
    known: &["Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"],
    refused: &["AttributesToGet"],
};
const WRITE: Shape =
    Shape { known: &["RequestItems", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"], refused: &[] };

/// The tables of `RequestItems` with what is asked of each.
fn requests<'a>(params: &Params<'a>) -> Result<Vec<(&'a str, &'a Value)>, Fault> {
    let null =
        || validation("Value null at 'requestItems' failed to satisfy constraint: Member must not be null".to_owned());
    let tables = params.object("RequestItems")?.ok_or_else(null)?;
    if tables.is_empty() {
        return Err(validation(
            "Value '{}' at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1"
                .to_owned(),
        ));
    }
    Ok(tables.iter().map(|(name, request)| (&**name, request)).collect())
}

fn twice() -> Fault {
    invalid("Provided list of item keys contains duplicates")
}

impl Tables {
    pub(crate) async fn batch_get(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &GET)?;
        let (mut responses, mut unprocessed) = (Map::new(), Map::new());
        let (mut capacities, mut bytes, mut count) = (BTreeMap::new(), 0, 0);
        for (name, request) in requests(&params)? {
            let of_table = Params::new(request, call.dialect, &KEYS)?;
            let keys = of_table.list("Keys")?;
            count += keys.len();
            if keys.is_empty() || count > MAX_KEYS {
                return Err(invalid(match count {
                    0 => "The list of keys in RequestItems for BatchGetItem is required".to_owned(),
                    _ => "Too many items requested for the BatchGetItem call".to_owned(),
                })
                .into());
            }
            let mut placeholders = Placeholders::read(&of_table, &["ProjectionExpression"])?;
            let projection = of_table.text("ProjectionExpression")?;
            let projection = projection.map(|text| Projection::parse(text, &mut placeholders)).transpose()?;
            placeholders.check_used()?;
            let table = self.find(tx, name).await?;
            let (mut seen, mut items, mut left) = (BTreeSet::new(), Vec::new(), Vec::new());
            for given in keys {
                let key = key_of(&table, given)?;
                if !seen.insert(key.clone()) {
                    return Err(twice().into());
                }
                if bytes >= MAX_ANSWER_BYTES {
                    left.push(given.clone());
                    continue;
                }
                let item = tx.item(&table.name, &key).await?.as_ref().map(stored).transpose()?;
                let size = item.as_ref().map_or(0, size_all);
                bytes += size;
                *capacities.entry(table.name.to_string()).or_insert(0.0) += read_units(size, &of_table)?;
                if let Some(item) = item {
                    let shown = projection.as_ref().map_or_else(|| item.clone(), |p| p.apply(&item));
                    items.push(write_all(&shown, call.dialect));
                }
            }
            responses.insert(name, items);
            if !left.is_empty() {
                let mut again = request.as_object().cloned().unwrap_or_default();
                again.insert("Keys", left);
                unprocessed.insert(name, again);
            }
        }
        let mut answer = Map::from_iter([("Responses", responses), ("UnprocessedKeys", unprocessed)]);
        add_capacities(&mut answer, &params, &capacities)?;
        Ok(answer)
    }

    pub(crate) async fn batch_write(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &WRITE)?;
        choice(&params, "ReturnItemCollectionMetrics", &["SIZE", "NONE"])?;
        // Everything is read before anything is written: a request that is refused writes nothing.
        let mut writes: Vec<(Table<'_>, ItemKey, Option<Attributes>)> = Vec::new();
        for (name, request) in requests(&params)? {
            let table = self.find(tx, name).await?;
            let requests = request.as_array().ok_or_else(|| wrong_kind(name, "an ARRAY"))?;
            if requests.is_empty() || writes.len() + requests.len() > MAX_WRITES {
                return Err(invalid(match requests.len() {
                    0 => format!("The batch write request list for a table cannot be null or empty: {name}"),
                    _ => "Too many items requested for the BatchWriteItem call".to_owned(),
                })
                .into());
            }
            let first = writes.len();
            for request in requests {
                let (key, item) = write_of(&table, request)?;
                if writes[first..].iter().any(|(_, other, _)| *other == key) {
                    return Err(twice().into());
                }
                writes.push((table.clone(), key, item));
            }
        }
        let mut capacities = BTreeMap::new();
        for (table, key, new) in &writes {
            self.settle(tx, table).await?;
            let old = tx.item_for_update(&table.name, key).await?.as_ref().map(stored).transpose()?;
            replace(tx, table, key, old.as_ref(), new.as_ref()).await?;
            *capacities.entry(table.name.to_string()).or_insert(0.0) += write_units(old.as_ref(), new.as_ref());
        }
        let mut answer = Map::from_iter([("UnprocessedItems", Map::new())]);
        add_capacities(&mut answer, &params, &capacities)?;
        Ok(answer)
    }
}

fn key_of(table: &Table<'_>, given: &Value) -> Result<ItemKey, Fault> {
    let key = given.as_object().ok_or_else(|| wrong_kind("Keys", "an ARRAY of JSON objects"))?;
    table.schema().key(&read_all(key)?)
}

/// The key that a write request is about, and the item that it puts.
fn write_of(table: &Table<'_>, request: &Value) -> Result<(ItemKey, Option<Attributes>), Fault> {
    let part = |name: &str| request.get(name).filter(|value| !value.is_null());
    match (part("PutRequest"), part("DeleteRequest")) {
        (Some(put), None) => {
            let item = put["Item"].as_object().ok_or_else(|| wrong_kind("Item", "a JSON object"))?;
            let item = read_all(item)?;
            if size_all(&item) > MAX_ITEM_SIZE {
                return Err(invalid("Item size has exceeded the maximum allowed size"));
            }
            let key = table.schema().key_of_item(&item)?;
            table.definition.indexes.iter().try_for_each(|index| index.check(&item))?;
            Ok((key, Some(item)))
        }
        (None, Some(delete)) => Ok((key_of(table, &delete["Key"])?, None)),
        _ => Err(invalid("Supplied WriteRequest must have exactly one of PutRequest and DeleteRequest")),
    }
}
