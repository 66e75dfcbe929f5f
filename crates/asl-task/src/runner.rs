//! What runs the Tasks of a definition, for people who ask before anything runs.

use crate::aws::Choice;
use crate::backend::{Backends, Missing};
use asl_syntax::model::{Definition, State, StateKind, Task};
use asl_syntax::{Resource, ResourceKind};
use std::sync::Arc;

/// What runs a Task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runner {
    /// The program itself: tables, topics, queues, buses, buckets, executions.
    Embedded,
    /// A function: its name, where it is written in the definition.
    Function(Option<Arc<str>>),
    /// Workers that ask for tasks of this activity.
    Activity(Arc<str>),
    /// A request to a web address, sent by the program.
    Http,
    /// AWS, or what stands in for it: the service as an `aws-sdk` resource names it.
    Aws(Arc<str>),
    /// A mock answers; without one the state is refused.
    Mock,
}

/// A Task state, and what runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRunner {
    /// The state.
    pub state: Arc<str>,
    /// Its `Resource`.
    pub resource: Arc<str>,
    /// What runs it, or why nothing does.
    pub runner: Result<Runner, Missing>,
}

impl Backends {
    /// Every Task state of a definition with what runs it, in the order in which the definition has them.
    pub fn runners(&self, definition: &Definition) -> Vec<TaskRunner> {
        let tasks = definition.states.iter().filter_map(|state| match &state.kind {
            StateKind::Task(task) => {
                let runner = self.runner(state, task);
                Some(TaskRunner { state: state.name.clone(), resource: task.resource.arn.clone(), runner })
            }
            _ => None,
        });
        tasks.collect()
    }

    fn runner(&self, state: &State, task: &Task) -> Result<Runner, Missing> {
        if self.mocks.contains(&state.name) || self.is_mocked(&task.resource) {
            return Ok(Runner::Mock);
        }
        let backend = self.resolve(&task.resource)?;
        backend.check(state.parameters.as_ref())?;
        Ok(backend.runner(state.parameters.as_ref()))
    }

    /// Whether `[backends]` leaves a resource to mocks.
    fn is_mocked(&self, resource: &Resource) -> bool {
        let choices = self.aws.choices();
        let chosen = match &resource.kind {
            ResourceKind::Lambda { .. } => choices.of("lambda", false),
            ResourceKind::Service { service, sdk, .. } => choices.of(service, *sdk),
            ResourceKind::Activity { .. } => None,
        };
        chosen == Some(Choice::Mock)
    }
}
