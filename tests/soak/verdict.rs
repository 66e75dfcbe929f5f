//! What must be true at the end.

use crate::chaos::Left;
use crate::common::Place;
use crate::load::{Kind, Load};
use std::collections::{BTreeMap, BTreeSet};

/// Far above what 128 MB of values and a debug build need, far below what a leak of each kill would make.
const MOST_MEMORY: u64 = 900 << 20;
const MOST_FILES: usize = 200;
/// Lock files and logs beside the database.
const MOST_BESIDE: usize = 60;

pub(crate) fn check(place: &Place, load: &Load, left: &Left) {
    assert!(left.running.is_empty(), "left running: {:?}", left.running);
    assert!(left.most_memory < MOST_MEMORY, "a worker had {} MB", left.most_memory >> 20);
    assert!(left.open_files < MOST_FILES, "a worker had {} files open", left.open_files);
    let beside: Vec<_> =
        std::fs::read_dir(place.path(".asl")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(beside.len() < MOST_BESIDE, "{beside:?}");
    place.asl(&["db", "check"]).ends(0);
    place.asl(&["replay", "--all"]).ends(0);
    let ended = statuses(place);
    for (name, kind) in &load.started {
        let status = ended.get(name).unwrap_or_else(|| panic!("{name} is lost"));
        assert_ne!(status, "RUNNING", "{name}");
        if *kind == Kind::Saga && !load.stopped.contains(name) {
            assert_eq!(status, "SUCCEEDED", "{name}");
        }
    }
    once(place, load);
    calls(place);
}

fn statuses(place: &Place) -> BTreeMap<String, String> {
    let list = place.asl(&["list", "--json", "--limit", "1000000"]).json();
    let rows = list["executions"].as_array().unwrap().iter();
    rows.map(|row| (row["name"].as_str().unwrap().to_owned(), row["status"].as_str().unwrap().to_owned())).collect()
}

/// What is embedded happened exactly once in each saga that came to its end.
fn once(place: &Place, load: &Load) {
    let whole = |name: &str| load.started.get(name) == Some(&Kind::Saga) && !load.stopped.contains(name);
    let items = place.asl(&["table", "scan", "Orders", "--json"]).json();
    let mut reserved = BTreeSet::new();
    for item in items["Items"].as_array().unwrap() {
        assert_eq!(item["reserved"]["N"], "1", "{item}");
        reserved.insert(item["id"]["S"].as_str().unwrap().to_owned());
    }
    let peeked = place.asl(&["queue", "peek", "Outbox", "--max", "1000000", "--json"]).json();
    let mut sent = BTreeSet::new();
    for message in peeked["Messages"].as_array().unwrap() {
        let name = message["Body"].as_str().unwrap().to_owned();
        assert!(sent.insert(name.clone()), "{name} was sent twice");
    }
    for name in load.started.keys().filter(|name| whole(name)) {
        assert!(reserved.contains(name), "{name} reserved nothing");
        assert!(sent.contains(name), "{name} sent nothing");
    }
}

/// A call that was made again has the request id that it had.
fn calls(place: &Place) {
    let log = std::fs::read_to_string(place.path("world.log")).unwrap_or_default();
    let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut calls = 0;
    for line in log.lines() {
        let [key, id, _] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        ids.entry(key).or_default().insert(id);
        calls += 1;
    }
    for (key, ids) in &ids {
        assert_eq!(ids.len(), 1, "{key} was called under several request ids: {ids:?}");
    }
    println!("{} calls of functions, {} of them repeated", calls, calls - ids.len());
}
