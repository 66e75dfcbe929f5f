//! One call of an operation: checked, signed, sent, tried again, and read.

use crate::credentials::{Cache, Credentials, CredentialsError, Profiles, Role, profiles};
use crate::endpoint::{Endpoint, EndpointError};
use crate::model::{Operation, Service};
use crate::protocol::{self, Broken, Fault, Response};
use crate::retry::{self, Again};
use crate::sign::{Scope, sign};
use crate::system::{HttpRequest, Limits, SendError, System};
use crate::time::Timestamp;
use crate::{check, custom};
use asl_value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::OnceCell;

/// How to reach AWS, or what stands in for it. What is not set is looked up in the environment and the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The region, `eu-central-1`.
    pub region: Option<String>,
    /// The profile of `~/.aws/config`.
    pub profile: Option<String>,
    /// The address of all services, `http://127.0.0.1:5000`.
    pub endpoint_url: Option<String>,
    /// The addresses of single services, by their names in resource ARNs.
    pub endpoints: BTreeMap<String, String>,
    /// Bounds of each exchange.
    pub limits: Limits,
    /// The longest body of a request, in bytes.
    pub max_request_bytes: usize,
    /// How often a call is sent at most.
    pub max_attempts: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            region: None,
            profile: None,
            endpoint_url: None,
            endpoints: BTreeMap::new(),
            limits: Limits { connect_timeout_ms: 3_000, timeout_ms: 60_000, max_response_bytes: 8 << 20 },
            max_request_bytes: 8 << 20,
            max_attempts: 3,
        }
    }
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The result, in the names and forms of AWS SDK integrations.
    pub result: Value,
    /// The HTTP status.
    pub status: u16,
    /// The response's headers.
    pub headers: Vec<(String, String)>,
}

/// Why a call gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The parameters are not the operation's; nothing was sent. The complaints are AWS's words where those are known.
    #[error("{}", .0.join("; "))]
    Parameters(Vec<String>),
    /// The service refused.
    #[error("{}: {} (status {})", .0.code, .0.message, .0.status)]
    Fault(Fault),
    /// No response, or none that can be read.
    #[error("Unable to execute HTTP request: {host}: {reason}")]
    Http {
        /// Where the request went.
        host: String,
        /// What happened.
        reason: String,
    },
    /// No credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// No place to send it.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// No region.
    #[error("no AWS region is set: give [aws] Region in the project file, AWS_REGION, or a region in the profile")]
    NoRegion,
    /// The operation cannot be called this way.
    #[error("{0}")]
    Unsupported(String),
}

/// By which credentials a call is signed.
#[derive(Clone, Copy)]
pub(crate) enum Signer<'a> {
    /// The process's own, found in the usual places.
    Own,
    /// Those of a role that the process assumes.
    Role(&'a Role),
    /// These.
    With(&'a Credentials),
    /// None: the operation is open to all.
    Nobody,
}

/// What all calls share.
pub(crate) struct Core {
    pub(crate) system: Arc<dyn System>,
    pub(crate) settings: Settings,
    pub(crate) cache: Cache,
    pub(crate) profiles: OnceCell<Arc<Profiles>>,
    /// How far the services' clock is ahead, in milliseconds.
    skew_ms: AtomicI64,
}

/// Calls operations of AWS. Cheap to clone; credentials are found once and shared.
#[derive(Clone)]
pub struct Client(Arc<Core>);

impl Client {
    /// A client; nothing is looked up before the first call.
    pub fn new(system: Arc<dyn System>, settings: Settings) -> Client {
        let (cache, profiles, skew_ms) = (Cache::default(), OnceCell::new(), AtomicI64::new(0));
        Client(Arc::new(Core { system, settings, cache, profiles, skew_ms }))
    }

    /// Calls an operation with parameters in the names of AWS SDK integrations; `token` is the idempotency token where the
    /// operation has one and the parameters have none. With a `role`, the call is made as that role.
    ///
    /// A failure that passes (no connection, 5xx, throttling) is tried again, with delays, at most
    /// [`Settings::max_attempts`] times in all.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(
        &self,
        service: &Service,
        operation: &Operation,
        parameters: &Value,
        token: &str,
        role: Option<&Role>,
    ) -> Result<Answer, CallError> {
        let signer = if operation.traits.unsigned { Signer::Nobody } else { role.map_or(Signer::Own, Signer::Role) };
        self.0.call(service, operation, parameters, token, signer, None).await
    }

    /// Sends a request once, signed by `signer`.
    pub(crate) async fn once(
        &self,
        endpoint: &Endpoint,
        unsigned: &HttpRequest,
        signer: Signer<'_>,
    ) -> Result<Response, CallError> {
        let sent = self.0.attempt(endpoint, unsigned, signer, &self.0.settings.limits).await?;
        sent.map_err(|error| http(endpoint, &error.message))
    }

    /// The address of a service, where it is not AWS's own.
    pub async fn address(&self, service: &Service) -> Option<String> {
        self.0.address(service).await
    }

    /// The region that calls go to.
    ///
    /// # Errors
    /// [`CallError::NoRegion`]
    pub async fn region(&self) -> Result<String, CallError> {
        self.0.region().await
    }
}

