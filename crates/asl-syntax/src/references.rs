//! Which variables each state reads: `variableReferences` of DescribeStateMachine.

use crate::model::{
    Condition, Definition, Distributed, ItemsField, Map, NumberField, Operand, Operator, PathField, Payload, Query,
    State, StateKind, Task, TextField, Wait,
};
use asl_expr::{Path, Root};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names of the variables each state reads, sorted; states that read none are left out.
pub fn variable_references(definition: &Definition) -> BTreeMap<Arc<str>, Vec<Arc<str>>> {
    let mut references = BTreeMap::new();
    for state in &definition.states {
        let mut names = Names::default();
        names.state(state);
        if !names.0.is_empty() {
            references.insert(state.name.clone(), names.0.into_iter().collect());
        }
    }
    references
}

#[derive(Default)]
struct Names(BTreeSet<Arc<str>>);

impl Names {
    fn state(&mut self, state: &State) {
        self.path_field(&state.input_path);
        self.path_field(&state.output_path);
        if let Some(selector) = &state.result_selector {
            selector.paths().into_iter().for_each(|path| self.path(path));
        }
        self.payload(&state.parameters);
        self.payload(&state.assign);
        self.query(&state.output);
        for catcher in state.catch() {
            self.query(&catcher.output);
            self.payload(&catcher.assign);
        }
        match &state.kind {
            StateKind::Pass { .. } | StateKind::Succeed | StateKind::Parallel(_) => {}
            StateKind::Task(task) => self.task(task),
            StateKind::Choice(choice) => {
                for rule in &choice.rules {
                    self.condition(&rule.condition);
                    self.query(&rule.output);
                    self.payload(&rule.assign);
                }
            }
            StateKind::Wait(Wait::SecondsPath(path) | Wait::TimestampPath(path)) => self.path(path),
            StateKind::Wait(Wait::SecondsQuery(query) | Wait::TimestampQuery(query)) => self.variables(query),
            StateKind::Wait(_) => {}
            StateKind::Fail { error, cause } => {
                self.text(error);
                self.text(cause);
            }
            StateKind::Map(map) => self.map(map),
        }
    }

    fn task(&mut self, task: &Task) {
        self.number(&task.timeout);
        self.number(&task.heartbeat);
        self.payload(&task.credentials);
    }

    fn map(&mut self, map: &Map) {
        match &map.items {
            Some(ItemsField::Path(path)) => self.path(path),
            Some(ItemsField::Query(query)) => self.variables(query),
            None => {}
        }
        self.payload(&map.item_selector);
        self.number(&map.max_concurrency);
        if let Some(distributed) = &map.distributed {
            self.distributed(distributed);
        }
    }

    fn distributed(&mut self, distributed: &Distributed) {
        self.number(&distributed.tolerated_failure_count);
        self.number(&distributed.tolerated_failure_percentage);
        if let Some(reader) = &distributed.reader {
            self.payload(&reader.parameters);
            self.number(&reader.max_items);
        }
        if let Some(batcher) = &distributed.batcher {
            self.payload(&batcher.batch_input);
            self.number(&batcher.max_items);
            self.number(&batcher.max_input_bytes);
        }
        if let Some(writer) = &distributed.writer {
            self.payload(&writer.parameters);
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::And(parts) | Condition::Or(parts) => parts.iter().for_each(|part| self.condition(part)),
            Condition::Not(part) => self.condition(part),
            Condition::Test { variable, operator } => {
                self.path(variable);
                if let Operator::Compare { operand: Operand::Path(path), .. } = operator {
                    self.path(path);
                }
            }
            Condition::Literal(_) => {}
            Condition::Query(query) => self.variables(query),
        }
    }

    fn payload(&mut self, payload: &Option<Payload>) {
        match payload {
            Some(Payload::JsonPath(template)) => template.paths().into_iter().for_each(|path| self.path(path)),
            Some(Payload::Jsonata(query)) => self.variables(query),
            None => {}
        }
    }

    fn query(&mut self, query: &Option<Query>) {
        query.iter().for_each(|query| self.variables(query));
    }

    fn variables(&mut self, query: &Query) {
        self.0.extend(query.variables().map(Arc::from));
    }

    fn number(&mut self, field: &Option<NumberField>) {
        match field {
            Some(NumberField::Path(path)) => self.path(path),
            Some(NumberField::Query(query)) => self.variables(query),
            Some(NumberField::Literal(_)) | None => {}
        }
    }

    fn text(&mut self, field: &Option<TextField>) {
        match field {
            Some(TextField::Computed { expr, .. }) => expr.paths().into_iter().for_each(|path| self.path(path)),
            Some(TextField::Query(query)) => self.variables(query),
            Some(TextField::Literal(_)) | None => {}
        }
    }

    fn path_field(&mut self, field: &PathField) {
        if let PathField::Path(path) = field {
            self.path(path);
        }
    }

    fn path(&mut self, path: &Path) {
        if let Root::Variable(name) = path.root() {
            self.0.insert(name.clone());
        }
    }
}
