//! Inputs and events as a record's row has them: as serde writes and reads them, a number in the place of each payload.
//!
//! They are read by serde. They are written here, in one go and without copies: of all that an execution costs, this is what
//! every record pays. That both mean the same is a law in `tests/laws.rs`.

use crate::encoding::payloads::Numbering;
use asl_core::event::{EventKind, Failure, Family, IterationStage, Scheduled, TaskStage};
use asl_core::{Event, Execution, ExecutionType, Input, Outcome};
use asl_expr::Timestamp;
use asl_value::{Value, quote_to};
use serde::Deserialize;
use std::fmt::Write;
use std::sync::Arc;

/// An event: `[previous, kind]`, and its time where that is not the record's.
#[derive(Deserialize)]
pub(crate) struct WireEvent(pub(crate) u64, pub(crate) EventKind<u64>, #[serde(default)] pub(crate) Option<At>);

/// A time: milliseconds since 1970; where it is finer than that, ISO-8601.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum At {
    Millis(i64),
    Finer(String),
}

impl At {
    pub(crate) fn time(&self) -> Result<Timestamp, String> {
        match self {
            At::Millis(ms) => Ok(Timestamp::from_millis(*ms)),
            At::Finer(text) => text.parse().map_err(|e: asl_expr::TimestampError| e.to_string()),
        }
    }
}

/// JSON's white space.
pub(crate) const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];

/// The body of a record's row while it is written.
pub(crate) struct Body<'a> {
    /// Up to the payloads: `{"now":1700000000000,"steps":3,"payloads":[{"fareId":"f1"}`
    payloads: String,
    /// From the inputs on: `"inputs":[...],"events":[...`
    out: String,
    numbering: &'a mut Numbering,
    now: Timestamp,
    /// The text of the execution's input, and what stands for it: the caller's text is kept to the letter, but not twice.
    input: Option<(&'a Arc<str>, String)>,
}

impl<'a> Body<'a> {
    /// An empty record; `events` is how many there will be.
    pub(crate) fn new(now: Timestamp, steps: u32, events: usize, numbering: &'a mut Numbering) -> Body<'a> {
        let mut out = String::with_capacity(256 + 128 * events);
        out.push_str("{\"now\":");
        let mut body = Body { payloads: String::new(), out, numbering, now, input: None };
        body.time(now);
        body.number("steps", steps.into());
        body.out.push_str(",\"payloads\":[");
        body.payloads = std::mem::replace(&mut body.out, String::with_capacity(256 + 128 * events));
        body
    }

    /// All of it, with these inputs and events.
    pub(crate) fn finish(mut self, inputs: &'a [Input], events: &'a [Event]) -> String {
        self.list("],\"inputs\":", inputs, Body::input);
        self.list(",\"events\":", events, Body::event);
        self.payloads.reserve_exact(self.out.len() + 1);
        self.payloads.push_str(&self.out);
        self.payloads.push('}');
        self.payloads
    }

    fn list<T>(&mut self, head: &str, items: &'a [T], one: impl Fn(&mut Self, &'a T)) {
        self.out.push_str(head);
        self.out.push('[');
        for item in items {
            self.comma();
            one(self, item);
        }
        self.out.push(']');
    }

    fn comma(&mut self) {
        if !self.out.ends_with(['[', '{']) {
            self.out.push(',');
        }
    }

