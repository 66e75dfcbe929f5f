//! Map runs. What they are follows from the history of their execution and from the headers of their children.

use super::{Answer, Api, Params, list};
use crate::arn::Arn;
use crate::page::Paging;
use crate::wire::ApiError;
use asl::parts::store::Page;
use asl::parts::syntax::model::{NumberField, StateKind};
use asl::{
    Definition, Event, EventKind, ExecutionRow, Filter, Map, Status, Timestamp, Value, Which, flow_of_machine,
    map_run_children,
};
use std::collections::HashSet;
use std::sync::Arc;

/// How many executions of a state machine are looked through for the one that has a map run.
const LOOKED_THROUGH: u32 = 1000;

/// A map run, as the history of its execution tells of it.
struct Run {
    arn: Arc<str>,
    started: Timestamp,
    stopped: Option<Timestamp>,
    status: &'static str,
    redrives: u64,
    redriven: Option<Timestamp>,
    /// How many items it has.
    length: u64,
}

/// The map runs in a history, in the order in which they started.
fn runs(events: &[Event], parent: &ExecutionRow) -> Vec<Run> {
    let mut runs: Vec<(Run, Vec<u64>)> = Vec::new();
    let mut lengths = Vec::new();
    for event in events {
        match &event.kind {
            EventKind::MapStateStarted { length } => lengths.push((event.id, *length)),
            EventKind::MapRunStarted { arn } => {
                let length = lengths.iter().find(|(id, _)| *id == event.previous).map_or(0, |(_, length)| *length);
                let run = Run {
                    arn: arn.clone(),
                    started: event.timestamp,
                    stopped: None,
                    status: "RUNNING",
                    redrives: 0,
                    redriven: None,
                    length,
                };
                runs.push((run, vec![event.id]));
            }
            EventKind::MapRunRedriven { arn, redrive_count } => {
                if let Some((run, heads)) = runs.iter_mut().rev().find(|(run, _)| run.arn == *arn) {
                    (run.status, run.stopped) = ("RUNNING", None);
                    (run.redrives, run.redriven) = (*redrive_count, Some(event.timestamp));
                    heads.push(event.id);
                }
            }
            EventKind::MapRunSucceeded | EventKind::MapRunFailed(_) | EventKind::MapRunAborted => {
                if let Some((run, _)) = runs.iter_mut().rev().find(|(_, heads)| heads.contains(&event.previous)) {
                    run.status = match &event.kind {
                        EventKind::MapRunSucceeded => "SUCCEEDED",
                        EventKind::MapRunFailed(_) => "FAILED",
                        _ => "ABORTED",
                    };
                    run.stopped = Some(event.timestamp);
                }
            }
            _ => {}
        }
    }
    if parent.status != Status::Running {
        for (run, _) in runs.iter_mut().filter(|(run, _)| run.stopped.is_none()) {
            (run.status, run.stopped) = ("ABORTED", parent.stopped);
        }
    }
    runs.into_iter().map(|(run, _)| run).collect()
}

/// How many children, or items, are in which state.
#[derive(Default)]
struct Counts {
    pending: u64,
    by_status: [u64; 5],
    written: u64,
}

impl Counts {
    fn add(&mut self, status: Status, count: u64) {
        let at = Status::ALL.iter().position(|known| *known == status).unwrap_or(0);
        self.by_status[at] += count;
    }

    fn total(&self) -> u64 {
        self.pending + self.by_status.iter().sum::<u64>()
    }

    fn to_map(&self) -> Map {
        let [running, succeeded, failed, timed_out, aborted] = self.by_status;
        Map::from_iter([
            ("pending", self.pending),
            ("running", running),
            ("succeeded", succeeded),
            ("failed", failed),
            ("timedOut", timed_out),
            ("aborted", aborted),
            ("total", self.total()),
            ("resultsWritten", self.written),
            ("failuresNotRedrivable", 0),
            ("pendingRedrive", 0),
        ])
    }
}

