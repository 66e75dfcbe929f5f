//! The names of a map run and of its children (spec: Map DISTRIBUTED, ARNs).

use crate::context::{draw, uuid};
use crate::input::{Execution, ExecutionType};
use asl_syntax::model::{Definition, FlowId, StateKind};
use asl_value::Value;
use std::sync::Arc;

/// `sm/label`: what a map run and its children are called after.
pub(super) fn family(execution: &Execution, label: Option<&Arc<str>>, state: &str) -> Arc<str> {
    let label = label_of(&execution.state_machine_arn, label, state);
    format!("{}/{label}", execution.state_machine_name).into()
}

/// The label of a Map; one without has one made of its place: the same in every execution.
fn label_of(state_machine_arn: &str, label: Option<&Arc<str>>, state: &str) -> Arc<str> {
    match label {
        Some(label) => label.clone(),
        None => {
            // FNV-1a: enough to tell the Maps of a machine apart.
            let bytes = state_machine_arn.bytes().chain(state.bytes());
            let place = bytes.fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
            uuid(place, 0).into()
        }
    }
}

/// Whether an execution is a child of a Distributed Map's map run, by the ARN of its state machine: `...:stateMachine:sm/label`.
pub fn is_child(state_machine_arn: &str) -> bool {
    state_machine_arn.contains('/')
}

/// The flow that an execution runs: the top level, or for a child the processor of the Map whose label is in its state
/// machine's ARN. `None` when the definition has no such Map.
pub(crate) fn flow_of(definition: &Definition, execution: &Execution) -> Option<FlowId> {
    flow_of_machine(definition, &execution.state_machine_arn)
}

/// The flow of this definition that the executions of a state machine run, by its ARN: the top level, or the processor of the
/// Distributed Map whose label the ARN ends in. `None` when the definition has no such Map.
pub fn flow_of_machine(definition: &Definition, state_machine_arn: &str) -> Option<FlowId> {
    let Some((parent, label)) = state_machine_arn.rsplit_once('/') else { return Some(FlowId::TOP) };
    definition.states.iter().find_map(|state| match &state.kind {
        StateKind::Map(map) => {
            let distributed = map.distributed.as_ref()?;
            (*label_of(parent, distributed.label.as_ref(), &state.name) == *label).then_some(map.processor)
        }
        _ => None,
    })
}

/// `arn:aws:states:REGION:ACCOUNT`
fn prefix(execution: &Execution) -> &str {
    execution.state_machine_arn.split(":stateMachine:").next().unwrap_or_default()
}

pub(super) fn map_run_arn(execution: &Execution, family: &str, uuid: &str) -> Arc<str> {
    format!("{}:mapRun:{family}:{uuid}", prefix(execution)).into()
}

/// Who a child is. Its name and seed are drawn from its parent's seed, its key is made from its parent's.
pub(super) fn child(parent: &Execution, family: &Arc<str>, express: bool, place: u64, input: Value) -> Execution {
    let prefix = prefix(parent);
    let seed = draw(parent.seed, place, 1);
    let name = uuid(seed, 2);
    let (arn, execution_type) = if express {
        (format!("{prefix}:express:{family}:{name}:{}", uuid(seed, 3)), ExecutionType::Express)
    } else {
        (format!("{prefix}:execution:{family}:{name}"), ExecutionType::Standard)
    };
    let token_key = parent.token_key.as_ref().map(|key| key.of_child(&arn));
    Execution {
        arn: arn.into(),
        name: name.into(),
        state_machine_arn: format!("{prefix}:stateMachine:{family}").into(),
        state_machine_name: family.clone(),
        role_arn: parent.role_arn.clone(),
        region: parent.region.clone(),
        execution_type,
        seed,
        token_key,
        input_text: input.to_string().into(),
        input,
    }
}
