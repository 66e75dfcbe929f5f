//! Task: schedule, start, submit, answer, time out (spec: Task, Execution history).

use crate::context::Context;
use crate::data::{eval_path, fill, number};
use crate::error::{Class, StateError};
use crate::event::{EventKind, Failure, Family, Scheduled, TaskStage};
use crate::input::{Command, Execution, Input, Rejected, TaskCall, TaskId};
use crate::machine::Machine;
use crate::scope::{Phase, ScopeId};
use crate::timers::Timer;
use crate::token::task_token;
use asl_expr::Path;
use asl_syntax::model::{NumberField, State, Task};
use asl_syntax::{Pattern, Resource, ResourceKind};
use asl_value::Value;
use std::sync::Arc;

/// Evaluates the parameters and records that the task is to be done.
pub(super) fn schedule(machine: &mut Machine, id: ScopeId, state: &State, task: &Task) -> Result<(), StateError> {
    let execution = machine.running_execution();
    machine.task_count += 1;
    let mut call = prepare(machine, id, state, task, &execution, TaskId(machine.task_count))?;
    let invocations = machine.invocations.entry(machine.scopes.get(id).state).or_insert(0);
    call.invocation = *invocations;
    *invocations += 1;
    machine.tasks.insert(call.id, id);
    if matches!(call.resource.kind, ResourceKind::Activity { .. }) {
        // Whether the activity exists is a fact from outside, and comes before its event.
        machine.command(Command::RunTask(Box::new(call.clone())));
        machine.scopes.get_mut(id).phase = Phase::Queued(Box::new(call));
        return Ok(());
    }
    emit_scheduled(machine, id, &call, &execution.region);
    machine.scopes.get_mut(id).phase = Phase::Start(Box::new(call));
    machine.wake(id);
    Ok(())
}

fn prepare(
    machine: &Machine,
    id: ScopeId,
    state: &State,
    task: &Task,
    execution: &Arc<Execution>,
    task_id: TaskId,
) -> Result<TaskCall, StateError> {
    let scope = machine.scopes.get(id);
    // A `.sync` task can be answered by its token too (recorded AWS behaviour).
    let wants_token = task.resource.pattern() != Pattern::RequestResponse
        || matches!(task.resource.kind, ResourceKind::Activity { .. });
    let token = wants_token.then(|| task_token(execution, task_id));
    let input = machine.effective_input(id, state)?;
    let env = Context::new(machine, id).with_token(token.as_deref());
    let parameters = match &state.parameters {
        Some(payload) => fill(payload, &input, &env)?,
        None => input.clone().into_owned(),
    };
    machine.see_parameters(id, state, &parameters);
    machine.check_size(&parameters, || StateError::data_limit(&state.name, "provided", "parameters"))?;
    check_parameters(&task.resource, &parameters)?;
    let role_arn = match &task.credentials {
        Some(payload) => fill(payload, &input, &env)?["RoleArn"].as_str().map(Arc::from),
        None => None,
    };
    let seconds = |field: &Option<NumberField>, name: &str| {
        field.as_ref().map(|f| whole_seconds(f, &input, &env, name)).transpose()
    };
    let timeout_seconds = seconds(&task.timeout, "TimeoutSecondsPath")?;
    let heartbeat_seconds = seconds(&task.heartbeat, "HeartbeatSecondsPath")?;
    Ok(TaskCall {
        id: task_id,
        state: state.name.clone(),
        entered: scope.entered,
        attempt: scope.retry_count,
        invocation: 0,
        iterations: iterations(machine, id),
        resource: task.resource.clone(),
        parameters,
        token,
        timeout_seconds,
        heartbeat_seconds,
        role_arn,
        submitted: None,
    })
}

fn whole_seconds(field: &NumberField, input: &Value, env: &Context, name: &str) -> Result<u64, StateError> {
    let bad = |path: &Path, value: &Value| {
        StateError::runtime(format!(
            "The {name} field refers to value \"{value}\" which is not a valid positive integer: {}",
            path.text_in_document()
        ))
    };
    let seconds = number(field, input, env, bad)?;
    match field {
        NumberField::Path(path) if seconds < 1.0 || seconds.fract() != 0.0 => {
            Err(bad(path, &eval_path(path, input, env)?))
        }
        _ => Ok(seconds as u64),
    }
}

/// The parameters that are texts to their services: an object or array becomes its JSON text, a number or a boolean is
/// refused (AWS).
const TEXT_FIELDS: [(&str, &str, &str); 2] = [("lambda", "invoke", "Payload"), ("sqs", "sendMessage", "MessageBody")];

