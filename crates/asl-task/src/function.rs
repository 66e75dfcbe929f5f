//! Functions: by their ARN, and through `lambda:invoke` (spec: Task, quirks of lambda).

use crate::backend::Missing;
use crate::embedded::Identity;
use crate::integration::{Call, Integration, Mode};
use crate::runner::Runner;
use crate::sdk::http_metadata;
use asl_core::Failure;
use asl_function::{Functions, Invocation, InvokeError};
use asl_syntax::model::Payload;
use asl_value::{Map, Value};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

/// A function in the embedding program: takes an event, gives a result or an error by name.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Handles one invocation. `request_id` is the same when the engine has to ask again after a crash: use it to do
    /// things once.
    ///
    /// # Errors
    /// The error name and cause that the state machine sees.
    async fn handle(&self, event: Value, request_id: &str) -> Result<Value, Failure>;
}

#[async_trait]
impl<F, Fut> Handler for F
where
    F: Fn(Value) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Value, Failure>> + Send,
{
    async fn handle(&self, event: Value, _: &str) -> Result<Value, Failure> {
        self(event).await
    }
}

/// All functions of a project: processes and URLs, and the program's own.
#[derive(Clone)]
pub struct FunctionSet {
    processes: Option<Arc<Functions>>,
    handlers: BTreeMap<String, Arc<dyn Handler>>,
    identity: Identity,
}

impl FunctionSet {
    /// No functions yet.
    pub fn new(identity: Identity) -> FunctionSet {
        FunctionSet { processes: None, handlers: BTreeMap::new(), identity }
    }

    /// With functions that run as processes or behind URLs.
    pub fn with_processes(mut self, processes: Functions) -> FunctionSet {
        self.processes = Some(Arc::new(processes));
        self
    }

    /// True when some run inside this process, which they can end.
    pub fn run_here(&self) -> bool {
        !self.handlers.is_empty()
    }

    /// Adds a function of the embedding program. It comes before a process of the same name.
    pub fn add(&mut self, name: &str, handler: Arc<dyn Handler>) {
        self.handlers.insert(name.to_owned(), handler);
    }

    /// True when `name` (a name, a partial or a whole ARN) is one of them.
    pub fn contains(&self, name: &str) -> bool {
        let name = function_name(name);
        self.handlers.contains_key(name) || self.processes.as_ref().is_some_and(|p| p.contains(name))
    }

    /// The names of the declared functions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let processes = self.processes.iter().flat_map(|processes| processes.names());
        self.handlers.keys().map(String::as_str).chain(processes)
    }

    /// Ends all worker processes.
    pub async fn shutdown(&self) {
        if let Some(processes) = &self.processes {
            processes.shutdown().await;
        }
    }

    /// Invokes a function with a payload, as a Task whose `Resource` is the function's ARN does.
    ///
    /// # Errors
    /// The function's error, or AWS's name for what kept it from running.
    pub async fn invoke(&self, reference: &str, payload: &Value, request_id: &str) -> Result<Value, Failure> {
        let name = function_name(reference);
        if let Some(handler) = self.handlers.get(name) {
            return handler.handle(payload.clone(), request_id).await;
        }
        let Some(processes) = &self.processes else { return Err(self.not_found(reference, request_id)) };
        let invocation = Invocation {
            payload: Bytes::from(payload.to_string()),
            request_id: request_id.to_owned(),
            client_context: None,
        };
        match processes.invoke(name, invocation).await {
            Ok(bytes) => read_payload(&bytes),
            Err(InvokeError::Failed { error, cause }) => Err(Failure::new(error, cause)),
            Err(InvokeError::NoSuchFunction { .. }) => Err(self.not_found(reference, request_id)),
            Err(other) => Err(Failure::new("Lambda.SdkClientException", other.to_string())),
        }
    }

    /// `arn:aws:states:::lambda:invoke`.
    ///
    /// # Errors
    /// As [`FunctionSet::invoke`].
    pub async fn invoke_task(&self, parameters: &Value, request_id: &str) -> Result<Value, Failure> {
        let Some(reference) = parameters["FunctionName"].as_str() else {
            let cause = format!(
                "The Parameters '{parameters}' could not be used to start the Task: \
                 [The field 'FunctionName' is required but was missing]"
            );
            return Err(Failure::new("States.Runtime", cause));
        };
        let payload = read_event(&parameters["Payload"], request_id)?;
        match parameters["InvocationType"].as_str() {
            Some("DryRun") if self.contains(reference) => return Ok(invoke_result(None, 204, request_id)),
            Some("Event") if self.contains(reference) => {
                let (set, reference) = (self.clone(), reference.to_owned());
                let id = request_id.to_owned();
                // Lambda has accepted the event; what becomes of it is not the task's concern.
                tokio::spawn(async move { set.invoke(&reference, &payload, &id).await });
                return Ok(invoke_result(None, 202, request_id));
            }
            _ => {}
        }
        let answer = self.invoke(reference, &payload, request_id).await?;
        Ok(invoke_result(Some(answer), 200, request_id))
    }

    fn not_found(&self, reference: &str, request_id: &str) -> Failure {
        let arn = if reference.starts_with("arn:") {
            reference.to_owned()
        } else {
            self.identity.arn("lambda", &format!("function:{reference}"))
        };
        let qualified = if arn.matches(':').count() == 6 { format!("{arn}:$LATEST") } else { arn };
        let cause = format!(
            "Function not found: {qualified} (Service: AWSLambda; Status Code: 404; Error Code: \
             ResourceNotFoundException; Request ID: {request_id}; Proxy: null)"
        );
        Failure::new("Lambda.ResourceNotFoundException", cause)
    }
}

