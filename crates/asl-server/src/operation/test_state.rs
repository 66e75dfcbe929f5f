//! TestState: a driver of the one machine, in the facade. A Task without a mock is really run: by an execution of the engine that has
//! no other state.

use super::{Answer, Api, Params};
use crate::wire::ApiError;
use asl::parts::syntax::{Options, Source, load};
use asl::test_state::{Setting, test_state};
use asl::{Engine, Failure, Map, Outcome, StartAs, StartExecution, Value};

impl Api {
    pub(super) async fn test_state(&self, p: Params<'_>) -> Answer {
        let request = Value::from(p.0.clone());
        let (region, account) = (self.identity.region.as_str().into(), self.identity.account.as_str().into());
        let (now, engine) = (self.now(), self.engine.clone());
        let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
        let runtime = tokio::runtime::Handle::current();
        // A state may work for long: not on the threads that answer.
        let tested = tokio::task::spawn_blocking(move || {
            let mut run =
                |call: &asl::TaskCall| runtime.block_on(run_task(&engine, &call.resource.arn, &call.parameters));
            test_state(&request, Setting { now, region, account, seed, run: Some(&mut run) })
        });
        let tested = tested.await.map_err(|_| ApiError::internal("the test of the state panicked"))?;
        let response = tested.map_err(|exception| ApiError::new(exception.code, exception.message))?;
        Ok(response.as_object().cloned().unwrap_or_default())
    }
}

/// Runs a task with these parameters, which are its state's whole input.
pub(crate) async fn run_task(engine: &Engine, resource: &str, parameters: &Value) -> Result<Value, Failure> {
    let mut task = Map::from_iter([("Type", "Task"), ("Resource", resource)]);
    task.insert("End", true);
    let mut definition = Map::from_iter([("StartAt", Value::from("Task"))]);
    definition.insert("States", Map::from_iter([("Task", task)]));
    let text = Value::from(definition).to_string();
    let runtime = |why: String| Failure::new("States.Runtime", why);
    let loaded = load(&Source::new("the task", text), &Options { lints: false, ..Options::default() });
    let definition = loaded.definition.ok_or_else(|| {
        let why: Vec<String> = loaded.diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect();
        runtime(why.join("; "))
    })?;
    let input = parameters.to_string();
    let start = StartExecution { definition, state_machine: "TestState", name: None, input: &input };
    let about = StartAs { express: true, ..StartAs::default() };
    let started = engine.start_as(start, about).await.map_err(|error| runtime(error.to_string()))?;
    match engine.wait_for(&started).await.map_err(|error| runtime(error.to_string()))? {
        Outcome::Succeeded(output) => Ok(output),
        Outcome::Failed(failure) | Outcome::TimedOut(failure) | Outcome::Aborted(failure) => Err(failure),
    }
}
