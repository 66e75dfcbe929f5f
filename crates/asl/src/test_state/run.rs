//! Drives the machine through the one state.

use super::definition::Subject;
use super::inspect::Inspection;
use super::request::{Level, Request};
use super::text::spaced;
use super::{Exception, Setting};
use asl_core::{
    Command, EventKind, Execution, ExecutionType, Failure, Input, Machine, MapCommand, Note, Outcome, Progress,
    ReadItems, Rehearsal, TaskCall, items, uuid,
};
use asl_expr::Timestamp;
use asl_syntax::ResourceKind;
use asl_syntax::model::StateKind;
use asl_value::{Map, Value};
use std::sync::Arc;

/// How the state was left.
pub(super) enum Left {
    Succeeded { output: Value, next: Option<Arc<str>> },
    Caught { output: Value, next: Option<Arc<str>>, failure: Failure, rule: usize },
    Retriable { failure: Failure, rule: usize, delay_ms: i64 },
    Failed(Failure),
}

pub(super) fn run(request: &Request<'_>, subject: &Subject, setting: Setting<'_>) -> Result<Value, Exception> {
    let mut test = Test::new(request, subject, setting);
    let left = test.go()?;
    let mut inspection = Inspection::new(subject.state(), request, test.items_pointed.take());
    inspection.take(test.machine.take_sights());
    inspection.variables = test.machine.variables().map(|(k, v)| (k.clone(), v.clone())).collect();
    Ok(response(left, (request.level > Level::Info).then_some(inspection)))
}

struct Test<'t, 'r> {
    request: &'t Request<'t>,
    subject: &'t Subject,
    setting: Setting<'r>,
    machine: Machine,
    now: Timestamp,
    /// A catcher took this error.
    caught: Option<(Failure, usize)>,
    /// What `ItemsPointer` found in the data of the reader.
    items_pointed: Option<Value>,
}

impl<'t, 'r> Test<'t, 'r> {
    fn new(request: &'t Request<'t>, subject: &'t Subject, setting: Setting<'r>) -> Test<'t, 'r> {
        let map_item = Map::from_iter([("Index", Value::from(0)), ("Value", request.input.clone())]);
        let rehearsal = Rehearsal {
            state: subject.id,
            variables: request.variables.iter().map(|(k, v)| (Arc::from(&**k), v.clone())).collect(),
            context: request.context.clone(),
            map_item: subject.in_map.then(|| Value::from(map_item)),
            retry_count: request.retry_count,
        };
        let execution = identity(request, &setting);
        let mut machine = Machine::rehearse(subject.definition.clone(), execution, rehearsal, setting.now);
        machine.observe();
        let now = setting.now;
        Test { request, subject, setting, machine, now, caught: None, items_pointed: None }
    }

