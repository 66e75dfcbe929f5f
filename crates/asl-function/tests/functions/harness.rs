//! What the tests share: functions by short words, and the lines that they logged.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use asl_function::{Code, FunctionSpec, Functions, Identity, Invocation, InvokeError, LogLine, LogSink, LogStream};
use serde_json::Value;

/// Functions run as they do under the `asl` command: below supervisors.
pub(crate) fn supervised() {
    asl_function::supervisor::use_program(Path::new(env!("CARGO_BIN_EXE_asl-supervisor")));
}

pub(crate) const ID: &str = "5e9f3d1c-0a59-4b53-8f6e-7d3f8d1d2a10";

pub(crate) fn handlers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/handlers")
}

/// The Python function `handler` of a file in `tests/handlers`, under the name `F`.
pub(crate) fn python(file: &str, handler: &str) -> FunctionSpec {
    FunctionSpec::new("F", Code::Python { file: handlers().join(file), handler: handler.to_owned() })
}

/// One function and its log.
pub(crate) struct Harness {
    pub(crate) functions: Functions,
    lines: Arc<Mutex<Vec<LogLine>>>,
}

impl Harness {
    pub(crate) fn new(spec: FunctionSpec) -> Self {
        supervised();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink: LogSink = {
            let lines = Arc::clone(&lines);
            Arc::new(move |line| lines.lock().unwrap().push(line))
        };
        let identity = Identity { region: "eu-west-1".into(), account: "123456789012".into() };
        let functions = Functions::new(vec![spec], sink, identity).expect("a good spec");
        Self { functions, lines }
    }

    /// Invokes the function `F`.
    pub(crate) async fn invoke(&self, event: impl Into<Value>) -> Result<Value, Failure> {
        let result = self.functions.invoke("F", invocation(event)).await;
        result.map(|body| serde_json::from_slice(&body).expect("JSON")).map_err(Failure::from)
    }

    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.lines.lock().unwrap().clone()
    }

    pub(crate) fn texts(&self, stream: LogStream) -> Vec<String> {
        let lines = self.lines().into_iter();
        lines.filter(|line| line.stream == stream).map(|line| line.text).collect()
    }
}

pub(crate) fn invocation(event: impl Into<Value>) -> Invocation {
    Invocation { payload: event.into().to_string().into(), request_id: ID.to_owned(), client_context: None }
}

/// `InvokeError::Failed` with the cause parsed, if it is JSON.
#[derive(Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) error: String,
    pub(crate) cause: Value,
}

impl From<InvokeError> for Failure {
    fn from(error: InvokeError) -> Self {
        match error {
            InvokeError::Failed { error, cause } => {
                let cause = serde_json::from_str(&cause).unwrap_or(Value::String(cause));
                Self { error, cause }
            }
            other => panic!("unexpected: {other}"),
        }
    }
}

impl Failure {
    /// Name and message, where the cause is Lambda's JSON; the name must agree with it.
    pub(crate) fn message(&self) -> (&str, &str) {
        assert_eq!(self.cause["errorType"], self.error.as_str(), "{self:?}");
        (&self.error, self.cause["errorMessage"].as_str().expect("a message"))
    }
}

/// True if a process of this id is running (one that ended but was not yet reaped is not).
pub(crate) fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Waits for a condition that the kernel brings about.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("never happened: {what}");
}

/// An executable file with this text.
pub(crate) fn executable(folder: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    path
}
