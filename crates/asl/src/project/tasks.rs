//! What runs each Task of a definition.

use super::{Project, ProjectError};
use asl_function::Code;
use asl_syntax::model::Definition;
use asl_task::function::FunctionSet;
use asl_task::mock::Mocks;
use asl_task::{Missing, Runner, TaskRunner};
use std::sync::Arc;

/// A Task state, and what runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectTask {
    /// The state.
    pub state: Arc<str>,
    /// Its `Resource`.
    pub resource: Arc<str>,
    /// `embedded`, `function`, `command`, `activity`, `http`, `aws`, `mock`, or `nothing`.
    pub runner: &'static str,
    /// Which function or activity, which address.
    pub by: Option<String>,
    /// Why nothing runs it, and what to do about it.
    pub problem: Option<Missing>,
}

impl Project {
    /// Every Task state of a definition with what runs it. Nothing is called: where AWS is reached is looked up in the project
    /// file, the environment and the profile.
    ///
    /// # Errors
    /// The project's declarations do not fit together; never after [`Project::load`].
    pub async fn tasks(
        &self,
        definition: &Definition,
        functions: &FunctionSet,
        mocks: &Mocks,
    ) -> Result<Vec<ProjectTask>, ProjectError> {
        let mut tasks = Vec::new();
        for TaskRunner { state, resource, runner } in self.backends(functions, mocks)?.runners(definition) {
            let (mut by, mut problem) = (None, None);
            let runner = match runner {
                Ok(Runner::Embedded) => "embedded",
                Ok(Runner::Function(name)) => {
                    by = name.as_ref().map(|name| self.called().of(name).to_owned());
                    self.kind_of(name.as_deref())
                }
                Ok(Runner::Activity(name)) => {
                    by = Some(name.to_string());
                    "activity"
                }
                Ok(Runner::Http) => "http",
                Ok(Runner::Aws(service)) => {
                    by = Some(self.aws.reached(&service).await);
                    "aws"
                }
                Ok(Runner::Mock) => "mock",
                Err(missing) => {
                    let hint = missing.hint.map(|hint| self.placed(&hint));
                    problem = Some(Missing { hint, ..missing });
                    "nothing"
                }
            };
            tasks.push(ProjectTask { state, resource, runner, by, problem });
        }
        Ok(tasks)
    }

    fn kind_of(&self, function: Option<&str>) -> &'static str {
        let spec = self.functions.iter().find(|spec| Some(spec.name.as_str()) == function);
        if spec.is_some_and(|spec| matches!(spec.code, Code::Command { .. })) { "command" } else { "function" }
    }
}
