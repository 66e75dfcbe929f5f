//! Which backend runs which resource.

use crate::bucket::Buckets;
use crate::embedded::{Dialect, Services};
use crate::function::FunctionSet;
use crate::mock::Mocks;
use asl_core::Failure;
use asl_syntax::model::{Definition, Distributed, Payload, State, StateKind};
use asl_syntax::{Pattern, Resource, ResourceKind};
use asl_value::Value;
use std::fmt;
use std::sync::Arc;

/// What runs a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A function by its ARN: the parameters are its event.
    Function {
        /// The ARN.
        arn: Arc<str>,
    },
    /// A function through `lambda:invoke`.
    Invoke,
    /// The embedded table, topic or queue: runs inside the journal's transaction.
    Embedded {
        /// Which form of the integration.
        dialect: Dialect,
        /// `dynamodb`, `sns`, `sqs`
        service: Arc<str>,
        /// `putItem` …
        action: Arc<str>,
    },
}

/// A state that nothing here can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The state.
    pub state: Arc<str>,
    /// Its `Resource`, or what else has no backend.
    pub resource: Arc<str>,
    /// What is missing, and what to do.
    pub message: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state '{}': {} ({})", self.state, self.message, self.resource)
    }
}

/// Everything a task can call here.
pub struct Backends {
    /// Functions.
    pub functions: FunctionSet,
    /// Table, topic and queue.
    pub services: Arc<Services>,
    /// Folders that stand for S3 buckets.
    pub buckets: Buckets,
    /// States whose tasks are not run but answered from a mock configuration.
    pub mocks: Mocks,
}

impl Backends {
    /// What runs `resource`.
    ///
    /// # Errors
    /// Why nothing here does.
    pub fn resolve(&self, resource: &Resource) -> Result<Backend, String> {
        match &resource.kind {
            ResourceKind::Lambda { function } if self.functions.contains(function) => {
                Ok(Backend::Function { arn: resource.arn.clone() })
            }
            ResourceKind::Lambda { function } => Err(format!(
                "the function '{function}' is not declared: add [functions.{function}] to the project file"
            )),
            ResourceKind::Activity { name } => Err(format!("activities ('{name}') have no local backend yet")),
            ResourceKind::Service { service, action, sdk, pattern } => {
                self.integration(service, action, *sdk, *pattern)
            }
        }
    }

    fn integration(
        &self,
        service: &Arc<str>,
        action: &Arc<str>,
        sdk: bool,
        pattern: Pattern,
    ) -> Result<Backend, String> {
        if matches!(pattern, Pattern::Sync | Pattern::Sync2) {
            return Err(format!("{service}:{action}{} has no local backend yet", pattern.suffix()));
        }
        if (&**service, &**action, sdk) == ("lambda", "invoke", false) {
            return Ok(Backend::Invoke);
        }
        let dialect = if sdk { Dialect::AwsSdk } else { Dialect::Optimized };
        if Services::supports(dialect, service, action) {
            return Ok(Backend::Embedded { dialect, service: service.clone(), action: action.clone() });
        }
        let prefix = if sdk { "aws-sdk:" } else { "" };
        Err(format!("{prefix}{service}:{action} has no local backend yet"))
    }

    /// All states of a definition that nothing here can run.
    pub fn unsupported(&self, definition: &Definition) -> Vec<Unsupported> {
        let checked = definition.states.iter().filter_map(|state| {
            let (resource, message) = self.check_state(state).err()?;
            Some(Unsupported { state: state.name.clone(), resource, message })
        });
        checked.collect()
    }

    /// Whether a state can run here; if not, its resource and why.
    fn check_state(&self, state: &State) -> Result<(), (Arc<str>, String)> {
        match &state.kind {
            StateKind::Task(_) if self.mocks.contains(&state.name) => Ok(()),
            StateKind::Task(task) => self
                .resolve(&task.resource)
                .and_then(|backend| self.check_names(&backend, state.parameters.as_ref()))
                .map_err(|message| (task.resource.arn.clone(), message)),
            StateKind::Map(map) => match &map.distributed {
                Some(distributed) => self.check_buckets(distributed),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Checks the buckets that a Distributed Map's reader and writer write down.
    fn check_buckets(&self, distributed: &Distributed) -> Result<(), (Arc<str>, String)> {
        let reader = distributed.reader.as_ref().map(|r| (Some(&r.resource), r.parameters.as_ref()));
        let writer = distributed.writer.as_ref().map(|w| (w.resource.as_ref(), w.parameters.as_ref()));
        for (resource, parameters) in [reader, writer].into_iter().flatten() {
            let bucket = parameters.and_then(|p| p.literal("Bucket")).and_then(Value::as_str);
            if let (Some(resource), Some(name)) = (resource, bucket)
                && !self.buckets.contains(name)
            {
                let message = format!("the bucket '{name}' is not declared: add [buckets.{name}] to the project file");
                return Err((resource.arn.clone(), message));
            }
        }
        Ok(())
    }

    /// Checks the names that the parameters write down: what they mean must be declared.
    fn check_names(&self, backend: &Backend, parameters: Option<&Payload>) -> Result<(), String> {
        let named = |key: &str| parameters.and_then(|p| p.literal(key)).and_then(Value::as_str);
        let hint = |section: &str, name: &str| format!("add [{section}.{name}] to the project file");
        match backend {
            Backend::Function { .. } => Ok(()),
            Backend::Invoke => match named("FunctionName") {
                Some(name) if !self.functions.contains(name) => {
                    Err(format!("the function '{name}' is not declared: {}", hint("functions", name)))
                }
                _ => Ok(()),
            },
            Backend::Embedded { service, .. } => {
                let (key, section) = match &**service {
                    "dynamodb" => ("TableName", "tables"),
                    "sns" => ("TopicArn", "topics"),
                    _ => ("QueueUrl", "queues"),
                };
                let Some(name) = named(key) else { return Ok(()) };
                let checked = self.services.check_reference(service, name);
                checked.map_err(|e| format!("{e}: {}", hint(section, name)))
            }
        }
    }

    /// Runs a task of a function.
    ///
    /// # Errors
    /// The error the state machine sees.
    pub async fn call_function(
        &self,
        backend: &Backend,
        parameters: &Value,
        request_id: &str,
    ) -> Result<Value, Failure> {
        match backend {
            Backend::Function { arn } => self.functions.invoke(arn, parameters, request_id).await,
            Backend::Invoke => self.functions.invoke_task(parameters, request_id).await,
            Backend::Embedded { service, action, .. } => {
                Err(Failure::new("States.Runtime", format!("{service}:{action} runs inside the journal's transaction")))
            }
        }
    }
}
