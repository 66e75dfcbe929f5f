//! What can go wrong, with AWS's names for it.

use std::{os::unix::process::ExitStatusExt, path::PathBuf, process::ExitStatus, time::Duration};

use serde_json::{Value, json};

/// The largest answer of a function, in bytes: 6 MB and 100 bytes, as on AWS.
pub const MAX_RESPONSE_BYTES: usize = 6_291_556;
/// The largest payload a function can be invoked with, in bytes: 6 MB, as on AWS.
pub const MAX_REQUEST_BYTES: usize = 6_291_456;
/// How much of an answer that is not JSON is repeated in the cause, in characters.
const EXCERPT_CHARS: usize = 1024;

/// Why an invocation has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// The function ran and failed, or could not be run. Both fields are what a Step Functions
    /// Task state reports: the error name to match in `Retry` and `Catch`, and the cause.
    #[error("{error}: {cause}")]
    Failed {
        /// AWS's error name, or the `errorType` of the handler's own exception.
        error: String,
        /// The JSON text the function's runtime gave (`errorType`, `errorMessage`, and a trace),
        /// or a sentence where there is no such text.
        cause: String,
    },
    /// No function of this name was declared. On AWS: `Lambda.ResourceNotFoundException`.
    #[error("no function named `{name}` is declared; add it to the project's functions")]
    NoSuchFunction {
        /// The name that was asked for.
        name: String,
    },
    /// The invocation itself is malformed (its request id cannot be an HTTP header or a path).
    #[error("the request id `{request_id}` must be 1 to 256 letters, digits, `-`, `_`, `.` or `:`")]
    BadRequestId {
        /// The id that was given.
        request_id: String,
    },
    /// [`Functions::shutdown`](crate::Functions::shutdown) was called before there was an answer.
    #[error("the functions are shut down")]
    ShutDown,
}

/// Why a set of function declarations cannot be used. Found before anything runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Two functions have the same name.
    #[error("function `{function}` is declared twice; give each function its own name")]
    Duplicate {
        /// The name.
        function: String,
    },
    /// The name is not one that Lambda takes.
    #[error("function name `{function}` must be 1 to 64 letters, digits, `-` or `_`")]
    Name {
        /// The name.
        function: String,
    },
    /// The code's file or folder does not exist, or is not what it should be.
    #[error("function `{function}`: {} {problem}", path.display())]
    File {
        /// The function.
        function: String,
        /// The path as it was looked for.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The handler is not of the form its runtime takes.
    #[error("function `{function}`: handler `{handler}` {problem}")]
    Handler {
        /// The function.
        function: String,
        /// The handler as declared.
        handler: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The interpreter that the runtime needs is not on `PATH`.
    #[error("function `{function}` needs `{interpreter}`, which is not on PATH; install it or add its folder to PATH")]
    Interpreter {
        /// The function.
        function: String,
        /// `python3` or `node`.
        interpreter: &'static str,
    },
    /// The program of a command is not on `PATH`.
    #[error("function `{function}`: {}", program_problem(program))]
    Program {
        /// The function.
        function: String,
        /// The first word of the command; empty if there is none.
        program: String,
    },
    /// A number is outside its range.
    #[error("function `{function}`: {field} is {value}, but must be {range}")]
    Range {
        /// The function.
        function: String,
        /// The field's name.
        field: &'static str,
        /// The value given.
        value: u64,
        /// The range in words.
        range: &'static str,
    },
    /// The URL cannot be used.
    #[error("function `{function}`: url `{url}` {problem}")]
    Url {
        /// The function.
        function: String,
        /// The URL as declared.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
}

fn program_problem(program: &str) -> String {
    match program {
        "" => "the command has no words; its first is the program".to_owned(),
        _ => format!("`{program}` is not on PATH; install it, or write a path with a slash (`./{program}`)"),
    }
}

fn failed(error: impl Into<String>, cause: impl Into<String>) -> InvokeError {
    InvokeError::Failed { error: error.into(), cause: cause.into() }
}

/// A failure that the platform, not the function, describes: Lambda's JSON with two members.
fn platform(error_type: &str, message: String) -> InvokeError {
    let cause = json!({ "errorType": error_type, "errorMessage": message });
    failed(error_type, cause.to_string())
}

/// The function reported an error: its `errorType` is the error's name, its JSON the cause.
/// Step Functions calls an error without a type `Lambda.Unknown`.
pub(crate) fn from_payload(payload: &[u8]) -> InvokeError {
    let text = String::from_utf8_lossy(payload);
    match error_type(payload) {
        Some(name) => failed(name, text),
        None => failed(
            "Lambda.Unknown",
            format!(
                "The cause could not be determined because Lambda did not return an error type. \
                 Returned payload: {text}"
            ),
        ),
    }
}

/// The `errorType` of an error payload, if it has one that is a non-empty text.
pub(crate) fn error_type(payload: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Value>(payload).ok()?.get("errorType")? {
        Value::String(name) if !name.is_empty() => Some(name.clone()),
        _ => None,
    }
}

/// The function succeeded but its answer is not JSON. Lambda itself has no name for this; Step
/// Functions' name for a function's failure of unknown type is `Lambda.Unknown`.
pub(crate) fn not_json(payload: &[u8], problem: &serde_json::Error) -> InvokeError {
    let text = String::from_utf8_lossy(payload);
    let excerpt: String = text.chars().take(EXCERPT_CHARS).collect();
    let dots = if excerpt.len() < text.len() { "..." } else { "" };
    failed(
        "Lambda.Unknown",
        format!("The function's answer is not JSON ({problem}). Returned payload: {excerpt}{dots}"),
    )
}

pub(crate) fn timed_out(request_id: &str, limit: Duration) -> InvokeError {
    let message = format!("RequestId: {request_id} Error: Task timed out after {:.2} seconds", limit.as_secs_f64());
    platform("Sandbox.Timedout", message)
}

pub(crate) fn exited(request_id: &str, status: ExitStatus) -> InvokeError {
    exited_saying(request_id, status, "")
}

fn exited_saying(request_id: &str, status: ExitStatus, last_line: &str) -> InvokeError {
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(signal)) => format!("Runtime exited with error: signal: {}", signal_name(signal)),
        (None, None) => "Runtime exited with error".to_owned(),
    };
    let colon = if last_line.is_empty() { "" } else { ": " };
    platform("Runtime.ExitError", format!("RequestId: {request_id} Error: {how}{colon}{last_line}"))
}

