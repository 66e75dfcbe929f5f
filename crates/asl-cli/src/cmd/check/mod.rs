//! `asl check`: definitions and project files, without running anything.

mod find;
mod report;
mod tasks;

use crate::args::Stack;
use crate::common::definition::{note, unshown};
use crate::common::input::read_stdin;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::look::Look;
use crate::render::snippet::{self, Finding};
use crate::terminal::{answer, say};
use asl::parts::mock::Mocks;
use asl::parts::syntax::{Format, MAX_SHOWN, Options, Severity, load};
use asl::project::{Opened, Problem, Project, ProjectError, StackOptions, Wanted, is_template};
use clap::{Args, ValueEnum};
use find::Target;
use report::{Checked, Found};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Definitions: JSON, or YAML in files named .yaml or .yml; templates; project files, named .toml; folders to search for all; -
    /// reads a definition from stdin [default: this folder]
    #[arg(value_name = "FILE|FOLDER")]
    pub(crate) files: Vec<PathBuf>,
    /// Of a template, only this state machine: its logical id or name
    #[arg(long, value_name = "NAME")]
    pub(crate) state_machine: Option<String>,
    /// List every Task with what runs it, or what to add so that something does
    #[arg(long)]
    pub(crate) tasks: bool,
    /// What to answer with
    #[arg(long, short, value_enum, default_value_t = Shape::Text)]
    pub(crate) format: Shape,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// The project file, which gives ${...} their values [default: $ASL_PROJECT, or the nearest asl.toml or template.yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stack: Stack,
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
    if args.tasks {
        return match shape {
            Shape::Text | Shape::Json => tasks::tasks(&args, shape),
            Shape::Sarif | Shape::Github => Err(Trouble::new("--tasks has no such format").hint("use text or json")),
        };
    }
    let mut all: Vec<Checked> = Vec::new();
    for target in find::targets(&args.files)? {
        let checked = match &target {
            Target::Project(file) => vec![project(file, &args.stack.options())?],
            Target::Definition(file) => definitions(file, &args)?,
            Target::Stdin => vec![from_stdin(&args)?],
        };
        for mut checked in checked {
            // What is wrong with a project is told once, not with each of its definitions.
            checked.found.retain(|found| !all.iter().any(|earlier| earlier.found.contains(found)));
            tell(&checked, shape)?;
            all.push(checked);
        }
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
                let findings = findings.filter(|finding| finding.severity == severity);
                let mut findings: Vec<Finding> = findings.take(MAX_SHOWN).cloned().collect();
                findings.extend(unshown(&checked.file, severity, checked.count(severity) - findings.len()));
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
fn project(file: &Path, stack: &StackOptions) -> Result<Checked, Trouble> {
    std::fs::metadata(file).map_err(|problem| {
        Trouble::new(format!("the project file {} cannot be read: {problem}", file.display())).hint("check the path")
    })?;
    let checked = Project::load_with(file, stack).and_then(|project| {
        note(project.notes(), Look::of_stderr());
        project.functions(Arc::new(|_| {}))?;
        let problems = project.broken();
        if problems.is_empty() { Ok(()) } else { Err(ProjectError { problems }) }
    });
    let found = checked.err().map(|error| problems(&error, Severity::Error)).unwrap_or_default();
    Ok(Checked { file: file.display().to_string(), found, more: (0, 0) })
}

/// A definition; or the state machines of a template, and what is wrong with the template itself.
fn definitions(file: &Path, args: &Check) -> Result<Vec<Checked>, Trouble> {
    let wanted = Wanted { unbound: true, ..args.stack.wanted(args.state_machine.as_deref()) };
    let is_template = is_template(file);
    let (mut all, mut project) = (Vec::new(), None);
    let wrong = |problems: Vec<Found>| Checked { file: file.display().to_string(), found: problems, more: (0, 0) };
    for opened in Project::open_all(file, place::named_project(args.project.as_deref()).as_deref(), &wanted)? {
        all.push(match opened {
            Ok(opened) => {
                let machine = if is_template { format!(" ({})", opened.name) } else { String::new() };
                let checked = definition(format!("{}{machine}", file.display()), &opened);
                project = Some(opened.project);
                checked
            }
            Err(error) => wrong(problems(&error, Severity::Error)),
        });
    }
    if let Some(project) = project.filter(|_| is_template) {
        note(project.notes(), Look::of_stderr());
        let broken: Vec<Problem> = project.broken();
        if !broken.is_empty() {
            all.push(wrong(broken.iter().map(|problem| Found::of_project(problem, Severity::Error)).collect()));
        }
    }
    Ok(all)
}

fn from_stdin(args: &Check) -> Result<Checked, Trouble> {
    let opened = opened_stdin(args, &read_stdin("the definition")?)?;
    Ok(definition(find::STDIN.to_owned(), &opened))
}

/// A definition that came on stdin, in the project of this folder.
fn opened_stdin(args: &Check, text: &str) -> Result<Opened, Trouble> {
    let format = if text.trim_start().starts_with('{') { Format::Json } else { Format::Yaml };
    let named = place::named_project(args.project.as_deref());
    let project = Project::of_definition_with(Path::new(find::STDIN), named.as_deref(), &args.stack.options())?;
    let (source, needs) = match project.file {
        Some(_) => (project.source(find::STDIN, text)?, Vec::new()),
        None => project.unbound(find::STDIN, text),
    };
    let options = Options { format, ..Options::default() };
    Ok(Opened { project, name: "stdin".to_owned(), logical_id: None, source, options, notes: Vec::new(), needs })
}

/// A definition: what is wrong with it, and what keeps it from running here.
fn definition(file: String, opened: &Opened) -> Checked {
    let Opened { project, source, .. } = opened;
    let loaded = load(source, &opened.options);
    let mut found: Vec<Found> =
        loaded.diagnostics.iter().map(|diagnostic| Found::of_definition(source, diagnostic)).collect();
    let kept = |severity| found.iter().filter(|found| found.finding.severity == severity).count();
    let more = [Severity::Error, Severity::Warning].map(|severity| loaded.count(severity) - kept(severity));
    found.extend(opened.needs.iter().map(Found::needs_value));
    let is_bound = opened.needs.is_empty() && (project.file.is_some() || !source.text().contains("${"));
    if let Some(definition) = loaded.definition.filter(|_| is_bound) {
        let here = project.functions(Arc::new(|_| {}));
        let here = here.and_then(|functions| project.check(source, &definition, &functions, &Mocks::default()));
        found.extend(here.err().map(|error| problems(&error, Severity::Warning)).unwrap_or_default());
    }
    Checked { file, found, more: more.into() }
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
