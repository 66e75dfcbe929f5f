//! Whether what a definition names is declared, as far as that can be known before it runs.

use super::error::{Problem, ProjectError};
use super::{Project, shown};
use crate::places::Places;
use asl_syntax::Source;
use asl_syntax::Span;
use asl_syntax::model::{Definition, StateKind};
use asl_task::function::FunctionSet;
use asl_task::mock::Mocks;
use asl_task::{Backends, Unsupported};
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
        let backends = self.backends(functions, mocks)?;
        let places = Places::of(source);
        let problems: Vec<Problem> = backends
            .unsupported(definition)
            .iter()
            .map(|unsupported| {
                if let Some(problem) = self.absent(&places, source, unsupported) {
                    return problem;
                }
                let missing = &unsupported.missing;
                let message = format!("state `{}` cannot run here: {}", unsupported.state, missing.message);
                let mut problem = Problem::new(source.name(), source.original(), message);
                problem.span = place(&places, source, definition, &backends, unsupported);
                problem.help = missing.hint.as_ref().map(|hint| self.placed(hint));
                problem
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(ProjectError { problems }) }
    }

    /// A hint that says which file is the project file.
    pub(super) fn placed(&self, hint: &str) -> String {
        match (&self.file, &self.stack) {
            (Some(file), _) => hint.replace("the project file", &shown(file)),
            (None, Some(stack)) => {
                hint.replace("the project file", &format!("an asl.toml beside {}, or a resource to it", stack.name))
            }
            (None, None) => hint.replace("the project file", "a file asl.toml beside the definition"),
        }
    }

    /// The resource of the template that keeps a state from running, told at its place there: the state names it.
    fn absent(&self, places: &Places, source: &Source, unsupported: &Unsupported) -> Option<Problem> {
        let stack = self.stack.as_ref()?;
        let text = places.text(&unsupported.state)?;
        let longest = stack.absent.iter().filter(|absent| !absent.name.is_empty() && names(text, &absent.name));
        let mut problem = longest.max_by_key(|absent| absent.name.len())?.problem.clone();
        let what = format!("state `{}` of {} needs it", unsupported.state, source.name());
        problem.message = format!("{}; {what}", problem.message);
        Some(*problem)
    }

    /// What the tasks of this project's definitions can call.
    pub(crate) fn backends(&self, functions: &FunctionSet, mocks: &Mocks) -> Result<Backends, ProjectError> {
        let services = Arc::new(self.services()?);
        let mut backends = Backends::new(functions.clone(), services);
        (backends.mocks, backends.buckets) = (mocks.clone(), self.buckets());
        (backends.aws, backends.http) = (self.aws.clone(), self.http.clone());
        Ok(backends)
    }
}

/// Whether a text has a name in it, and not as a part of a longer one.
fn names(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(part) && !after.starts_with(part)
    })
}

/// The field of a state that keeps it from running: its `Resource`, or the name in its parameters.
fn place(
    places: &Places,
    source: &Source,
    definition: &Definition,
    backends: &Backends,
    unsupported: &Unsupported,
) -> Option<Span> {
    let state = &*unsupported.state;
    const NAMES: [&str; 7] =
        ["TableName", "TopicArn", "QueueUrl", "FunctionName", "StateMachineArn", "Authentication", "ApiEndpoint"];
    let StateKind::Task(task) = &definition.state(definition.find(state)?).kind else {
        let bucket = ["ItemReader", "ResultWriter"].into_iter().find_map(|part| {
            let resource = places.field(state, &[part, "Resource"])?;
            let named = source.original().get(resource.start..resource.end)?.contains(&*unsupported.resource);
            named.then(|| places.field(state, &[part, "Parameters", "Bucket"]))?
        });
        return bucket.or_else(|| places.field(state, &[]));
    };
    if backends.resolve(&task.resource).is_err() {
        return places.field(state, &["Resource"]);
    }
    let named = |field| places.field(state, &["Parameters", field]);
    NAMES.into_iter().find_map(named).or_else(|| places.field(state, &["Parameters"]))
}
