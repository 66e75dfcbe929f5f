//! Deliveries from topics to functions: taken from the outbox that the publishing transaction filled.

use crate::clock::Hold;
use crate::engine::{Inner, Phase};
use crate::error::EngineError;
use asl_expr::Timestamp;
use asl_task::embedded::{FailedDelivery, FunctionDelivery};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use tokio::sync::{mpsc, watch};

/// How long a delivery belongs to whoever took it, in milliseconds: after a crash it is due again then.
const LEASE_MS: i64 = 60_000;
const BATCH: u32 = 16;
/// How long the loop waits before it asks a journal again that could not be read, in milliseconds.
const RETRY_MS: i64 = 30_000;

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
        let rope = engine.deliveries.downgrade();
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
        next = drain(&engine).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "deliveries to functions are delayed");
            Some(engine.clock.now().plus_ms(RETRY_MS))
        });
    }
}

/// When the next delivery is due that is in the outbox already. Asked by the writer, whose transaction an engine that begins
/// needs anyway: a reader would be a connection more.
pub(crate) async fn first(inner: &Arc<Inner>) -> Option<Timestamp> {
    let services = inner.backends.services.clone();
    let next = inner
        .journal
        .transact(move |tx| Box::pin(async move { Ok::<_, EngineError>(services.next_delivery_at_ms(tx).await?) }));
    // Who fails to read it tries again, and says so.
    next.await.map_or_else(|_| Some(inner.clock.now()), |next| next.map(Timestamp::from_millis))
}

/// Makes the deliveries that are due, before the engine ends. None are looked for where none can be.
pub(crate) async fn last(inner: &Arc<Inner>) -> Result<(), EngineError> {
    if inner.outbox.load(Ordering::Relaxed) { drain(inner).await.map(drop) } else { Ok(()) }
}

/// Makes every delivery that is due. Returns when the next one is.
async fn drain(inner: &Arc<Inner>) -> Result<Option<Timestamp>, EngineError> {
    loop {
        let services = inner.backends.services.clone();
        let due = inner.clock.now().millis();
        let asked = services.clone();
        let next = inner
            .journal
            .inspect(move |tx| Box::pin(async move { Ok::<_, EngineError>(asked.next_delivery_at_ms(tx).await?) }));
        let next = next.await?;
        if next.is_none_or(|at| at > due) {
            return Ok(next.map(Timestamp::from_millis));
        }
        let taken = inner.journal.transact(move |tx| {
            Box::pin(async move { Ok::<_, EngineError>(services.take_deliveries(tx, due, LEASE_MS, BATCH).await?) })
        });
        for delivery in taken.await? {
            deliver(inner, delivery).await?;
        }
    }
}

async fn deliver(inner: &Arc<Inner>, delivery: FunctionDelivery) -> Result<(), EngineError> {
    let at_work = inner.clock.call();
    let answer = inner.backends.functions.invoke(&delivery.function, &delivery.payload, &delivery.id).await;
    drop(at_work);
    if let Err(failure) = &answer {
        let error = failure.error.as_deref().unwrap_or("an error");
        tracing::warn!(function = delivery.function, error, attempt = delivery.attempt, "a delivery failed");
    }
    let services = inner.backends.services.clone();
    let (failed, position, now_ms) = (answer.is_err(), delivery.position, inner.clock.now().millis());
    let settled = inner.journal.transact(move |tx| {
        Box::pin(async move {
            if !failed {
                services.delivery_done(tx, position).await?;
                return Ok::<_, EngineError>(None);
            }
            Ok(Some(services.delivery_failed(tx, position, now_ms).await?))
        })
    });
    match settled.await? {
        Some(FailedDelivery::Dropped) => tracing::warn!(function = delivery.function, "a delivery was given up"),
        Some(FailedDelivery::DeadLetter(queue)) => tracing::warn!(queue, "a delivery went to its dead-letter queue"),
        Some(FailedDelivery::RetryAt(_)) | None => {}
    }
    Ok(())
}
