//! TestState: one state alone, as AWS's operation of that name tests it. A driver of the one machine, like any other: it
//! enters the state with the request's input, variables and context, answers its work with the request's mock, and reads
//! what became of it from the machine's events, notes and observer.
//!
//! Request and response are JSON in AWS's shapes. Nothing here knows a network or a clock.
//!
//! ```
//! use asl::test_state::{Setting, test_state};
//! use asl::{Timestamp, Value};
//!
//! let request: Value = r#"{
//!     "definition": "{\"Type\": \"Task\", \"Resource\": \"arn:aws:states:::sns:publish\", \"Next\": \"Done\",
//!         \"Parameters\": {\"TopicArn\": \"arn:aws:sns:us-east-1:000000000000:t\", \"Message.$\": \"$.text\"}}",
//!     "input": "{\"text\": \"hello\"}",
//!     "mock": {"result": "{\"MessageId\": \"1\"}"},
//!     "inspectionLevel": "DEBUG"
//! }"#.parse().unwrap();
//! let response = test_state(&request, Setting::at(Timestamp::from_millis(1_767_225_600_000))).unwrap();
//! assert_eq!(response["status"].as_str(), Some("SUCCEEDED"));
//! assert_eq!(response["nextState"].as_str(), Some("Done"));
//! assert_eq!(response["output"].as_str(), Some(r#"{"MessageId": "1"}"#));
//! ```

mod definition;
mod inspect;
mod request;
mod responses;
mod run;
mod text;

use asl_core::{Failure, TaskCall};
use asl_expr::Timestamp;
use asl_value::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// What answers a Task that is not mocked.
pub type Runner<'r> = dyn FnMut(&TaskCall) -> Result<Value, Failure> + 'r;

/// Where and when a state is tested.
pub struct Setting<'r> {
    /// The time at which it begins. Waits and back-offs take none.
    pub now: Timestamp,
    /// The region of the execution's ARN.
    pub region: Arc<str>,
    /// The account of the execution's ARN.
    pub account: Arc<str>,
    /// From which names and random values are drawn.
    pub seed: u64,
    /// What answers a Task that is not mocked; without one such a Task is refused.
    pub run: Option<&'r mut Runner<'r>>,
}

impl Setting<'_> {
    /// The local account `000000000000` in `us-east-1`, where every Task needs a mock.
    pub fn at(now: Timestamp) -> Self {
        Setting { now, region: "us-east-1".into(), account: "000000000000".into(), seed: 0, run: None }
    }
}

/// Why a request is refused, in AWS's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// `ValidationException`, `InvalidDefinition`, `InvalidExecutionInput`, `InvalidArn`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Exception {
    pub(crate) fn validation(message: impl Into<String>) -> Exception {
        Exception { code: "ValidationException", message: message.into() }
    }

    pub(crate) fn definition(message: impl Into<String>) -> Exception {
        Exception { code: "InvalidDefinition", message: message.into() }
    }

    /// As SDKs show it: `{"Error": {"Code", "Message"}}`.
    pub fn to_value(&self) -> Value {
        let error = Map::from_iter([("Code", self.code), ("Message", &*self.message)]);
        Value::from(Map::from_iter([("Error", error)]))
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Exception {}

/// Tests a state. `request` and the response are those of the operation: `definition`, `stateName`, `roleArn`, `input`,
/// `variables`, `context`, `mock`, `stateConfiguration`, `inspectionLevel`, `revealSecrets`; `status`, `output`, `error`,
/// `cause`, `nextState`, `inspectionData`. Documents inside are JSON texts, as on the wire.
///
/// Members of the wrong type or length count as absent: the limits of members are a matter of the wire's table.
///
/// # Errors
/// Where AWS refuses the request, in AWS's words as far as they are known; and where this library cannot do what is asked
/// (a mock of a service whose API it does not know, a Task that nobody answers), by name.
pub fn test_state(request: &Value, setting: Setting<'_>) -> Result<Value, Exception> {
    let request = request::Request::read(request)?;
    let subject = definition::Subject::load(request.definition, request.state_name)?;
    request.check(&subject)?;
    run::run(&request, &subject, setting)
}
