//! GetItem, Query and Scan.

use super::attribute::{Attribute, Attributes, size_all, write_all};
use super::expression::condition::{Comparator, Condition, Function, Operand, begins_with, order};
use super::expression::parse::Placeholders;
use super::expression::projection::Projection;
use super::key::encode;
use super::{Index, Schema, Table, Tables, add_capacity, attributes, choice, read_units, stored};
use crate::embedded::error::{Fault, Stop, invalid};
use crate::embedded::params::{Params, Shape};
use crate::embedded::spec::{KeyAttribute, ProjectionType};
use crate::embedded::{ServiceCall, Services};
use asl_store::{ItemKey, ItemRange, ServiceTx};
use asl_value::{Map, Value};
use std::collections::BTreeMap;

/// A page of a Query or Scan ends after so many bytes.
const PAGE_BYTES: usize = 1024 * 1024;
/// How many items are asked of the store at once.
const BATCH: u32 = 100;

const GET: Shape = Shape {
    known: &[
        "TableName",
        "Key",
        "ConsistentRead",
        "ProjectionExpression",
        "ExpressionAttributeNames",
        "ReturnConsumedCapacity",
    ],
    refused: &["AttributesToGet"],
};

const QUERY: Shape = Shape {
    known: &[
        "TableName",
        "IndexName",
        "KeyConditionExpression",
        "FilterExpression",
        "ProjectionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ConsistentRead",
        "Limit",
        "ExclusiveStartKey",
        "ScanIndexForward",
        "Select",
        "ReturnConsumedCapacity",
    ],
    refused: &["KeyConditions", "QueryFilter", "ConditionalOperator", "AttributesToGet"],
};

const SCAN: Shape = Shape {
    known: &[
        "TableName",
        "IndexName",
        "FilterExpression",
        "ProjectionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ConsistentRead",
        "Limit",
        "ExclusiveStartKey",
        "Select",
        "ReturnConsumedCapacity",
    ],
    refused: &["ScanFilter", "ConditionalOperator", "AttributesToGet", "Segment", "TotalSegments"],
};

impl Tables {
    pub(crate) async fn get(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>, _: &Services) -> Result<Map, Stop> {
        let params = Params::of(call, &GET)?;
        let key = attributes(&params, "Key")?;
        let mut placeholders = Placeholders::read(&params, &["ProjectionExpression"])?;
        let projection = read_projection(&params, &mut placeholders)?;
        placeholders.check_used()?;
        let table = self.table(tx, &params).await?;
        let item = tx.item(&table.name, &table.schema().key(&key)?).await?.as_ref().map(stored).transpose()?;
        let mut answer = Map::new();
        let bytes = item.as_ref().map_or(0, size_all);
        if let Some(item) = item {
            let shown = projection.map_or_else(|| item.clone(), |projection| projection.apply(&item));
            answer.insert("Item", write_all(&shown, call.dialect));
        }
        add_capacity(&mut answer, &params, &table.name, read_units(bytes, &params)?)?;
        Ok(answer)
    }

