//! PutItem, UpdateItem and DeleteItem.

use super::attribute::{Attributes, size_all, write_all};
use super::expression::condition::Condition;
use super::expression::parse::Placeholders;
use super::expression::path::{Path, select};
use super::expression::update::Update;
use super::{Schema, Tables, add_capacity, attributes, capacity_wish, choice, stored, to_store, write_units};
use crate::embedded::ServiceCall;
use crate::embedded::error::{Fault, Stop, invalid, refused};
use crate::embedded::params::{Params, Shape};
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

impl Tables {
    pub(super) async fn put(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>) -> Result<Map, Stop> {
        let params = Params::new(call.parameters, &PUT)?;
        let item = attributes(&params, "Item")?;
        let returns = old_or_none(&params)?;
        if size_all(&item) > MAX_ITEM_SIZE {
            return Err(invalid("Item size has exceeded the maximum allowed size").into());
        }
        let mut placeholders = Placeholders::read(&params, &["ConditionExpression"])?;
        let condition = read_condition(&params, &mut placeholders)?;
        placeholders.check_used()?;
        let (table, schema) = self.table(&params)?;
        let key = schema.key_of_item(&item)?;
        let mut write = Write { tx, table, schema, key, params, call };
        let old = write.old(condition.as_ref()).await?;
        write.put(&item).await?;
        let returned = if returns == "ALL_OLD" { old.clone() } else { None };
        write.answer(returned, write_units(old.as_ref(), Some(&item)))
    }

    pub(super) async fn delete(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>) -> Result<Map, Stop> {
        let params = Params::new(call.parameters, &DELETE)?;
        let key = attributes(&params, "Key")?;
        let returns = old_or_none(&params)?;
        let mut placeholders = Placeholders::read(&params, &["ConditionExpression"])?;
        let condition = read_condition(&params, &mut placeholders)?;
        placeholders.check_used()?;
        let (table, schema) = self.table(&params)?;
        let key = schema.key(&key)?;
        let mut write = Write { tx, table, schema, key, params, call };
        let old = write.old(condition.as_ref()).await?;
        if old.is_some() {
            write.tx.delete_item(table, &write.key).await?;
        }
        let units = write_units(old.as_ref(), None);
        write.answer(if returns == "ALL_OLD" { old } else { None }, units)
    }

    pub(super) async fn update(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>) -> Result<Map, Stop> {
        let params = Params::new(call.parameters, &UPDATE)?;
        let key = attributes(&params, "Key")?;
        let returns = choice(&params, "ReturnValues", &RETURN_VALUES)?.unwrap_or("NONE");
        let mut placeholders = Placeholders::read(&params, &["UpdateExpression", "ConditionExpression"])?;
        let update = params.text("UpdateExpression")?.map(|text| Update::parse(text, &mut placeholders));
        let update = update.transpose()?.unwrap_or_default();
        let condition = read_condition(&params, &mut placeholders)?;
        placeholders.check_used()?;
        let (table, schema) = self.table(&params)?;
        let item_key = schema.key(&key)?;
        check_key_untouched(schema, &update)?;
        let mut write = Write { tx, table, schema, key: item_key, params, call };
        let old = write.old(condition.as_ref()).await?;
        let mut item = old.clone().unwrap_or(key);
        update.apply(&mut item)?;
        if size_all(&item) > MAX_ITEM_SIZE {
            return Err(invalid("Item size to update has exceeded the maximum allowed size").into());
        }
        write.put(&item).await?;
        let units = write_units(old.as_ref(), Some(&item));
        let paths = || update.paths();
        let returned = match returns {
            "ALL_OLD" => old,
            "ALL_NEW" => Some(item),
            "UPDATED_OLD" => old.map(|old| select(paths(), &old)),
            "UPDATED_NEW" => Some(select(paths(), &item)),
            _ => None,
        };
        write.answer(returned.filter(|attributes| !attributes.is_empty()), units)
    }
}

/// One write on its way.
struct Write<'a, 'c> {
    tx: &'a mut dyn ServiceTx,
    table: &'a str,
    schema: &'a Schema,
    key: ItemKey,
    params: Params<'c>,
    call: &'a ServiceCall<'c>,
}

impl Write<'_, '_> {
    /// The item before the write, after the condition was found to hold. Whatever can be refused is refused here.
    async fn old(&mut self, condition: Option<&Condition>) -> Result<Option<Attributes>, Stop> {
        choice(&self.params, "ReturnValuesOnConditionCheckFailure", &["ALL_OLD", "NONE"])?;
        choice(&self.params, "ReturnItemCollectionMetrics", &["SIZE", "NONE"])?;
        capacity_wish(&self.params)?;
        if let Some(condition) = condition {
            check_key_paths(self.schema, condition.paths())?;
        }
        let old = self.tx.item(self.table, &self.key).await?.as_ref().map(stored).transpose()?;
        let nothing = Attributes::new();
        if condition.is_some_and(|condition| !condition.holds(old.as_ref().unwrap_or(&nothing))) {
            return Err(refused("ConditionalCheckFailedException", "The conditional request failed").into());
        }
        Ok(old)
    }

    async fn put(&mut self, item: &Attributes) -> Result<(), Stop> {
        Ok(self.tx.put_item(self.table, &self.key, &to_store(item)).await?)
    }

    fn answer(&self, returned: Option<Attributes>, units: f64) -> Result<Map, Stop> {
        let mut answer = Map::new();
        if let Some(attributes) = returned {
            answer.insert("Attributes", write_all(&attributes, self.call.dialect));
        }
        add_capacity(&mut answer, &self.params, self.table, units)?;
        Ok(answer)
    }
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
