//! `aws-sdk:sfn`: what the engine that runs a task can do with executions and task tokens, asked for by the task.
//!
//! What is here changes or reads executions of this engine's store. The rest of the API (state machines, activities, versions) is a
//! server's, and is refused by name.

use super::nested::Nest;
use super::{Dialect, ServiceKind, Wanted, answer};
use crate::backend::Missing;
use crate::integration::{Call, Integration, Mode, Progress};
use asl_core::Failure;
use asl_syntax::model::Payload;
use asl_value::{Map, Value};
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// What became of a waiting task.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenAnswer {
    /// It succeeded with this output.
    Success(Value),
    /// It failed.
    Failure(Failure),
    /// It is still at work.
    Heartbeat,
}

/// Why the engine refuses: an exception of the API without its ending (`TaskDoesNotExist`), and its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub code: &'static str,
    /// What it says.
    pub message: String,
}

/// The actions that are carried out here.
const ACTIONS: [&str; 8] = [
    "sendTaskSuccess",
    "sendTaskFailure",
    "sendTaskHeartbeat",
    "startExecution",
    "startSyncExecution",
    "stopExecution",
    "describeExecution",
    "listExecutions",
];

/// Whether an action is carried out here.
pub(crate) fn has(action: &str) -> bool {
    ACTIONS.contains(&action)
}

/// An action of `aws-sdk:sfn`.
pub(crate) struct Sfn {
    pub(crate) nest: Nest,
    pub(crate) action: Arc<str>,
}

impl fmt::Debug for Sfn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "aws-sdk:sfn:{}", self.action)
    }
}

/// The parameters of a call.
struct Given<'a>(&'a Value);

impl<'a> Given<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.0[name].as_str()
    }

    fn required(&self, name: &str) -> Result<&'a str, Failure> {
        let complaint = |why: &str| {
            let cause = format!("The Parameters '{}' could not be used to start the Task: [{why}]", self.0);
            Failure::new("States.Runtime", cause)
        };
        match &self.0[name] {
            Value::Null => Err(complaint(&format!("The field '{name}' is required but was missing"))),
            Value::String(text) => Ok(text),
            _ => Err(complaint(&format!("The value for the field '{name}' must be a STRING"))),
        }
    }

    fn failure(&self) -> Failure {
        let text = |name: &str| self.text(name).map(Into::into);
        Failure { error: text("Error"), cause: text("Cause") }
    }
}

impl Sfn {
    fn waits(&self) -> bool {
        &*self.action == "startSyncExecution"
    }

    async fn answer(&self, call: &Call<'_>, given: &Given<'_>) -> Result<Map, Failure> {
        let answer = match &*self.action {
            "sendTaskSuccess" => {
                let read = given.required("Output")?.parse::<Value>();
                TokenAnswer::Success(read.map_err(|error| {
                    told(&Refused { code: "InvalidOutput", message: format!("Invalid output: '{}'", error.kind) }, call)
                })?)
            }
            "sendTaskFailure" => TokenAnswer::Failure(given.failure()),
            _ => TokenAnswer::Heartbeat,
        };
        let answered = self.nest.get()?.answer(given.required("TaskToken")?, answer).await;
        answered.map(|()| Map::new()).map_err(|refused| told(&refused, call))
    }

    async fn start(&self, call: &Call<'_>, given: &Given<'_>) -> Result<Map, Failure> {
        let wanted = Wanted {
            state_machine: given.required("StateMachineArn")?,
            name: given.text("Name"),
            input: given.text("Input").unwrap_or("{}"),
            trace_header: given.text("TraceHeader"),
            sync: self.waits(),
            key: call.key,
        };
        let begun = self.nest.get()?.start(&wanted).await.map_err(of_sdk)?;
        let started = asl_expr::Timestamp::from_millis(begun.started_ms).to_string();
        Ok(Map::from_iter([("ExecutionArn", &*begun.arn), ("StartDate", &started)]))
    }
}

#[async_trait]
impl Integration for Sfn {
    fn title(&self) -> String {
        "this engine".to_owned()
    }

    fn mode(&self) -> Mode {
        if self.waits() { Mode::Nested } else { Mode::Remote }
    }

