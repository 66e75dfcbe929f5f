//! The caller's access keys, and where they are found.
//!
//! The order is that of AWS's own tools: the environment, a web identity, the profile (its keys, an assumed role, single
//! sign-on, a program), a container's credentials, those of an EC2 instance. A profile that is asked for by name comes
//! before the environment.

mod profile;
mod sources;

pub(crate) use profile::Profiles;

use crate::client::Core;
use crate::secret::Secret;
use crate::system::System;
use asl_value::Value;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// An access key and its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The key's id, which is no secret.
    pub access_key: String,
    /// The key.
    pub secret: Secret,
    /// The session's token, of temporary credentials.
    pub token: Option<Secret>,
    /// When they are over, in milliseconds since 1970; `None`: never.
    pub expires_ms: Option<i64>,
}

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Nothing names any.
    #[error(
        "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile (`aws configure`), or run where AWS gives some"
    )]
    None,
    /// A profile that is not there.
    #[error("there is no AWS profile '{0}' in ~/.aws/config or ~/.aws/credentials")]
    NoProfile(String),
    /// A profile that says too little, or something that is not supported.
    #[error("the AWS profile '{profile}' cannot be used: {reason}")]
    Profile {
        /// The profile.
        profile: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A place that should have some and has not.
    #[error("no AWS credentials from {place}: {reason}")]
    Place {
        /// Where they were looked for.
        place: String,
        /// What happened there.
        reason: String,
    },
}

impl CredentialsError {
    fn place(place: impl Into<String>, reason: impl Into<String>) -> CredentialsError {
        CredentialsError::Place { place: place.into(), reason: reason.into() }
    }
}

/// A role to call as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// The name of the session, which the role's trail shows.
    pub session: String,
    /// The id that the role's owner asks for.
    pub external_id: Option<String>,
}

/// How long before their end credentials are renewed.
const EARLY_MS: i64 = 5 * 60 * 1000;
/// As many roles are remembered.
const MAX_ROLES: usize = 256;

/// What is remembered: the process's own credentials, and those of roles.
#[derive(Default)]
pub(crate) struct Cache {
    own: Mutex<Option<Credentials>>,
    roles: Mutex<HashMap<Role, Credentials>>,
}

impl Credentials {
    fn fresh(&self, system: &dyn System) -> bool {
        self.expires_ms.is_none_or(|at| at - system.now_ms() > EARLY_MS)
    }

    fn valid(&self, system: &dyn System) -> bool {
        self.expires_ms.is_none_or(|at| at > system.now_ms())
    }

    /// Reads the members that AWS's services and programs give, whatever they call them.
    pub(crate) fn read(value: &Value) -> Option<Credentials> {
        let text = |keys: &[&str]| keys.iter().find_map(|k| value[*k].as_str().map(str::to_owned));
        let expires = ["Expiration", "expiration"].iter().find_map(|k| match &value[*k] {
            Value::Number(ms) => ms.as_i64(),
            other => crate::time::Timestamp::of(other).map(|t| t.as_ms()),
        });
        Some(Credentials {
            access_key: text(&["AccessKeyId", "accessKeyId"])?,
            secret: text(&["SecretAccessKey", "secretAccessKey"])?.into(),
            token: text(&["SessionToken", "Token", "sessionToken"]).map(Secret::from),
            expires_ms: expires,
        })
    }
}

impl Core {
    /// The process's own credentials, from the cache while they are fresh. When they cannot be renewed, the old ones serve
    /// until they are over.
    pub(crate) async fn own_credentials(&self) -> Result<Credentials, CredentialsError> {
        let system = &*self.system;
        let mut cached = self.cache.own.lock().await;
        if let Some(known) = cached.as_ref().filter(|c| c.fresh(system)) {
            return Ok(known.clone());
        }
        match sources::find(self).await {
            Ok(found) => Ok(cached.insert(found).clone()),
            Err(error) => cached.as_ref().filter(|c| c.valid(system)).cloned().ok_or(error),
        }
    }

    /// Forgets credentials that a service called expired.
    pub(crate) async fn forget(&self, role: Option<&Role>) {
        match role {
            Some(role) => drop(self.cache.roles.lock().await.remove(role)),
            None => drop(self.cache.own.lock().await.take()),
        }
    }

    /// The credentials of a role, which the process's own assume.
    pub(crate) async fn role_credentials(&self, role: &Role) -> Result<Credentials, CredentialsError> {
        let mut cached = self.cache.roles.lock().await;
        if let Some(known) = cached.get(role).filter(|c| c.fresh(&*self.system)) {
            return Ok(known.clone());
        }
        let own = self.own_credentials().await?;
        let found = sources::assume(self, &own, role).await?;
        if cached.len() >= MAX_ROLES {
            cached.clear();
        }
        cached.insert(role.clone(), found.clone());
        Ok(found)
    }
}

/// The files' profiles, read once.
pub(crate) async fn profiles(core: &Core) -> Arc<Profiles> {
    core.profiles.get_or_init(|| async { Arc::new(Profiles::read(&*core.system).await) }).await.clone()
}
