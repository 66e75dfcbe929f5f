//! The operations of the API: each reads its parameters, asks the catalogue, the store or the engine, and answers in AWS's shape.

mod activity;
mod alias;
mod configuration;
mod definition;
mod execution;
mod express;
mod history;
mod map_run;
mod rerun;
mod state_machine;
mod tag;
mod task;
pub(crate) mod test_state;
mod version;

pub use state_machine::Declared;

use crate::wire::{ApiError, check, own, render, table};
use asl::parts::embedded::Identity;
use asl::parts::store::{Catalogue, Store};
use asl::{Engine, EngineError, JournalError, Map, Timestamp};
use definition::Definitions;
pub(crate) use definition::kind_of;
use tokio::sync::Mutex;

/// What an operation answers, before it is shaped.
pub(crate) type Answer = Result<Map, ApiError>;

/// Everything that operations work with.
pub(crate) struct Api {
    pub(crate) engine: Engine,
    pub(crate) identity: Identity,
    definitions: Definitions,
    /// Held while the catalogue is read and changed: a version is published once for a revision.
    changing: Mutex<()>,
    redrives: execution::Redrives,
}

/// The parameters of a request, which were checked against the table.
#[derive(Clone, Copy)]
pub(crate) struct Params<'a>(pub(crate) &'a Map);

impl<'a> Params<'a> {
    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    /// A member that has to be there: the table says so.
    pub(crate) fn required(self, name: &str) -> &'a str {
        self.text(name).unwrap_or_default()
    }

    pub(crate) fn flag(self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    pub(crate) fn object(self, name: &str) -> Option<&'a Map> {
        self.0.get(name)?.as_object()
    }

    /// True where only metadata are wanted.
    pub(crate) fn metadata_only(self) -> bool {
        self.text("includedData") == Some("METADATA_ONLY")
    }
}

impl Api {
    pub(crate) fn new(engine: Engine, identity: Identity) -> Api {
        Api {
            engine,
            identity,
            definitions: Definitions::default(),
            changing: Mutex::default(),
            redrives: execution::Redrives::default(),
        }
    }

    /// Answers a request.
    pub(crate) async fn call(&self, operation: &str, request: &Map) -> Answer {
        let facts = table().operations.get(operation).or_else(|| own().operations.get(operation));
        let unknown = || ApiError::framework("UnknownOperationException", format!("Unknown operation {operation}"));
        let facts = facts.ok_or_else(unknown)?;
        check(&facts.input, request)?;
        Ok(render(&facts.output, &self.dispatch(operation, Params(request)).await?))
    }

    async fn dispatch(&self, operation: &str, p: Params<'_>) -> Answer {
        match operation {
            "CreateActivity" => self.create_activity(p).await,
            "CreateStateMachine" => self.create_state_machine(p).await,
            "CreateStateMachineAlias" => self.create_alias(p).await,
            "DeleteActivity" => self.delete_activity(p).await,
            "DeleteStateMachine" => self.delete_state_machine(p).await,
            "DeleteStateMachineAlias" => self.delete_alias(p).await,
            "DeleteStateMachineVersion" => self.delete_version(p).await,
            "DescribeActivity" => self.describe_activity(p).await,
            "DescribeExecution" => self.describe_execution(p).await,
            "DescribeMapRun" => self.describe_map_run(p).await,
            "DescribeStateMachine" => self.describe_state_machine(p).await,
            "DescribeStateMachineAlias" => self.describe_alias(p).await,
            "DescribeStateMachineForExecution" => self.describe_state_machine_for_execution(p).await,
            "GetActivityTask" => self.get_activity_task(p).await,
            "GetExecutionHistory" => self.get_execution_history(p).await,
            "ListActivities" => self.list_activities(p).await,
            "ListExecutions" => self.list_executions(p).await,
            "ListMapRuns" => self.list_map_runs(p).await,
            "ListStateMachineAliases" => self.list_aliases(p).await,
            "ListStateMachineVersions" => self.list_versions(p).await,
            "ListStateMachines" => self.list_state_machines(p).await,
            "ListTagsForResource" => self.list_tags(p).await,
            "PublishStateMachineVersion" => self.publish_version(p).await,
            "RedriveExecution" => self.redrive_execution(p).await,
            "RerunExecution" => self.rerun_execution(p).await,
            "SendTaskFailure" => self.send_task_failure(p).await,
            "SendTaskHeartbeat" => self.send_task_heartbeat(p).await,
            "SendTaskSuccess" => self.send_task_success(p).await,
            "SkipWait" => self.skip_wait(p).await,
            "StartExecution" => self.start_execution(p).await,
            "StartSyncExecution" => self.start_sync_execution(p).await,
            "StopExecution" => self.stop_execution(p).await,
            "TagResource" => self.tag_resource(p).await,
            "TestState" => self.test_state(p).await,
            "UntagResource" => self.untag_resource(p).await,
            "UpdateMapRun" => self.update_map_run(p).await,
            "UpdateStateMachine" => self.update_state_machine(p).await,
            "UpdateStateMachineAlias" => self.update_alias(p).await,
            "ValidateStateMachineDefinition" => self.validate_definition(p),
            other => Err(ApiError::framework("UnknownOperationException", format!("{other} is not there yet"))),
        }
    }

    /// The store of the engine.
    pub(crate) fn store(&self) -> &dyn Store {
        self.engine.store()
    }

    /// The catalogue of the store.
    pub(crate) fn catalogue(&self) -> &dyn Catalogue {
        self.store().catalogue().expect("the stores of the project have a catalogue")
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }
}

impl From<JournalError> for ApiError {
    fn from(error: JournalError) -> ApiError {
        tracing::error!(%error, "the store failed");
        match error {
            JournalError::Closed => ApiError::framework("ServiceUnavailableException", "the server is shutting down"),
            error => ApiError::internal(error.to_string()),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> ApiError {
        match error {
            EngineError::InvalidToken => ApiError::new("InvalidToken", "Invalid Token: 'Invalid token'"),
            EngineError::TaskTimedOut => {
                ApiError::new("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
            }
            EngineError::ShutDown => ApiError::framework("ServiceUnavailableException", "the server is shutting down"),
            EngineError::Store(error) => error.into(),
            EngineError::NotRedrivable { why, .. } => ApiError::new("ExecutionNotRedrivable", why),
            EngineError::NoSuchExecution(arn) => no_execution(&arn),
            EngineError::Unsupported(_)
            | EngineError::TooLong { .. }
            | EngineError::SetAside { .. }
            | EngineError::NotRerun { .. }
            | EngineError::NotWaiting { .. } => ApiError::validation(error.to_string()),
            EngineError::AlreadyExists { .. } => ApiError::new("ExecutionAlreadyExists", error.to_string()),
            EngineError::InvalidName { name, .. } => ApiError::new("InvalidName", format!("Invalid Name: '{name}'")),
            EngineError::InvalidInput(_) | EngineError::InputTooLarge { .. } | EngineError::InputTooDeep => {
                ApiError::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{error}'"))
            }
            error => ApiError::internal(error.to_string()),
        }
    }
}

/// A list member of texts or objects as a JSON array.
pub(crate) fn list<V: Into<asl::Value>>(items: impl IntoIterator<Item = V>) -> asl::Value {
    asl::Value::from(items.into_iter().map(Into::into).collect::<Vec<asl::Value>>())
}

pub(crate) fn no_execution(arn: &str) -> ApiError {
    ApiError::new("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
}
