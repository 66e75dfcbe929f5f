//! What can be referred to in a template, and the bounds on resolving it.

use super::super::error::{Problem, ProjectError};
use super::globals::with_globals;
use super::{Settings, reference};
use asl_syntax::{Data, Member, Node, Span, nearest};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How deep values, names and conditions refer to each other at most.
const MAX_DEPTH: usize = 300;
/// How many values are resolved at most.
const MAX_STEPS: usize = 2_000_000;
/// How many bytes all resolved texts have at most.
const MAX_BYTES: usize = 64 << 20;
/// How long one resolved text is at most, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 1 << 20;
/// How many resources a template has at most (AWS: 500).
const MAX_RESOURCES: usize = 2_000;

/// A resource as the template has it.
pub(super) struct Resource<'t> {
    pub(super) id: &'t str,
    pub(super) kind: &'t str,
    pub(super) span: Span,
    pub(super) node: &'t Node,
    /// Its properties, with those that Globals give.
    pub(super) properties: Node,
}

impl Resource<'_> {
    /// A property.
    pub(super) fn property(&self, name: &str) -> Option<&Node> {
        self.properties.member(name).map(|member| &member.value)
    }

    /// The folder that `cdk` notes for it.
    pub(super) fn asset(&self) -> Option<&str> {
        self.node.member("Metadata")?.value.member("aws:asset:path")?.value.as_str()
    }

    pub(super) fn is(&self, kinds: &[&str]) -> bool {
        kinds.contains(&self.kind)
    }
}

/// A template's sections, and what is resolved of them so far.
pub(super) struct Scope<'t> {
    pub(super) file: &'t str,
    pub(super) text: Arc<str>,
    pub(super) settings: &'t Settings,
    pub(super) parameters: BTreeMap<&'t str, &'t Member>,
    pub(super) mappings: Option<&'t Node>,
    pub(super) conditions: BTreeMap<&'t str, &'t Member>,
    pub(super) resources: Vec<Resource<'t>>,
    pub(super) notes: Vec<Problem>,
    by_id: HashMap<&'t str, usize>,
    pub(super) memo: RefCell<Memo>,
}

/// What was resolved, and how much.
#[derive(Default)]
pub(super) struct Memo {
    pub(super) names: HashMap<String, Arc<str>>,
    pub(super) conditions: HashMap<String, bool>,
    /// The names and conditions that are being resolved.
    pub(super) open: BTreeSet<String>,
    depth: usize,
    steps: usize,
    bytes: usize,
}

/// How many nodes there are in a node.
fn size(node: &Node) -> usize {
    match &node.data {
        Data::Scalar(_) => 1,
        Data::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Data::Object(members) => 1 + members.iter().map(|m| size(&m.value)).sum::<usize>(),
    }
}

