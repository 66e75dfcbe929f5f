//! Deleting what ended, looking after a database, taking a project down.

mod common;

use common::Place;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

const PASS: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#;
const FAIL: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Fail"}}}"#;

fn place() -> Place {
    let place = Place::empty();
    place.write("good.asl.json", PASS);
    place.write("bad.asl.json", FAIL);
    for (file, name) in
        [("good.asl.json", "g1"), ("bad.asl.json", "b1"), ("good.asl.json", "g2"), ("good.asl.json", "g3")]
    {
        place.asl(&["run", file, "-n", name, "-q"]);
    }
    place
}

fn names(place: &Place) -> Vec<String> {
    let listed = place.asl(&["list", "--json"]).json();
    listed["executions"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_ended_is_deleted_when_it_is_meant() {
    let place = place();
    let tomorrow = "2999-01-01";
    place.asl(&["purge", "--before", "1d", "--yes"]).ends(0);
    let dry = place.asl(&["purge", "--before", tomorrow]);
    assert_eq!(dry.ends(0).says("--yes does it").stdout, "3 executions would be deleted\n");
    assert_eq!(names(&place), ["g3", "g2", "b1", "g1"], "nothing was deleted so far");
    let told = place.asl(&["purge", "--before", tomorrow, "--status", "FAILED", "--json"]).json();
    assert_eq!(told, json!({"executions": 1, "deleted": false, "kept": []}));
    assert_eq!(
        place.asl(&["purge", "--before", tomorrow, "--status", "FAILED", "--yes"]).ends(0).stdout,
        "1 execution deleted\n"
    );
    assert_eq!(names(&place), ["g3", "g2", "g1"]);
    place.asl(&["history", "b1"]).ends(2).says("there is no execution `b1`");
    assert_eq!(place.asl(&["purge", "--before", tomorrow, "--of", "bad", "--yes"]).stdout, "0 executions deleted\n");
    // The last one stays, so that its number is not given again.
    let told = place.asl(&["purge", "--before", tomorrow, "--of", "good", "--json"]).json();
    assert_eq!(told, json!({"executions": 2, "deleted": false, "kept": ["g3"]}));
    let kept = place.asl(&["purge", "--before", tomorrow, "--of", "good", "--yes"]);
    assert_eq!(kept.says("g3 is kept: the database counts on").stdout, "2 executions deleted\n");
    assert_eq!(names(&place), ["g3"]);
    assert_eq!(place.asl(&["db", "check"]).ends(0).stdout.split(',').next(), Some("ok: 1 execution"));
    place.asl(&["run", "good.asl.json", "-n", "g1", "-q"]).ends(0);
    place.asl(&["replay", "--all"]).ends(0);
    place.asl(&["purge", "--before", "1d", "--status", "RUNNING"]).ends(2).says("cannot be deleted");
    place.asl(&["purge"]).ends(2).says("--before");
}

#[test]
fn what_runs_and_what_belongs_to_it_stays() {
    let place = Place::empty();
    let map = r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "Next": "W", "ItemProcessor": {
      "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}},
      "W": {"Type": "Wait", "Seconds": 600, "End": true}}}"#;
    place.write("m.asl.json", map);
    place.write("good.asl.json", PASS);
    let mut run = place.start_until(&["run", "m.asl.json", "-i", r#"{"items": [1, 2]}"#, "-n", "parent"], "W  ");
    place.asl(&["run", "good.asl.json", "-q"]).ends(0);
    assert_eq!(
        place.asl(&["purge", "--before", "2999-01-01"]).stdout,
        "0 executions would be deleted\n",
        "children stay with their parent"
    );
    place.asl(&["down", "--yes"]).ends(2).says("is working on .asl/asl.db").says("nothing was deleted");
    place.asl(&["stop", "parent"]).ends(0);
    run.wait().unwrap();
    let count = |args: &[&str]| place.asl(&[&["purge", "--before", "2999-01-01"], args].concat()).stdout;
    assert_eq!(
        count(&[]),
        "0 executions would be deleted\n",
        "the parent wrote last, so it stays, and its children with it"
    );
    let told = place.asl(&["purge", "--before", "2999-01-01"]);
    assert!(
        told.stderr.starts_with("parent and ") && told.stderr.contains(" are kept: the database"),
        "{}",
        told.stderr
    );
    place.asl(&["run", "good.asl.json", "-q"]).ends(0);
    assert_eq!(count(&["--of", "m", "--status", "SUCCEEDED"]), "0 executions would be deleted\n");
    assert_eq!(count(&["--of", "m"]), "3 executions would be deleted\n");
    assert_eq!(count(&["--yes"]), "4 executions deleted\n");
    assert!(place.asl(&["db", "check"]).ends(0).stdout.starts_with("ok: 1 execution, "));
}

#[test]
fn a_worker_keeps_what_the_project_says() {
    let place = place();
    place.write("asl.toml", "[retention]\nDays = 0\nFailedDays = 1\n");
    let mut worker = place.start_until(&["worker"], "2 executions deleted, as [retention] says");
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert_eq!(names(&place), ["g3", "b1"], "those that failed are kept longer, and the last one stays");
    place.write("asl.toml", "[retention]\nDyas = 1\n");
    place.asl(&["list", "--project", "asl.toml"]).ends(0);
    place.asl(&["worker"]).ends(2).says("unknown key `Dyas`").says("did you mean `Days`?");
}

#[test]
fn a_database_is_checked_copied_and_made_small() {
    let place = place();
    let checked = place.asl(&["db", "check", "--json"]).json();
    assert_eq!((&checked["executions"], &checked["problems"]), (&json!(4), &json!([])));
    place.asl(&["db", "backup", "copy.db"]).ends(0).says("copy.db: ");
    place.asl(&["db", "backup", "copy.db"]).ends(2).says("the copy cannot be written").says("exists already");
    let mode = std::fs::metadata(place.path("copy.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the keys of task tokens are in it");
    for name in [":memory:", "file:copy.db"] {
        place.asl(&["db", "backup", name]).ends(2).says("names no file");
    }
    assert!(place.asl(&["list", "--db", "copy.db"]).ends(0).stdout.contains("b1"));
    place.asl(&["replay", "--all", "--db", "copy.db"]).ends(0);
    assert!(place.asl(&["db", "vacuum"]).ends(0).stdout.starts_with(".asl/asl.db: "));
    assert_eq!(names(&place).len(), 4);
    // Half of the file is lost.
    let bytes = std::fs::read(place.path("copy.db")).unwrap();
    std::fs::write(place.path("copy.db"), &bytes[..bytes.len() / 2]).unwrap();
    let ran = place.asl(&["db", "check", "--db", "copy.db"]);
    assert!(ran.code != 0 && ran.stderr.contains("error: "), "{}", ran.stderr);
}

#[test]
fn a_project_is_taken_down_after_asking() {
    let place = place();
    place.asl(&["down"]).ends(2).says("this deletes .asl/asl.db with 4 executions").says("hint: --yes");
    assert!(place.path(".asl/asl.db").exists());
    place.asl(&["down", "--yes"]).ends(0).says("deleted");
    assert!(!place.path(".asl").exists() && place.path("good.asl.json").exists());
    place.asl(&["run", "good.asl.json", "-q", "--db", "other.db"]).ends(0);
    place.asl(&["down", "--yes", "--db", "other.db"]).ends(0);
    assert!(!place.path("other.db").exists() && place.path("good.asl.json").exists());
    place.asl(&["down", "--db", "other.db"]).ends(0).says("nothing to delete");
}

#[test]
fn every_command_that_prints_has_json() {
    let place = place();
    let vacuum = place.asl(&["db", "vacuum", "--json"]).ends(0).json();
    assert!(vacuum["bytes"].as_u64() <= vacuum["bytesBefore"].as_u64(), "{vacuum}");
    let backup = place.asl(&["db", "backup", "copy.db", "--json"]).ends(0).json();
    assert_eq!((&backup["file"], backup["bytes"].as_u64() > Some(0)), (&json!("copy.db"), true));
    let down = place.asl(&["down", "--yes", "--json"]);
    assert_eq!(down.ends(0).says("with 4 executions,").json(), json!({"deleted": [".asl"]}));
    let again = place.asl(&["down", "--yes", "--json", "--db", ".asl/asl.db"]);
    assert_eq!(again.ends(0).json(), json!({"deleted": []}));
    let empty = Place::empty();
    let init = empty.asl(&["init", "--empty", "--json"]).ends(0).json();
    assert_eq!(init["files"].as_array().unwrap().len(), 4, "{init}");
    empty.asl(&["run", "main.asl.json", "-q"]).ends(0);
    assert_eq!(
        empty.asl(&["down"]).stderr.lines().next(),
        Some("this deletes .asl/asl.db with 1 execution, the items of its tables and the messages of its queues")
    );
}

#[test]
fn an_empty_list_says_why() {
    let place = Place::empty();
    place.write("good.asl.json", PASS);
    place.asl(&["run", "good.asl.json", "-q", "-n", "x"]).ends(0);
    place.asl(&["list", "--status", "FAILED"]).ends(0).says("no execution is like that");
    let other = Place::empty();
    other.write("asl.toml", "[queues.Q]\n");
    other.asl(&["queue", "send", "Q", "text"]).ends(0);
    other.asl(&["list"]).ends(0).says("there is no execution yet; `asl run DEFINITION` starts one");
}

#[test]
fn a_file_that_is_no_database_is_called_so() {
    let place = Place::empty();
    for text in ["x", "no database at all, whatever its name says, and as long as one page of it might be"] {
        place.write("asl.toml", "");
        place.write(".asl/asl.db", text);
        place.asl(&["list"]).ends(2).says(".asl/asl.db is not").says("database");
        assert_eq!(std::fs::read_to_string(place.path(".asl/asl.db")).unwrap(), text);
    }
}
