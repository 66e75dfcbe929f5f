//! What happens in an execution, line by line as it happens, on stderr.
//!
//! A line is: the state, what happened to it, more about that. Names of iterations end in their index, `Quote[2]`.

use super::blame::{Sources, failure_of};
use super::look::Look;
use super::pending;
use super::text::{duration, gist, one_line};
use super::trail::Trail;
use crate::talk;
use crate::terminal::say;
use asl::{Definition, Event, EventKind, Failure, Note, Notice, Observer, Pending, Update};
use asl_core::event::IterationStage;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The column of the states' names is not wider.
const MAX_NAME: usize = 32;
const WHAT: usize = 8;
/// Causes can be long; the history has them in full. Characters.
const MAX_DETAIL: usize = 300;
/// Of so many states it is told at most what they wait for.
const MAX_WAITS: usize = 5;

/// Writes progress as it is observed.
pub(crate) struct Progress {
    look: Look,
    name_width: usize,
    sources: Option<Sources>,
    trails: Mutex<HashMap<Arc<str>, Trail>>,
}

impl Progress {
    /// For executions of this definition.
    pub(crate) fn new(definition: Option<&Definition>, look: Look) -> Progress {
        let names = definition.into_iter().flat_map(|definition| &definition.states);
        let widest = names.map(|state| state.name.chars().count()).max().unwrap_or(20);
        Progress { look, name_width: widest.clamp(12, MAX_NAME), sources: None, trails: Mutex::default() }
    }

    /// Errors are told with their places in these files.
    pub(crate) fn placed(self, sources: Sources) -> Progress {
        Progress { sources: Some(sources), ..self }
    }

    /// Where the definition makes an error: `--> order.asl.json:12:9`.
    fn place(&self, of: &Update<'_>, state: &str, location: &str, failure: &Failure) {
        let Some(place) = self.sources.as_ref().and_then(|sources| sources.place(of, state, location, failure)) else {
            return;
        };
        let width = self.name_width + 2 + WHAT;
        say(&format!("  {:width$}  {}\n", "", self.look.dim(&format!("--> {place}"))));
    }

    /// A line that a function printed.
    pub(crate) fn log(&self, function: &str, text: &str) {
        let width = self.name_width;
        let text = one_line(text, None);
        talk::wait_for_room();
        say(&format!("  {} {text}\n", self.look.dim(&format!("{function:<width$} |"))));
    }

    fn line(&self, name: &str, what: &str, paint: fn(Look, &str) -> String, more: &str) {
        let width = self.name_width;
        let padded = format!("{what:<WHAT$}");
        let more = one_line(more, Some(MAX_DETAIL));
        let line = format!("  {name:<width$}  {}  {more}", paint(self.look, &padded));
        say(&(line.trim_end().to_owned() + "\n"));
    }

    fn failed(&self, name: &str, failure: &Failure) {
        let error = failure.error.as_deref().unwrap_or("no error name");
        let cause = failure.cause.as_deref().map(gist).filter(|cause| !cause.is_empty());
        let more = cause.map_or_else(|| error.to_owned(), |cause| format!("{error}: {cause}"));
        self.line(name, "failed", Look::bad, &more);
    }

    fn note(&self, name: &str, note: &Note) {
        match note {
            Note::Retry { error, attempt, max_attempts, delay_ms, .. } => {
                let error = error.error.as_deref().unwrap_or("the error");
                let more = format!("{attempt} of {max_attempts} in {}, after {error}", duration(*delay_ms));
                self.line(name, "retry", Look::warn, &more);
            }
            Note::Caught { rule, next, error, .. } => {
                let error = error.error.as_deref().unwrap_or("the error");
                self.line(name, "caught", Look::warn, &format!("{error} by rule {}, on to {next}", rule + 1));
            }
            Note::Hint { hint, .. } => self.line(name, "hint", Look::warn, hint),
            // Where it leads is the next line.
            Note::Chose { .. } => {}
        }
    }

    fn end(&self, machine: &str, trail: &Trail, event: &Event) {
        let (word, paint): (_, fn(Look, &str) -> String) = match &event.kind {
            EventKind::ExecutionSucceeded { .. } => ("succeeded", Look::good),
            EventKind::ExecutionTimedOut(_) => ("timed out", Look::bad),
            EventKind::ExecutionAborted(_) => ("aborted", Look::bad),
            _ => ("failed", Look::bad),
        };
        // Of an execution that was resumed, the beginning was not seen.
        let started = trail.at(1).map(|at| format!(" in {}", duration(event.timestamp.millis() - at.millis())));
        say(&format!("{machine} {}{}\n", paint(self.look, word), started.unwrap_or_default()));
    }

    /// The state that event `id` is the last of failed, and no event says so.
    fn silent(&self, of: &Update<'_>, trail: &mut Trail, id: u64, failure: Option<&Failure>) {
        let Some(name) = trail.state(id).filter(|_| trail.fails_silently(id)) else { return };
        let label = trail.label(id, &name);
        match failure {
            Some(failure) => {
                self.failed(&label, failure);
                if !trail.is_fail(id) {
                    self.place(of, &name, "", failure);
                }
            }
            None => self.line(&label, "failed", Look::bad, ""),
        }
    }

