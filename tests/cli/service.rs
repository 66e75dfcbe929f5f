//! Several processes over one database: workers run what others start, stop and answer.

mod common;

use common::{Place, Ran};
use serde_json::Value;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PASS: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#;
const WAIT: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Wait", "SecondsPath": "$.seconds", "End": true}}}"#;
const TOKEN: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "End": true, "HeartbeatSeconds": 600,
  "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
  "Parameters": {"QueueUrl": "Jobs", "MessageBody": {"token.$": "$$.Task.Token"}}}}}"#;
const CALL: &str = r#"{"StartAt": "A", "States": {
  "A": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Slow", "Next": "B"},
  "B": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Slow", "End": true}}}"#;
/// A state that works hard, again and again; by itself it would go on for minutes.
const BUSY: &str = r#"{"StartAt": "Sort", "QueryLanguage": "JSONata", "States": {"Sort": {"Type": "Pass", "Next": "Again",
  "Assign": {"n": "{% $count($sort([1..1500], function($a, $b) { $a < $b })) %}"}},
  "Again": {"Type": "Choice", "Default": "End", "Choices": [{"Condition": "{% true %}", "Next": "Sort"}]},
  "End": {"Type": "Succeed"}}}"#;
const SLOW: &str = "import time\n\ndef lambda_handler(event, context):\n    \
                    with open('calls.log', 'a') as log:\n        log.write(context.aws_request_id + '\\n')\n    \
                    time.sleep(event['sleep'])\n    return event\n";

fn place() -> Place {
    let place = Place::empty();
    for (name, text) in [("pass", PASS), ("wait", WAIT), ("token", TOKEN), ("call", CALL), ("busy", BUSY)] {
        place.write(&format!("{name}.asl.json"), text);
    }
    place.write("slow.py", SLOW);
    place.write(
        "asl.toml",
        "[queues.Jobs]\n\n[functions.Slow]\nRuntime = \"python\"\nFile = \"slow.py\"\nTimeout = 60\n",
    );
    place
}

fn start(place: &Place, definition: &str, name: &str, input: &str) -> Ran {
    place.asl_with_stdin(&["start", &format!("{definition}.asl.json"), "--name", name, "--input", "-"], input)
}

/// A worker that is ready; killed when it is dropped.
struct Worker(Child);