    pub(crate) async fn query(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &QUERY)?;
        let expressions = ["KeyConditionExpression", "FilterExpression", "ProjectionExpression"];
        let mut placeholders = Placeholders::read(&params, &expressions)?;
        let missing = || {
            invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
        };
        let text = params.text("KeyConditionExpression")?.ok_or_else(missing)?;
        let condition = Condition::parse("KeyConditionExpression", text, &mut placeholders)?;
        let page = Page::read(&params, placeholders)?;
        let table = self.table(tx, &params).await?;
        let source = self.source(tx, &table, &params, &page).await?;
        let wanted = KeyCondition::read(source.schema, condition)?;
        let reverse = params.get("ScanIndexForward").is_some_and(|value| value == &Value::from(false));
        page.run(tx, call, &params, &source, Some(&wanted), reverse).await
    }

    pub(crate) async fn scan(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>, _: &Services) -> Result<Map, Stop> {
        let params = Params::of(call, &SCAN)?;
        let placeholders = Placeholders::read(&params, &["FilterExpression", "ProjectionExpression"])?;
        let page = Page::read(&params, placeholders)?;
        let table = self.table(tx, &params).await?;
        let source = self.source(tx, &table, &params, &page).await?;
        page.run(tx, call, &params, &source, None, false).await
    }

    /// What a Query or Scan reads: the table, or the index that `IndexName` names.
    async fn source<'t>(
        &self,
        tx: &mut dyn ServiceTx,
        table: &'t Table<'t>,
        params: &Params<'_>,
        page: &Page,
    ) -> Result<Source<'t>, Stop> {
        let Some(name) = params.text("IndexName")? else {
            return Ok(Source { rows: table.name.to_string(), table, schema: table.schema(), index: None });
        };
        let index = table.definition.indexes.iter().find(|index| index.name == name);
        let index = index.ok_or_else(|| invalid(format!("The table does not have the specified index: {name}")))?;
        if !index.local && params.flag("ConsistentRead")? {
            return Err(invalid("Consistent reads are not supported on global secondary indexes").into());
        }
        let partial = index.projection.projection_type != ProjectionType::All;
        if page.whole_items && partial && !index.local {
            return Err(invalid(format!(
                "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global \
                 secondary index {name} because its projection type is not ALL"
            ))
            .into());
        }
        self.settle(tx, table).await?;
        Ok(Source { rows: index.rows(&table.name), table, schema: &index.schema, index: Some(index) })
    }
}

/// What a Query or Scan reads.
struct Source<'t> {
    /// The table of the store.
    rows: String,
    table: &'t Table<'t>,
    /// The key in whose order the rows are.
    schema: &'t Schema,
    index: Option<&'t Index>,
}

impl Source<'_> {
    /// The row that an `ExclusiveStartKey` stands for: the item's key, and for an index its key too.
    fn row_of(&self, given: &Map) -> Result<ItemKey, Fault> {
        let given = super::read_all(given)?;
        let Some(index) = self.index else { return self.schema.key(&given) };
        let wrong = || invalid("The provided starting key is invalid");
        let key = self.table.schema().key(&self.table.schema().pick(&given))?;
        let known = |name: &str| self.schema.contains(name) || self.table.schema().contains(name);
        if given.keys().any(|name| !known(name)) {
            return Err(wrong());
        }
        index.check(&given)?;
        index.row_key(&key, &given).ok_or_else(wrong)
    }

    /// The key that a page ends with.
    fn last(&self, item: &Attributes) -> Attributes {
        let mut key = self.table.schema().pick(item);
        if self.index.is_some() {
            key.extend(self.schema.pick(item));
        }
        key
    }
}

fn read_projection(params: &Params<'_>, placeholders: &mut Placeholders) -> Result<Option<Projection>, Fault> {
    let text = params.text("ProjectionExpression")?;
    text.map(|text| Projection::parse(text, placeholders)).transpose()
}

/// What Query and Scan have in common: filter, projection, and where a page ends.
struct Page {
    filter: Option<Condition>,
    projection: Option<Projection>,
    limit: usize,
    count_only: bool,
    /// `Select` asks for all attributes, also those that a local index does not have.
    whole_items: bool,
}

impl Page {
    fn read(params: &Params<'_>, mut placeholders: Placeholders) -> Result<Page, Fault> {
        let filter = params.text("FilterExpression")?;
        let filter = filter.map(|text| Condition::parse("FilterExpression", text, &mut placeholders)).transpose()?;
        let projection = read_projection(params, &mut placeholders)?;
        placeholders.check_used()?;
        let limit = match params.integer("Limit")? {
            Some(limit) if limit < 1 => {
                return Err(super::validation(format!(
                    "Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"
                )));
            }
            limit => limit.map_or(usize::MAX, |limit| limit as usize),
        };
        let select =
            choice(params, "Select", &["SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"])?;
        let (count_only, whole_items) = (select == Some("COUNT"), select == Some("ALL_ATTRIBUTES"));
        Ok(Page { filter, projection, limit, count_only, whole_items })
    }

