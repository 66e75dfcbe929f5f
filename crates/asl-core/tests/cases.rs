//! The project's own cases: `fixtures/cases/*.json`, each a list of `{name, definition, input, …, expected}`.
//!
//! `tasks` are consumed in order, by state: `{state, output | error, cause | silent, after_s?, submitted?, heartbeats?}`;
//! `redrives` is how often the execution is redriven after it has ended, `redrive_after_s` how long after;
//! `files` are `bucket/key` to text; `stop` is `{after_s, error?, cause?}`. `expected` holds status, output, error, cause
//! the seconds it took, and the history, an event a line: `id<previous Type`. `ASL_UPDATE=1` writes what the machine does now: read the diff.

#![allow(clippy::disallowed_methods, reason = "the cases are files; the crate itself does no I/O")]

mod support;

use asl_core::items::load;
use asl_core::{Event, Failure, Input, Machine, Outcome, ReadItems, ResultFile, TaskCall};
use asl_expr::Timestamp;
use asl_syntax::ResourceKind;
use asl_value::{Map, Value};
use std::path::Path;
use support::{Answers, Drive, EPOCH_MS, Files, World, definition, identity};

struct Script {
    tasks: Vec<Value>,
    files: Files,
}

fn text(value: &Value) -> Option<std::sync::Arc<str>> {
    value.as_str().map(Into::into)
}

fn failure(value: &Value) -> Failure {
    Failure { error: text(&value["error"]), cause: text(&value["cause"]) }
}

impl Answers for Script {
    fn task(&mut self, call: &TaskCall) -> Vec<(i64, Input)> {
        let task = call.id;
        let Some(at) = self.tasks.iter().position(|row| row["state"].as_str() == Some(&call.state)) else {
            return Vec::new();
        };
        let row = self.tasks.remove(at);
        let mut answers = Vec::new();
        if matches!(call.resource.kind, ResourceKind::Activity { .. }) {
            answers.push((0, Input::TaskScheduled { task }));
            answers.push((0, Input::TaskStarted { task, worker: Some("worker".into()) }));
        }
        if let Some(output) = row.get("submitted") {
            answers.push((0, Input::TaskSubmitted { task, output: output.clone() }));
        }
        for at_s in row["heartbeats"].as_array().unwrap_or_default() {
            answers.push((at_s.as_i64().unwrap_or(0) * 1000, Input::TaskHeartbeat { task }));
        }
        let after_ms = row["after_s"].as_i64().unwrap_or(0) * 1000;
        if let Some(output) = row.get("output") {
            answers.push((after_ms, Input::TaskSucceeded { task, output: output.clone() }));
        } else if let Some(times) = row.get("output_of") {
            // A text of so many characters, for payload limits.
            let long = "x".repeat(times.as_i64().unwrap_or(0) as usize);
            answers.push((after_ms, Input::TaskSucceeded { task, output: Value::from(long) }));
        } else if let Some(levels) = row.get("output_depth") {
            let deep = (0..levels.as_i64().unwrap_or(0)).fold(Value::Null, |inner, _| Value::from(vec![inner]));
            answers.push((after_ms, Input::TaskSucceeded { task, output: deep }));
        } else if row.get("silent").is_none() {
            answers.push((after_ms, Input::TaskFailed { task, failure: failure(&row) }));
        }
        answers
    }

    fn read(&mut self, read: &ReadItems) -> Result<Value, Failure> {
        load(read, &self.files)
    }

    fn write(&mut self, bucket: &str, files: Vec<ResultFile>) {
        self.files.0.extend(files.into_iter().map(|file| (format!("{bucket}/{}", file.key), file.body)));
    }
}

