//! Rerun: a new execution that begins at a state which another one came to, with what that state had there.
//!
//! The other one stays as it is. Unlike a redrive, it may have ended in any way or be at work still, and the definition, the state's
//! input and the name may be others.

use super::Engine;
use crate::client::start::{StartAs, StartExecution, Started, parse_input};
use crate::error::EngineError;
use crate::replay;
use asl_core::{EventKind, Execution, ExecutionType, Input, Rerun};
use asl_store::{ExecutionRow, Record, Store, StoreError};
use asl_syntax::Definition;
use asl_syntax::model::FlowId;
use asl_value::{Map, Value};
use std::sync::Arc;

/// What is to be done again, and what is to be different.
#[derive(Clone, Debug, Default)]
pub struct RerunAs<'a> {
    /// The state to begin at, one of the top level.
    pub from: &'a str,
    /// What the state gets: JSON. What it got then, if left out.
    pub input: Option<&'a str>,
    /// The definition to run. That of the other execution, if left out.
    pub definition: Option<Arc<Definition>>,
    /// The name of the new execution; a new UUID if left out.
    pub name: Option<&'a str>,
}

impl Engine {
    /// Starts an execution that does again what another one did from a state on: it has the other's input as its own, the state gets
    /// the input that it got then (the last time, if it came there often) or the given one, and the variables are those that were
    /// set before. When this returns the start is on disk.
    ///
    /// # Errors
    /// [`EngineError::NotRerun`] says why it cannot be: the execution did not come to the state, the definition does not have it at
    /// its top level, the execution is a child of a map run or Express. Else as for [`Engine::start`].
    pub async fn rerun(&self, arn: &str, again: RerunAs<'_>) -> Result<Started, EngineError> {
        let _hold = self.inner.clock.hold();
        let row = self.row(arn).await?;
        let own = replay::definition(&*self.inner.store, &row).await.map_err(Arc::new)?;
        let records = self.inner.store.records(row.id).await?;
        let refused = |why: String| EngineError::NotRerun { execution: row.name.clone(), why };
        let first = beginning(&records).ok_or_else(|| refused("its record has no beginning".to_owned()))?;
        if row.is_child() || first.execution_type == ExecutionType::Express {
            let why = "only executions of the type STANDARD that were started by themselves can be";
            return Err(refused(why.to_owned()));
        }
        let mut rerun = left_at(&own, &records, &row, again.from).map_err(refused)?;
        if let Some(text) = again.input {
            rerun.input = parse_input(text)?;
        }
        let is_same = again.definition.is_none();
        let definition = again.definition.unwrap_or(own);
        let start = StartExecution {
            definition,
            state_machine: &row.state_machine,
            name: again.name,
            input: &first.input_text,
        };
        let about = StartAs { role_arn: Some(first.role_arn.clone()), ..StartAs::default() };
        let (execution, definition, machine) = self.prepare(start, &about)?;
        let started = Started::known(&execution.arn, &execution.name);
        let admission = self.inner.admissions.enter(execution.input_text.len()).await?;
        self.inner.still_works()?;
        let started_as = row.started_as.filter(|_| is_same);
        self.inner.create(machine, execution, definition, started_as, Some(rerun), admission).await?;
        Ok(started)
    }
}

/// What an execution is a rerun of, if it is one: the ARN of the other, and the state that it began at.
///
/// # Errors
/// When its first record cannot be read.
pub async fn rerun_of(store: &dyn Store, row: &ExecutionRow) -> Result<Option<(Arc<str>, Arc<str>)>, StoreError> {
    let first = store.read_records(row.id).await?.next().await?;
    let inputs = first.first().map_or(&[][..], |record| &record.inputs);
    Ok(inputs.iter().find_map(|input| match input {
        Input::Rerun(rerun) => Some((rerun.of.clone(), rerun.state.clone())),
        _ => None,
    }))
}

fn beginning(records: &[Record]) -> Option<&Execution> {
    records.first()?.inputs.iter().find_map(|input| match input {
        Input::Start(execution) => Some(&**execution),
        _ => None,
    })
}

/// What a state of the top level had when it was entered last.
fn left_at(definition: &Definition, records: &[Record], row: &ExecutionRow, state: &str) -> Result<Rerun, String> {
    let is_top = |name: &str| {
        let states = &definition.flow(FlowId::TOP).states;
        states.iter().any(|id| &*definition.state(*id).name == name)
    };
    if !is_top(state) {
        return Err(format!("its definition has no state '{state}' at its top level"));
    }
    let (mut variables, mut found) = (Map::new(), None);
    for record in records {
        for input in &record.inputs {
            if let Input::Rerun(rerun) = input {
                variables = rerun.variables.as_object().cloned().unwrap_or_default();
            }
        }
        for event in &record.events {
            match &event.kind {
                EventKind::StateEntered { name, input, .. } if **name == *state => {
                    found = Some((input.clone(), variables.clone()));
                }
                EventKind::StateExited { name, assigned, .. } if is_top(name) => {
                    for (name, value) in assigned {
                        variables.insert(&**name, value.clone());
                    }
                }
                _ => {}
            }
        }
    }
    let (input, variables) = found.ok_or_else(|| format!("it did not come to '{state}'"))?;
    Ok(Rerun { of: row.arn.as_str().into(), state: state.into(), input, variables: Value::from(variables) })
}
