//! Deliveries from topics to functions: taken from the outbox that the publishing transaction filled.

use crate::engine::{Inner, Phase, now};
use crate::error::EngineError;
use asl_task::embedded::{FailedDelivery, FunctionDelivery};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How long a delivery belongs to whoever took it, in milliseconds: after a crash it is due again then.
const LEASE_MS: i64 = 60_000;
const BATCH: u32 = 16;
/// How long the loop sleeps at most when nothing tells it of a delivery.
const NAP: Duration = Duration::from_secs(30);

/// Delivers until the engine stops or is dropped.
pub(crate) async fn run(inner: Weak<Inner>, told: Arc<Notify>, mut phase: watch::Receiver<Phase>) {
    loop {
        let Some(engine) = inner.upgrade() else { return };
        if let Err(error) = drain(&engine).await {
            tracing::warn!(%error, "deliveries to functions are delayed");
        }
        drop(engine);
        tokio::select! {
            () = told.notified() => {}
            () = tokio::time::sleep(NAP) => {}
            _ = phase.wait_for(|phase| !phase.takes_on()) => return,
        }
    }
}

/// Makes every delivery that is due.
pub(crate) async fn drain(inner: &Arc<Inner>) -> Result<(), EngineError> {
    loop {
        let services = inner.backends.services.clone();
        let due = now().millis();
        let none_due = inner.journal.inspect(|tx| {
            let services = services.clone();
            Box::pin(
                async move { Ok::<_, EngineError>(services.next_delivery_at_ms(tx).await?.is_none_or(|at| at > due)) },
            )
        });
        if none_due.await? {
            return Ok(());
        }
        let taken = inner.journal.transact(move |tx| {
            Box::pin(
                async move { Ok::<_, EngineError>((services.take_deliveries(tx, due, LEASE_MS, BATCH).await?, None)) },
            )
        });
        for delivery in taken.await? {
            deliver(inner, delivery).await?;
        }
    }
}

async fn deliver(inner: &Arc<Inner>, delivery: FunctionDelivery) -> Result<(), EngineError> {
    let answer = inner.backends.functions.invoke(&delivery.function, &delivery.payload, &delivery.id).await;
    if let Err(failure) = &answer {
        let error = failure.error.as_deref().unwrap_or("an error");
        tracing::warn!(function = delivery.function, error, attempt = delivery.attempt, "a delivery failed");
    }
    let services = inner.backends.services.clone();
    let (failed, position) = (answer.is_err(), delivery.position);
    let settled = inner.journal.transact(move |tx| {
        Box::pin(async move {
            if !failed {
                services.delivery_done(tx, position).await?;
                return Ok::<_, EngineError>((None, None));
            }
            Ok((Some(services.delivery_failed(tx, position, now().millis()).await?), None))
        })
    });
    match settled.await? {
        Some(FailedDelivery::Dropped) => tracing::warn!(function = delivery.function, "a delivery was given up"),
        Some(FailedDelivery::DeadLetter(queue)) => tracing::warn!(queue, "a delivery went to its dead-letter queue"),
        Some(FailedDelivery::RetryAt(_)) | None => {}
    }
    Ok(())
}
