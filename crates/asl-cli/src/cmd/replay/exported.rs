//! Histories in files: exported from AWS, with what stands beside them; or kept as records.
//!
//! A folder holds JSON files, told apart by what is in them: a page of a history (`events`), a definition (`States`), what
//! `describe-state-machine` gave (`definition`), what `describe-execution` gave (`executionArn`). Files belong together
//! when their names are the same up to the first dot; a definition that is the only one belongs to all.

use crate::common::definition::findings;
use crate::common::input::not_json;
use crate::common::place;
use crate::exit::Trouble;
use asl::parts::syntax::{Definition, Format, Severity, Source, load};
use asl::project::Wanted;
use asl::{Exported, Kept, Value, Whose};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A definition and its text, to show places in it.
#[derive(Clone)]
pub(crate) struct Text {
    pub(crate) definition: Arc<Definition>,
    pub(crate) source: Source,
    pub(crate) format: Format,
}

/// A history, and what belongs to it.
pub(crate) struct Found {
    pub(crate) history: Exported,
    pub(crate) whose: Whose,
    pub(crate) text: Text,
}

/// What a folder holds.
#[derive(Default)]
struct Folder {
    histories: Vec<(PathBuf, Exported)>,
    definitions: Vec<(PathBuf, Option<Value>)>,
    executions: Vec<(PathBuf, Value)>,
}

/// True for a file of records, and for a folder that has some.
pub(crate) fn is_kept(target: &Path) -> bool {
    let lines = |file: &Path| file.extension().is_some_and(|e| e == "jsonl");
    if !target.is_dir() {
        return lines(target);
    }
    let files = std::fs::read_dir(target).into_iter().flatten().flatten().map(|entry| entry.path());
    files.into_iter().any(|file| lines(&file))
}

/// The histories that were kept as records: `asl history --records`.
pub(crate) fn kept(target: &Path) -> Result<Vec<(PathBuf, Kept)>, Trouble> {
    if !is_kept(target) {
        return Ok(Vec::new());
    }
    let mut files = vec![target.to_owned()];
    if target.is_dir() {
        let entries = std::fs::read_dir(target).into_iter().flatten().flatten().map(|entry| entry.path());
        files = entries.filter(|file| is_kept(file) && file.is_file()).collect();
        files.sort();
    }
    let read = |file: PathBuf| {
        let wrong = |problem: String| Trouble::new(format!("{} cannot be replayed: {problem}", file.display()));
        let text = std::fs::read_to_string(&file).map_err(|problem| wrong(problem.to_string()))?;
        let kept = Kept::parse(&text).map_err(|problem| wrong(problem.to_string()))?;
        Ok((file, kept))
    };
    files.into_iter().map(read).collect()
}

/// The definition in a file, as `asl run` reads it.
pub(crate) fn definition(file: &Path, project: Option<&Path>) -> Result<Text, Trouble> {
    let opened = place::open(file, project, &Wanted::default())?;
    checked(opened.source, &opened.options)
}

fn checked(source: Source, options: &asl::parts::syntax::Options) -> Result<Text, Trouble> {
    let loaded = load(&source, options);
    match loaded.definition {
        Some(definition) => Ok(Text { definition, source, format: options.format }),
        None => Err(Trouble::Places(findings(&source, &loaded, Severity::Error))),
    }
}

/// The histories in a folder, or the one in a file.
pub(crate) fn find(target: &Path, given: Option<&Text>, project: Option<&Path>) -> Result<Vec<Found>, Trouble> {
    let (folder, only) = match target.is_dir() {
        true => (target.to_owned(), None),
        false => (target.parent().map_or_else(PathBuf::new, Path::to_owned), Some(target)),
    };
    let found = scan(&folder, only)?;
    if found.histories.is_empty() {
        let what = format!("there is no exported history in {}", target.display());
        return Err(Trouble::new(what).hint("export one with `aws stepfunctions get-execution-history`"));
    }
    let mut out = Vec::new();
    for (file, history) in &found.histories {
        let text = match given {
            Some(text) => text.clone(),
            None => definition_of(file, &found, project)?,
        };
        out.push(Found { history: history.clone(), whose: whose(file, &found), text });
    }
    Ok(out)
}

