//! `asl down`: everything that a project made is deleted.

use crate::args::Place;
use crate::common::owner::alive;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::text::{counted, json};
use crate::terminal::{answer, say};
use asl::project::DATABASE;
use asl::{Database, JournalError, JournalOptions, Map, Value};
use clap::Args;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct Down {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// JSON: {"deleted"}, the files and folders that are gone
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn down(args: Down) -> Result<Exit, Trouble> {
    let database = place::database(&args.place)?;
    if place::is_url(&database) {
        let message = format!("{} is on a server, which others may use", place::shorter(&database).display());
        return Err(Trouble::new(message).hint("delete it there: DROP SCHEMA asl CASCADE"));
    }
    let database = place::shorter(&database);
    if !database.exists() {
        if let Err(problem @ JournalError::NoFile { .. }) =
            Database::open_read_only(&database, JournalOptions::default()).await
        {
            return Err(problem.into());
        }
        say(&format!("there is no database {}: nothing to delete\n", database.display()));
        tell(&[], args.json)?;
        return Ok(Exit::Done);
    }
    // One that cannot be read, or is from another version, is deleted all the same.
    let counted = match place::read(&args.place).await {
        Ok(journal) => {
            let holders = asl::holders(&*journal).await?;
            let counts = journal.counts().await?;
            journal.close().await;
            if let Some(other) = alive(&holders) {
                let message = format!("{other} is working on {}", database.display());
                return Err(Trouble::new(message).hint("stop it first; nothing was deleted"));
            }
            let executions = counted(counts.values().sum(), "execution");
            format!("{executions}, the items of its tables and the messages of its queues")
        }
        Err(_) => "everything in it".to_owned(),
    };
    let files = files(&database);
    say(&format!("this deletes {} with {counted}\n", database.display()));
    if !args.yes && !agreed()? {
        return Err(Trouble::new("nothing was deleted").hint("--yes does it without asking"));
    }
    for file in &files {
        let removed = if file.is_dir() { std::fs::remove_dir_all(file) } else { std::fs::remove_file(file) };
        if let Err(problem) = removed
            && problem.kind() != std::io::ErrorKind::NotFound
        {
            return Err(Trouble::new(format!("{} cannot be deleted: {problem}", file.display())));
        }
    }
    say("deleted\n");
    tell(&files, args.json)?;
    Ok(Exit::Done)
}

fn tell(files: &[PathBuf], as_json: bool) -> Result<(), Trouble> {
    let deleted: Vec<Value> = files.iter().map(|file| file.display().to_string().into()).collect();
    if as_json { answer(&json(&Map::from_iter([("deleted", deleted)]).into())) } else { Ok(()) }
}

/// The folder `.asl`, which is this program's own; of a database elsewhere its files alone.
fn files(database: &Path) -> Vec<PathBuf> {
    match database.parent().filter(|_| database.ends_with(DATABASE)) {
        Some(folder) => vec![folder.to_owned()],
        None => ["", "-wal", "-shm"].iter().map(|end| format!("{}{end}", database.display()).into()).collect(),
    }
}

/// Asks on the terminal; where nobody can answer, the answer is no.
fn agreed() -> Result<bool, Trouble> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    say("go on? [y/N] ");
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|problem| Trouble::new(format!("no answer can be read: {problem}")))?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