    /// Runs until the state is left, or would be tried again.
    fn go(&mut self) -> Result<Left, Exception> {
        loop {
            let progress = self.machine.run(self.now, 1).progress;
            let effects = self.machine.take_effects();
            for note in effects.notes {
                match note {
                    Note::Retry { error, rule, delay_ms, .. } => {
                        return Ok(Left::Retriable { failure: error, rule, delay_ms });
                    }
                    Note::Caught { error, rule, .. } => self.caught = Some((error, rule)),
                    Note::Chose { .. } | Note::Hint { .. } => {}
                }
            }
            for event in effects.events {
                if let EventKind::StateExited { output, .. } = event.kind {
                    let next = self.machine.entering().cloned();
                    return Ok(match self.caught.take() {
                        Some((failure, rule)) => Left::Caught { output, next, failure, rule },
                        None => Left::Succeeded { output, next },
                    });
                }
            }
            match self.machine.outcome() {
                Some(Outcome::Succeeded(output)) => {
                    return Ok(Left::Succeeded { output: output.clone(), next: None });
                }
                Some(Outcome::Failed(failure) | Outcome::TimedOut(failure) | Outcome::Aborted(failure)) => {
                    return Ok(Left::Failed(failure.clone()));
                }
                None => {}
            }
            for command in effects.commands {
                self.obey(command)?;
            }
            if self.machine.is_held() {
                self.conclude()?;
            } else if progress == Progress::Quiescent && !self.machine.is_ready() {
                let Some(deadline) = self.machine.next_deadline() else {
                    return Err(Exception::validation("the state waits for something that never comes"));
                };
                self.now = self.now.max(deadline);
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), Exception> {
        match command {
            Command::RunTask(call) => self.answer(&call),
            Command::Map(MapCommand::Read(read)) => {
                self.read(&read);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn answer(&mut self, call: &TaskCall) -> Result<(), Exception> {
        let answer = match (&self.request.mock, &mut self.setting.run) {
            (Some(mock), _) => mock.answer.clone(),
            (None, Some(run)) => run(call),
            (None, None) => {
                let message = format!("nothing here can call {}: specify a mock", call.resource.arn);
                return Err(Exception::validation(message));
            }
        };
        let task = call.id;
        if matches!(call.resource.kind, ResourceKind::Activity { .. }) {
            self.input(Input::TaskScheduled { task });
            self.input(Input::TaskStarted { task, worker: None });
        }
        self.input(match answer {
            Ok(output) => Input::TaskSucceeded { task, output },
            Err(failure) => Input::TaskFailed { task, failure },
        });
        Ok(())
    }

    fn input(&mut self, input: Input) {
        let taken = self.machine.handle(input, self.now);
        debug_assert!(taken.is_ok(), "an answer to what was just asked is taken: {taken:?}");
    }

    /// The data that the request gives stands for the file; without any the reader has nothing to read.
    fn read(&mut self, read: &ReadItems) {
        let Some(data) = self.request.reader_data else { return };
        let run = read.run;
        match items::parse(&read.config, data.as_bytes(), read.max_items) {
            Ok(items) => {
                self.items_pointed = read.config["ItemsPointer"].as_str().map(|_| items.clone());
                self.input(Input::MapItems { run, items });
            }
            Err(failure) => self.input(Input::MapFailed { run, failure }),
        }
    }

    /// The branches or iterations come to what the mock says.
    fn conclude(&mut self) -> Result<(), Exception> {
        let Some(mock) = &self.request.mock else {
            return Err(Exception::validation("the branches and iterations of a state need a mock"));
        };
        let mut answer = mock.answer.clone();
        if let (Some(failed), StateKind::Map(map)) = (self.request.failed_iterations, &self.subject.state().kind) {
            let is_read = map.distributed.as_ref().is_some_and(|map| map.reader.is_some());
            let mocked = answer.as_ref().ok().and_then(Value::as_array).map(<[Value]>::len);
            let count = match is_read && self.request.reader_data.is_none() {
                true => mocked,
                false => self.machine.held_items(),
            };
            if count.is_some_and(|count| failed > count as u64) {
                let message = "Map iteration failure count must be less than or equal to the number of Map iterations";
                return Err(Exception::validation(message));
            }
            if failed > 0 && self.machine.exceeds_tolerance(failed) {
                let cause = "The specified tolerated failure threshold was exceeded";
                answer = Err(Failure::new("States.ExceedToleratedFailureThreshold", cause));
            }
        }
        self.machine.conclude(answer);
        Ok(())
    }
}

/// An Express execution of a machine without a name, as AWS makes one for each test.
fn identity(request: &Request<'_>, setting: &Setting<'_>) -> Execution {
    let (machine, name) = (uuid(setting.seed, 1), uuid(setting.seed, 2));
    let account = format!("arn:aws:states:{}:{}", setting.region, setting.account);
    Execution {
        arn: format!("{account}:express:{machine}:{name}").into(),
        name: name.into(),
        state_machine_arn: format!("{account}:stateMachine:{machine}").into(),
        state_machine_name: machine.into(),
        role_arn: request.role_arn.unwrap_or_default().into(),
        region: setting.region.clone(),
        execution_type: ExecutionType::Express,
        seed: setting.seed,
        token_key: None,
        input_text: request.input.to_string().into(),
        input: request.input.clone(),
    }
}

fn response(left: Left, inspection: Option<Inspection>) -> Value {
    let mut out = Map::new();
    if let Some(inspection) = inspection {
        out.insert("inspectionData", inspection.into_value(&left));
    }
    let (status, done, failure) = match left {
        Left::Succeeded { output, next } => ("SUCCEEDED", Some((output, next)), None),
        Left::Caught { output, next, failure, .. } => ("CAUGHT_ERROR", Some((output, next)), Some(failure)),
        Left::Retriable { failure, .. } => ("RETRIABLE", None, Some(failure)),
        Left::Failed(failure) => ("FAILED", None, Some(failure)),
    };
    out.insert("status", status);
    if let Some((output, next)) = done {
        out.insert("output", spaced(&output));
        next.into_iter().for_each(|next| drop(out.insert("nextState", next)));
    }
    if let Some(Failure { error, cause }) = failure {
        error.into_iter().for_each(|error| drop(out.insert("error", error)));
        cause.into_iter().for_each(|cause| drop(out.insert("cause", cause)));
    }
    Value::from(out)
}