/// Reads a folder. Of the histories only that of `only`, if it is given.
fn scan(folder: &Path, only: Option<&Path>) -> Result<Folder, Trouble> {
    let unreadable = |path: &Path, problem: std::io::Error| {
        Trouble::new(format!("{} cannot be read: {problem}", path.display())).hint("check the path")
    };
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(here).map_err(|problem| unreadable(here, problem))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| folder.join(entry.file_name())).collect();
    files.sort();
    let mut found = Folder::default();
    for file in files {
        let wanted = only.is_none_or(|only| stem(only) == stem(&file) && (only == file || is_page(&file)));
        let asked_for = only == Some(&*file);
        let name = file.to_string_lossy();
        if name.ends_with(".yaml") || name.ends_with(".yml") {
            found.definitions.push((file, None));
            continue;
        }
        if !name.ends_with(".json") || !file.is_file() {
            if asked_for {
                return Err(Trouble::new(format!("{} is no exported history", file.display())).hint(EXPORT));
            }
            continue;
        }
        let text = std::fs::read_to_string(&file).map_err(|problem| unreadable(&file, problem))?;
        let value: Value = match text.parse() {
            Ok(value) => value,
            Err(problem) if asked_for => {
                return Err(not_json("the history", &file.to_string_lossy(), &text, &problem));
            }
            Err(_) => continue,
        };
        if value.get("States").is_some() {
            found.definitions.push((file, None));
        } else if value.get("definition").is_some() {
            found.definitions.push((file, Some(value)));
        } else if value.get("events").is_some() || value.as_array().is_some() {
            if wanted {
                add(&mut found.histories, file, &value)?;
            }
        } else if value.get("executionArn").is_some() {
            found.executions.push((file, value));
        } else if asked_for {
            return Err(Trouble::new(format!("{} is no exported history", file.display())).hint(EXPORT));
        }
    }
    Ok(found)
}

const EXPORT: &str = "it is the JSON of `aws stepfunctions get-execution-history`";

/// A file `NAME.N.json`, a further page of `NAME`.
fn is_page(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(".json").and_then(|name| name.rsplit('.').next()).is_some_and(|n| n.parse::<u32>().is_ok())
}

/// A history of its own, or a further page of the one before.
fn add(histories: &mut Vec<(PathBuf, Exported)>, file: PathBuf, value: &Value) -> Result<(), Trouble> {
    let wrong = |file: &Path, problem: asl::ExportError| {
        Trouble::new(format!("{} is no history that can be replayed: {problem}", file.display()))
    };
    let page = Exported::read(value).map_err(|problem| wrong(&file, problem))?;
    match histories.last_mut().filter(|_| page.first_event() > 1) {
        Some((_, history)) => *history = history.clone().and(page).map_err(|problem| wrong(&file, problem))?,
        None => histories.push((file, page)),
    }
    Ok(())
}

/// The name up to the first dot.
fn stem(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn definition_of(history: &Path, found: &Folder, project: Option<&Path>) -> Result<Text, Trouble> {
    let same: Vec<_> = found.definitions.iter().filter(|(file, _)| stem(file) == stem(history)).collect();
    let chosen = match (&same[..], &found.definitions[..]) {
        ([one], _) => one,
        ([], [one]) => one,
        _ => {
            let what = format!("the definition of {} is not clear", history.display());
            let hint = format!("name it with --definition, or put it beside it as {}.asl.json", stem(history));
            return Err(Trouble::new(what).hint(hint));
        }
    };
    match chosen {
        (file, None) => definition(file, project),
        (file, Some(described)) => {
            let text = described["definition"].as_str().unwrap_or_default();
            let source = Source::new(format!("{} (its definition)", file.display()), text);
            checked(source, &asl::parts::syntax::Options { lints: false, ..Default::default() })
        }
    }
}

fn whose(history: &Path, found: &Folder) -> Whose {
    let text = |value: Option<&Value>, member: &str| value.and_then(|v| v[member].as_str()).map(Arc::from);
    let execution = found.executions.iter().find(|(file, _)| stem(file) == stem(history)).map(|(_, value)| value);
    let machine = found.definitions.iter().filter_map(|(file, value)| Some((file, value.as_ref()?)));
    let machine = machine.clone().find(|(file, _)| stem(file) == stem(history)).or_else(|| machine.clone().next());
    let machine = machine.map(|(_, value)| value).filter(|_| found.definitions.len() == 1 || execution.is_none());
    Whose {
        label: history.display().to_string().into(),
        execution_arn: text(execution, "executionArn"),
        state_machine_arn: text(execution, "stateMachineArn").or_else(|| text(machine, "stateMachineArn")),
        input: text(execution, "input"),
    }
}
