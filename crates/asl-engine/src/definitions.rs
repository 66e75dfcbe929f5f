//! Definitions from the database, parsed once: a thousand executions of a state machine share one.

use asl_syntax::{Definition, Format, Options, Source, load};
use asl_value::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are kept, those used last.
const KEPT: usize = 64;

static RECENT: Mutex<VecDeque<(Box<str>, Arc<Definition>)>> = Mutex::new(VecDeque::new());

/// How to load the text of a stored definition, which is kept as it was written: JSON if it is JSON, else YAML.
pub fn stored_options(text: &str) -> Options {
    let is_json = text.trim_start().starts_with('{') && text.parse::<Value>().is_ok();
    Options { format: if is_json { Format::Json } else { Format::Yaml }, ..Options::default() }
}

/// The definition of a stored text. What a text means never changes, so that it does not matter who parsed it.
pub(crate) fn load_stored(text: &str) -> Result<Arc<Definition>, String> {
    if let Some(known) = recall(text) {
        return Ok(known);
    }
    let source = Source::new("the stored definition", text);
    let loaded = load(&source, &Options { lints: false, ..stored_options(text) });
    let definition = loaded.definition.ok_or_else(|| {
        let messages: Vec<String> = loaded.diagnostics.into_iter().map(|d| d.message).collect();
        messages.join("; ")
    })?;
    let mut recent = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
    recent.push_front((text.into(), definition.clone()));
    recent.truncate(KEPT);
    Ok(definition)
}

fn recall(text: &str) -> Option<Arc<Definition>> {
    let mut recent = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
    let at = recent.iter().position(|(known, _)| **known == *text)?;
    let found = recent.remove(at)?;
    let definition = found.1.clone();
    recent.push_front(found);
    Some(definition)
}
