//! A template as a project, alone or under a project file: the template is read, and the files that it names are looked at.

use super::code::{self, Folders, Inline};
use super::error::{Problem, ProjectError};
use super::template::{self, Absent, CodeModel, Declared, Definition, Machine, Model, Settings};
use super::{Project, samconfig, shown};
use asl_syntax::Span;
use asl_task::embedded::{ActivitySpec, BusSpec, Identity};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a template's buckets are kept, from the project's folder.
pub(super) const BUCKETS: &str = ".asl/buckets";

/// What a template's stack is made with, over what a project file says.
#[derive(Clone, Debug, Default)]
pub struct StackOptions {
    /// The stack's name; the folder's when absent.
    pub name: Option<String>,
    /// Values of parameters.
    pub parameters: BTreeMap<String, String>,
}

/// A template that was read.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(super) file: PathBuf,
    pub(super) name: String,
    pub(super) text: Arc<str>,
    pub(super) machines: Vec<Machine>,
    pub(super) resources: Vec<Declared>,
    pub(super) absent: Vec<Absent>,
    pub(super) notes: Vec<Problem>,
    pub(super) places: BTreeMap<String, Span>,
    pub(super) inline: Vec<Inline>,
}

impl Stack {
    pub(super) fn problem(&self, span: Span, message: impl Into<String>, help: &str) -> Box<Problem> {
        let mut problem = Problem::new(&self.name, "", message);
        problem.text = self.text.clone();
        problem.span = Some(span);
        problem.help = (!help.is_empty()).then(|| help.to_owned());
        Box::new(problem)
    }

    /// The place of a key path of the services, or of the nearest one above it.
    pub(super) fn place(&self, path: &str) -> Option<Span> {
        let mut path = path;
        loop {
            if let Some(span) = self.places.get(path) {
                return Some(*span);
            }
            path = path.rsplit_once(['.', '[']).map(|(above, _)| above)?;
        }
    }
}

/// Reads a template and adds what it declares to a project.
pub(super) fn add(
    project: &mut Project,
    file: &Path,
    options: &StackOptions,
    imports: BTreeMap<String, String>,
) -> Result<(), ProjectError> {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let name = shown(&file);
    let read = match std::fs::metadata(&file) {
        Ok(found) if !found.is_file() => Err(std::io::Error::other("it is no file")),
        _ => std::fs::read_to_string(&file),
    };
    let text = read.map_err(|problem| {
        let mut unread = Problem::new(&name, "", format!("the template cannot be read: {problem}"));
        unread.help = Some("check the path; a template is YAML or JSON in UTF-8".to_owned());
        unread
    })?;
    let identity: Identity = project.identity.clone();
    let deployed = samconfig::read(&file)?;
    let stack_name = options.name.clone().or(deployed.name).unwrap_or_else(|| default_name(&file));
    // What the command and the project file say goes before what `sam deploy` is told.
    let mut parameters = deployed.parameters;
    parameters.extend(options.parameters.clone());
    let settings = Settings { identity, stack_name, parameters, imports };
    let model = template::read(&name, &text, &settings)?;
    let mut stack = Stack {
        file: file.clone(),
        name,
        text: text.into(),
        machines: model.machines.clone(),
        resources: model.resources.clone(),
        absent: model.absent.clone(),
        notes: model.notes.clone(),
        places: model.places.clone(),
        inline: Vec::new(),
    };
    let root = file.parent().unwrap_or(Path::new("/")).to_owned();
    let home = project.root.clone();
    let folders = Folders { root: &root, home: &home };
    for function in &model.functions {
        if let Some((spec, inline)) = code::function(&mut stack, folders, function) {
            project.functions.push(spec);
            stack.inline.extend(inline);
        }
    }
    services(project, &mut stack, model);
    project.stack = Some(Arc::new(stack));
    Ok(())
}

/// The folder's name; that of the stack for what `cdk` writes, and of the project's folder for what `sam build` does.
fn default_name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let parent = file.parent().unwrap_or(Path::new(""));
    let built = parent.ends_with(".aws-sam/build").then(|| parent.parent().and_then(Path::parent)).flatten();
    let folder = || built.unwrap_or(parent).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.strip_suffix(".template.json").map_or_else(folder, str::to_owned);
    template::of_stack(&name)
}

/// Tables, topics, queues and buckets. What they refer to and the template does not have is passed over.
fn services(project: &mut Project, stack: &mut Stack, model: Model) {
    let functions: BTreeSet<&str> = project.functions.iter().map(|spec| spec.name.as_str()).collect();
    let last = |reference: &str| reference.rsplit([':', '/']).next().unwrap_or(reference).to_owned();
    let mut queues = model.queues;
    let names: BTreeSet<String> = queues.keys().cloned().collect();
    let mut notes = Vec::new();
    for (name, queue) in &mut queues {
        let missing = queue.redrive_policy.as_ref().map(|p| last(&p.dead_letter_target_arn));
        if let Some(missing) = missing.filter(|target| !names.contains(target)) {
            notes.push((format!("queues.{name}.RedrivePolicy"), format!("the dead-letter queue {missing} of {name}")));
            queue.redrive_policy = None;
        }
    }
    let mut topics = model.topics;
    for (name, topic) in &mut topics {
        let mut index = 0;
        topic.subscriptions.retain(|subscription| {
            let target = last(&subscription.endpoint);
            let known = names.contains(&target) || functions.contains(target.as_str());
            if !known {
                let place = format!("topics.{name}.Subscriptions[{index}].Endpoint");
                notes.push((place, format!("the subscriber {target} of {name}")));
            }
            index += 1;
            known
        });
    }
    let mut rules = model.rules;
    for (name, rule) in &mut rules {
        rule.targets.retain(|target| {
            let service = target.arn.split(':').nth(2).unwrap_or_default();
            let name_of = last(&target.arn);
            let known = match service {
                "sqs" => names.contains(&name_of),
                "sns" => topics.contains_key(&name_of),
                "lambda" => functions.contains(name_of.as_str()),
                other => other == "states",
            };
            if !known {
                notes.push((format!("rules.{name}.Targets"), format!("the target {} of {name}", target.arn)));
            }
            known
        });
    }
    for (place, what) in notes {
        let span = stack.place(&place).unwrap_or_default();
        let note = stack.problem(span, format!("passed over: {what}, which does not run here"), "");
        stack.notes.push(*note);
    }
    project.services.tables.extend(model.tables);
    project.services.topics.extend(topics);
    project.services.buses.extend(model.buses.into_iter().map(|name| (name, BusSpec::default())));
    project.services.rules.extend(rules);
    project.services.queues.extend(queues);
    project.services.activities.extend(model.activities.into_iter().map(|name| (name, ActivitySpec::default())));
    let folder = project.root.join(BUCKETS);
    project.buckets.extend(model.buckets.into_iter().map(|name| (name.clone(), folder.join(name))));
}

/// The definition file of a machine.
pub(super) fn definition_file(stack: &Stack, machine: &Machine) -> Option<PathBuf> {
    let Definition::File(path, _) = &machine.definition else { return None };
    Some(code::located(stack.file.parent().unwrap_or(Path::new("/")), &CodeModel::Key(path.clone())))
}
