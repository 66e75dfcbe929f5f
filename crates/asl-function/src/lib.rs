//! Runs ordinary AWS Lambda handlers here, behind the [AWS Lambda Runtime API]: Python and Node.js
//! handlers by a bootstrap that this crate carries, executables that are built on any Lambda
//! runtime, commands that read an event and print a result, and functions that are an HTTP URL.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use asl_function::{Code, FunctionSpec, Functions, Identity, Invocation, LogLine};
//!
//! # let folder = tempfile::tempdir()?;
//! let file = folder.path().join("greet.py");
//! std::fs::write(&file, "def lambda_handler(event, context):\n    return 'Hello, ' + event['name']\n")?;
//!
//! let greet = FunctionSpec::new("Greet", Code::Python { file, handler: "lambda_handler".into() });
//! let log = Arc::new(|line: LogLine| eprintln!("[{}] {}", line.function, line.text));
//! let functions = Functions::new(vec![greet], log, Identity::default())?;
//!
//! let invocation = Invocation {
//!     payload: r#"{"name": "Ada"}"#.into(),
//!     request_id: "8f5072a4-0c5e-4a25-8f6a-2e3a1a6f8a11".into(),
//!     client_context: None,
//! };
//! assert_eq!(functions.invoke("Greet", invocation).await?, r#""Hello, Ada""#);
//! functions.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What to expect
//!
//! - **Workers** are processes. A function has at most `concurrency` of them, started when needed,
//!   kept, and replaced when they die; callers queue for a free one, in order. A worker that
//!   exceeds its time limit, or whose invocation was given up (the future of
//!   [`Functions::invoke`] dropped), is killed with everything it started. When the code's files
//!   change, the next invocation gets a worker that has loaded them anew.
//! - **Supervisors** see to it that nothing of a worker outlives this process, however it ends: a
//!   program's `main` has to begin with [`supervisor::serve_if_asked`].
//! - **The door** of a worker's Runtime API is open to that worker alone. On Linux the process at the
//!   other end of a connection is looked up; our bootstraps have a secret path besides.
//! - **A request id** is the caller's choice. It is the handler's `aws_request_id`, so a call that
//!   is made again after a crash should carry the same one: it is the handler's idempotency key.
//! - **Errors** have AWS's names; see the table below. What the handler raised is named as its
//!   runtime names it, with the JSON of errorType, errorMessage and trace as the cause.
//! - **Output** of the workers reaches the [`LogSink`] line by line; all lines of an invocation do
//!   before its result is returned, if the sink takes them in a tenth of a second.
//!
//! | What happened | Error | Cause |
//! |---|---|---|
//! | the handler raised `X` | `X` | the runtime's JSON |
//! | an error without a type | `Lambda.Unknown` | a sentence with the payload, Step Functions' own |
//! | the module is missing, or one it imports | `Runtime.ImportModuleError` | JSON |
//! | the module has a syntax error | `Runtime.UserCodeSyntaxError` | JSON |
//! | the module has no such function | `Runtime.HandlerNotFound` | JSON |
//! | the handler is not `module.function` | `Runtime.MalformedHandlerName` | JSON |
//! | the result cannot be JSON (Python) | `Runtime.MarshalError` | JSON |
//! | the answer is not JSON | `Lambda.Unknown` | a sentence with the payload |
//! | the answer is larger than 6 MB | `Function.ResponseSizeTooLarge` | JSON |
//! | the payload is larger than 6 MB | `Lambda.AWSLambdaException` | a sentence, the SDK's |
//! | the worker ended | `Runtime.ExitError` | JSON: exit status, signal, or no reason |
//! | the worker could not be started | `Runtime.InvalidEntrypoint` | JSON |
//! | there was no room to start it (files, processes, memory) | `Lambda.TooManyRequestsException` | a sentence, the SDK's |
//! | a command said `X` or `X: message` last, and failed | `X` | JSON, with `exitStatus` |
//! | the time limit was exceeded | `Sandbox.Timedout` | JSON |
//! | a URL could not be reached | `Lambda.SdkClientException` | a sentence |
//! | a URL answered 429, 5xx, 404, other | `Lambda.TooManyRequestsException`, `Lambda.ServiceException`, `Lambda.ResourceNotFoundException`, `Lambda.AWSLambdaException` | a sentence, the SDK's |
//!
//! A URL's answer counts as the function's error if it has the header `X-Amz-Function-Error`, or a
//! status beyond 2xx and an `errorType`; and its own error names (header `x-amzn-ErrorType`) are
//! kept, so the Lambda API itself and its emulators are understood. Connection problems are
//! `Lambda.SdkClientException`, because that is what Step Functions, itself an SDK client, calls a
//! Lambda endpoint that it cannot reach, and what AWS's recommended `Retry` lists. The answer not
//! being there in `timeout_ms` is `Sandbox.Timedout`, since the limit is the function's.
//!
//! # Invariants
//!
//! - This crate knows nothing of state machines and looks into no payload: bytes in, bytes out.
//! - A worker has one invocation at a time and its own port, so a late answer reaches nobody.
//! - Nothing is started before it is needed, and nothing outlives [`Functions`].
//!
//! [AWS Lambda Runtime API]: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

