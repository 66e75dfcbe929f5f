//! A map run begins: its numbers, its items or the request to read them.

use super::batch::Batch;
use super::limits::{Kind, Tolerance, number};
use super::results::{Results, Writer};
use super::{Items, MapCommand, MapRun, MapRunId, ReadItems, Stage, names, progress};
use crate::context::{Context, draw, uuid};
use crate::data::fill;
use crate::error::StateError;
use crate::event::{EventKind, Failure};
use crate::machine::Machine;
use crate::scope::{Phase, ScopeId};
use crate::state::map::{items, not_items, see_concurrency, see_items};
use asl_syntax::model::{Distributed, ItemReader, Map, State};
use asl_value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many children run at once when `MaxConcurrency` is 0 or larger (AWS limit).
const DISTRIBUTED_CONCURRENCY: usize = 10_000;

/// Starts the map run of a Distributed Map.
pub(crate) fn start(
    machine: &mut Machine,
    id: ScopeId,
    state: &State,
    map: &Map,
    distributed: &Distributed,
) -> Result<(), StateError> {
    let execution = machine.running_execution();
    let input = machine.effective_input(id, state)?.into_owned();
    let items = match distributed.reader {
        Some(_) => None,
        None => Some(items_of(machine, id, state, map, &input)?),
    };
    let length = items.as_ref().map_or(0, Items::len) as u64;
    // What is wrong with the numbers comes after this event (recorded AWS behaviour).
    machine.emit_in(id, EventKind::MapStateStarted { length });
    let env = Context::new(machine, id);
    let limit = match &map.max_concurrency {
        Some(field) => number(field, "MaxConcurrencyPath", Kind::Integer, &input, &env)?,
        None => 0.0,
    };
    see_concurrency(machine, id, limit);
    let tolerance = Tolerance::of(distributed, &input, &env)?;
    tolerance.see(machine, id);
    let batch = distributed
        .batcher
        .as_ref()
        .map(|batcher| Batch::of(batcher, &input, &env, machine.limits.payload_bytes))
        .transpose()?;
    let run = MapRunId(machine.map_run_count + 1);
    let read = distributed.reader.as_ref().map(|reader| read_items(reader, run, state, &input, &env)).transpose()?;
    let uuid = uuid(draw(execution.seed, run.0, 0x6d61_7052_756e), 0);
    let writer = Writer::of(distributed.writer.as_ref(), &uuid, &input, &env)?;

    machine.map_run_count += 1;
    let family = names::family(&execution, distributed.label.as_ref(), &state.name);
    let arn = names::map_run_arn(&execution, &family, &uuid);
    let started = machine.emit_in(id, EventKind::MapRunStarted { arn: arn.clone() });
    let negative = read.as_ref().is_some_and(|(_, max)| max.is_some_and(|max| max < 0.0));
    let read = read.map(|(read, _)| {
        let invocations = machine.invocations.entry(machine.scopes.get(id).state).or_insert(0);
        let invocation = *invocations;
        *invocations += 1;
        ReadItems { invocation, ..read }
    });
    let map_run = MapRun {
        id: run,
        arn,
        family,
        started,
        stage: read.clone().map_or(Stage::Running, |read| Stage::Reading(Box::new(read))),
        express: distributed.express,
        input,
        source: read.as_ref().map_or_else(|| "STATE_DATA".into(), source_of),
        items: items.unwrap_or_else(|| Items::List(Arc::default())),
        pieces: None,
        next_item: 0,
        next_child: 0,
        running: BTreeMap::new(),
        limit: if limit >= 1.0 { (limit as usize).min(DISTRIBUTED_CONCURRENCY) } else { DISTRIBUTED_CONCURRENCY },
        tolerance,
        batch,
        failed_items: 0,
        results: Results::of(distributed.writer.as_ref()),
        writer,
        verdict: None,
        unsuccessful: BTreeMap::new(),
        again: BTreeMap::new(),
        redrives: 0,
    };
    machine.map_runs.insert(run, id);
    let scope = machine.scopes.get_mut(id);
    scope.phase = Phase::MapRun(Box::new(map_run));
    scope.fallen = None;
    match read {
        Some(_) if negative => {
            progress::fail(machine, id, Failure::new("States.ItemReaderFailed", "field MaxItems must be positive"));
        }
        Some(read) => machine.map_command(MapCommand::Read(Box::new(read))),
        None => progress::go_on(machine, id),
    }
    Ok(())
}

/// The items of a Map without a reader: an array, or an object.
fn items_of(machine: &Machine, id: ScopeId, state: &State, map: &Map, input: &Value) -> Result<Items, StateError> {
    let value = items(map, input, &Context::new(machine, id))?;
    let items = Items::of(value.clone()).ok_or_else(|| not_items(state, map, &value))?;
    see_items(machine, id, state, || value);
    Ok(items)
}

/// The reading and its `MaxItems`, which may be negative.
fn read_items(
    reader: &ItemReader,
    run: MapRunId,
    state: &State,
    input: &Value,
    env: &Context,
) -> Result<(ReadItems, Option<f64>), StateError> {
    let max = match &reader.max_items {
        Some(field) => Some(number(field, "MaxItemsPath", Kind::Integer, input, env)?),
        None => None,
    };
    let parameters = match &reader.parameters {
        Some(payload) => fill(payload, input, env)?,
        None => Value::empty_object(),
    };
    let resource = reader.resource.clone();
    // 0 is no limit.
    let max_items = max.filter(|max| *max >= 1.0).map(|max| max as u64);
    let state = state.name.clone();
    Ok((ReadItems { run, state, invocation: 0, resource, parameters, config: reader.config.clone(), max_items }, max))
}

/// `$$.Map.Item.Source` of what is read.
fn source_of(read: &ReadItems) -> std::sync::Arc<str> {
    let bucket = read.parameters["Bucket"].as_str().unwrap_or_default();
    match read.parameters["Key"].as_str() {
        Some(key) => format!("S3://{bucket}/{key}").into(),
        None => format!("S3://{bucket}").into(),
    }
}
