//! One database, several processes, and files that others reach: who may read, answer and take what.

mod common;

use common::{Place, Ran};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const TOKEN: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
  "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
  "Parameters": {"QueueUrl": "Jobs", "MessageBody": {"token.$": "$$.Task.Token"}}}}}"#;
const PASS: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#;
const YAML: &str = "\
# A comment that JSON does not have.
StartAt: Long
States:
  Long:
    Type: Wait
    Seconds: 3
    Next: Choose
  Choose:
    Type: Choice
    Choices:
      - Variable: $.fail
        BooleanEquals: true
        Next: Refuse
    Default: Done
  Refuse:
    Type: Fail
    Error: Refused
  Done:
    Type: Succeed
";
const EACH: &str = r#"{"StartAt": "Each", "States": {"Each": {"Type": "Map", "End": true, "Label": "Each",
  "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "One",
                    "States": {"One": {"Type": "Pass", "Next": "Two"}, "Two": {"Type": "Pass", "End": true}}}}}}"#;

fn place(definitions: &[(&str, &str)]) -> Place {
    let place = Place::empty();
    place.write("asl.toml", "[queues.Jobs]\n");
    for (name, text) in definitions {
        place.write(name, text);
    }
    place
}

/// A process that is ready; killed when it is dropped.
struct Worker(Child);

impl Worker {
    fn start(place: &Place, args: &[&str]) -> Worker {
        Worker(place.start_until(&[&["worker"], args].concat(), "is ready"))
    }

