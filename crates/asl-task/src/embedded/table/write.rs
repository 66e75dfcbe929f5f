//! PutItem, UpdateItem and DeleteItem.

use super::attribute::{Attributes, size_all, write_all};
use super::expression::condition::Condition;
use super::expression::parse::Placeholders;
use super::expression::path::{Path, select};
use super::expression::update::Update;
use super::{Schema, Table, Tables, add_capacity, attributes, capacity_wish, choice, stored, to_store, write_units};
use crate::embedded::error::{Fault, Stop, invalid};
use crate::embedded::params::{Params, Shape};
use crate::embedded::{Dialect, ServiceCall, Services};
use asl_store::{ItemKey, ServiceTx};
use asl_value::Map;

/// The largest item, in bytes.
const MAX_ITEM_SIZE: usize = 400 * 1024;

const RETURN_VALUES: [&str; 5] = ["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"];

const PUT: Shape = Shape {
    known: &[
        "TableName",
        "Item",
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValues",
        "ReturnConsumedCapacity",
        "ReturnItemCollectionMetrics",
        "ReturnValuesOnConditionCheckFailure",
    ],
    refused: &["Expected", "ConditionalOperator"],
};

const UPDATE: Shape = Shape {
    known: &[
        "TableName",
        "Key",
        "UpdateExpression",
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValues",
        "ReturnConsumedCapacity",
        "ReturnItemCollectionMetrics",
        "ReturnValuesOnConditionCheckFailure",
    ],
    refused: &["Expected", "ConditionalOperator", "AttributeUpdates"],
};

const DELETE: Shape = Shape {
    known: &[
        "TableName",
        "Key",
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValues",
        "ReturnConsumedCapacity",
        "ReturnItemCollectionMetrics",
        "ReturnValuesOnConditionCheckFailure",
    ],
    refused: &["Expected", "ConditionalOperator"],
};

const CHECK: Shape = Shape {
    known: &[
        "TableName",
        "Key",
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValuesOnConditionCheckFailure",
    ],
    refused: &[],
};

/// What a write does to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Put,
    Update,
    Delete,
    /// Nothing: a condition of a transaction.
    Check,
}

impl Kind {
    fn shape(self) -> &'static Shape {
        match self {
            Kind::Put => &PUT,
            Kind::Update => &UPDATE,
            Kind::Delete => &DELETE,
            Kind::Check => &CHECK,
        }
    }
}

/// What an item becomes.
enum Change {
    Put(Attributes),
    Update(Update, Attributes),
    Delete,
    Nothing,
}

/// A write on its way: read and checked ([`Tables::prepare`]), then looked at beside the item that is there ([`Write::evaluate`]),
/// then done ([`Write::apply`]). Until the last step nothing is written, so that several can be done together or not at all.
pub(super) struct Write<'q> {
    pub(super) table: Table<'q>,
    pub(super) key: ItemKey,
    condition: Option<Condition>,
    change: Change,
    returns: &'static str,
    /// A condition that does not hold tells the item.
    tells_item: bool,
    old: Option<Attributes>,
    new: Option<Attributes>,
}

impl Tables {
    pub(crate) async fn put(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>, _: &Services) -> Result<Map, Stop> {
        self.write(tx, call, Kind::Put).await
    }

    pub(crate) async fn update(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        self.write(tx, call, Kind::Update).await
    }

    pub(crate) async fn delete(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        self.write(tx, call, Kind::Delete).await
    }

    async fn write(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>, kind: Kind) -> Result<Map, Stop> {
        let params = Params::of(call, kind.shape())?;
        let mut write = self.prepare(tx, kind, &params).await?;
        write.evaluate(tx).await?;
        self.settle(tx, &write.table).await?;
        write.apply(tx).await?;
        let (units, table) = (write.units(), write.table.name.to_string());
        let mut answer = Map::new();
        if let Some(attributes) = write.returned() {
            answer.insert("Attributes", write_all(&attributes, call.dialect));
        }
        add_capacity(&mut answer, &params, &table, units)?;
        Ok(answer)
    }

