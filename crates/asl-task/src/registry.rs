//! What was found for each resource, so that a call looks up one text instead of asking every integration again.

use crate::backend::Missing;
use crate::integration::Backend;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// How many resources are kept; a process that meets more begins anew.
const MOST: usize = 4096;

/// By a resource's ARN.
#[derive(Default)]
pub(crate) struct Registry(RwLock<HashMap<Arc<str>, Result<Backend, Missing>>>);

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}

impl Registry {
    /// What was found before, or what `find` finds now.
    pub(crate) fn resolve(
        &self,
        arn: &Arc<str>,
        find: impl FnOnce() -> Result<Backend, Missing>,
    ) -> Result<Backend, Missing> {
        // A map of values that are never changed is whole between any two calls, so a panic elsewhere does not spoil it.
        if let Some(found) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(arn) {
            return found.clone();
        }
        let found = find();
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(arn.clone(), found.clone());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_found_once() {
        let registry = Registry::default();
        let nothing = |message: &str| Err(Missing { message: message.to_owned(), hint: None });
        let told = |found: Result<Backend, Missing>| found.unwrap_err().message;
        assert_eq!(told(registry.resolve(&"a".into(), || nothing("first"))), "first");
        assert_eq!(told(registry.resolve(&"a".into(), || nothing("second"))), "first");
        for n in 0..MOST {
            let _ = registry.resolve(&n.to_string().into(), || nothing("other"));
        }
        assert!(registry.0.read().unwrap().len() <= MOST);
    }
}
