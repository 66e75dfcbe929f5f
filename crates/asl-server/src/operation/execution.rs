//! Executions: started, described, listed, stopped, redriven.

use super::express::wrong_type;
use super::state_machine::{Resolved, no_machine};
use super::version::version_arn;
use super::{Answer, Api, Params, configuration, list, no_execution, task};
use crate::arn::{Arn, MachineArn, Qualifier};
use crate::page::Paging;
use crate::wire::ApiError;
use asl::parts::store::{ExecutionId, Page, StartedAs};
use asl::{
    EngineError, Event, EventKind, ExecutionRow, Filter, Map, StartAs, StartExecution, Started, Status, Timestamp,
    Value, aws,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many redrives are remembered with their tokens, and for how long; milliseconds.
const REDRIVES: usize = 1000;
const REDRIVE_MS: i64 = 15 * 60 * 1000;

/// Redrives that were asked for with a token: (execution, token), and when.
#[derive(Default)]
pub(crate) struct Redrives(Mutex<VecDeque<(String, String, Timestamp)>>);

/// The input of a request: JSON text, `{}` when there is none.
pub(super) fn input<'a>(p: Params<'a>) -> Result<&'a str, ApiError> {
    let refuse =
        |why: &str| ApiError::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{why}'"));
    let text = p.text("input").unwrap_or("{}");
    if text.trim().is_empty() {
        return Err(refuse("Invalid execution input."));
    }
    if text.len() > 262_144 {
        return Err(refuse("The input is larger than 262144 bytes in UTF-8."));
    }
    text.parse::<Value>().map(|_| text).map_err(|error| refuse(&error.kind.to_string()))
}

/// `stateMachineVersionArn` and `stateMachineAliasArn`, where a version or an alias was named.
pub(super) fn put_started_as(out: &mut Map, row: &ExecutionRow) {
    let Some(named) = &row.started_as else { return };
    if let Some(version) = named.version {
        out.insert("stateMachineVersionArn", version_arn(&row.state_machine_arn, version));
    }
    if let Some(alias) = &named.alias {
        out.insert("stateMachineAliasArn", format!("{}:{alias}", row.state_machine_arn));
    }
}

impl Api {
    /// The header of an execution by its ARN alone.
    pub(crate) async fn execution(&self, arn: &str) -> Result<ExecutionRow, ApiError> {
        let row = self.store().execution(arn).await?;
        row.filter(|row| row.arn == arn).ok_or_else(|| no_execution(arn))
    }

    /// Starts what an ARN resolved to.
    pub(super) async fn begin(&self, resolved: Resolved, p: Params<'_>, input: &str) -> Result<Started, ApiError> {
        if let Some(name) = p.text("name") {
            crate::arn::check_name(name)?;
        }
        let express = resolved.is_express();
        let Resolved { machine, definition, role_arn, revision_id, version, alias } = resolved;
        let trace_header = p.text("traceHeader").map(str::to_owned);
        let named = StartedAs { version, alias, revision_id, trace_header, task: None };
        let about = StartAs {
            role_arn: Some(role_arn.into()),
            express,
            started_as: Some(named).filter(|named| *named != StartedAs::default()),
        };
        let start = StartExecution { definition, state_machine: &machine.name, name: p.text("name"), input };
        match self.engine.start_as(start, about).await {
            Err(EngineError::AlreadyExists { name }) => self.same_again(&machine.name, &name, input).await,
            started => Ok(started?),
        }
    }

