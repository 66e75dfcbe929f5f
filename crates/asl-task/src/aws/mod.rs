//! AWS itself, or what speaks its protocols: any `aws-sdk:SERVICE:ACTION`, and optimized integrations.
//!
//! Nothing leaves the machine unasked: a service is called only where [`Choices`] say `aws`.

mod bedrock;
mod choice;
mod emr;
mod gateway;
pub(crate) mod job;
mod lambda;
mod optimized;
mod sdk;

pub use choice::{Choice, ChoiceError, Choices};
pub use optimized::Optimized;

use crate::backend::Missing;
use crate::integration::Backend;
use asl_aws::system::{Real, System};
use asl_aws::{CallError, Client, Role, Settings, model};
use asl_core::Failure;
use asl_syntax::Pattern;
use asl_value::Value;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Which services are called at AWS, and how AWS is reached.
#[derive(Clone)]
pub struct Aws(Arc<Shared>);

struct Shared {
    choices: Choices,
    settings: Settings,
    system: OnceLock<Arc<dyn System>>,
    client: OnceLock<Client>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aws({:?})", self.0.choices)
    }
}

impl Default for Aws {
    /// No service is called at AWS.
    fn default() -> Aws {
        Aws::new(Choices::default(), Settings::default())
    }
}

impl Aws {
    /// AWS as `settings` say, for the services that `choices` say. Nothing is looked up before the first call.
    pub fn new(choices: Choices, settings: Settings) -> Aws {
        Aws(Arc::new(Shared { choices, settings, system: OnceLock::new(), client: OnceLock::new() }))
    }

    /// The same in a world of its own: other variables, files, network and time.
    pub fn with_system(self, system: Arc<dyn System>) -> Aws {
        let made = Aws::new(self.0.choices.clone(), self.0.settings.clone());
        let _ = made.0.system.set(system);
        made
    }

    /// The same with other choices.
    pub fn with_choices(&self, choices: Choices) -> Aws {
        Aws::new(choices, self.0.settings.clone())
    }

    /// The same for tests, which call nothing at AWS: where it was chosen, mocks are.
    pub fn mocked(&self) -> Aws {
        self.with_choices(self.0.choices.mocked())
    }

    /// What is chosen for each service.
    pub fn choices(&self) -> &Choices {
        &self.0.choices
    }

    /// Where calls of a service go, for people: an address, or `AWS` with the region.
    pub async fn reached(&self, service: &str) -> String {
        let client = self.client();
        let own = match model::service(service) {
            Some(service) => client.address(&service).await,
            None => None,
        };
        match (own, client.region().await) {
            (Some(address), _) => address,
            (None, Ok(region)) => format!("AWS {region}"),
            (None, Err(_)) => "AWS, without a region".to_owned(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        let system = || self.0.system.get_or_init(|| Arc::new(Real::default())).clone();
        self.0.client.get_or_init(|| Client::new(system(), self.0.settings.clone())).clone()
    }

    /// What runs a function at AWS by its ARN.
    pub(crate) fn function(&self, arn: &str) -> Backend {
        Backend::new(lambda::Function { aws: self.clone(), arn: arn.into() })
    }

    /// What runs an action at AWS.
    ///
    /// # Errors
    /// AWS has no such action, or it cannot be called from here.
    pub(crate) fn action(&self, service: &str, action: &str, sdk: bool, pattern: Pattern) -> Result<Backend, Missing> {
        if sdk {
            return sdk::Action::find(self, service, action).map(Backend::new);
        }
        if (service, action) == ("lambda", "invoke") {
            return Ok(Backend::new(lambda::Invoke { aws: self.clone() }));
        }
        match (service, action) {
            ("apigateway", "invoke") => return Ok(Backend::new(gateway::Invoke { aws: self.clone() })),
            ("bedrock", "invokeModel") => return bedrock::InvokeModel::find(self).map(Backend::new),
            _ => {}
        }
        let start = optimized::Action::find(self, service, action, pattern)?;
        if !matches!(pattern, Pattern::Sync | Pattern::Sync2) {
            return Ok(Backend::new(start));
        }
        match job::Kind::find(service, action) {
            Some(kind) => Ok(Backend::new(job::Job { start, kind, parsed: pattern == Pattern::Sync2 })),
            None => Err(Missing {
                message: format!("{service}:{action} is not waited for"),
                hint: Some("start it without .sync, and ask for it in a loop".to_owned()),
            }),
        }
    }
}

/// Why an `aws-sdk` resource names nothing that AWS has, in AWS's words; `None` where it has it.
pub(crate) fn unknown(service: &str, action: &str) -> Option<Missing> {
    let known = model::service(service).is_some_and(|s| s.operation(action).is_some() && starts_small(action));
    let message = || {
        format!(
            "The resource provided arn:aws:states:::aws-sdk:{service}:{action} is not recognized. The value is not a valid \
             resource ARN, or the resource is not available in this region."
        )
    };
    (!known).then(|| Missing { message: message(), hint: near(service, action) })
}

fn starts_small(action: &str) -> bool {
    action.starts_with(|c: char| c.is_ascii_lowercase())
}

/// What may have been meant.
fn near(service: &str, action: &str) -> Option<String> {
    let Some(found) = model::service(service) else {
        let sdk = model::resource_of(service)?;
        return Some(format!("the service is called `{sdk}` here"));
    };
    let small = |name: &str| name[..1].to_ascii_lowercase() + &name[1..];
    if let Some(same) = found.operations.iter().find(|o| o.name.eq_ignore_ascii_case(action)) {
        return Some(format!("the action is called `{}`", small(&same.name)));
    }
    let near = asl_syntax::nearest_action(action, found.operations.iter().map(|o| &*o.name))?;
    Some(format!("did you mean `{}`?", small(near)))
}

/// The session of a role that a state's `Credentials` name.
fn role(arn: Option<&str>) -> Option<Role> {
    arn.map(|arn| Role { arn: arn.to_owned(), session: "asl".to_owned(), external_id: None })
}

/// A call that never became a request.
fn not_started(parameters: &Value, complaints: &[String]) -> Failure {
    let cause =
        format!("The Parameters '{parameters}' could not be used to start the Task: [{}]", complaints.join(", "));
    Failure::new("States.Runtime", cause)
}

/// What the state machine sees of a call without an answer, apart from refusals by the service: `prefix` is the service's.
fn unanswered(prefix: &str, error: CallError, parameters: &Value) -> Failure {
    match error {
        CallError::Parameters(complaints) => not_started(parameters, &complaints),
        other => Failure::new(format!("{prefix}.SdkClientException"), other.to_string()),
    }
}
