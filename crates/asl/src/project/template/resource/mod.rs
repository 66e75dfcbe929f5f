//! From resources to the model: one file for each kind of thing.

mod function;
mod machine;
mod queue;
mod rule;
mod table;
mod topic;

use super::super::error::Problem;
use super::parameter::scalar_text;
use super::reference::{has_backend, is_passive};
use super::scope::{Resource, Scope};
use super::{Absent, Declared, Model};
use asl_syntax::Node;
use asl_value::Value;

/// What a template declares.
pub(super) fn model(scope: &Scope<'_>) -> Model {
    let mut model = Model { notes: scope.notes.clone(), ..Model::default() };
    for resource in &scope.resources {
        let made = scope.is_made(resource);
        if let Ok(false) = made {
            continue;
        }
        let name = scope.physical(resource);
        let fallback = || super::name::generated(&scope.settings.stack_name, resource);
        let called = name.as_ref().map_or_else(|_| fallback(), |name| name.to_string());
        let read = made.map(drop).and(name.map(drop)).and_then(|()| read(scope, resource, &called, &mut model));
        if let Err(problem) = read {
            model.absent.push(Absent { name: called.clone(), problem, broken: true });
        } else if !has_backend(resource.kind) {
            let what = format!("resource `{}` ({}) has no backend here", resource.id, resource.kind);
            let help = "mock the states that use it, or let them use what has one";
            let problem = scope.problem(resource.span, what, help);
            model.absent.push(Absent { name: called.clone(), problem, broken: false });
        }
        let has_backend = has_backend(resource.kind);
        let (id, kind) = (resource.id.to_owned(), resource.kind.to_owned());
        model.resources.push(Declared { id, kind, name: called, has_backend });
    }
    topic::subscribe(scope, &mut model);
    passed_over(scope, &mut model);
    model
}

/// One quiet line about what nothing here stands for.
fn passed_over(scope: &Scope<'_>, model: &mut Model) {
    let others = model.resources.iter().filter(|one| !one.has_backend && !is_passive(&one.kind));
    let names: Vec<String> = others.map(|one| format!("{} ({})", one.id, one.kind)).collect();
    if !names.is_empty() {
        let shown = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let more = if names.len() > 5 { format!(" and {} more", names.len() - 5) } else { String::new() };
        let mut note =
            Problem::new(scope.file, &scope.text, format!("passed over, with no backend here: {shown}{more}"));
        note.help = None;
        model.notes.push(note);
    }
}

fn read(scope: &Scope<'_>, resource: &Resource<'_>, name: &str, model: &mut Model) -> Result<(), Box<Problem>> {
    match resource.kind {
        "AWS::Serverless::Function" | "AWS::Lambda::Function" => function::read(scope, resource, name, model),
        "AWS::Serverless::StateMachine" | "AWS::StepFunctions::StateMachine" => {
            machine::read(scope, resource, name, model);
            Ok(())
        }
        "AWS::DynamoDB::Table" | "AWS::Serverless::SimpleTable" => table::read(scope, resource, name, model),
        "AWS::SNS::Topic" => topic::read(scope, resource, name, model),
        "AWS::SQS::Queue" => queue::read(scope, resource, name, model),
        "AWS::Events::Rule" => rule::read(scope, resource, name, model),
        "AWS::Events::EventBus" => {
            model.buses.push(name.to_owned());
            Ok(())
        }
        "AWS::StepFunctions::Activity" => {
            model.activities.push(name.to_owned());
            Ok(())
        }
        "AWS::S3::Bucket" => {
            model.buckets.push(name.to_owned());
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The properties of a resource as values.
struct Properties<'s, 't> {
    scope: &'s Scope<'t>,
    resource: &'s Resource<'t>,
}

impl Properties<'_, '_> {
    fn text(&self, name: &str) -> Result<Option<String>, Box<Problem>> {
        self.resource.property(name).map_or(Ok(None), |node| self.scope.text_of(node))
    }

    fn needed_text(&self, name: &str) -> Result<String, Box<Problem>> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> Box<Problem> {
        let message = format!("resource `{}` ({}) has no {name}", self.resource.id, self.resource.kind);
        self.scope.problem(self.resource.span, message, format!("add `{name}:` to its Properties"))
    }

    /// A property with its functions called.
    fn node(&self, name: &str) -> Result<Option<Node>, Box<Problem>> {
        self.resource.property(name).map_or(Ok(None), |node| self.scope.resolve(node))
    }

    fn value(&self, name: &str) -> Result<Option<Value>, Box<Problem>> {
        Ok(self.node(name)?.map(|node| node.to_value()).filter(|value| !value.is_null()))
    }

    fn number(&self, name: &str) -> Result<Option<u32>, Box<Problem>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number = text.parse().ok();
        number.map(Some).ok_or_else(|| self.wrong(name, &format!("{name} is a whole number, not `{text}`")))
    }

    fn flag(&self, name: &str) -> Result<bool, Box<Problem>> {
        match self.text(name)?.as_deref() {
            None => Ok(false),
            Some(word) if word.eq_ignore_ascii_case("false") => Ok(false),
            Some(word) if word.eq_ignore_ascii_case("true") => Ok(true),
            Some(other) => Err(self.wrong(name, &format!("{name} is true or false, not `{other}`"))),
        }
    }

    fn wrong(&self, name: &str, message: &str) -> Box<Problem> {
        let span = self.resource.property(name).map_or(self.resource.span, |node| node.span);
        self.scope.problem(span, message, "")
    }

    /// Notes where the properties stand, for what the services say about them.
    fn note_places(&self, prefix: &str, model: &mut Model) {
        model.places.insert(prefix.to_owned(), self.resource.span);
        for member in self.resource.properties.as_object().unwrap_or_default() {
            model.places.insert(format!("{prefix}.{}", member.key), member.value.span);
        }
    }
}

/// A member of a resolved object as text.
fn member_text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(scalar_text)
}