    fn event(&self, of: &Update<'_>, trail: &mut Trail, event: &Event, notes: &mut Vec<&Note>) {
        trail.add(event);
        match &event.kind {
            EventKind::StateEntered { name, .. } => {
                self.line(&trail.label(event.id, name), "entered", Look::dim, "");
            }
            EventKind::StateExited { name, .. } => {
                let label = trail.label(event.id, name);
                match take(notes, name) {
                    Some(note) => self.note(&label, note),
                    None => {
                        let took = trail.entered(event.id, name).map(|at| event.timestamp.millis() - at.millis());
                        self.line(&label, "done", Look::good, &took.map(duration).unwrap_or_default());
                    }
                }
            }
            EventKind::MapIteration { stage: IterationStage::Failed, .. } => {
                self.silent(of, trail, event.previous, None)
            }
            EventKind::MapIteration { stage: IterationStage::Aborted, name, index } => {
                self.line(&format!("{name}[{index}]"), "aborted", Look::warn, "");
            }
            EventKind::StateAborted(_) | EventKind::ParallelStateFailed | EventKind::MapStateFailed => {
                self.silent(of, trail, event.previous, None);
                let Some(name) = trail.state(event.id) else { return };
                let (what, paint): (_, fn(Look, &str) -> String) = match event.kind {
                    EventKind::StateAborted(_) => ("aborted", Look::warn),
                    _ => ("failed", Look::bad),
                };
                self.line(&trail.label(event.id, &name), what, paint, "");
            }
            // What failed without an event of its own: a Choice without a way, a Fail, a Pass with a wrong path.
            EventKind::ExecutionFailed(failure) => self.silent(of, trail, event.previous, Some(failure)),
            kind => {
                // The error of an expression may follow what its state itself follows.
                let named =
                    if let EventKind::EvaluationFailed { state, .. } = kind { Some(state.clone()) } else { None };
                let (Some(failure), Some(name)) = (failure_of(kind), named.or_else(|| trail.state(event.id))) else {
                    return;
                };
                let label = trail.label(event.id, &name);
                self.failed(&label, failure);
                let location = if let EventKind::EvaluationFailed { location, .. } = kind { location } else { "" };
                self.place(of, &name, location, failure);
                if let Some(at) =
                    notes.iter().position(|note| matches!(note, Note::Retry { state, .. } if *state == name))
                {
                    self.note(&label, notes.remove(at));
                }
            }
        }
    }
}

impl Progress {
    /// What an execution waits for, while nothing happens.
    pub(crate) fn waits(&self, pending: &[Pending]) {
        for pending in pending.iter().take(MAX_WAITS) {
            let (what, more) = pending::told(&pending.doing);
            self.line(&pending::label(pending), what, Look::warn, &more);
            if let Some(command) = pending::command(&pending.doing) {
                say(&format!("  {:width$}  {}\n", "", self.look.dim(&command), width = self.name_width));
            }
        }
        if pending.len() > MAX_WAITS {
            say(&format!("  and {} more; `asl describe` shows all\n", pending.len() - MAX_WAITS));
        }
    }
}

impl Observer for Progress {
    fn notify(&self, notice: &Notice) {
        say(&format!("{}: {notice}\n", self.look.warn("warning")));
    }

    fn observe(&self, update: &Update<'_>) {
        let Some(first) = update.events.first() else { return };
        let mut trails = self.trails.lock().unwrap_or_else(PoisonError::into_inner);
        let trail = trails.entry(update.execution.arn.clone()).or_insert_with(|| {
            let (machine, name) = (&update.execution.state_machine_name, &update.execution.name);
            let how = if first.id == 1 { "started" } else { "goes on" };
            say(&format!("{}  {how} as {name}\n", self.look.strong(machine)));
            Trail::after(first.id.saturating_sub(1))
        });
        let mut notes: Vec<&Note> = update.notes.iter().collect();
        let mut ended = false;
        for event in update.events {
            self.event(update, trail, event, &mut notes);
            if event.kind.ends_execution() {
                notes.drain(..).for_each(|note| self.note(note.state(), note));
                self.end(&update.execution.state_machine_name, trail, event);
                ended = true;
            }
        }
        for note in notes {
            self.note(note.state(), note);
        }
        // A Distributed Map has any number of children: what has ended is forgotten.
        if ended {
            trails.remove(&update.execution.arn);
        }
    }
}

fn take<'n>(notes: &mut Vec<&'n Note>, name: &str) -> Option<&'n Note> {
    let at = notes.iter().position(|note| matches!(note, Note::Caught { state, .. } if **state == *name))?;
    Some(notes.remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use asl::{Execution, Timestamp, Value};
    use asl_core::ExecutionType;

    #[test]
    fn what_has_ended_is_forgotten() {
        let progress = Progress::new(None, Look { color: false, width: None });
        let now = Timestamp::from_millis(0);
        let machine = r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#;
        let machine = asl::StateMachine::from_json("m", machine).unwrap();
        let definition = machine.definition();
        let tell = |name: &str, id: u64, kind: EventKind| {
            let text: Arc<str> = name.into();
            let execution = Execution {
                arn: text.clone(),
                name: text.clone(),
                state_machine_arn: text.clone(),
                state_machine_name: text.clone(),
                role_arn: text.clone(),
                region: text,
                execution_type: ExecutionType::Standard,
                seed: 0,
                token_key: None,
                input_text: "{}".into(),
                input: Value::Null,
            };
            let events = [Event { id, previous: id - 1, timestamp: now, kind }];
            progress.observe(&Update { execution: &execution, definition, now, events: &events, notes: &[] });
            progress.trails.lock().unwrap_or_else(PoisonError::into_inner).len()
        };
        let started = || EventKind::ExecutionStarted { input: "{}".into(), role_arn: "".into() };
        assert_eq!(tell("parent", 1, started()), 1);
        for child in ["a", "b", "c"] {
            assert_eq!(tell(child, 1, started()), 2, "the parent and the child at work");
            assert_eq!(tell(child, 2, EventKind::ExecutionSucceeded { output: Value::Null }), 1);
        }
    }
}
