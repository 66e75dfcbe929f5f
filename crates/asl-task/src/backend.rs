//! Which backend runs which resource.

use crate::aws::{Aws, Choice, Optimized, unknown};
use crate::bucket::Buckets;
use crate::embedded::{Dialect, Services};
use crate::function::FunctionSet;
use crate::integration::{Call, Remote};
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
    /// What is outside of this program: AWS.
    Remote(Remote),
}

/// A state that nothing here can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The state.
    pub state: Arc<str>,
    /// Its `Resource`, or what else has no backend.
    pub resource: Arc<str>,
    /// What is missing.
    pub missing: Missing,
}

/// Why nothing here runs something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What is missing.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Missing {
    fn backend(what: impl fmt::Display) -> Missing {
        Missing { message: format!("{what} has no local backend yet"), hint: Some("run it under a mock".to_owned()) }
    }

    /// What runs at AWS only, where nobody has said that it may.
    fn unasked(what: &str, service: &str) -> Missing {
        let hint =
            format!("add `\"{service}\" = \"aws\"` under [backends] in the project file, or run it under a mock");
        Missing { hint: Some(hint), ..Missing::backend(what) }
    }

    fn chosen(what: &str, choice: Choice) -> Missing {
        let (message, hint) = match choice {
            Choice::Mock => {
                (format!("{what} is answered by mocks only, and this state has none"), "add a mock for the state")
            }
            _ => (format!("{what} is switched off"), "change its line under [backends] in the project file"),
        };
        Missing { message, hint: Some(hint.to_owned()) }
    }

    fn declaration(what: &str, section: &str, name: &str) -> Missing {
        Missing {
            message: format!("the {what} '{name}' is not declared"),
            hint: Some(format!("add [{section}.{name}] to the project file")),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}: {hint}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state '{}': {} ({})", self.state, self.missing, self.resource)
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
    /// Services that are called at AWS.
    pub aws: Aws,
}

impl Backends {
    /// What runs `resource`.
    ///
    /// # Errors
    /// Why nothing here does.
    pub fn resolve(&self, resource: &Resource) -> Result<Backend, Missing> {
        match &resource.kind {
            ResourceKind::Lambda { function } => self.function(resource, function),
            ResourceKind::Activity { name } => Err(Missing::backend(format!("the activity '{name}'"))),
            ResourceKind::Service { service, action, sdk, pattern } => {
                self.integration(service, action, *sdk, *pattern)
            }
        }
    }

    fn function(&self, resource: &Resource, function: &str) -> Result<Backend, Missing> {
        match self.aws.choices().of("lambda", false) {
            Some(Choice::Aws) => Ok(Backend::Remote(self.aws.function(&resource.arn))),
            Some(choice @ (Choice::Mock | Choice::Off)) => Err(Missing::chosen(&resource.arn, choice)),
            _ if self.functions.contains(function) => Ok(Backend::Function { arn: resource.arn.clone() }),
            _ => Err(Missing::declaration("function", "functions", function)),
        }
    }

    fn integration(
        &self,
        service: &Arc<str>,
        action: &Arc<str>,
        sdk: bool,
        pattern: Pattern,
    ) -> Result<Backend, Missing> {
        let name = format!("{}{service}:{action}{}", if sdk { "aws-sdk:" } else { "" }, pattern.suffix());
        let dialect = if sdk { Dialect::AwsSdk } else { Dialect::Optimized };
        let embedded = Services::supports(dialect, service, action);
        // The API model of a service is not unpacked for what is here.
        if sdk
            && !embedded
            && let Some(missing) = unknown(service, action)
        {
            return Err(missing);
        }
        match self.aws.choices().of(service, sdk) {
            Some(choice @ (Choice::Mock | Choice::Off)) => return Err(Missing::chosen(&name, choice)),
            // A job that is waited for is not started at AWS before its polling survives a crash.
            _ if matches!(pattern, Pattern::Sync | Pattern::Sync2) => return Err(Missing::backend(name)),
            Some(Choice::Aws) => return self.aws.action(service, action, sdk).map(Backend::Remote),
            Some(Choice::Embedded) | None => {}
        }
        if (&**service, &**action, sdk) == ("lambda", "invoke", false) {
            return Ok(Backend::Invoke);
        }
        if embedded {
            return Ok(Backend::Embedded { dialect, service: service.clone(), action: action.clone() });
        }
        let name = name.trim_end_matches(pattern.suffix());
        match (sdk, Optimized::find(service)) {
            (true, _) => Err(Missing::unasked(name, &format!("aws-sdk:{service}"))),
            (false, Some(_)) => Err(Missing::unasked(name, service)),
            (false, None) => Err(Missing::backend(name)),
        }
    }

