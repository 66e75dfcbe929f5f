//! A map run goes on: items, children, results, its end.

use super::{Child, Items, MapCommand, MapRun, MapRunId, Stage, names, redrive};
use crate::context::{Context, MapItem};
use crate::data::fill;
use crate::error::{Class, StateError};
use crate::event::{EventId, EventKind, Failure};
use crate::input::{Input, Outcome, Rejected};
use crate::machine::Machine;
use crate::probe::DataStage;
use crate::redrive::Fallen;
use crate::scope::{Phase, ScopeId};
use asl_syntax::model::StateKind;
use asl_value::{Map, Value};
use std::sync::Arc;

/// Takes what the world says of a map run.
pub(crate) fn answer(machine: &mut Machine, run: MapRunId, input: Input) -> Result<(), Rejected> {
    let rejected = Rejected::NoSuchMapRun(run);
    let id = *machine.map_runs.get(&run).ok_or(rejected)?;
    let state = run_mut(machine, id).ok_or(rejected)?;
    match (&state.stage, input) {
        (Stage::Reading(read), Input::MapItems { items, .. }) => {
            let max = read.max_items.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
            let pieces = state.pieces.take();
            let items = Items::of(items);
            let items = match pieces {
                Some(pieces) => items.and_then(|last| pieces.and(last)),
                None => items,
            };
            match items {
                Some(items) => {
                    state.items = items.up_to(max);
                    state.stage = Stage::Running;
                    go_on(machine, id);
                }
                None => {
                    let cause = "Attempting to map over non-iterable node.";
                    fail(machine, id, Failure::new("States.ItemReaderFailed", cause));
                }
            }
        }
        (Stage::Reading(_), Input::MapPiece { from, items, .. }) => {
            let before = state.pieces.take().filter(|_| from > 0);
            let has = before.as_ref().map_or(0, Items::len) as u64;
            let pieces = match before {
                // A piece of a reading that a crash has ended.
                before if has != from => {
                    state.pieces = before;
                    return Err(rejected);
                }
                Some(before) => Items::of(items).and_then(|piece| before.and(piece)),
                None => Items::of(items),
            };
            state.pieces = Some(pieces.ok_or(rejected)?);
        }
        (Stage::Reading(_) | Stage::Writing(_), Input::MapFailed { failure, .. }) => fail(machine, id, failure),
        (Stage::Writing(_), Input::MapWritten { .. }) => close(machine, id),
        (_, Input::MapRunDone { outcome, .. }) => done(machine, id, outcome),
        (Stage::Running, Input::ChildDone { child, outcome, .. }) if state.running.contains_key(&child) => {
            child_done(machine, id, child, outcome);
        }
        _ => return Err(rejected),
    }
    Ok(())
}

pub(super) fn run_mut(machine: &mut Machine, id: ScopeId) -> Option<&mut MapRun> {
    match &mut machine.scopes.get_mut(id).phase {
        Phase::MapRun(run) => Some(run),
        _ => None,
    }
}

/// The map run of a scope that runs one.
pub(super) fn run_of(machine: &mut Machine, id: ScopeId) -> &mut MapRun {
    run_mut(machine, id).expect("the scope of a map run has it")
}

fn child_done(machine: &mut Machine, id: ScopeId, child: u64, outcome: Outcome) {
    let now = machine.now;
    let limit = machine.limits.payload_bytes;
    let run = run_of(machine, id);
    let of = run.running.remove(&child).expect("only a child that runs is done");
    if !matches!(outcome, Outcome::Succeeded(_)) {
        run.failed_items += of.items;
    }
    run.results.add(child, &of, now, &outcome, limit);
    if !matches!(outcome, Outcome::Succeeded(_)) {
        run.unsuccessful.insert(child, of);
    }
    if run.tolerance.exceeded(run.failed_items, run.items.len()) {
        let cause = "The specified tolerated failure threshold was exceeded";
        run.verdict = Some(Failure::new("States.ExceedToleratedFailureThreshold", cause));
        return finish(machine, id);
    }
    go_on(machine, id);
}

/// Starts children while there are places; ends the run when all are done.
pub(super) fn go_on(machine: &mut Machine, id: ScopeId) {
    if machine.holds() {
        if let Err(error) = see_children(machine, id) {
            settle(machine, id, Err(error));
        }
        return;
    }
    loop {
        let Some(run) = run_mut(machine, id) else { return };
        if run.again.is_empty() && run.next_item == run.items.len() {
            if run.running.is_empty() {
                finish(machine, id);
            }
            return;
        }
        if run.running.len() >= run.limit {
            return;
        }
        if redrive::go_on(machine, id) {
            continue;
        }
        if let Err(error) = start_child(machine, id) {
            stop_children(machine, id);
            return settle(machine, id, Err(error));
        }
    }
}

