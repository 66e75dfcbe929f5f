//! One process that serves a function, one invocation at a time.

use std::{
    io,
    process::ExitStatus,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use tokio::time::sleep;

use crate::{
    log::{Log, LogPump},
    process::{Process, Program},
    runtime_api::{Answer, Delivery, Init, Knock, RuntimeApi},
};

/// How long after a worker's end its last words may still arrive. They are in the kernel's
/// buffers when the process ends; this is only the time to read them.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(20);

/// How to start a worker.
pub(crate) struct WorkerPlan {
    pub(crate) function: Arc<str>,
    pub(crate) program: Program,
    /// Our own bootstrap runs in it, which takes an address with a path.
    pub(crate) has_bootstrap: bool,
    pub(crate) init_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) log: Log,
}

/// How an invocation ended, seen from the worker.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answered(Answer),
    /// The code could not be loaded; the body says why.
    InitFailed(Bytes),
    /// The process ended before it asked for this invocation.
    Untaken(ExitStatus),
    /// The process ended while it had this invocation.
    Exited(ExitStatus),
    /// The process was too slow by this limit.
    TimedOut(Duration),
    /// The program could not be started.
    NotStarted(io::Error),
}

/// A running process with its Runtime API and its output. Dropping it kills the process and all
/// that it started: a worker whose invocation was given up can never answer another one.
pub(crate) struct Worker {
    process: Arc<Process>,
    api: RuntimeApi,
    logs: LogPump,
    /// Which version of the code it loads.
    pub(crate) code_version: u64,
}

impl Worker {
    pub(crate) async fn start(plan: &WorkerPlan, code_version: u64) -> io::Result<Self> {
        let refused = {
            let (log, function) = (plan.log.clone(), Arc::clone(&plan.function));
            Box::new(move |knock: Knock| log.tell(&function, knock.to_string()))
        };
        let api = RuntimeApi::listen(plan.has_bootstrap, refused).await?;
        let more = [
            ("AWS_LAMBDA_RUNTIME_API", api.address_for_worker()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream_name(api.address().port())),
        ];
        let (process, (stdout, stderr)) = Process::start(&plan.program, &more, None)?;
        api.belongs_to(process.id());
        let logs = LogPump::start(Arc::clone(&plan.function), stdout, stderr, plan.log.clone());
        Ok(Self { process: Arc::new(process), api, logs, code_version })
    }

    pub(crate) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Runs one invocation; `delivery` is made when the worker is ready, because that is when the
    /// time that the function has begins.
    pub(crate) async fn invoke(&self, plan: &WorkerPlan, delivery: impl FnOnce() -> Delivery) -> Outcome {
        let outcome = match self.ready(plan.init_timeout).await {
            Ok(()) => self.run(plan.timeout, delivery()).await,
            Err(outcome) => outcome,
        };
        self.logs.flush().await;
        outcome
    }

    /// Waits until the worker has loaded its code.
    async fn ready(&self, limit: Duration) -> Result<(), Outcome> {
        let mut init = self.api.init();
        tokio::select! {
            biased;
            state = init.wait_for(|init| !matches!(init, Init::Loading)) => match state.as_deref() {
                Ok(Init::Failed(body)) => Err(Outcome::InitFailed(body.clone())),
                _ => Ok(()),
            },
            status = self.last_words() => Err(match self.logs.not_started() {
                Some(problem) => Outcome::NotStarted(problem),
                None => Outcome::Exited(status),
            }),
            () = sleep(limit) => Err(Outcome::TimedOut(limit)),
        }
    }

    /// Waits for the end of the process, and then until its last words have been read.
    async fn last_words(&self) -> ExitStatus {
        let status = self.process.exited().await;
        sleep(LAST_WORDS).await;
        status
    }

    async fn run(&self, limit: Duration, delivery: Delivery) -> Outcome {
        self.logs.begin(&delivery.request_id);
        let answer = self.api.offer(delivery);
        tokio::select! {
            biased;
            Ok(answer) = answer => Outcome::Answered(answer),
            status = self.last_words() => match self.api.is_untaken() {
                true => Outcome::Untaken(status),
                false => Outcome::Exited(status),
            },
            () = sleep(limit) => Outcome::TimedOut(limit),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// A name like Lambda's: `2026/11/22/[$LATEST]` and 32 hexadecimal digits.
fn log_stream_name(salt: u16) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = civil_date(now.as_secs() / 86_400);
    let unique = now.as_nanos() << 16 | u128::from(salt);
    format!("{year:04}/{month:02}/{day:02}/[$LATEST]{unique:032x}")
}

/// The proleptic Gregorian date of a day counted from 1970-01-01.
fn civil_date(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::{civil_date, log_stream_name};

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (19_723, (2024, 1, 1)),
            (20_779, (2026, 11, 22)),
        ];
        for (days, date) in cases {
            assert_eq!(civil_date(days), date, "day {days}");
        }
    }

    #[test]
    fn log_streams_are_named_as_on_aws() {
        let name = log_stream_name(7);
        assert_eq!(name.len(), "2026/11/22/[$LATEST]".len() + 32, "{name}");
        assert!(name.contains("/[$LATEST]"), "{name}");
    }
}