impl Worker {
    fn start(place: &Place) -> Worker {
        Worker(place.start_until(&["worker"], "is ready"))
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap().success());
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Its exit code, within the time.
    #[track_caller]
    fn ends_within(mut self, seconds: u64) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it is still running");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until the answer is as wanted; processes see each other's work a moment later.
#[track_caller]
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn calls(place: &Place) -> Vec<String> {
    let log = std::fs::read_to_string(place.path("calls.log")).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

fn token(place: &Place) -> String {
    let messages = until("a message", || {
        let messages = place.asl(&["queue", "peek", "Jobs", "--json"]).json()["Messages"].clone();
        (messages.as_array()?.len() == 1).then_some(messages)
    });
    let body: Value = serde_json::from_str(messages[0]["Body"].as_str().unwrap()).unwrap();
    body["token"].as_str().unwrap().to_owned()
}

fn status(place: &Place, name: &str) -> String {
    place.asl(&["describe", name, "--json"]).json()["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_worker_runs_what_others_start() {
    let place = place();
    let started = start(&place, "pass", "one", r#"{"x": 1}"#);
    assert_eq!(started.ends(0).stdout, "arn:aws:states:us-east-1:000000000000:execution:pass:one\n");
    started.says("hint: no worker is running; `asl worker` runs it");
    assert!(place.asl(&["list"]).stdout.contains("nobody"));
    place.asl(&["wait", "one", "--timeout", "0"]).ends(124).says("nobody runs one now").says("one has not ended yet");

    let worker = Worker::start(&place);
    assert_eq!(place.asl(&["wait", "one", "--timeout", "20"]).ends(0).stdout, "{\"x\":1}\n");
    assert_eq!(start(&place, "wait", "long", r#"{"seconds": 600}"#).ends(0).stderr, "", "there is a worker now");
    until("the worker to take it", || {
        let listed = place.asl(&["list", "--status", "RUNNING"]).stdout;
        listed.contains(&format!("asl worker ({})", worker.0.id())).then_some(())
    });
    let told = place.asl(&["describe", "one", "--json"]).json();
    for (key, value) in [("status", "SUCCEEDED"), ("name", "one"), ("input", "{\"x\": 1}"), ("output", "{\"x\":1}")] {
        assert_eq!(told[key], value, "{told}");
    }
    assert_eq!(told["inputDetails"]["included"], true);
    assert_eq!(told["redriveStatusReason"], "Execution is SUCCEEDED and cannot be redriven");
    assert!(place.asl(&["describe", "long"]).stdout.contains("RUNNING, run by asl worker"));
    // The same name is refused while the worker is at work, as it is without.
    start(&place, "pass", "one", "{}").ends(2).says("an execution named 'one' exists already");
    worker.signal("-TERM");
    assert_eq!(worker.ends_within(20), Some(0));
    assert!(place.asl(&["list"]).stdout.contains("nobody"), "a worker that was stopped holds nothing");
    place.asl(&["replay", "--all"]).ends(0);
}

#[test]
fn a_stop_reaches_whoever_runs_it_or_is_done_here() {
    let place = place();
    start(&place, "wait", "unowned", r#"{"seconds": 600}"#);
    start(&place, "call", "uncalled", r#"{"sleep": 60}"#);
    let stopped = place.asl(&["stop", "unowned", "--error", "Enough", "--cause", "of it", "--json"]);
    assert!(stopped.ends(0).json()["stopDate"].is_string());
    place.asl(&["stop", "uncalled"]).ends(0);
    assert_eq!(calls(&place), Vec::<String>::new(), "no task is begun for a stop");
    let told = place.asl(&["describe", "unowned", "--json"]).json();
    assert_eq!(
        (&told["status"], &told["error"], &told["cause"]),
        (&"ABORTED".into(), &"Enough".into(), &"of it".into())
    );

    let _worker = Worker::start(&place);
    for (definition, name, input) in [("wait", "owned", r#"{"seconds": 600}"#), ("call", "called", r#"{"sleep": 60}"#)]
    {
        start(&place, definition, name, input);
    }
    until("the function to be called", || (calls(&place).len() == 1).then_some(()));
    for name in ["owned", "called"] {
        place.asl(&["stop", name, "--error", "Enough"]).ends(0);
        assert_eq!(status(&place, name), "ABORTED");
    }
    // What has ended stays as it is.
    place.asl(&["stop", "owned", "--error", "Other"]).ends(0).says("owned has ended already: ABORTED");
    assert_eq!(place.asl(&["describe", "owned", "--json"]).json()["error"], "Enough");
    place.asl(&["wait", "owned"]).ends(1).says("the execution was aborted: Enough");
    place.asl(&["replay", "--all"]).ends(0);
}

#[test]
fn a_stop_from_another_process_reaches_asl_run() {
    let place = place();
    place.write("input.json", r#"{"seconds": 600}"#);
    let run = place.start_until(&["run", "wait.asl.json", "-i", "input.json", "--name", "mine"], "entered");
    place.asl(&["stop", "mine", "--error", "Enough"]).ends(0);
    let ran: Ran = run.wait_with_output().unwrap().into();
    ran.ends(1).says("the execution was aborted: Enough");
}

#[test]
fn task_tokens_are_answered_from_other_processes() {
    let place = place();
    start(&place, "token", "asks", "{}");
    let worker = Worker::start(&place);
    let token = token(&place);
    let send = |args: &[&str]| place.asl(args);
    send(&["send-task-success", "--task-token", "none", "--task-output", "1"]).ends(2).says("InvalidToken");
    send(&["send-task-success", "--task-token", &token, "--task-output", "{"]).ends(2).says("is not JSON");
    send(&["send-task-heartbeat", "--task-token", &token]).ends(0);
    worker.kill();
    // An answer needs no worker to be safe, and counts once.
    send(&["send-task-success", "--task-token", &token, "--task-output", r#"{"big": 12345678901234567890123}"#])
        .ends(0);
    send(&["send-task-failure", "--task-token", &token, "--error", "Late"]).ends(2).says("TaskTimedOut");
    let _worker = Worker::start(&place);
    let ended = place.asl(&["wait", "asks", "--timeout", "20"]);
    assert_eq!(ended.ends(0).stdout, "{\"big\":12345678901234567890123}\n");
    send(&["send-task-heartbeat", "--task-token", &token]).ends(2).says("TaskTimedOut");
    // The crash did not make the task ask again.
    assert_eq!(place.asl(&["queue", "peek", "Jobs", "--json"]).json()["Messages"].as_array().unwrap().len(), 1);
    place.asl(&["replay", "--all"]).ends(0);
}

#[test]
fn another_worker_takes_over_from_one_that_was_killed() {
    let place = place();
    let (first, second) = (Worker::start(&place), Worker::start(&place));
    start(&place, "call", "one", r#"{"sleep": 0.5}"#);
    until("the call", || (calls(&place).len() == 1).then_some(()));
    let owner = place.asl(&["list"]).stdout;
    let (owner, other) = if owner.contains(&format!("({})", first.0.id())) { (first, second) } else { (second, first) };
    // While its owner lives nobody else touches it, `asl resume` neither.
    let resumed = place.asl(&["resume"]);
    assert_eq!(resumed.ends(0).stdout, "");
    resumed.says(&format!("1 execution left to asl worker (process {}), which is running", owner.0.id()));
    start(&place, "call", "two", r#"{"sleep": 600}"#);
    until("the second call", || (calls(&place).len() >= 3).then_some(()));
    owner.kill();
    let before = Instant::now();
    place.asl(&["stop", "two"]).ends(0);
    place.asl(&["wait", "one", "--timeout", "20"]).ends(0);
    assert!(before.elapsed() < Duration::from_secs(15), "nobody waits for a lease of the dead");
    drop(other);
    let calls = calls(&place);
    let distinct: std::collections::BTreeSet<&String> = calls.iter().collect();
    assert_eq!(distinct.len(), 3, "a call that is repeated has the same request id: {calls:?}");
    place.asl(&["replay", "--all"]).ends(0);
}

#[test]
fn a_drain_lets_tasks_end_and_begins_none() {
    let place = place();
    let mut worker = Worker::start(&place);
    let mut said = worker.0.stderr.take().unwrap();
    start(&place, "call", "one", r#"{"sleep": 1}"#);
    until("the call", || (calls(&place).len() == 1).then_some(()));
    worker.signal("-INT");
    assert_eq!(worker.ends_within(20), Some(0));
    let mut told = String::new();
    said.read_to_string(&mut told).unwrap();
    assert!(told.contains("stopped; 1 open execution in "), "{told}");
    let history = place.asl(&["history", "one", "--json"]).json();
    let kinds: Vec<&str> =
        history["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"LambdaFunctionSucceeded"), "what came was written: {kinds:?}");
    assert_eq!(calls(&place).len(), 1, "the next task was not begun");
    place.asl(&["resume"]).ends(0);
    assert_eq!(calls(&place).len(), 2, "and the first one not repeated");
}

#[test]
fn resume_answers_from_mocks() {
    let place = place();
    start(&place, "call", "one", "{}");
    let mocks = r#"{"StateMachines": {"call": {"TestCases": {"Fast": {"A": "Fast", "B": "Fast"}}}},
                    "MockedResponses": {"Fast": {"0": {"Return": {"fast": true}}}}}"#;
    place.write("mocks.json", mocks);
    assert_eq!(place.asl(&["resume", "--mock", "mocks.json", "-q"]).ends(0).stdout, "one  SUCCEEDED\n");
    assert_eq!(calls(&place), Vec::<String>::new());
    for (definition, name) in [("call", "two"), ("wait", "three")] {
        start(&place, definition, name, r#"{"seconds": 600}"#);
    }
    let several = place.asl(&["resume", "--mock", "mocks.json"]);
    several.ends(2).says("executions of several state machines are open: call, wait");
}

#[test]
fn a_look_into_a_queue_changes_nothing() {
    let place = place();
    start(&place, "token", "asks", "{}");
    let worker = Worker::start(&place);
    token(&place);
    worker.kill();
    let before = std::fs::read(place.path(".asl/asl.db")).unwrap();
    // While another process holds the lock for writing, a look need not wait.
    let lock = "import sqlite3, subprocess, sys\nc = sqlite3.connect('.asl/asl.db', isolation_level=None)\n\
                c.execute('BEGIN IMMEDIATE')\nsys.exit(subprocess.call(sys.argv[1:]))\n";
    let mut command = Command::new("python3");
    command.args(["-c", lock, env!("CARGO_BIN_EXE_asl"), "queue", "peek", "Jobs", "--json"]);
    let peeked: Ran = command.current_dir(place.path("")).output().unwrap().into();
    assert_eq!(peeked.ends(0).json()["Messages"].as_array().unwrap().len(), 1);
    assert_eq!(std::fs::read(place.path(".asl/asl.db")).unwrap().len(), before.len());
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let place = place();
    let worker = Worker::start(&place);
    start(&place, "call", "one", r#"{"sleep": 50}"#);
    until("the call", || (calls(&place).len() == 1).then_some(()));
    worker.signal("-INT");
    std::thread::sleep(Duration::from_millis(200));
    worker.signal("-INT");
    assert_eq!(worker.ends_within(5), Some(130));
}

#[test]
fn a_drain_ends_in_time() {
    let place = place();
    let mut command = place.command(&["worker", "--drain-timeout", "1"]);
    let worker = Worker(command.stderr(Stdio::null()).spawn().unwrap());
    start(&place, "call", "one", r#"{"sleep": 50}"#);
    until("the call", || (calls(&place).len() == 1).then_some(()));
    worker.signal("-TERM");
    assert_eq!(worker.ends_within(8), Some(0));
    assert_eq!(status(&place, "one"), "RUNNING");
}

/// Three executions that work hard starve nobody: another one ends, they are stopped, and so is the worker, each at once.
#[test]
fn a_worker_that_works_hard_hears_a_start_a_stop_and_a_signal() {
    let place = place();
    let worker = Worker::start(&place);
    for name in ["busy-1", "busy-2", "busy-3"] {
        start(&place, "busy", name, "{}").ends(0);
    }
    let began = Instant::now();
    start(&place, "pass", "quick", "{}").ends(0);
    place.asl(&["wait", "quick", "--timeout", "20"]).ends(0);
    place.asl(&["stop", "busy-1"]).ends(0);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let stopped = place.asl(&["describe", "busy-1", "--json"]).json();
    assert_eq!(stopped["status"], "ABORTED");
    let asked = Instant::now();
    worker.signal("-TERM");
    assert_eq!(worker.ends_within(10), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "not the drain timeout: {:?}", asked.elapsed());
    // Nobody runs the others, and they can be stopped all the same.
    place.asl(&["stop", "busy-2"]).ends(0);
    place.asl(&["replay", "busy-2"]).ends(0);
}

#[test]
fn a_test_case_that_works_hard_times_out() {
    let place = place();
    place.write("busy.test.yaml", "cases:\n  ends:\n    expect: {status: SUCCEEDED}\n");
    let began = Instant::now();
    let ran = place.asl(&["test", "busy.test.yaml", "--timeout", "1"]);
    ran.ends(1);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
