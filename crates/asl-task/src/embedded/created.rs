//! What was created at run time (`CreateQueue`, `CreateTable`, `Subscribe` ...): rows of reserved tables, whose names have a colon, so
//! that no declared table can have them. What a project declares is not among them, and comes first.

use super::error::Stop;
use asl_store::{ItemKey, ItemRange, ServiceTx};
use asl_value::Value;

/// How many rows are asked of the store at once.
const BATCH: u32 = 200;

/// A kind of thing that can be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(&'static str);

pub(crate) const QUEUE: Kind = Kind("sqs:queue");
pub(crate) const TOPIC: Kind = Kind("sns:topic");
/// In a topic, by id.
pub(crate) const SUBSCRIPTION: Kind = Kind("sns:subscription");
pub(crate) const TABLE: Kind = Kind("dynamodb:table");
/// In a table, by name: what the rows of an index were made for.
pub(crate) const INDEX: Kind = Kind("dynamodb:index");

pub(crate) const BUS: Kind = Kind("events:bus");
/// In a bus, by name.
pub(crate) const RULE: Kind = Kind("events:rule");

fn key(within: &str, name: &str) -> ItemKey {
    ItemKey { hash: within.to_owned(), range: name.to_owned() }
}

impl Kind {
    /// The one with this name; `within` is what it belongs to, or its own name where it belongs to nothing.
    pub(crate) async fn get(self, tx: &mut dyn ServiceTx, within: &str, name: &str) -> Result<Option<Value>, Stop> {
        Ok(tx.item(self.0, &key(within, name)).await?)
    }

    /// Makes it, or changes it.
    pub(crate) async fn put(self, tx: &mut dyn ServiceTx, within: &str, name: &str, body: &Value) -> Result<(), Stop> {
        let key = key(within, name);
        tx.item_for_update(self.0, &key).await?;
        Ok(tx.put_item(self.0, &key, body).await?)
    }

    /// Removes it.
    pub(crate) async fn remove(self, tx: &mut dyn ServiceTx, within: &str, name: &str) -> Result<(), Stop> {
        Ok(tx.delete_item(self.0, &key(within, name)).await?)
    }

    /// All of them, or those that belong to something, as (what it belongs to, name, body) in that order.
    pub(crate) async fn list(
        self,
        tx: &mut dyn ServiceTx,
        within: Option<&str>,
    ) -> Result<Vec<(String, String, Value)>, Stop> {
        let mut all: Vec<(String, String, Value)> = Vec::new();
        let mut after: Option<ItemKey> = None;
        loop {
            let range = ItemRange { hash: within, after: after.as_ref(), reverse: false, limit: BATCH };
            let rows = tx.items(self.0, range).await?;
            let more = rows.len() == BATCH as usize;
            after = rows.last().map(|(key, _)| key.clone());
            all.extend(rows.into_iter().map(|(key, body)| (key.hash, key.range, body)));
            if !more {
                return Ok(all);
            }
        }
    }
}