    /// A write of a transaction.
    pub(super) async fn prepare_entry<'q>(
        &'q self,
        tx: &mut dyn ServiceTx,
        kind: Kind,
        entry: &asl_value::Value,
        dialect: Dialect,
    ) -> Result<Write<'q>, Stop> {
        let params = Params::new(entry, dialect, kind.shape())?;
        self.prepare(tx, kind, &params).await
    }

    /// Reads a write, and refuses what can be refused without looking at the item.
    async fn prepare<'q>(&'q self, tx: &mut dyn ServiceTx, kind: Kind, params: &Params<'_>) -> Result<Write<'q>, Stop> {
        let given = attributes(params, if kind == Kind::Put { "Item" } else { "Key" })?;
        let returns = match kind {
            Kind::Update => choice(params, "ReturnValues", &RETURN_VALUES)?.unwrap_or("NONE"),
            _ => old_or_none(params)?,
        };
        let returns = RETURN_VALUES.into_iter().find(|known| *known == returns).unwrap_or("NONE");
        if kind == Kind::Put && size_all(&given) > MAX_ITEM_SIZE {
            return Err(invalid("Item size has exceeded the maximum allowed size").into());
        }
        let expressions: &[&str] =
            if kind == Kind::Update { &["UpdateExpression", "ConditionExpression"] } else { &["ConditionExpression"] };
        let mut placeholders = Placeholders::read(params, expressions)?;
        let update = match kind {
            Kind::Update => params.text("UpdateExpression")?.map(|text| Update::parse(text, &mut placeholders)),
            _ => None,
        };
        let update = update.transpose()?.unwrap_or_default();
        let condition = read_condition(params, &mut placeholders)?;
        placeholders.check_used()?;
        let table = self.table(tx, params).await?;
        let schema = table.schema();
        let key = if kind == Kind::Put { schema.key_of_item(&given)? } else { schema.key(&given)? };
        if kind == Kind::Update {
            check_key_untouched(schema, &update)?;
        }
        let asked = choice(params, "ReturnValuesOnConditionCheckFailure", &["ALL_OLD", "NONE"])?;
        choice(params, "ReturnItemCollectionMetrics", &["SIZE", "NONE"])?;
        capacity_wish(params)?;
        if let Some(condition) = &condition {
            check_key_paths(schema, condition.paths())?;
        }
        let change = match kind {
            Kind::Put => Change::Put(given),
            Kind::Update => Change::Update(update, given),
            Kind::Delete => Change::Delete,
            Kind::Check => Change::Nothing,
        };
        let tells_item = asked == Some("ALL_OLD");
        Ok(Write { table, key, condition, change, returns, tells_item, old: None, new: None })
    }
}

