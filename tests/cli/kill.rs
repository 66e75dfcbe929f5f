//! `kill -9` of the real worker at random moments, with a world outside that counts.
//!
//! `ASL_KILLS=500 ASL_KILL_SEED=7 cargo test -p asl-cli --test kill` for more of it, or for the same moments again; with
//! `ASL_KILL_SAGAS=5` sagas started before each kill.

mod common;

use common::Place;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Every kind of step: an embedded table, a function, a wait, a topic, and a queue and functions in parallel.
const SAGA: &str = r#"{"StartAt": "Reserve", "States": {
  "Reserve": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "ResultPath": null, "Next": "Charge",
    "Parameters": {"TableName": "Orders", "Key": {"id": {"S.$": "$$.Execution.Name"}}, "UpdateExpression": "ADD reserved :one",
                   "ExpressionAttributeValues": {":one": {"N": "1"}}}},
  "Charge": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:World", "ResultPath": null, "Next": "Pause",
    "Parameters": {"key.$": "States.Format('{}/charge', $$.Execution.Name)"}},
  "Pause": {"Type": "Wait", "Seconds": 1, "Next": "Publish"},
  "Publish": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "ResultPath": null, "Next": "Both",
    "Parameters": {"TopicArn": "News", "Message.$": "$$.Execution.Name"}},
  "Both": {"Type": "Parallel", "End": true, "Branches": [
    {"StartAt": "Send", "States": {"Send": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": true,
      "Parameters": {"QueueUrl": "Outbox", "MessageBody.$": "$$.Execution.Name"}}}},
    {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "End": true,
      "Parameters": {"key.$": "States.Format('{}/item-{}', $$.Execution.Name, $$.Map.Item.Value)"},
      "Iterator": {"StartAt": "Ship", "States": {"Ship": {"Type": "Task", "End": true,
        "Resource": "arn:aws:lambda:us-east-1:000000000000:function:World"}}}}}}]}}}"#;

/// One line a call: what for, under which request id, when.
const WORLD: &str = "import os, time\n\ndef lambda_handler(event, context):\n    \
                     line = f\"{event['key']} {context.aws_request_id} {time.time()}\\n\"\n    \
                     log = os.open('world.log', os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n    \
                     os.write(log, line.encode())\n    os.close(log)\n    time.sleep(0.1)\n    return event\n";

const PROJECT: &str = r#"
[functions.World]
Runtime = "python"
File = "world.py"

[tables.Orders]
HashKey = "id"

[queues.Outbox]
[queues.Heard]

[[topics.News.Subscriptions]]
Protocol = "sqs"
Endpoint = "Heard"
"#;

/// After its worker was killed a function may still write down a call it had just got; seconds.
const LAST_WORDS: f64 = 0.5;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Numbers from a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn messages(place: &Place, queue: &str) -> Vec<String> {
    let peeked = place.asl(&["queue", "peek", queue, "--max", "10000", "--json"]).json();
    let bodies = peeked["Messages"].as_array().unwrap().iter().map(|message| message["Body"].as_str().unwrap());
    let name = |body: &str| match serde_json::from_str::<Value>(body) {
        Ok(envelope) if envelope.is_object() => envelope["Message"].as_str().unwrap().to_owned(),
        _ => body.to_owned(),
    };
    let mut names: Vec<String> = bodies.map(name).collect();
    names.sort();
    names
}

#[test]
fn whatever_moment_a_worker_is_killed_at() {
    kill(Place::empty(), &Storm { most: 2, kills: 20, sagas: 1, pause_ms: 800 });
}

/// As many machines would: four workers on one server.
#[test]
fn whatever_moment_a_worker_is_killed_at_on_postgres() {
    if let Some(place) = Place::on_postgres("kill") {
        kill(place, &Storm { most: 4, kills: 40, sagas: 5, pause_ms: 250 });
    }
}

/// What is done to a database, unless the environment says otherwise.
struct Storm {
    /// How many workers there are at once, in the second half.
    most: usize,
    kills: u64,
    /// How many sagas are started before each kill.
    sagas: u64,
    /// How long it is from the starts to the kill at most.
    pause_ms: u64,
}

