//! What becomes of the children's results: the array of the state, or files in a bucket (spec: ResultWriter).

use super::{Child, MapRunId, ResultFile, WriteResults};
use crate::context::Context;
use crate::data::fill;
use crate::error::StateError;
use crate::input::Outcome;
use asl_expr::Timestamp;
use asl_syntax::Resource;
use asl_syntax::model::ResultWriter;
use asl_value::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `WriterConfig.Transformation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// A record with metadata for each child.
    Record,
    /// The output.
    #[default]
    Compact,
    /// The output, where it is an array its elements.
    Flat,
}

/// The results so far, by number of the child.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    form: Form,
    /// Without a writer the array must fit into a payload: what is over the limit is not kept.
    bounded: bool,
    bytes: usize,
    succeeded: BTreeMap<u64, Value>,
    failed: BTreeMap<u64, Value>,
}

impl Results {
    pub(super) fn of(writer: Option<&ResultWriter>) -> Results {
        let word = writer.and_then(|w| w.config.as_ref()).and_then(|c| c["Transformation"].as_str());
        let exported = writer.is_some_and(|w| w.resource.is_some());
        let form = match word {
            Some("NONE") => Form::Record,
            Some("FLATTEN") => Form::Flat,
            Some(_) => Form::Compact,
            None if exported => Form::Record,
            None => Form::Compact,
        };
        Results { form, bounded: !exported, ..Results::default() }
    }

    /// The bytes of all results.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// `limit` is the most bytes of a payload.
    pub(super) fn add(&mut self, child: u64, of: &Child, stop: Timestamp, outcome: &Outcome, limit: usize) {
        // Failed children always have the form with metadata.
        let (list, entry) = match outcome {
            Outcome::Succeeded(output) if self.form != Form::Record => (&mut self.succeeded, output.clone()),
            Outcome::Succeeded(_) => (&mut self.succeeded, record(of, stop, outcome)),
            _ => (&mut self.failed, record(of, stop, outcome)),
        };
        self.bytes = self.bytes.saturating_add(entry.measure().bytes + 1);
        if !self.bounded || self.bytes <= limit {
            list.insert(child, entry);
        }
    }

    /// Forgets the failed children: they are redriven.
    pub(super) fn forget_failed(&mut self) {
        let failed = std::mem::take(&mut self.failed);
        let bytes: usize = failed.values().map(|entry| entry.measure().bytes + 1).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// The array of all results in the order of the items; `None` when it is over `limit`, the most bytes of a payload.
    pub(super) fn into_array(mut self, limit: usize) -> Option<Value> {
        if self.bytes > limit {
            return None;
        }
        let form = self.form;
        self.succeeded.append(&mut self.failed);
        Some(self.succeeded.into_values().flat_map(|entry| flat(form, entry)).collect())
    }
}

fn flat(form: Form, entry: Value) -> Vec<Value> {
    match (form, entry) {
        (Form::Flat, Value::Array(inner)) => inner.to_vec(),
        (_, entry) => vec![entry],
    }
}

/// The record of a child: what DescribeExecution says of it.
fn record(child: &Child, stop: Timestamp, outcome: &Outcome) -> Value {
    let of = &child.execution;
    let included = || Map::from_iter([("Included", true)]);
    let mut out = Map::with_capacity(14);
    let failure = match outcome {
        Outcome::Succeeded(_) => None,
        Outcome::Failed(f) | Outcome::TimedOut(f) | Outcome::Aborted(f) => Some(f),
    };
    if let Some(cause) = failure.and_then(|f| f.cause.as_ref()) {
        out.insert("Cause", cause);
    }
    if let Some(error) = failure.and_then(|f| f.error.as_ref()) {
        out.insert("Error", error);
    }
    out.insert("ExecutionArn", &of.arn);
    out.insert("Input", of.input.to_string());
    out.insert("InputDetails", included());
    out.insert("Name", &of.name);
    if let Outcome::Succeeded(output) = outcome {
        out.insert("Output", output.to_string());
        out.insert("OutputDetails", included());
    }
    out.insert("RedriveCount", child.redrives);
    if failure.is_none() {
        out.insert("RedriveStatus", "NOT_REDRIVABLE");
        out.insert("RedriveStatusReason", "Execution is SUCCEEDED and cannot be redriven");
    } else {
        out.insert("RedriveStatus", "REDRIVABLE_BY_MAP_RUN");
    }
    out.insert("StartDate", child.started.to_string());
    out.insert("StateMachineArn", &of.state_machine_arn);
    out.insert("Status", outcome.status());
    out.insert("StopDate", stop.to_string());
    Value::from(out)
}

/// `ResultWriter` with a bucket.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    resource: Resource,
    bucket: Arc<str>,
    /// `<Prefix>/<uuid of the run>`
    folder: String,
    lines: bool,
}

impl Writer {
    pub(super) fn of(
        writer: Option<&ResultWriter>,
        uuid: &str,
        input: &Value,
        env: &Context<'_>,
    ) -> Result<Option<Writer>, StateError> {
        let Some(writer) = writer else { return Ok(None) };
        let Some(resource) = &writer.resource else { return Ok(None) };
        let parameters = match &writer.parameters {
            Some(template) => fill(template, input, env)?,
            None => Value::empty_object(),
        };
        let prefix = parameters["Prefix"].as_str().unwrap_or_default().trim_end_matches('/');
        let folder = if prefix.is_empty() { uuid.to_owned() } else { format!("{prefix}/{uuid}") };
        let lines = writer.config.as_ref().is_some_and(|c| c["OutputType"].as_str() == Some("JSONL"));
        let bucket = parameters["Bucket"].as_str().unwrap_or_default().into();
        Ok(Some(Writer { resource: resource.clone(), bucket, folder, lines }))
    }

    /// The output of the state.
    pub(super) fn output(&self, arn: &Arc<str>) -> Value {
        let details = Map::from_iter([("Bucket", self.bucket.to_string()), ("Key", self.manifest_key())]);
        Value::from(Map::from_iter([("MapRunArn", Value::from(arn)), ("ResultWriterDetails", Value::from(details))]))
    }

    fn manifest_key(&self) -> String {
        format!("{}/manifest.json", self.folder)
    }

    /// The files: `SUCCEEDED_0.json`, `FAILED_0.json`, `PENDING_0.json` where there is something to say, and the manifest.
    pub(super) fn files(&self, run: MapRunId, arn: &Arc<str>, results: &Results, pending: Vec<Value>) -> WriteResults {
        let mut files = Vec::new();
        let mut listed = Map::new();
        let succeeded = results.succeeded.values().cloned().flat_map(|entry| flat(results.form, entry)).collect();
        let failed = results.failed.values().cloned().collect();
        for (kind, entries) in [("FAILED", failed), ("PENDING", pending), ("SUCCEEDED", succeeded)] {
            let file = self.file(kind, entries);
            let entry = |f: &ResultFile| {
                Value::from(Map::from_iter([("Key", Value::from(&f.key)), ("Size", Value::from(f.body.len()))]))
            };
            listed.insert(kind, file.iter().map(entry).collect::<Vec<Value>>());
            files.extend(file);
        }
        let mut manifest = Map::new();
        manifest.insert("DestinationBucket", &self.bucket);
        manifest.insert("MapRunArn", arn);
        manifest.insert("ResultFiles", listed);
        files.push(ResultFile { key: self.manifest_key(), body: Value::from(manifest).to_string() });
        WriteResults { run, resource: self.resource.clone(), bucket: self.bucket.clone(), files }
    }

    fn file(&self, kind: &str, entries: Vec<Value>) -> Option<ResultFile> {
        if entries.is_empty() {
            return None;
        }
        let body = if self.lines {
            entries.iter().map(|entry| format!("{entry}\n")).collect()
        } else {
            Value::from(entries).to_string()
        };
        Some(ResultFile { key: format!("{}/{kind}_0.json", self.folder), body })
    }
}
