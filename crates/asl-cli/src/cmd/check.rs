//! `asl check`: definitions, without running them.

use super::{findings, load_options, read_definition};
use crate::args::Check;
use crate::exit::{Exit, Trouble, answer, say};
use crate::render::look::Look;
use crate::render::snippet;
use crate::render::text::json;
use asl::parts::syntax::{Diagnostic, Severity, Source, load, validate};
use asl::project::Project;
use std::path::Path;

pub(crate) fn check(args: Check) -> Result<Exit, Trouble> {
    let mut exit = Exit::Done;
    for file in &args.files {
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

/// Values for `${...}` come from the project, where there is one: without it they stand as they are.
fn diagnose(file: &Path, project: Option<&Path>) -> Result<(Source, Vec<Diagnostic>), Trouble> {
    let text = read_definition(file)?;
    let name = file.to_string_lossy();
    let project = Project::of_definition(file, project)?;
    let source = match project.file {
        Some(_) => project.source(&name, &text)?,
        None => Source::new(&*name, text),
    };
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
