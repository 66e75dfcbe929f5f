//! Activities: how their tasks are scheduled, and how workers come by them.
//!
//! A task is put into its activity's queue in the transaction that records that it is scheduled. A worker asks with a long poll
//! ([`Engine::get_activity_task`]): of those that ask for one activity in a process one looks, the others wait for their turn.

use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::phase::Phase;
use asl_core::{Failure, Input, TaskCall};
use asl_expr::Timestamp;
use asl_store::{ServiceTx, Status, contract};
use asl_syntax::ResourceKind;
use asl_task::activity::{self, Waiting};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

/// How often it is looked for what other processes have scheduled.
const LOOK: Duration = Duration::from_millis(500);
/// The most characters of a worker's name.
const NAME_LIMIT: usize = 80;

/// A task for a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityTask {
    /// What it is answered with: [`Engine::send_task_success`], [`Engine::send_task_failure`], [`Engine::send_task_heartbeat`].
    pub token: String,
    /// Its input, JSON text.
    pub input: String,
}

/// Where pollers wait for tasks of an activity.
#[derive(Debug, Default)]
struct Room {
    /// Whose turn it is to look.
    turn: tokio::sync::Mutex<()>,
    /// A task was scheduled in this process.
    bell: Notify,
}

/// The rooms of the activities that have pollers, by ARN.
#[derive(Debug, Default)]
pub(crate) struct Rooms(Mutex<HashMap<String, Weak<Room>>>);

impl Rooms {
    fn enter(&self, arn: &str) -> Arc<Room> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = rooms.get(arn).and_then(Weak::upgrade) {
            return room;
        }
        rooms.retain(|_, room| room.strong_count() > 0);
        let room = Arc::new(Room::default());
        rooms.insert(arn.to_owned(), Arc::downgrade(&room));
        room
    }

    /// A task of an activity was scheduled.
    pub(crate) fn ring(&self, arn: &str) {
        let rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = rooms.get(arn).and_then(Weak::upgrade) {
            room.bell.notify_one();
        }
    }
}

/// What keeps a task from being scheduled: its activity does not exist. That is asked outside of the transaction that schedules it.
pub(crate) async fn rejected(inner: &Inner, call: &TaskCall) -> Result<Option<Input>, EngineError> {
    let ResourceKind::Activity { name } = &call.resource.kind else { return Ok(None) };
    let arn = &call.resource.arn;
    if inner.backends.services.has_activity(name) || made(inner, arn).await? {
        return Ok(None);
    }
    Ok(Some(Input::TaskRejected { task: call.id, cause: format!("The activity {arn} does not exist.").into() }))
}

/// Whether an activity was made at run time.
async fn made(inner: &Inner, arn: &str) -> Result<bool, EngineError> {
    match inner.store.catalogue() {
        Some(catalogue) => Ok(catalogue.activity(arn).await?.is_some()),
        None => Ok(false),
    }
}

/// Puts a task into its activity's queue.
pub(crate) async fn schedule(
    tx: &mut (dyn ServiceTx + '_),
    call: &TaskCall,
    now: Timestamp,
) -> Result<Input, EngineError> {
    match &call.token {
        Some(token) => {
            activity::put(tx, &call.resource.arn, token, &call.parameters, now.millis()).await?;
            Ok(Input::TaskScheduled { task: call.id })
        }
        None => {
            let failure = Failure::new("States.Runtime", "the task of an activity has no token");
            Ok(Input::TaskFailed { task: call.id, failure })
        }
    }
}

impl Engine {
    /// Takes the task of an activity that has waited longest, for a worker that asks (AWS: GetActivityTask). When this returns a
    /// task, it is on disk that it has started. Without one it waits, no longer than `wait` (60 seconds on AWS); `None` then.
    ///
    /// A task is given to one worker. One that was given is not given again: if its worker dies, `TimeoutSeconds` or
    /// `HeartbeatSeconds` of the state end it.
    ///
    /// # Errors
    /// [`EngineError::NoSuchActivity`], [`EngineError::TooLong`] for the worker's name, or when the database fails.
    pub async fn get_activity_task(
        &self,
        arn: &str,
        worker: Option<&str>,
        wait: Duration,
    ) -> Result<Option<ActivityTask>, EngineError> {
        let until = Instant::now() + wait;
        let inner = &self.inner;
        let length = worker.map_or(0, |name| name.chars().count());
        if length > NAME_LIMIT {
            return Err(EngineError::TooLong { what: "workerName", length, unit: "characters", limit: NAME_LIMIT });
        }
        let declared = arn.rsplit_once(":activity:").is_some_and(|(_, name)| {
            inner.backends.services.has_activity(name)
                && inner.client.identity.arn("states", &format!("activity:{name}")) == arn
        });
        if !declared && !made(inner, arn).await? {
            return Err(EngineError::NoSuchActivity(arn.to_owned()));
        }
        let room = inner.activities.enter(arn);
        let Ok(_turn) = timeout_at(until, room.turn.lock()).await else { return Ok(None) };
        let mut phase = inner.phase.subscribe();
        loop {
            inner.still_works()?;
            if let Some(task) = self.take_activity_task(arn, worker).await? {
                return Ok(Some(task));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            tokio::select! {
                () = room.bell.notified() => {}
                () = sleep(left.min(LOOK)) => {}
                _ = phase.wait_for(|phase| !matches!(phase, Phase::Running)) => {}
            }
        }
    }

    /// The first task that its execution still waits for.
    async fn take_activity_task(&self, arn: &str, worker: Option<&str>) -> Result<Option<ActivityTask>, EngineError> {
        let _hold = self.inner.clock.hold();
        let store = &*self.inner.store;
        loop {
            let now_ms = self.inner.clock.now().millis();
            let asked = arn.to_owned();
            let waits = contract::inspect(store, move |tx| {
                let asked = asked.clone();
                Box::pin(async move { Ok::<_, EngineError>(activity::waits(tx, &asked, now_ms).await?) })
            });
            if !waits.await? {
                return Ok(None);
            }
            let asked = arn.to_owned();
            let taken = contract::transact(store, move |tx| {
                let asked = asked.clone();
                Box::pin(async move { Ok::<_, EngineError>(activity::take(tx, &asked, now_ms).await?) })
            });
            let Some(Waiting { position, token, input }) = taken.await? else { return Ok(None) };
            let started = self.begin_activity_task(&token, worker).await?;
            let asked = arn.to_owned();
            let removed = contract::transact(store, move |tx| {
                let asked = asked.clone();
                Box::pin(async move { Ok::<_, EngineError>(activity::remove(tx, &asked, position).await?) })
            });
            removed.await?;
            if started {
                return Ok(Some(ActivityTask { token, input }));
            }
        }
    }

    /// Tells an execution that a worker has its task. False when it does not wait for that any more.
    async fn begin_activity_task(&self, token: &str, worker: Option<&str>) -> Result<bool, EngineError> {
        let Some((arn, task)) = asl_core::read_task_token(token) else { return Ok(false) };
        let Some(row) = self.inner.store.execution(&arn).await? else { return Ok(false) };
        if row.status != Status::Running || row.set_aside.is_some() {
            return Ok(false);
        }
        let worker = worker.filter(|name| !name.is_empty()).map(Arc::from);
        self.deliver(&row, Input::TaskStarted { task, worker }).await
    }
}