    fn check(&self, _parameters: Option<&Payload>) -> Result<(), Missing> {
        Ok(())
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let given = Given(call.parameters);
        let body = match &*self.action {
            "sendTaskSuccess" | "sendTaskFailure" | "sendTaskHeartbeat" => self.answer(call, &given).await?,
            "startExecution" | "startSyncExecution" => self.start(call, &given).await?,
            "stopExecution" => {
                let arn = given.required("ExecutionArn")?;
                let stopped = self.nest.get()?.end(arn, given.failure()).await;
                let at_ms = stopped.map_err(|refused| told(&refused, call))?;
                Map::from_iter([("StopDate", asl_expr::Timestamp::from_millis(at_ms).to_string())])
            }
            "describeExecution" => {
                let described = self.nest.get()?.describe(given.required("ExecutionArn")?).await.map_err(of_sdk)?;
                with_dates(&described)
            }
            _ => {
                let machine = given.required("StateMachineArn")?;
                let most = given.0["MaxResults"].as_i64().filter(|most| (1..=1000).contains(most)).unwrap_or(100);
                let listed = self.nest.get()?.list(machine, given.text("StatusFilter"), most as u32).await;
                let listed = listed.map_err(|refused| told(&refused, call))?;
                let items: Value = listed.iter().map(|item| Value::from(with_dates(item))).collect();
                Map::from_iter([("Executions", items)])
            }
        };
        Ok(answer::result(ServiceKind::Queue, Dialect::AwsSdk, body, call.key, 0))
    }

    /// Of a synchronous execution: it never fails the task, its status is part of the result (as at AWS).
    async fn poll(&self, _call: &Call<'_>, started: &Value) -> Result<Progress, Failure> {
        let arn = started["ExecutionArn"].as_str().unwrap_or_default();
        let described = self.nest.get()?.describe(arn).await?;
        if described["Status"].as_str() == Some("RUNNING") {
            return Ok(Progress::Running);
        }
        let at = |date: &str| described[date].as_i64().unwrap_or_default();
        let mut body = with_dates(&described);
        let billed_ms = billed_ms(at("StopDate") - at("StartDate"));
        let billing = [("BilledDurationInMilliseconds", billed_ms), ("BilledMemoryUsedInMB", BILLED_MB)];
        body.insert("BillingDetails", Value::from_iter(billing));
        Ok(Progress::Ended(Ok(body.into())))
    }

    async fn stop(&self, _call: &Call<'_>, started: &Value) {
        if let (Ok(executions), Some(arn)) = (self.nest.get(), started["ExecutionArn"].as_str()) {
            executions.stop(arn).await;
        }
    }
}

/// The memory that AWS bills for an Express execution, at least; MB.
pub const BILLED_MB: i64 = 64;

/// What AWS bills for an Express execution that took so long, in milliseconds: each begun 100.
pub fn billed_ms(took_ms: i64) -> i64 {
    (took_ms.max(1) + 99) / 100 * 100
}

/// Times as the SDK for Java writes them, of an execution whose times are epoch milliseconds.
fn with_dates(execution: &Value) -> Map {
    let mut members = execution.as_object().cloned().unwrap_or_default();
    for date in ["StartDate", "StopDate", "RedriveDate"] {
        if let Some(at) = members.get(date).and_then(Value::as_i64) {
            members.insert(date, asl_expr::Timestamp::from_millis(at).to_string());
        }
    }
    members
}

fn told(refused: &Refused, call: &Call<'_>) -> Failure {
    let Refused { code, message } = refused;
    let cause = format!("{message} (Service: Sfn, Status Code: 400, Request ID: {})", call.key);
    Failure::new(format!("Sfn.{code}Exception"), cause)
}

/// An error that the optimized integration has, by the name that this one has for it.
fn of_sdk(failure: Failure) -> Failure {
    let error = failure.error.as_deref().and_then(|error| error.strip_prefix("StepFunctions."));
    let error = error.map(|error| match error {
        "AWSStepFunctionsException" => "Sfn.SfnException".to_owned(),
        error => format!("Sfn.{error}"),
    });
    Failure { error: error.map(Into::into).or(failure.error), ..failure }
}