impl Core {
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.system.variable(name).filter(|v| !v.is_empty())
    }

    /// Whether a profile is asked for by name.
    pub(crate) fn profile_named(&self) -> bool {
        self.settings.profile.is_some() || self.variable("AWS_PROFILE").is_some()
    }

    pub(crate) fn profile_name(&self) -> String {
        let named = self.settings.profile.clone().or_else(|| self.variable("AWS_PROFILE"));
        named.unwrap_or_else(|| "default".to_owned())
    }

    async fn region(&self) -> Result<String, CallError> {
        let set = self.settings.region.clone();
        let set = set.or_else(|| self.variable("AWS_REGION")).or_else(|| self.variable("AWS_DEFAULT_REGION"));
        if let Some(region) = set {
            return Ok(region);
        }
        let files = profiles(self).await;
        let region = files.profile(&self.profile_name()).and_then(|p| p.get("region"));
        region.cloned().ok_or(CallError::NoRegion)
    }

    /// The address of a service that is not AWS's own.
    async fn address(&self, service: &Service) -> Option<String> {
        let names = [&service.resource, &service.command];
        let set = names.iter().find_map(|n| self.settings.endpoints.get(&***n)).cloned();
        if let Some(address) = set.or_else(|| self.settings.endpoint_url.clone()) {
            return Some(address);
        }
        if self.variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
            return None;
        }
        let id = service.id.replace([' ', '-'], "_");
        let variable = self.variable(&format!("AWS_ENDPOINT_URL_{}", id.to_ascii_uppercase()));
        if let Some(address) = variable.or_else(|| self.variable("AWS_ENDPOINT_URL")) {
            return Some(address);
        }
        let files = profiles(self).await;
        let profile = files.profile(&self.profile_name())?;
        files.address(profile, &id.to_ascii_lowercase())
    }

    pub(crate) async fn call(
        &self,
        service: &Service,
        operation: &Operation,
        parameters: &Value,
        token: &str,
        signer: Signer<'_>,
        region: Option<&str>,
    ) -> Result<Answer, CallError> {
        supported(service, operation)?;
        let parameters = custom::parameters(service, parameters.clone());
        let parameters = check(service, operation, &parameters, token).map_err(CallError::Parameters)?;
        let region = match region {
            Some(region) => region.to_owned(),
            None => self.region().await?,
        };
        let own = self.address(service).await;
        let mut endpoint = Endpoint::new(service, operation, &region, own.as_deref())?;
        let mut request = protocol::request(service, operation, &parameters);
        custom::request(service, operation, &parameters, &mut request).map_err(CallError::Unsupported)?;
        if request.body.len() > self.settings.max_request_bytes {
            let most = self.settings.max_request_bytes;
            return Err(CallError::Unsupported(format!("the request is longer than {most} bytes")));
        }
        endpoint.address(service, &parameters, &mut request, own.is_some())?;
        let unsigned = HttpRequest {
            method: request.method,
            secure: endpoint.secure,
            host: endpoint.host.clone(),
            path: format!("{}{}", endpoint.base, request.path),
            query: request.query_text(),
            headers: request.headers,
            body: request.body.into(),
        };
        self.attempts(service, operation, &endpoint, &unsigned, signer).await
    }

    /// Sends a request until it is answered for good.
    async fn attempts(
        &self,
        service: &Service,
        operation: &Operation,
        endpoint: &Endpoint,
        unsigned: &HttpRequest,
        signer: Signer<'_>,
    ) -> Result<Answer, CallError> {
        let mut limits = self.settings.limits;
        limits.timeout_ms = limits.timeout_ms.max(custom::longest_ms(service, operation).unwrap_or(0));
        let mut attempt = 1;
        loop {
            let sent = self.attempt(endpoint, unsigned, signer, &limits).await?;
            let (error, again) = match sent.map(|response| read(service, operation, response)) {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Unread::Fault(fault, date))) => {
                    let again = self.again(&fault, date.as_deref(), signer).await;
                    (CallError::Fault(*fault), again)
                }
                Ok(Err(Unread::Broken(broken))) => (http(endpoint, &broken.to_string()), None),
                Err(error) => (http(endpoint, &error.message), retry::of_send(error.kind)),
            };
            let Some(again) = again.filter(|_| attempt < self.settings.max_attempts) else { return Err(error) };
            let delay = retry::delay_ms(again, attempt, self.system.chance());
            tracing::debug!(host = %endpoint.host, operation = %operation.name, attempt, delay, %error, "an AWS call is tried again");
            self.system.sleep_ms(delay).await;
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        endpoint: &Endpoint,
        unsigned: &HttpRequest,
        signer: Signer<'_>,
        limits: &Limits,
    ) -> Result<Result<Response, SendError>, CallError> {
        let credentials = match signer {
            Signer::Nobody => None,
            Signer::With(credentials) => Some(credentials.clone()),
            Signer::Own => Some(self.own_credentials().await?),
            Signer::Role(role) => Some(self.role_credentials(role).await?),
        };
        let mut request = unsigned.clone();
        if let Some(credentials) = credentials {
            let now = self.system.now_ms() + self.skew_ms.load(Ordering::Relaxed);
            let at = Timestamp { nanos: 0, ..Timestamp::from_ms(now) };
            let (region, service) = (endpoint.signing_region.clone(), endpoint.signing_name.clone());
            sign(&mut request, &credentials, &Scope { region, service, at, style: endpoint.style });
        }
        request.headers.push(("User-Agent".to_owned(), concat!("asl/", env!("CARGO_PKG_VERSION")).to_owned()));
        Ok(self.system.send(&request, limits).await)
    }

    /// Whether a refused request is sent again. Corrects the clock, and forgets credentials that are over.
    async fn again(&self, fault: &Fault, date: Option<&str>, signer: Signer<'_>) -> Option<Again> {
        if let Some(skew) = retry::skew_ms(fault, date, self.system.now_ms())
            && self.skew_ms.swap(skew, Ordering::Relaxed).abs_diff(skew) > 1000
        {
            return Some(Again::Passing);
        }
        if retry::expired(fault) {
            match signer {
                Signer::Own => self.forget(None).await,
                Signer::Role(role) => self.forget(Some(role)).await,
                Signer::With(_) | Signer::Nobody => return None,
            }
            return Some(Again::Passing);
        }
        retry::of_fault(fault)
    }
}