    fn key(&mut self, key: &str) {
        self.comma();
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    fn digits(&mut self, n: impl itoa::Integer) {
        self.out.push_str(itoa::Buffer::new().format(n));
    }

    fn number(&mut self, key: &str, n: u64) {
        self.key(key);
        self.digits(n);
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        quote_to(text, &mut self.out);
    }

    /// A field that is left out where there is nothing.
    fn some_text(&mut self, key: &str, text: Option<&Arc<str>>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    fn payload(&mut self, key: &str, value: &Value) {
        self.key(key);
        let n = self.numbering.number(value, &mut self.payloads);
        self.digits(n);
    }

    /// A variant without fields: `"redrive"`
    fn unit(&mut self, name: &str) {
        quote_to(name, &mut self.out);
    }

    /// A variant with them: `{"stop":{"e":"States.TaskFailed"}}`
    fn variant(&mut self, name: &str, fields: impl FnOnce(&mut Self)) {
        self.out.push('{');
        self.object(name, fields);
        self.out.push('}');
    }

    fn object(&mut self, key: &str, fields: impl FnOnce(&mut Self)) {
        self.key(key);
        self.out.push('{');
        fields(self);
        self.out.push('}');
    }

    fn failure(&mut self, failure: &Failure) {
        let Failure { error, cause } = failure;
        self.some_text("e", error.as_ref());
        self.some_text("c", cause.as_ref());
    }

    fn time(&mut self, time: Timestamp) {
        let ms = time.millis();
        if Timestamp::from_millis(ms) == time { self.digits(ms) } else { quote_to(&time.to_string(), &mut self.out) }
    }

    fn input(&mut self, input: &'a Input) {
        match input {
            Input::Start(execution) => self.variant("start", |w| w.execution(execution)),
            Input::Rerun(rerun) => self.variant("rerun", |w| {
                w.text("of", &rerun.of);
                w.text("state", &rerun.state);
                w.payload("input", &rerun.input);
                w.payload("variables", &rerun.variables);
            }),
            Input::Hurry { entered } => self.variant("hurry", |w| w.number("entered", *entered)),
            Input::TaskScheduled { task } => self.variant("task_scheduled", |w| w.number("task", task.0)),
            Input::TaskRejected { task, cause } => self.variant("task_rejected", |w| {
                w.number("task", task.0);
                w.text("cause", cause);
            }),
            Input::TaskStarted { task, worker } => self.variant("task_started", |w| {
                w.number("task", task.0);
                w.key("worker");
                match worker {
                    Some(worker) => quote_to(worker, &mut w.out),
                    None => w.out.push_str("null"),
                }
            }),
            Input::TaskSubmitted { task, output } => self.variant("task_submitted", |w| w.answer(task.0, output)),
            Input::TaskSucceeded { task, output } => self.variant("task_succeeded", |w| w.answer(task.0, output)),
            Input::TaskFailed { task, failure } => self.variant("task_failed", |w| {
                w.number("task", task.0);
                w.object("failure", |w| w.failure(failure));
            }),
            Input::TaskHeartbeat { task } => self.variant("task_heartbeat", |w| w.number("task", task.0)),
            Input::MapItems { run, items } => self.variant("map_items", |w| {
                w.number("run", run.0);
                w.payload("items", items);
            }),
            Input::MapPiece { run, from, items } => self.variant("map_piece", |w| {
                w.number("run", run.0);
                w.number("from", *from);
                w.payload("items", items);
            }),
            Input::MapFailed { run, failure } => self.variant("map_failed", |w| {
                w.number("run", run.0);
                w.object("failure", |w| w.failure(failure));
            }),
            Input::ChildDone { run, child, outcome } => self.variant("child_done", |w| {
                w.number("run", run.0);
                w.number("child", *child);
                w.outcome(outcome);
            }),
            Input::MapWritten { run } => self.variant("map_written", |w| w.number("run", run.0)),
            Input::MapRunDone { run, outcome } => self.variant("map_run_done", |w| {
                w.number("run", run.0);
                w.outcome(outcome);
            }),
            Input::Stop(failure) => self.variant("stop", |w| w.failure(failure)),
            Input::Fail(failure) => self.variant("fail", |w| w.failure(failure)),
            Input::Redrive => self.unit("redrive"),
        }
    }

    fn answer(&mut self, task: u64, output: &Value) {
        self.number("task", task);
        self.payload("output", output);
    }

    fn outcome(&mut self, outcome: &Outcome) {
        self.key("outcome");
        match outcome {
            Outcome::Succeeded(output) => {
                self.out.push('{');
                self.payload("succeeded", output);
                self.out.push('}');
            }
            Outcome::Failed(failure) => self.variant("failed", |w| w.failure(failure)),
            Outcome::TimedOut(failure) => self.variant("timed_out", |w| w.failure(failure)),
            Outcome::Aborted(failure) => self.variant("aborted", |w| w.failure(failure)),
        }
    }

    fn execution(&mut self, execution: &'a Execution) {
        self.know_input(execution);
        let Execution { arn, name, state_machine_arn, state_machine_name, role_arn, region, .. } = execution;
        let Execution { execution_type, seed, token_key, input_text, input, .. } = execution;
        self.text("arn", arn);
        self.text("name", name);
        self.text("state_machine_arn", state_machine_arn);
        self.text("state_machine_name", state_machine_name);
        self.text("role_arn", role_arn);
        self.text("region", region);
        let execution_type = match execution_type {
            ExecutionType::Standard => "STANDARD",
            ExecutionType::Express => "EXPRESS",
        };
        self.text("type", execution_type);
        self.number("seed", *seed);
        if let Some(key) = token_key {
            self.key("token_key");
            self.out.push('"');
            for byte in key.bytes() {
                // Writing into a String cannot fail.
                let _ = write!(self.out, "{byte:02x}");
            }
            self.out.push('"');
        }
        self.input_text("input_text", input_text);
        self.payload("input", input);
    }

    /// Where the text of an execution's input is that of its input, it becomes a payload, with its white space.
    fn know_input(&mut self, execution: &'a Execution) {
        let (text, input) = (&execution.input_text, &execution.input);
        let core = text.trim_matches(WHITE);
        let same = |parsed: Value| input.same_text(&parsed);
        // Mostly the text is compact, and need not be parsed.
        if input.has_text(core) || core.parse().is_ok_and(same) {
            let n = self.numbering.add(input, core, &mut self.payloads);
            let (before, after) = text.split_at(text.len() - text.trim_start_matches(WHITE).len());
            self.input = Some((text, format!("{before}#{n}{}", &after[core.len()..])));
        }
    }

    fn input_text(&mut self, key: &str, text: &Arc<str>) {
        match &self.input {
            Some((known, stands)) if *known == text => {
                let stands = stands.clone();
                self.text(key, &stands);
            }
            _ => {
                let n = self.numbering.number(&Value::String(text.clone()), &mut self.payloads);
                self.text(key, &format!("${n}"));
            }
        }
    }

    fn event(&mut self, event: &'a Event) {
        let Event { id: _, previous, timestamp, kind } = event;
        self.out.push('[');
        self.digits(*previous);
        self.out.push(',');
        self.kind(kind);
        if *timestamp != self.now {
            self.out.push(',');
            self.time(*timestamp);
        }
        self.out.push(']');
    }

    fn kind(&mut self, kind: &EventKind) {
        use EventKind as K;
        match kind {
            K::ExecutionStarted { input, role_arn } => self.variant("execution_started", |w| {
                w.input_text("input", input);
                w.text("role_arn", role_arn);
            }),
            K::ExecutionSucceeded { output } => self.variant("execution_succeeded", |w| w.payload("output", output)),
            K::ExecutionFailed(failure) => self.variant("execution_failed", |w| w.failure(failure)),
            K::ExecutionAborted(failure) => self.variant("execution_aborted", |w| w.failure(failure)),
            K::ExecutionTimedOut(failure) => self.variant("execution_timed_out", |w| w.failure(failure)),
            K::ExecutionRedriven { redrive_count } => {
                self.variant("execution_redriven", |w| w.number("redrive_count", *redrive_count));
            }
            K::StateEntered { state, name, input } => self.variant("state_entered", |w| {
                w.text("state", state.name());
                w.text("name", name);
                w.payload("input", input);
            }),
            K::StateExited { state, name, output, assigned } => self.variant("state_exited", |w| {
                w.text("state", state.name());
                w.text("name", name);
                w.payload("output", output);
                if !assigned.is_empty() {
                    w.assigned(assigned);
                }
            }),
            K::StateAborted(state) => {
                self.out.push('{');
                self.text("state_aborted", state.name());
                self.out.push('}');
            }
            K::ParallelStateStarted => self.unit("parallel_state_started"),
            K::ParallelStateSucceeded => self.unit("parallel_state_succeeded"),
            K::ParallelStateFailed => self.unit("parallel_state_failed"),
            K::MapStateStarted { length } => self.variant("map_state_started", |w| w.number("length", *length)),
            K::MapStateSucceeded => self.unit("map_state_succeeded"),
            K::MapStateFailed => self.unit("map_state_failed"),
            K::MapIteration { stage, name, index } => self.variant("map_iteration", |w| {
                w.text("stage", iteration(*stage));
                w.text("name", name);
                w.number("index", *index);
            }),
            K::MapRunStarted { arn } => self.variant("map_run_started", |w| w.text("arn", arn)),
            K::MapRunSucceeded => self.unit("map_run_succeeded"),
            K::MapRunFailed(failure) => self.variant("map_run_failed", |w| w.failure(failure)),
            K::MapRunAborted => self.unit("map_run_aborted"),
            K::MapRunRedriven { arn, redrive_count } => self.variant("map_run_redriven", |w| {
                w.text("arn", arn);
                w.number("redrive_count", *redrive_count);
            }),
            K::Task { family, stage } => self.variant("task", |w| {
                w.family(family);
                w.stage(stage);
            }),
            K::EvaluationFailed { failure, location, state } => self.variant("evaluation_failed", |w| {
                w.object("failure", |w| w.failure(failure));
                w.text("location", location);
                w.text("state", state);
            }),
        }
    }

    fn assigned(&mut self, assigned: &[(Arc<str>, Value)]) {
        self.key("assigned");
        self.out.push('[');
        for (name, value) in assigned {
            self.comma();
            self.out.push('[');
            quote_to(name, &mut self.out);
            self.out.push(',');
            let n = self.numbering.number(value, &mut self.payloads);
            self.digits(n);
            self.out.push(']');
        }
        self.out.push(']');
    }

    fn family(&mut self, family: &Family) {
        self.key("family");
        match family {
            Family::Service { resource_type, resource } => self.variant("service", |w| {
                w.text("resource_type", resource_type);
                w.text("resource", resource);
            }),
            Family::Lambda => self.unit("lambda"),
            Family::Activity => self.unit("activity"),
        }
    }

    fn stage(&mut self, stage: &TaskStage) {
        self.key("stage");
        match stage {
            TaskStage::Scheduled(scheduled) => self.variant("scheduled", |w| w.scheduled(scheduled)),
            TaskStage::Started { worker } => self.variant("started", |w| w.some_text("worker", worker.as_ref())),
            TaskStage::Submitted { output } => self.variant("submitted", |w| w.payload("output", output)),
            TaskStage::Succeeded { output } => self.variant("succeeded", |w| w.payload("output", output)),
            TaskStage::Failed(failure) => self.variant("failed", |w| w.failure(failure)),
            TaskStage::TimedOut(failure) => self.variant("timed_out", |w| w.failure(failure)),
            TaskStage::ScheduleFailed(failure) => self.variant("schedule_failed", |w| w.failure(failure)),
            TaskStage::StartFailed(failure) => self.variant("start_failed", |w| w.failure(failure)),
            TaskStage::SubmitFailed(failure) => self.variant("submit_failed", |w| w.failure(failure)),
        }
    }

    fn scheduled(&mut self, scheduled: &Scheduled) {
        let Scheduled { resource_or_region, parameters, timeout_seconds, heartbeat_seconds, role_arn } = scheduled;
        self.text("at", resource_or_region);
        self.payload("in", parameters);
        for (key, seconds) in [("t", timeout_seconds), ("h", heartbeat_seconds)] {
            if let Some(seconds) = seconds {
                self.number(key, *seconds);
            }
        }
        self.some_text("r", role_arn.as_ref());
    }
}

fn iteration(stage: IterationStage) -> &'static str {
    match stage {
        IterationStage::Started => "Started",
        IterationStage::Succeeded => "Succeeded",
        IterationStage::Failed => "Failed",
        IterationStage::Aborted => "Aborted",
    }
}
