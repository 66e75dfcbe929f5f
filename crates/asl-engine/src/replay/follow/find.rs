//! Which event of the record is this?

use super::Follower;
use crate::replay::exported::Recorded;
use crate::replay::names::Learnt;
use crate::replay::same::{self, Difference, Rules};
use crate::replay::{Divergence, ReplayError};
use asl_core::Event;
use asl_core::event::{EventKind, to_aws};
use asl_value::Value;
use std::sync::Arc;

/// What follows what depends on which branch was last: these are found by what they say.
const FREE: [&str; 14] = [
    "ParallelStateSucceeded",
    "ParallelStateExited",
    "ParallelStateFailed",
    "ParallelStateAborted",
    "MapStateSucceeded",
    "MapStateExited",
    "MapStateFailed",
    "MapStateAborted",
    "MapIterationStarted",
    "MapIterationFailed",
    "MapIterationAborted",
    "TaskStateAborted",
    "WaitStateAborted",
    "ExecutionFailed",
];

impl Follower<'_> {
    /// The recorded event that this one is.
    pub(super) fn find(&mut self, event: &Event) -> Result<u64, ReplayError> {
        let replayed = to_aws(event);
        let kind = event.type_name();
        self.trail.add(&mut self.places, event);
        if let EventKind::MapRunStarted { arn } = &event.kind {
            self.names.make_up(arn);
        }
        let mut found = self.search(event, &kind, &replayed);
        if found.is_err() {
            // Task tokens are among the things that nobody recorded.
            let tokens: Vec<Arc<str>> =
                self.machine.scheduled_tasks().into_iter().filter_map(|call| call.token).collect();
            tokens.iter().for_each(|token| self.names.make_up(token));
            found = self.search(event, &kind, &replayed);
        }
        match found {
            Ok((id, learnt)) => {
                self.names.keep(learnt);
                self.made[id as usize] = true;
                self.recorded.push(id);
                Ok(id)
            }
            Err((closest, differences)) => Err(self.differs(closest, Some((event, replayed)), differences)),
        }
    }

    /// A recorded event that is the same; else the closest, with what differs.
    pub(super) fn search(
        &self,
        event: &Event,
        kind: &str,
        replayed: &Value,
    ) -> Result<(u64, Learnt), (Option<u64>, Vec<Difference>)> {
        let previous = self.recorded.get(event.previous as usize).copied().unwrap_or(0);
        let free = |id: &u64| !self.made[*id as usize];
        let following = self.followers.get(&previous).into_iter().flatten().copied().filter(free);
        let mut closest: Option<(u64, Vec<Difference>)> = None;
        for id in following {
            let Some(recorded) = self.history.event(id) else { continue };
            if &*recorded.kind != kind {
                closest.get_or_insert_with(|| (id, Vec::new()));
                continue;
            }
            match self.compare(recorded, replayed) {
                Ok(learnt) => return Ok((id, learnt)),
                Err(differences) if closest.as_ref().is_none_or(|(_, known)| known.is_empty()) => {
                    closest = Some((id, differences));
                }
                Err(_) => {}
            }
        }
        let redriven = self.machine.redrive_count() > 0;
        if FREE.contains(&kind) || redriven {
            let known = |event: &&Recorded| &*event.kind == kind && !self.made[event.id as usize];
            let after = |event: &&Recorded| event.previous == 0 || self.made[event.previous as usize];
            for recorded in self.history.events[self.next as usize - 1..].iter().filter(known).filter(after) {
                if let Ok(learnt) = self.compare(recorded, replayed) {
                    return Ok((recorded.id, learnt));
                }
            }
        }
        Err(closest.map_or((None, Vec::new()), |(id, differences)| (Some(id), differences)))
    }

    pub(super) fn compare(&self, recorded: &Recorded, replayed: &Value) -> Result<Learnt, Vec<Difference>> {
        let rules = Rules { names: Some(&self.names), no_data: self.no_data, before_redrive: self.before_redrive };
        same::details(&recorded.details, details(replayed), rules)
    }

    /// The machine makes nothing of what comes next in the record.
    pub(super) fn nothing(&mut self, next: Option<&Recorded>) -> ReplayError {
        self.differs(next.map(|next| next.id), None, Vec::new())
    }

    pub(super) fn differs(
        &mut self,
        recorded: Option<u64>,
        replayed: Option<(&Event, Value)>,
        differences: Vec<Difference>,
    ) -> ReplayError {
        let next = self.next_recorded().map(|event| event.id);
        let recorded = recorded.or(next).and_then(|id| self.history.event(id));
        let state = match (&replayed, recorded) {
            (Some((event, _)), _) => self.trail.state(&self.places, event.id),
            (None, Some(recorded)) => {
                let ours = self.recorded.iter().position(|id| *id == recorded.previous && *id > 0);
                ours.and_then(|ours| self.trail.state(&self.places, ours as u64)).or_else(|| recorded.text("name"))
            }
            (None, None) => None,
        };
        ReplayError::Divergence(Box::new(Divergence {
            execution: self.label.clone(),
            event: recorded.map_or_else(|| replayed.as_ref().map_or(0, |(event, _)| event.id), |event| event.id),
            state,
            recorded: recorded.map(|event| event.whole.clone()),
            replayed: replayed.map(|(_, replayed)| replayed),
            differences,
        }))
    }
}

fn details(event: &Value) -> &Value {
    let member = event.as_object().and_then(|map| map.iter().find(|(key, _)| key.ends_with("EventDetails")));
    member.map_or(&Value::Null, |(_, details)| details)
}
