//! `asl check --tasks`: every Task with what runs it.

use super::find::{self, Target};
use super::{Check, Shape, place};
use crate::common::input::read_stdin;
use crate::exit::{Exit, Trouble};
use crate::render::grid::grid;
use crate::render::look::Look;
use crate::render::text::json;
use crate::terminal::{answer, say};
use asl::parts::mock::Mocks;
use asl::parts::syntax::{Severity, load};
use asl::project::{Opened, Project, ProjectError, ProjectTask, Wanted};
use asl::{Map, Value};
use std::sync::Arc;

/// The tasks of one definition.
struct Listed {
    file: String,
    machine: String,
    tasks: Vec<ProjectTask>,
}

pub(super) fn tasks(args: &Check, shape: Shape) -> Result<Exit, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|problem| Trouble::new(format!("no threads can be had: {problem}")))?;
    let (mut all, mut is_wrong) = (Vec::new(), false);
    let wanted = Wanted { unbound: true, ..args.stack.wanted(args.state_machine.as_deref()) };
    let mut add = |file: &str, opened: Result<Opened, ProjectError>| -> Result<(), Trouble> {
        let Some(opened) = good(file, opened) else {
            is_wrong = true;
            return Ok(());
        };
        match runtime.block_on(listed(file, &opened))? {
            Some(found) => all.push(found),
            None => is_wrong = true,
        }
        Ok(())
    };
    for target in find::targets(&args.files)? {
        match target {
            Target::Project(_) => {}
            Target::Stdin => add(find::STDIN, Ok(super::opened_stdin(args, &read_stdin("the definition")?)?))?,
            Target::Definition(file) => {
                let project = place::named_project(args.project.as_deref());
                for opened in Project::open_all(&file, project.as_deref(), &wanted)? {
                    add(&file.display().to_string(), opened)?;
                }
            }
        }
    }
    answer(&if shape == Shape::Json { as_json(&all) } else { as_table(&all) })?;
    Ok(if is_wrong { Exit::Wrong } else { Exit::Done })
}

/// What could be opened; what could not is told.
fn good(file: &str, opened: Result<Opened, ProjectError>) -> Option<Opened> {
    opened.map_err(|_| say(&format!("{file}: it cannot be read; `asl check {file}` tells why\n"))).ok()
}

/// The tasks of a definition; none of one that has errors, which is told.
async fn listed(file: &str, opened: &Opened) -> Result<Option<Listed>, Trouble> {
    let loaded = load(&opened.source, &opened.options);
    let Some(definition) = loaded.definition else {
        let errors = loaded.count(Severity::Error);
        let what = if errors == 1 { "1 error" } else { &format!("{errors} errors") };
        say(&format!("{file}: {what}; `asl check {file}` shows where\n"));
        return Ok(None);
    };
    let functions = opened.project.functions(Arc::new(|_| {}))?;
    let tasks = opened.project.tasks(&definition, &functions, &Mocks::default()).await?;
    Ok(Some(Listed { file: file.to_owned(), machine: opened.name.clone(), tasks }))
}

/// A resource without what all have in common.
fn short(resource: &str) -> &str {
    let service = resource.split_once(":states:::").map(|(_, rest)| rest);
    let named = |word: &str| resource.find(word).map(|at| &resource[at + 1..]);
    service.or_else(|| named(":function:")).or_else(|| named(":activity:")).unwrap_or(resource)
}

fn as_table(all: &[Listed]) -> String {
    let count = all.iter().map(|listed| listed.tasks.len()).sum::<usize>();
    if count == 0 {
        return "there is no Task\n".to_owned();
    }
    let rows: Vec<Vec<String>> = all.iter().flat_map(rows).collect();
    let header = ["DEFINITION", "STATE", "TASK", "RUN BY"];
    // One definition needs no name.
    let skip = usize::from(all.iter().filter(|listed| !listed.tasks.is_empty()).count() == 1);
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row[skip..].to_vec()).collect();
    let look = Look::of_stdout();
    grid(&header[skip..], &rows, &[], look) + &missing(all, count, look)
}

fn rows(listed: &Listed) -> impl Iterator<Item = Vec<String>> {
    listed.tasks.iter().map(|task| {
        let by = task.by.as_ref().map_or_else(|| task.runner.to_owned(), |by| format!("{} {by}", task.runner));
        let by = if task.runner == "aws" { task.by.clone().unwrap_or(by) } else { by };
        vec![listed.machine.clone(), task.state.to_string(), short(&task.resource).to_owned(), by]
    })
}

/// What keeps tasks from running, each once, with what to do about it; behind the table, where nothing is cut.
fn missing(all: &[Listed], count: usize, look: Look) -> String {
    let mut told: Vec<(_, Vec<&str>)> = Vec::new();
    for task in all.iter().flat_map(|listed| &listed.tasks) {
        let Some(problem) = &task.problem else { continue };
        match told.iter_mut().find(|(other, _)| *other == problem) {
            Some((_, states)) => states.push(&task.state),
            None => told.push((problem, vec![&*task.state])),
        }
    }
    if told.is_empty() {
        return String::new();
    }
    let unrun = told.iter().map(|(_, states)| states.len()).sum::<usize>();
    let mut out = format!("\n{}\n", look.warn(&format!("nothing runs {unrun} of {count}:")));
    for (problem, states) in told {
        out += &format!("  {}: {}\n", states.join(", "), problem.message);
        out += &problem.hint.as_ref().map(|hint| format!("    {hint}\n")).unwrap_or_default();
    }
    out
}

fn as_json(all: &[Listed]) -> String {
    let entry = |listed: &Listed, task: &ProjectTask| {
        let mut entry = Map::new();
        entry.insert("file", listed.file.as_str());
        entry.insert("stateMachine", listed.machine.as_str());
        entry.insert("state", &*task.state);
        entry.insert("resource", &*task.resource);
        entry.insert("runner", task.runner);
        task.by.iter().for_each(|by| drop(entry.insert("by", by.as_str())));
        if let Some(problem) = &task.problem {
            entry.insert("message", problem.message.as_str());
            problem.hint.iter().for_each(|hint| drop(entry.insert("help", hint.as_str())));
        }
        Value::from(entry)
    };
    let tasks = all.iter().flat_map(|listed| listed.tasks.iter().map(move |task| entry(listed, task)));
    json(&Value::from(Map::from_iter([("tasks", Value::from(tasks.collect::<Vec<_>>()))])))
}
