//! The state machines that a project declares: those of its template, or of the definitions in its folder.

use crate::common::find::below;
use crate::exit::Trouble;
use crate::render::log::Log;
use crate::render::snippet::Finding;
use crate::terminal::say;
use asl::parts::syntax::{Kind, Severity};
use asl::project::{Opened, Project, ProjectError, Wanted};
use asl_server::Declared;
use std::path::{Path, PathBuf};

/// The definitions of the project: those of its template, or the files `*.asl.json`, `*.asl.yaml` and `*.asl.yml` below its folder,
/// but for folders that are projects of their own. One that does not load is told, and left out.
pub(super) fn declared(project: &Project, log: &Log) -> Result<Vec<Declared>, Trouble> {
    let opened: Vec<Result<Opened, ProjectError>> = match project.machines() {
        [] if project.file.is_none() => Vec::new(),
        [] => {
            let files = files(project)?;
            files.iter().map(|file| Project::open(file, project.file.as_deref(), &Wanted::default())).collect()
        }
        machines => machines.iter().map(|machine| project.open_machine(&machine.id)).collect(),
    };
    let mut declared = Vec::new();
    for opened in opened {
        match opened.map_err(Trouble::from).and_then(declare) {
            Ok(machine) => declared.push(machine),
            Err(trouble) => {
                trouble.tell(log.look);
                say(&format!("{}: that definition is no state machine here\n", log.look.warn("warning")));
            }
        }
    }
    Ok(declared)
}

/// The files that hold the definitions.
pub(super) fn files(project: &Project) -> Result<Vec<PathBuf>, Trouble> {
    match project.machines() {
        [] if project.file.is_none() => Ok(Vec::new()),
        [] => {
            let mut files = below(&project.root, is_definition)?;
            files.retain(|file| !is_elsewhere(project, file));
            Ok(files)
        }
        machines => Ok(machines.iter().filter_map(|machine| project.definition_file(machine)).collect()),
    }
}

/// True for a file in a folder below the project's that has a project file of its own.
fn is_elsewhere(project: &Project, file: &Path) -> bool {
    let folders = file.ancestors().skip(1).take_while(|folder| **folder != *project.root);
    folders.into_iter().any(|folder| Project::in_folder(folder).is_some())
}

fn declare(opened: Opened) -> Result<Declared, Trouble> {
    let loaded = asl::parts::syntax::load(&opened.source, &opened.options);
    if loaded.definition.is_none() {
        let findings: Vec<Finding> = crate::common::definition::findings(&opened.source, &loaded, Severity::Error);
        return Err(Trouble::Places(findings));
    }
    let kind = if opened.options.kind == Kind::Express { "EXPRESS" } else { "STANDARD" };
    Ok(Declared { name: opened.name, kind, definition: opened.source.text().to_string() })
}

fn is_definition(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    [".asl.json", ".asl.yaml", ".asl.yml"].iter().any(|end| name.ends_with(end))
}
