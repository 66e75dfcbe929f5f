//! What the path of a command means: a definition with its project, or a state machine of a template.

use super::error::{Problem, ProjectError};
use super::stack::{self, StackOptions};
use super::template::{self, Definition, Machine};
use super::{FILE_NAME, Project, read, shown};
use asl_syntax::{Format, Kind, Options, Source, Span, nearest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which state machine is wanted, and how.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The name or logical id of a template's state machine; its only one when absent.
    pub state_machine: Option<String>,
    /// What the stack is made with.
    pub stack: StackOptions,
    /// Without a project, `${...}` may stand as they are.
    pub unbound: bool,
}

/// A definition that was found, with its project.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The project.
    pub project: Project,
    /// What the state machine is called.
    pub name: String,
    /// The logical id of a template's state machine.
    pub logical_id: Option<String>,
    /// Its definition, `${...}` replaced.
    pub source: Source,
    /// How the definition is to be loaded.
    pub options: Options,
    /// What is worth a quiet line.
    pub notes: Vec<Problem>,
    /// The `${...}` that nothing gives a value, where they may stand as they are.
    pub needs: Vec<Problem>,
}

impl Project {
    /// What `path`, a definition or a template, means: with the project file `explicit`, or the nearest one.
    ///
    /// # Errors
    /// The project, template or definition cannot be read; a `${...}` has no value; a template has several state machines
    /// and none is named.
    pub fn open(path: &Path, explicit: Option<&Path>, wanted: &Wanted) -> Result<Opened, ProjectError> {
        if !is_template(path) {
            return definition(path, explicit, wanted);
        }
        let project = Project::of_template(path, explicit, &wanted.stack)?;
        let machine = project.choose(wanted.state_machine.as_deref())?.clone();
        project.opened(&machine)
    }

    /// Every state machine of a template, or the one that is wanted; of a definition, itself.
    ///
    /// # Errors
    /// As [`Project::open`]; of each state machine, why its definition cannot be read.
    pub fn open_all(
        path: &Path,
        explicit: Option<&Path>,
        wanted: &Wanted,
    ) -> Result<Vec<Result<Opened, ProjectError>>, ProjectError> {
        if !is_template(path) || wanted.state_machine.is_some() {
            return Ok(vec![Ok(Project::open(path, explicit, wanted)?)]);
        }
        let project = Project::of_template(path, explicit, &wanted.stack)?;
        let machines = project.stack.as_ref().map(|stack| stack.machines.clone()).unwrap_or_default();
        Ok(machines.iter().map(|machine| project.opened(machine)).collect())
    }

