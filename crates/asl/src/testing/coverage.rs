//! Which parts of a definition no test reached.

use crate::places::Places;
use crate::{Definition, Event, EventKind, Map, Note, Value};
use asl_syntax::Source;
use asl_syntax::model::{Next, State, StateId, StateKind};
use std::collections::{BTreeMap, BTreeSet};

/// Something in a definition that a test can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// A state is entered.
    State(StateId),
    /// One state leads to another: by `Next`, `Default`, a rule or a catcher.
    Transition(StateId, StateId),
    /// An entry of `Catch` takes an error.
    Catcher(StateId, usize),
    /// An entry of `Retry` tries again.
    Retrier(StateId, usize),
    /// An entry of `Choices` holds.
    Rule(StateId, usize),
}

/// The kinds of points, in the order of reports.
const KINDS: [&str; 5] = ["states", "transitions", "catchers", "retriers", "choice rules"];

impl Point {
    /// The kind: `states`, `transitions`, `catchers`, `retriers` or `choice rules`.
    pub fn kind(self) -> &'static str {
        KINDS[match self {
            Point::State(_) => 0,
            Point::Transition(..) => 1,
            Point::Catcher(..) => 2,
            Point::Retrier(..) => 3,
            Point::Rule(..) => 4,
        }]
    }
}

/// How much of a definition the tests reached.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// The definition's file.
    pub file: String,
    /// Points of each kind: how many were reached, and how many there are. Kinds that the definition has none of are left out.
    pub counts: Vec<(&'static str, usize, usize)>,
    /// The points that no test reached, in the order of the text.
    pub unreached: Vec<Unreached>,
}

/// A point that no test reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached {
    /// Its line in the definition, from 1.
    pub line: usize,
    /// Its kind, as in [`Coverage::counts`].
    pub kind: &'static str,
    /// What it is: `ChargeFare -> Refund`, `ChargeFare: Catch 1 (Declined)`.
    pub what: String,
}

impl Coverage {
    /// What was reached of a definition.
    pub fn of(source: &Source, definition: &Definition, reached: &BTreeSet<Point>) -> Coverage {
        let points = points(definition);
        let count = |kind: &&'static str| {
            let of_kind = points.iter().filter(|point| point.kind() == *kind);
            let hit = of_kind.clone().filter(|point| reached.contains(point)).count();
            (*kind, hit, of_kind.count())
        };
        let places = Places::of(source);
        let missed = points.iter().filter(|point| !reached.contains(point));
        let mut unreached: Vec<Unreached> = missed.map(|point| describe(&places, definition, *point)).collect();
        unreached.sort_by_key(|missed| missed.line);
        let counts = KINDS.iter().map(count).filter(|(_, _, all)| *all > 0).collect();
        Coverage { file: source.name().to_owned(), counts, unreached }
    }

    /// Adds what other tests reached of the same definition.
    pub fn merge(&mut self, other: &Coverage) {
        self.unreached.retain(|missed| other.unreached.contains(missed));
        for (kind, hit, all) in &mut self.counts {
            *hit = *all - self.unreached.iter().filter(|missed| missed.kind == *kind).count();
        }
    }

    /// How many points were reached, and how many there are.
    pub fn total(&self) -> (usize, usize) {
        self.counts.iter().fold((0, 0), |(hit, all), (_, h, a)| (hit + h, all + a))
    }

    /// The share of the points that was reached, 0 to 100.
    pub fn percent(&self) -> f64 {
        percent(self.total())
    }

    /// As JSON: `{"file", "reached", "points", "percent", "kinds": {KIND: {"reached", "points"}}, "unreached": [...]}`.
    pub fn to_value(&self) -> Value {
        let (reached, points) = self.total();
        let counted = |reached: usize, points: usize| {
            Map::from_iter([("reached", Value::from(reached as u64)), ("points", Value::from(points as u64))])
        };
        let kinds = self.counts.iter().map(|(kind, hit, all)| (*kind, Value::from(counted(*hit, *all))));
        let unreached = self.unreached.iter().map(|missed| {
            let line = ("line", Value::from(missed.line as u64));
            Value::from(Map::from_iter([line, ("kind", missed.kind.into()), ("what", missed.what.as_str().into())]))
        });
        let mut value = Map::new();
        value.insert("file", self.file.as_str());
        value.insert("reached", reached as u64);
        value.insert("points", points as u64);
        value.insert(
            "percent",
            asl_value::Number::from_f64((self.percent() * 10.0).round() / 10.0).map_or(Value::Null, Value::Number),
        );
        value.insert("kinds", Map::from_iter(kinds));
        value.insert("unreached", Value::from(unreached.collect::<Vec<_>>()));
        value.into()
    }
}

/// `reached` of `points`, 0 to 100; of nothing, everything was reached.
pub fn percent((reached, points): (usize, usize)) -> f64 {
    if points == 0 { 100.0 } else { reached as f64 * 100.0 / points as f64 }
}

