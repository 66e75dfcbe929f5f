//! Which event of a history follows which, and where each one lies: the state, the iterations around it.

use asl::parts::syntax::model::StateType;
use asl::{Event, EventKind, Timestamp};
use asl_core::event::{IterationStage, TaskStage};
use std::sync::Arc;

/// The events of an execution so far, as far as they matter here: which follows which, and where each one is.
pub(crate) struct Trail {
    /// How many events there were before: of an execution that was resumed.
    before: u64,
    /// Event `before + n` is at `n - 1`.
    steps: Vec<Place>,
    /// The events that entered states which have not ended, as far as the history tells.
    open: Vec<u64>,
}

struct Place {
    previous: u64,
    at: Timestamp,
    /// The state that this event enters.
    enters: Option<(StateType, Arc<str>)>,
    /// The event that entered the state which this one ends.
    ends: Option<u64>,
    /// The indexes of the iterations it lies in: `[2]`.
    iteration: Arc<str>,
    /// It tells of a failure itself.
    fails: bool,
}

/// An event that says itself that its state failed.
fn fails(kind: &EventKind) -> bool {
    match kind {
        EventKind::Task { stage, .. } => !matches!(
            stage,
            TaskStage::Scheduled(_)
                | TaskStage::Started { .. }
                | TaskStage::Submitted { .. }
                | TaskStage::Succeeded { .. }
        ),
        EventKind::EvaluationFailed { .. }
        | EventKind::MapRunFailed(_)
        | EventKind::MapIteration { stage: IterationStage::Failed, .. }
        | EventKind::ParallelStateFailed
        | EventKind::MapStateFailed => true,
        _ => false,
    }
}

impl Trail {
    /// Of an execution of which `before` events were not seen.
    pub(crate) fn after(before: u64) -> Trail {
        Trail { before, steps: Vec::new(), open: Vec::new() }
    }

    pub(crate) fn add(&mut self, event: &Event) {
        let mut place = Place {
            previous: event.previous,
            at: event.timestamp,
            enters: None,
            ends: None,
            iteration: self.step(event.previous).map_or_else(|| Arc::from(""), |step| step.iteration.clone()),
            fails: fails(&event.kind),
        };
        match &event.kind {
            EventKind::StateEntered { state, name, .. } => place.enters = Some((*state, name.clone())),
            EventKind::StateExited { name, .. } => place.ends = self.find(event.previous, name),
            // It follows the failure, not the state that is given up.
            EventKind::StateAborted(state) => place.ends = self.beside(event.previous, *state),
            EventKind::ParallelStateFailed => place.ends = self.around(event.previous, StateType::Parallel),
            EventKind::MapStateFailed => place.ends = self.around(event.previous, StateType::Map),
            // A later iteration follows an earlier one, but lies beside it.
            EventKind::MapIteration { stage: IterationStage::Started, index, name } => {
                let map = self.find(event.previous, name).and_then(|id| self.step(id));
                place.iteration = format!("{}[{index}]", map.map_or("", |step| &step.iteration)).into();
            }
            _ => {}
        }
        if place.enters.is_some() {
            self.open.push(event.id);
        }
        self.open.retain(|id| Some(*id) != place.ends);
        // What follows the end of a state lies where the state does, not where its iterations did.
        if let Some(entered) = place.ends.and_then(|id| self.step(id)) {
            place.iteration = entered.iteration.clone();
        }
        self.steps.push(place);
    }

    /// The state around event `id` is a Fail: the definition wants its error.
    pub(crate) fn is_fail(&self, id: u64) -> bool {
        self.step(id).and_then(|step| step.enters.as_ref()).is_some_and(|(state, _)| *state == StateType::Fail)
    }

    /// The event before `id` is the last of a Fail.
    pub(crate) fn is_fail_at(&self, id: u64) -> bool {
        self.step(id).is_some_and(|step| self.is_fail(step.previous))
    }

    /// How many events are kept.
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    fn step(&self, id: u64) -> Option<&Place> {
        let at = id.checked_sub(self.before)?.checked_sub(1)?;
        self.steps.get(usize::try_from(at).ok()?)
    }

