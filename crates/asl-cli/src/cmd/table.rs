//! `asl table scan`, `asl table get`.

use crate::args::Place;
use crate::common::services::{self, Failed, Opened};
use crate::exit::{Exit, Trouble};
use crate::render::grid::grid;
use crate::render::look::Look;
use crate::render::text::json;
use crate::terminal::{answer, say};
use asl::parts::embedded::ItemKey;
use asl::project::Project;
use asl::{Map, Value};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Table {
    /// Show the items of a table, in key order
    Scan(Scan),
    /// Show one item
    Get(Get),
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

/// Items are read so many at a time.
const PAGE: u32 = 1000;

pub(crate) async fn table(table: Table) -> Result<Exit, Trouble> {
    match table {
        Table::Scan(args) => scan(args).await,
        Table::Get(args) => get(args).await,
    }
}

async fn scan(args: Scan) -> Result<Exit, Trouble> {
    let Opened { project, services, journal } = services::read(&args.place).await?;
    let limit = args.limit.map_or(usize::MAX, |limit| limit as usize);
    let mut items: Vec<Value> = Vec::new();
    let mut after: Option<ItemKey> = None;
    loop {
        let page_size = u32::try_from(limit - items.len()).unwrap_or(PAGE).min(PAGE);
        let (services, name, behind) = (services.clone(), args.name.clone(), after.clone());
        let page = journal.inspect(move |tx| {
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
    if args.json {
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
        answer(&columns(&project, &args.name, &items))?;
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
    let Opened { services, journal, .. } = services::read(&args.place).await?;
    let (name, key, range) = (args.name.clone(), args.key.clone(), args.range.clone());
    let item = journal.inspect(move |tx| {
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