/// What a service refuses before the call is made.
fn check_parameters(resource: &Resource, parameters: &Value) -> Result<(), StateError> {
    let ResourceKind::Service { service, action, sdk: false, .. } = &resource.kind else { return Ok(()) };
    let refused = |why: String| {
        let cause = format!("The Parameters '{parameters}' could not be used to start the Task: [{why}]");
        Err(StateError::runtime(cause))
    };
    let text_field = TEXT_FIELDS.iter().find(|(of, call, _)| **of == **service && **call == **action);
    if let Some((_, _, field)) = text_field
        && matches!(parameters[*field], Value::Number(_) | Value::Bool(_))
    {
        return refused(format!("The value for the field '{field}' must be a STRING"));
    }
    let lists_only = |headers: &asl_value::Map| headers.values().all(|v| v.as_array().is_some());
    let bad_headers = match &parameters["Headers"] {
        Value::Null => false,
        headers => !headers.as_object().is_some_and(lists_only),
    };
    if &**service == "apigateway" && bad_headers {
        return refused("The value of the field 'Headers' has an invalid format".to_owned());
    }
    Ok(())
}

/// The Map iterations around a scope, outermost first.
pub(crate) fn iterations(machine: &Machine, id: ScopeId) -> Vec<(Arc<str>, u64)> {
    let mut around = Vec::new();
    let mut at = machine.scopes.get(id).parent;
    while let Some((parent, index)) = at {
        let scope = machine.scopes.get(parent);
        let state = Machine::state_of(&machine.definition, scope);
        if state.state_type() == asl_syntax::model::StateType::Map {
            around.push((state.name.clone(), index));
        }
        at = scope.parent;
    }
    around.reverse();
    around
}

fn family(resource: &Resource) -> Family {
    match &resource.kind {
        ResourceKind::Lambda { .. } => Family::Lambda,
        ResourceKind::Activity { .. } => Family::Activity,
        ResourceKind::Service { .. } => {
            Family::Service { resource_type: resource.resource_type().into(), resource: resource.resource().into() }
        }
    }
}

fn emit_scheduled(machine: &mut Machine, id: ScopeId, call: &TaskCall, region: &Arc<str>) {
    let service = matches!(call.resource.kind, ResourceKind::Service { .. });
    let scheduled = Scheduled {
        resource_or_region: if service { region.clone() } else { call.resource.arn.clone() },
        parameters: call.parameters.clone(),
        timeout_seconds: call.timeout_seconds,
        heartbeat_seconds: call.heartbeat_seconds,
        role_arn: call.role_arn.clone(),
    };
    emit(machine, id, &call.resource, TaskStage::Scheduled(Box::new(scheduled)));
}

fn emit(machine: &mut Machine, id: ScopeId, resource: &Resource, stage: TaskStage) {
    machine.emit_in(id, EventKind::Task { family: family(resource), stage });
}

/// Starts the clock of a scheduled task and asks for it to be run.
pub(crate) fn start(machine: &mut Machine, id: ScopeId, call: Box<TaskCall>) {
    machine.command(Command::RunTask(call.clone()));
    started(machine, id, call, None);
}

fn started(machine: &mut Machine, id: ScopeId, call: Box<TaskCall>, worker: Option<Arc<str>>) {
    emit(machine, id, &call.resource, TaskStage::Started { worker });
    if let Some(seconds) = call.timeout_seconds {
        let at = machine.now.plus_ms((seconds as i64).saturating_mul(1000));
        machine.set_timer(id, at, Timer::Timeout(id));
    }
    if let Some(seconds) = call.heartbeat_seconds {
        let at = machine.now.plus_ms((seconds as i64).saturating_mul(1000));
        machine.set_timer(id, at, Timer::Heartbeat(id));
    }
    machine.scopes.get_mut(id).phase = Phase::Task(call);
}

