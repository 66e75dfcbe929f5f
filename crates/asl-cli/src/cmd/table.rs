//! `asl table`: the items of a table, to look at and to change.

use crate::args::Place;
use crate::common::input::read_json;
use crate::common::services::{self, Action, Failed, Opened};
use crate::exit::{Exit, Trouble};
use crate::render::grid::grid;
use crate::render::look::Look;
use crate::render::text::json;
use crate::terminal::{answer, say};
use asl::parts::ItemKey;
use asl::parts::embedded::{KeyAttribute, TableSpec};
use asl::project::Project;
use asl::{Map, Value};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Table {
    /// Show the items of a table, in key order
    Scan(Scan),
    /// Show one item
    Get(Get),
    /// Show the items with a hash key, in the order of the range key
    Query(Query),
    /// Add an item, or replace the one with its key
    Put(Put),
    /// Delete one item
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// The table
    pub(crate) name: String,
    /// At most so many items
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
    /// JSON, in the shape of `aws dynamodb scan`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The table
    pub(crate) name: String,
    /// The value of the hash key
    #[arg(allow_hyphen_values = true)]
    pub(crate) key: String,
    /// The value of the range key, in a table that has one
    #[arg(allow_hyphen_values = true)]
    pub(crate) range: Option<String>,
    /// JSON, in the shape of `aws dynamodb get-item`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    /// The table
    pub(crate) name: String,
    /// The value of the hash key
    #[arg(allow_hyphen_values = true)]
    pub(crate) key: String,
    /// Only items whose range key begins so
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) begins_with: Option<String>,
    /// From the last to the first
    #[arg(long)]
    pub(crate) reverse: bool,
    /// At most so many items
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// JSON, in the shape of `aws dynamodb query`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The table
    pub(crate) name: String,
    /// The item: plain JSON, {"id": "1", "paid": true}, or with types, {"id": {"S": "1"}}; a file of it; - reads stdin
    #[arg(value_name = "JSON|FILE")]
    pub(crate) item: String,
    /// JSON, in the shape of `aws dynamodb put-item`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The table
    pub(crate) name: String,
    /// The value of the hash key
    #[arg(allow_hyphen_values = true)]
    pub(crate) key: String,
    /// The value of the range key, in a table that has one
    #[arg(allow_hyphen_values = true)]
    pub(crate) range: Option<String>,
    /// JSON, in the shape of `aws dynamodb delete-item`: the item that was there
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Items are read so many at a time.
const PAGE: u32 = 1000;

pub(crate) async fn table(table: Table) -> Result<Exit, Trouble> {
    match table {
        Table::Scan(args) => scan(args).await,
        Table::Get(args) => get(args).await,
        Table::Query(args) => query(args).await,
        Table::Put(args) => put(args).await,
        Table::Delete(args) => delete(args).await,
    }
}

async fn scan(args: Scan) -> Result<Exit, Trouble> {
    let Opened { project, services, journal } = services::read(&args.place).await?;
    let args = Scan { name: project.physical(&args.name).to_owned(), ..args };
    let limit = args.limit.map_or(usize::MAX, |limit| limit as usize);
    let mut items: Vec<Value> = Vec::new();
    let mut after: Option<ItemKey> = None;
    loop {
        let page_size = u32::try_from(limit - items.len()).unwrap_or(PAGE).min(PAGE);
        let (services, name, behind) = (services.clone(), args.name.clone(), after.clone());
        let page = journal.inspect(move |tx| {
            let (services, name, behind) = (services.clone(), name.clone(), behind.clone());
            Box::pin(
                async move { services.scan_items(tx, &name, behind.as_ref(), page_size).await.map_err(Failed::from) },
            )
        });
        let page = page.await?;
        let full = page.len() == page_size as usize;
        after = page.last().map(|(key, _)| key.clone());
        items.extend(page.into_iter().map(|(_, item)| item));
        if !full || items.len() >= limit {
            break;
        }
    }
    journal.close().await;
    show(&project, &args.name, items, args.json)
}

