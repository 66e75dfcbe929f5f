//! The real binary on a disk that fails at its Nth operation, for every N: an error that names the cause, no panic, and
//! whatever was said to have happened is there afterwards. The same for a process that dies at its Nth operation, before
//! it or in the middle of it. `ASL_FAULTS=all` tries every kind of fault at every N instead of one.

mod common;

use common::{Place, Ran};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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

/// Runs a command with the fault at the Nth operation; it must not take for ever.
fn run(place: &Place, args: &[&str], shim: &Path, (mode, at): (&str, usize)) -> Ran {
    let mut command = place.command(args);
    command.env("LD_PRELOAD", shim).env("FAULT_MODE", mode).env("FAULT_AT", at.to_string());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{mode} at operation {at}: {args:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap().into()
}

/// How many operations a command takes when nothing fails.
fn operations(place: &Place, args: &[&str], shim: &Path) -> usize {
    let count = place.path("count");
    let ran: Ran = place.command(args).env("LD_PRELOAD", shim).env("FAULT_COUNT", &count).output().unwrap().into();
    assert_eq!(ran.ends(0).stdout, OUTPUT);
    std::fs::read(count).unwrap().len()
}

const MODES: [&str; 4] = ["eio", "enospc", "kill", "torn"];

/// Which faults to try: one kind at each of some operations in turn, or all at all.
fn faults(operations: usize, usual_step: usize) -> Vec<(&'static str, usize)> {
    let all = std::env::var_os("ASL_FAULTS").is_some();
    let step = if all { 1 } else { usual_step };
    let kinds = |at: usize| MODES.into_iter().enumerate().filter(move |(n, _)| all || at / step % MODES.len() == *n);
    (1..=operations).step_by(step).flat_map(|at| kinds(at).map(move |(_, mode)| (mode, at))).collect()
}

#[test]
fn nothing_that_was_told_is_lost_when_the_disk_fails() {
    let folder = tempfile::tempdir().unwrap();
    let Some(shim) = shim(folder.path()) else { return };
    let operations = operations(&place(), &RUN, &shim);
    assert!(operations > 30, "{operations} operations");
    let faults = faults(operations, 1);
    let mut told = [0; 4];
    for &(mode, at) in &faults {
        let place = place();
        let ran = run(&place, &RUN, &shim, (mode, at));
        let fault = format!("{mode} at operation {at}");
        check_told(&ran, mode, &fault);
        told[MODES.iter().position(|of| *of == mode).unwrap()] += usize::from(ran.code != 0);
        if mode == "kill" {
            // It dies again while it goes on.
            run(&place, &["resume", "-q"], &shim, (mode, 1 + at % 23));
        }
        check_kept(&place, &ran, &fault);
    }
    eprintln!("{} runs over {operations} operations; failed with {MODES:?}: {told:?}", faults.len());
    assert!(told.iter().all(|count| *count > 5), "the faults were felt: {told:?}");
}

/// A Distributed Map: three children with records of their own, each of which adds to an item.
const EACH: &str = r#"{"StartAt": "Each", "States": {
  "Each": {"Type": "Map", "MaxConcurrency": 2, "Next": "Say", "ResultPath": null, "ItemsPath": "$.items",
    "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Add", "States": {
      "Add": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "Next": "Rest",
        "Parameters": {"TableName": "Items", "Key": {"id": {"S": "one"}}, "UpdateExpression": "ADD n :one",
                       "ExpressionAttributeValues": {":one": {"N": "1"}}}},
      "Rest": {"Type": "Wait", "Seconds": 0, "End": true}}}},
  "Say": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "End": true, "OutputPath": "$.Attributes",
    "Parameters": {"TableName": "Items", "Key": {"id": {"S": "one"}}, "UpdateExpression": "ADD n :minus",
                   "ExpressionAttributeValues": {":minus": {"N": "-1"}}, "ReturnValues": "UPDATED_NEW"}}}}"#;

/// A child that cannot be written ends its parent's run, and after it nobody waits for ever.
#[test]
fn the_children_of_a_distributed_map_survive_a_failing_disk() {
    let folder = tempfile::tempdir().unwrap();
    let Some(shim) = shim(folder.path()) else { return };
    let place_each = || {
        let place = place();
        place.write("each.asl.json", EACH);
        place.write("items.json", r#"{"items": [1, 2, 3]}"#);
        place
    };
    const RUN: [&str; 6] = ["run", "each.asl.json", "--input", "items.json", "--name", "each"];
    let operations = operations(&place_each(), &RUN, &shim);
    for (mode, at) in faults(operations, 9) {
        let place = place_each();
        let fault = format!("{mode} at operation {at}");
        check_told(&run(&place, &RUN, &shim, (mode, at)), mode, &fault);
        let listed = place.asl(&["list"]);
        if listed.code != 0 || !listed.stdout.contains("each") {
            continue;
        }
        place.asl(&["resume", "-q"]).ends(0);
        place.asl(&["replay", "--all"]).ends(0);
        let listed = |args: &[&str]| place.asl(args).json()["executions"].as_array().unwrap().clone();
        let executions = [listed(&["list", "--json"]), listed(&["list", "--children", "--json"])].concat();
        let done = executions.iter().filter(|execution| execution["status"] == "SUCCEEDED").count();
        assert_eq!((done, executions.len()), (4, 4), "{fault}: {executions:?}");
        let items = place.asl(&["table", "scan", "Items", "--json"]).ends(0).json();
        assert_eq!(items["Items"][0]["n"]["N"], "2", "{fault}: three children and the end");
    }
}

/// It ends well, or with an error that says what is wrong.
fn check_told(ran: &Ran, mode: &str, fault: &str) {
    assert!(!ran.stderr.contains("panicked"), "{fault}:\n{}", ran.stderr);
    match ran.code {
        0 => assert_eq!(ran.stdout, OUTPUT, "{fault}"),
        2 => {
            // SQLite tells a full disk as such when it writes, and as an I/O error when it makes room for its index.
            let causes = ["cannot be used (disk I/O error, SQLite's code ", "is full"];
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

/// A result in a bucket has its name when it is on disk, and not before.
#[test]
fn a_result_that_is_not_on_disk_has_no_name() {
    const MAP: &str = r#"{"StartAt": "Each", "States": {"Each": {"Type": "Map", "End": true, "Label": "Each",
      "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                        "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}},
      "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "out", "Prefix": "run"}}}}}"#;
    let folder = tempfile::tempdir().unwrap();
    let Some(shim) = shim(folder.path()) else { return };
    // The first is the write of the first file, the second its sync.
    for at in [1, 2] {
        let place = Place::empty();
        place.write("map.asl.json", MAP);
        place.write("asl.toml", "[buckets.out]\nPath = \"results\"\n");
        place.write("results/.keep", "");
        let mut command = place.command(&["run", "map.asl.json", "-i", "[1, 2]"]);
        command.env("LD_PRELOAD", &shim).env("FAULT_FILES", "/results/");
        command.env("FAULT_MODE", "eio").env("FAULT_AT", at.to_string());
        let ran: Ran = command.output().unwrap().into();
        ran.ends(1).says("States.ResultWriterFailed");
        let found = Command::new("find").arg(place.path("results")).args(["-type", "f"]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        let named: Vec<&str> = found.lines().filter(|file| !file.ends_with(".keep")).collect();
        assert_eq!(named, [""; 0], "operation {at}");
    }
}
