//! The state machines of a project by name: what a task that starts an execution finds.

use super::opened::{Opened, Wanted};
use super::{Project, ProjectError};
use asl_syntax::{Definition, Source};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file of a definition is named, behind the state machine's name.
const ENDS: [&str; 3] = [".asl.json", ".asl.yaml", ".asl.yml"];
/// Folders that hold what others made.
const SKIPPED: [&str; 2] = ["node_modules", "target"];
/// How deep below the project's folder a definition is looked for.
const DEPTH: usize = 8;

impl Project {
    /// The state machine with this name: of a template by its name or logical id, otherwise the definition `NAME.asl.json` (or
    /// `.yaml`, `.yml`) in the project's folder or below it, but for folders that are projects of their own. Where there is no
    /// project file, only the folder itself is looked into. `None` where there is none, and why it cannot be loaded as an error.
    pub fn state_machine(&self, name: &str) -> Option<Result<Arc<Definition>, String>> {
        self.opened_by(name).map(load)
    }

    /// Where the definition of the state machine with this name stands, if it is still `text`, substitutions made; `None` where there
    /// is no such file, or it says something else by now.
    pub fn source_of(&self, name: &str, text: &str) -> Option<Source> {
        let source = self.opened_by(name)?.ok()?.source;
        (**source.text() == *text).then_some(source)
    }

    fn opened_by(&self, name: &str) -> Option<Result<Opened, ProjectError>> {
        Some(match self.machines() {
            [] => {
                let depth = if self.file.is_some() { DEPTH } else { 0 };
                let file = definition_below(&self.root, name, depth)?;
                Project::open(&file, self.file.as_deref(), &Wanted::default())
            }
            machines if machines.iter().any(|machine| machine.id == name || machine.name == name) => {
                self.open_machine(name)
            }
            _ => return None,
        })
    }
}

fn load(opened: Result<Opened, ProjectError>) -> Result<Arc<Definition>, String> {
    let opened = opened.map_err(|error| error.to_string())?;
    let loaded = asl_syntax::load(&opened.source, &opened.options);
    let first = || loaded.diagnostics.first().map(|found| found.message.clone()).unwrap_or_default();
    loaded.definition.clone().ok_or_else(first)
}

/// The first file of that name, those of a folder before those below it.
fn definition_below(folder: &Path, name: &str, depth: usize) -> Option<PathBuf> {
    if name.is_empty() || name.contains(['/', '\\', '\0']) {
        return None;
    }
    let here = ENDS.iter().map(|end| folder.join(format!("{name}{end}"))).find(|file| file.is_file());
    if here.is_some() || depth == 0 {
        return here;
    }
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    let own = folders.iter().filter(|path| is_own(path));
    own.filter_map(|path| definition_below(path, name, depth - 1)).next()
}

/// A folder of this project; a link to one could lead around in a circle.
fn is_own(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = name.starts_with('.') || SKIPPED.contains(&&*name);
    !hidden && path.is_dir() && !path.is_symlink() && Project::in_folder(path).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_machine_is_found_by_its_name_in_its_project_alone() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let whole = r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#;
        write("asl.toml", "");
        write("flows/deep/child.asl.json", whole);
        write("broken.asl.json", "{}");
        write("other/asl.toml", "");
        write("other/theirs.asl.json", whole);
        write("node_modules/made.asl.json", whole);
        let project = Project::load(&folder.path().join("asl.toml")).unwrap();
        assert!(project.state_machine("child").unwrap().is_ok());
        assert!(project.state_machine("broken").unwrap().is_err());
        for name in ["theirs", "made", "none", "", "../asl", "flows/deep/child"] {
            assert!(project.state_machine(name).is_none(), "{name}");
        }
    }
}
