//! Whether what a definition names is declared, as far as that can be known before it runs.

use super::error::{Problem, ProjectError};
use super::{Project, shown};
use asl_syntax::Source;
use asl_syntax::model::{Definition, StateKind};
use asl_task::function::FunctionSet;
use asl_task::mock::Mocks;
use asl_task::{Backends, Unsupported};
use asl_value::{Build, Span, Value, parse_with};
use std::sync::Arc;

impl Project {
    /// Checks that everything the Task states of `definition` call is there: that each `Resource` can run here, and that
    /// the tables, topics, queues and functions they name in so many words (not by a path) are declared.
    ///
    /// # Errors
    /// Every state that cannot run, with its place in the definition. States that `mocks` answers can always run.
    pub fn check(
        &self,
        source: &Source,
        definition: &Definition,
        functions: &FunctionSet,
        mocks: &Mocks,
    ) -> Result<(), ProjectError> {
        let services = Arc::new(self.services()?);
        let backends =
            Backends { functions: functions.clone(), services, mocks: mocks.clone(), buckets: self.buckets() };
        let unsupported = backends.unsupported(definition);
        let problems: Vec<Problem> = unsupported
            .iter()
            .map(|unsupported| {
                let missing = &unsupported.missing;
                let message = format!("state `{}` cannot run here: {}", unsupported.state, missing.message);
                let mut problem = Problem::new(source.name(), source.original(), message);
                problem.span = place(source, definition, &backends, unsupported);
                problem.help = missing.hint.as_ref().map(|hint| match &self.file {
                    Some(file) => hint.replace("the project file", &shown(file)),
                    None => hint.replace("the project file", "a file asl.toml beside the definition"),
                });
                problem
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(ProjectError { problems }) }
    }
}

/// The field of a state that keeps it from running: its `Resource`, or the name in its parameters.
fn place(source: &Source, definition: &Definition, backends: &Backends, unsupported: &Unsupported) -> Option<Span> {
    let state = &*unsupported.state;
    const NAMES: [&str; 4] = ["TableName", "TopicArn", "QueueUrl", "FunctionName"];
    let StateKind::Task(task) = &definition.state(definition.find(state)?).kind else {
        let bucket = ["ItemReader", "ResultWriter"].into_iter().find_map(|part| {
            let resource = field_span(source, state, &[part, "Resource"])?;
            let named = source.original().get(resource.start..resource.end)?.contains(&*unsupported.resource);
            named.then(|| field_span(source, state, &[part, "Parameters", "Bucket"]))?
        });
        return bucket.or_else(|| field_span(source, state, &[]));
    };
    if backends.resolve(&task.resource).is_err() {
        return field_span(source, state, &["Resource"]);
    }
    let named = |field| field_span(source, state, &["Parameters", field]);
    NAMES.into_iter().find_map(named).or_else(|| field_span(source, state, &["Parameters"]))
}

/// Where a field of a state stands in the original text of a JSON definition; `fields` leads to it from the state.
fn field_span(source: &Source, state: &str, fields: &[&str]) -> Option<Span> {
    let root = parse_with(source.original(), &mut Spans).ok()?;
    root.state(state)?.follow(fields)
}

/// A JSON document reduced to its objects and places.
enum Place {
    Other(Span),
    Array(Vec<Place>, Span),
    Object(Vec<(Arc<str>, Place)>, Span),
}

struct Spans;

impl Build for Spans {
    type Node = Place;

    fn scalar(&mut self, _: Value, span: Span) -> Place {
        Place::Other(span)
    }

    fn array(&mut self, items: Vec<Place>, span: Span) -> Place {
        Place::Array(items, span)
    }

    fn object(&mut self, members: Vec<(Arc<str>, Span, Place)>, span: Span) -> Place {
        Place::Object(members.into_iter().map(|(key, _, value)| (key, value)).collect(), span)
    }
}

impl Place {
    fn members(&self) -> &[(Arc<str>, Place)] {
        match self {
            Place::Object(members, _) => members,
            _ => &[],
        }
    }

    /// State names are unique in the whole machine, so the first one is the one.
    fn state(&self, name: &str) -> Option<&Place> {
        if let Place::Array(items, _) = self {
            return items.iter().find_map(|item| item.state(name));
        }
        self.members().iter().find_map(|(key, value)| {
            let here = value.members().iter().find(|(state, _)| &**key == "States" && &**state == name);
            here.map(|(_, place)| place).or_else(|| value.state(name))
        })
    }

    fn follow(&self, fields: &[&str]) -> Option<Span> {
        match fields.split_first() {
            None => Some(match self {
                Place::Other(span) | Place::Array(_, span) | Place::Object(_, span) => *span,
            }),
            Some((first, rest)) => {
                let (_, place) = self.members().iter().find(|(key, _)| &**key == *first)?;
                place.follow(rest)
            }
        }
    }
}