/// Items as a table, or in AWS's shape.
fn show(project: &Project, table: &str, items: Vec<Value>, as_json: bool) -> Result<Exit, Trouble> {
    if as_json {
        let count = items.len();
        let found = Map::from_iter([
            ("Items", Value::from(items)),
            ("Count", Value::from(count as u64)),
            ("ScannedCount", Value::from(count as u64)),
        ]);
        answer(&json(&Value::from(found)))?;
    } else if items.is_empty() {
        say("no items\n");
    } else {
        answer(&columns(project, table, &items))?;
    }
    Ok(Exit::Done)
}

/// Items side by side: the key first, then the other attributes as they come.
fn columns(project: &Project, table: &str, items: &[Value]) -> String {
    let mut names: Vec<&str> = Vec::new();
    if let Some(spec) = project.services.tables.get(table) {
        names.push(&spec.hash_key.name);
        names.extend(spec.range_key.as_ref().map(|key| key.name.as_str()));
    }
    for name in items.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if !names.contains(&&**name) {
            names.push(name);
        }
    }
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| names.iter().map(|name| item.get(name).map(plain).unwrap_or_default()).collect())
        .collect();
    grid(&names, &rows, &[], Look::of_stdout())
}

/// A typed attribute value without its type where a person can tell: text and numbers as they are.
fn plain(attribute: &Value) -> String {
    match (attribute["S"].as_str(), attribute["N"].as_str()) {
        (Some(text), _) | (_, Some(text)) => text.to_owned(),
        _ => attribute.to_string(),
    }
}

async fn get(args: Get) -> Result<Exit, Trouble> {
    let Opened { project, services, journal } = services::read(&args.place).await?;
    let args = Get { name: project.physical(&args.name).to_owned(), ..args };
    let (name, key, range) = (args.name.clone(), args.key.clone(), args.range.clone());
    let item = journal.inspect(move |tx| {
        let (services, name, key, range) = (services.clone(), name.clone(), key.clone(), range.clone());
        Box::pin(async move { services.get_item(tx, &name, &key, range.as_deref()).await.map_err(Failed::from) })
    });
    let item = item.await?;
    journal.close().await;
    match item {
        Some(item) if args.json => answer(&json(&Value::from(Map::from_iter([("Item", item)]))))?,
        Some(item) => {
            let attributes = item.as_object().into_iter().flat_map(Map::iter);
            let rows: Vec<Vec<String>> = attributes.map(|(name, value)| vec![name.to_string(), plain(value)]).collect();
            answer(&grid(&["ATTRIBUTE", "VALUE"], &rows, &[], Look::of_stdout()))?;
        }
        None => {
            say(&format!("there is no item {} in {}\n", args.key, args.name));
            return Ok(Exit::Failed);
        }
    }
    Ok(Exit::Done)
}

/// How a table's keys are called and typed.
fn keys<'p>(project: &'p Project, table: &str) -> Result<&'p TableSpec, Trouble> {
    let tables = &project.services.tables;
    services::declared("table", table, tables.keys().map(String::as_str))?;
    Ok(&tables[table])
}

/// A key attribute with its type.
fn typed(attribute: &KeyAttribute, value: &str) -> Value {
    Map::from_iter([(attribute.kind.name(), value)]).into()
}

async fn query(args: Query) -> Result<Exit, Trouble> {
    let opened = services::fill(&args.place).await?;
    let args = Query { name: opened.project.physical(&args.name).to_owned(), ..args };
    let spec = keys(&opened.project, &args.name)?.clone();
    let mut names = Map::from_iter([("#h", spec.hash_key.name.as_str())]);
    let mut values = Map::from_iter([(":h", typed(&spec.hash_key, &args.key))]);
    let mut condition = "#h = :h".to_owned();
    match (&spec.range_key, &args.begins_with) {
        (Some(range), Some(prefix)) => {
            names.insert("#r", range.name.as_str());
            values.insert(":r", typed(range, prefix));
            condition += " AND begins_with(#r, :r)";
        }
        (None, Some(_)) => {
            return Err(
                Trouble::new(format!("the table {} has no range key", args.name)).hint("leave out --begins-with")
            );
        }
        _ => {}
    }
    let mut parameters = Map::new();
    parameters.insert("TableName", args.name.as_str());
    parameters.insert("KeyConditionExpression", condition);
    parameters.insert("ExpressionAttributeNames", names);
    parameters.insert("ExpressionAttributeValues", values);
    parameters.insert("ScanIndexForward", !args.reverse);
    args.limit.iter().for_each(|limit| drop(parameters.insert("Limit", u64::from(*limit))));
    let project = opened.project.clone();
    let found = services::call(opened, Action("dynamodb", "query"), parameters.into()).await?;
    let items = found["Items"].as_array().map(|items| items.to_vec()).unwrap_or_default();
    show(&project, &args.name, items, args.json)
}