/// The numbers of the Map state that a family of children is of, as far as they are literals.
struct Limits {
    max_concurrency: u64,
    percentage: f64,
    count: u64,
    batched: bool,
    writes: bool,
}

fn limits(definition: &Definition, family_arn: &str) -> Limits {
    let number = |field: &Option<NumberField>| match field {
        Some(NumberField::Literal(number)) => *number,
        _ => 0.0,
    };
    let flow = flow_of_machine(definition, family_arn);
    let map = definition.states.iter().find_map(|state| match &state.kind {
        StateKind::Map(map) if Some(map.processor) == flow => Some(map),
        _ => None,
    });
    let distributed = map.and_then(|map| map.distributed.as_ref());
    Limits {
        max_concurrency: map.map_or(0.0, |map| number(&map.max_concurrency)) as u64,
        percentage: distributed.map_or(0.0, |map| number(&map.tolerated_failure_percentage)),
        count: distributed.map_or(0.0, |map| number(&map.tolerated_failure_count)) as u64,
        batched: distributed.is_some_and(|map| map.batcher.is_some()),
        writes: distributed.is_some_and(|map| map.writer.is_some()),
    }
}

impl Api {
    async fn events(&self, row: &ExecutionRow) -> Result<Vec<Event>, ApiError> {
        Ok(self.store().history(row.id, Page::default()).await?)
    }

    /// The execution that has a map run, with that run; `None` when there is none.
    async fn find_run(&self, text: &str) -> Result<Option<(ExecutionRow, Run)>, ApiError> {
        let arn = Arn::of(text, &["mapRun"])?;
        let Some((machine, _)) = arn.rest.split_once('/') else { return Ok(None) };
        let filter = Filter {
            state_machine: Some(format!("{}:stateMachine:{machine}", arn.prefix)),
            which: Which::Parents,
            limit: Some(LOOKED_THROUGH),
            ..Filter::default()
        };
        for row in self.store().executions(&filter).await? {
            let run = runs(&self.events(&row).await?, &row).into_iter().find(|run| *run.arn == *text);
            if let Some(run) = run {
                return Ok(Some((row, run)));
            }
        }
        Ok(None)
    }

    /// The ARN that the children of a map run have as their state machine, and the children's ARNs.
    pub(super) async fn children_of(&self, text: &str) -> Result<(String, HashSet<Arc<str>>), ApiError> {
        let arn = Arn::of(text, &["mapRun"])?;
        let (family, _) = arn.rest.rsplit_once(':').unwrap_or((arn.rest, ""));
        let children = map_run_children(self.store(), text).await;
        let children = children.map_err(|error| ApiError::internal(error.to_string()))?;
        let children = children.ok_or_else(|| ApiError::no_resource(text))?;
        Ok((format!("{}:stateMachine:{family}", arn.prefix), children))
    }

    /// The map run that a child belongs to.
    pub(super) async fn map_run_of(&self, child: &ExecutionRow) -> Result<Option<String>, ApiError> {
        let Some((machine, _)) = child.state_machine_arn.split_once('/') else { return Ok(None) };
        let family = child.state_machine_arn.replacen(":stateMachine:", ":mapRun:", 1);
        let filter = Filter {
            state_machine: Some(machine.to_owned()),
            which: Which::Parents,
            limit: Some(LOOKED_THROUGH),
            ..Filter::default()
        };
        for parent in self.store().executions(&filter).await?.into_iter().filter(|row| row.id < child.id) {
            let candidates = runs(&self.events(&parent).await?, &parent).into_iter();
            let mut candidates: Vec<Run> =
                candidates.filter(|run| run.arn.starts_with(&family) && run.started <= child.started).collect();
            if candidates.len() == 1 && candidates[0].stopped.is_none_or(|stopped| stopped >= child.started) {
                return Ok(candidates.pop().map(|run| run.arn.to_string()));
            }
            for run in candidates {
                if self.children_of(&run.arn).await?.1.contains(&*child.arn) {
                    return Ok(Some(run.arn.to_string()));
                }
            }
        }
        Ok(None)
    }

