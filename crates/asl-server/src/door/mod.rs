//! Who may come in.
//!
//! Without keys anybody may, from programs: a server without keys is reached by its own machine alone. A page of another site that a
//! browser shows is turned away in any case: its requests name that site as their origin.

mod chunked;
mod keys;
mod signature;

use crate::http::Received;
use crate::wire::ApiError;
use asl::Timestamp;
use bytes::Bytes;
use keys::Keys;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The door of a server.
#[derive(Clone, Debug, Default)]
pub struct Door {
    keys: Option<Arc<Keys>>,
}

impl Door {
    /// Anybody may come in: for servers that only their own machine reaches.
    pub fn open() -> Door {
        Door::default()
    }

    /// Only requests may come in that are signed with one of the keys of a text in the form of `~/.aws/credentials`.
    ///
    /// # Errors
    /// The text has no key, or one without its other half: with the line.
    pub fn with_keys(text: &str) -> Result<Door, String> {
        Ok(Door { keys: Some(Arc::new(Keys::read(text)?)) })
    }

    /// True where requests have to be signed.
    pub(crate) fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// True for an access key that the door knows.
    pub(crate) fn has_key(&self, id: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.find(id).is_some())
    }

    /// True for an access key and its secret.
    pub(crate) fn has_pair(&self, id: &str, secret: &str) -> bool {
        let Some(key) = self.keys.as_ref().and_then(|keys| keys.find(id)) else { return false };
        // Hashes are compared: how long that takes tells nothing of the secret.
        Sha256::digest(key.secret.expose()) == Sha256::digest(secret)
    }

    /// The body of a request that was let in, as it was before it was cut into chunks for sending.
    ///
    /// # Errors
    /// The chunks are not in order, or not signed as they have to be.
    pub(crate) fn body(&self, request: &Received) -> Result<Bytes, ApiError> {
        if !chunked::is(request) {
            return Ok(request.body.clone());
        }
        let Some(keys) = &self.keys else { return chunked::read(request, None) };
        let claim = signature::claim(request)?;
        let key = keys.find(&claim.access_key).ok_or_else(signature::unknown)?;
        chunked::read(request, Some((&key.secret, &claim)))
    }

    /// Lets a request in at this time.
    pub(crate) fn admit(&self, request: &Received, now: Timestamp) -> Result<(), ApiError> {
        if let Some(origin) = request.parts.headers.get("origin")
            && !origin.to_str().is_ok_and(is_own)
        {
            return Err(ApiError::framework("AccessDeniedException", "Pages of other sites are not answered."));
        }
        match &self.keys {
            Some(keys) => signature::verify(request, keys, now),
            None => Ok(()),
        }
    }
}

/// An origin of this machine: `http://localhost:8083`.
fn is_own(origin: &str) -> bool {
    let Some((_, host)) = origin.split_once("://") else { return false };
    let name = if host.starts_with('[') { host.split(']').next() } else { host.split(':').next() };
    matches!(name, Some("localhost" | "127.0.0.1" | "[::1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_of_this_machine_are_known() {
        for own in ["http://localhost", "http://localhost:8083", "http://127.0.0.1:1", "http://[::1]:8083"] {
            assert!(is_own(own), "{own}");
        }
        for other in ["null", "http://localhost.example.com", "https://example.com", "http://127.0.0.1.nip.io", ""] {
            assert!(!is_own(other), "{other}");
        }
    }
}