mod command;
mod door;
mod error;
mod fingerprint;
mod log;
mod patience;
mod peer;
mod pool;
mod process;
mod runtime_api;
mod spec;
mod spool;
pub mod supervisor;
mod tree;
mod url;
mod worker;

use std::collections::HashMap;

use bytes::Bytes;

use crate::{command::CommandFunction, log::Log, pool::Pool, url::UrlFunction};
pub use crate::{
    error::{InvokeError, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, SpecError},
    log::{LogLine, LogSink, LogStream, MAX_LOG_LINE_BYTES},
    spec::{Code, FunctionSpec},
    spool::{Spool, Spooled},
};

/// Whose functions these are; it makes up their ARNs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The region, by default `us-east-1`. Functions see it as `AWS_REGION`.
    pub region: String,
    /// The account, 12 digits, by default `000000000000`.
    pub account: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self { region: "us-east-1".to_owned(), account: "000000000000".to_owned() }
    }
}

impl Identity {
    fn function_arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{}:{}:function:{name}", self.region, self.account)
    }
}

/// One call of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The event, as JSON text: at most [`MAX_REQUEST_BYTES`].
    pub payload: Bytes,
    /// The handler's `aws_request_id`: 1 to 256 letters, digits, `-`, `_`, `.` or `:`.
    pub request_id: String,
    /// The client context, as JSON text (not base64), if there is one.
    pub client_context: Option<String>,
}

/// Declared functions, ready to be invoked.
pub struct Functions {
    runners: HashMap<String, Runner>,
    log: Log,
}

enum Runner {
    Pool(Box<Pool>),
    Command(Box<CommandFunction>),
    Url(UrlFunction),
}

impl Functions {
    /// Checks every declaration: names, ranges, that the code is there, that handlers are
    /// well-formed, that the interpreters are installed. Starts nothing.
    ///
    /// # Errors
    /// The first thing that is wrong, with the function's name and the remedy.
    pub fn new(specs: Vec<FunctionSpec>, log: LogSink, identity: Identity) -> Result<Self, SpecError> {
        spec::check(&specs)?;
        let log = Log::new(log);
        let mut runners = HashMap::with_capacity(specs.len());
        for spec in specs {
            let runner = match (spec::launch(&spec)?, &spec.code) {
                (Some(launch), Code::Command { .. }) => {
                    Runner::Command(Box::new(CommandFunction::new(&spec, launch, &identity, log.clone())))
                }
                (Some(launch), _) => Runner::Pool(Box::new(Pool::new(&spec, launch, &identity, log.clone()))),
                (None, Code::Url { url }) => Runner::Url(UrlFunction::new(&spec, url)?),
                (None, _) => continue,
            };
            runners.insert(spec.name, runner);
        }
        Ok(Self { runners, log })
    }

    /// The names of the declared functions, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.runners.keys().map(String::as_str)
    }

    /// True if a function of this name is declared.
    pub fn contains(&self, name: &str) -> bool {
        self.runners.contains_key(name)
    }

    /// Runs a function and returns its answer, a JSON text. Dropping the future gives the
    /// invocation up: its worker is killed, so no answer of it can come later.
    ///
    /// Must be called within a tokio runtime that has I/O and time enabled.
    ///
    /// # Errors
    /// [`InvokeError::Failed`] with AWS's error name and cause when the function failed or could
    /// not be run; the other kinds when there was nothing to run.
    pub async fn invoke(&self, name: &str, invocation: Invocation) -> Result<Bytes, InvokeError> {
        let Some(runner) = self.runners.get(name) else {
            return Err(InvokeError::NoSuchFunction { name: name.to_owned() });
        };
        let id = &invocation.request_id;
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        if !(1..=256).contains(&id.len()) || !id.chars().all(legal) {
            return Err(InvokeError::BadRequestId { request_id: invocation.request_id });
        }
        if invocation.payload.len() > MAX_REQUEST_BYTES {
            return Err(error::request_too_large(id, invocation.payload.len()));
        }
        match runner {
            Runner::Pool(pool) => pool.invoke(&invocation).await,
            Runner::Command(command) => command.invoke(&invocation).await,
            Runner::Url(function) => function.invoke(&invocation).await,
        }
    }

    /// Kills all workers and waits until they have ended. Invocations under way or waiting, and
    /// all later ones, fail with [`InvokeError::ShutDown`]; only a URL's answer under way is still
    /// waited for by its caller. What the workers printed is with the sink then, unless that takes nothing. Dropping `Functions` kills the workers too, without waiting.
    pub async fn shutdown(&self) {
        for runner in self.runners.values() {
            match runner {
                Runner::Pool(pool) => pool.shut_down().await,
                Runner::Command(command) => command.shut_down().await,
                Runner::Url(function) => function.shut_down(),
            }
        }
        self.log.drained().await;
    }
}
