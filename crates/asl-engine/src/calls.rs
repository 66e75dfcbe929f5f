//! Tasks that are out: functions at work, and what they answer.

use crate::engine::Inner;
use crate::error::EngineError;
use asl_core::{Execution, Failure, Input, Machine, TaskCall, TaskId, draw};
use asl_expr::Timestamp;
use asl_store::ServiceTx;
use asl_syntax::{Pattern, ResourceKind};
use asl_task::Backend;
use asl_task::embedded::ServiceCall;
use asl_task::mock::{Answer, Reply};
use asl_value::Value;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// The calls of one execution. When they are dropped, all of them are given up.
#[derive(Default)]
pub(crate) struct Calls(HashMap<TaskId, AbortHandle>);

impl Calls {
    /// Runs a function and sends what it says to the driver.
    pub(crate) fn spawn(
        &mut self,
        inner: Arc<Inner>,
        execution: Arc<Execution>,
        backend: Backend,
        call: TaskCall,
        driver: mpsc::Sender<Input>,
    ) {
        let task = call.id;
        let request_id = request_id(&execution, task);
        let at_work = inner.clock.call();
        let handle = tokio::spawn(async move {
            let remote =
                asl_task::Call { parameters: &call.parameters, key: &request_id, role_arn: call.role_arn.as_deref() };
            let answer = inner.backends.call_remote(&backend, &remote).await;
            // A driver that is gone wants no answer.
            let _ = driver.send(answered(&call, answer)).await;
            drop(at_work);
        });
        self.0.insert(task, handle.abort_handle());
        self.0.retain(|_, handle| !handle.is_finished());
    }

    /// Sends answers that are known already; the last of them when it is due.
    pub(crate) fn say(
        &mut self,
        inner: &Inner,
        task: TaskId,
        answers: Vec<Input>,
        due: Option<Timestamp>,
        driver: mpsc::Sender<Input>,
    ) {
        let clock = inner.clock.clone();
        let mut hold = clock.hold();
        let handle = tokio::spawn(async move {
            let last = answers.len().saturating_sub(1);
            for (at, answer) in answers.into_iter().enumerate() {
                while at == last && due.is_some_and(|due| clock.now() < due) {
                    let _: Option<()> = hold.idle(due, || false, std::future::pending()).await;
                }
                // A driver that is gone wants no answer.
                let _ = driver.send(answer).await;
            }
            drop(hold);
        });
        self.0.insert(task, handle.abort_handle());
    }

    /// True while something is under way.
    pub(crate) fn at_work(&self) -> bool {
        self.0.values().any(|handle| !handle.is_finished())
    }

    /// Gives up a call: a function's worker is stopped.
    pub(crate) fn cancel(&mut self, task: TaskId) {
        if let Some(handle) = self.0.remove(&task) {
            handle.abort();
        }
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        for handle in self.0.values() {
            handle.abort();
        }
    }
}

/// A task's answer as an input. The call of a `.waitForTaskToken` task is only its beginning.
fn answered(call: &TaskCall, answer: Result<Value, Failure>) -> Input {
    match answer {
        Ok(output) if call.resource.pattern() == Pattern::WaitForTaskToken => {
            Input::TaskSubmitted { task: call.id, output }
        }
        Ok(output) => Input::TaskSucceeded { task: call.id, output },
        Err(failure) => Input::TaskFailed { task: call.id, failure },
    }
}

/// What a mocked call amounts to: the same steps as a real one.
pub(crate) fn mocked(call: &TaskCall, answer: Answer) -> Vec<Input> {
    let task = call.id;
    let mut inputs = Vec::new();
    if matches!(call.resource.kind, ResourceKind::Activity { .. }) {
        inputs.push(Input::TaskScheduled { task });
        inputs.push(Input::TaskStarted { task, worker: Some("mock".into()) });
    }
    match answer.reply {
        Reply::Return(output) => {
            if call.resource.pattern() != Pattern::RequestResponse {
                inputs.push(Input::TaskSubmitted { task, output: output.clone() });
            }
            inputs.push(Input::TaskSucceeded { task, output });
        }
        Reply::Throw(failure) => inputs.push(Input::TaskFailed { task, failure }),
        Reply::Never if call.resource.pattern() != Pattern::RequestResponse => {
            inputs.push(Input::TaskSubmitted { task, output: Value::empty_object() });
        }
        Reply::Never => {}
    }
    inputs
}

/// Calls an embedded service inside the journal's transaction.
pub(crate) async fn call_embedded(
    inner: &Inner,
    tx: &mut (dyn ServiceTx + '_),
    machine: &Machine,
    call: &TaskCall,
    now: Timestamp,
) -> Result<Option<Input>, EngineError> {
    let backend = inner.backends.resolve(&call.resource);
    let (Ok(Backend::Embedded { dialect, service, action }), Some(execution)) = (backend, machine.execution()) else {
        return Ok(None);
    };
    let service_call = ServiceCall {
        dialect,
        service: &service,
        action: &action,
        parameters: &call.parameters,
        now_ms: now.millis(),
        request_id: &request_id(execution, call.id),
        seed: draw(execution.seed, call.id.0, SERVICE),
    };
    let answer = inner.backends.services.call(tx, &service_call).await?;
    Ok(Some(answered(call, answer.map_err(|e| Failure::new(e.error, e.cause)))))
}

/// The counters that keep the engine's draws apart from each other.
const REQUEST: u64 = 1 << 32;
const SERVICE: u64 = 2 << 32;

/// The request id of a task: a UUID made of the execution and the task, so the same when it is handed out again.
fn request_id(execution: &Execution, task: TaskId) -> String {
    let (high, low) = (draw(execution.seed, task.0, REQUEST), draw(execution.seed, task.0, REQUEST + 1));
    uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes()).into_uuid().to_string()
}
