//! A function that is a program of its own: started for each invocation, event in, result out.

use std::{
    process::ExitStatus,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, BufReader},
    process::{ChildStderr, ChildStdout},
    sync::Semaphore,
    time::{sleep, timeout},
};

use crate::{
    Identity, Invocation,
    error::{self, InvokeError, MAX_RESPONSE_BYTES},
    log::{ErrorLines, Log},
    patience::Patience,
    pool::{check_json, environment},
    process::{Process, Program},
    spec::{FunctionSpec, Launch},
    worker::{LAST_WORDS, WorkerPlan},
};

pub(crate) struct CommandFunction {
    plan: WorkerPlan,
    slots: Semaphore,
    started: Mutex<Vec<Arc<Process>>>,
}

/// Kills the process when its invocation is given up.
struct Held(Arc<Process>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// What came of a process that ended.
struct Ended {
    status: ExitStatus,
    /// `None` if there was too much of it.
    stdout: Option<Bytes>,
    errors: ErrorLines,
}

impl CommandFunction {
    pub(crate) fn new(spec: &FunctionSpec, launch: Launch, identity: &Identity, log: Log) -> Self {
        let environment = environment(spec, &launch, identity);
        let program = Program {
            path: launch.program,
            args: launch.args,
            directory: launch.task_root,
            environment,
            inherits: spec.inherit_environment,
        };
        let plan = WorkerPlan {
            function: spec.name.as_str().into(),
            program,
            has_bootstrap: false,
            init_timeout: Duration::from_millis(spec.init_timeout_ms),
            timeout: Duration::from_millis(spec.timeout_ms),
            log,
        };
        Self { plan, slots: Semaphore::new(spec.concurrency), started: Mutex::default() }
    }

    pub(crate) async fn invoke(&self, invocation: &Invocation) -> Result<Bytes, InvokeError> {
        let _slot = self.slots.acquire().await.map_err(|_| InvokeError::ShutDown)?;
        let id = &invocation.request_id;
        let mut patience = Patience::new(&self.plan, id);
        loop {
            let started = Process::start(&self.plan.program, &self.variables(id), Some(invocation.payload.len()));
            let (process, output) = match started {
                Ok((process, output)) => (Held(self.keep(process)), output),
                Err(problem) => {
                    patience.wait(&problem).await?;
                    continue;
                }
            };
            // A shutdown has found this process among the started ones, or is found here.
            if self.slots.is_closed() {
                return Err(InvokeError::ShutDown);
            }
            let ended = match timeout(self.plan.timeout, self.run(&process.0, output, invocation)).await {
                Ok(ended) => ended,
                Err(_) => return Err(error::timed_out(id, self.plan.timeout)),
            };
            if let Some(problem) = ended.errors.not_started() {
                patience.wait(&problem).await?;
                continue;
            }
            if self.slots.is_closed() {
                return Err(InvokeError::ShutDown);
            }
            return result(id, ended);
        }
    }

    pub(crate) async fn shut_down(&self) {
        self.slots.close();
        let started = std::mem::take(&mut *self.started.lock().unwrap_or_else(PoisonError::into_inner));
        started.iter().for_each(|process| process.kill());
        for process in started {
            process.exited().await;
        }
    }

    fn keep(&self, process: Process) -> Arc<Process> {
        let process = Arc::new(process);
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.retain(|process| process.is_running());
        started.push(Arc::clone(&process));
        process
    }

    fn variables(&self, request_id: &str) -> [(&'static str, String); 2] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let deadline_ms = (now + self.plan.timeout).as_millis();
        [("ASL_REQUEST_ID", request_id.to_owned()), ("ASL_DEADLINE_MS", deadline_ms.to_string())]
    }

    async fn run(&self, process: &Process, output: (ChildStdout, ChildStderr), invocation: &Invocation) -> Ended {
        let (stdout, stderr) = output;
        let mut errors =
            ErrorLines::new(Arc::clone(&self.plan.function), &invocation.request_id, self.plan.log.clone());
        let mut collected = Some(BytesMut::new());
        let reading = async {
            tokio::join!(
                process.feed(&invocation.payload),
                collect(stdout, &mut collected, process),
                errors.read(BufReader::new(stderr)),
            )
        };
        let status = tokio::select! {
            _ = reading => process.exited().await,
            // Something else may hold the pipes open.
            status = async { let status = process.exited().await; sleep(LAST_WORDS * 10).await; status } => status,
        };
        errors.end().await;
        Ended { status, stdout: collected.map(BytesMut::freeze), errors }
    }
}

async fn collect(mut stdout: ChildStdout, collected: &mut Option<BytesMut>, process: &Process) {
    while let Some(bytes) = collected {
        if !matches!(stdout.read_buf(bytes).await, Ok(1..)) {
            return;
        }
        if bytes.len() > MAX_RESPONSE_BYTES {
            *collected = None;
            process.kill();
        }
    }
}

fn result(id: &str, ended: Ended) -> Result<Bytes, InvokeError> {
    let Some(stdout) = ended.stdout else { return Err(error::response_too_large()) };
    if !ended.status.success() {
        return Err(error::command_failed(id, ended.status, ended.errors.last()));
    }
    match stdout.iter().all(u8::is_ascii_whitespace) {
        // Done, with nothing to say.
        true => Ok(Bytes::from_static(b"null")),
        false => check_json(stdout),
    }
}
