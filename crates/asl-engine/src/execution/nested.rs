//! Executions that tasks start: found by their state machine's name or ARN, started once, waited for in the engine's own time.

use crate::client::LOOK;
use crate::client::start::StartExecution;
use crate::clock::Hold;
use crate::engine::{Engine, Inner, NAP};
use crate::error::EngineError;
use crate::machines::{Found, find, told};
use asl_core::Failure;
use asl_store::{ExecutionRow, Filter, Status};
use asl_task::embedded::{Begun, Executions, Refused, TokenAnswer, Wanted};
use asl_value::Value;
use async_trait::async_trait;
use std::sync::Weak;

/// What an engine does for the tasks of its executions.
pub(crate) struct Nursery(pub(crate) Weak<Inner>);

#[async_trait]
impl Executions for Nursery {
    async fn start(&self, wanted: &Wanted<'_>) -> Result<Begun, Failure> {
        let inner = self.engine()?.inner;
        let Found { name: state_machine, definition, about } = find(&inner, wanted).await?;
        let name = wanted.name.unwrap_or(wanted.key);
        let start = StartExecution { definition, state_machine: &state_machine, name: Some(name), input: wanted.input };
        let engine = Engine { inner };
        match Box::pin(engine.start_nested(start, about)).await {
            Ok(started) => {
                let row = engine.row(&started.arn).await.map_err(|e| refused(&e))?;
                Ok(Begun { arn: started.arn, started_ms: row.started.millis() })
            }
            Err(EngineError::AlreadyExists { .. }) => {
                let arn = engine.inner.client.identity.arn("states", &format!("execution:{state_machine}:{name}"));
                let row = engine.row(&arn).await.map_err(|e| refused(&e))?;
                if same(&engine.inner, &row, wanted).await? {
                    return Ok(Begun { arn: row.arn.as_str().into(), started_ms: row.started.millis() });
                }
                let cause = told(&format!("Execution Already Exists: '{arn}'"), "ExecutionAlreadyExists", wanted.key);
                Err(Failure::new("StepFunctions.ExecutionAlreadyExistsException", cause))
            }
            Err(error) => Err(refused(&error)),
        }
    }

    async fn describe(&self, arn: &str) -> Result<Value, Failure> {
        let inner = self.engine()?.inner;
        let row = Engine { inner: inner.clone() }.row(arn).await.map_err(|e| refused(&e))?;
        let described = inner.store.describe(row.id).await.map_err(|e| refused(&e.into()))?;
        let Some(described) = described else { return Err(refused(&EngineError::NoSuchExecution(arn.to_owned()))) };
        let (row, included) = (described.row, || Value::from_iter([("Included", true)]));
        let status = row.status.name();
        let mut members: Vec<(&str, Option<Value>)> = vec![
            ("Cause", row.cause.map(Value::from)),
            ("Error", row.error.map(Value::from)),
            ("ExecutionArn", Some(row.arn.into())),
            ("Input", Some(Value::from(&*described.input))),
            ("InputDetails", Some(included())),
            ("Name", Some(row.name.into())),
        ];
        if let Some(output) = described.output {
            members.push(("Output", Some(output.to_string().into())));
            members.push(("OutputDetails", Some(included())));
        }
        members.extend([
            ("StartDate", Some(Value::from(row.started.millis()))),
            ("StateMachineArn", Some(row.state_machine_arn.into())),
            ("Status", Some(status.into())),
            ("StopDate", row.stopped.map(|at| Value::from(at.millis()))),
        ]);
        Ok(Value::from_iter(members.into_iter().filter_map(|(name, value)| Some((name, value?)))))
    }

    async fn stop(&self, arn: &str) {
        let Ok(engine) = self.engine() else { return };
        let failure = Failure { error: None, cause: None };
        if let Err(error) = Box::pin(engine.stop(arn, failure)).await {
            tracing::warn!(execution = arn, %error, "an execution could not be stopped with the one that waited for it");
        }
    }

    async fn end(&self, arn: &str, failure: Failure) -> Result<i64, Refused> {
        let engine = self.engine().map_err(|_| gone())?;
        Box::pin(engine.stop(arn, failure)).await.map_err(|e| exception(&e))?;
        let stopped = engine.row(arn).await.map_err(|e| exception(&e))?.stopped;
        Ok(stopped.unwrap_or_else(|| engine.inner.clock.now()).millis())
    }

    async fn answer(&self, token: &str, answer: TokenAnswer) -> Result<(), Refused> {
        let engine = self.engine().map_err(|_| gone())?;
        let answered = match answer {
            TokenAnswer::Success(output) => Box::pin(engine.send_task_success(token, output)).await,
            TokenAnswer::Failure(failure) => Box::pin(engine.send_task_failure(token, failure)).await,
            TokenAnswer::Heartbeat => Box::pin(engine.send_task_heartbeat(token)).await,
        };
        answered.map_err(|e| exception(&e))
    }

