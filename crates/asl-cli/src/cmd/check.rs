//! `asl check`: definitions and project files, without running anything.

use crate::common::definition::{bound, findings, load_options};
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::look::Look;
use crate::render::snippet::{self, Finding};
use crate::render::text::json;
use crate::terminal::{answer, say};
use asl::parts::syntax::{Diagnostic, Severity, Source, load, validate};
use asl::project::Project;
use clap::Args;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Definitions: JSON, or YAML in files named .yaml or .yml; and project files, named .toml
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// JSON, in the shape of `aws stepfunctions validate-state-machine-definition`: one line a definition
    #[arg(long)]
    pub(crate) json: bool,
    /// The project file, which gives ${...} their values [default: the nearest asl.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,
}

pub(crate) fn check(args: Check) -> Result<Exit, Trouble> {
    let mut exit = Exit::Done;
    for file in &args.files {
        if file.extension().is_some_and(|extension| extension == "toml") {
            exit = if check_project(file, args.json)? { exit } else { Exit::Wrong };
            continue;
        }
        let (source, diagnostics) = diagnose(file, args.project.as_deref())?;
        let wrong = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
        if wrong > 0 {
            exit = Exit::Wrong;
        }
        if args.json {
            answer(&json(&validate(&diagnostics, Severity::Warning, 0).to_value()))?;
            continue;
        }
        let look = Look::of_stdout();
        answer(&snippet::draw(&findings(&source, &diagnostics, Severity::Error), look))?;
        answer(&snippet::draw(&findings(&source, &diagnostics, Severity::Warning), look))?;
        summarize(file, wrong, diagnostics.len() - wrong);
    }
    Ok(exit)
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
    let checked = Project::load(file).and_then(|project| project.functions(Arc::new(|_| {})).map(drop));
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

fn diagnose(file: &Path, project: Option<&Path>) -> Result<(Source, Vec<Diagnostic>), Trouble> {
    let source = bound(file, &place::project_of(file, project)?)?;
    let loaded = load(&source, &load_options(file));
    Ok((source, loaded.diagnostics))
}

fn summarize(file: &Path, errors: usize, warnings: usize) {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let look = Look::of_stderr();
    let verdict = match (errors, warnings) {
        (0, 0) => look.good("ok"),
        (0, _) => format!("{}, {}", look.good("ok"), look.warn(&count(warnings, "warning"))),
        (_, 0) => look.bad(&count(errors, "error")),
        _ => format!("{}, {}", look.bad(&count(errors, "error")), look.warn(&count(warnings, "warning"))),
    };
    let explain = if errors + warnings > 0 { "; `asl explain RULE` tells more" } else { "" };
    say(&format!("{}: {verdict}{explain}\n", file.display()));
}