    /// The project of a template: with the project file `explicit`, or the one beside it, which adds to it.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn of_template(
        template: &Path,
        explicit: Option<&Path>,
        options: &StackOptions,
    ) -> Result<Project, ProjectError> {
        let beside = || std::path::absolute(template).ok().map(|path| path.with_file_name(FILE_NAME));
        let explicit = explicit.filter(|file| !is_template(file)).map(Path::to_owned);
        match explicit.or_else(beside).filter(|file| file.is_file()) {
            Some(file) => read::load(&file, Some(template), options),
            None => read::template_alone(template, options),
        }
    }

    /// A state machine of its template, by its logical id or name.
    ///
    /// # Errors
    /// There is none, or its definition cannot be read.
    pub fn open_machine(&self, wanted: &str) -> Result<Opened, ProjectError> {
        let machine = self.choose(Some(wanted))?.clone();
        self.opened(&machine)
    }

    fn choose(&self, wanted: Option<&str>) -> Result<&Machine, ProjectError> {
        let Some(stack) = &self.stack else { return Err(Problem::new("", "", "there is no template").into()) };
        let names = || stack.machines.iter().map(|machine| machine.id.as_str()).collect::<Vec<_>>();
        let mut problem = Problem::new(&stack.name, "", "");
        match (wanted, stack.machines.as_slice()) {
            (None, [only]) => return Ok(only),
            (None, []) => problem.message = "the template has no state machine".to_owned(),
            (None, several) => {
                problem.message = format!("the template has {} state machines", several.len());
                problem.help = Some(format!("choose one with --state-machine: {}", names().join(", ")));
            }
            (Some(wanted), machines) => {
                if let Some(found) = machines.iter().find(|machine| machine.id == wanted || machine.name == wanted) {
                    return Ok(found);
                }
                problem.message = format!("the template has no state machine `{wanted}`");
                let near = nearest(wanted, names()).map(|near| format!("did you mean `{near}`?"));
                problem.help = near.or_else(|| Some(format!("it has {}", names().join(", "))));
            }
        }
        Err(problem.into())
    }

    /// A state machine of the template, ready to be loaded.
    fn opened(&self, machine: &Machine) -> Result<Opened, ProjectError> {
        let Some(stack) = &self.stack else { return Err(Problem::new("", "", "there is no template").into()) };
        let (source, format) = match &machine.definition {
            Definition::Unread(problem) => return Err((**problem).clone().into()),
            Definition::Text(text, origins) => {
                let format = if text.trim_start().starts_with(['{', '[']) { Format::Json } else { Format::Yaml };
                (self.replaced(&stack.name, text, machine).made_of(stack.text.clone(), origins.clone()), format)
            }
            Definition::File(path, span) => {
                let file = stack::definition_file(stack, machine).unwrap_or_else(|| PathBuf::from(path));
                let text = std::fs::read_to_string(&file).map_err(|problem| {
                    let message = format!("the definition {} cannot be read: {problem}", shown(&file));
                    *stack.problem(*span, message, "paths are relative to the template")
                })?;
                (self.replaced(&shown(&file), &text, machine), format_of(&file))
            }
        };
        let options = Options { format, kind: machine.kind, ..Options::default() };
        let (name, logical_id) = (machine.name.clone(), Some(machine.id.clone()));
        let (notes, needs) = (stack.notes.clone(), Vec::new());
        Ok(Opened { name, logical_id, source, options, notes, needs, project: self.clone() })
    }

    /// A definition with the values of a machine, and those of the project file over them. What has no value stays as it is,
    /// as CloudFormation leaves it.
    fn replaced(&self, name: &str, text: &str, machine: &Machine) -> Source {
        let mut values = machine.substitutions.clone();
        values.extend(self.substitutions.clone());
        match Source::with_substitutions(name, text, &values) {
            Ok(source) => source,
            Err(missing) => {
                values.extend(missing.bindings.into_iter().map(|b| (b.key.clone(), format!("${{{}}}", b.key))));
                Source::with_substitutions(name, text, &values).unwrap_or_else(|_| Source::new(name, text))
            }
        }
    }
}

/// A definition that is a file of its own; where its project is a template, the state machine there whose file it is.
fn definition(path: &Path, explicit: Option<&Path>, wanted: &Wanted) -> Result<Opened, ProjectError> {
    let text = std::fs::read_to_string(path).map_err(|problem| {
        let message = format!("the definition {} cannot be read: {problem}", path.display());
        let mut unread = Problem::new("", "", message);
        unread.help = Some("check the path; a definition is a JSON or YAML file in UTF-8".to_owned());
        unread
    })?;
    let project = Project::of_definition_with(path, explicit, &wanted.stack)?;
    if let Some(stack) = &project.stack {
        let here = std::fs::canonicalize(path).ok();
        let same = |machine: &&Machine| {
            let file = stack::definition_file(stack, machine);
            here.is_some() && file.and_then(|file| std::fs::canonicalize(file).ok()) == here
        };
        if let Some(machine) = stack.machines.iter().find(same) {
            let name = path.to_string_lossy();
            let source = project.replaced(&name, &text, machine);
            let options = Options { format: format_of(path), kind: machine.kind, ..Options::default() };
            let (name, logical_id, notes) = (machine.name.clone(), Some(machine.id.clone()), stack.notes.clone());
            return Ok(Opened { name, logical_id, source, options, notes, needs: Vec::new(), project });
        }
    }
    let name = path.to_string_lossy();
    let bound = project.file.is_some() || !wanted.unbound;
    let (source, needs) =
        if bound { (project.source(&name, &text)?, Vec::new()) } else { unbound(&project, &name, &text) };
    let options = Options { format: format_of(path), kind: Kind::Standard, ..Options::default() };
    let (name, logical_id, notes) = (machine_name(path), None, Vec::new());
    Ok(Opened { name, logical_id, source, options, notes, needs, project })
}

