//! What `asl worker` and `asl serve` say of the executions they run, on stderr.

use super::blame::{Blame, Sources};
use super::look::Look;
use super::text::{gist, one_line};
use super::trail::Trail;
use crate::talk;
use crate::terminal::say;
use asl::{EventKind, Failure, Note, Notice, Observer, Update};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Of so many executions at work it is kept which state their events belong to, so that an error can be told with its state.
const MAX_TRAILS: usize = 1_000;
/// Longer histories are not kept for that.
const MAX_EVENTS: usize = 250;
/// Causes can be long; the history has them in full. Characters.
const MAX_CAUSE: usize = 300;

/// A line for each beginning and each end. Children of a Distributed Map are counted: there may be a million of them.
pub(crate) struct Log {
    pub(crate) look: Look,
    pub(crate) quiet: bool,
    sources: Sources,
    trails: Mutex<HashMap<Arc<str>, Trail>>,
    children: Mutex<Children>,
}

/// How often the count of children is told.
const TELL_CHILDREN: Duration = Duration::from_secs(5);

/// The children that have ended since they were last told of, by their Map: `fare/Each`.
struct Children {
    ended: BTreeMap<Arc<str>, (u64, u64)>,
    told: Instant,
}

impl Log {
    pub(crate) fn new(look: Look, quiet: bool, sources: Sources) -> Log {
        let children = Mutex::new(Children { ended: BTreeMap::new(), told: Instant::now() });
        Log { look, quiet, sources, trails: Mutex::default(), children }
    }

    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    pub(crate) fn function(&self, name: &str, text: &str) {
        let text = one_line(text, None);
        talk::wait_for_room();
        self.say(&format!("  {} {text}\n", self.look.dim(&format!("{name} |"))));
    }

    fn child(&self, map: &Arc<str>, event: &EventKind) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        let (ended, failed) = children.ended.entry(map.clone()).or_default();
        *ended += 1;
        *failed += u64::from(!matches!(event, EventKind::ExecutionSucceeded { .. }));
        if children.told.elapsed() >= TELL_CHILDREN {
            self.tell_children(&mut children);
        }
    }

    fn tell_children(&self, children: &mut Children) {
        for (map, (ended, failed)) in std::mem::take(&mut children.ended) {
            let failed = if failed > 0 { self.look.bad(&format!(", {failed} of them failed")) } else { String::new() };
            let children = if ended == 1 { "1 child".to_owned() } else { format!("{ended} children") };
            self.say(&format!("{}  {children} ended{failed}\n", self.look.strong(&map)));
        }
        children.told = Instant::now();
    }
}

impl Log {
    /// Keeps in mind what happened, and says which state failed if the execution did.
    fn follow(&self, update: &Update<'_>) -> Option<Blame> {
        let arn = &update.execution.arn;
        let mut trails = self.trails.lock().unwrap_or_else(PoisonError::into_inner);
        let before = update.events.first()?.id.saturating_sub(1);
        let mut trail = trails.remove(arn).unwrap_or_else(|| Trail::after(before));
        let (mut blame, mut end) = (None, None);
        for event in update.events {
            trail.add(event);
            blame = Blame::of(&trail, event.id, &event.kind).or(blame);
            if let EventKind::ExecutionFailed(failure) = &event.kind {
                end = Blame::end(&trail, event.id, failure, blame.take());
            }
        }
        let over = update.events.iter().any(|event| event.kind.ends_execution());
        if !over && trail.len() <= MAX_EVENTS && trails.len() < MAX_TRAILS {
            trails.insert(arn.clone(), trail);
        }
        end
    }

    /// The state, the place in the file, and what was there instead.
    fn blame(&self, update: &Update<'_>, blame: &Blame, failure: &Failure) {
        let place = blame.place(&self.sources, update).map_or_else(String::new, |place| format!(" --> {place}"));
        self.say(&format!("  {}\n", self.look.dim(&format!("in {}{place}", one_line(&blame.state, None)))));
        let cause = failure.cause.as_deref().map(gist).filter(|cause| !cause.is_empty());
        if let Some(cause) = cause {
            self.say(&format!("  {}\n", one_line(&cause, Some(MAX_CAUSE))));
        }
        for note in update.notes {
            if let Note::Hint { hint, state } = note
                && *state == blame.state
            {
                self.say(&format!("  {}  {}\n", self.look.warn("hint"), one_line(hint, None)));
            }
        }
    }
}

impl Observer for Log {
    /// What is wrong is said whatever was asked for.
    fn notify(&self, notice: &Notice) {
        match notice {
            Notice::GaveBack { .. } => self.say(&format!("{notice}\n")),
            trouble => say(&format!("{}: {trouble}\n", self.look.warn("warning"))),
        }
    }

    fn observe(&self, update: &Update<'_>) {
        let name = &update.execution.name;
        let machine = &update.execution.state_machine_name;
        if machine.contains('/') {
            let end = update.events.iter().find(|event| event.kind.ends_execution());
            end.into_iter().for_each(|event| self.child(machine, &event.kind));
            return;
        }
        let machine = self.look.strong(machine);
        // The process that starts an execution writes its first event.
        if update.events.first().is_some_and(|event| event.id <= 2) {
            self.say(&format!("{machine}  {name}  started\n"));
        }
        let blame = self.follow(update);
        for event in update.events {
            let end = match &event.kind {
                EventKind::MapRunSucceeded | EventKind::MapRunFailed(_) => {
                    self.tell_children(&mut self.children.lock().unwrap_or_else(PoisonError::into_inner));
                    continue;
                }
                EventKind::ExecutionSucceeded { .. } => self.look.good("succeeded"),
                EventKind::ExecutionFailed(failure) => {
                    let error = one_line(failure.error.as_deref().unwrap_or("no error name"), None);
                    format!("{}: {error}", self.look.bad("failed"))
                }
                EventKind::ExecutionTimedOut(_) => self.look.bad("timed out"),
                EventKind::ExecutionAborted(_) => self.look.bad("aborted"),
                _ => continue,
            };
            self.say(&format!("{machine}  {name}  {end}\n"));
            if let (EventKind::ExecutionFailed(failure), Some(blame)) = (&event.kind, &blame) {
                self.blame(update, blame, failure);
            }
        }
    }
}
