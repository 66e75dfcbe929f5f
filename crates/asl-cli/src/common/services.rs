//! The embedded services of a project, for commands that read or change them.

use super::clock::now_ms;
use super::place;
use crate::args::Place;
use crate::exit::Trouble;
use asl::parts::StoreError;
use asl::parts::embedded::{AccessError, Dialect, ServiceCall, ServiceError, Services};
use asl::project::Project;
use asl::{Database, JournalError, Value};
use std::hash::{BuildHasher, RandomState};

/// What can go wrong in a transaction over the services.
pub(crate) enum Failed {
    Access(AccessError),
    Database(JournalError),
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Failed {
        Failed::Database(error)
    }
}

impl From<AccessError> for Failed {
    fn from(error: AccessError) -> Failed {
        Failed::Access(error)
    }
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Trouble {
        match failed {
            Failed::Database(error) => error.into(),
            Failed::Access(error @ AccessError::Unknown { .. }) => {
                Trouble::new(error.to_string()).hint("declare it in the project file, or write another name")
            }
            Failed::Access(error) => Trouble::new(error.to_string()),
        }
    }
}

/// A project's services, and its database.
pub(crate) struct Opened {
    pub(crate) project: Project,
    pub(crate) services: Services,
    pub(crate) journal: Database,
}

/// Opens them for reading: the database must exist.
pub(crate) async fn read(place: &Place) -> Result<Opened, Trouble> {
    let project = place::project(place)?;
    let services = project.services()?;
    let journal = place::reading(&place::database_of(place, &project)).await?;
    Ok(Opened { project, services, journal })
}

/// Opens them for changing: the database must exist.
pub(crate) async fn change(place: &Place) -> Result<Opened, Trouble> {
    let project = place::project(place)?;
    let services = project.services()?;
    let journal = place::change(&place::database_of(place, &project)).await?;
    Ok(Opened { project, services, journal })
}

/// Opens them for changing, and makes the database where there is none: tables and queues can be filled before anything runs.
pub(crate) async fn fill(place: &Place) -> Result<Opened, Trouble> {
    let project = place::project(place)?;
    let services = project.services()?;
    let journal = place::write(&place::database_of(place, &project)).await?;
    Ok(Opened { project, services, journal })
}

/// An action of a service, such as `dynamodb` and `putItem`.
#[derive(Clone, Copy)]
pub(crate) struct Action(pub(crate) &'static str, pub(crate) &'static str);

/// Why a call did not come to its end.
enum CallFailed {
    Refused(ServiceError),
    Database(JournalError),
    Store(StoreError),
}

impl From<JournalError> for CallFailed {
    fn from(error: JournalError) -> CallFailed {
        CallFailed::Database(error)
    }
}

/// Calls a service as a task of `arn:aws:states:::aws-sdk` does, and closes the database. The answer is AWS's.
///
/// # Errors
/// The service refuses, with AWS's words; or the database fails. Then nothing has changed.
pub(crate) async fn call(opened: Opened, action: Action, parameters: Value) -> Result<Value, Trouble> {
    let Opened { services, journal, .. } = opened;
    let called = journal.transact(move |tx| {
        // It may be tried again.
        let (services, parameters) = (services.clone(), parameters.clone());
        Box::pin(async move {
            let (seed, request_id) = (chance(), uuid());
            let call = ServiceCall {
                dialect: Dialect::AwsSdk,
                service: action.0,
                action: action.1,
                parameters: &parameters,
                now_ms: now_ms(),
                request_id: &request_id,
                seed,
            };
            match services.call(tx, &call).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(refused)) => Err(CallFailed::Refused(refused)),
                Err(error) => Err(CallFailed::Store(error)),
            }
        })
    });
    let called = called.await;
    journal.close().await;
    called.map_err(|failed| match failed {
        CallFailed::Refused(refused) => Trouble::new(refused.to_string()),
        CallFailed::Database(error) => error.into(),
        CallFailed::Store(error) => Trouble::new(error.to_string()),
    })
}

/// Refuses the name of something that the project does not declare; `what` is `table`, `queue`, `topic`, `function`, `bucket`.
pub(crate) fn declared<'n>(what: &str, name: &str, names: impl Iterator<Item = &'n str>) -> Result<(), Trouble> {
    let names: Vec<&str> = names.collect();
    if names.contains(&name) {
        return Ok(());
    }
    let declared = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(Trouble::new(format!("there is no {what} {name} (declared: {declared})"))
        .hint("declare it in the project file, or write another name"))
}

/// A number that nobody can tell.
fn chance() -> u64 {
    RandomState::new().hash_one(now_ms())
}

/// A UUID by chance.
pub(crate) fn uuid() -> String {
    let (a, b) = (chance(), chance());
    let (version, variant) = (a & 0xfff, b >> 2 & 0x0fff_ffff_ffff_ffff | 0x8000_0000_0000_0000);
    format!(
        "{:08x}-{:04x}-4{version:03x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        variant >> 48,
        variant & 0xffff_ffff_ffff
    )
}
