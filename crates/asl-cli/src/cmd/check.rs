//! `asl check`: definitions and project files, without running anything.

use super::findings;
use super::run::note;
use crate::args::Check;
use crate::exit::{Exit, Trouble, answer, say};
use crate::render::look::Look;
use crate::render::snippet::{self, Finding};
use crate::render::text::json;
use asl::parts::syntax::{Severity, load, validate};
use asl::project::{Opened, Problem, Project, ProjectError, Wanted, is_template};
use std::path::Path;
use std::sync::Arc;

pub(crate) fn check(args: Check) -> Result<Exit, Trouble> {
    let mut exit = Exit::Done;
    for file in &args.files {
        if file.extension().is_some_and(|extension| extension == "toml") {
            exit = if check_project(file, args.json)? { exit } else { Exit::Wrong };
            continue;
        }
        let wanted = Wanted { unbound: true, ..args.stack.wanted(args.state_machine.as_deref()) };
        let is_template = is_template(file);
        let mut project = None;
        for opened in Project::open_all(file, args.project.as_deref(), &wanted)? {
            let right = match opened {
                Ok(opened) => {
                    let shown = if is_template { format!(" ({})", opened.name) } else { String::new() };
                    let right = diagnosed(&opened, &format!("{}{shown}", file.display()), args.json)?;
                    project = Some(opened.project);
                    right
                }
                Err(error) => told(&error.problems)?,
            };
            exit = if right { exit } else { Exit::Wrong };
        }
        if let Some(project) = project.filter(|_| is_template) {
            note(project.notes(), Look::of_stderr());
            exit = if told(&project.broken())? { exit } else { Exit::Wrong };
        }
    }
    Ok(exit)
}

/// What is wrong with a definition. True when nothing is.
fn diagnosed(opened: &Opened, name: &str, as_json: bool) -> Result<bool, Trouble> {
    let loaded = load(&opened.source, &opened.options);
    let wrong = loaded.count(Severity::Error);
    if as_json {
        answer(&json(&validate(&loaded.diagnostics, Severity::Warning, 0).to_value()))?;
        return Ok(wrong == 0);
    }
    let look = Look::of_stdout();
    answer(&snippet::draw(&findings(&opened.source, &loaded, Severity::Error), look))?;
    answer(&snippet::draw(&findings(&opened.source, &loaded, Severity::Warning), look))?;
    summarize(name, wrong, loaded.count(Severity::Warning));
    Ok(wrong == 0)
}

/// Shows problems of a project or template. True when there are none.
fn told(problems: &[Problem]) -> Result<bool, Trouble> {
    let findings: Vec<Finding> = problems.iter().map(Finding::from).collect();
    answer(&snippet::draw(&findings, Look::of_stdout()))?;
    Ok(findings.is_empty())
}

/// A project file: everything in it, and whether the functions' code is there. True when nothing is wrong.
fn check_project(file: &Path, json: bool) -> Result<bool, Trouble> {
    if json {
        let message = format!("{} is a project file, and AWS has no shape for those", file.display());
        return Err(Trouble::new(message).hint("leave out --json, or name definitions"));
    }
    std::fs::metadata(file).map_err(|problem| {
        Trouble::new(format!("the project file {} cannot be read: {problem}", file.display())).hint("check the path")
    })?;
    let checked = Project::load(file).and_then(|project| {
        note(project.notes(), Look::of_stderr());
        project.functions(Arc::new(|_| {}))?;
        let problems = project.broken();
        if problems.is_empty() { Ok(()) } else { Err(ProjectError { problems }) }
    });
    let problems = checked.err().map(|error| error.problems).unwrap_or_default();
    let findings: Vec<Finding> = problems.iter().map(Finding::from).collect();
    answer(&snippet::draw(&findings, Look::of_stdout()))?;
    let look = Look::of_stderr();
    let verdict = match findings.len() {
        0 => look.good("ok"),
        1 => look.bad("1 error"),
        n => look.bad(&format!("{n} errors")),
    };
    say(&format!("{}: {verdict}\n", file.display()));
    Ok(findings.is_empty())
}

fn summarize(name: &str, errors: usize, warnings: usize) {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let look = Look::of_stderr();
    let verdict = match (errors, warnings) {
        (0, 0) => look.good("ok"),
        (0, _) => format!("{}, {}", look.good("ok"), look.warn(&count(warnings, "warning"))),
        (_, 0) => look.bad(&count(errors, "error")),
        _ => format!("{}, {}", look.bad(&count(errors, "error")), look.warn(&count(warnings, "warning"))),
    };
    let explain = if errors + warnings > 0 { "; `asl explain RULE` tells more" } else { "" };
    say(&format!("{name}: {verdict}{explain}\n"));
}
