//! Distributed Map: a map run whose children are executions of their own (spec: Map DISTRIBUTED).
//!
//! The machine reads no bucket and runs no child. It asks for items ([`MapCommand::Read`]), names each child and gives it
//! its input ([`MapCommand::Start`]), counts how they end, and has the results written ([`MapCommand::Write`]). A driver
//! runs a child as a [`crate::Machine`] of the same definition and answers with `Input::ChildDone`. Children are
//! made one by one as places come free; a million items hold no more of them than `MaxConcurrency`.

mod batch;
mod limits;
mod names;
mod progress;
mod redrive;
mod results;
mod start;

use crate::event::{EventId, Failure};
use crate::input::Execution;
use asl_expr::Timestamp;
use asl_syntax::Resource;
use asl_value::{Array, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use limits::{Kind, number};
pub(crate) use names::flow_of;
pub use names::{flow_of_machine, is_child};
pub(crate) use progress::{abandon, answer, conclude};
pub(crate) use redrive::redrive;
pub(crate) use start::start;

/// The number of a map run within its execution: every attempt of every Distributed Map state gets the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MapRunId(pub u64);

/// What a map run asks of the world.
#[derive(Clone, Debug)]
pub enum MapCommand {
    /// Read the items; answer with `Input::MapItems` or `Input::MapFailed`.
    Read(Box<ReadItems>),
    /// Run a child; answer with `Input::ChildDone`.
    Start(Box<ChildCall>),
    /// The map run is over or given up: stop the child; its answer is not wanted.
    Stop {
        /// The map run.
        run: MapRunId,
        /// The number of the child.
        child: u64,
    },
    /// Write the result files; answer with `Input::MapWritten` or `Input::MapFailed`.
    Write(Box<WriteResults>),
}

/// `ItemReader`, with its values.
#[derive(Clone, Debug)]
pub struct ReadItems {
    /// The map run.
    pub run: MapRunId,
    /// The state.
    pub state: Arc<str>,
    /// How often the state has read items in this execution before.
    pub invocation: u64,
    /// `s3:getObject` or `s3:listObjectsV2`.
    pub resource: Resource,
    /// `Bucket`, `Key`, `Prefix` …
    pub parameters: Value,
    /// `ReaderConfig`, without `MaxItems`: what [`crate::items::parse`] takes.
    pub config: Value,
    /// How many items are wanted at most.
    pub max_items: Option<u64>,
}

/// A child execution to run: a machine of the same definition, started with `execution`.
#[derive(Clone, Debug)]
pub struct ChildCall {
    /// The map run.
    pub run: MapRunId,
    /// The number of the child, from 0 in the order of the items.
    pub child: u64,
    /// Who it is.
    pub execution: Execution,
    /// How often its map run wants it redriven. One that has ended, and was redriven less often, is to be redriven (a
    /// child that cannot be keeps its outcome); any other is started, or followed if it is there already.
    pub redrives: u64,
}

/// `ResultWriter`, with the files it has to write.
#[derive(Clone, Debug)]
pub struct WriteResults {
    /// The map run.
    pub run: MapRunId,
    /// `s3:putObject`.
    pub resource: Resource,
    /// The bucket.
    pub bucket: Arc<str>,
    /// The files; the manifest comes last.
    pub files: Vec<ResultFile>,
}

/// One file of results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultFile {
    /// Its key in the bucket.
    pub key: String,
    /// Its text.
    pub body: String,
}