    /// All states of a definition that nothing here can run.
    pub fn unsupported(&self, definition: &Definition) -> Vec<Unsupported> {
        let checked = definition.states.iter().filter_map(|state| {
            let (resource, missing) = self.check_state(state).err()?;
            Some(Unsupported { state: state.name.clone(), resource, missing })
        });
        checked.collect()
    }

    /// Whether a state can run here; if not, its resource and why.
    fn check_state(&self, state: &State) -> Result<(), (Arc<str>, Missing)> {
        match &state.kind {
            StateKind::Task(_) if self.mocks.contains(&state.name) => Ok(()),
            StateKind::Task(task) => self
                .resolve(&task.resource)
                .and_then(|backend| self.check_names(&backend, state.parameters.as_ref()))
                .map_err(|missing| (task.resource.arn.clone(), missing)),
            StateKind::Map(map) => match &map.distributed {
                Some(distributed) => self.check_buckets(distributed),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Checks the buckets that a Distributed Map's reader and writer write down.
    fn check_buckets(&self, distributed: &Distributed) -> Result<(), (Arc<str>, Missing)> {
        let reader = distributed.reader.as_ref().map(|r| (Some(&r.resource), r.parameters.as_ref()));
        let writer = distributed.writer.as_ref().map(|w| (w.resource.as_ref(), w.parameters.as_ref()));
        for (resource, parameters) in [reader, writer].into_iter().flatten() {
            let bucket = parameters.and_then(|p| p.literal("Bucket")).and_then(Value::as_str);
            if let (Some(resource), Some(name)) = (resource, bucket)
                && !self.buckets.contains(name)
            {
                return Err((resource.arn.clone(), Missing::declaration("bucket", "buckets", name)));
            }
        }
        Ok(())
    }

    /// Checks the names that the parameters write down: what they mean must be declared.
    fn check_names(&self, backend: &Backend, parameters: Option<&Payload>) -> Result<(), Missing> {
        let named = |key: &str| parameters.and_then(|p| p.literal(key)).and_then(Value::as_str);
        match backend {
            Backend::Function { .. } => Ok(()),
            Backend::Remote(remote) => remote.check(parameters),
            Backend::Invoke => match named("FunctionName") {
                Some(name) if !self.functions.contains(name) => {
                    Err(Missing::declaration("function", "functions", name))
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
                checked.map_err(|e| Missing {
                    message: e.to_string(),
                    hint: Some(format!("add [{section}.{name}] to the project file")),
                })
            }
        }
    }

    /// Runs a task outside of the journal's transaction: a function, or a service elsewhere.
    ///
    /// # Errors
    /// The error the state machine sees.
    pub async fn call_remote(&self, backend: &Backend, call: &Call<'_>) -> Result<Value, Failure> {
        match backend {
            Backend::Function { arn } => self.functions.invoke(arn, call.parameters, call.key).await,
            Backend::Invoke => self.functions.invoke_task(call.parameters, call.key).await,
            Backend::Remote(remote) => remote.call(call).await,
            Backend::Embedded { service, action, .. } => {
                Err(Failure::new("States.Runtime", format!("{service}:{action} runs inside the journal's transaction")))
            }
        }
    }
}
