//! The state machines that tasks and rules start executions of: those the engine was given by name, and those of the catalogue.

use crate::client::start::StartAs;
use crate::definitions::load_stored;
use crate::engine::Inner;
use asl_core::Failure;
use asl_store::{After, Catalogue, StartedAs};
use asl_syntax::Definition;
use asl_task::embedded::Wanted;
use std::sync::Arc;

/// Where an engine finds state machines that no catalogue has: by name, when one is wanted. It may read files.
pub(crate) type StateMachines = Arc<dyn Fn(&str) -> Option<Result<Arc<Definition>, String>> + Send + Sync>;

/// A state machine that was found.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) definition: Arc<Definition>,
    pub(crate) about: StartAs,
}

/// The state machine that is wanted: what the engine was given by name goes before the catalogue.
pub(crate) async fn find(inner: &Inner, wanted: &Wanted<'_>) -> Result<Found, Failure> {
    let arn = wanted.state_machine;
    let mut started_as = StartedAs {
        trace_header: wanted.trace_header.map(str::to_owned),
        task: Some(wanted.key.to_owned()),
        ..StartedAs::default()
    };
    let name = arn.split_once(":stateMachine:").map_or(arn, |(_, name)| name);
    if let Some(found) = given(inner, name).await {
        let definition = found.map_err(|why| failed(&format!("{name} cannot be loaded: {why}")))?;
        // Of what kind it is nobody says here: it is as it is wanted.
        let about = StartAs { started_as: Some(started_as), express: wanted.sync, ..StartAs::default() };
        return Ok(Found { name: name.to_owned(), definition, about });
    }
    let unread = |error: asl_store::StoreError| failed(&error.to_string());
    let none = || {
        let message = format!("State Machine Does Not Exist: '{arn}'");
        let cause = told(&message, "StateMachineDoesNotExist", wanted.key);
        Failure::new("StepFunctions.StateMachineDoesNotExistException", cause)
    };
    let catalogue = inner.store.catalogue().ok_or_else(none)?;
    let (plain, qualifier) = match name.split_once(':') {
        Some((_, qualifier)) => (arn[..arn.len() - qualifier.len() - 1].to_owned(), Some(qualifier)),
        None if name == arn => (inner.client.identity.arn("states", &format!("stateMachine:{name}")), None),
        None => (arn.to_owned(), None),
    };
    let row = catalogue.state_machine(&plain).await.map_err(unread)?.ok_or_else(none)?;
    let (mut hash, mut role) = (row.definition.clone(), row.role_arn.clone());
    if let Some(qualifier) = qualifier {
        let number = version(catalogue, &plain, qualifier, wanted.key).await.map_err(unread)?.ok_or_else(none)?;
        let versions = catalogue.versions(&plain, Some(number + 1), 1).await.map_err(unread)?;
        let version = versions.into_iter().find(|version| version.number == number).ok_or_else(none)?;
        started_as.version = Some(number);
        started_as.alias = qualifier.parse::<i64>().is_err().then(|| qualifier.to_owned());
        (hash, role) = (version.definition, version.role_arn);
    }
    if wanted.sync && row.kind != "EXPRESS" {
        let message = "This operation is not supported by this type of state machine";
        let cause = told(message, "StateMachineTypeNotSupported", wanted.key);
        return Err(Failure::new("StepFunctions.StateMachineTypeNotSupportedException", cause));
    }
    let stored = inner.store.definition(&hash).await.map_err(unread)?;
    let stored = stored.ok_or_else(|| failed(&format!("the definition of {arn} is not in the database")))?;
    let definition = load_stored(&stored.text).map_err(|why| failed(&why))?;
    let about = StartAs { role_arn: Some(role.into()), express: row.kind == "EXPRESS", started_as: Some(started_as) };
    Ok(Found { name: row.name, definition, about })
}

/// The state machine that the engine was given by this name, looked for off the threads that answer.
async fn given(inner: &Inner, name: &str) -> Option<Result<Arc<Definition>, String>> {
    let (known, name) = (inner.settings.state_machines.clone()?, name.to_owned());
    let found = tokio::task::spawn_blocking(move || known(&name)).await;
    found.unwrap_or_else(|panicked| Some(Err(panicked.to_string())))
}

/// The number of the version that a qualifier means. An alias of two chooses by the task's key: the same after a crash.
async fn version(
    catalogue: &dyn Catalogue,
    arn: &str,
    qualifier: &str,
    key: &str,
) -> Result<Option<i64>, asl_store::StoreError> {
    if let Ok(number) = qualifier.parse() {
        return Ok(Some(number));
    }
    let aliases = catalogue.aliases(arn, After { key: None, limit: u32::MAX }).await?;
    let Some(alias) = aliases.into_iter().find(|alias| alias.name == qualifier) else { return Ok(None) };
    let mut drawn = key.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 100;
    for (number, weight) in &alias.routing {
        match drawn.checked_sub(u32::from(*weight)) {
            Some(rest) => drawn = rest,
            None => return Ok(Some(*number)),
        }
    }
    Ok(alias.routing.first().map(|(number, _)| *number))
}

/// AWS's form of a cause.
pub(crate) fn told(message: &str, code: &str, request: &str) -> String {
    format!(
        "{message} (Service: AWSStepFunctions; Status Code: 400; Error Code: {code}; Request ID: {request}; Proxy: null)"
    )
}

fn failed(cause: &str) -> Failure {
    Failure::new("StepFunctions.AWSStepFunctionsException", cause)
}
