//! `asl bucket`: the objects of a bucket, which are files in the folder that stands for it.

use crate::args::{Place, Stack};
use crate::common::place;
use crate::common::services;
use crate::exit::{Exit, Trouble};
use crate::render::grid::grid;
use crate::render::look::Look;
use crate::render::text::json;
use crate::terminal::{answer, say};
use asl::parts::bucket::Buckets;
use asl::{Map, Timestamp, Value};
use asl_core::items::{Bucket as _, Listed};
use clap::{Args, Subcommand};
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum Bucket {
    /// List the objects of a bucket
    Ls(Ls),
    /// Show an object, or write it to a file
    Get(Get),
    /// Put a file into a bucket
    Put(Put),
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// The bucket
    pub(crate) name: String,
    /// Only objects whose key begins so
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// JSON, in the shape of `aws s3api list-objects-v2`
    #[arg(long)]
    pub(crate) json: bool,
    /// The project file [default: $ASL_PROJECT, or the nearest asl.toml or template.yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stack: Stack,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The bucket
    pub(crate) name: String,
    /// The object's key
    pub(crate) key: String,
    /// Where it is written to, byte for byte; without it, text goes to stdout
    pub(crate) file: Option<PathBuf>,
    /// The project file [default: $ASL_PROJECT, or the nearest asl.toml or template.yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stack: Stack,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The bucket
    pub(crate) name: String,
    /// The object's key
    pub(crate) key: String,
    /// The file; - reads stdin
    pub(crate) file: PathBuf,
    /// The project file [default: $ASL_PROJECT, or the nearest asl.toml or template.yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stack: Stack,
}

pub(crate) fn bucket(bucket: Bucket) -> Result<Exit, Trouble> {
    match bucket {
        Bucket::Ls(args) => ls(args),
        Bucket::Get(args) => get(args),
        Bucket::Put(args) => put(args),
    }
}

/// The project's buckets, and the name that the wanted one has here.
fn open(name: &str, project: Option<PathBuf>, stack: Stack) -> Result<(Buckets, String), Trouble> {
    let project = place::project(&Place { project, stack, db: None })?;
    let name = project.physical(name).to_owned();
    services::declared("bucket", &name, project.buckets.keys().map(String::as_str))?;
    Ok((project.buckets(), name))
}

fn ls(args: Ls) -> Result<Exit, Trouble> {
    let (buckets, name) = open(&args.name, args.project, args.stack)?;
    let objects = buckets.list(&name, &args.prefix, usize::MAX).map_err(Trouble::new)?;
    if args.json {
        let contents: Vec<Value> = objects.iter().map(shape).collect();
        let count = contents.len() as u64;
        answer(&json(&Map::from_iter([("Contents", Value::from(contents)), ("KeyCount", count.into())]).into()))?;
    } else if objects.is_empty() {
        say("no objects\n");
    } else {
        let row = |object: &Listed| {
            vec![object.size.to_string(), changed(object).whole_seconds().to_string(), object.key.clone()]
        };
        let rows: Vec<Vec<String>> = objects.iter().map(row).collect();
        answer(&grid(&["SIZE", "CHANGED", "KEY"], &rows, &[0], Look::of_stdout()))?;
    }
    Ok(Exit::Done)
}

fn changed(object: &Listed) -> Timestamp {
    Timestamp::from_millis((object.modified_s * 1000.0) as i64)
}

fn shape(object: &Listed) -> Value {
    let mut out = Map::new();
    out.insert("Key", object.key.as_str());
    out.insert("LastModified", changed(object).to_cli_string());
    out.insert("ETag", format!("\"{}\"", object.etag));
    out.insert("Size", object.size);
    out.into()
}

fn get(args: Get) -> Result<Exit, Trouble> {
    let (buckets, name) = open(&args.name, args.project, args.stack)?;
    let Some(mut object) = buckets.open(&name, &args.key).map_err(Trouble::new)? else {
        say(&format!("there is no object {} in {}\n", args.key, args.name));
        return Ok(Exit::Failed);
    };
    let failed = |what: String, problem: std::io::Error| Trouble::new(format!("{what}: {problem}"));
    match args.file {
        Some(file) => {
            let copied = std::fs::File::create(&file).and_then(|mut out| std::io::copy(&mut object, &mut out));
            copied.map_err(|problem| {
                failed(format!("{} cannot be written", file.display()), problem).hint("its folder must be there")
            })?;
        }
        None => {
            let mut text = String::new();
            object.read_to_string(&mut text).map_err(|problem| match problem.kind() {
                std::io::ErrorKind::InvalidData => {
                    Trouble::new(format!("the object {} is no text", args.key)).hint("name a file to write it to")
                }
                _ => failed(format!("the object {} cannot be read", args.key), problem),
            })?;
            answer(&text)?;
        }
    }
    Ok(Exit::Done)
}

fn put(args: Put) -> Result<Exit, Trouble> {
    let mut body = Vec::new();
    let read = match args.file == Path::new("-") {
        true => std::io::stdin().read_to_end(&mut body).map(drop),
        false => std::fs::read(&args.file).map(|read| body = read),
    };
    read.map_err(|problem| {
        Trouble::new(format!("the file {} cannot be read: {problem}", args.file.display())).hint("check the path")
    })?;
    let (buckets, name) = open(&args.name, args.project, args.stack)?;
    buckets.put(&name, &args.key, &body).map_err(Trouble::new)?;
    Ok(Exit::Done)
}