impl<'t> Scope<'t> {
    pub(super) fn new(
        file: &'t str,
        text: &str,
        root: &'t Node,
        settings: &'t Settings,
    ) -> Result<Scope<'t>, ProjectError> {
        let mut scope = Scope {
            file,
            text: text.into(),
            settings,
            parameters: BTreeMap::new(),
            mappings: root.member("Mappings").map(|m| &m.value),
            conditions: BTreeMap::new(),
            resources: Vec::new(),
            notes: Vec::new(),
            by_id: HashMap::new(),
            memo: RefCell::default(),
        };
        let mut problems = Vec::new();
        scope.parameters = scope.section(root, "Parameters", &mut problems);
        scope.conditions = scope.section(root, "Conditions", &mut problems);
        for section in ["Conditions", "Resources"] {
            root.member(section).iter().for_each(|section| scope.no_loops(&section.value, &mut problems));
        }
        scope.note_macros(root);
        scope.read_resources(root, &mut problems);
        for name in settings.parameters.keys().filter(|name| !scope.parameters.contains_key(name.as_str())) {
            let mut problem = Problem::new(file, text, format!("the template has no parameter `{name}`"));
            let known = || scope.parameters.keys().copied();
            let near = nearest(name, known()).map(|near| format!("did you mean `{near}`?"));
            problem.help = near.or_else(|| Some(format!("it has {}", known().collect::<Vec<_>>().join(", "))));
            problems.push(problem);
        }
        if problems.is_empty() { Ok(scope) } else { Err(ProjectError { problems }) }
    }

    fn section(&self, root: &'t Node, name: &str, problems: &mut Vec<Problem>) -> BTreeMap<&'t str, &'t Member> {
        let Some(section) = root.member(name).filter(|m| !m.value.is_null()) else { return BTreeMap::new() };
        if section.value.as_object().is_none() {
            problems.push(*self.problem(
                section.value.span,
                format!("`{name}` is an object"),
                "write `NAME: {...}` in it",
            ));
        }
        section.value.as_object().unwrap_or_default().iter().map(|member| (&*member.key, member)).collect()
    }

    /// Loops make resources that would be missing here without a word.
    fn no_loops(&self, node: &Node, problems: &mut Vec<Problem>) {
        node.as_array().unwrap_or_default().iter().for_each(|item| self.no_loops(item, problems));
        for member in node.as_object().unwrap_or_default() {
            if member.key.starts_with("Fn::ForEach") {
                let message = format!("{}: the loops of AWS::LanguageExtensions are not supported", member.key);
                let help = "write out what it makes; of a stack that is deployed, `aws cloudformation get-template \
                            --template-stage Processed` gives the template with its loops written out";
                problems.push(*self.problem(member.key_span, message, help));
            } else {
                self.no_loops(&member.value, problems);
            }
        }
    }

    /// What a macro would change is not known here; those of SAM and of the language's extensions are.
    fn note_macros(&mut self, root: &Node) {
        let Some(named) = root.member("Transform") else { return };
        let one = std::slice::from_ref(&named.value);
        for node in named.value.as_array().unwrap_or(one) {
            let name = node.as_str().or_else(|| node.member("Name").and_then(|name| name.value.as_str()));
            let name = name.unwrap_or("Transform");
            if !["AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"].contains(&name) {
                let message = format!("the macro {name} does not run here: the template is taken as it is written");
                let note = *self.problem(node.span, message, "write out what it would change");
                self.notes.push(note);
            }
        }
    }

    fn read_resources(&mut self, root: &'t Node, problems: &mut Vec<Problem>) {
        let members = root.member("Resources").and_then(|m| m.value.as_object()).unwrap_or_default();
        if members.len() > MAX_RESOURCES {
            let span = members[MAX_RESOURCES].key_span;
            problems.push(*self.problem(span, format!("more than {MAX_RESOURCES} resources"), "split the template"));
            return;
        }
        let globals = root.member("Globals").map(|m| &m.value);
        if globals.map_or(0, size).saturating_mul(members.len()) > MAX_STEPS {
            let span = globals.map_or(Span::default(), |globals| globals.span);
            problems.push(*self.problem(span, "Globals are too large for so many resources", "shorten them"));
            return;
        }
        for member in members {
            let kind = member.value.member("Type").and_then(|m| m.value.as_str());
            let Some(kind) = kind else {
                let help = "add `Type: AWS::...`; loops (Fn::ForEach) are not supported";
                problems.push(*self.problem(member.key_span, format!("resource `{}` has no Type", member.key), help));
                continue;
            };
            let resource = Resource {
                id: &member.key,
                kind,
                span: member.key_span,
                node: &member.value,
                properties: with_globals(kind, &member.value, globals),
            };
            // Of two with one id the last counts, as AWS reads it.
            if let Some(old) = self.by_id.get(resource.id).copied() {
                let message = format!("resource `{}` is there twice: the last one counts", member.key);
                let mut note = self.problem(member.key_span, message, "");
                note.labels.push((self.resources[old].span, "passed over".to_owned()));
                self.notes.push(*note);
                self.resources[old] = resource;
                continue;
            }
            self.by_id.insert(resource.id, self.resources.len());
            self.resources.push(resource);
        }
    }

    /// The resource with a logical id.
    pub(super) fn find(&self, id: &str) -> Option<&Resource<'t>> {
        self.by_id.get(id).map(|index| &self.resources[*index])
    }

    /// Whether a resource is made: its `Condition`, if it has one, holds.
    ///
    /// # Errors
    /// The condition cannot be told.
    pub(super) fn is_made(&self, resource: &Resource<'_>) -> Result<bool, Box<Problem>> {
        match resource.node.member("Condition") {
            Some(Member { value, .. }) => match value.as_str() {
                Some(name) => self.holds(name, value.span),
                None => {
                    Err(self.problem(value.span, "the Condition of a resource is a name", "name one of Conditions"))
                }
            },
            None => Ok(true),
        }
    }

    /// A mistake at a place of the template.
    pub(super) fn problem(&self, span: Span, message: impl Into<String>, help: impl Into<String>) -> Box<Problem> {
        let help: String = help.into();
        Box::new(Problem {
            file: self.file.to_owned(),
            text: self.text.clone(),
            span: Some(span),
            message: message.into(),
            labels: Vec::new(),
            help: (!help.is_empty()).then_some(help),
        })
    }

    /// Runs `step` one level deeper.
    ///
    /// # Errors
    /// It is too deep, or too much was resolved already.
    pub(super) fn deeper<T>(
        &self,
        span: Span,
        step: impl FnOnce() -> Result<T, Box<Problem>>,
    ) -> Result<T, Box<Problem>> {
        {
            let mut memo = self.memo.borrow_mut();
            memo.depth += 1;
            memo.steps += 1;
            let too = match (memo.depth > MAX_DEPTH, memo.steps > MAX_STEPS) {
                (true, _) => Some(format!("values refer to each other more than {MAX_DEPTH} levels deep")),
                (_, true) => Some(format!("the template needs more than {MAX_STEPS} values")),
                _ => None,
            };
            if let Some(too) = too {
                memo.depth -= 1;
                drop(memo);
                return Err(self.problem(span, too, "simplify it"));
            }
        }
        let done = step();
        self.memo.borrow_mut().depth -= 1;
        done
    }

    /// Counts a resolved text.
    ///
    /// # Errors
    /// It, or all of them together, are too long.
    pub(super) fn count(&self, bytes: usize, span: Span) -> Result<(), Box<Problem>> {
        let mut memo = self.memo.borrow_mut();
        memo.bytes = memo.bytes.saturating_add(bytes);
        if bytes > MAX_TEXT_BYTES || memo.bytes > MAX_BYTES {
            drop(memo);
            return Err(self.problem(span, format!("a text is longer than {MAX_TEXT_BYTES} bytes"), "shorten it"));
        }
        Ok(())
    }

    /// Runs `step` while a name or condition, `what`, is open: it must not need itself.
    pub(super) fn open<T>(
        &self,
        what: &str,
        span: Span,
        step: impl FnOnce() -> Result<T, Box<Problem>>,
    ) -> Result<T, Box<Problem>> {
        if !self.memo.borrow_mut().open.insert(what.to_owned()) {
            return Err(self.problem(span, format!("{what} refers to itself"), "break the circle"));
        }
        let done = self.deeper(span, step);
        self.memo.borrow_mut().open.remove(what);
        done
    }

    /// The name of a resource: its own, or the one that CloudFormation would make.
    ///
    /// # Errors
    /// Its name cannot be resolved.
    pub(super) fn physical(&self, resource: &Resource<'_>) -> Result<Arc<str>, Box<Problem>> {
        if let Some(name) = self.memo.borrow().names.get(resource.id) {
            return Ok(name.clone());
        }
        let what = format!("the name of `{}`", resource.id);
        let given = self.open(&what, resource.span, || {
            let property = reference::name_property(resource.kind).and_then(|name| resource.property(name));
            property.map_or(Ok(None), |node| self.text_of(node))
        })?;
        let name: Arc<str> = match given {
            Some(name) => name.into(),
            None => super::name::generated(&self.settings.stack_name, resource).into(),
        };
        self.memo.borrow_mut().names.insert(resource.id.to_owned(), name.clone());
        Ok(name)
    }
}