/// A function by its ARN: the parameters are its event.
pub(crate) struct ByArn {
    pub(crate) functions: FunctionSet,
    pub(crate) arn: Arc<str>,
}

/// A function through `lambda:invoke`.
pub(crate) struct Invoke {
    pub(crate) functions: FunctionSet,
}

impl fmt::Debug for ByArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.arn)
    }
}

impl fmt::Debug for Invoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invoke")
    }
}

#[async_trait]
impl Integration for ByArn {
    fn title(&self) -> String {
        format!("the function {}", function_name(&self.arn))
    }

    fn runner(&self, _: Option<&Payload>) -> Runner {
        Runner::Function(Some(function_name(&self.arn).into()))
    }

    fn mode(&self) -> Mode {
        Mode::Remote
    }

    fn check(&self, _parameters: Option<&Payload>) -> Result<(), Missing> {
        Ok(())
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        self.functions.invoke(&self.arn, call.parameters, call.key).await
    }
}

#[async_trait]
impl Integration for Invoke {
    fn title(&self) -> String {
        "a function".to_owned()
    }

    fn runner(&self, parameters: Option<&Payload>) -> Runner {
        let name = parameters.and_then(|p| p.literal("FunctionName")).and_then(Value::as_str);
        Runner::Function(name.map(|name| function_name(name).into()))
    }

    fn mode(&self) -> Mode {
        Mode::Remote
    }

    fn check(&self, parameters: Option<&Payload>) -> Result<(), Missing> {
        match parameters.and_then(|p| p.literal("FunctionName")).and_then(Value::as_str) {
            Some(name) if !self.functions.contains(name) => {
                Err(Missing::declaration("function", "functions", name, self.functions.names()))
            }
            _ => Ok(()),
        }
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        self.functions.invoke_task(call.parameters, call.key).await
    }
}

/// The name in a function reference: `name`, `name:qualifier`, `account:function:name` or an ARN.
fn function_name(reference: &str) -> &str {
    let rest = reference.rsplit_once("function:").map_or(reference, |(_, rest)| rest);
    rest.split(':').next().unwrap_or(rest)
}

/// The event of `lambda:invoke`: nothing is an empty object, and a string is the payload's own text (recorded AWS behaviour).
fn read_event(payload: &Value, request_id: &str) -> Result<Value, Failure> {
    match payload {
        Value::Null => Ok(Value::empty_object()),
        Value::String(text) => text.parse().map_err(|e: asl_value::ParseError| {
            let cause = format!(
                "Could not parse request body into json: Could not parse payload into json: {} (Service: AWSLambda; Status \
                 Code: 400; Error Code: InvalidRequestContentException; Request ID: {request_id}; Proxy: null)",
                e.kind
            );
            Failure::new("Lambda.InvalidRequestContentException", cause)
        }),
        event => Ok(event.clone()),
    }
}

fn read_payload(bytes: &[u8]) -> Result<Value, Failure> {
    let unreadable =
        |what: String| Failure::new("Lambda.Unknown", format!("The function's answer is not JSON: {what}"));
    let text = std::str::from_utf8(bytes).map_err(|e| unreadable(e.to_string()))?;
    if text.is_empty() {
        Ok(Value::Null)
    } else {
        text.parse().map_err(|e: asl_value::ParseError| unreadable(e.to_string()))
    }
}

/// The result of `lambda:invoke` in AWS's shape.
fn invoke_result(payload: Option<Value>, status: i64, request_id: &str) -> Value {
    let length = payload.as_ref().map_or(0, |p| p.measure().bytes);
    let mut headers = vec![
        ("X-Amz-Executed-Version", "$LATEST".to_owned()),
        ("x-amzn-Remapped-Content-Length", "0".to_owned()),
        ("Connection", "keep-alive".to_owned()),
        ("x-amzn-RequestId", request_id.to_owned()),
        ("Content-Length", length.to_string()),
        ("Content-Type", "application/json".to_owned()),
    ];
    if status != 200 {
        headers.retain(|(name, _)| !name.starts_with("X-Amz-Executed"));
    }
    let mut out = Map::new();
    if status == 200 {
        out.insert("ExecutedVersion", "$LATEST");
    }
    out.insert("Payload", payload.unwrap_or_else(|| Value::from("")));
    out.insert("SdkHttpMetadata", http_metadata(&headers, status));
    out.insert("SdkResponseMetadata", Map::from_iter([("RequestId", request_id)]));
    out.insert("StatusCode", status);
    Value::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_name_and_by_arn() {
        for reference in [
            "f",
            "f:prod",
            "123456789012:function:f",
            "arn:aws:lambda:us-east-1:123456789012:function:f",
            "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",
        ] {
            assert_eq!(function_name(reference), "f", "{reference}");
        }
    }
}