/// First there is one worker at a time; later there are `most`, and the others take over.
fn kill(place: Place, storm: &Storm) {
    let (kills, seed) = (setting("ASL_KILLS", storm.kills), setting("ASL_KILL_SEED", 0x5eed));
    let sagas = setting("ASL_KILL_SAGAS", storm.sagas);
    println!("ASL_KILLS={kills} ASL_KILL_SAGAS={sagas} ASL_KILL_SEED={seed}");
    for (file, text) in [("saga.asl.json", SAGA), ("world.py", WORLD), ("asl.toml", PROJECT)] {
        place.write(file, text);
    }
    let mut dice = Dice(seed | 1);
    let mut names: Vec<String> = Vec::new();
    let mut killed_at: Vec<f64> = Vec::new();
    let mut workers = Vec::new();
    let start_worker = || place.command(&["worker", "-q"]).stdout(Stdio::null()).spawn().unwrap();
    for round in 0..kills {
        let wanted = if round < kills / 2 { 1 } else { storm.most };
        while workers.len() < wanted {
            workers.push(start_worker());
        }
        std::thread::sleep(Duration::from_millis(dice.below(storm.pause_ms / 4)));
        std::thread::scope(|scope| {
            let named = (0..sagas).map(|n| format!("saga-{round:04}-{n}"));
            let starts: Vec<_> = named.map(|name| scope.spawn(|| start(&place, name))).collect();
            // From here on they are acknowledged.
            names.extend(starts.into_iter().map(|started| started.join().unwrap()));
        });
        std::thread::sleep(Duration::from_millis(dice.below(storm.pause_ms)));
        let mut killed = workers.swap_remove(dice.below(workers.len() as u64) as usize);
        killed.kill().unwrap();
        killed_at.push(now());
        killed.wait().unwrap();
    }
    workers.push(start_worker());
    for name in &names {
        // Kills that came whenever it was on trial look like its own doing: it is set aside for a minute then.
        place.asl(&["wait", name, "--timeout", "180"]).ends(0);
    }
    for mut worker in workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    check(&place, &names, &killed_at);
}

fn start(place: &Place, name: String) -> String {
    let start = ["start", "saga.asl.json", "--name", &name, "-i", "-"];
    let started = place.asl_with_stdin(&start, r#"{"items": [1, 2, 3]}"#);
    assert!(started.ends(0).stdout.ends_with(&format!(":{name}\n")));
    name
}

fn check(place: &Place, names: &[String], killed_at: &[f64]) {
    place.asl(&["replay", "--all"]).ends(0);
    for name in names {
        let history = place.asl(&["history", name, "--json"]).json();
        let ids = history["events"].as_array().unwrap().iter().map(|event| event["id"].as_u64().unwrap());
        let count = history["events"].as_array().unwrap().len() as u64;
        assert!(ids.eq(1..=count), "{name}: a transition is missing or doubled");
    }
    // What is embedded happened exactly once.
    assert_eq!(messages(place, "Outbox"), names);
    assert_eq!(messages(place, "Heard"), names);
    let items = place.asl(&["table", "scan", "Orders", "--json"]).json();
    assert_eq!(items["Count"], names.len());
    for item in items["Items"].as_array().unwrap() {
        assert_eq!(item["reserved"]["N"], "1", "{item}");
    }
    // What is outside happened, twice only where a kill came between, and then under the same request id.
    let log = std::fs::read_to_string(place.path("world.log")).unwrap();
    let mut calls: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
    for line in log.lines() {
        let [key, id, at] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        calls.entry(key).or_default().push((id, at.parse().unwrap()));
    }
    assert_eq!(calls.len(), names.len() * 4, "every call was made");
    let mut doubled = 0;
    for (key, calls) in calls {
        let ids: BTreeSet<&str> = calls.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), 1, "{key}: {calls:?}");
        for pair in calls.windows(2) {
            let between = |at: &f64| pair[0].1 - LAST_WORDS < *at && *at < pair[1].1;
            assert!(killed_at.iter().any(between), "{key} was called twice without a kill between: {calls:?}");
            doubled += 1;
        }
    }
    println!("{} sagas, {} kills, {doubled} calls repeated", names.len(), killed_at.len());
}
