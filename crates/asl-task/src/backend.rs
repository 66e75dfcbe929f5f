//! Which backend runs which resource.

use crate::activity::Activity;
use crate::aws::{Aws, Choice, Optimized, unknown};
use crate::bucket::Buckets;
use crate::embedded::sfn::Sfn;
use crate::embedded::{Dialect, Embedded, Nest, Nested, Services};
use crate::function::{ByArn, FunctionSet, Invoke};
use crate::http::Http;
use crate::integration::Backend;
use crate::mock::Mocks;
use crate::registry::Registry;
use asl_syntax::model::{Definition, Distributed, State, StateKind};
use asl_syntax::{Pattern, Resource, ResourceKind, nearest};
use asl_value::Value;
use std::fmt;
use std::sync::Arc;

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
            _ => (
                format!("{what} is switched off"),
                "change its line under [backends] in the project file, or the --backend of the command",
            ),
        };
        Missing { message, hint: Some(hint.to_owned()) }
    }

    pub(crate) fn declaration<'n>(
        what: &str,
        section: &str,
        name: &str,
        names: impl Iterator<Item = &'n str>,
    ) -> Missing {
        let message = format!("the {what} '{name}' is not declared");
        Missing { message, hint: Some(declare(section, name, names)) }
    }
}

/// How to declare what a reference, a name, an ARN or a URL, names; and what may have been meant.
pub(crate) fn declare<'n>(section: &str, reference: &str, names: impl Iterator<Item = &'n str>) -> String {
    let after_kind = reference.rsplit_once(":function:").map_or(reference, |(_, rest)| rest);
    let name = match section {
        // What follows a function's name is its version or alias.
        "functions" => after_kind.split(':').next().unwrap_or(after_kind),
        _ => reference.rsplit([':', '/']).next().unwrap_or(reference),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let key = if !name.is_empty() && name.chars().all(plain) { name.to_owned() } else { format!("\"{name}\"") };
    match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`? Otherwise add [{section}.{key}] to the project file"),
        None => format!("add [{section}.{key}] to the project file"),
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
    /// What HTTP tasks may use.
    pub http: Http,
    /// The engine that runs executions for tasks.
    pub nest: Nest,
    /// What was resolved.
    registry: Registry,
}

impl Backends {
    /// These functions and services, and nothing else yet: set the other fields before the first [`Backends::resolve`].
    pub fn new(functions: FunctionSet, services: Arc<Services>) -> Backends {
        Backends {
            functions,
            services,
            buckets: Buckets::default(),
            mocks: Mocks::default(),
            aws: Aws::default(),
            http: Http::default(),
            nest: Nest::default(),
            registry: Registry::default(),
        }
    }

    /// What runs `resource`: found once, when the first definition that has it is checked, and kept.
    ///
    /// # Errors
    /// Why nothing here does.
    pub fn resolve(&self, resource: &Resource) -> Result<Backend, Missing> {
        self.registry.resolve(&resource.arn, || self.find(resource))
    }

    fn find(&self, resource: &Resource) -> Result<Backend, Missing> {
        match &resource.kind {
            ResourceKind::Lambda { function } => self.function(resource, function),
            ResourceKind::Activity { name } => self.activity(name),
            ResourceKind::Service { service, action, sdk, pattern } => {
                self.integration(service, action, *sdk, *pattern)
            }
        }
    }

    fn activity(&self, name: &str) -> Result<Backend, Missing> {
        match self.services.has_activity(name) || self.services.is_open_to_clients() {
            true => Ok(Backend::new(Activity { name: name.into() })),
            false => Err(Missing::declaration("activity", "activities", name, self.services.activity_names())),
        }
    }

    fn function(&self, resource: &Resource, function: &str) -> Result<Backend, Missing> {
        match self.aws.choices().of("lambda", false) {
            Some(Choice::Aws) => Ok(self.aws.function(&resource.arn)),
            Some(choice @ (Choice::Mock | Choice::Off)) => Err(Missing::chosen(&resource.arn, choice)),
            _ if self.functions.contains(function) => {
                Ok(Backend::new(ByArn { functions: self.functions.clone(), arn: resource.arn.clone() }))
            }
            _ => Err(Missing::declaration("function", "functions", function, self.functions.names())),
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
            Some(Choice::Aws) => return self.aws.action(service, action, sdk, pattern),
            Some(Choice::Embedded) | None => {}
        }
        if (&**service, &**action, sdk) == ("http", "invoke", false) {
            return self.http.invoke();
        }
        if (&**service, &**action, sdk) == ("lambda", "invoke", false) {
            return Ok(Backend::new(Invoke { functions: self.functions.clone() }));
        }
        if sdk && &**service == "s3" && crate::s3::has(action) && self.buckets.names().next().is_some() {
            return Ok(Backend::new(crate::s3::S3 { buckets: self.buckets.clone(), action: action.clone() }));
        }
        if (&**service, &**action, sdk) == ("states", "startExecution", false) {
            return Ok(Backend::new(Nested { nest: self.nest.clone(), pattern }));
        }
        if sdk && &**service == "sfn" && crate::embedded::sfn::has(action) && pattern == Pattern::RequestResponse {
            return Ok(Backend::new(Sfn { nest: self.nest.clone(), action: action.clone() }));
        }
        if embedded {
            let services = self.services.clone();
            let (service, action) = (service.clone(), action.clone());
            return Ok(Backend::new(Embedded { services, dialect, service, action }));
        }
        let name = name.trim_end_matches(pattern.suffix());
        match (sdk, Optimized::find(service)) {
            (true, _) => Err(Missing::unasked(name, &format!("aws-sdk:{service}"))),
            // What `aws` would not run either says so at once.
            (false, found) if found.is_some() || &**service == "apigateway" => {
                self.aws.action(service, action, sdk, pattern)?;
                Err(Missing::unasked(name, service))
            }
            (false, _) => Err(Missing::backend(name)),
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
                .and_then(|backend| backend.check(state.parameters.as_ref()))
                .map_err(|missing| (task.resource.arn.clone(), missing)),
            StateKind::Map(map) => match &map.distributed {
                Some(distributed) => self.check_buckets(distributed, self.mocks.contains(&state.name)),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Checks the buckets that a Distributed Map's reader, which may be mocked, and writer write down.
    fn check_buckets(&self, distributed: &Distributed, is_mocked: bool) -> Result<(), (Arc<str>, Missing)> {
        let reader =
            distributed.reader.as_ref().filter(|_| !is_mocked).map(|r| (Some(&r.resource), r.parameters.as_ref()));
        let writer = distributed.writer.as_ref().map(|w| (w.resource.as_ref(), w.parameters.as_ref()));
        for (resource, parameters) in [reader, writer].into_iter().flatten() {
            let bucket = parameters.and_then(|p| p.literal("Bucket")).and_then(Value::as_str);
            if let (Some(resource), Some(name)) = (resource, bucket)
                && !self.buckets.contains(name)
            {
                let missing = Missing::declaration("bucket", "buckets", name, self.buckets.names());
                return Err((resource.arn.clone(), missing));
            }
        }
        Ok(())
    }
}