async fn put(args: Put) -> Result<Exit, Trouble> {
    let (_, item) = read_json("the item", &args.item)?;
    let Some(members) = item.as_object() else {
        return Err(Trouble::new("the item is no object").hint("an item is {\"id\": \"1\", ...}"));
    };
    let is_typed = members.iter().all(|(_, value)| is_attribute(value));
    let item: Value = match is_typed {
        true => item.clone(),
        false => Map::from_iter(members.iter().map(|(name, value)| (name.clone(), attribute(value)))).into(),
    };
    let opened = services::fill(&args.place).await?;
    let args = Put { name: opened.project.physical(&args.name).to_owned(), ..args };
    keys(&opened.project, &args.name)?;
    let parameters = Map::from_iter([("TableName", Value::from(args.name)), ("Item", item)]);
    let answered = services::call(opened, Action("dynamodb", "putItem"), parameters.into()).await?;
    if args.json {
        answer(&json(&answered))?;
    }
    Ok(Exit::Done)
}

const TYPES: [&str; 10] = ["S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"];

/// True for `{"S": "..."}` and its like.
fn is_attribute(value: &Value) -> bool {
    let mut members = value.as_object().into_iter().flat_map(Map::iter);
    members.next().is_some_and(|(name, _)| TYPES.contains(&&**name)) && members.next().is_none()
}

/// The attribute value of plain JSON.
fn attribute(value: &Value) -> Value {
    let one = |kind: &str, value: Value| Value::from(Map::from_iter([(kind, value)]));
    if let Some(text) = value.as_str() {
        return one("S", text.into());
    }
    if value.as_number().is_some() {
        return one("N", value.to_string().into());
    }
    if let Some(items) = value.as_array() {
        return one("L", items.iter().map(attribute).collect::<Vec<_>>().into());
    }
    if let Some(members) = value.as_object() {
        return one("M", Map::from_iter(members.iter().map(|(name, value)| (name.clone(), attribute(value)))).into());
    }
    match value.as_bool() {
        Some(_) => one("BOOL", value.clone()),
        None => one("NULL", true.into()),
    }
}

async fn delete(args: Delete) -> Result<Exit, Trouble> {
    let opened = services::fill(&args.place).await?;
    let args = Delete { name: opened.project.physical(&args.name).to_owned(), ..args };
    let spec = keys(&opened.project, &args.name)?;
    let mut key = Map::from_iter([(spec.hash_key.name.as_str(), typed(&spec.hash_key, &args.key))]);
    match (&spec.range_key, &args.range) {
        (Some(attribute), Some(value)) => drop(key.insert(attribute.name.as_str(), typed(attribute, value))),
        (Some(attribute), None) => {
            return Err(
                Trouble::new(format!("the key needs a value for {}", attribute.name)).hint("write it behind the other")
            );
        }
        (None, Some(_)) => return Err(Trouble::new("the table has no range key").hint("leave out the second value")),
        (None, None) => {}
    }
    let parameters = Map::from_iter([
        ("TableName", Value::from(args.name.as_str())),
        ("Key", key.into()),
        ("ReturnValues", "ALL_OLD".into()),
    ]);
    let answered = services::call(opened, Action("dynamodb", "deleteItem"), parameters.into()).await?;
    if args.json {
        answer(&json(&answered))?;
    }
    if answered["Attributes"].as_object().is_none_or(|old| old.iter().next().is_none()) {
        say(&format!("there is no item {} in {}\n", args.key, args.name));
        return Ok(Exit::Failed);
    }
    Ok(Exit::Done)
}