    /// A start that repeats one that is still running gets its answer again (AWS: the same name and input).
    async fn same_again(&self, machine: &str, name: &str, input: &str) -> Result<Started, ApiError> {
        let arn = self.identity.arn("states", &format!("execution:{machine}:{name}"));
        let row = self.execution(&arn).await?;
        let told = self.store().describe(row.id).await?;
        if row.status == Status::Running && told.is_some_and(|told| *told.input == *input) {
            return Ok(Started::known(&row.arn, &row.name));
        }
        Err(ApiError::new("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'")))
    }

    pub(super) async fn start_execution(&self, p: Params<'_>) -> Answer {
        let input = input(p)?;
        let resolved = self.resolve(p.required("stateMachineArn")).await?;
        let started = self.begin(resolved, p, input).await?;
        let at = match started.at() {
            Some(at) => at,
            None => self.execution(&started.arn).await?.started,
        };
        Ok(aws::start_execution(&started.arn, at).as_object().cloned().unwrap_or_default())
    }

    pub(super) async fn describe_execution(&self, p: Params<'_>) -> Answer {
        let arn = Arn::execution(p.required("executionArn"))?.text;
        let row = self.execution(arn).await?;
        let told = self.store().describe(row.id).await?.ok_or_else(|| no_execution(arn))?;
        let output = told.output.as_ref().map(ToString::to_string);
        let described = aws::describe_execution(&told.row, &told.input, output.as_deref());
        let mut out = described.as_object().cloned().unwrap_or_default();
        put_started_as(&mut out, &row);
        out.insert("traceHeader", row.started_as.as_ref().and_then(|named| named.trace_header.clone()));
        if row.is_child() {
            out.insert("mapRunArn", self.map_run_of(&row).await?);
            if out.get("redriveStatus").and_then(Value::as_str) == Some("REDRIVABLE") {
                out.insert("redriveStatus", "REDRIVABLE_BY_MAP_RUN");
            }
        }
        if p.metadata_only() {
            for (data, details) in [("input", "inputDetails"), ("output", "outputDetails")] {
                if out.remove(data).is_some() {
                    out.insert(details, Map::from_iter([("included", false)]));
                }
            }
        }
        Ok(out)
    }

    pub(super) async fn describe_state_machine_for_execution(&self, p: Params<'_>) -> Answer {
        let arn = Arn::execution(p.required("executionArn"))?.text;
        let row = self.execution(arn).await?;
        let named = row.started_as.clone().unwrap_or_default();
        let machine_arn = MachineArn::parse(&row.state_machine_arn)?;
        let machine = self.catalogue().state_machine(&machine_arn.arn).await?;
        let version = match named.version {
            Some(number) => self.version(&machine_arn.arn, number).await?,
            None => None,
        };
        let mut out = Map::from_iter([("stateMachineArn", &*row.state_machine_arn), ("name", &*row.state_machine)]);
        self.put_definition(&mut out, &row.definition, p).await?;
        out.insert("roleArn", self.role_of(row.id).await?.unwrap_or_default());
        let updated = version.as_ref().map(|version| version.created);
        let updated = updated.or(machine.as_ref().map(|row| row.updated.unwrap_or(row.created))).unwrap_or(row.started);
        out.insert("updateDate", updated.to_cli_string());
        out.insert("revisionId", named.revision_id);
        out.insert("label", machine_arn.label);
        if row.is_child() {
            out.insert("mapRunArn", self.map_run_of(&row).await?);
        }
        let configured = version.map(|row| row.configuration).or(machine.map(|row| row.configuration));
        configuration::put(&mut out, configured.as_deref().unwrap_or("{}"));
        Ok(out)
    }

    /// The role that an execution was started with, from its first event.
    async fn role_of(&self, execution: ExecutionId) -> Result<Option<Arc<str>>, ApiError> {
        let first = self.store().history(execution, Page { limit: Some(1), ..Page::default() }).await?;
        Ok(first.into_iter().find_map(|event: Event| match event.kind {
            EventKind::ExecutionStarted { role_arn, .. } => Some(role_arn),
            _ => None,
        }))
    }

    pub(super) async fn list_executions(&self, p: Params<'_>) -> Answer {
        let paging = Paging::read("ListExecutions", p.0, self.now())?;
        let before = paging.after.as_deref().and_then(|id| id.parse().ok()).map(ExecutionId);
        let status = p.text("statusFilter");
        let (mut filter, of_run) = match (p.text("stateMachineArn"), p.text("mapRunArn")) {
            (Some(machine), None) => (self.executions_of(machine, p).await?, None),
            (None, Some(run)) => {
                let (family, children) = self.children_of(run).await?;
                (Filter { which: asl::Which::OfFamily(family), ..Filter::default() }, Some(children))
            }
            _ => return Err(ApiError::validation("Must provide exactly one of stateMachineArn or mapRunArn")),
        };
        filter.status = status.and_then(|status| status.parse().ok());
        filter.before = before;
        if status == Some("PENDING_REDRIVE") {
            // Nothing waits to be redriven here: children are redriven when their parent is.
            return Ok(Map::from_iter([("executions", list(Vec::<Value>::new()))]));
        }
        let redriven = p.text("redriveFilter").map(|filter| filter == "REDRIVEN");
        let wanted = |row: &ExecutionRow| {
            of_run.as_ref().is_none_or(|children| children.contains(&*row.arn))
                && redriven.is_none_or(|redriven| (row.redrive_count > 0) == redriven)
        };
        let mut rows = Vec::new();
        while rows.len() <= paging.limit as usize {
            filter.limit = Some(paging.limit + 1);
            let read = self.store().executions(&filter).await?;
            let Some(last) = read.last().map(|row| row.id) else { break };
            let is_last = read.len() <= paging.limit as usize;
            rows.extend(read.into_iter().filter(|row| wanted(row)));
            filter.before = Some(last);
            if is_last {
                break;
            }
        }
        let next = paging.cut(&mut rows, |row| row.id.0.to_string());
        let items = rows.iter().map(|row| {
            let mut item = aws::execution_list_item(row).as_object().cloned().unwrap_or_default();
            item.get_or_insert_with("redriveCount", || row.redrive_count.into());
            put_started_as(&mut item, row);
            item.insert("mapRunArn", p.text("mapRunArn"));
            item
        });
        let mut out = Map::from_iter([("executions", list(items))]);
        out.insert("nextToken", next);
        Ok(out)
    }

    async fn executions_of(&self, text: &str, p: Params<'_>) -> Result<Filter, ApiError> {
        let named = MachineArn::parse(text)?;
        if p.text("redriveFilter").is_some() {
            return Err(ApiError::validation("redriveFilter can only be used with mapRunArn"));
        }
        if p.text("statusFilter") == Some("PENDING_REDRIVE") {
            return Err(ApiError::validation("PENDING_REDRIVE can only be used with mapRunArn"));
        }
        let machine = self.catalogue().state_machine(&named.arn).await?.ok_or_else(|| no_machine(text))?;
        if machine.kind == "EXPRESS" {
            return Err(wrong_type());
        }
        let (mut version, mut alias) = (None, None);
        match named.qualifier {
            None => {}
            Some(Qualifier::Version(number)) => {
                self.version(&named.arn, number).await?.ok_or_else(|| no_machine(text))?;
                version = Some(number);
            }
            Some(Qualifier::Alias(name)) => {
                self.alias(&named.arn, &name).await?.ok_or_else(|| ApiError::no_resource(text))?;
                alias = Some(name);
            }
        }
        Ok(Filter { state_machine: Some(named.arn), version, alias, ..Filter::default() })
    }

    pub(super) async fn stop_execution(&self, p: Params<'_>) -> Answer {
        let arn = Arn::of(p.required("executionArn"), &["execution"])?.text;
        let row = self.execution(arn).await?;
        if row.status == Status::Running {
            self.engine.stop(arn, task::failure(p)).await?;
        }
        let stopped = self.execution(arn).await?.stopped.unwrap_or_else(|| self.now());
        Ok(aws::stop_execution(stopped).as_object().cloned().unwrap_or_default())
    }

    pub(super) async fn redrive_execution(&self, p: Params<'_>) -> Answer {
        let arn = Arn::of(p.required("executionArn"), &["execution"])?.text;
        let (row, now) = (self.execution(arn).await?, self.now());
        let token = p.text("clientToken");
        let again = token.and_then(|token| self.redrives.find(arn, token, now));
        let at = match again {
            Some(at) => at,
            None => {
                self.engine.redrive(&row.arn).await?;
                let at = self.execution(arn).await?.redriven.unwrap_or(now);
                token.into_iter().for_each(|token| self.redrives.keep(arn, token, at));
                at
            }
        };
        Ok(Map::from_iter([("redriveDate", at.to_cli_string())]))
    }
}

impl Redrives {
    fn find(&self, arn: &str, token: &str, now: Timestamp) -> Option<Timestamp> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            kept.iter().find(|(of, with, at)| of == arn && with == token && now.millis() - at.millis() < REDRIVE_MS);
        same.map(|(_, _, at)| *at)
    }

    fn keep(&self, arn: &str, token: &str, at: Timestamp) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((arn.to_owned(), token.to_owned(), at));
        while kept.len() > REDRIVES {
            kept.pop_front();
        }
    }
}
