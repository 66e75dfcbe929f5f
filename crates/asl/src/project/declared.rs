//! Whether what a definition names is declared, as far as that can be known before it runs.

use super::error::Problem;
use super::{Project, shown};
use asl_syntax::model::{Definition, State, StateKind};
use asl_syntax::{ResourceKind, Source};
use asl_value::{Build, Span, Value, parse_with};
use std::sync::Arc;

impl Project {
    /// The tables, topics, queues and functions that the Task states of `definition` name in so many words (not by a
    /// path) and that the project does not declare.
    pub fn undeclared(&self, source: &Source, definition: &Definition) -> Vec<Problem> {
        definition.states.iter().filter_map(|state| self.undeclared_by(source, state)).collect()
    }

    fn undeclared_by(&self, source: &Source, state: &State) -> Option<Problem> {
        let StateKind::Task(task) = &state.kind else { return None };
        let ResourceKind::Service { service, action, .. } = &task.resource.kind else { return None };
        let (what, fields): (_, &[&str]) = match (&**service, &**action) {
            ("dynamodb", _) => ("table", &["TableName"]),
            ("sns", _) => ("topic", &["TopicArn", "TargetArn"]),
            ("sqs", _) => ("queue", &["QueueUrl"]),
            ("lambda", "invoke") => ("function", &["FunctionName"]),
            _ => return None,
        };
        let parameters = state.parameters.as_ref()?;
        let (field, reference) = fields.iter().find_map(|field| Some((*field, parameters.literal(field)?.as_str()?)))?;
        let name = name_in(reference);
        let declared: Vec<&str> = match what {
            "table" => self.services.tables.keys().map(String::as_str).collect(),
            "topic" => self.services.topics.keys().map(String::as_str).collect(),
            "queue" => self.services.queues.keys().map(String::as_str).collect(),
            _ => self.functions.iter().map(|spec| spec.name.as_str()).collect(),
        };
        if declared.contains(&name) {
            return None;
        }
        let mut problem =
            Problem::new(source.name(), source.original(), format!("state `{}`: there is no {what} `{name}`", state.name));
        problem.span = field_span(source, &state.name, &["Parameters", field])
            .or_else(|| field_span(source, &state.name, &["Arguments", field]));
        let file = self.file.as_deref().map_or_else(|| "a file asl.toml beside the definition".to_owned(), shown);
        let others = if declared.is_empty() { String::new() } else { format!(" (declared: {})", declared.join(", ")) };
        problem.help = Some(format!("declare it under [{what}s.{name}] in {file}{others}"));
        Some(problem)
    }
}

/// The name in a name, an ARN or a queue's URL.
fn name_in(reference: &str) -> &str {
    if let Some((_, function)) = reference.rsplit_once("function:") {
        return function.split(':').next().unwrap_or(function);
    }
    match reference.starts_with("arn:") || reference.contains("://") {
        true => reference.rsplit([':', '/']).next().unwrap_or(reference),
        // A function's name may carry a qualifier.
        false => reference.split(':').next().unwrap_or(reference),
    }
}

/// Where a field of a state stands in the original text of a JSON definition; `fields` leads to it from the state.
pub fn field_span(source: &Source, state: &str, fields: &[&str]) -> Option<Span> {
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
