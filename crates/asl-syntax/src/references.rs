//! Which variables each state reads: `variableReferences` of DescribeStateMachine.

use crate::model::{
    Condition, Definition, Distributed, Map, NumberField, Operand, Operator, PathField, State, StateKind, Task,
    TextField, Wait,
};
use asl_expr::{Path, Root, Template};
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
        for template in [&state.parameters, &state.result_selector, &state.output, &state.assign] {
            self.template(template);
        }
        for catcher in state.catch() {
            self.template(&catcher.output);
            self.template(&catcher.assign);
        }
        match &state.kind {
            StateKind::Pass { .. } | StateKind::Succeed | StateKind::Parallel(_) => {}
            StateKind::Task(task) => self.task(task),
            StateKind::Choice(choice) => {
                for rule in &choice.rules {
                    self.condition(&rule.condition);
                    self.template(&rule.output);
                    self.template(&rule.assign);
                }
            }
            StateKind::Wait(Wait::SecondsPath(path) | Wait::TimestampPath(path)) => self.path(path),
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
        self.template(&task.credentials);
    }

    fn map(&mut self, map: &Map) {
        if let Some(path) = &map.items_path {
            self.path(path);
        }
        self.template(&map.item_selector);
        self.number(&map.max_concurrency);
        if let Some(distributed) = &map.distributed {
            self.distributed(distributed);
        }
    }

    fn distributed(&mut self, distributed: &Distributed) {
        self.number(&distributed.tolerated_failure_count);
        self.number(&distributed.tolerated_failure_percentage);
        if let Some(reader) = &distributed.reader {
            self.template(&reader.parameters);
            self.number(&reader.max_items);
        }
        if let Some(batcher) = &distributed.batcher {
            self.template(&batcher.batch_input);
            self.number(&batcher.max_items);
            self.number(&batcher.max_input_bytes);
        }
        if let Some(writer) = &distributed.writer {
            self.template(&writer.parameters);
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
            Condition::Expression(template) => self.paths(template),
        }
    }

    fn template(&mut self, template: &Option<Template>) {
        if let Some(template) = template {
            self.paths(template);
        }
    }

    fn paths(&mut self, template: &Template) {
        template.paths().into_iter().for_each(|path| self.path(path));
    }

    fn number(&mut self, field: &Option<NumberField>) {
        if let Some(NumberField::Path(path)) = field {
            self.path(path);
        }
    }

    fn text(&mut self, field: &Option<TextField>) {
        if let Some(TextField::Computed { expr, .. }) = field {
            expr.paths().into_iter().for_each(|path| self.path(path));
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