fn run(case: &Value) -> Value {
    let express = case["type"].as_str() == Some("EXPRESS");
    let files = case["files"].as_object().map(Map::iter).into_iter().flatten();
    let mut script = Script {
        tasks: case["tasks"].as_array().unwrap_or_default().to_vec(),
        files: Files(
            files.map(|(path, body)| (path.to_string(), body.as_str().unwrap_or_default().to_owned())).collect(),
        ),
    };
    let given = script.files.0.len();
    let machine = Machine::new(definition(case["definition"].to_string(), express));
    let drive = Drive { budget: 1000, snapshots: false };
    let mut world = World::new(machine, &mut script, drive, Timestamp::from_millis(EPOCH_MS));
    if let Some(stop) = case.get("stop") {
        world.plan(stop["after_s"].as_i64().unwrap_or(0) * 1000, Input::Stop(failure(stop)));
    }
    let input = case.get("input").cloned().unwrap_or_else(Value::empty_object);
    let outcome = world.run(Input::Start(Box::new(identity(input, express))));
    let mut refused = None;
    let outcome = (0..case["redrives"].as_i64().unwrap_or(0)).fold(outcome, |_, _| {
        world.sleep(case["redrive_after_s"].as_i64().unwrap_or(0) * 1000);
        refused = world.machine.redrivable(world.now).err();
        world.run(Input::Redrive)
    });
    let events = history(&world.events);
    let mut out = report(outcome.as_ref());
    refused.iter().for_each(|why| drop(out.insert("not_redrivable", why.to_string())));
    let ends = world.events.last().map_or(EPOCH_MS, |event| event.timestamp.millis());
    out.insert("took_s", (ends - EPOCH_MS) as f64 / 1000.0);
    if script.files.0.len() > given {
        out.insert("files", script.files.0.keys().map(Value::from).collect::<Value>());
    }
    out.insert("events", events);
    Value::from(out)
}

fn report(outcome: Option<&Outcome>) -> Map {
    let mut out = Map::new();
    out.insert("status", outcome.map_or("RUNNING", Outcome::status));
    match outcome {
        Some(Outcome::Succeeded(output)) => {
            out.insert("output", output.clone());
        }
        Some(Outcome::Failed(f) | Outcome::TimedOut(f) | Outcome::Aborted(f)) => {
            f.error.iter().for_each(|e| drop(out.insert("error", e)));
            f.cause.iter().for_each(|c| drop(out.insert("cause", c)));
        }
        None => {}
    }
    out
}

/// An event a line; of a long history the ends.
fn history(events: &[Event]) -> Vec<Value> {
    let line = |e: &Event| Value::from(format!("{}<{} {}", e.id, e.previous, e.type_name()));
    if events.len() <= 60 {
        return events.iter().map(line).collect();
    }
    let ends = [&events[..4], &events[events.len() - 4..]].map(|part| part.iter().map(line).collect::<Vec<_>>());
    ends.join(&Value::from("..."))
}

/// JSON for people: a level of indentation, short values on one line.
fn pretty(value: &Value, indent: usize) -> String {
    let flat = value.to_string();
    if flat.len() + indent < 110 {
        return flat;
    }
    let pad = " ".repeat(indent + 2);
    let end = " ".repeat(indent);
    match value {
        Value::Array(items) => {
            let parts: Vec<String> = items.iter().map(|item| format!("{pad}{}", pretty(item, indent + 2))).collect();
            format!("[\n{}\n{end}]", parts.join(",\n"))
        }
        Value::Object(map) => {
            let part = |(key, value): (&std::sync::Arc<str>, &Value)| {
                format!("{pad}{}: {}", Value::from(key), pretty(value, indent + 2))
            };
            format!("{{\n{}\n{end}}}", map.iter().map(part).collect::<Vec<_>>().join(",\n"))
        }
        _ => flat,
    }
}

#[test]
fn the_machine_does_what_the_cases_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cases");
    let update = std::env::var_os("ASL_UPDATE").is_some();
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let cases: Value = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let mut written = Vec::new();
        for case in cases.as_array().unwrap() {
            count += 1;
            let got = run(case);
            if got != case["expected"] {
                wrong.push(format!("{} {}:\n{}", path.display(), case["name"], pretty(&got, 0)));
            }
            let mut case = case.as_object().unwrap().clone();
            case.insert("expected", got);
            written.push(Value::from(case));
        }
        if update {
            std::fs::write(&path, pretty(&Value::from(written), 0) + "\n").unwrap();
        }
    }
    assert!(count > 0, "no cases in {}", folder.display());
    assert!(update || wrong.is_empty(), "{} of {count} cases differ:\n{}", wrong.len(), wrong.join("\n\n"));
}
