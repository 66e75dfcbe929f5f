//! Who the execution of an exported history is.

use crate::replay::exported::{Recorded, Whose};
use asl_core::{Execution, ExecutionType};
use asl_value::Value;
use std::sync::Arc;

/// Who the execution is, as far as anybody knows; the rest is made up.
pub(super) fn identity(whose: &Whose, first: &Recorded, region: Arc<str>, text: Arc<str>, input: Value) -> Execution {
    let prefix = format!("arn:aws:states:{region}:000000000000");
    let arn = whose.execution_arn.clone();
    let machine = whose.state_machine_arn.clone().or_else(|| {
        // arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME
        let parts: Vec<&str> = arn.as_deref()?.splitn(8, ':').collect();
        Some(format!("{}:stateMachine:{}", parts.get(..5)?.join(":"), parts.get(6)?).into())
    });
    let machine = machine.unwrap_or_else(|| format!("{prefix}:stateMachine:asl-replay-machine").into());
    let machine_name: Arc<str> = machine.rsplit(':').next().unwrap_or_default().into();
    let arn = arn.unwrap_or_else(|| format!("{prefix}:execution:{machine_name}:asl-replay-execution").into());
    Execution {
        name: arn.rsplit(':').next().unwrap_or_default().into(),
        arn,
        state_machine_arn: machine,
        state_machine_name: machine_name,
        role_arn: first.text("roleArn").unwrap_or_default(),
        region,
        execution_type: ExecutionType::Standard,
        seed: 0,
        token_key: None,
        input_text: text,
        input,
    }
}
