//! Events in the shape of AWS's `GetExecutionHistory` (spec: Execution history, Appendix A).

use super::{Event, EventKind, Failure, Family, Scheduled, TaskStage};
use asl_value::{Map, Value};

/// The event as AWS gives it. `timestamp` is written as the AWS CLI prints it, in UTC.
pub fn to_aws(event: &Event) -> Value {
    let mut out = Map::with_capacity(5);
    out.insert("timestamp", event.timestamp.to_cli_string());
    out.insert("type", event.type_name());
    out.insert("id", event.id);
    out.insert("previousEventId", event.previous);
    if let Some((key, details)) = details(&event.kind) {
        out.insert(key, details);
    }
    Value::from(out)
}

/// The details member, where the type has one.
fn details(kind: &EventKind) -> Option<(String, Map)> {
    let mut d = Map::new();
    let key = match kind {
        EventKind::ExecutionStarted { input, role_arn } => {
            d.insert("input", input);
            d.insert("inputDetails", whole());
            d.insert("roleArn", role_arn);
            "executionStartedEventDetails".to_owned()
        }
        EventKind::StateEntered { name, input, .. } => {
            d.insert("name", name);
            d.insert("input", input.to_string());
            d.insert("inputDetails", whole());
            "stateEnteredEventDetails".to_owned()
        }
        EventKind::StateExited { name, output, assigned, .. } => {
            d.insert("name", name);
            put_output(&mut d, output);
            if !assigned.is_empty() {
                let texts: Map = assigned.iter().map(|(k, v)| (k.clone(), v.to_string())).collect();
                d.insert("assignedVariables", texts);
                d.insert("assignedVariablesDetails", whole());
            }
            "stateExitedEventDetails".to_owned()
        }
        EventKind::ExecutionSucceeded { output } => {
            put_output(&mut d, output);
            key_of(kind)
        }
        EventKind::ExecutionFailed(f)
        | EventKind::ExecutionAborted(f)
        | EventKind::ExecutionTimedOut(f)
        | EventKind::MapRunFailed(f) => {
            put_failure(&mut d, f);
            key_of(kind)
        }
        EventKind::MapStateStarted { length } => {
            d.insert("length", *length);
            key_of(kind)
        }
        EventKind::MapIteration { name, index, .. } => {
            d.insert("name", name);
            d.insert("index", *index);
            key_of(kind)
        }
        EventKind::ExecutionRedriven { redrive_count } => {
            d.insert("redriveCount", *redrive_count);
            key_of(kind)
        }
        EventKind::MapRunRedriven { arn, redrive_count } => {
            d.insert("mapRunArn", arn);
            d.insert("redriveCount", *redrive_count);
            key_of(kind)
        }
        EventKind::MapRunStarted { arn } => {
            d.insert("mapRunArn", arn);
            key_of(kind)
        }
        EventKind::EvaluationFailed { failure, location, state } => {
            put_failure(&mut d, failure);
            if !location.is_empty() {
                d.insert("location", location);
            }
            d.insert("state", state);
            key_of(kind)
        }
        EventKind::Task { family: Family::Lambda, stage: TaskStage::Started { .. } }
        | EventKind::StateAborted(_)
        | EventKind::ParallelStateStarted
        | EventKind::ParallelStateSucceeded
        | EventKind::ParallelStateFailed
        | EventKind::MapStateSucceeded
        | EventKind::MapStateFailed
        | EventKind::MapRunSucceeded
        | EventKind::MapRunAborted => return None,
        EventKind::Task { family, stage } => {
            task_details(&mut d, family, stage);
            key_of(kind)
        }
    };
    Some((key, d))
}

fn key_of(kind: &EventKind) -> String {
    let name = kind.type_name();
    format!("{}{}EventDetails", name[..1].to_ascii_lowercase(), &name[1..])
}

/// Nothing is ever cut out of a history of ours.
fn whole() -> Map {
    Map::from_iter([("truncated", false)])
}

fn put_output(d: &mut Map, output: &Value) {
    d.insert("output", output.to_string());
    d.insert("outputDetails", whole());
}

fn put_failure(d: &mut Map, failure: &Failure) {
    if let Some(error) = &failure.error {
        d.insert("error", error);
    }
    if let Some(cause) = &failure.cause {
        d.insert("cause", cause);
    }
}

fn task_details(d: &mut Map, family: &Family, stage: &TaskStage) {
    if let Family::Service { resource_type, resource } = family {
        d.insert("resourceType", resource_type);
        d.insert("resource", resource);
    }
    match stage {
        TaskStage::Scheduled(scheduled) => put_scheduled(d, family, scheduled),
        TaskStage::Started { worker } => {
            if let Some(worker) = worker {
                d.insert("workerName", worker);
            }
        }
        TaskStage::Submitted { output } | TaskStage::Succeeded { output } => put_output(d, output),
        TaskStage::Failed(f)
        | TaskStage::TimedOut(f)
        | TaskStage::ScheduleFailed(f)
        | TaskStage::StartFailed(f)
        | TaskStage::SubmitFailed(f) => put_failure(d, f),
    }
}

fn put_scheduled(d: &mut Map, family: &Family, scheduled: &Scheduled) {
    if let Family::Service { .. } = family {
        d.insert("region", &scheduled.resource_or_region);
        d.insert("parameters", scheduled.parameters.to_string());
    } else {
        d.insert("resource", &scheduled.resource_or_region);
        d.insert("input", scheduled.parameters.to_string());
        d.insert("inputDetails", whole());
    }
    if let Some(seconds) = scheduled.timeout_seconds {
        d.insert("timeoutInSeconds", seconds);
    }
    // A function has no heartbeat, and an activity no role (Appendix A).
    if let (Some(seconds), Family::Service { .. } | Family::Activity) = (scheduled.heartbeat_seconds, family) {
        d.insert("heartbeatInSeconds", seconds);
    }
    if let (Some(role), Family::Service { .. } | Family::Lambda) = (&scheduled.role_arn, family) {
        d.insert("taskCredentials", Map::from_iter([("roleArn", role)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use asl_expr::Timestamp;

    #[test]
    fn a_scheduled_task_says_only_what_its_kind_has() {
        let service = Family::Service { resource_type: "sqs".into(), resource: "sendMessage".into() };
        let kinds = [(Family::Lambda, false, true), (Family::Activity, true, false), (service, true, true)];
        for (family, heartbeat, credentials) in kinds {
            let scheduled = Scheduled {
                resource_or_region: "x".into(),
                parameters: Value::Null,
                timeout_seconds: Some(9),
                heartbeat_seconds: Some(5),
                role_arn: Some("role".into()),
            };
            let kind = EventKind::Task { family, stage: TaskStage::Scheduled(Box::new(scheduled)) };
            let event = to_aws(&Event { id: 3, previous: 2, timestamp: Timestamp::default(), kind });
            let details = event.as_object().and_then(|e| e.values().last()).and_then(Value::as_object);
            let has = |name: &str| details.is_some_and(|d| d.contains_key(name));
            assert!(has("timeoutInSeconds"), "{event}");
            assert_eq!((has("heartbeatInSeconds"), has("taskCredentials")), (heartbeat, credentials), "{event}");
        }
    }
}
