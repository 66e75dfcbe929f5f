//! The real binary on a disk that fails at its Nth operation, for every N: an error that names the cause, no panic, and
//! whatever was said to have happened is there afterwards. The same for a process that dies at its Nth operation, before
//! it or in the middle of it. `ASL_FAULTS=all` tries every kind of fault at every N instead of one.

mod common;

use common::{Place, Ran};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Two additions to an item and a message: whatever happened, at its end it knows how often the item was added to.
const SAGA: &str = r#"{"StartAt": "Reserve", "States": {
  "Reserve": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "ResultPath": null, "Next": "Both",
    "Parameters": {"TableName": "Items", "Key": {"id": {"S": "one"}}, "UpdateExpression": "ADD n :one",
                   "ExpressionAttributeValues": {":one": {"N": "1"}}}},
  "Both": {"Type": "Parallel", "ResultPath": null, "Next": "Pause", "Branches": [
    {"StartAt": "Tell", "States": {"Tell": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": true,
      "Parameters": {"QueueUrl": "News", "MessageBody": "reserved"}}}},
    {"StartAt": "Note", "States": {"Note": {"Type": "Pass", "End": true}}}]},
  "Pause": {"Type": "Wait", "Seconds": 0, "Next": "Charge"},
  "Charge": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "End": true, "OutputPath": "$.Attributes",
    "Parameters": {"TableName": "Items", "Key": {"id": {"S": "one"}}, "UpdateExpression": "ADD n :one",
                   "ExpressionAttributeValues": {":one": {"N": "1"}}, "ReturnValues": "UPDATED_NEW"}}}}"#;
const OUTPUT: &str = "{\"n\":{\"N\":\"2\"}}\n";
const RUN: [&str; 4] = ["run", "saga.asl.json", "--name", "saga"];

/// The shim, built once; `None` (and told so) where it cannot be used.
fn shim(folder: &Path) -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED: the failing disk is preloaded into the process, which is done on Linux only");
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli/faults/disk.c");
    let shim = folder.join("disk.so");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).output();
    match built {
        Ok(output) if output.status.success() => Some(shim),
        Ok(output) => panic!("the shim does not build: {}", String::from_utf8_lossy(&output.stderr)),
        Err(problem) => {
            eprintln!("SKIPPED: the failing disk needs a C compiler (cc): {problem}");
            None
        }
    }
}

fn place() -> Place {
    let place = Place::empty();
    place.write("saga.asl.json", SAGA);
    place.write("asl.toml", "[tables.Items]\nHashKey = \"id\"\n\n[queues.News]\n");
    place
}

/// Runs the saga with the fault at the Nth operation.
fn run(place: &Place, shim: &Path, mode: &str, at: usize) -> Ran {
    let mut command = place.command(&RUN);
    command.env("LD_PRELOAD", shim).env("FAULT_MODE", mode).env("FAULT_AT", at.to_string());
    command.output().unwrap().into()
}

/// How many operations the saga takes when nothing fails.
fn operations(shim: &Path) -> usize {
    let place = place();
    let count = place.path("count");
    let ran: Ran = place.command(&RUN).env("LD_PRELOAD", shim).env("FAULT_COUNT", &count).output().unwrap().into();
    assert_eq!(ran.ends(0).stdout, OUTPUT);
    std::fs::read(count).unwrap().len()
}

#[test]
fn nothing_that_was_told_is_lost_when_the_disk_fails() {
    let folder = tempfile::tempdir().unwrap();
    let Some(shim) = shim(folder.path()) else { return };
    let operations = operations(&shim);
    assert!(operations > 30, "{operations} operations");
    let all = std::env::var_os("ASL_FAULTS").is_some();
    const MODES: [&str; 4] = ["eio", "enospc", "kill", "torn"];
    let mut told = [0; 4];
    let mut runs = 0;
    for at in 1..=operations {
        for (n, mode) in MODES.into_iter().enumerate() {
            if !all && at % MODES.len() != n {
                continue;
            }
            let place = place();
            let ran = run(&place, &shim, mode, at);
            let fault = format!("{mode} at operation {at}");
            check_told(&ran, mode, &fault);
            told[n] += usize::from(ran.code != 0);
            if mode == "kill" {
                // It dies again while it goes on.
                let mut resume = place.command(&["resume", "-q"]);
                resume.env("LD_PRELOAD", &shim).env("FAULT_MODE", mode).env("FAULT_AT", (1 + at % 23).to_string());
                drop(resume.output().unwrap());
            }
            check_kept(&place, &ran, &fault);
            runs += 1;
        }
    }
    eprintln!("{runs} runs over {operations} operations; failed with {MODES:?}: {told:?}");
    assert!(told.iter().all(|count| *count > 5), "the faults were felt: {told:?}");
}

