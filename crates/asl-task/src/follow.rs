//! Following a job until it has ended: asked again and again, with growing pauses.

use crate::integration::{Backend, Call, Progress};
use asl_core::Failure;
use asl_value::Value;
use std::future::Future;

/// The pause after the first question, in milliseconds.
const FIRST_MS: u64 = 1_000;
/// The longest pause.
const LONGEST_MS: u64 = 30_000;
/// How many questions in a row may have no answer before the task fails with the last error: about five minutes.
const UNANSWERED: u32 = 15;

/// Asks how a job stands until it has ended. `started` is what its start was answered; `pause` waits for so many
/// milliseconds, by whatever clock.
///
/// # Errors
/// The job's error, or why nothing can be known of it.
pub async fn follow<P: Future<Output = ()>>(
    backend: &Backend,
    call: &Call<'_>,
    started: &Value,
    mut pause: impl FnMut(u64) -> P,
) -> Result<Value, Failure> {
    let (mut pause_ms, mut unanswered) = (FIRST_MS, 0);
    loop {
        match backend.poll(call, started).await {
            Ok(Progress::Ended(result)) => return result,
            Ok(Progress::Running) => unanswered = 0,
            Err(failure) if unanswered + 1 >= UNANSWERED => return Err(failure),
            Err(failure) => {
                unanswered += 1;
                tracing::debug!(job = ?backend, unanswered, error = failure.error.as_deref(), "a job's state is not known");
            }
        }
        pause(pause_ms).await;
        pause_ms = (pause_ms * 3 / 2).min(LONGEST_MS);
    }
}
