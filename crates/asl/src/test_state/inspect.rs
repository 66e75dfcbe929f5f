//! `inspectionData`: what the machine's observer saw, as far as AWS shows it of a state of that type.

use super::request::Request;
use super::run::Left;
use super::text::spaced;
use asl_core::{DataStage, Sight};
use asl_syntax::model::{State, StateKind};
use asl_value::{Map, Value};

pub(super) struct Inspection<'s> {
    state: &'s State,
    out: Map,
    retry_index: Option<Value>,
    /// All variables after the state.
    pub(super) variables: Map,
}

impl<'s> Inspection<'s> {
    pub(super) fn new(state: &'s State, request: &Request<'_>, items_pointed: Option<Value>) -> Inspection<'s> {
        let mut out = Map::new();
        out.insert("input", spaced(&request.input));
        if let Some(items) = items_pointed {
            out.insert("afterItemsPointer", spaced(&items));
        }
        Inspection { state, out, retry_index: None, variables: Map::new() }
    }

    pub(super) fn take(&mut self, sights: Vec<Sight>) {
        for sight in sights.into_iter().filter(|sight| sight.state == self.state.name) {
            match sight.stage {
                DataStage::RetryIndex => self.retry_index = Some(sight.value),
                stage if !shown(self.state, stage) => {}
                stage if is_number(stage) => drop(self.out.insert(field(stage), sight.value)),
                stage => drop(self.out.insert(field(stage), spaced(&sight.value))),
            }
        }
    }

    pub(super) fn into_value(mut self, left: &Left) -> Value {
        if !self.variables.is_empty() {
            self.out.insert("variables", spaced(&Value::from(self.variables)));
        }
        let mut details = Map::new();
        match left {
            Left::Retriable { rule, delay_ms, .. } => {
                details.insert("retryIndex", *rule);
                details.insert("retryBackoffIntervalSeconds", delay_ms / 1000);
            }
            Left::Caught { rule, .. } => drop(details.insert("catchIndex", *rule)),
            Left::Failed(_) => self.retry_index.into_iter().for_each(|at| drop(details.insert("retryIndex", at))),
            Left::Succeeded { .. } => {}
        }
        if !details.is_empty() {
            self.out.insert("errorDetails", details);
        }
        Value::from(self.out)
    }
}

/// What AWS shows of the types of states (recorded). Of a Parallel it shows nothing before its result, of a Pass with a
/// `Result` nothing before that, and the result itself only of a Task and of such a Pass.
fn shown(state: &State, stage: DataStage) -> bool {
    use DataStage::{AfterArguments, AfterInputPath, AfterParameters, AfterResultPath, AfterResultSelector, Result};
    match (&state.kind, stage) {
        (StateKind::Pass { result: Some(_) }, AfterInputPath) => false,
        (StateKind::Parallel(_), AfterInputPath | AfterParameters | AfterArguments) => false,
        (StateKind::Pass { .. }, AfterArguments) => false,
        (StateKind::Task(_) | StateKind::Pass { .. }, Result) => true,
        (_, Result) => false,
        (StateKind::Succeed | StateKind::Wait(_), stage) => {
            !matches!(stage, AfterParameters | AfterResultSelector | AfterResultPath)
        }
        _ => true,
    }
}

fn is_number(stage: DataStage) -> bool {
    use DataStage::{MaxConcurrency, ToleratedFailureCount, ToleratedFailurePercentage};
    matches!(stage, MaxConcurrency | ToleratedFailureCount | ToleratedFailurePercentage)
}

fn field(stage: DataStage) -> &'static str {
    match stage {
        DataStage::AfterInputPath => "afterInputPath",
        DataStage::AfterParameters => "afterParameters",
        DataStage::AfterArguments => "afterArguments",
        DataStage::Result => "result",
        DataStage::AfterResultSelector => "afterResultSelector",
        DataStage::AfterResultPath => "afterResultPath",
        DataStage::AfterItemsPath => "afterItemsPath",
        DataStage::AfterItemSelector => "afterItemSelector",
        DataStage::AfterItemBatcher => "afterItemBatcher",
        DataStage::MaxConcurrency => "maxConcurrency",
        DataStage::ToleratedFailureCount => "toleratedFailureCount",
        DataStage::ToleratedFailurePercentage => "toleratedFailurePercentage",
        DataStage::RetryIndex => "retryIndex",
    }
}