fn http(endpoint: &Endpoint, reason: &str) -> CallError {
    CallError::Http { host: endpoint.host.clone(), reason: reason.to_owned() }
}

/// What cannot be called at all.
fn supported(service: &Service, operation: &Operation) -> Result<(), CallError> {
    let name = format!("{}:{}", service.resource, operation.name);
    if service.streams(operation) {
        return Err(CallError::Unsupported(format!(
            "{name} sends or receives a stream of events, which a task cannot"
        )));
    }
    if service.bearer && !operation.traits.unsigned {
        return Err(CallError::Unsupported(format!("{name} wants a bearer token, which AWS credentials do not give")));
    }
    if operation.traits.discovery {
        return Err(CallError::Unsupported(format!(
            "{name} wants its endpoint to be looked up first, which is not supported"
        )));
    }
    Ok(())
}

enum Unread {
    /// A refusal, and the service's date.
    Fault(Box<Fault>, Option<String>),
    Broken(Broken),
}

fn read(service: &Service, operation: &Operation, response: Response) -> Result<Answer, Unread> {
    let late = custom::refused_later(service, operation, &response);
    if response.status >= 300 || late {
        let mut fault = Fault::read(service, &response);
        if late {
            fault.status = 500;
        }
        return Err(Unread::Fault(Box::new(fault), response.header("date").map(str::to_owned)));
    }
    let result = protocol::result(service, operation, &response).map_err(Unread::Broken)?;
    let result = custom::result(service, operation, &response, result);
    Ok(Answer { result, status: response.status, headers: response.headers })
}
