//! The state under test: a state alone, or one of a whole definition. Either way it is put into a machine of its own, with
//! a stub for each state that it leads to, under the name that AWS gives it.

use super::Exception;
use asl_syntax::model::{Definition, State, StateId};
use asl_syntax::{Options, Source, create_error_message, load};
use asl_value::{Map, Value};
use std::sync::Arc;

/// What the tested state is called, whatever its name in a definition (recorded AWS behaviour).
const NAME: &str = "StateName";

/// The state under test.
pub(super) struct Subject {
    /// A machine of that state and stubs.
    pub(super) definition: Arc<Definition>,
    pub(super) id: StateId,
    /// It belongs to the iterations of a Map.
    pub(super) in_map: bool,
}

impl Subject {
    /// # Errors
    /// `InvalidDefinition` with everything that is wrong; or no state has that name.
    pub(super) fn load(text: &str, state_name: Option<&str>) -> Result<Subject, Exception> {
        let (state, language, in_map) = match state_name {
            Some(name) => {
                definition_of(text)?;
                let machine = parse(text)?;
                let (state, in_map) = find(&machine, name, false)
                    .ok_or_else(|| Exception::validation("State not found in definition"))?;
                (state.clone(), machine.get("QueryLanguage").cloned(), in_map)
            }
            None => (parse(text)?, None, false),
        };
        let definition = definition_of(&alone(state, language).to_string())?;
        let id = definition.find(NAME).ok_or_else(|| Exception::definition("the definition has no state to test"))?;
        Ok(Subject { definition, id, in_map })
    }

    pub(super) fn state(&self) -> &State {
        self.definition.state(self.id)
    }

    /// True when a state inside the tested Map or Parallel has this name.
    pub(super) fn has_inside(&self, name: &str) -> bool {
        let top = self.state().flow;
        self.definition.states.iter().any(|state| state.flow != top && &*state.name == name)
    }
}

fn parse(text: &str) -> Result<Value, Exception> {
    match text.parse() {
        Ok(value @ Value::Object(_)) => Ok(value),
        // What is no definition at all is refused with the words for that.
        _ => Err(definition_of(text).err().unwrap_or_else(|| Exception::definition("the definition is not an object"))),
    }
}

fn definition_of(text: &str) -> Result<Arc<Definition>, Exception> {
    let loaded = load(&Source::new("definition", text), &Options { lints: false, ..Options::default() });
    loaded.definition.ok_or_else(|| Exception::definition(create_error_message(&loaded.diagnostics)))
}

/// The state of that name, at any depth; and whether it belongs to a Map.
fn find<'v>(flow: &'v Value, name: &str, in_map: bool) -> Option<(&'v Value, bool)> {
    let states = flow["States"].as_object()?;
    if let Some(state) = states.get(name) {
        return Some((state, in_map));
    }
    states.values().find_map(|state| {
        let branches = state["Branches"].as_array().unwrap_or_default().iter().map(|branch| (branch, in_map));
        let processors = ["ItemProcessor", "Iterator"].iter().map(|field| (&state[*field], true));
        branches.chain(processors).find_map(|(flow, in_map)| find(flow, name, in_map))
    })
}

/// A machine of this state and of stubs for those it leads to.
fn alone(state: Value, language: Option<Value>) -> Value {
    let mut states = Map::new();
    let rules = |field: &'static str| state[field].as_array().unwrap_or_default().iter();
    let own = std::iter::once(&state).chain(rules("Choices")).chain(rules("Catch"));
    for target in own.flat_map(|from| [&from["Next"], &from["Default"]]).filter_map(Value::as_str) {
        states.insert(target, Map::from_iter([("Type", "Succeed")]));
    }
    states.insert(NAME, state);
    let mut machine = Map::new();
    if let Some(language) = language {
        machine.insert("QueryLanguage", language);
    }
    machine.insert("StartAt", NAME);
    machine.insert("States", states);
    Value::from(machine)
}