/// Notes what the children would get.
fn see_children(machine: &Machine, id: ScopeId) -> Result<(), StateError> {
    let Phase::MapRun(run) = &machine.scopes.get(id).phase else { return Ok(()) };
    if !machine.is_observed() {
        return Ok(());
    }
    if machine.has_selector(id) {
        let selected = (0..run.items.len()).map(|index| select(machine, id, run, index));
        let selected = machine.sights_of(id, selected)?;
        machine.see(id, DataStage::AfterItemSelector, || Value::from(selected));
    }
    if run.batch.is_some() {
        let mut at = 0;
        let batches = std::iter::from_fn(|| {
            (at < run.items.len()).then(|| {
                let (batch, items) = batch_from(machine, id, run, at)?;
                at += items.max(1);
                Ok(batch)
            })
        });
        let batches = machine.sights_of(id, batches)?;
        machine.see(id, DataStage::AfterItemBatcher, || Value::from(batches));
    }
    Ok(())
}

/// Ends the run with what its children would have come to.
pub(crate) fn conclude(machine: &mut Machine, run: MapRunId, outcome: Outcome) {
    let Some(id) = machine.map_runs.get(&run).copied() else { return };
    match outcome {
        Outcome::Succeeded(_) => done(machine, id, outcome),
        Outcome::Failed(failure) | Outcome::TimedOut(failure) | Outcome::Aborted(failure) => {
            machine.emit_in(id, EventKind::MapRunFailed(failure.clone()));
            settle(machine, id, Err(StateError::of_work(failure)));
        }
    }
}

fn start_child(machine: &mut Machine, id: ScopeId) -> Result<(), StateError> {
    let execution = machine.running_execution();
    let (input, items) = next_input(machine, id)?;
    let state = &machine.definition.state(machine.scopes.get(id).state).name;
    machine.check_size(&input, || StateError::data_limit(state, "provided", "parameters"))?;
    let started = machine.now;
    let run = run_of(machine, id);
    let child = run.next_child;
    run.next_item += items;
    run.next_child += 1;
    // A map run may have 2^40 children before two places meet.
    let place = (run.id.0 << 40) ^ child;
    let execution = Box::new(names::child(&execution, &run.family, run.express, place, input));
    let child_of = Child { execution, items: items as u64, started, redrives: 0 };
    let call = run.call(child, &child_of);
    run.running.insert(child, child_of);
    machine.map_command(MapCommand::Start(call));
    Ok(())
}

/// The input of the next child, and how many items it takes.
fn next_input(machine: &Machine, id: ScopeId) -> Result<(Value, usize), StateError> {
    let Phase::MapRun(run) = &machine.scopes.get(id).phase else { panic!("a child is started by a map run") };
    batch_from(machine, id, run, run.next_item)
}

/// The input of a child whose first item is `from`, and how many items it takes.
fn batch_from(machine: &Machine, id: ScopeId, run: &MapRun, from: usize) -> Result<(Value, usize), StateError> {
    let Some(batch) = &run.batch else { return Ok((select(machine, id, run, from)?, 1)) };
    let mut items = Vec::new();
    let mut bytes = batch.empty_bytes();
    for index in from..run.items.len() {
        let item = select(machine, id, run, index)?;
        let more = item.measure().bytes;
        if batch.is_full(items.len(), bytes, more) {
            break;
        }
        bytes += more + 1;
        items.push(item);
    }
    let count = items.len();
    Ok((batch.input(items), count))
}

/// An item through the ItemSelector.
fn select(machine: &Machine, id: ScopeId, run: &MapRun, index: usize) -> Result<Value, StateError> {
    let state = machine.definition.state(machine.scopes.get(id).state);
    let selector = match &state.kind {
        StateKind::Map(map) => map.item_selector.as_ref(),
        _ => None,
    };
    let Some(selector) = selector else { return Ok(run.items.get(index)) };
    let (key, value) = match &run.items {
        Items::List(list) => (None, list[index].clone()),
        Items::Members(members) => (Some(members[index].0.clone()), members[index].1.clone()),
    };
    let item = MapItem { index: index as u64, value, key, source: Some(run.source.clone()) };
    fill(selector, &run.input, &Context::new(machine, id).with_item(&item))
}

