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
                let missing = &unsupported.missing;
                let message = format!("state `{}` cannot run here: {}", unsupported.state, missing.message);
                let mut problem = Problem::new(source.name(), source.original(), message);
                problem.span = place(&places, source, definition, &backends, unsupported);
                problem.help = missing.hint.as_ref().map(|hint| match &self.file {
                    Some(file) => hint.replace("the project file", &shown(file)),
                    None => hint.replace("the project file", "a file asl.toml beside the definition"),
                });
                problem
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(ProjectError { problems }) }
    }

    /// What the tasks of this project's definitions can call.
    pub(crate) fn backends(&self, functions: &FunctionSet, mocks: &Mocks) -> Result<Backends, ProjectError> {
        let services = Arc::new(self.services()?);
        Ok(Backends {
            functions: functions.clone(),
            services,
            mocks: mocks.clone(),
            buckets: self.buckets(),
            aws: self.aws.clone(),
        })
    }
}

/// The field of a state that keeps it from running: its `Resource`, or the name in its parameters.
fn place(
    places: &Places<'_>,
    source: &Source,
    definition: &Definition,
    backends: &Backends,
    unsupported: &Unsupported,
) -> Option<Span> {
    let state = &*unsupported.state;
    const NAMES: [&str; 4] = ["TableName", "TopicArn", "QueueUrl", "FunctionName"];
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
