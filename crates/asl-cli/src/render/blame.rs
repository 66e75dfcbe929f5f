//! Where definitions make the errors of their executions.

use super::trail::Trail;
use crate::common::place::shorter;
use asl::parts::syntax::Source;
use asl::project::Project;
use asl::{Definition, EventKind, Failure, Places, Update};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long it is believed that a file holds what an execution runs.
const BELIEVED: Duration = Duration::from_secs(1);
/// More definitions are not kept in mind.
const MAX_KNOWN: usize = 64;

/// The files that may hold what executions run: an execution keeps the definition it began with, and its file may have changed.
pub(crate) struct Sources {
    project: Project,
    given: Option<Source>,
    /// By the text that runs.
    known: Mutex<HashMap<Arc<str>, Known>>,
}

/// The places of a text, and since when they are believed.
struct Known {
    places: Arc<Places>,
    since: Instant,
}

impl Sources {
    /// Those of a project.
    pub(crate) fn of(project: &Project) -> Sources {
        Sources { project: project.clone(), given: None, known: Mutex::default() }
    }

    /// And this one, first of all.
    pub(crate) fn and(self, given: &Source) -> Sources {
        Sources { given: Some(given.clone()), ..self }
    }

    /// `order.asl.json:12:9`, where the definition makes this error of a state; `None` for errors of the work itself.
    pub(crate) fn place(&self, of: &Update<'_>, state: &str, location: &str, failure: &Failure) -> Option<String> {
        let text = |part: &Option<Arc<str>>| part.clone().unwrap_or_default();
        let machine = of.execution.state_machine_name.split('/').next().unwrap_or_default();
        let places = self.places(machine, of.definition);
        let span = places.blamed(state, location, &text(&failure.error), &text(&failure.cause))?;
        Some(shorter(Path::new(&places.shown(span))).display().to_string())
    }

    fn places(&self, machine: &str, definition: &Definition) -> Arc<Places> {
        let text = &definition.source;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Known { places, since }) = known.get(text)
            && since.elapsed() < BELIEVED
        {
            return places.clone();
        }
        let given = self.given.clone().filter(|source| source.text() == text);
        let source = given.or_else(|| self.project.source_of(machine, text));
        let source = source.unwrap_or_else(|| Source::new(format!("{machine} (as it ran)"), text.clone()));
        let places = Arc::new(Places::of(&source));
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(text.clone(), Known { places: places.clone(), since: Instant::now() });
        places
    }
}

/// The state that an execution failed in, as far as it is known.
pub(crate) struct Blame {
    pub(crate) state: Arc<str>,
    /// The field, as the history writes it, or nothing.
    location: Arc<str>,
    failure: Failure,
    /// A Fail: the definition wants its error.
    wanted: bool,
}

impl Blame {
    /// Of an event that says that something failed, the trail being there.
    pub(crate) fn of(trail: &Trail, id: u64, kind: &EventKind) -> Option<Blame> {
        let failure = failure_of(kind)?.clone();
        let (state, location) = match kind {
            EventKind::EvaluationFailed { state, location, .. } => (state.clone(), location.clone()),
            _ => (trail.state(id)?, Arc::from("")),
        };
        Some(Blame { state, location, failure, wanted: false })
    }

    /// Of an execution that ends with this failure, after `earlier` of the same run.
    pub(crate) fn end(trail: &Trail, id: u64, failure: &Failure, earlier: Option<Blame>) -> Option<Blame> {
        earlier.filter(|blame| blame.failure == *failure).or_else(|| {
            let state = trail.state(id)?;
            Some(Blame { state, location: "".into(), failure: failure.clone(), wanted: trail.is_fail_at(id) })
        })
    }

    /// Where the definition makes the error.
    pub(crate) fn place(&self, sources: &Sources, of: &Update<'_>) -> Option<String> {
        if self.wanted { None } else { sources.place(of, &self.state, &self.location, &self.failure) }
    }
}

/// The failure that an event within an execution tells of, before its end.
pub(crate) fn failure_of(kind: &EventKind) -> Option<&Failure> {
    kind.failure().filter(|_| !kind.ends_execution())
}
