//! SAM and CloudFormation templates: text to a typed model of what a project needs of them.
//!
//! Reading has two steps, and neither touches a file. [`scope::Scope`] finds the template's sections and resources and
//! resolves values: intrinsic functions ([`function`]), conditions ([`condition`]), what `Ref` and `GetAtt` give
//! ([`reference`]) and the names that CloudFormation would make ([`name`]). `resource` reads the properties of each type that
//! has a backend here. The files that the model names are read by `super::opened` and `super::code`.
//!
//! A resource that cannot be read keeps nobody from running what does not need it: it becomes an [`Absent`], told where a
//! state needs it.

mod condition;
mod definition;
mod function;
mod globals;
mod name;
mod parameter;
mod reference;
mod resource;
mod scope;
#[cfg(test)]
mod tests;

use super::error::{Problem, ProjectError};
use asl_syntax::{Kind, Node, Origin, Source, Span, parse_template};
use asl_task::embedded::{Identity, QueueSpec, RuleSpec, TableSpec, TopicSpec};
pub(super) use name::of_stack;
use scope::Scope;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The names a template usually has, in the order they are looked for.
pub(super) const FILE_NAMES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];

/// What a stack is made with.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Region and account.
    pub(super) identity: Identity,
    /// The stack's name, which names of resources begin with.
    pub(super) stack_name: String,
    /// Values of parameters, over their defaults.
    pub(super) parameters: BTreeMap<String, String>,
    /// What other stacks export.
    pub(super) imports: BTreeMap<String, String>,
}

/// What a template declares, as far as there is something here that stands for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) machines: Vec<Machine>,
    pub(super) functions: Vec<FunctionModel>,
    pub(super) tables: BTreeMap<String, TableSpec>,
    pub(super) topics: BTreeMap<String, TopicSpec>,
    pub(super) queues: BTreeMap<String, QueueSpec>,
    /// The names of buses.
    pub(super) buses: Vec<String>,
    pub(super) rules: BTreeMap<String, RuleSpec>,
    /// The names of activities.
    pub(super) activities: Vec<String>,
    /// The names of buckets.
    pub(super) buckets: Vec<String>,
    /// Every resource: what it is and what it is called.
    pub(super) resources: Vec<Declared>,
    /// What a state may need and cannot have.
    pub(super) absent: Vec<Absent>,
    /// What is worth a quiet line.
    pub(super) notes: Vec<Problem>,
    /// Where the key paths of services (`queues.NAME.VisibilityTimeout`) stand in the template.
    pub(super) places: BTreeMap<String, Span>,
}

/// A resource of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its logical id.
    pub id: String,
    /// Its type, such as `AWS::SQS::Queue`.
    pub kind: String,
    /// What it is called: the name it has, or the one that CloudFormation would make.
    pub name: String,
    /// Whether something here stands for it.
    pub has_backend: bool,
}

/// A state machine of a template.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its logical id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Its definition.
    pub definition: Definition,
    /// The values of the definition's `${...}`.
    pub substitutions: BTreeMap<String, String>,
    /// The place of its logical id.
    pub span: Span,
}

/// Where the definition of a template's state machine is.
#[derive(Clone, Debug)]
pub enum Definition {
    /// In the template itself: the text, and which part of it came from where in the template.
    Text(Arc<str>, Vec<Origin>),
    /// A file, relative to the template, that the place names.
    File(String, Span),
    /// It cannot be read, and why.
    Unread(Box<Problem>),
}

/// A function of a template, its files not looked at yet.
#[derive(Clone, Debug)]
pub(super) struct FunctionModel {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) runtime: String,
    pub(super) handler: String,
    pub(super) code: CodeModel,
    pub(super) timeout_s: Option<u64>,
    pub(super) memory_mb: Option<u32>,
    pub(super) environment: BTreeMap<String, String>,
    /// The folders of its layers, relative to the template.
    pub(super) layers: Vec<String>,
    /// The places of its logical id and of its properties.
    pub(super) span: Span,
    pub(super) places: BTreeMap<String, Span>,
}

/// The code of a function or the content of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CodeModel {
    /// A folder or file, relative to the template.
    Path(String),
    /// An object of a bucket: `cdk` and `sam package` keep them beside the template under names that tell.
    Key(String),
    /// The text of the one module.
    Inline(String),
}

/// A resource that is not here, and what to say to a state that needs it.
#[derive(Clone, Debug)]
pub(super) struct Absent {
    /// Its name, by which a state's parameters show that the state needs it.
    pub(super) name: String,
    pub(super) problem: Box<Problem>,
    /// It is wrong in the template, and not only of a type that has no backend.
    pub(super) broken: bool,
}

/// Whether a tree is a template: it has resources, and is no definition.
pub(super) fn is_template(root: &Node) -> bool {
    root.member("Resources").is_some_and(|m| m.value.as_object().is_some()) && root.member("States").is_none()
}

/// Whether a text says of itself that it is a template, be it a good one or not.
pub(super) fn means_to_be(root: &Node) -> bool {
    let has = |name: &str| root.member(name).is_some();
    is_template(root)
        || (!has("States")
            && has("Resources")
            && (has("AWSTemplateFormatVersion") || has("Transform") || !has("StartAt")))
}

/// The tree of a template's text.
///
/// # Errors
/// It is neither YAML nor JSON, or no template.
pub(super) fn parse(file: &str, text: &str) -> Result<Node, ProjectError> {
    let source = Source::new(file, text);
    let root = parse_template(&source).map_err(|diagnostic| {
        let mut problem = Problem::new(file, text, diagnostic.message);
        (problem.span, problem.labels, problem.help) = (diagnostic.span, diagnostic.labels, diagnostic.help);
        problem
    })?;
    if is_template(&root) {
        return Ok(root);
    }
    let resources = root.member("Resources");
    let message =
        if resources.is_some() { "Resources is no object" } else { "this is no template: it has no Resources" };
    let mut problem = Problem::new(file, text, message);
    problem.span = resources.map(|member| member.value.span);
    problem.help = Some("a SAM or CloudFormation template has an object Resources at its top".to_owned());
    Err(problem.into())
}

/// Reads a template.
///
/// # Errors
/// It is no template, or its sections are no such sections. What is wrong with a resource alone is in the model.
pub(super) fn read(file: &str, text: &str, settings: &Settings) -> Result<Model, ProjectError> {
    let root = parse(file, text)?;
    let scope = Scope::new(file, text, &root, settings)?;
    Ok(resource::model(&scope))
}