/// It ends well, or with an error that says what is wrong.
fn check_told(ran: &Ran, mode: &str, fault: &str) {
    assert!(!ran.stderr.contains("panicked"), "{fault}:\n{}", ran.stderr);
    match ran.code {
        0 => assert_eq!(ran.stdout, OUTPUT, "{fault}"),
        2 => {
            // SQLite tells a full disk as such when it writes, and as an I/O error when it makes room for its index.
            let causes = ["cannot be used (error returned from database: (code: ", "is full"];
            let causes = if mode == "enospc" { &causes[..] } else { &causes[..1] };
            let error = ran.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
            assert!(
                error.contains("asl.db") && causes.iter().any(|cause| error.contains(cause)),
                "{fault}:\n{}",
                ran.stderr
            );
            assert!(ran.stderr.contains("hint: "), "{fault}:\n{}", ran.stderr);
            assert_eq!(ran.stdout, "", "{fault}");
        }
        code => assert!(code == -1 && matches!(mode, "kill" | "torn"), "{fault}: exit {code}\n{}", ran.stderr),
    }
}

/// Everything it said is in the database, which opens, replays and goes on to the one right end.
fn check_kept(place: &Place, ran: &Ran, fault: &str) {
    let started = ran.stderr.contains("started as saga");
    let listed = place.asl(&["list", "--json"]);
    if listed.code != 0 {
        assert!(!started, "{fault}: a started execution is lost\n{}", listed.stderr);
        assert!(
            listed.stderr.contains("there is no database") || listed.stderr.contains("version 0"),
            "{fault}: {}",
            listed.stderr
        );
    } else {
        let executions = listed.json()["executions"].as_array().unwrap().clone();
        let status = executions.first().map(|execution| execution["status"].as_str().unwrap().to_owned());
        assert!(status.is_some() || !started, "{fault}: a started execution is lost");
        assert!(ran.code != 0 || status.as_deref() == Some("SUCCEEDED"), "{fault}: {status:?}");
        check_states(place, ran, fault);
        if status.is_some() {
            place.asl(&["resume", "-q"]).ends(0);
            assert!(place.asl(&["replay", "--all"]).ends(0).stdout.contains("SUCCEEDED"), "{fault}");
            let output = place.asl(&["history", "saga", "--json"]).json();
            let last = output["events"].as_array().unwrap().last().unwrap().clone();
            let output = &last["executionSucceededEventDetails"]["output"];
            assert_eq!(output.as_str().map(|text| format!("{text}\n")).as_deref(), Some(OUTPUT), "{fault}: {last}");
            let messages = place.asl(&["queue", "peek", "News"]).ends(0).stdout.matches("reserved").count();
            assert_eq!(messages, 1, "{fault}");
            return;
        }
    }
    // Nothing has happened: it can be started under the same name.
    assert_eq!(place.asl(&RUN).ends(0).stdout, OUTPUT, "{fault}");
}

/// A state that was told to be done is done.
fn check_states(place: &Place, ran: &Ran, fault: &str) {
    let done =
        ran.stderr.lines().filter(|line| line.starts_with("  ") && line.split_whitespace().nth(1) == Some("done"));
    let done: Vec<&str> = done.filter_map(|line| line.split_whitespace().next()).collect();
    if done.is_empty() {
        return;
    }
    let history = place.asl(&["history", "saga", "--json"]).json();
    for state in done {
        let exited = |event: &serde_json::Value| event["stateExitedEventDetails"]["name"] == state;
        assert!(history["events"].as_array().unwrap().iter().any(exited), "{fault}: {state} was told to be done");
    }
}