/// Takes what the world says of a task.
pub(crate) fn answer(machine: &mut Machine, input: Input) -> Result<(), Rejected> {
    let task = match &input {
        Input::TaskScheduled { task }
        | Input::TaskRejected { task, .. }
        | Input::TaskStarted { task, .. }
        | Input::TaskSubmitted { task, .. }
        | Input::TaskSucceeded { task, .. }
        | Input::TaskFailed { task, .. }
        | Input::TaskHeartbeat { task } => *task,
        _ => return Err(Rejected::OutOfOrder),
    };
    let id = *machine.tasks.get(&task).ok_or(Rejected::NoSuchTask(task))?;
    let phase = &mut machine.scopes.get_mut(id).phase;
    match (std::mem::replace(phase, Phase::Waiting), input) {
        (Phase::Queued(call), Input::TaskScheduled { .. }) => {
            let region: Arc<str> = "".into();
            emit_scheduled(machine, id, &call, &region);
            machine.scopes.get_mut(id).phase = Phase::Scheduled(call);
        }
        (Phase::Queued(_), Input::TaskRejected { cause, .. }) => {
            settle(machine, id, task, Err(StateError::runtime(cause)));
        }
        (Phase::Scheduled(call), Input::TaskStarted { worker, .. }) => started(machine, id, call, worker),
        (Phase::Task(mut call), Input::TaskSubmitted { output, .. }) => {
            // A callback needs no more than its token; a job is asked for by what its start was answered.
            if matches!(call.resource.pattern(), Pattern::Sync | Pattern::Sync2) {
                call.submitted = Some(output.clone());
            }
            emit(machine, id, &call.resource, TaskStage::Submitted { output });
            machine.scopes.get_mut(id).phase = Phase::Submitted(call);
        }
        (phase @ (Phase::Task(_) | Phase::Submitted(_)), Input::TaskHeartbeat { .. }) => {
            machine.scopes.get_mut(id).phase = phase;
            restart_heartbeat(machine, id);
        }
        (Phase::Task(call) | Phase::Submitted(call), Input::TaskSucceeded { output, .. }) => {
            succeeded(machine, id, &call, output);
        }
        (Phase::Task(call), Input::TaskFailed { failure, .. })
            if call.resource.pattern() != Pattern::RequestResponse =>
        {
            let failure = failure.within_limits();
            emit(machine, id, &call.resource, TaskStage::SubmitFailed(failure.clone()));
            settle(machine, id, call.id, Err(StateError::of_work(failure)));
        }
        (Phase::Task(call) | Phase::Submitted(call), Input::TaskFailed { failure, .. }) => {
            failed(machine, id, &call, failure);
        }
        (phase, _) => {
            machine.scopes.get_mut(id).phase = phase;
            return Err(Rejected::NoSuchTask(task));
        }
    }
    Ok(())
}

fn succeeded(machine: &mut Machine, id: ScopeId, call: &TaskCall, output: Value) {
    let too_large = || StateError::data_limit(&limit_subject(call), "returned", "a result");
    match machine.check_size(&output, too_large) {
        Ok(()) => {
            emit(machine, id, &call.resource, TaskStage::Succeeded { output: output.clone() });
            settle(machine, id, call.id, Ok(output));
        }
        Err(error) => {
            emit(machine, id, &call.resource, TaskStage::Failed(error.failure.clone()));
            settle(machine, id, call.id, Err(error));
        }
    }
}

/// Whom AWS blames for a result that is too large: the service, or the function's ARN.
pub(crate) fn limit_subject(call: &TaskCall) -> String {
    match &call.resource.kind {
        ResourceKind::Service { .. } => call.resource.resource_type(),
        _ => call.resource.arn.to_string(),
    }
}

fn failed(machine: &mut Machine, id: ScopeId, call: &TaskCall, failure: Failure) {
    let failure = failure.within_limits();
    emit(machine, id, &call.resource, TaskStage::Failed(failure.clone()));
    settle(machine, id, call.id, Err(StateError::of_work(failure)));
}

/// `TimeoutSeconds` or `HeartbeatSeconds` ran out: the history says `States.Timeout` for both, without a cause.
pub(crate) fn time_out(machine: &mut Machine, id: ScopeId, class: Class) {
    let phase = std::mem::replace(&mut machine.scopes.get_mut(id).phase, Phase::Waiting);
    let (Phase::Task(call) | Phase::Submitted(call)) = phase else {
        machine.scopes.get_mut(id).phase = phase;
        return;
    };
    let failure = Failure { error: Some("States.Timeout".into()), cause: None };
    emit(machine, id, &call.resource, TaskStage::TimedOut(failure.clone()));
    machine.command(Command::CancelTask(call.id));
    settle(machine, id, call.id, Err(StateError { failure, class, hint: None }));
}

fn restart_heartbeat(machine: &mut Machine, id: ScopeId) {
    let Some(seconds) = machine.scopes.get(id).call().and_then(|call| call.heartbeat_seconds) else { return };
    machine.cancel_timer(id, Timer::Heartbeat(id));
    let at = machine.now.plus_ms((seconds as i64).saturating_mul(1000));
    machine.set_timer(id, at, Timer::Heartbeat(id));
}

/// The task is over: its scope goes on with the result or the error.
fn settle(machine: &mut Machine, id: ScopeId, task: TaskId, result: Result<Value, StateError>) {
    machine.tasks.remove(&task);
    machine.clear_timers(id);
    machine.scopes.get_mut(id).phase = Phase::Answered(result);
    machine.wake(id);
}
