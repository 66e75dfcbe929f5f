//! The request: what its members say, and which of them AWS takes together.

use super::definition::Subject;
use super::{Exception, responses};
use asl_core::Failure;
use asl_syntax::model::{Distributed, StateKind};
use asl_syntax::{Pattern, ResourceKind};
use asl_value::{Map, Value};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Info,
    Debug,
    Trace,
}

/// How strictly a mocked result is held against the API of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Strict,
    Present,
    None,
}

/// What the state's work comes to.
pub(super) struct Mock {
    pub(super) answer: Result<Value, Failure>,
    pub(super) mode: Mode,
}

/// A request whose documents are JSON.
pub(super) struct Request<'r> {
    pub(super) definition: &'r str,
    pub(super) state_name: Option<&'r str>,
    pub(super) role_arn: Option<&'r str>,
    pub(super) input: Value,
    pub(super) variables: Map,
    pub(super) context: Option<Value>,
    pub(super) mock: Option<Mock>,
    pub(super) level: Level,
    pub(super) reveal_secrets: bool,
    pub(super) retry_count: u64,
    pub(super) caused_by: Option<&'r str>,
    pub(super) failed_iterations: Option<u64>,
    pub(super) reader_data: Option<&'r str>,
}

const NO_MAPS: &str = "TestState API does not support Map or Parallel states. Supported state types include: \
                       [Task, Wait, Pass, Succeed, Fail, Choice]";

