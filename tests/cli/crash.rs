//! A process that is killed or interrupted in the middle of a run leaves a database that opens, lists, replays and goes on.

mod common;

use common::Place;
use std::process::Command;

/// A table item, then a wait that gives the killer time, then another item.
const SLOW: &str = r#"{"StartAt": "Before", "States": {
  "Before": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "ResultPath": null, "Next": "Pause",
             "Parameters": {"TableName": "Items", "Item": {"id": {"S": "before"}}}},
  "Pause": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "After"},
  "After": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "ResultPath": null, "End": true,
            "Parameters": {"TableName": "Items", "Item": {"id": {"S": "after"}}}}}}"#;

fn place(seconds: u32) -> Place {
    let place = Place::empty();
    place.write("slow.asl.json", SLOW);
    place.write("asl.toml", "[tables.Items]\nHashKey = \"id\"\n");
    place.write("input.json", &format!("{{\"seconds\": {seconds}}}"));
    place
}

const RUN: &[&str] = &["run", "slow.asl.json", "--input", "input.json", "--name", "slow"];

#[test]
fn kill_9_leaves_a_database_that_opens_lists_and_replays() {
    let place = place(600);
    let mut child = place.start_until(RUN, "Pause");
    child.kill().unwrap();
    child.wait().unwrap();

    let listed = place.asl(&["list", "--json"]).json();
    assert_eq!(listed["executions"][0]["status"], "RUNNING");
    assert!(listed["executions"][0].get("stopDate").is_none());
    let history = place.asl(&["history", "slow", "--json"]).json();
    let last = history["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["type"], "WaitStateEntered");
    assert!(place.asl(&["replay", "slow"]).stdout.contains("RUNNING, 7 events: no difference"));
    let items = place.asl(&["table", "scan", "Items", "--json"]).json();
    assert_eq!(items["Count"], 1);
    // Another run in the same database does not mind.
    place.write("input.json", "{\"seconds\": 0}");
    place.asl(&["run", "slow.asl.json", "--input", "input.json", "-q"]).ends(0);
}

#[test]
fn resume_goes_on_where_it_was_killed() {
    let place = place(1);
    let mut child = place.start_until(RUN, "Pause");
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = place.asl(&["resume"]);
    assert_eq!(resumed.ends(0).stdout, "slow  SUCCEEDED\n");
    resumed.says("slow  goes on as slow\n").says("  Pause                 done").says("slow succeeded\n");
    assert_eq!(place.asl(&["table", "scan", "Items", "--json"]).json()["Count"], 2);
    assert!(place.asl(&["replay", "slow"]).ends(0).stdout.contains("SUCCEEDED"));
    place.asl(&["resume"]).ends(0).says("nothing to go on with");
}

#[test]
fn killed_inside_a_function_the_fare_can_still_be_replayed() {
    let place = Place::new();
    let function = place.path("definitions/functions/payment_charge.py");
    std::fs::write(&function, "import time\ndef lambda_handler(event, context):\n    time.sleep(600)\n").unwrap();
    let config = std::fs::read_to_string(place.path("definitions/asl.toml")).unwrap();
    let patient = config.replace("payment_charge.py\"", "payment_charge.py\"\nTimeout = 900");
    std::fs::write(place.path("definitions/asl.toml"), patient).unwrap();
    let run = ["run", "definitions/fare.asl.json", "--input", "fixtures/fare/happy.json"];
    let mut child = place.start_until(&run, "ChargeFare");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.asl(&["list", "--json"]).json()["executions"][0]["status"], "RUNNING");
    assert!(place.asl(&["replay"]).ends(0).stdout.contains("no difference"));
}

#[test]
fn ctrl_c_says_that_the_execution_stays() {
    let place = place(600);
    let child = place.start_until(RUN, "Pause");
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let ran: common::Ran = child.wait_with_output().unwrap().into();
    ran.ends(130).says("interrupted: execution slow stays in the database");
    assert_eq!(ran.stdout, "");
    assert!(place.asl(&["replay"]).ends(0).stdout.contains("RUNNING"));
}

#[test]
fn replay_points_at_the_first_event_that_differs() {
    let place = place(0);
    place.asl(RUN).ends(0);
    let tamper = "import sqlite3, sys\n\
                  c = sqlite3.connect(sys.argv[1])\n\
                  c.execute(\"UPDATE definition SET text = replace(text, '\\\"After\\\"', '\\\"Later\\\"')\")\n\
                  c.commit()\n";
    let done = Command::new("python3").args(["-c", tamper]).arg(place.path(".asl/asl.db")).status().unwrap();
    assert!(done.success());
    let ran = place.asl(&["replay", "slow"]);
    ran.ends(1)
        .says("differs at event 9")
        .says("    - \"After\"")
        .says("    + \"Later\"")
        .says("--> slow (as it ran):5:3");
    assert_eq!(ran.stdout, "");
}