    /// How it ends by itself, and what it said since it was ready.
    fn ends_within(mut self, seconds: u64) -> Ran {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it is still running");
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut ran =
            Ran { code: self.0.wait().unwrap().code().unwrap_or(-1), stdout: String::new(), stderr: String::new() };
        std::io::Read::read_to_string(self.0.stderr.as_mut().unwrap(), &mut ran.stderr).unwrap();
        ran
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

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

fn start(place: &Place, definition: &str, name: &str) -> Ran {
    place.asl(&["start", definition, "--name", name])
}

/// The newest token that is in the queue, when there are so many.
fn token(place: &Place, count: usize) -> String {
    let messages = until("a message", || {
        let messages = place.asl(&["queue", "peek", "Jobs", "--json"]).json()["Messages"].clone();
        (messages.as_array()?.len() == count).then_some(messages)
    });
    let body: Value = serde_json::from_str(messages[count - 1]["Body"].as_str().unwrap()).unwrap();
    body["token"].as_str().unwrap().to_owned()
}

/// Three commands answer at once; the number of the one that was told yes.
fn answer_at_once(place: &Place, token: &str) -> usize {
    let senders: Vec<Child> = (0..3)
        .map(|n| {
            let args = ["send-task-success", "--task-token", token, "--task-output", &n.to_string()];
            place.command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ended: Vec<Ran> = senders.into_iter().map(|sender| sender.wait_with_output().unwrap().into()).collect();
    let taken: Vec<usize> = (0..3).filter(|n| ended[*n].code == 0).collect();
    assert_eq!(taken.len(), 1, "acknowledged: {taken:?}");
    for refused in ended.iter().filter(|ran| ran.code != 0) {
        refused.ends(2).says("TaskTimedOut");
    }
    taken[0]
}

#[test]
fn of_three_commands_that_answer_at_once_one_is_told_yes() {
    let place = place(&[("token.asl.json", TOKEN)]);
    let mut worker = Some(Worker::start(&place, &[]));
    let mut winners = Vec::new();
    for n in 0..6 {
        // With a worker, and without one.
        let name = format!("e{n}");
        worker.get_or_insert_with(|| Worker::start(&place, &[]));
        start(&place, "token.asl.json", &name).ends(0);
        let token = token(&place, n + 1);
        if n % 2 == 1 {
            worker = None;
        }
        winners.push((name, answer_at_once(&place, &token)));
        let late = place.asl(&["send-task-failure", "--task-token", &token, "--error", "Late"]);
        late.ends(2).says("TaskTimedOut");
    }
    let _worker = worker.unwrap_or_else(|| Worker::start(&place, &[]));
    for (name, winner) in winners {
        let ended = place.asl(&["wait", &name, "--timeout", "20"]);
        assert_eq!(ended.ends(0).stdout, format!("{winner}\n"), "{name}");
    }
    place.asl(&["replay", "--all"]).ends(0);
}

#[test]
fn the_key_of_the_tokens_is_shown_nowhere() {
    let place = place(&[("token.asl.json", TOKEN)]);
    let mut command = place.command(&["worker"]);
    let log = std::fs::File::create(place.path("worker.log")).unwrap();
    let worker = Worker(command.env("ASL_LOG", "trace").stderr(log).spawn().unwrap());
    let mut shown = start(&place, "token.asl.json", "one").ends(0).stdout.clone();
    let token = token(&place, 1);
    let records = place.asl(&["history", "one", "--records"]);
    records.ends(0).says("these records hold the key of the task tokens of one, which has not ended");
    let key = records.stdout.split("\"token_key\":\"").nth(1).unwrap()[..64].to_owned();
    for args in [
        &["history", "one", "--json"][..],
        &["history", "one"],
        &["describe", "one", "--json"],
        &["describe", "one"],
        &["list", "--json"],
        &["list"],
        &["replay", "one", "--json"],
        &["send-task-heartbeat", "--task-token", &token],
        &["send-task-success", "--task-token", &token, "--task-output", "1"],
    ] {
        let ran = place.command(args).env("ASL_LOG", "trace").output().unwrap();
        let ran: Ran = ran.into();
        shown += &ran.ends(0).stdout;
        shown += &ran.stderr;
    }
    place.asl(&["wait", "one", "--timeout", "20"]).ends(0);
    drop(worker);
    shown += &std::fs::read_to_string(place.path("worker.log")).unwrap();
    assert!(!shown.contains(&key) && !shown.contains(&key[..16]), "{shown}");
    // What was kept replays by itself, and of one that has ended nothing is to be kept back.
    let kept = place.asl(&["history", "one", "--records"]);
    assert_eq!(kept.ends(0).stderr, "");
    place.write("kept/one.jsonl", &kept.stdout);
    place.asl(&["replay", "kept/one.jsonl"]).ends(0);
}

#[test]
fn an_execution_of_a_yaml_definition_is_read_back_by_every_command() {
    let place =
        place(&[("long.asl.yaml", YAML), ("go.json", r#"{"fail": false}"#), ("fail.json", r#"{"fail": true}"#)]);
    // The wait is so long that it leaves memory.
    place.asl(&["run", "long.asl.yaml", "-i", "go.json", "--name", "ran"]).ends(0);
    let worker = Worker::start(&place, &[]);
    for (input, name) in [("go.json", "worked"), ("fail.json", "failed"), ("go.json", "stopped")] {
        place.asl(&["start", "long.asl.yaml", "-i", input, "--name", name]).ends(0);
    }
    place.asl(&["stop", "stopped"]).ends(0);
    place.asl(&["wait", "worked", "--timeout", "20"]).ends(0);
    place.asl(&["wait", "failed", "--timeout", "20"]).ends(1).says("Refused");
    drop(worker);
    place.asl(&["start", "long.asl.yaml", "-i", "go.json", "--name", "unowned"]).ends(0);
    place.asl(&["start", "long.asl.yaml", "-i", "go.json", "--name", "unowned-too"]).ends(0);
    place.asl(&["stop", "unowned-too"]).ends(0);
    assert_eq!(place.asl(&["resume", "-q"]).ends(0).stdout, "unowned  SUCCEEDED\n");
    place.asl(&["redrive", "failed", "-q"]).ends(1);
    place.asl(&["replay", "--all"]).ends(0);
    place.asl(&["replay", "ran", "--definition", "long.asl.yaml"]).ends(0);
    assert!(place.asl(&["graph", "long.asl.yaml", "--execution", "ran"]).ends(0).stdout.contains("Choose"));
    for command in ["describe", "history"] {
        place.asl(&[command, "worked"]).ends(0);
    }
    let kept = place.asl(&["history", "failed", "--records"]);
    place.write("kept/failed.jsonl", &kept.ends(0).stdout);
    place.asl(&["replay", "kept"]).ends(0);
    // Tampered with: the difference is shown at its place in the YAML text.
    let script = "import sqlite3\nc = sqlite3.connect('.asl/asl.db')\n\
                  c.execute(\"UPDATE definition SET text = replace(text, 'Error: Refused', 'Error: Rejected')\")\nc.commit()\n";
    assert!(Command::new("python3").args(["-c", script]).current_dir(place.path("")).status().unwrap().success());
    place.asl(&["replay", "failed"]).ends(1).says_all(&["long (as it ran):15:3", "  Refuse:", "+ \"Rejected\""]);
}

#[test]
fn a_worker_says_what_it_cannot_load_or_run_and_others_take_it() {
    let place = place(&[("pass.asl.json", PASS), ("token.asl.json", TOKEN)]);
    place.write("old/asl.toml", "");
    let database = place.path(".asl/asl.db");
    let database = database.to_str().unwrap();
    start(&place, "token.asl.json", "new").ends(0);
    start(&place, "pass.asl.json", "damaged").ends(0);
    let script = "import sqlite3\nc = sqlite3.connect('.asl/asl.db')\n\
                  c.execute('UPDATE journal SET checksum = checksum + 1 WHERE execution = 2')\nc.commit()\n";
    assert!(Command::new("python3").args(["-c", script]).current_dir(place.path("")).status().unwrap().success());
    // Its project has no such queue: a version of it that is being replaced.
    let log = std::fs::File::create(place.path("old.log")).unwrap();
    let mut command = place.command(&["worker", "-q", "--project", "old/asl.toml", "--db", database]);
    let _old = Worker(command.stderr(log).spawn().unwrap());
    start(&place, "pass.asl.json", "both").ends(0);
    place.asl(&["wait", "both", "--timeout", "20"]).ends(0);
    let said = until("two warnings", || {
        let said = std::fs::read_to_string(place.path("old.log")).unwrap();
        (said.matches("warning: ").count() == 2).then_some(said)
    });
    assert!(said.contains("executions of `token` cannot run here, and are left to others"), "{said}");
    assert!(said.contains("execution:pass:damaged cannot be loaded, and is left to others: record 1 of"), "{said}");
    let new = Worker::start(&place, &[]);
    let token = token(&place, 1);
    place.asl(&["send-task-success", "--task-token", &token, "--task-output", "1"]).ends(0);
    place.asl(&["wait", "new", "--timeout", "20"]).ends(0);
    assert_eq!(std::fs::read_to_string(place.path("old.log")).unwrap(), said, "each is told once");
    drop(new);
}

#[test]
fn children_of_a_distributed_map_are_listed_and_drawn_when_they_are_asked_for() {
    let place =
        place(&[("each.asl.json", EACH), ("pass.asl.json", PASS), ("items.json", "[1, 2, 3]"), ("two.json", "[1, 2]")]);
    place.asl(&["run", "each.asl.json", "-i", "items.json", "--name", "three", "-q"]).ends(0);
    place.asl(&["run", "each.asl.json", "-i", "two.json", "--name", "two", "-q"]).ends(0);
    let names = |args: &[&str]| -> Vec<String> {
        let listed = place.asl(&[&["list", "--json"], args].concat()).ends(0).json();
        listed["executions"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["two", "three"]);
    assert_eq!(names(&["--children"]).len(), 5);
    assert!(place.asl(&["describe"]).ends(0).stdout.contains("name     two\n"), "the last one is no child");
    let history = place.asl(&["history", "three", "--json"]).json();
    let map_run =
        history["events"].as_array().unwrap().iter().find_map(|e| e["mapRunStartedEventDetails"]["mapRunArn"].as_str());
    let map_run = map_run.unwrap().to_owned();
    let children = names(&["--map-run", &map_run]);
    assert_eq!(children.len(), 3);
    assert_eq!(names(&["--map-run", &map_run, "--limit", "2"]), children[..2]);
    assert_eq!(names(&["--map-run", &map_run, "--status", "FAILED"]), Vec::<String>::new());
    place
        .asl(&["list", "--map-run", "arn:aws:states:us-east-1:000000000000:mapRun:each/Each:none"])
        .ends(2)
        .says("there is no map run");
    place.asl(&["list", "--map-run", &map_run, "--children"]).ends(2);

    let child = &children[0];
    let drawn = place.asl(&["graph", "each.asl.json", "--execution", child]);
    assert!(
        drawn.ends(0).stdout.contains("One") && drawn.stdout.contains("Two") && !drawn.stdout.contains("Each"),
        "{}",
        drawn.stdout
    );
    assert!(drawn.stdout.contains("Start") && drawn.stdout.contains("End"), "{}", drawn.stdout);
    for format in ["svg", "mermaid", "dot"] {
        assert!(
            place.asl(&["graph", "each.asl.json", "--execution", child, "-f", format]).ends(0).stdout.contains("One")
        );
    }
    assert!(place.asl(&["graph", "each.asl.json", "--execution", "three"]).ends(0).stdout.contains("Each"));
    place.asl(&["graph", "pass.asl.json", "--execution", child]).ends(2).says("is one of `each/Each`, not of `pass`");
    assert!(place.asl(&["describe", child]).ends(0).stdout.contains("execution:each/Each:"));
    place.asl(&["redrive", child]).ends(2).says("it is a child of a map run");
}

#[test]
fn a_name_that_two_executions_have_is_refused_by_every_command() {
    let place = place(&[("pass.asl.json", PASS), ("token.asl.json", TOKEN)]);
    for definition in ["pass.asl.json", "token.asl.json"] {
        start(&place, definition, "same").ends(0);
    }
    let arn = |machine: &str| format!("arn:aws:states:us-east-1:000000000000:execution:{machine}:same");
    for args in [
        &["stop", "same"][..],
        &["describe", "same"],
        &["history", "same"],
        &["wait", "same"],
        &["redrive", "same"],
        &["replay", "same"],
        &["graph", "pass.asl.json", "--execution", "same"],
        &["describe", "sam"],
    ] {
        let refused = place.asl(args);
        refused.ends(2).says_all(&[
            "several executions",
            &arn("pass"),
            &arn("token"),
            "name the one that is meant by its ARN",
        ]);
    }
    assert_eq!(place.asl(&["list", "--status", "RUNNING", "--json"]).json()["executions"].as_array().unwrap().len(), 2);
    place.asl(&["stop", &arn("token")]).ends(0);
    assert_eq!(place.asl(&["describe", &arn("token"), "--json"]).json()["status"], "ABORTED");
}

#[test]
fn what_is_in_the_folder_is_its_owners_alone() {
    let place = place(&[("pass.asl.json", PASS)]);
    let _worker = Worker::start(&place, &[]);
    start(&place, "pass.asl.json", "one").ends(0);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.path(".asl")), 0o700);
    let files: Vec<_> = std::fs::read_dir(place.path(".asl")).unwrap().flatten().map(|file| file.path()).collect();
    assert!(files.len() >= 5, "database, log, its index, a lock, .gitignore: {files:?}");
    for file in files.iter().filter(|file| !file.ends_with(".gitignore")) {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(std::fs::read_to_string(place.path(".asl/.gitignore")).unwrap(), "*\n");
}

#[test]
fn a_database_that_goes_away_ends_its_worker_with_a_word() {
    for replaced in [false, true] {
        let place = place(&[("pass.asl.json", PASS)]);
        let worker = Worker::start(&place, &[]);
        if replaced {
            // In one step: a file that is first taken away is told as deleted.
            std::fs::write(place.path("other"), "").unwrap();
            std::fs::rename(place.path("other"), place.path(".asl/asl.db")).unwrap();
        } else {
            std::fs::remove_file(place.path(".asl/asl.db")).unwrap();
        }
        let what = if replaced { "was replaced by another file" } else { "was deleted or moved away" };
        worker
            .ends_within(5)
            .ends(2)
            .says(&format!(".asl/asl.db {what} while it was in use"))
            .says("hint: put it back");
    }
}

#[test]
fn what_names_no_file_is_no_database_for_any_command() {
    let place = place(&[("pass.asl.json", PASS)]);
    for name in [":memory:", "file:x.db", "file::memory:?cache=shared"] {
        for args in [
            &["start", "pass.asl.json"][..],
            &["run", "pass.asl.json"],
            &["worker"],
            &["list"],
            &["stop", "x"],
            &["resume"],
            &["send-task-heartbeat", "--task-token", "x"],
            &["purge", "--before", "1d"],
            &["db", "check"],
            &["db", "vacuum"],
            &["db", "backup", "copy.db"],
            &["down", "--yes"],
        ] {
            place.asl(&[args, &["--db", name]].concat()).ends(2).says("names no file").says("hint: name a file");
        }
    }
    let left: Vec<_> = std::fs::read_dir(place.path("")).unwrap().flatten().map(|file| file.file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_limit_of_file_size_is_an_error_and_not_the_end() {
    let place = place(&[("pass.asl.json", PASS)]);
    place.write("big.json", &format!("{:?}", "x".repeat(200_000)));
    // 64 blocks of 1024 bytes: the database's first pages fit.
    let script = "ulimit -f 128; exec \"$0\" run pass.asl.json -i big.json";
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_asl")]).current_dir(place.path(""));
    let ran = command.output().unwrap();
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(said.contains("error: the database") && said.contains("hint: check the file"), "{said}");
    place.asl(&["run", "pass.asl.json", "-i", "big.json", "-q"]).ends(0);
}