impl<'r> Request<'r> {
    pub(super) fn read(request: &'r Value) -> Result<Request<'r>, Exception> {
        let text = |field: &str| request[field].as_str();
        let definition = text("definition").ok_or_else(|| {
            Exception::validation(
                "1 validation error detected: Value null at 'definition' failed to satisfy constraint: \
                 Member must not be null",
            )
        })?;
        let role_arn = text("roleArn");
        if let Some(arn) = role_arn.filter(|arn| !arn.starts_with("arn:")) {
            return Err(Exception { code: "InvalidArn", message: format!("Invalid Arn: 'Invalid ARN prefix: {arn}'") });
        }
        let input = text("input").unwrap_or("{}").parse().map_err(|why| Exception {
            code: "InvalidExecutionInput",
            message: format!("Invalid State Machine Execution Input: '{why}'"),
        })?;
        let configuration = &request["stateConfiguration"];
        let count = |field: &str| configuration[field].as_i64().and_then(|count| u64::try_from(count).ok());
        Ok(Request {
            definition,
            state_name: text("stateName"),
            role_arn,
            input,
            variables: object(text("variables"), "variables")?.unwrap_or_default(),
            context: object(text("context"), "context")?.map(Value::from),
            mock: mock(&request["mock"])?,
            level: level(&request["inspectionLevel"])?,
            reveal_secrets: request["revealSecrets"].as_bool() == Some(true),
            retry_count: count("retrierRetryCount").unwrap_or(0),
            caused_by: configuration["errorCausedByState"].as_str(),
            failed_iterations: count("mapIterationFailureCount"),
            reader_data: configuration["mapItemReaderData"].as_str(),
        })
    }

    /// What AWS refuses for this state.
    pub(super) fn check(&self, subject: &Subject) -> Result<(), Exception> {
        match &self.mock {
            Some(mock) => self.check_mock(subject, mock)?,
            None => self.check_without_mock(subject)?,
        }
        if let Some(name) = self.caused_by.filter(|name| !subject.has_inside(name)) {
            let message = format!("errorCausedByState: the tested state has no state '{name}' inside");
            return Err(Exception::validation(message));
        }
        Ok(())
    }

    fn check_without_mock(&self, subject: &Subject) -> Result<(), Exception> {
        let needs_mock = |what: &str| {
            Err(Exception::validation(format!("TestState does not support {what} when a mock is not specified.")))
        };
        if self.failed_iterations.is_some() {
            return needs_mock("MapIterationFailureCount");
        }
        if self.context.is_some() {
            return needs_mock("Context");
        }
        match &subject.state().kind {
            StateKind::Map(_) | StateKind::Parallel(_) => Err(Exception::definition(NO_MAPS)),
            StateKind::Task(task) => {
                let activity = matches!(task.resource.kind, ResourceKind::Activity { .. });
                if activity || task.resource.pattern() != Pattern::RequestResponse {
                    return needs_mock(&task.resource.arn);
                }
                if self.role_arn.is_none() {
                    return Err(Exception::validation("RoleArn must be specified when testing a Task state"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_mock(&self, subject: &Subject, mock: &Mock) -> Result<(), Exception> {
        let kind = &subject.state().kind;
        if !matches!(kind, StateKind::Task(_) | StateKind::Map(_) | StateKind::Parallel(_)) {
            let name = subject.state().state_type().name();
            let message = format!("State type '{name}' is not supported when a mock is specified");
            return Err(Exception::validation(message));
        }
        if self.reveal_secrets {
            let message = "TestState does not support RevealSecrets when a mock is specified.";
            return Err(Exception::validation(message));
        }
        let Ok(result) = &mock.answer else { return Ok(()) };
        let items = result.as_array().map(<[Value]>::len);
        let wrong = match kind {
            StateKind::Map(map) if writes(map.distributed.as_ref()) => {
                result.as_object().is_none().then_some("Mocked result must be a JSON object.")
            }
            StateKind::Map(_) | StateKind::Parallel(_) if items.is_none() => Some("Mocked result must be an array."),
            StateKind::Parallel(parallel) if items != Some(parallel.branches.len()) => {
                Some("Mocked result must contain the same number of items as number of Parallel branches.")
            }
            StateKind::Task(task) if mock.mode != Mode::None => {
                return responses::check(&task.resource, result, mock.mode == Mode::Strict)
                    .map_err(|why| Exception::validation(format!("Mock result schema validation error: {why}")));
            }
            _ => None,
        };
        wrong.map_or(Ok(()), |message| Err(Exception::validation(message)))
    }
}

/// The results of a Map with a bucket to write to are the name of a manifest.
fn writes(distributed: Option<&Distributed>) -> bool {
    distributed.and_then(|map| map.writer.as_ref()).is_some_and(|writer| writer.resource.is_some())
}

fn object(text: Option<&str>, field: &str) -> Result<Option<Map>, Exception> {
    let Some(text) = text else { return Ok(None) };
    let value = text.parse::<Value>().ok();
    match value.as_ref().and_then(Value::as_object) {
        Some(map) => Ok(Some(map.clone())),
        None => Err(Exception::validation(format!("The value of the field '{field}' must be a JSON object"))),
    }
}

fn mock(mock: &Value) -> Result<Option<Mock>, Exception> {
    if mock.is_null() {
        return Ok(None);
    }
    let answer = match (mock["result"].as_str(), mock["errorOutput"].as_object()) {
        (Some(_), Some(_)) => {
            let message = "A test mock should have only one of the following fields: [result, errorOutput].";
            return Err(Exception::validation(message));
        }
        (Some(result), None) => {
            Ok(result.parse().map_err(|_| Exception::validation("Mocked result must be valid JSON"))?)
        }
        (None, Some(error)) => {
            let text = |field: &str| error.get(field).and_then(Value::as_str).map(Into::into);
            Err(Failure { error: text("error"), cause: text("cause") })
        }
        (None, None) => {
            let message = "A test mock needs one of the following fields: [result, errorOutput].";
            return Err(Exception::validation(message));
        }
    };
    let mode = match mock["fieldValidationMode"].as_str() {
        None | Some("STRICT") => Mode::Strict,
        Some("PRESENT") => Mode::Present,
        Some("NONE") => Mode::None,
        Some(other) => return Err(one_of(other, "mock.fieldValidationMode", "[PRESENT, STRICT, NONE]")),
    };
    Ok(Some(Mock { answer, mode }))
}

fn level(level: &Value) -> Result<Level, Exception> {
    match level.as_str() {
        None | Some("INFO") => Ok(Level::Info),
        Some("DEBUG") => Ok(Level::Debug),
        Some("TRACE") => Ok(Level::Trace),
        Some(other) => Err(one_of(other, "inspectionLevel", "[INFO, TRACE, DEBUG]")),
    }
}

fn one_of(value: &str, field: &str, set: &str) -> Exception {
    Exception::validation(format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: \
         Member must satisfy enum value set: {set}"
    ))
}