    async fn list(&self, state_machine: &str, status: Option<&str>, most: u32) -> Result<Vec<Value>, Refused> {
        let engine = self.engine().map_err(|_| gone())?;
        let status = match status {
            None => None,
            Some(name) => {
                Some(Status::ALL.into_iter().find(|status| status.name() == name).ok_or_else(|| Refused {
                    code: "Validation",
                    message: format!(
                        "Value '{name}' at 'statusFilter' failed to satisfy constraint: Member must be a status"
                    ),
                })?)
            }
        };
        let name = state_machine.rsplit(':').next().unwrap_or(state_machine).to_owned();
        let filter = Filter { status, state_machine: Some(name), limit: Some(most), ..Filter::default() };
        let rows = engine.inner.store.executions(&filter).await.map_err(|e| exception(&e.into()))?;
        let item = |row: ExecutionRow| {
            let members: [(&str, Option<Value>); 6] = [
                ("ExecutionArn", Some(row.arn.into())),
                ("StateMachineArn", Some(row.state_machine_arn.into())),
                ("Name", Some(row.name.into())),
                ("Status", Some(row.status.name().into())),
                ("StartDate", Some(Value::from(row.started.millis()))),
                ("StopDate", row.stopped.map(|at| Value::from(at.millis()))),
            ];
            Value::from_iter(members.into_iter().filter_map(|(name, value)| Some((name, value?))))
        };
        Ok(rows.into_iter().map(item).collect())
    }
}

fn gone() -> Refused {
    exception(&EngineError::ShutDown)
}

/// The exception of the API that an error of the engine is.
fn exception(error: &EngineError) -> Refused {
    let (code, message) = match error {
        EngineError::InvalidToken => ("InvalidToken", "Invalid Token: 'Invalid token'".to_owned()),
        EngineError::TaskTimedOut => {
            ("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'".to_owned())
        }
        EngineError::NoSuchExecution(arn) => ("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'")),
        EngineError::TooLong { .. } => ("Validation", error.to_string()),
        error => ("Sfn", error.to_string()),
    };
    Refused { code, message }
}

impl Nursery {
    fn engine(&self) -> Result<Engine, Failure> {
        let inner = self.0.upgrade().ok_or_else(|| refused(&EngineError::ShutDown))?;
        Ok(Engine { inner })
    }
}

/// Whether an execution that has the name already is the one that is wanted: this task started it, or as at AWS it runs and has
/// the same input.
async fn same(inner: &Inner, row: &ExecutionRow, wanted: &Wanted<'_>) -> Result<bool, Failure> {
    if row.started_as.as_ref().is_some_and(|by| by.task.as_deref() == Some(wanted.key)) {
        return Ok(true);
    }
    let described = inner.store.describe(row.id).await.map_err(|e| refused(&e.into()))?;
    Ok(row.status == Status::Running && described.is_some_and(|described| *described.input == *wanted.input))
}

/// Waits for the end of an execution, in the engine's time: while it waits itself, time may be skipped.
pub(super) async fn ended(inner: &Inner, hold: &mut Hold, arn: &str) {
    loop {
        // Asked for before the header is read: an end in between is told.
        let mut end = inner.residency().subscribe(arn);
        let row = inner.store.execution(arn).await;
        let here = match row {
            Ok(Some(row)) if row.status == Status::Running => inner.residency().get(row.id).is_some(),
            Ok(_) => return,
            Err(_) => false,
        };
        let told = end.clone();
        let first = async {
            tokio::select! {
                _ = end.wait_for(Option::is_some) => {}
                // Of those that others run nobody tells us.
                () = tokio::time::sleep(if here { NAP } else { LOOK }) => {}
            }
        };
        let _: Option<()> = hold.idle(None, move || told.borrow().is_some(), first).await;
        if matches!(&*inner.residency().subscribe(arn).borrow(), Some(Err(_))) {
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn refused(error: &EngineError) -> Failure {
    let name = match error {
        EngineError::InvalidName { .. } => "StepFunctions.InvalidNameException",
        EngineError::InvalidInput(_) | EngineError::InputTooLarge { .. } | EngineError::InputTooDeep => {
            "StepFunctions.InvalidExecutionInputException"
        }
        EngineError::NoSuchExecution(_) => "StepFunctions.ExecutionDoesNotExistException",
        _ => "StepFunctions.AWSStepFunctionsException",
    };
    Failure::new(name, error.to_string())
}
