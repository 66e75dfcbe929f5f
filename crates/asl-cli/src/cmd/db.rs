//! `asl db`: whether a database is whole, a copy of it, its size.

use crate::args::Place;
use crate::common::place;
use crate::exit::{Exit, Trouble, error};
use crate::render::look::Look;
use crate::render::text::json;
use crate::terminal::{answer, say};
use asl::{Filter, Journal, JournalOptions, Map, Value};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Read everything and see whether it is as it was written
    Check(Check),
    /// Give room that is not used any more back to the disk
    Vacuum(Vacuum),
    /// Write a copy, while others go on writing
    Backup(Backup),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// JSON: {"executions", "records", "problems"}
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Vacuum {
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The copy, a file that is not there yet
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn db(db: Db) -> Result<Exit, Trouble> {
    match db {
        Db::Check(args) => check(args).await,
        Db::Vacuum(args) => vacuum(args).await,
        Db::Backup(args) => backup(args).await,
    }
}

/// Executions are read so many at a time.
const PAGE: u32 = 1_000;

async fn check(args: Check) -> Result<Exit, Trouble> {
    let journal = place::read(&args.place).await?;
    let mut problems = journal.integrity().await?;
    let mut filter = Filter { limit: Some(PAGE), ..Filter::default() };
    let (mut executions, mut records) = (0u64, 0u64);
    loop {
        let rows = journal.executions(&filter).await?;
        for row in &rows {
            executions += 1;
            match journal.records(row.id).await {
                Ok(read) => records += read.len() as u64,
                Err(problem) => problems.push(problem.to_string()),
            }
        }
        filter.before = rows.last().map(|row| row.id);
        if rows.len() < PAGE as usize {
            break;
        }
    }
    journal.close().await;
    if args.json {
        let told: Vec<Value> = problems.iter().map(|problem| problem.as_str().into()).collect();
        let counts = [("executions", Value::from(executions)), ("records", records.into()), ("problems", told.into())];
        answer(&json(&Map::from_iter(counts).into()))?;
    } else if problems.is_empty() {
        answer(&format!("ok: {executions} executions, {records} records\n"))?;
    }
    if problems.is_empty() {
        return Ok(Exit::Done);
    }
    if !args.json {
        let look = Look::of_stderr();
        let (last, others) = problems.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
        others.iter().for_each(|problem| error(look, problem, None));
        error(look, last, Some("restore the database from a copy; `asl db backup` makes one"));
    }
    Ok(Exit::Failed)
}

async fn vacuum(args: Vacuum) -> Result<Exit, Trouble> {
    let database = place::shorter(&place::database(&args.place)?);
    let before = bytes(&database);
    Journal::vacuum(&database, JournalOptions::default()).await?;
    answer(&format!("{}: {} KiB, {} before\n", database.display(), bytes(&database) / 1024, before / 1024))?;
    Ok(Exit::Done)
}

fn bytes(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |meta| meta.len())
}

async fn backup(args: Backup) -> Result<Exit, Trouble> {
    let journal = place::read(&args.place).await?;
    let written = journal.backup(&args.file).await;
    journal.close().await;
    written.map_err(|problem| {
        Trouble::new(format!("the copy cannot be written: {problem}"))
            .hint("name a file that is not there yet, in a folder that is")
    })?;
    say(&format!("{}: {} KiB\n", args.file.display(), bytes(&args.file) / 1024));
    Ok(Exit::Done)
}
