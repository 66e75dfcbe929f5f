//! `asl db`: whether a database is whole, a copy of it, its size.

use crate::args::Place;
use crate::common::place;
use crate::exit::{Exit, Trouble, error};
use crate::render::look::Look;
use crate::render::text::{counted, json};
use crate::terminal::{answer, say};
use asl::{Filter, JournalOptions, Map, Value};
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
    /// Make a database, or bring one of an earlier version up to date
    Migrate(Migrate),
    /// Move everything to an empty database: from a file to PostgreSQL, or back
    Move(Move),
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
    /// JSON: {"file", "bytes", "bytesBefore"}
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The copy, a file that is not there yet
    pub(crate) file: PathBuf,
    /// JSON: {"file", "bytes"}
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// JSON: {"database"}
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Move {
    /// Where to: a file, or postgres://USER@HOST/DATABASE
    #[arg(value_name = "DATABASE")]
    pub(crate) to: PathBuf,
    /// JSON: {"from", "to", "executions", "records", "rows"}
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn db(db: Db) -> Result<Exit, Trouble> {
    match db {
        Db::Check(args) => check(args).await,
        Db::Vacuum(args) => vacuum(args).await,
        Db::Backup(args) => backup(args).await,
        Db::Migrate(args) => migrate(args).await,
        Db::Move(args) => move_to(args).await,
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
        answer(&format!("ok: {}, {}\n", counted(executions, "execution"), counted(records, "record")))?;
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
    if place::is_url(&database) {
        return Err(Trouble::new(format!("{} gives room back by itself", database.display()))
            .hint("PostgreSQL's autovacuum does it; `VACUUM FULL` in psql gives it back to the disk"));
    }
    let before = bytes(&database);
    asl::Journal::vacuum(&database, JournalOptions::default()).await?;
    let after = bytes(&database);
    if args.json {
        let file = database.display().to_string();
        let told = [("file", Value::from(file)), ("bytes", after.into()), ("bytesBefore", before.into())];
        answer(&json(&Map::from_iter(told).into()))?;
    } else {
        answer(&format!("{}: {} KiB, {} before\n", database.display(), after / 1024, before / 1024))?;
    }
    Ok(Exit::Done)
}

fn bytes(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |meta| meta.len())
}

async fn backup(args: Backup) -> Result<Exit, Trouble> {
    let journal = place::read(&args.place).await?;
    let Some(file) = journal.file() else {
        return Err(Trouble::new(format!("{} is on a server", journal.name()))
            .hint("copy it with pg_dump, or with `asl db move` to an empty database"));
    };
    let written = file.backup(&args.file).await;
    journal.close().await;
    written.map_err(|problem| {
        Trouble::new(format!("the copy cannot be written: {problem}"))
            .hint("name a file that is not there yet, in a folder that is")
    })?;
    let (file, size) = (args.file.display().to_string(), bytes(&args.file));
    if args.json {
        answer(&json(&Map::from_iter([("file", Value::from(file)), ("bytes", size.into())]).into()))?;
    } else {
        say(&format!("{file}: {} KiB\n", size / 1024));
    }
    Ok(Exit::Done)
}

async fn migrate(args: Migrate) -> Result<Exit, Trouble> {
    let database = place::write(&place::database(&args.place)?).await?;
    let name = database.name();
    database.close().await;
    if args.json {
        answer(&json(&Map::from_iter([("database", Value::from(name))]).into()))?;
    } else {
        answer(&format!("{name} is up to date\n"))?;
    }
    Ok(Exit::Done)
}

async fn move_to(args: Move) -> Result<Exit, Trouble> {
    let from = place::read(&args.place).await?;
    let to = place::write(&args.to).await?;
    let moved = from.move_to(&to).await;
    let (here, there) = (from.name(), to.name());
    from.close().await;
    to.close().await;
    let moved = moved.map_err(|problem| Trouble::from(problem).hint("nothing was moved; what was in either stays"))?;
    if args.json {
        let told = [
            ("from", Value::from(here)),
            ("to", there.into()),
            ("executions", moved.executions.into()),
            ("records", moved.records.into()),
            ("rows", moved.rows.into()),
        ];
        answer(&json(&Map::from_iter(told).into()))?;
        return Ok(Exit::Done);
    }
    let (executions, records) = (counted(moved.executions, "execution"), counted(moved.records, "record"));
    answer(&format!("{there}: {executions}, {records}; {here} is as it was\n"))?;
    Ok(Exit::Done)
}