/// A definition without a project: its `${...}` stand as they are, but where a `Resource` is one, an ARN stands in for it, so
/// that the rest can be checked and drawn. What needs a value is told.
pub(super) fn unbound(project: &Project, name: &str, text: &str) -> (Source, Vec<Problem>) {
    let Err(missing) = Source::with_substitutions(name, text, &BTreeMap::new()) else {
        return (Source::new(name, text), Vec::new());
    };
    let is_resource = |span: &Span| {
        let (before, after) = (&text[..span.start], &text[span.end..]);
        let key = before.trim_end_matches(['"', '\'']).trim_end().strip_suffix(':').unwrap_or_default();
        key.trim_end_matches(['"', '\'']).ends_with("Resource") && after.starts_with(['"', '\'', '\n', '\r'])
    };
    let stand_in = |key: &str, spans: &[Span]| {
        let word: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{word}");
        if spans.iter().any(is_resource) { arn } else { format!("${{{key}}}") }
    };
    let values = missing.bindings.iter().map(|b| (b.key.clone(), stand_in(&b.key, &b.spans))).collect();
    let source = Source::with_substitutions(name, text, &values).unwrap_or_else(|_| Source::new(name, text));
    let mut needs = project.source(name, text).err().map(|error| error.problems).unwrap_or_default();
    for (problem, binding) in needs.iter_mut().zip(&missing.bindings) {
        problem.message = format!("`${{{}}}` needs a value", binding.key);
    }
    (source, needs)
}

fn format_of(file: &Path) -> Format {
    let yaml = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"));
    if yaml { Format::Yaml } else { Format::Json }
}

/// Whether a file is a SAM or CloudFormation template. What cannot be read is none; what says that it is one and is not
/// YAML or JSON is, so that the mistake in it is told.
pub fn is_template(file: &Path) -> bool {
    let ending = file.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    if !["yaml", "yml", "json", "template"].contains(&ending.as_str()) {
        return false;
    }
    if !file.is_file() {
        return false;
    }
    let Ok(text) = std::fs::read_to_string(file) else { return false };
    let says = text.contains("Resources")
        && ["AWS::", "Type", "AWSTemplateFormatVersion"].iter().any(|word| text.contains(word));
    if !says {
        return false;
    }
    match asl_syntax::parse_template(&Source::new("", &*text)) {
        Ok(root) => template::means_to_be(&root),
        Err(_) => text.contains("AWSTemplateFormatVersion") || text.contains("AWS::Serverless"),
    }
}

/// The template that makes a folder a project.
pub(super) fn template_in(folder: &Path) -> Option<PathBuf> {
    template::FILE_NAMES.iter().map(|name| folder.join(name)).find(|file| file.is_file() && is_template(file))
}

/// `fare` for `definitions/fare.asl.json`.
pub fn machine_name(definition: &Path) -> String {
    let name = definition.file_name().unwrap_or_default().to_string_lossy();
    let stem = ["json", "yaml", "yml", "asl"].iter().fold(&*name, |name, end| {
        name.strip_suffix(end).and_then(|stem| stem.strip_suffix('.')).filter(|stem| !stem.is_empty()).unwrap_or(name)
    });
    let allowed = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    stem.chars().map(allowed).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_after_its_file() {
        let table = [
            ("definitions/fare.asl.json", "fare"),
            ("fare.json", "fare"),
            ("a.b.asl.yaml", "a.b"),
            ("my fare.asl.yml", "my-fare"),
            (".json", ".json"),
            ("fare", "fare"),
        ];
        for (file, name) in table {
            assert_eq!(machine_name(Path::new(file)), name);
        }
    }
}