    /// The event that entered the state `name`, from `id` backwards.
    fn find(&self, mut id: u64, name: &str) -> Option<u64> {
        loop {
            let step = self.step(id)?;
            if step.enters.as_ref().is_some_and(|(_, entered)| **entered == *name) {
                return Some(id);
            }
            id = step.previous;
        }
    }

    /// The event that entered the state of this type around `id`: one that was entered before it and has not ended.
    fn around(&self, mut id: u64, of: StateType) -> Option<u64> {
        loop {
            let step = self.step(id)?;
            match (&step.enters, step.ends) {
                (Some((state, _)), _) if *state == of => return Some(id),
                (_, Some(entered)) => id = self.step(entered)?.previous,
                _ => id = step.previous,
            }
        }
    }

    /// The event that entered the open state of this type which lies beside event `id`, not around it.
    fn beside(&self, id: u64, of: StateType) -> Option<u64> {
        let is_of =
            |id: &u64| self.step(*id).is_some_and(|step| matches!(step.enters, Some((state, _)) if state == of));
        self.open.iter().copied().filter(is_of).find(|open| !self.follows(id, *open))
    }

    /// Whether event `id` comes of event `earlier`.
    fn follows(&self, mut id: u64, earlier: u64) -> bool {
        while id > earlier {
            let Some(step) = self.step(id) else { return false };
            id = step.previous;
        }
        id == earlier
    }

    /// True, once, when event `id` is the last of a state that failed without an event that says so.
    pub(crate) fn fails_silently(&mut self, id: u64) -> bool {
        let at = id.checked_sub(self.before).and_then(|at| at.checked_sub(1)).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.steps.get_mut(at)).is_some_and(|step| !std::mem::replace(&mut step.fails, true))
    }

    /// When the state `name` was entered, in which event `id` happened.
    pub(crate) fn entered(&self, id: u64, name: &str) -> Option<Timestamp> {
        self.find(id, name).and_then(|id| self.at(id))
    }

    /// When event `id` happened.
    pub(crate) fn at(&self, id: u64) -> Option<Timestamp> {
        self.step(id).map(|step| step.at)
    }

    /// The state that event `id` is about: the one that it ends, or the last one entered before it.
    pub(crate) fn state(&self, mut id: u64) -> Option<Arc<str>> {
        loop {
            let step = self.step(id)?;
            if let Some((_, name)) = &step.enters {
                return Some(name.clone());
            }
            id = step.ends.unwrap_or(step.previous);
        }
    }

    /// The state's name at event `id`, with the indexes of the iterations around it.
    pub(crate) fn label(&self, id: u64, name: &str) -> String {
        format!("{name}{}", self.step(id).map_or("", |step| &step.iteration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use asl::Value;

    #[test]
    fn the_state_that_fails_is_the_one_around_and_not_one_that_ended() {
        let entered = |state, name: &str| EventKind::StateEntered { state, name: name.into(), input: Value::Null };
        let exited = |state, name: &str| EventKind::StateExited {
            state,
            name: name.into(),
            output: Value::Null,
            assigned: Vec::new(),
        };
        let (parallel, pass) = (StateType::Parallel, StateType::Pass);
        let kinds = [
            entered(parallel, "Outer"),
            EventKind::ParallelStateStarted,
            entered(parallel, "Done"),
            EventKind::ParallelStateStarted,
            entered(pass, "A"),
            exited(pass, "A"),
            exited(parallel, "Done"),
            entered(parallel, "Inner"),
            EventKind::ParallelStateStarted,
            entered(pass, "B"),
            EventKind::ParallelStateFailed,
            EventKind::ParallelStateFailed,
        ];
        let mut trail = Trail::after(0);
        for (id, kind) in (1..).zip(kinds) {
            trail.add(&Event { id, previous: id - 1, timestamp: Timestamp::from_millis(0), kind });
        }
        assert_eq!(trail.state(11).as_deref(), Some("Inner"));
        assert_eq!(trail.state(12).as_deref(), Some("Outer"));
        assert_eq!(trail.state(10).as_deref(), Some("B"));
    }
}
