//! Jobs that tasks wait for: started once, followed to their end, stopped with their task.
//!
//! The answer of a start is recorded before anything else comes of the job, so a follower that begins after a crash has it in
//! its call and starts nothing.

use super::nested;
use super::protocol::{News, Work};
use crate::clock::{Clock, Hold};
use crate::engine::Inner;
use asl_core::{Input, TaskCall};
use asl_task::{Backend, Call, Mode, follow};
use asl_value::Value;
use std::sync::Arc;
use tokio::sync::{OwnedRwLockReadGuard, mpsc, oneshot};
use tokio::task::AbortHandle;

/// A job, or an execution of this engine, that a task waits for.
pub(crate) struct Job {
    pub(crate) inner: Arc<Inner>,
    pub(crate) clock: Clock,
    pub(crate) backend: Backend,
    pub(crate) call: TaskCall,
    pub(crate) key: String,
}

/// Tells the follower of a job to stop it. The engine does not shut down while what is sent is alive.
/// Nor is time skipped before the stop is heard.
pub(crate) type Stop = oneshot::Sender<Stopped>;
type Stopped = (OwnedRwLockReadGuard<()>, Hold);

impl Job {
    /// Begins with it, beside the driver.
    pub(crate) fn spawn(self, driver: mpsc::Sender<News>) -> (AbortHandle, Stop) {
        let (stop, stopped) = oneshot::channel();
        // From the start of an execution of this engine to the news of its end, time passes only while that waits.
        let hold = (self.backend.mode() == Mode::Nested).then(|| self.clock.hold());
        (tokio::spawn(self.run(driver, stopped, hold)).abort_handle(), stop)
    }

    /// Starts it unless that is recorded, tells the driver, follows it, and tells the driver again. When `stopped` says so, the
    /// job is stopped instead, and the engine does not shut down before; when its sender is gone, nothing happens to it.
    async fn run(self, driver: mpsc::Sender<News>, mut stopped: oneshot::Receiver<Stopped>, mut hold: Option<Hold>) {
        let task = self.call.id;
        let call = Call { parameters: &self.call.parameters, key: &self.key, role_arn: self.call.role_arn.as_deref() };
        let started = match &self.call.submitted {
            Some(started) => started.clone(),
            // A start that is under way is not given up: nobody would know what it started.
            None => match self.start(&call).await {
                Ok(started) => {
                    let input = Some(Input::TaskSubmitted { task, output: started.clone() });
                    let _ = driver.send(News { input, over: None }).await;
                    started
                }
                Err(failure) => {
                    let input = Some(Input::TaskFailed { task, failure });
                    let _ = driver.send(News { input, over: Some(Work::Call(task)) }).await;
                    return;
                }
            },
        };
        let ended = tokio::select! {
            biased;
            asked = &mut stopped => {
                if let Ok(_guard) = asked {
                    self.backend.stop(&call, &started).await;
                }
                return;
            }
            ended = self.follow(&call, &started, &mut hold) => ended,
        };
        let input = match ended {
            Ok(output) => Input::TaskSucceeded { task, output },
            Err(failure) => Input::TaskFailed { task, failure },
        };
        // A driver that is gone wants no answer.
        let _ = driver.send(News { input: Some(input), over: Some(Work::Call(task)) }).await;
    }

    async fn start(&self, call: &Call<'_>) -> Result<Value, asl_core::Failure> {
        let _at_work = (self.backend.mode() == Mode::Job).then(|| self.clock.call());
        self.backend.call(call).await
    }

    /// While a job elsewhere is at work, time passes; an execution of this engine has the engine's time, which may be skipped.
    async fn follow(
        &self,
        call: &Call<'_>,
        started: &Value,
        hold: &mut Option<Hold>,
    ) -> Result<Value, asl_core::Failure> {
        if let (Some(hold), Some(arn)) = (hold, started["ExecutionArn"].as_str()) {
            nested::ended(&self.inner, hold, arn).await;
        }
        let _at_work = (self.backend.mode() == Mode::Job).then(|| self.clock.call());
        let pause = |ms: u64| tokio::time::sleep(std::time::Duration::from_millis(ms));
        follow(&self.backend, call, started, pause).await
    }
}