/// A map run at work.
#[derive(Clone, Debug)]
pub(crate) struct MapRun {
    pub(crate) id: MapRunId,
    arn: Arc<str>,
    /// `sm/label`: what children are called after.
    family: Arc<str>,
    /// The event that started it: what follows the Map state follows it.
    started: EventId,
    stage: Stage,
    express: bool,
    /// The effective input of the Map, `$` of the ItemSelector.
    input: Value,
    source: Arc<str>,
    items: Items,
    /// Those of the items that came in pieces, while the others are still read.
    pieces: Option<Items>,
    next_item: usize,
    next_child: u64,
    running: BTreeMap<u64, Child>,
    limit: usize,
    tolerance: limits::Tolerance,
    batch: Option<batch::Batch>,
    failed_items: u64,
    results: results::Results,
    writer: Option<results::Writer>,
    verdict: Option<Failure>,
    /// The children that did not succeed: a redrive goes on with them.
    unsuccessful: BTreeMap<u64, Child>,
    /// The children that this redrive has not come to yet.
    again: BTreeMap<u64, Child>,
    redrives: u64,
}

/// What a map run waits for.
#[derive(Clone, Debug)]
enum Stage {
    Reading(Box<ReadItems>),
    Running,
    Writing(Box<WriteResults>),
}

/// The items: an array, or an object whose members become `{"Key", "Value"}`.
#[derive(Clone, Debug)]
pub(crate) enum Items {
    List(Arc<Array>),
    Members(Arc<Vec<(Arc<str>, Value)>>),
}

impl Items {
    pub(crate) fn of(value: Value) -> Option<Items> {
        match value {
            Value::Array(list) => Some(Items::List(list)),
            Value::Object(map) => {
                let members = map.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>();
                Some(Items::Members(members.into()))
            }
            _ => None,
        }
    }

    /// These, and others after them; `None` where one is an array and the other an object.
    fn and(self, more: Items) -> Option<Items> {
        match (self, more) {
            (Items::List(list), Items::List(more)) => {
                let mut all = Arc::unwrap_or_clone(list).to_vec();
                all.extend(more.iter().cloned());
                Some(Items::List(Arc::new(all.into())))
            }
            (Items::Members(members), Items::Members(more)) => {
                let mut all = Arc::unwrap_or_clone(members);
                all.extend(more.iter().cloned());
                Some(Items::Members(all.into()))
            }
            _ => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Items::List(list) => list.len(),
            Items::Members(members) => members.len(),
        }
    }
}

/// A child at work.
#[derive(Clone, Debug)]
struct Child {
    execution: Box<Execution>,
    items: u64,
    started: Timestamp,
    redrives: u64,
}

impl MapRun {
    /// About how many bytes it keeps: items, results, and the inputs of the children at work.
    pub(crate) fn held_bytes(&self) -> usize {
        const ITEM_BYTES: usize = 64;
        const CHILD_BYTES: usize = 2048;
        let items = |items: &Items| match items {
            Items::List(list) => Value::Array(list.clone()).measure().bytes + list.len() * ITEM_BYTES,
            Items::Members(members) => members.len() * ITEM_BYTES,
        };
        let read = items(&self.items) + self.pieces.as_ref().map_or(0, |pieces| pieces.len() * ITEM_BYTES);
        read + self.results.bytes() + self.running.len() * CHILD_BYTES
    }

    /// How many items it has.
    pub(crate) fn item_count(&self) -> usize {
        self.items.len()
    }

    /// True when so many failed items are too many.
    pub(crate) fn exceeds_tolerance(&self, failed: u64) -> bool {
        self.tolerance.exceeded(failed, self.items.len())
    }

    /// What it waits for: to be asked for again after a crash.
    pub(crate) fn open_work(&self) -> Vec<MapCommand> {
        match &self.stage {
            Stage::Reading(read) => vec![MapCommand::Read(read.clone())],
            Stage::Writing(write) => vec![MapCommand::Write(write.clone())],
            Stage::Running => self.running.iter().map(|(child, of)| MapCommand::Start(self.call(*child, of))).collect(),
        }
    }

    /// How many children run, and how many were started in all.
    pub(crate) fn counts(&self) -> (usize, u64) {
        (self.running.len(), self.next_child)
    }

    fn call(&self, child: u64, of: &Child) -> Box<ChildCall> {
        Box::new(ChildCall { run: self.id, child, execution: (*of.execution).clone(), redrives: of.redrives })
    }
}