    async fn run(
        self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        params: &Params<'_>,
        source: &Source<'_>,
        wanted: Option<&KeyCondition>,
        reverse: bool,
    ) -> Result<Map, Stop> {
        let start = params.object("ExclusiveStartKey")?.map(|key| source.row_of(key)).transpose();
        let mut after: Option<ItemKey> = start.map_err(|_| invalid("The provided starting key is invalid"))?;
        let (mut items, mut scanned, mut bytes) = (Vec::new(), 0, 0);
        // Where to go on; none at the end of the table.
        let last = 'pages: loop {
            let hash = wanted.map(|wanted| wanted.hash.as_str());
            let range = ItemRange { hash, after: after.as_ref(), reverse, limit: BATCH };
            let rows = tx.items(&source.rows, range).await?;
            let more = rows.len() == BATCH as usize;
            for (key, item) in rows {
                let mut item = stored(&item)?;
                if wanted.is_none_or(|wanted| wanted.holds(source.schema, &item)) {
                    if self.whole_items && source.index.is_some_and(|index| index.local) {
                        let own = source.table.schema().key_of_item(&item)?;
                        item =
                            tx.item(&source.table.name, &own).await?.as_ref().map(stored).transpose()?.unwrap_or(item);
                    }
                    scanned += 1;
                    bytes += size_all(&item);
                    if self.filter.as_ref().is_none_or(|filter| filter.holds(&item)) {
                        items.push(self.projection.as_ref().map_or_else(|| item.clone(), |p| p.apply(&item)));
                    }
                    // As on AWS, a full page says where to go on even when nothing follows.
                    if scanned == self.limit || bytes >= PAGE_BYTES {
                        break 'pages Some(source.last(&item));
                    }
                }
                after = Some(key);
            }
            if !more {
                break None;
            }
        };
        let mut answer = Map::from_iter([("Count", Value::from(items.len())), ("ScannedCount", Value::from(scanned))]);
        if !self.count_only {
            let items: Value = items.iter().map(|item| write_all(item, call.dialect)).collect();
            answer.insert("Items", items);
        }
        if let Some(last) = last {
            answer.insert("LastEvaluatedKey", write_all(&last, call.dialect));
        }
        add_capacity(&mut answer, params, &source.table.name, read_units(bytes, params)?)?;
        Ok(answer)
    }
}

/// What a `KeyConditionExpression` comes down to: one hash key and perhaps a condition on the range key.
struct KeyCondition {
    hash: String,
    range: Option<(RangeTest, Vec<Attribute>)>,
}

#[derive(Clone, Copy, PartialEq)]
enum RangeTest {
    Compare(Comparator),
    Between,
    BeginsWith,
}

impl KeyCondition {
    fn read(schema: &Schema, condition: Condition) -> Result<KeyCondition, Fault> {
        let parts = match condition {
            Condition::And(parts) => parts,
            other => vec![other],
        };
        let mut tests = BTreeMap::new();
        for part in parts {
            let (name, test) = key_test(part)?;
            if tests.insert(name, test).is_some() {
                return Err(invalid("KeyConditionExpressions must only contain one condition per key"));
            }
        }
        let missed = |key: &KeyAttribute| invalid(format!("Query condition missed key schema element: {}", key.name));
        let hash = match tests.remove(&schema.hash.name) {
            Some((RangeTest::Compare(Comparator::Equal), values)) => values,
            Some(_) => return Err(invalid("Query key condition not supported")),
            None => return Err(missed(&schema.hash)),
        };
        let range = schema.range.as_ref().and_then(|key| tests.remove(&key.name));
        if !tests.is_empty() {
            return Err(schema
                .range
                .as_ref()
                .filter(|_| range.is_none())
                .map_or_else(|| invalid("Query key condition not supported"), missed));
        }
        let wrong_type =
            |key: &KeyAttribute, values: &[Attribute]| values.iter().any(|value| value.type_name() != key.kind.name());
        let range_wrong = schema.range.as_ref().zip(range.as_ref()).is_some_and(|(key, (_, v))| wrong_type(key, v));
        if wrong_type(&schema.hash, &hash) || range_wrong {
            return Err(invalid(
                "One or more parameter values were invalid: Condition parameter type does not match schema type",
            ));
        }
        Ok(KeyCondition { hash: hash.first().map(encode).unwrap_or_default(), range })
    }

