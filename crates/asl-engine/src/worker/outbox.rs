//! Deliveries from topics and buses to functions and state machines: taken from the outbox that the publishing transaction filled.

use crate::client::start::StartExecution;
use crate::clock::Hold;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::machines::{self, Found};
use crate::phase::Phase;
use crate::worker::status;
use asl_core::Failure;
use asl_expr::Timestamp;
use asl_store::contract;
use asl_task::embedded::{FailedDelivery, OutboxDelivery, Target, Wanted};
use asl_value::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{MutexGuard, mpsc, watch};

/// How long a delivery belongs to the worker that took it, in milliseconds: after a crash it is due again then.
const LEASE_MS: i64 = 60_000;
const BATCH: u32 = 16;
/// How long the loop waits before it asks a journal again that could not be read, in milliseconds.
const RETRY_MS: i64 = 30_000;
/// How long an engine that ends waits for deliveries that are on their way.
const ON_THEIR_WAY: Duration = Duration::from_secs(5);

/// What an engine knows of its outbox.
pub(crate) struct Outbox {
    /// Rings when there may be deliveries to make.
    bell: mpsc::Sender<()>,
    /// The other end of the bell, until the loop that delivers takes it.
    heard: Mutex<Option<mpsc::Receiver<()>>>,
    /// True when there may be something in it: there was when the engine began, or something was published here.
    may_hold: AtomicBool,
    /// Held while deliveries are made: an engine that ends waits for those.
    delivering: tokio::sync::Mutex<()>,
}

impl Outbox {
    pub(crate) fn new() -> Outbox {
        let (bell, heard) = mpsc::channel(1);
        Outbox {
            bell,
            heard: Mutex::new(Some(heard)),
            may_hold: AtomicBool::new(false),
            delivering: tokio::sync::Mutex::default(),
        }
    }

    /// There may be deliveries to make.
    pub(crate) fn ring(&self) {
        self.found(true);
        // It rings already, or nobody listens any more.
        let _ = self.bell.try_send(());
    }

    /// Whether something was in it when the engine began.
    pub(crate) fn found(&self, something: bool) {
        self.may_hold.fetch_or(something, Ordering::Relaxed);
    }

    /// The other end of the bell, for the first caller.
    pub(crate) fn listen(&self) -> Option<mpsc::Receiver<()>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Delivers until the engine stops or is dropped. `bell` rings when something was published; `next` is when the first
/// delivery is due of those that were there before.
pub(crate) async fn run(
    inner: Weak<Inner>,
    mut hold: Hold,
    mut bell: mpsc::Receiver<()>,
    mut phase: watch::Receiver<Phase>,
    mut next: Option<Timestamp>,
) {
    loop {
        let Some(engine) = inner.upgrade() else { return };
        // Nobody else may keep the engine for the loop's sake; the bell tells when it is gone.
        let rope = engine.outbox.bell.downgrade();
        let rings = move || rope.upgrade().is_some_and(|rope| rope.capacity() < rope.max_capacity());
        drop(engine);
        tokio::select! {
            rung = hold.idle(next, rings, bell.recv()) => {
                if rung == Some(None) {
                    return;
                }
            }
            _ = phase.wait_for(|phase| !phase.takes_on()) => return,
        }
        let Some(engine) = inner.upgrade() else { return };
        let delivering = engine.outbox.delivering.lock().await;
        next = drain(&engine, &delivering).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "deliveries to functions are delayed");
            Some(engine.clock.now().plus_ms(RETRY_MS))
        });
    }
}

/// When the next delivery is due that is in the outbox already. Asked by the writer, whose transaction an engine that begins
/// needs anyway: a reader would be a connection more.
pub(crate) async fn first(inner: &Arc<Inner>) -> Option<Timestamp> {
    let services = inner.backends.services.clone();
    let next = contract::transact(&*inner.store, move |tx| {
        let services = services.clone();
        Box::pin(async move { Ok::<_, EngineError>(services.next_delivery_at_ms(tx).await?) })
    });
    // Who fails to read it tries again, and says so.
    next.await.map_or_else(|_| Some(inner.clock.now()), |next| next.map(Timestamp::from_millis))
}

