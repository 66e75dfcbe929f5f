//! Definitions: checked as the API checks them, stored once, parsed once.

use super::{Answer, Api, Params};
use crate::wire::ApiError;
use asl::parts::store::Definition as Stored;
use asl::parts::syntax::{Kind, Options, Severity, Source, create_error_message, load, validate, variable_references};
use asl::{Definition, Map, Value, stored_options};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many parsed definitions are kept.
const KEPT: usize = 256;

/// Definitions that were parsed, by their hash.
#[derive(Default)]
pub(crate) struct Definitions(Mutex<HashMap<String, Arc<Definition>>>);

pub(crate) fn kind_of(kind: Option<&str>) -> Kind {
    if kind == Some("EXPRESS") { Kind::Express } else { Kind::Standard }
}

fn hash_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Api {
    /// Checks the text of a definition, JSON or of the project YAML, and stores it under its hash, which is returned.
    pub(crate) async fn accept(&self, name: &str, kind: Kind, text: &str, is_own: bool) -> Result<String, ApiError> {
        let format = if is_own { stored_options(text).format } else { Options::default().format };
        let loaded = load(&Source::new(name, text), &Options { kind, format, lints: false });
        let Some(definition) = loaded.definition else {
            return Err(ApiError::new("InvalidDefinition", create_error_message(&loaded.diagnostics)));
        };
        let hash = hash_of(text);
        let stored = Stored { hash: hash.as_str().into(), name: name.into(), text: text.into() };
        self.catalogue().put_definition(&stored, self.now()).await?;
        self.definitions.keep(&hash, &definition);
        Ok(hash)
    }

    /// The definition with this hash, parsed.
    pub(crate) async fn definition(&self, hash: &str) -> Result<Arc<Definition>, ApiError> {
        if let Some(known) = self.definitions.find(hash) {
            return Ok(known);
        }
        let text = self.definition_text(hash).await?;
        let options = Options { lints: false, ..stored_options(&text) };
        let loaded = load(&Source::new("the stored definition", &*text), &options);
        let gone = || ApiError::internal("the stored definition cannot be read by this version of the program");
        let definition = loaded.definition.ok_or_else(gone)?;
        self.definitions.keep(hash, &definition);
        Ok(definition)
    }

    pub(crate) async fn definition_text(&self, hash: &str) -> Result<Arc<str>, ApiError> {
        let stored = self.store().definition(hash).await?;
        stored.map(|stored| stored.text).ok_or_else(|| ApiError::internal("the definition is not in the database"))
    }

    /// `definition` and `variableReferences` of a description, as far as they are wanted.
    pub(crate) async fn put_definition(&self, out: &mut Map, hash: &str, p: Params<'_>) -> Result<(), ApiError> {
        if p.metadata_only() {
            out.insert("definition", "{}");
            return Ok(());
        }
        out.insert("definition", &self.definition_text(hash).await?);
        let references = variable_references(&*self.definition(hash).await?);
        if !references.is_empty() {
            let named = |names: Vec<Arc<str>>| Value::from(names.iter().map(Value::from).collect::<Vec<_>>());
            out.insert("variableReferences", Map::from_iter(references.into_iter().map(|(k, v)| (k, named(v)))));
        }
        Ok(())
    }

    pub(crate) fn validate_definition(&self, p: Params<'_>) -> Answer {
        let options = Options { kind: kind_of(p.text("type")), lints: false, ..Options::default() };
        let loaded = load(&Source::new("definition", p.required("definition")), &options);
        let severity = if p.text("severity") == Some("WARNING") { Severity::Warning } else { Severity::Error };
        let most = p.0.get("maxResults").and_then(Value::as_f64).unwrap_or(0.0) as usize;
        let answer = validate(&loaded.diagnostics, severity, most).to_value();
        Ok(answer.as_object().cloned().unwrap_or_default())
    }
}

impl Definitions {
    fn find(&self, hash: &str) -> Option<Arc<Definition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    fn keep(&self, hash: &str, definition: &Arc<Definition>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            // Which one goes does not matter: it is parsed again when it is needed.
            let first = kept.keys().next().cloned();
            first.map(|first| kept.remove(&first));
        }
        kept.insert(hash.to_owned(), definition.clone());
    }
}
