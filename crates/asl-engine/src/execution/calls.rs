//! Calls of tasks: made outside or inside the store's transaction, and what they answer.

use super::protocol::{News, Work};
use crate::activity;
use crate::clock::Clock;
use crate::engine::Inner;
use crate::error::EngineError;
use asl_core::{Execution, Failure, Input, Machine, TaskCall, TaskId, draw};
use asl_expr::Timestamp;
use asl_store::ServiceTx;
use asl_syntax::{Pattern, ResourceKind};
use asl_task::embedded::with_resources;
use asl_task::mock::{Answer, Reply};
use asl_task::{Backend, Moment};
use asl_value::Value;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Runs a call outside the store's transaction, and sends what it says to the driver.
pub(super) fn spawn(
    inner: Arc<Inner>,
    execution: Arc<Execution>,
    backend: Backend,
    call: TaskCall,
    driver: mpsc::Sender<News>,
) -> AbortHandle {
    let request_id = request_id(&execution, call.id);
    let at_work = inner.clock.call();
    let handle = tokio::spawn(async move {
        let remote =
            asl_task::Call { parameters: &call.parameters, key: &request_id, role_arn: call.role_arn.as_deref() };
        let answer = caught(backend.call(&remote)).await;
        let input = answer.map(|answer| answered(&call, answer));
        // A driver that is gone wants no answer.
        let _ = driver.send(News { input, over: Some(Work::Call(call.id)) }).await;
        drop(at_work);
    });
    handle.abort_handle()
}

/// Sends answers that are known already; the last of them when it is due.
pub(super) fn say(
    clock: &Clock,
    task: TaskId,
    answers: Vec<Input>,
    due: Option<Timestamp>,
    driver: mpsc::Sender<News>,
) -> AbortHandle {
    let clock = clock.clone();
    let mut hold = clock.hold();
    let handle = tokio::spawn(async move {
        let mut answers = answers.into_iter().peekable();
        loop {
            let input = answers.next();
            let is_last = answers.peek().is_none();
            while is_last && input.is_some() && due.is_some_and(|due| clock.now() < due) {
                let _: Option<()> = hold.idle(due, || false, std::future::pending()).await;
            }
            // A driver that is gone wants no answer.
            let _ = driver.send(News { input, over: is_last.then_some(Work::Call(task)) }).await;
            if is_last {
                break;
            }
        }
        drop(hold);
    });
    handle.abort_handle()
}

/// What a future gives; `None` when it panics: a function of the embedding program does not keep its task waiting for ever.
async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
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
pub(super) fn mocked(call: &TaskCall, answer: Answer) -> Vec<Input> {
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

/// Calls an embedded service inside the store's transaction.
pub(super) async fn within(
    inner: &Inner,
    tx: &mut (dyn ServiceTx + '_),
    machine: &Machine,
    call: &TaskCall,
    now: Timestamp,
) -> Result<Option<Input>, EngineError> {
    if matches!(call.resource.kind, ResourceKind::Activity { .. }) {
        return activity::schedule(tx, call, now).await.map(Some);
    }
    let backend = inner.backends.resolve(&call.resource);
    let (Ok(backend), Some(execution)) = (backend, machine.execution()) else { return Ok(None) };
    let key = request_id(execution, call.id);
    let puts_events = matches!(&call.resource.kind,
        ResourceKind::Service { service, action, sdk: false, .. } if (&**service, &**action) == ("events", "putEvents"));
    let parameters = match puts_events {
        true => &with_resources(&call.parameters, [&execution.arn, &execution.state_machine_arn]),
        false => &call.parameters,
    };
    let within = asl_task::Call { parameters, key: &key, role_arn: call.role_arn.as_deref() };
    let moment = Moment { now_ms: now.millis(), seed: draw(execution.seed, call.id.0, SERVICE) };
    Ok(Some(answered(call, backend.call_within(tx, &within, moment).await?)))
}

/// The counters that keep the engine's draws apart from each other.
const REQUEST: u64 = 1 << 32;
const SERVICE: u64 = 2 << 32;

/// The request id of a task: a UUID made of the execution and the task, so the same when it is handed out again.
pub(super) fn request_id(execution: &Execution, task: TaskId) -> String {
    let (high, low) = (draw(execution.seed, task.0, REQUEST), draw(execution.seed, task.0, REQUEST + 1));
    uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes()).into_uuid().to_string()
}