/// Lambda prints signals as Go does.
fn signal_name(number: i32) -> String {
    match number {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    }
    .to_owned()
}

pub(crate) fn response_too_large() -> InvokeError {
    let message = format!("Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).");
    platform("Function.ResponseSizeTooLarge", message)
}

pub(crate) fn request_too_large(request_id: &str, bytes: usize) -> InvokeError {
    let message = format!(
        "{bytes} byte payload is too large for the RequestResponse invocation type \
         (limit {MAX_REQUEST_BYTES} bytes)"
    );
    service("AWSLambdaException", &message, 413, "RequestEntityTooLargeException", request_id)
}

/// The program could not be started at all.
pub(crate) fn not_started(request_id: &str, program: &std::path::Path, problem: &std::io::Error) -> InvokeError {
    let message = format!("RequestId: {request_id} Error: fork/exec {}: {problem}", program.display());
    platform("Runtime.InvalidEntrypoint", message)
}

/// There was no room to start the program, for as long as one waits: what Lambda says of too many at the same time.
pub(crate) fn no_room(request_id: &str, problem: &std::io::Error) -> InvokeError {
    let message = format!("Rate Exceeded: the function cannot be started now ({problem}).");
    service("TooManyRequestsException", &message, 429, "TooManyRequestsException", request_id)
}

/// A local command ended with another exit code than 0: its error is what the last line on its standard error says.
pub(crate) fn command_failed(request_id: &str, status: ExitStatus, last_line: &str) -> InvokeError {
    let (name, message) = last_line.split_once(':').unwrap_or((last_line, ""));
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '$');
    if status.code().is_none() || !(1..=256).contains(&name.len()) || !name.chars().all(is_name) {
        return exited_saying(request_id, status, last_line);
    }
    let mut cause = json!({ "errorType": name, "errorMessage": message.trim() });
    cause["exitStatus"] = status.code().into();
    failed(name, cause.to_string())
}

/// The Lambda service (not the function) refused, in the words of the AWS SDK that Step
/// Functions calls it with.
pub(crate) fn service(name: &str, message: &str, status: u16, code: &str, request_id: &str) -> InvokeError {
    failed(
        format!("Lambda.{name}"),
        format!(
            "{message} (Service: AWSLambda; Status Code: {status}; Error Code: {code}; \
             Request ID: {request_id}; Proxy: null)"
        ),
    )
}

/// The function could not be reached: no connection, no name, a broken answer.
pub(crate) fn unreachable(problem: &str) -> InvokeError {
    failed("Lambda.SdkClientException", format!("Unable to execute HTTP request: {problem}"))
}
