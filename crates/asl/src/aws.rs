//! What AWS Step Functions answers, as the AWS CLI prints it: the shapes of its operations, for the command line and for
//! servers. Times are the AWS CLI's (`2026-01-31T12:00:00.123000+00:00`).

use crate::{Event, ExecutionRow, Map, Status, Timestamp, Value, to_aws};
use asl_task::embedded::{BILLED_MB, billed_ms};

/// `DescribeExecution`: the header of an execution, with its input and, once it has succeeded, its output;
/// `setAside` tells why nobody runs it, where that is so.
pub fn describe_execution(row: &ExecutionRow, input: &str, output: Option<&str>) -> Value {
    let included = || Value::from(Map::from_iter([("included", true)]));
    let mut out = Map::new();
    out.insert("executionArn", row.arn.as_str());
    out.insert("stateMachineArn", row.state_machine_arn.as_str());
    out.insert("name", row.name.as_str());
    out.insert("status", row.status.name());
    out.insert("startDate", row.started.to_cli_string());
    if let Some(stopped) = row.stopped {
        out.insert("stopDate", stopped.to_cli_string());
    }
    out.insert("input", input);
    out.insert("inputDetails", included());
    if let Some(output) = output {
        out.insert("output", output);
        out.insert("outputDetails", included());
    }
    // Of an execution that ran out of time AWS tells neither.
    if row.status != Status::TimedOut {
        if let Some(error) = &row.error {
            out.insert("error", error.as_str());
        }
        if let Some(cause) = &row.cause {
            out.insert("cause", cause.as_str());
        }
    }
    set_aside(row, &mut out);
    out.insert("redriveCount", row.redrive_count);
    if let Some(redriven) = row.redriven {
        out.insert("redriveDate", redriven.to_cli_string());
    }
    match row.status {
        Status::Running | Status::Succeeded => {
            out.insert("redriveStatus", "NOT_REDRIVABLE");
            out.insert("redriveStatusReason", format!("Execution is {} and cannot be redriven", row.status));
        }
        _ => out.insert("redriveStatus", "REDRIVABLE").map_or((), drop),
    }
    out.into()
}

/// An `ExecutionListItem`, of which `ListExecutions` answers `{"executions": [...]}`; with `setAside`,
/// `redriveCount` and `redriveDate` where there are any.
pub fn execution_list_item(row: &ExecutionRow) -> Value {
    let mut item = Map::new();
    item.insert("executionArn", row.arn.as_str());
    item.insert("stateMachineArn", row.state_machine_arn.as_str());
    item.insert("name", row.name.as_str());
    item.insert("status", row.status.name());
    item.insert("startDate", row.started.to_cli_string());
    if let Some(stopped) = row.stopped {
        item.insert("stopDate", stopped.to_cli_string());
    }
    set_aside(row, &mut item);
    if let Some(redriven) = row.redriven {
        item.insert("redriveCount", row.redrive_count);
        item.insert("redriveDate", redriven.to_cli_string());
    }
    item.into()
}

/// What AWS does not know: that nobody runs an open execution, and why.
fn set_aside(row: &ExecutionRow, item: &mut Map) {
    if let Some(why) = &row.set_aside {
        item.insert("setAside", why.as_str());
        if let Some(again) = row.tried_again {
            item.insert("triedAgainDate", again.to_cli_string());
        }
    }
}

/// `GetExecutionHistory`: `{"events": [...]}`.
pub fn execution_history<'e>(events: impl IntoIterator<Item = &'e Event>) -> Value {
    let events: Vec<Value> = events.into_iter().map(to_aws).collect();
    Map::from_iter([("events", Value::from(events))]).into()
}

/// `StartExecution`: `{"executionArn", "startDate"}`.
pub fn start_execution(arn: &str, started: Timestamp) -> Value {
    Map::from_iter([("executionArn", Value::from(arn)), ("startDate", started.to_cli_string().into())]).into()
}

/// What AWS bills for a synchronous Express execution that took from one time to another (`BillingDetails`).
pub fn billing_details(started: Timestamp, stopped: Timestamp) -> Value {
    let billed_ms = billed_ms(stopped.millis() - started.millis());
    Value::from_iter([("billedMemoryUsedInMB", BILLED_MB), ("billedDurationInMilliseconds", billed_ms)])
}

/// `StopExecution`: `{"stopDate"}`.
pub fn stop_execution(stopped: Timestamp) -> Value {
    Map::from_iter([("stopDate", stopped.to_cli_string())]).into()
}
