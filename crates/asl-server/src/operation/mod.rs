//! The operations of the API: each reads its parameters, asks the catalogue, the store or the engine, and answers in AWS's shape.

mod activity;
mod alias;
mod configuration;
mod definition;
mod execution;
mod express;
mod history;
mod known;
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
    known: known::KnownMachines,
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
            known: known::KnownMachines::default(),
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

    /// Each operation is in a box of its own: one that waits for a minute is not to hold the place of the largest.
    async fn dispatch(&self, operation: &str, p: Params<'_>) -> Answer {
        match operation {
            "CreateActivity" => Box::pin(self.create_activity(p)).await,
            "CreateStateMachine" => Box::pin(self.create_state_machine(p)).await,
            "CreateStateMachineAlias" => Box::pin(self.create_alias(p)).await,
            "DeleteActivity" => Box::pin(self.delete_activity(p)).await,
            "DeleteStateMachine" => Box::pin(self.delete_state_machine(p)).await,
            "DeleteStateMachineAlias" => Box::pin(self.delete_alias(p)).await,
            "DeleteStateMachineVersion" => Box::pin(self.delete_version(p)).await,
            "DescribeActivity" => Box::pin(self.describe_activity(p)).await,
            "DescribeExecution" => Box::pin(self.describe_execution(p)).await,
            "DescribeMapRun" => Box::pin(self.describe_map_run(p)).await,
            "DescribeStateMachine" => Box::pin(self.describe_state_machine(p)).await,
            "DescribeStateMachineAlias" => Box::pin(self.describe_alias(p)).await,
            "DescribeStateMachineForExecution" => Box::pin(self.describe_state_machine_for_execution(p)).await,
            "GetActivityTask" => Box::pin(self.get_activity_task(p)).await,
            "GetExecutionHistory" => Box::pin(self.get_execution_history(p)).await,
            "ListActivities" => Box::pin(self.list_activities(p)).await,
            "ListExecutions" => Box::pin(self.list_executions(p)).await,
            "ListMapRuns" => Box::pin(self.list_map_runs(p)).await,
            "ListStateMachineAliases" => Box::pin(self.list_aliases(p)).await,
            "ListStateMachineVersions" => Box::pin(self.list_versions(p)).await,
            "ListStateMachines" => Box::pin(self.list_state_machines(p)).await,
            "ListTagsForResource" => Box::pin(self.list_tags(p)).await,
            "PublishStateMachineVersion" => Box::pin(self.publish_version(p)).await,
            "RedriveExecution" => Box::pin(self.redrive_execution(p)).await,
            "RerunExecution" => Box::pin(self.rerun_execution(p)).await,
            "SendTaskFailure" => Box::pin(self.send_task_failure(p)).await,
            "SendTaskHeartbeat" => Box::pin(self.send_task_heartbeat(p)).await,
            "SendTaskSuccess" => Box::pin(self.send_task_success(p)).await,
            "SkipWait" => Box::pin(self.skip_wait(p)).await,
            "StartExecution" => Box::pin(self.start_execution(p)).await,
            "StartSyncExecution" => Box::pin(self.start_sync_execution(p)).await,
            "StopExecution" => Box::pin(self.stop_execution(p)).await,
            "TagResource" => Box::pin(self.tag_resource(p)).await,
            "TestState" => Box::pin(self.test_state(p)).await,
            "UntagResource" => Box::pin(self.untag_resource(p)).await,
            "UpdateMapRun" => Box::pin(self.update_map_run(p)).await,
            "UpdateStateMachine" => Box::pin(self.update_state_machine(p)).await,
            "UpdateStateMachineAlias" => Box::pin(self.update_alias(p)).await,
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
