//! What a failure of PostgreSQL means in the contract's terms.

use asl_store::StoreError;
use std::sync::Arc;

/// Which store is meant, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Place(pub(crate) Arc<str>);

/// What is to be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The transaction ran into another one and is undone: try again.
    Conflict,
    /// The connection is lost, or leads to a server that does not write: connect again. Whether what was sent last is done is not known.
    Lost,
    /// It fails each time.
    Final,
}

/// The class of an SQLSTATE: 40001 serialisation failure, 40P01 deadlock; class 08 connections, 57P01..3 the server goes or comes,
/// 25006 a standby.
fn of_state(state: &str) -> Class {
    match state {
        "40001" | "40P01" => Class::Conflict,
        "57P01" | "57P02" | "57P03" | "57P05" | "25006" => Class::Lost,
        _ if state.starts_with("08") => Class::Lost,
        _ => Class::Final,
    }
}

/// What is to be done about a failure.
pub(crate) fn class(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Database(told) => told.code().map_or(Class::Final, |state| of_state(&state)),
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed
        | sqlx::Error::PoolTimedOut => Class::Lost,
        _ => Class::Final,
    }
}

impl Place {
    /// What a failure means.
    pub(crate) fn failed(&self, error: sqlx::Error) -> StoreError {
        let place = self.0.clone();
        let unreachable = |message: String| StoreError::Unreachable { place: place.clone(), message };
        match &error {
            sqlx::Error::PoolClosed => StoreError::Closed,
            sqlx::Error::PoolTimedOut => unreachable("no connection was to be had in time".to_owned()),
            sqlx::Error::Database(told) => {
                let state = told.code().unwrap_or_default();
                let message = format!("{}, SQLSTATE {state}", told.message());
                match &*state {
                    "40001" | "40P01" => StoreError::Conflict { place, attempts: 1 },
                    "53100" => StoreError::Full { place },
                    "3D000" | "28000" | "28P01" | "53300" => unreachable(message),
                    "XX001" | "XX002" => StoreError::Damaged { place, message },
                    _ if of_state(&state) == Class::Lost => unreachable(message),
                    _ => StoreError::Database { place, message },
                }
            }
            _ if class(&error) == Class::Lost => unreachable(error.to_string()),
            sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => unreachable(error.to_string()),
            _ => StoreError::Database { place, message: error.to_string() },
        }
    }
}
