//! The catalogue: state machines, their versions and aliases, tags, activities, map runs. What the API's structures hold.

use crate::error::StoreError;
use crate::record::{Definition, ExecutionId};
use asl_expr::Timestamp;
use async_trait::async_trait;

/// A state machine, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct StateMachineRow {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `STANDARD` or `EXPRESS`.
    pub kind: String,
    /// The hash of its definition.
    pub definition: String,
    /// The ARN of its role.
    pub role_arn: String,
    /// `ACTIVE` or `DELETING`.
    pub status: String,
    /// Changes with each update of the definition or of the configuration.
    pub revision_id: Option<String>,
    /// `loggingConfiguration`, `tracingConfiguration` and `encryptionConfiguration` as one JSON object.
    pub configuration: String,
    /// The number that its last published version has; 0 for none. It is never given again.
    pub last_version: i64,
    /// When it was made.
    pub created: Timestamp,
    /// When it was updated last.
    pub updated: Option<Timestamp>,
}

/// A published version of a state machine: it never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionRow {
    /// The ARN of its state machine.
    pub state_machine: String,
    /// Its number, from 1.
    pub number: i64,
    /// What people are told of it.
    pub description: Option<String>,
    /// The revision that it froze.
    pub revision_id: Option<String>,
    /// The hash of its definition.
    pub definition: String,
    /// The ARN of its role.
    pub role_arn: String,
    /// As in [`StateMachineRow::configuration`].
    pub configuration: String,
    /// When it was published.
    pub created: Timestamp,
}

/// An alias: one name for one or two versions.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasRow {
    /// The ARN of its state machine.
    pub state_machine: String,
    /// Its name.
    pub name: String,
    /// What people are told of it.
    pub description: Option<String>,
    /// One or two of (number of the version, weight in percent); the weights are 100 together.
    pub routing: Vec<(i64, u8)>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was updated last.
    pub updated: Timestamp,
}

/// An activity.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityRow {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `encryptionConfiguration` as a JSON object, if one was given.
    pub encryption: Option<String>,
    /// When it was made.
    pub created: Timestamp,
}

/// A map run, as its header shows it. The counts of items and executions come from its children and its parent's history.
#[derive(Clone, Debug, PartialEq)]
pub struct MapRunRow {
    /// Its ARN.
    pub arn: String,
    /// The execution that runs it.
    pub execution: ExecutionId,
    /// The ARN of the state machine that it is of, with the label of the Map state.
    pub state_machine: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED` or `ABORTED`.
    pub status: String,
    /// How many children may run at once; 0 for no limit.
    pub max_concurrency: i64,
    /// How many percent of the items may fail.
    pub tolerated_failure_percentage: f64,
    /// How many items may fail.
    pub tolerated_failure_count: i64,
    /// How often it was redriven.
    pub redrive_count: i64,
    /// When it was redriven last.
    pub redriven: Option<Timestamp>,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub stopped: Option<Timestamp>,
}

/// Where a list goes on: behind the key that the page before ended with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct After {
    /// The last key of the page before, none for the first page.
    pub key: Option<String>,
    /// At most so many rows.
    pub limit: u32,
}

/// The catalogue of a store. Any process reads and writes it; each call is one transaction.
///
/// # Errors
/// Every call fails when the database cannot be read or written.
#[async_trait]
pub trait Catalogue: Send + Sync {
    /// Keeps a definition, if its hash is not there yet: [`crate::Store::definition`] finds it. To be called before a state machine
    /// or a version names its hash.
    async fn put_definition(&self, definition: &Definition, now: Timestamp) -> Result<(), StoreError>;

    /// Makes a state machine. False, and nothing is changed, when its ARN is taken.
    async fn create_state_machine(&self, row: &StateMachineRow) -> Result<bool, StoreError>;
    /// Replaces a state machine, if its revision is still `revision_id`. False, and nothing is changed, when it is not.
    async fn update_state_machine(&self, row: &StateMachineRow, revision_id: Option<&str>) -> Result<bool, StoreError>;
    /// The state machine with this ARN.
    async fn state_machine(&self, arn: &str) -> Result<Option<StateMachineRow>, StoreError>;
    /// State machines in the order of their ARNs; the key of a page is the ARN.
    async fn state_machines(&self, after: After) -> Result<Vec<StateMachineRow>, StoreError>;
    /// Removes a state machine with its versions, aliases and tags. False when there was none.
    async fn delete_state_machine(&self, arn: &str) -> Result<bool, StoreError>;

    /// Publishes a version of a state machine: it gets the next number, which is returned. None when there is no such state
    /// machine. `row.number` is ignored.
    async fn publish_version(&self, row: &VersionRow) -> Result<Option<i64>, StoreError>;
    /// Versions of a state machine, newest first: those with a smaller number than `before`, at most `limit`.
    async fn versions(
        &self,
        state_machine: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<VersionRow>, StoreError>;
    /// Removes a version. False when there was none, or an alias names it.
    async fn delete_version(&self, state_machine: &str, number: i64) -> Result<bool, StoreError>;

    /// Makes or replaces an alias. False, and nothing is changed, when a version that it names is not there.
    async fn put_alias(&self, row: &AliasRow) -> Result<bool, StoreError>;
    /// Aliases of a state machine in the order of their names; the key of a page is the name.
    async fn aliases(&self, state_machine: &str, after: After) -> Result<Vec<AliasRow>, StoreError>;
    /// Removes an alias. False when there was none.
    async fn delete_alias(&self, state_machine: &str, name: &str) -> Result<bool, StoreError>;

    /// Makes an activity. False, and nothing is changed, when its ARN is taken.
    async fn create_activity(&self, row: &ActivityRow) -> Result<bool, StoreError>;
    /// The activity with this ARN.
    async fn activity(&self, arn: &str) -> Result<Option<ActivityRow>, StoreError>;
    /// Activities in the order of their ARNs; the key of a page is the ARN.
    async fn activities(&self, after: After) -> Result<Vec<ActivityRow>, StoreError>;
    /// Removes an activity with its tags. False when there was none.
    async fn delete_activity(&self, arn: &str) -> Result<bool, StoreError>;

    /// The tags of a resource, (key, value) in the order of the keys.
    async fn tags(&self, resource: &str) -> Result<Vec<(String, String)>, StoreError>;
    /// Sets some tags of a resource and removes others, in one transaction.
    async fn tag(&self, resource: &str, set: &[(String, String)], remove: &[String]) -> Result<(), StoreError>;

    /// Makes or replaces a map run.
    async fn put_map_run(&self, row: &MapRunRow) -> Result<(), StoreError>;
    /// The map run with this ARN.
    async fn map_run(&self, arn: &str) -> Result<Option<MapRunRow>, StoreError>;
    /// Map runs of an execution in the order of their ARNs; the key of a page is the ARN.
    async fn map_runs(&self, execution: ExecutionId, after: After) -> Result<Vec<MapRunRow>, StoreError>;
}