impl Write<'_> {
    /// Looks at the item: whether the condition holds, and what it becomes.
    pub(super) async fn evaluate(&mut self, tx: &mut dyn ServiceTx) -> Result<(), Stop> {
        let old = tx.item_for_update(&self.table.name, &self.key).await?.as_ref().map(stored).transpose()?;
        let nothing = Attributes::new();
        if self.condition.as_ref().is_some_and(|condition| !condition.holds(old.as_ref().unwrap_or(&nothing))) {
            let mut members = Map::new();
            if let Some(old) = old.as_ref().filter(|_| self.tells_item) {
                members.insert("Item", write_all(old, Dialect::Wire));
            }
            let (code, message) = ("ConditionalCheckFailedException", "The conditional request failed".to_owned());
            return Err(Fault::Refused { code, status: 400, message, members }.into());
        }
        self.new = match &self.change {
            Change::Put(item) => Some(item.clone()),
            Change::Update(update, key) => {
                let mut item = old.clone().unwrap_or_else(|| key.clone());
                update.apply(&mut item)?;
                if size_all(&item) > MAX_ITEM_SIZE {
                    return Err(invalid("Item size to update has exceeded the maximum allowed size").into());
                }
                Some(item)
            }
            Change::Delete => None,
            Change::Nothing => old.clone(),
        };
        if let Some(new) = &self.new {
            self.table.definition.indexes.iter().try_for_each(|index| index.check(new))?;
        }
        self.old = old;
        Ok(())
    }

    /// Does it.
    pub(super) async fn apply(&self, tx: &mut dyn ServiceTx) -> Result<(), Stop> {
        if matches!(self.change, Change::Nothing) {
            return Ok(());
        }
        replace(tx, &self.table, &self.key, self.old.as_ref(), self.new.as_ref()).await
    }

    /// The write units that it takes.
    pub(super) fn units(&self) -> f64 {
        write_units(self.old.as_ref(), self.new.as_ref())
    }

    /// The attributes that `ReturnValues` asks for.
    fn returned(self) -> Option<Attributes> {
        let Write { change, old, new, .. } = self;
        let updated = |item: Option<Attributes>| match &change {
            Change::Update(update, _) => item.map(|item| select(update.paths(), &item)),
            _ => None,
        };
        let returned = match self.returns {
            "ALL_OLD" => old,
            "ALL_NEW" => new,
            "UPDATED_OLD" => updated(old),
            "UPDATED_NEW" => updated(new),
            _ => None,
        };
        returned.filter(|attributes| !attributes.is_empty())
    }
}

/// Puts an item in the place of another, in the table and in its indexes.
pub(super) async fn replace(
    tx: &mut dyn ServiceTx,
    table: &Table<'_>,
    key: &ItemKey,
    old: Option<&Attributes>,
    new: Option<&Attributes>,
) -> Result<(), Stop> {
    match (old, new) {
        (_, Some(new)) => tx.put_item(&table.name, key, &to_store(new)).await?,
        (Some(_), None) => tx.delete_item(&table.name, key).await?,
        (None, None) => {}
    }
    for index in &table.definition.indexes {
        index.replace(tx, table, key, old, new).await?;
    }
    Ok(())
}

fn read_condition(params: &Params<'_>, placeholders: &mut Placeholders) -> Result<Option<Condition>, Fault> {
    let text = params.text("ConditionExpression")?;
    text.map(|text| Condition::parse("ConditionExpression", text, placeholders)).transpose()
}

/// PutItem and DeleteItem can return the old item or nothing.
fn old_or_none<'a>(params: &Params<'a>) -> Result<&'a str, Fault> {
    match choice(params, "ReturnValues", &RETURN_VALUES)?.unwrap_or("NONE") {
        returns @ ("ALL_OLD" | "NONE") => Ok(returns),
        _ => Err(invalid("ReturnValues can only be ALL_OLD or NONE")),
    }
}

/// An update cannot write the key.
fn check_key_untouched(schema: &Schema, update: &Update) -> Result<(), Fault> {
    match schema.attributes().find(|key| update.paths().any(|path| path.head() == key.name)) {
        Some(key) => Err(invalid(format!(
            "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of the key",
            key.name
        ))),
        None => Ok(()),
    }
}

/// A path cannot go into a key attribute, which is always a scalar.
pub(super) fn check_key_paths<'p>(schema: &Schema, paths: impl IntoIterator<Item = &'p Path>) -> Result<(), Fault> {
    let inside = paths.into_iter().find(|path| path.0.len() > 1 && schema.contains(path.head()));
    match inside {
        Some(path) => Err(invalid(format!(
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: {}",
            path.head()
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_reads_back() {
        let value: asl_value::Value =
            r#"{"b":{"B":"AQI="},"l":{"L":[{"NULL":true},{"BOOL":false}]},"n":{"NS":["1","2.5"]},"s":{"S":"x"}}"#
                .parse()
                .unwrap();
        let item = stored(&value).unwrap();
        assert_eq!(to_store(&item), value);
    }
}
