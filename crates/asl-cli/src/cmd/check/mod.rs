//! `asl check`: definitions and project files, without running anything.

mod find;
mod report;

use crate::common::definition::load_options;
use crate::common::input::read_stdin;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::look::Look;
use crate::render::snippet::{self, Finding};
use crate::terminal::{answer, say};
use asl::parts::mock::Mocks;
use asl::parts::syntax::{Format, Options, Severity, Source, load};
use asl::project::{Project, ProjectError};
use clap::{Args, ValueEnum};
use find::Target;
use report::{Checked, Found};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Definitions: JSON, or YAML in files named .yaml or .yml; project files, named .toml; folders to search for both; -
    /// reads a definition from stdin [default: this folder]
    #[arg(value_name = "FILE|FOLDER")]
    pub(crate) files: Vec<PathBuf>,
    /// What to answer with
    #[arg(long, short, value_enum, default_value_t = Shape::Text)]
    pub(crate) format: Shape,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// The project file, which gives ${...} their values [default: $ASL_PROJECT, or the nearest asl.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,
}

/// What `asl check` answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Places in files, drawn
    Text,
    /// A line for each file: what `aws stepfunctions validate-state-machine-definition` gives, with file, line and column
    Json,
    /// SARIF 2.1.0, which code scanners read
    Sarif,
    /// Workflow commands, which GitHub Actions shows beside the lines
    Github,
}

pub(crate) fn check(args: Check) -> Result<Exit, Trouble> {
    let shape = if args.json { Shape::Json } else { args.format };
    let mut all: Vec<Checked> = Vec::new();
    for target in find::targets(&args.files)? {
        let mut checked = match &target {
            Target::Project(file) => project(file)?,
            Target::Definition(file) => {
                let text = crate::common::definition::read_definition(file)?;
                definition(file, &text, &load_options(file), args.project.as_deref())?
            }
            Target::Stdin => {
                let text = read_stdin("the definition")?;
                let format = if text.trim_start().starts_with('{') { Format::Json } else { Format::Yaml };
                let options = Options { format, ..Options::default() };
                definition(Path::new(find::STDIN), &text, &options, args.project.as_deref())?
            }
        };
        // What is wrong with a project is told once, not with each of its definitions.
        checked.found.retain(|found| !all.iter().any(|earlier| earlier.found.contains(found)));
        tell(&checked, shape)?;
        all.push(checked);
    }
    match shape {
        Shape::Sarif => answer(&report::sarif(&all))?,
        Shape::Github => answer(&report::github(&all))?,
        Shape::Text | Shape::Json => {}
    }
    let is_wrong = all.iter().any(|checked| checked.count(Severity::Error) > 0);
    Ok(if is_wrong { Exit::Wrong } else { Exit::Done })
}

/// What is answered file by file; a summary for the reader.
fn tell(checked: &Checked, shape: Shape) -> Result<(), Trouble> {
    match shape {
        Shape::Json => answer(&report::json(checked))?,
        Shape::Text => {
            for severity in [Severity::Error, Severity::Warning] {
                let findings = checked.found.iter().map(|found| &found.finding);
                let findings: Vec<Finding> = findings.filter(|finding| finding.severity == severity).cloned().collect();
                answer(&snippet::draw(&findings, Look::of_stdout()))?;
            }
        }
        Shape::Sarif | Shape::Github => {}
    }
    if shape != Shape::Json {
        summarize(checked);
    }
    Ok(())
}

/// A project file: everything in it, and whether the functions' code is there.
fn project(file: &Path) -> Result<Checked, Trouble> {
    std::fs::metadata(file).map_err(|problem| {
        Trouble::new(format!("the project file {} cannot be read: {problem}", file.display())).hint("check the path")
    })?;
    let checked = Project::load(file).and_then(|project| project.functions(Arc::new(|_| {})).map(drop));
    let found = checked.err().map(|error| problems(&error, Severity::Error)).unwrap_or_default();
    Ok(Checked { file: file.display().to_string(), found })
}

/// A definition: what is wrong with it, and what keeps it from running here.
fn definition(file: &Path, text: &str, options: &Options, named: Option<&Path>) -> Result<Checked, Trouble> {
    let project = place::project_of(file, named)?;
    let name = file.to_string_lossy();
    // Without a project `${...}` stand as they are.
    let source = match project.file {
        Some(_) => project.source(&name, text)?,
        None => Source::new(&*name, text),
    };
    let loaded = load(&source, options);
    let mut found: Vec<Found> =
        loaded.diagnostics.iter().map(|diagnostic| Found::of_definition(&source, diagnostic)).collect();
    if let Some(definition) = loaded.definition.filter(|_| project.file.is_some() || !text.contains("${")) {
        let here = project.functions(Arc::new(|_| {}));
        let here = here.and_then(|functions| project.check(&source, &definition, &functions, &Mocks::default()));
        found.extend(here.err().map(|error| problems(&error, Severity::Warning)).unwrap_or_default());
    }
    Ok(Checked { file: name.into_owned(), found })
}

fn problems(error: &ProjectError, severity: Severity) -> Vec<Found> {
    error.problems.iter().map(|problem| Found::of_project(problem, severity)).collect()
}

fn summarize(checked: &Checked) {
    let (errors, warnings) = (checked.count(Severity::Error), checked.count(Severity::Warning));
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let look = Look::of_stderr();
    let verdict = match (errors, warnings) {
        (0, 0) => look.good("ok"),
        (0, _) => format!("{}, {}", look.good("ok"), look.warn(&count(warnings, "warning"))),
        (_, 0) => look.bad(&count(errors, "error")),
        _ => format!("{}, {}", look.bad(&count(errors, "error")), look.warn(&count(warnings, "warning"))),
    };
    let has_rules = checked.found.iter().any(|found| found.finding.rule.is_some());
    let explain = if has_rules { "; `asl explain RULE` tells more" } else { "" };
    say(&format!("{}: {verdict}{explain}\n", checked.file));
}
