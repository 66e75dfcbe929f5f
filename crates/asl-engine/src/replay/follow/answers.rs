//! What the record says of tasks and map runs.

use super::{Follower, NO_DATA};
use crate::replay::ReplayError;
use crate::replay::exported::Recorded;
use asl_core::{Input, MapRunId, Outcome, TaskCall, TaskId};
use asl_syntax::ResourceKind;
use asl_syntax::model::{PathField, ResultPath, State, StateKind};
use asl_value::{Step, Value};

impl Follower<'_> {
    /// What the record says of a task. `started` is its recorded start; an activity has none yet.
    pub(super) fn run_task(&mut self, call: TaskCall, started: Option<u64>) -> Result<(), ReplayError> {
        if let Some(seconds) = call.heartbeat_seconds {
            self.heartbeats.insert(call.id, (seconds, None));
        }
        if !matches!(call.resource.kind, ResourceKind::Activity { .. }) {
            return started.map_or(Ok(()), |started| self.plan(call.id, started));
        }
        let entered = self.recorded.get(call.entered as usize).copied().unwrap_or(0);
        let scheduled = self.history.events.iter().find(|event| {
            &*event.kind == "ActivityScheduled"
                && !self.made[event.id as usize]
                && !self.agenda.contains_key(&event.id)
                && self.leads_to(event.previous, entered)
        });
        match scheduled {
            Some(event) => drop(self.agenda.insert(event.id, (call.id, Input::TaskScheduled { task: call.id }))),
            None => {
                let failed =
                    self.history.events.iter().find(|e| e.previous == entered && &*e.kind == "ExecutionFailed");
                let Some(failed) = failed else { return Ok(()) };
                let cause = failed.text("cause").unwrap_or_default();
                self.agenda.insert(failed.id, (call.id, Input::TaskRejected { task: call.id, cause }));
            }
        }
        Ok(())
    }

    /// True when the chain of a recorded event goes back to another.
    pub(super) fn leads_to(&self, from: u64, to: u64) -> bool {
        let mut at = from;
        while at > to {
            at = self.history.event(at).map_or(0, |event| event.previous);
        }
        at == to
    }

    /// Plans the answer that follows a recorded event of a task.
    pub(super) fn plan(&mut self, task: TaskId, after: u64) -> Result<(), ReplayError> {
        let Some(followers) = self.followers.get(&after) else { return Ok(()) };
        let prefixes = ["Task", "LambdaFunction", "Activity"];
        let answers = followers.iter().filter_map(|id| self.history.event(*id)).filter_map(|event| {
            let stage = prefixes.iter().find_map(|prefix| event.kind.strip_prefix(prefix))?;
            (!stage.starts_with("State")).then_some((event, stage))
        });
        let output = |event: &Recorded| match event.text("output") {
            Some(text) => {
                text.parse().map_err(|e| self.missing(event.id, format!("has an output that is not JSON: {e}")))
            }
            None => Err(self.missing(event.id, NO_DATA)),
        };
        for (event, stage) in answers {
            let input = match stage {
                "Started" => Input::TaskStarted { task, worker: event.text("workerName") },
                "Submitted" => Input::TaskSubmitted { task, output: output(event)? },
                "Succeeded" => Input::TaskSucceeded { task, output: output(event)? },
                "Failed" | "SubmitFailed" | "StartFailed" | "ScheduleFailed" => {
                    Input::TaskFailed { task, failure: event.failure() }
                }
                "TimedOut" => {
                    if let Some(heartbeat) = self.heartbeats.get_mut(&task) {
                        heartbeat.1 = Some(event.id);
                    }
                    return Ok(());
                }
                _ => continue,
            };
            self.agenda.insert(event.id, (task, input));
            return Ok(());
        }
        Ok(())
    }

    /// How a map run ended, as its parent's history shows it.
    pub(super) fn map_result(&self, ended: &Recorded) -> Result<Outcome, ReplayError> {
        if &*ended.kind != "MapRunSucceeded" {
            return Ok(Outcome::Failed(ended.failure()));
        }
        let definition = self.machine.definition();
        let ours = self.recorded.iter().position(|recorded| *recorded == ended.previous).unwrap_or(0) as u64;
        let name = self.trail.state(&self.places, ours).unwrap_or_default();
        let exit = self.history.events[ended.id as usize..]
            .iter()
            .find(|event| &*event.kind == "MapStateExited" && event.text("name").is_some_and(|exited| exited == name));
        // Without an exit nobody saw the result.
        let Some(exit) = exit else { return Ok(Outcome::Succeeded(Value::empty_array())) };
        let Some(state) = definition.states.iter().find(|state| state.name == name) else {
            return Ok(Outcome::Succeeded(Value::empty_array()));
        };
        let output = exit.text("output").ok_or_else(|| self.missing(exit.id, NO_DATA))?;
        let output: Value = output.parse().unwrap_or_default();
        let why = "does not tell the results of the children: the state's output is made of them by a ResultSelector, \
                   OutputPath or Output, and children have histories of their own";
        result_of(state, &output).map(Outcome::Succeeded).ok_or_else(|| self.missing(exit.id, why))
    }

    /// The map run that was last started in the state of an event.
    pub(super) fn map_run_of(&self, event: u64) -> Option<MapRunId> {
        let place = self.trail.place(event)?;
        let starts = (1..self.recorded.len() as u64).filter(|id| {
            let recorded = self.history.event(self.recorded[*id as usize]);
            recorded.is_some_and(|e| &*e.kind == "MapRunStarted")
        });
        let numbered = starts.zip(1..).filter(|(id, _)| self.trail.place(*id) == Some(place));
        numbered.last().map(|(_, number)| MapRunId(number))
    }
}

/// The result of a state whose output is known; `None` where it cannot be told.
fn result_of(state: &State, output: &Value) -> Option<Value> {
    let StateKind::Map(_) = &state.kind else { return None };
    if state.output.is_some() || state.result_selector.is_some() {
        return None;
    }
    if !matches!(state.output_path, PathField::All) {
        return None;
    }
    match &state.result_path {
        ResultPath::Replace => Some(output.clone()),
        ResultPath::Discard => Some(Value::empty_array()),
        ResultPath::At { steps, .. } => {
            let inside = |value: Option<Value>, step: &Step| match step {
                Step::Key(key) => value?.get(key).cloned(),
                Step::Index(index) => value?.at(*index).cloned(),
            };
            steps.iter().fold(Some(output.clone()), inside)
        }
    }
}