    pub(super) async fn describe_map_run(&self, p: Params<'_>) -> Answer {
        let text = p.required("mapRunArn");
        let (parent, run) = self.find_run(text).await?.ok_or_else(|| ApiError::no_resource(text))?;
        let (family, children) = self.children_of(text).await?;
        let limits = limits(&*self.definition(&parent.definition).await?, &family);
        let filter = Filter { which: Which::OfFamily(family), ..Filter::default() };
        let (mut executions, mut items) = (Counts::default(), Counts::default());
        for row in self.store().executions(&filter).await?.iter().filter(|row| children.contains(&*row.arn)) {
            executions.add(row.status, 1);
            items.add(row.status, if limits.batched { self.batch_size(row).await? } else { 1 });
        }
        let missing = run.length.saturating_sub(items.total());
        if run.stopped.is_none() {
            items.pending = missing;
            executions.pending = if limits.batched { 0 } else { missing };
        }
        if limits.writes && run.status == "SUCCEEDED" {
            (items.written, executions.written) = (items.total(), executions.total());
        }
        let mut out = Map::from_iter([("mapRunArn", text), ("executionArn", &*parent.arn), ("status", run.status)]);
        out.insert("startDate", run.started.to_cli_string());
        out.insert("stopDate", run.stopped.map(Timestamp::to_cli_string));
        out.insert("maxConcurrency", limits.max_concurrency);
        out.insert("toleratedFailurePercentage", limits.percentage);
        out.insert("toleratedFailureCount", limits.count);
        out.insert("itemCounts", items.to_map());
        out.insert("executionCounts", executions.to_map());
        out.insert("redriveCount", run.redrives);
        out.insert("redriveDate", run.redriven.map(Timestamp::to_cli_string));
        Ok(out)
    }

    /// How many items a child has in its batch.
    async fn batch_size(&self, row: &ExecutionRow) -> Result<u64, ApiError> {
        let told = self.store().describe(row.id).await?;
        let input: Option<Value> = told.and_then(|told| told.input.parse().ok());
        Ok(input.as_ref().and_then(|input| input.get("Items")?.as_array()).map_or(1, |items| items.len() as u64))
    }

    pub(super) async fn list_map_runs(&self, p: Params<'_>) -> Answer {
        let arn = Arn::execution(p.required("executionArn"))?.text;
        let paging = Paging::read("ListMapRuns", p.0, self.now())?;
        let row = self.execution(arn).await?;
        let mut runs = runs(&self.events(&row).await?, &row);
        // Newest first; the key of a page is how many were before.
        runs.reverse();
        let skipped: usize = paging.after.as_deref().and_then(|count| count.parse().ok()).unwrap_or(0);
        let mut numbered: Vec<(usize, Run)> = (1..).zip(runs).skip(skipped).take(paging.limit as usize + 1).collect();
        let next = paging.cut(&mut numbered, |(number, _)| number.to_string());
        let items = numbered.iter().map(|(_, run)| {
            let machine = run.arn.replacen(":mapRun:", ":stateMachine:", 1);
            let machine = machine.rsplit_once(':').map_or(&*machine, |(machine, _)| machine);
            let mut item =
                Map::from_iter([("executionArn", arn), ("mapRunArn", &run.arn), ("stateMachineArn", machine)]);
            item.insert("startDate", run.started.to_cli_string());
            item.insert("stopDate", run.stopped.map(Timestamp::to_cli_string));
            item
        });
        let mut out = Map::from_iter([("mapRuns", list(items))]);
        out.insert("nextToken", next);
        Ok(out)
    }

    pub(super) async fn update_map_run(&self, p: Params<'_>) -> Answer {
        let text = p.required("mapRunArn");
        let (_, run) = self.find_run(text).await?.ok_or_else(|| ApiError::no_resource(text))?;
        if run.status != "RUNNING" {
            return Err(ApiError::validation("Cannot update a map run that is not running"));
        }
        let message = "UpdateMapRun of a map run at work is not there yet: its limits are those it started with";
        Err(ApiError::framework("UnknownOperationException", message))
    }
}