/// No child is started any more: write the results, if they are to be written, and close.
fn finish(machine: &mut Machine, id: ScopeId) {
    stop_children(machine, id);
    let run = run_of(machine, id);
    let Some(writer) = &run.writer else { return close(machine, id) };
    let pending = (run.next_item..run.items.len()).map(|index| run.items.get(index)).collect();
    let write = Box::new(writer.files(run.id, &run.arn, &run.results, pending));
    run.stage = Stage::Writing(write.clone());
    machine.map_command(MapCommand::Write(write));
}

/// The end of the run, as its children made it.
fn close(machine: &mut Machine, id: ScopeId) {
    let name = machine.definition.state(machine.scopes.get(id).state).name.clone();
    let limit = machine.limits.payload_bytes;
    let run = run_of(machine, id);
    if let Some(failure) = run.verdict.take() {
        return fail(machine, id, failure);
    }
    let result = match &run.writer {
        Some(writer) => Some(writer.output(&run.arn)),
        None => std::mem::take(&mut run.results).into_array(limit),
    };
    match result {
        Some(result) => succeed(machine, id, result),
        None => {
            succeeded(machine, id);
            settle(machine, id, Err(StateError::data_limit(&name, "returned", "a result")));
        }
    }
}

/// The end of the run, as somebody knows it who does not know its children.
fn done(machine: &mut Machine, id: ScopeId, outcome: Outcome) {
    match outcome {
        Outcome::Succeeded(result) => {
            stop_children(machine, id);
            succeed(machine, id, result);
        }
        Outcome::Failed(failure) | Outcome::TimedOut(failure) | Outcome::Aborted(failure) => fail(machine, id, failure),
    }
}

fn succeed(machine: &mut Machine, id: ScopeId, result: Value) {
    let succeeded = succeeded(machine, id);
    machine.emit(succeeded, EventKind::MapStateSucceeded);
    settle(machine, id, Ok(result));
}

fn succeeded(machine: &mut Machine, id: ScopeId) -> EventId {
    let started = run_mut(machine, id).map_or(0, |run| run.started);
    // The state's exit follows the start of the run, not these (recorded AWS behaviour).
    machine.emit(started, EventKind::MapRunSucceeded)
}

/// The map run failed.
pub(super) fn fail(machine: &mut Machine, id: ScopeId, failure: Failure) {
    stop_children(machine, id);
    machine.emit_in(id, EventKind::MapRunFailed(failure.clone()));
    settle(machine, id, Err(StateError { failure, class: Class::MapRun, hint: None }));
}

fn settle(machine: &mut Machine, id: ScopeId, result: Result<Value, StateError>) {
    // One whose own data was at fault is made anew by a redrive.
    let again = matches!(&result, Err(error) if error.class == Class::MapRun);
    let scope = machine.scopes.get_mut(id);
    let phase = std::mem::replace(&mut scope.phase, Phase::Answered(result));
    if let Phase::MapRun(run) = phase {
        let number = run.id;
        scope.fallen = again.then(|| Box::new(Fallen::MapRun(run)));
        machine.map_runs.remove(&number);
    }
    machine.wake(id);
}

/// Stops the children at work. Express children are left to finish; their answers are not wanted.
fn stop_children(machine: &mut Machine, id: ScopeId) {
    let run = run_of(machine, id);
    let children: Vec<u64> = run.running.keys().copied().collect();
    run.unsuccessful.append(&mut run.running);
    run.unsuccessful.append(&mut run.again);
    let (run, express) = (run.id, run.express);
    if !express {
        for child in children {
            machine.map_command(MapCommand::Stop { run, child });
        }
    }
}

/// Gives up the map run of a scope, if it has one: its children are stopped. True when there was one.
pub(crate) fn abandon(machine: &mut Machine, id: ScopeId) -> bool {
    let Some(run) = run_mut(machine, id).map(|run| run.id) else { return false };
    stop_children(machine, id);
    machine.map_runs.remove(&run);
    true
}

impl Items {
    /// An item, as a child gets it without an ItemSelector.
    fn get(&self, index: usize) -> Value {
        match self {
            Items::List(list) => list[index].clone(),
            Items::Members(members) => {
                let (key, value) = &members[index];
                Value::from(Map::from_iter([("Key", Value::from(key)), ("Value", value.clone())]))
            }
        }
    }

    /// The first `max` of them.
    fn up_to(self, max: usize) -> Items {
        match self {
            all if all.len() <= max => all,
            Items::List(list) => Items::List(Arc::new(list[..max].to_vec().into())),
            Items::Members(members) => Items::Members(members[..max].to_vec().into()),
        }
    }
}
