//! The embedded services of a project, for commands that read or change them.

use super::place;
use crate::args::Place;
use crate::exit::Trouble;
use asl::parts::embedded::{AccessError, Services};
use asl::project::Project;
use asl::{Journal, JournalError, JournalOptions};

/// What can go wrong in a transaction over the services.
pub(crate) enum Failed {
    Access(AccessError),
    Journal(JournalError),
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Failed {
        Failed::Journal(error)
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
            Failed::Journal(error) => error.into(),
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
    pub(crate) journal: Journal,
}

/// Opens them for reading: the database must exist.
pub(crate) async fn read(place: &Place) -> Result<Opened, Trouble> {
    let project = place::project(place)?;
    let services = project.services()?;
    let database = place::shorter(&place::database_of(place, &project));
    let journal = Journal::open_read_only(&database, JournalOptions::default()).await?;
    Ok(Opened { project, services, journal })
}

/// Opens them for changing: the database must exist.
pub(crate) async fn change(place: &Place) -> Result<Opened, Trouble> {
    let project = place::project(place)?;
    let services = project.services()?;
    let journal = place::change(&place::database_of(place, &project)).await?;
    Ok(Opened { project, services, journal })
}
