//! Which project and which database are meant.
//!
//! The rule: `--project` and `--db` if given; else `ASL_PROJECT` and `ASL_DB` if set. Else, for a definition, the nearest
//! `asl.toml` or template in its folder or one above, or its folder alone. Else the nearest folder, from the working folder
//! upwards, that has one of them or an `.asl/asl.db`; and if there is none, the one folder directly below the working folder that has.

use crate::args::Place;
use crate::exit::Trouble;
use asl::project::{DATABASE, FILE_NAME, Opened, Project, Wanted};
use asl::{Database, ExecutionRow, Filter, JournalOptions, Which};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The project file that is named: by `--project`, or by `ASL_PROJECT`.
pub(crate) fn named_project(option: Option<&Path>) -> Option<PathBuf> {
    option.map(Path::to_owned).or_else(|| variable("ASL_PROJECT"))
}

/// The database that is named: by `--db`, or by `ASL_DB`.
fn named_database(place: &Place) -> Option<PathBuf> {
    place.db.clone().or_else(|| variable("ASL_DB"))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A definition with its project, or a state machine of a template; `named` is what `--project` says.
pub(crate) fn open(definition: &Path, named: Option<&Path>, wanted: &Wanted) -> Result<Opened, Trouble> {
    if definition.extension().is_some_and(|extension| extension == "toml") {
        return Err(Trouble::new(format!("{} is a project file, and no definition", definition.display()))
            .hint("name the definition; its project file is found beside it, or with --project"));
    }
    if definition.is_dir() {
        return Err(Trouble::new(format!("{} is a folder, and no definition", definition.display()))
            .hint("name a definition in it: JSON or YAML, often NAME.asl.json"));
    }
    Ok(Project::open(definition, named_project(named).as_deref(), wanted)?)
}

/// The project of a command that names no definition.
pub(crate) fn project(place: &Place) -> Result<Project, Trouble> {
    let options = place.stack.options();
    if let Some(file) = named_project(place.project.as_deref()) {
        return Ok(Project::load_with(&file, &options)?);
    }
    match folder()? {
        Some(folder) => match Project::in_folder(&folder) {
            Some(file) => Ok(Project::load_with(&file, &options)?),
            None => Ok(Project::empty(folder)),
        },
        None => Err(nowhere()),
    }
}

/// The same, where a folder without a project is an empty one.
pub(crate) fn project_or_here(place: &Place) -> Result<Project, Trouble> {
    if named_project(place.project.as_deref()).is_none() && folder()?.is_none() {
        let here = std::env::current_dir()
            .map_err(|problem| Trouble::new(format!("the working folder cannot be found: {problem}")))?;
        return Ok(Project::empty(here));
    }
    project(place)
}

/// The database of a command that names no definition; the project file need not be in order.
pub(crate) fn database(place: &Place) -> Result<PathBuf, Trouble> {
    if let Some(db) = named_database(place) {
        return Ok(db);
    }
    if let Some(file) = named_project(place.project.as_deref()) {
        if !file.is_file() {
            return Err(Trouble::new(format!("there is no project file {}", file.display())).hint("check the path"));
        }
        return Ok(beside(&file));
    }
    folder()?.map(|folder| folder.join(DATABASE)).ok_or_else(nowhere)
}

/// The database of a definition's project.
pub(crate) fn database_of(place: &Place, project: &Project) -> PathBuf {
    named_database(place).unwrap_or_else(|| project.database())
}

/// Opens the database for reading: it must exist.
pub(crate) async fn read(place: &Place) -> Result<Database, Trouble> {
    reading(&database(place)?).await
}

/// Opens a database for writing, and makes it where there is none.
pub(crate) async fn write(database: &Path) -> Result<Database, Trouble> {
    Ok(Database::open(&named(database), JournalOptions::default()).await?)
}

/// Opens for reading a database of this name: it must exist.
pub(crate) async fn reading(database: &Path) -> Result<Database, Trouble> {
    Ok(Database::open_read_only(&named(database), JournalOptions::default()).await?)
}

/// The name by which it is opened: a URL as it is, a file as messages show it.
fn named(database: &Path) -> PathBuf {
    if is_url(database) { database.to_owned() } else { shorter(database) }
}

/// True for a database on a server.
pub(crate) fn is_url(database: &Path) -> bool {
    database.to_str().is_some_and(asl::is_url)
}

/// Opens for writing a database that must exist: to receive messages is to change them.
pub(crate) async fn change(database: &Path) -> Result<Database, Trouble> {
    if is_url(database) {
        reading(database).await?.close().await;
    } else if !database.exists() {
        let missing = || Trouble::new(format!("there is no database {}", database.display()));
        return Err(reading(database).await.err().unwrap_or_else(missing));
    }
    write(database).await
}

/// The execution of that name or ARN, or whose name alone begins so; without one the last. Children of Distributed Maps are
/// meant only where they are named, and nothing else is.
pub(crate) async fn execution(journal: &Database, wanted: Option<&str>) -> Result<ExecutionRow, Trouble> {
    let parents = || Filter { which: Which::Parents, ..Filter::default() };
    let Some(wanted) = wanted else {
        let last = journal.executions(&Filter { limit: Some(1), ..parents() }).await?.pop();
        return last
            .ok_or_else(|| Trouble::new("there is no execution yet").hint("start one with `asl run DEFINITION`"));
    };
    if let Some(row) = journal.execution(wanted).await? {
        return Ok(row);
    }
    let begins = |which| Filter { which, name_prefix: Some(wanted.to_owned()), limit: Some(4), ..Filter::default() };
    let mut rows = journal.executions(&begins(Which::Parents)).await?;
    if rows.is_empty() {
        rows = journal.executions(&begins(Which::Children)).await?;
    }
    match rows.len() {
        1 => Ok(rows.remove(0)),
        0 => Err(Trouble::new(format!("there is no execution `{wanted}`")).hint("`asl list` shows which there are")),
        _ => Err(several(wanted, &rows)),
    }
}

fn several(wanted: &str, rows: &[ExecutionRow]) -> Trouble {
    let shown = &rows[..rows.len().min(3)];
    let distinct: BTreeSet<&str> = shown.iter().map(|row| row.name.as_str()).collect();
    let by_name = distinct.len() == shown.len();
    let names: Vec<&str> = shown.iter().map(|row| if by_name { row.name.as_str() } else { row.arn.as_str() }).collect();
    let more = if rows.len() > shown.len() { ", ..." } else { "" };
    let several = format!("several executions begin with `{wanted}`: {}{more}", names.join(", "));
    Trouble::new(several).hint(if by_name { "write more of the name" } else { "name the one that is meant by its ARN" })
}

fn folder() -> Result<Option<PathBuf>, Trouble> {
    let here = std::env::current_dir()
        .map_err(|problem| Trouble::new(format!("the working folder cannot be found: {problem}")))?;
    if let Some(found) = here.ancestors().find(|folder| is_project(folder)) {
        return Ok(Some(found.to_owned()));
    }
    let below = std::fs::read_dir(&here).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut below: Vec<PathBuf> = below.filter(|folder| is_project(folder)).collect();
    below.sort();
    if below.len() > 1 {
        let names: Vec<String> = below.iter().map(|folder| shorter(folder).display().to_string()).collect();
        let message = format!("several folders here have a project: {}", names.join(", "));
        let file = Project::in_folder(&below[0]).unwrap_or_else(|| below[0].join(FILE_NAME));
        let hint = format!("choose one with --project {}, or go into its folder", shorter(&file).display());
        return Err(Trouble::new(message).hint(hint));
    }
    Ok(below.pop())
}

fn is_project(folder: &Path) -> bool {
    folder.join(DATABASE).is_file() || Project::in_folder(folder).is_some()
}

fn beside(project_file: &Path) -> PathBuf {
    project_file.parent().unwrap_or(Path::new("")).join(DATABASE)
}

fn nowhere() -> Trouble {
    Trouble::new(format!(
        "there is no project here: no {FILE_NAME} or template.yaml in this folder, above it, or directly below it"
    ))
    .hint("go to the project's folder, or name its file with --project, or a database with --db")
}

/// For messages: without the working folder in front, or without the password.
pub(crate) fn shorter(path: &Path) -> PathBuf {
    if is_url(path) {
        return asl::shown(&path.to_string_lossy()).into();
    }
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned)).unwrap_or_else(|| path.to_owned())
}
