//! The workers of one function: started when needed, kept, and at most so many.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use hyper::{
    HeaderMap,
    http::{HeaderName, HeaderValue},
};
use tokio::sync::Semaphore;

use crate::{
    Identity, Invocation,
    error::{self, InvokeError},
    fingerprint::Watched,
    log::Log,
    patience::Patience,
    process::{Process, Program},
    runtime_api::{Answer, Delivery},
    spec::{FunctionSpec, Launch},
    worker::{Outcome, Worker, WorkerPlan},
};

pub(crate) struct Pool {
    arn: HeaderValue,
    plan: WorkerPlan,
    /// One permit for each invocation that may be under way; callers queue here, in order.
    slots: Semaphore,
    workers: Mutex<Workers>,
    code: Watched,
}

#[derive(Default)]
struct Workers {
    /// Warm workers; the last one in is the first out, so that the rest can grow cold.
    idle: Vec<Worker>,
    /// Every process that was started and has not ended.
    started: Vec<Arc<Process>>,
    shut_down: bool,
    /// Of the code, as it was seen last.
    code_version: u64,
}

impl Pool {
    pub(crate) fn new(spec: &FunctionSpec, launch: Launch, identity: &Identity, log: Log) -> Self {
        let arn = identity.function_arn(&spec.name);
        let environment = environment(spec, &launch, identity);
        let code = Watched::new(&spec.code, &launch.task_root);
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
            has_bootstrap: launch.has_bootstrap,
            init_timeout: Duration::from_millis(spec.init_timeout_ms),
            timeout: Duration::from_millis(spec.timeout_ms),
            log,
        };
        let arn = HeaderValue::from_str(&arn).unwrap_or(HeaderValue::from_static(""));
        Self { arn, plan, slots: Semaphore::new(spec.concurrency), workers: Mutex::default(), code }
    }

    /// Runs one invocation on a free worker, a warm one if there is one.
    pub(crate) async fn invoke(&self, invocation: &Invocation) -> Result<Bytes, InvokeError> {
        let _slot = self.slots.acquire().await.map_err(|_| InvokeError::ShutDown)?;
        let mut patience = Patience::new(&self.plan, &invocation.request_id);
        loop {
            let code_version = self.code_version();
            let warm = self.take_idle()?;
            let is_warm = warm.is_some();
            let worker = match warm {
                Some(worker) => worker,
                None => match self.start(code_version).await? {
                    Ok(worker) => worker,
                    Err(problem) => {
                        patience.wait(&problem).await?;
                        continue;
                    }
                },
            };
            // If this future is dropped here, so is the worker, and with it the process.
            let outcome = worker.invoke(&self.plan, || self.delivery(invocation)).await;
            let id = &invocation.request_id;
            return match outcome {
                Outcome::Answered(answer) => {
                    self.put_back(worker);
                    result(answer)
                }
                Outcome::InitFailed(body) => Err(error::from_payload(&body)),
                Outcome::TimedOut(limit) => Err(error::timed_out(id, limit)),
                Outcome::NotStarted(problem) => {
                    drop(worker);
                    patience.wait(&problem).await?;
                    continue;
                }
                Outcome::Exited(_) | Outcome::Untaken(_) if self.workers().shut_down => Err(InvokeError::ShutDown),
                // A warm worker that ended between two invocations: the handler has seen nothing
                // of this one, so another worker can have it.
                Outcome::Untaken(_) if is_warm => continue,
                Outcome::Exited(status) | Outcome::Untaken(status) => Err(error::exited(id, status)),
            };
        }
    }

    /// Kills every worker, and returns when the processes have ended. Callers that wait for a
    /// worker or an answer get [`InvokeError::ShutDown`].
    pub(crate) async fn shut_down(&self) {
        self.slots.close();
        let started = {
            let mut workers = self.workers();
            workers.shut_down = true;
            workers.idle.clear();
            std::mem::take(&mut workers.started)
        };
        for process in &started {
            process.kill();
        }
        for process in &started {
            process.exited().await;
        }
    }

    fn workers(&self) -> MutexGuard<'_, Workers> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self) -> Result<Option<Worker>, InvokeError> {
        let mut workers = self.workers();
        if workers.shut_down {
            return Err(InvokeError::ShutDown);
        }
        while let Some(worker) = workers.idle.pop() {
            if worker.process().is_running() {
                return Ok(Some(worker));
            }
        }
        Ok(None)
    }

    async fn start(&self, code_version: u64) -> Result<io::Result<Worker>, InvokeError> {
        let worker = match Worker::start(&self.plan, code_version).await {
            Ok(worker) => worker,
            Err(problem) => return Ok(Err(problem)),
        };
        tracing::debug!(function = %self.plan.function, "started a worker");
        let mut workers = self.workers();
        if workers.shut_down {
            return Err(InvokeError::ShutDown);
        }
        workers.started.retain(|process| process.is_running());
        workers.started.push(Arc::clone(worker.process()));
        Ok(Ok(worker))
    }

    fn put_back(&self, worker: Worker) {
        let mut workers = self.workers();
        if !workers.shut_down && worker.code_version == workers.code_version {
            workers.idle.push(worker);
        }
    }

    /// The number of the code's version; workers that have loaded an older one are let go.
    fn code_version(&self) -> u64 {
        let (version, changed) = self.code.version();
        let stale = {
            let mut workers = self.workers();
            workers.code_version = workers.code_version.max(version);
            let stale = workers.idle.extract_if(.., |worker| worker.code_version < version);
            stale.collect::<Vec<Worker>>()
        };
        if let Some(file) = changed {
            self.plan.log.tell(&self.plan.function, format!("{} has changed: reloading the code", file.display()));
        }
        drop(stale);
        version
    }

    fn delivery(&self, invocation: &Invocation) -> Delivery {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let deadline_ms = (now + self.plan.timeout).as_millis() as u64;
        let mut headers = HeaderMap::with_capacity(6);
        let mut set = |name, value| headers.insert(HeaderName::from_static(name), value);
        set("content-type", HeaderValue::from_static("application/json"));
        set("lambda-runtime-deadline-ms", HeaderValue::from(deadline_ms));
        set("lambda-runtime-invoked-function-arn", self.arn.clone());
        let texts = [
            ("lambda-runtime-aws-request-id", Some(invocation.request_id.clone())),
            ("lambda-runtime-trace-id", Some(trace_id(&invocation.request_id, now))),
            ("lambda-runtime-client-context", invocation.client_context.as_deref().map(ascii_json)),
        ];
        for (name, text) in texts {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
                set(name, value);
            }
        }
        Delivery { request_id: invocation.request_id.clone(), headers, payload: invocation.payload.clone() }
    }
}

