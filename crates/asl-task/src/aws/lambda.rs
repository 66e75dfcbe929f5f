//! Functions at AWS: `lambda:invoke`, and a function by its ARN.

use super::optimized::with_metadata;
use super::{Aws, role, unanswered};
use crate::backend::Missing;
use crate::integration::{Call, Integration, Mode};
use crate::runner::Runner;
use asl_aws::model::{self, Service};
use asl_aws::protocol::Fault;
use asl_aws::{Answer, CallError};
use asl_core::Failure;
use asl_syntax::model::Payload;
use asl_value::{Map, Value};
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// `arn:aws:states:::lambda:invoke`
pub(super) struct Invoke {
    pub(super) aws: Aws,
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`
pub(super) struct Function {
    pub(super) aws: Aws,
    pub(super) arn: Arc<str>,
}

impl fmt::Debug for Invoke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lambda:invoke")
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

#[async_trait]
impl Integration for Invoke {
    fn title(&self) -> String {
        format!("AWS, {self:?}")
    }

    fn runner(&self, _: Option<&Payload>) -> Runner {
        Runner::Aws("lambda".into())
    }

    fn mode(&self) -> Mode {
        Mode::Remote
    }

    fn check(&self, _parameters: Option<&Payload>) -> Result<(), Missing> {
        Ok(())
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let answer = invoke(&self.aws, call.parameters, call).await?;
        let payload = payload(&answer);
        let mut result: Map = answer.result.as_object().cloned().unwrap_or_default();
        result.insert("Payload", payload);
        Ok(with_metadata(Value::from(result), &answer))
    }
}

#[async_trait]
impl Integration for Function {
    fn title(&self) -> String {
        format!("AWS, {self:?}")
    }

    fn runner(&self, _: Option<&Payload>) -> Runner {
        Runner::Aws("lambda".into())
    }

    fn mode(&self) -> Mode {
        Mode::Remote
    }

    fn check(&self, _parameters: Option<&Payload>) -> Result<(), Missing> {
        Ok(())
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        // The event is the JSON text of the effective input, whatever that is.
        let payload = Value::from(call.parameters.to_string());
        let parameters = Value::from_iter([("FunctionName", Value::from(&self.arn)), ("Payload", payload)]);
        Ok(payload_of(&invoke(&self.aws, &parameters, call).await?))
    }
}

fn payload(answer: &Answer) -> Value {
    match answer.result.get("Payload") {
        None => Value::from(""),
        Some(_) => payload_of(answer),
    }
}

/// A function's answer: JSON, or else the text it is.
fn payload_of(answer: &Answer) -> Value {
    let payload = &answer.result["Payload"];
    match payload.as_str() {
        Some("") | None => Value::Null,
        Some(text) => text.parse().unwrap_or_else(|_| payload.clone()),
    }
}

async fn invoke(aws: &Aws, parameters: &Value, call: &Call<'_>) -> Result<Answer, Failure> {
    let service = model::service("lambda").ok_or_else(|| Failure::new("States.Runtime", "lambda is not known"))?;
    let operation =
        service.operation("invoke").ok_or_else(|| Failure::new("States.Runtime", "lambda:invoke is not known"))?;
    let parameters = with_payload(parameters)?;
    let role = role(call.role_arn);
    let answer = match aws.client().call(&service, operation, &parameters, call.key, role.as_ref()).await {
        Ok(answer) => answer,
        Err(CallError::Fault(fault)) => return Err(refused(&service, &fault)),
        Err(error) => return Err(unanswered("Lambda", error, call.parameters)),
    };
    if answer.result.get("FunctionError").is_some() {
        let text = answer.result["Payload"].as_str().unwrap_or_default();
        let thrown: Value = text.parse().unwrap_or_default();
        let name = thrown["errorType"].as_str().unwrap_or("Lambda.Unknown");
        return Err(Failure::new(name, text));
    }
    Ok(answer)
}

/// Without a payload the event is an empty object; a number or a boolean is none.
fn with_payload(parameters: &Value) -> Result<Value, Failure> {
    match parameters.get("Payload") {
        Some(Value::Number(_) | Value::Bool(_)) => {
            Err(super::not_started(parameters, &["The value for the field 'Payload' must be a STRING".to_owned()]))
        }
        None | Some(Value::Null) => {
            let mut made: Map = parameters.as_object().cloned().unwrap_or_default();
            made.insert("Payload", Value::empty_object());
            Ok(Value::from(made))
        }
        Some(_) => Ok(parameters.clone()),
    }
}

/// A refusal by Lambda itself, as the Java SDK 1 tells it.
fn refused(service: &Service, fault: &Fault) -> Failure {
    let name = service.error(&fault.code).map_or("AWSLambdaException", |e| &e.exception);
    let cause = format!(
        "{} (Service: AWSLambda; Status Code: {}; Error Code: {}; Request ID: {}; Proxy: null)",
        fault.message,
        fault.status,
        fault.code,
        fault.request_id.as_deref().unwrap_or("null")
    );
    Failure::new(format!("Lambda.{name}"), cause)
}