/// All points of a definition, state by state.
fn points(definition: &Definition) -> Vec<Point> {
    let mut points = Vec::new();
    for (at, state) in (0..).zip(&definition.states) {
        let id = StateId(at);
        points.push(Point::State(id));
        points.extend(targets(state).into_iter().map(|to| Point::Transition(id, to)));
        points.extend((0..state.catch().len()).map(|rule| Point::Catcher(id, rule)));
        // One that never tries again cannot be reached.
        let used = state.retry().iter().enumerate().filter(|(_, retrier)| retrier.max_attempts > 0);
        points.extend(used.map(|(rule, _)| Point::Retrier(id, rule)));
        if let StateKind::Choice(choice) = &state.kind {
            points.extend((0..choice.rules.len()).map(|rule| Point::Rule(id, rule)));
        }
    }
    points
}

/// Where a state can lead, each target once.
fn targets(state: &State) -> BTreeSet<StateId> {
    let mut targets: BTreeSet<StateId> = state.catch().iter().map(|catcher| catcher.next).collect();
    if let Next::State(next) = state.next {
        targets.insert(next);
    }
    if let StateKind::Choice(choice) = &state.kind {
        targets.extend(choice.rules.iter().map(|rule| rule.next).chain(choice.default));
    }
    targets
}

/// Adds the points that one record of an execution reached.
pub(super) fn reached(definition: &Definition, events: &[Event], notes: &[Note], into: &mut BTreeSet<Point>) {
    let mut caught: BTreeMap<StateId, usize> = BTreeMap::new();
    for note in notes {
        let Some(id) = definition.find(note.state()) else { continue };
        let state = definition.state(id);
        match (note, &state.kind) {
            (Note::Retry { rule, .. }, _) => {
                into.insert(Point::Retrier(id, *rule));
            }
            (Note::Caught { rule, .. }, _) => {
                *caught.entry(id).or_default() += 1;
                into.insert(Point::Catcher(id, *rule));
                into.extend(state.catch().get(*rule).map(|catcher| Point::Transition(id, catcher.next)));
            }
            (Note::Chose { rule: Some(rule), .. }, StateKind::Choice(choice)) => {
                into.insert(Point::Rule(id, *rule));
                into.extend(choice.rules.get(*rule).map(|rule| Point::Transition(id, rule.next)));
            }
            (Note::Chose { rule: None, .. }, StateKind::Choice(choice)) => {
                into.extend(choice.default.map(|next| Point::Transition(id, next)));
            }
            _ => {}
        }
    }
    for event in events {
        match &event.kind {
            EventKind::StateEntered { name, .. } => into.extend(definition.find(name).map(Point::State)),
            EventKind::StateExited { name, .. } => {
                let Some(id) = definition.find(name) else { continue };
                // A state that is left through a catcher is left in the record of its note.
                match (caught.get_mut(&id).filter(|left| **left > 0), definition.state(id).next) {
                    (Some(left), _) => *left -= 1,
                    (None, Next::State(next)) => {
                        into.insert(Point::Transition(id, next));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn describe(places: &Places, definition: &Definition, point: Point) -> Unreached {
    let name = |id: StateId| definition.state(id).name.to_string();
    let errors = |errors: &[std::sync::Arc<str>]| {
        let more = if errors.len() > 2 { ", ..." } else { "" };
        format!("{}{more}", errors.iter().take(2).map(|e| &**e).collect::<Vec<_>>().join(", "))
    };
    let entry = |id: StateId, field: &str, rule: usize| places.line(&name(id), &[field, &rule.to_string()]);
    let (line, what) = match point {
        Point::State(id) => (places.line(&name(id), &[]), name(id)),
        Point::Transition(from, to) => (leads(places, definition, from, to), format!("{} -> {}", name(from), name(to))),
        Point::Catcher(id, rule) => {
            let caught = errors(&definition.state(id).catch()[rule].error_equals);
            (entry(id, "Catch", rule), format!("{}: Catch {} ({caught})", name(id), rule + 1))
        }
        Point::Retrier(id, rule) => {
            let retried = errors(&definition.state(id).retry()[rule].error_equals);
            (entry(id, "Retry", rule), format!("{}: Retry {} ({retried})", name(id), rule + 1))
        }
        Point::Rule(id, rule) => (entry(id, "Choices", rule), format!("{}: rule {}", name(id), rule + 1)),
    };
    Unreached { line, kind: point.kind(), what }
}

/// The line that says so: of `Next`, `Default`, the rule or the catcher.
fn leads(places: &Places, definition: &Definition, from: StateId, to: StateId) -> usize {
    let state = definition.state(from);
    let at = |fields: &[&str]| places.line(&state.name, fields);
    if state.next == Next::State(to) {
        return at(&["Next"]);
    }
    if let StateKind::Choice(choice) = &state.kind {
        return match choice.rules.iter().position(|rule| rule.next == to) {
            Some(rule) => at(&["Choices", &rule.to_string(), "Next"]),
            None => at(&["Default"]),
        };
    }
    let catcher = state.catch().iter().position(|catcher| catcher.next == to).unwrap_or(0);
    at(&["Catch", &catcher.to_string(), "Next"])
}