/// Makes the deliveries that are due, before the engine ends, and lets those end that are on their way, for a while. None are
/// looked for where none can be.
pub(crate) async fn last(inner: &Arc<Inner>) -> Result<(), EngineError> {
    if !inner.outbox.may_hold.load(Ordering::Relaxed) {
        return Ok(());
    }
    match tokio::time::timeout(ON_THEIR_WAY, inner.outbox.delivering.lock()).await {
        Ok(delivering) => drain(inner, &delivering).await.map(drop),
        // What does not end is due again when its lease is over.
        Err(_) => Ok(()),
    }
}

/// Makes every delivery that is due. Returns when the next one is.
async fn drain(inner: &Arc<Inner>, _delivering: &MutexGuard<'_, ()>) -> Result<Option<Timestamp>, EngineError> {
    loop {
        // Rules may owe deliveries for what executions came to.
        status::publish(inner).await?;
        let (asked, services) = (inner.backends.services.clone(), inner.backends.services.clone());
        let due = inner.clock.now().millis();
        let next = contract::inspect(&*inner.store, move |tx| {
            let services = asked.clone();
            Box::pin(async move { Ok::<_, EngineError>(services.next_delivery_at_ms(tx).await?) })
        });
        let next = next.await?;
        if next.is_none_or(|at| at > due) {
            return Ok(next.map(Timestamp::from_millis));
        }
        let taken = contract::transact(&*inner.store, move |tx| {
            let services = services.clone();
            Box::pin(async move { Ok::<_, EngineError>(services.take_deliveries(tx, due, LEASE_MS, BATCH).await?) })
        });
        for delivery in taken.await? {
            deliver(inner, delivery).await?;
        }
    }
}

async fn deliver(inner: &Arc<Inner>, delivery: OutboxDelivery) -> Result<(), EngineError> {
    let at_work = inner.clock.call();
    let (target, answer) = match &delivery.target {
        Target::Function(name) => {
            let answer = inner.backends.functions.invoke(name, &delivery.payload, &delivery.id).await;
            (name.as_str(), answer.map(drop))
        }
        // It waits for a permit, which may be this execution's own.
        Target::StateMachine(arn) => (arn.as_str(), Box::pin(start(inner, arn, &delivery.id, &delivery.payload)).await),
    };
    drop(at_work);
    if let Err(failure) = &answer {
        let error = failure.error.as_deref().unwrap_or("an error");
        let cause = failure.cause.as_deref().unwrap_or_default();
        tracing::warn!(target, error, cause, attempt = delivery.attempt, "a delivery failed");
    }
    let services = inner.backends.services.clone();
    let (failed, position, now_ms) = (answer.is_err(), delivery.position, inner.clock.now().millis());
    let settled = contract::transact(&*inner.store, move |tx| {
        let services = services.clone();
        Box::pin(async move {
            if !failed {
                services.delivery_done(tx, position).await?;
                return Ok::<_, EngineError>(None);
            }
            Ok(Some(services.delivery_failed(tx, position, now_ms).await?))
        })
    });
    match settled.await? {
        Some(FailedDelivery::Dropped) => tracing::warn!(target, "a delivery was given up"),
        Some(FailedDelivery::DeadLetter(queue)) => tracing::warn!(queue, "a delivery went to its dead-letter queue"),
        Some(FailedDelivery::RetryAt(_)) | None => {}
    }
    Ok(())
}

/// Starts an execution of a rule's state machine. Its name is the delivery's id: a delivery that comes again starts no second one.
async fn start(inner: &Arc<Inner>, arn: &str, id: &str, input: &Value) -> Result<(), Failure> {
    let text = input.to_string();
    let wanted = Wanted { state_machine: arn, name: Some(id), input: &text, trace_header: None, sync: false, key: id };
    let Found { name, definition, about } = machines::find(inner, &wanted).await?;
    let start = StartExecution { definition, state_machine: &name, name: Some(id), input: &text };
    match (Engine { inner: inner.clone() }).start_as(start, about).await {
        Ok(_) | Err(EngineError::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(Failure::new("StepFunctions.AWSStepFunctionsException", error.to_string())),
    }
}
