//! A state machine: a name and a definition that loads.

use asl_engine::StartExecution;
use asl_syntax::{Definition, Diagnostic, Options, Source, load, plain_text};
use std::fmt;
use std::sync::Arc;

/// A named state machine, ready to run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StateMachine {
    name: Arc<str>,
    definition: Arc<Definition>,
}

/// What is wrong with a definition: all of it, with places.
#[derive(Debug)]
pub struct DefinitionError {
    /// The diagnostics, errors before warnings.
    pub diagnostics: Vec<Diagnostic>,
    text: String,
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the definition is not valid:\n{}", self.text)
    }
}

impl std::error::Error for DefinitionError {}

impl StateMachine {
    /// Reads a definition from its JSON text.
    ///
    /// # Errors
    /// All mistakes at once, each with its line and column.
    pub fn from_json(name: &str, text: &str) -> Result<StateMachine, DefinitionError> {
        let source = Source::new(name, text);
        let loaded = load(&source, &Options::default());
        match loaded.definition {
            Some(definition) => Ok(StateMachine::new(name, definition)),
            None => {
                let text = plain_text(&source, &loaded.diagnostics);
                Err(DefinitionError { diagnostics: loaded.diagnostics, text })
            }
        }
    }

    /// A state machine of a definition that was loaded already.
    pub fn new(name: &str, definition: Arc<Definition>) -> StateMachine {
        StateMachine { name: name.into(), definition }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its definition.
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// An execution of it with this input (JSON text), for [`asl_engine::Engine::start`].
    pub fn execution<'a>(&'a self, input: &'a str) -> StartExecution<'a> {
        StartExecution { definition: self.definition.clone(), state_machine: &self.name, name: None, input }
    }
}