fn result(answer: Answer) -> Result<Bytes, InvokeError> {
    match answer {
        Answer::Response(body) => check_json(body),
        Answer::Error(body) => Err(error::from_payload(&body)),
        Answer::TooLarge => Err(error::response_too_large()),
    }
}

/// The answer itself if it is JSON; that it is one text of JSON is all that is looked at.
pub(crate) fn check_json(body: Bytes) -> Result<Bytes, InvokeError> {
    match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        Ok(_) => Ok(body),
        Err(problem) => Err(error::not_json(&body, &problem)),
    }
}

/// Lambda's environment variables, over the user's, over our own (which the process inherits).
pub(crate) fn environment(spec: &FunctionSpec, launch: &Launch, identity: &Identity) -> Vec<(String, String)> {
    let mut variables = spec.environment.clone();
    let reserved = [
        ("_HANDLER", launch.handler.clone()),
        ("LAMBDA_TASK_ROOT", launch.task_root.to_string_lossy().into_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory_mb.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", spec.name)),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_REGION", identity.region.clone()),
        ("AWS_DEFAULT_REGION", identity.region.clone()),
    ];
    if let Some(folder) = &launch.virtual_env {
        variables.insert("VIRTUAL_ENV".to_owned(), folder.to_string_lossy().into_owned());
    }
    variables.extend(reserved.map(|(name, value)| (name.to_owned(), value)));
    variables.entry("TZ".to_owned()).or_insert_with(|| ":UTC".to_owned());
    variables.into_iter().collect()
}

/// An X-Ray trace header; the same request gets the same ids, which is all that is asked of it.
fn trace_id(request_id: &str, now: Duration) -> String {
    // FNV-1a over 128 bits.
    let hash = request_id.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    let (root, parent) = (hash >> 32, hash as u64);
    format!("Root=1-{:08x}-{root:024x};Parent={parent:016x};Sampled=0", now.as_secs() as u32)
}

/// JSON text that fits into a header: characters beyond ASCII as `\u` escapes, which mean the same
/// within JSON texts, and line ends as spaces.
fn ascii_json(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    let mut units = [0; 2];
    for character in text.chars() {
        match character {
            ' '..='~' => ascii.push(character),
            '\0'..='\x7f' => ascii.push(' '),
            _ => {
                for unit in character.encode_utf16(&mut units) {
                    ascii.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::{ascii_json, trace_id};
    use std::time::Duration;

    #[test]
    fn client_contexts_become_ascii_with_the_same_meaning() {
        let text = "{\n \"name\": \"Zoë 🚗\"}";
        let ascii = ascii_json(text);
        assert!(ascii.is_ascii() && !ascii.contains('\n'));
        let parse = |text| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(parse(text), parse(&ascii));
    }

    #[test]
    fn trace_ids_have_the_form_of_x_ray() {
        let id = trace_id("a-request", Duration::from_secs(0x6920_0000));
        assert_eq!(id, trace_id("a-request", Duration::from_secs(0x6920_0000)));
        assert_ne!(id, trace_id("b-request", Duration::from_secs(0x6920_0000)));
        let lengths: Vec<usize> = id.split([';', '=', '-']).map(str::len).collect();
        assert_eq!(lengths, [4, 1, 8, 24, 6, 16, 7, 1], "{id}");
    }
}