    fn holds(&self, schema: &Schema, item: &Attributes) -> bool {
        let Some((test, values)) = &self.range else { return true };
        let Some(value) = schema.range.as_ref().and_then(|key| item.get(&*key.name)) else { return false };
        let compare = |n: usize| values.get(n).and_then(|other| order(value, other));
        let Some(first) = values.first() else { return false };
        match test {
            RangeTest::BeginsWith => begins_with(value, first),
            RangeTest::Between => compare(0).is_some_and(|o| o.is_ge()) && compare(1).is_some_and(|o| o.is_le()),
            RangeTest::Compare(Comparator::Equal) => value == first,
            RangeTest::Compare(Comparator::Less) => compare(0).is_some_and(|o| o.is_lt()),
            RangeTest::Compare(Comparator::LessOrEqual) => compare(0).is_some_and(|o| o.is_le()),
            RangeTest::Compare(Comparator::Greater) => compare(0).is_some_and(|o| o.is_gt()),
            RangeTest::Compare(Comparator::GreaterOrEqual) => compare(0).is_some_and(|o| o.is_ge()),
            RangeTest::Compare(Comparator::NotEqual) => false,
        }
    }
}

/// The attribute a part of the key condition is about, the test, and the values.
fn key_test(part: Condition) -> Result<(String, (RangeTest, Vec<Attribute>)), Fault> {
    let refuse = |operator: &str| Err(invalid(format!("Invalid operator used in KeyConditionExpression: {operator}")));
    let (test, operands) = match part {
        Condition::Compare(Comparator::NotEqual, ..) => return refuse("<>"),
        Condition::Compare(comparator, Operand::Value(value), path) => {
            (RangeTest::Compare(turned(comparator)), vec![path, Operand::Value(value)])
        }
        Condition::Compare(comparator, a, b) => (RangeTest::Compare(comparator), vec![a, b]),
        Condition::Between(x, low, high) => (RangeTest::Between, vec![x, low, high]),
        Condition::Function(Function::BeginsWith, operands) => (RangeTest::BeginsWith, operands),
        Condition::Function(other, _) => return refuse(other.name()),
        Condition::Or(_) => return refuse("OR"),
        Condition::Not(_) => return refuse("NOT"),
        Condition::In(..) => return refuse("IN"),
        Condition::And(_) => return Err(invalid("Query key condition not supported")),
    };
    let mut operands = operands.into_iter();
    let name = match operands.next() {
        Some(Operand::Path(path)) if path.0.len() > 1 => {
            return Err(invalid("KeyConditionExpressions cannot have conditions on nested attributes"));
        }
        Some(Operand::Path(path)) => path.head().to_owned(),
        Some(Operand::Size(_)) => return Err(invalid("KeyConditionExpressions cannot contain nested operations")),
        _ => return Err(invalid("Invalid condition in KeyConditionExpression: No key attribute specified")),
    };
    let values = operands.map(|operand| match operand {
        Operand::Value(value) => Ok(value),
        Operand::Size(_) => Err(invalid("KeyConditionExpressions cannot contain nested operations")),
        Operand::Path(_) => {
            Err(invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"))
        }
    });
    Ok((name, (test, values.collect::<Result<_, _>>()?)))
}

/// The comparator with its sides exchanged.
fn turned(comparator: Comparator) -> Comparator {
    match comparator {
        Comparator::Less => Comparator::Greater,
        Comparator::LessOrEqual => Comparator::GreaterOrEqual,
        Comparator::Greater => Comparator::Less,
        Comparator::GreaterOrEqual => Comparator::LessOrEqual,
        same => same,
    }
}
