//! The histories in `fixtures/histories` replay, from their records and as AWS would have exported them; and whatever is
//! changed in such an export is found.

use asl_core::event::to_aws;
use asl_core::{Event, Execution, Input};
use asl_engine::{
    Difference, Divergence, Exported, ReplayError, Replayed, Whose, replay_exported, replay_kept, try_kept,
};
use asl_journal::Kept;
use asl_syntax::{Definition, Options, Source, load};
use asl_value::{Map, Value};
use std::path::Path;
use std::sync::Arc;

fn kept() -> Vec<(String, Kept)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/histories");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|e| e == "jsonl")).collect();
    files.sort();
    let read = |file: &Path| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let kept = Kept::parse(&std::fs::read_to_string(file).unwrap());
        (name, kept.unwrap_or_else(|e| panic!("{}: {e}", file.display())))
    };
    files.iter().map(|file| read(file)).collect()
}

#[test]
fn every_kept_history_replays() {
    let kept = kept();
    assert!(kept.len() >= 15, "only {} histories", kept.len());
    for (name, kept) in kept {
        let replayed = replay_kept(&kept).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(replayed.records, kept.records.len(), "{name}");
        assert!(replayed.outcome.is_some(), "{name} has ended");
    }
}

#[test]
fn a_kept_history_that_was_touched_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/histories/waits.jsonl");
    let text = std::fs::read_to_string(folder).unwrap();
    assert!(Kept::parse(&text).is_ok());
    assert!(Kept::parse("").is_err());
    let touched = text.replacen("Soon", "Sooo", 4);
    let error = Kept::parse(&touched).unwrap_err();
    assert!(error.line >= 2 && error.what.contains("checksum"), "{error}");
    assert!(Kept::parse(&text.replacen("\"asl_history\":1", "\"asl_history\":2", 1)).is_err());
    let without: Vec<&str> = text.lines().enumerate().filter(|(at, _)| *at != 1).map(|(_, line)| line).collect();
    assert!(Kept::parse(&without.join("\n")).is_err(), "a record is missing");
}

fn definition(kept: &Kept) -> Arc<Definition> {
    load(&Source::new("kept", kept.definition.as_str()), &Options::default()).definition.unwrap()
}

fn start(kept: &Kept) -> &Execution {
    let inputs = kept.records.iter().flat_map(|record| &record.inputs);
    let mut starts = inputs.filter_map(|input| match input {
        Input::Start(execution) => Some(&**execution),
        _ => None,
    });
    starts.next().unwrap()
}

fn events(kept: &Kept) -> Vec<Value> {
    let events: Vec<&Event> = kept.records.iter().flat_map(|record| &record.events).collect();
    events.into_iter().map(to_aws).collect()
}

fn replay(kept: &Kept, events: Vec<Value>, whose: &Whose) -> Result<Replayed, ReplayError> {
    let export = Value::from(Map::from_iter([("events", Value::from(events))]));
    replay_exported(definition(kept), &Exported::parse(&export.to_string()).unwrap(), whose)
}

/// As `describe-execution` tells it, or not at all.
fn whose(kept: &Kept, told: bool) -> Whose {
    let execution = start(kept);
    Whose {
        label: "it".into(),
        execution_arn: told.then(|| execution.arn.clone()),
        state_machine_arn: told.then(|| execution.state_machine_arn.clone()),
        input: None,
    }
}

#[test]
fn an_export_of_it_replays_without_a_difference() {
    for (name, kept) in kept() {
        for told in [true, false] {
            let replayed = replay(&kept, events(&kept), &whose(&kept, told));
            if name == "chance" {
                // The one thing that an export does not hold: numbers drawn by chance.
                let Err(ReplayError::Divergence(divergence)) = replayed else { panic!("{replayed:?}") };
                assert_eq!(divergence.differences[0].field, "assignedVariables.dice");
                continue;
            }
            let replayed = replayed.unwrap_or_else(|e| panic!("{name}: {e}"));
            let ours = replay_kept(&kept).unwrap();
            assert_eq!(replayed.events, ours.events, "{name}");
            let status = |replayed: &Replayed| replayed.outcome.as_ref().map(|outcome| outcome.status());
            assert_eq!(status(&replayed), status(&ours), "{name}");
        }
    }
}

fn set(event: &Value, path: &[&str], value: Value) -> Value {
    let mut event = event.clone();
    let steps: Vec<asl_value::Step> = path.iter().map(|key| asl_value::Step::key(key)).collect();
    event.set_path(&steps, value).unwrap();
    event
}

/// All the ways to change an event that must be found.
fn forged(event: &Value) -> Vec<Value> {
    let kind = event["type"].as_str().unwrap();
    let mut out = vec![set(event, &["type"], "PassStateForged".into())];
    // Their place says what they mean; who was last does not count.
    let free = ["Aborted", "Failed", "MapIteration", "ParallelState", "MapState", "Redriven"];
    let after_redrive = free.iter().any(|part| kind.contains(part));
    if !after_redrive && event["previousEventId"].as_i64() > Some(1) {
        let previous = event["previousEventId"].as_i64().unwrap();
        out.push(set(event, &["previousEventId"], (previous - 1).into()));
    }
    let answer = ["Succeeded", "Submitted", "Failed", "Aborted", "Started"].iter().any(|end| kind.ends_with(end));
    let is_input = answer && !kind.starts_with("Execution") || kind == "ExecutionStarted" || kind == "ExecutionAborted";
    let details = event.as_object().unwrap().iter().find(|(key, _)| key.ends_with("EventDetails"));
    let Some((key, details)) = details.filter(|_| !is_input) else { return out };
    for (member, value) in details.as_object().unwrap().iter() {
        // The region is taken from the record.
        if member.ends_with("Details") || &**member == "region" {
            continue;
        }
        let other = match value {
            Value::String(text) if text.parse::<Value>().is_ok() => Value::from(r#"{"forged":true}"#),
            Value::String(text) => Value::from(format!("{text} forged")),
            _ => Value::from("forged"),
        };
        out.push(set(event, &[key, member], other));
        let mut less = details.as_object().unwrap().clone();
        less.remove(member);
        out.push(set(event, &[key], less.into()));
    }
    out
}

#[test]
fn whatever_is_changed_in_an_export_is_found() {
    let mut tried = 0;
    for (name, kept) in kept() {
        if name == "chance" {
            continue;
        }
        let events = events(&kept);
        let redriven = events.iter().any(|event| event["type"].as_str() == Some("ExecutionRedriven"));
        for (at, event) in events.iter().enumerate() {
            for forged in forged(event) {
                // What follows what after a redrive is not documented, and not compared.
                if redriven && forged["previousEventId"] != event["previousEventId"] {
                    continue;
                }
                let mut history = events.clone();
                history[at] = forged.clone();
                let replayed = replay(&kept, history, &whose(&kept, true));
                assert!(replayed.is_err(), "{name}: not found:\n{event}\n{forged}");
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn a_difference_names_the_event_the_state_and_the_field() {
    let (_, kept) = kept().into_iter().find(|(name, _)| name == "waits").unwrap();
    let mut events = events(&kept);
    let exit = events.iter().position(|event| event["type"].as_str() == Some("WaitStateExited")).unwrap();
    let output: Value = r#"{"seconds":7}"#.into();
    events[exit] = set(&events[exit], &["stateExitedEventDetails", "output"], output);
    let Err(ReplayError::Divergence(divergence)) = replay(&kept, events, &whose(&kept, false)) else { panic!() };
    let Divergence { event, state, differences, .. } = *divergence;
    assert_eq!((event, state.as_deref()), (exit as u64 + 1, Some("Soon")));
    let field = "output.seconds".to_owned();
    let (recorded, replayed) = (Some(Value::from(7)), Some(Value::from(0)));
    assert_eq!(differences, [Difference { field, recorded, replayed }]);
}

#[test]
fn pages_epoch_times_and_missing_data() {
    let (_, kept) = kept().into_iter().find(|(name, _)| name == "waits").unwrap();
    let events = events(&kept);
    let page = |events: &[Value]| Value::from(Map::from_iter([("events", Value::from(events.to_vec()))]));
    let whose = whose(&kept, false);

    // In pages, backwards, with epoch seconds.
    let epoch = |event: &Value| {
        let at = asl_expr::Timestamp::parse(event["timestamp"].as_str().unwrap()).unwrap();
        set(event, &["timestamp"], (at.millis() as f64 / 1000.0).into())
    };
    let mut backwards: Vec<Value> = events.iter().map(epoch).collect();
    backwards.reverse();
    let pages = Value::from(vec![page(&backwards[..4]), page(&backwards[4..])]);
    let history = Exported::read(&pages).unwrap();
    assert_eq!((history.len(), history.first_event()), (events.len(), 1));
    replay_exported(definition(&kept), &history, &whose).unwrap();

    let first = Exported::read(&page(&events[..3])).unwrap();
    assert_eq!(first.clone().and(Exported::read(&page(&events[3..])).unwrap()).unwrap().len(), events.len());
    assert!(first.clone().and(Exported::read(&page(&events[4..])).unwrap()).is_err(), "a page is missing");
    // As far as it goes.
    assert_eq!(replay_exported(definition(&kept), &first, &whose).unwrap().outcome, None);
    let rest = Exported::read(&page(&events[3..])).unwrap();
    assert!(matches!(replay_exported(definition(&kept), &rest, &whose), Err(ReplayError::NotInRecord { .. })));

    // Without data: from `describe-execution` comes the input, and this definition needs no more.
    let bare = |event: &Value| {
        let mut event = event.as_object().unwrap().clone();
        for (_, details) in event.clone().iter().filter(|(key, _)| key.ends_with("EventDetails")) {
            let mut details = details.as_object().unwrap().clone();
            ["input", "inputDetails", "output", "outputDetails"].iter().for_each(|key| drop(details.remove(key)));
            let key = event.keys().find(|key| key.ends_with("EventDetails")).unwrap().clone();
            event.insert(key, details);
        }
        Value::from(event)
    };
    let bare = Exported::read(&page(&events.iter().map(bare).collect::<Vec<_>>())).unwrap();
    let Err(ReplayError::NotInRecord { why, .. }) = replay_exported(definition(&kept), &bare, &whose) else { panic!() };
    assert!(why.contains("--include-execution-data"), "{why}");
    let described = Whose { input: Some(start(&kept).input_text.clone()), ..whose };
    replay_exported(definition(&kept), &bare, &described).unwrap();

    for (text, told) in [
        ("", "not JSON"),
        ("{}", "no `events`"),
        ("[]", "no `events`"),
        (r#"{"events":[{"id":0,"type":"x"}]}"#, "number 1 has no `id`"),
        (r#"{"events":[{"id":2,"previousEventId":2,"type":"x"}]}"#, "follows an event that comes after it"),
        (r#"{"events":[{"id":1,"type":"x"},{"id":3,"type":"x"}]}"#, "event 2 is missing"),
    ] {
        let error = Exported::parse(text).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

/// Lets branches take turns in another order, as AWS's might have: swaps neighbours that do not depend on each other, and
/// numbers the events anew.
fn shuffled(events: &[Value], mut dice: u64) -> Vec<Value> {
    let mut out = events.to_vec();
    let id = |event: &Value| event["id"].as_i64().unwrap();
    // A branch goes its own way from the event that opened it; what joins branches stays where it is.
    let mut branch: Vec<i64> = vec![0; events.len() + 1];
    for event in events {
        let previous = event["previousEventId"].as_i64().unwrap() as usize;
        let opens = previous > 0
            && ["ParallelStateStarted", "MapIterationStarted"]
                .iter()
                .any(|kind| events[previous - 1]["type"] == Value::from(*kind));
        branch[id(event) as usize] = if opens { id(event) } else { branch[previous] };
    }
    let own_way = |event: &Value| {
        let kind = event["type"].as_str().unwrap();
        !["Parallel", "Map", "Execution", "Failed", "Aborted", "TimedOut"].iter().any(|part| kind.contains(part))
    };
    for _ in 0..200 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (dice >> 33) as usize % (out.len() - 1);
        let (a, b) = (&out[at], &out[at + 1]);
        if own_way(a) && own_way(b) && branch[id(a) as usize] != branch[id(b) as usize] {
            out.swap(at, at + 1);
        }
    }
    let mut number = vec![0; events.len() + 1];
    for (at, event) in (1..).zip(&out) {
        number[id(event) as usize] = at;
    }
    let times: Vec<Value> = events.iter().map(|event| event["timestamp"].clone()).collect();
    let renumbered = out.iter().zip(times).map(|(event, time)| {
        let previous = event["previousEventId"].as_i64().unwrap() as usize;
        let event = set(event, &["previousEventId"], number[previous].into());
        set(&set(&event, &["id"], number[id(&event) as usize].into()), &["timestamp"], time)
    });
    renumbered.collect()
}

#[test]
fn branches_may_have_taken_turns_in_another_order() {
    let mut moved = 0;
    for (name, kept) in kept().into_iter().filter(|(name, _)| ["parallel", "jsonata", "redriven"].contains(&&**name)) {
        let events = events(&kept);
        for dice in 0..60 {
            let other = shuffled(&events, dice);
            moved += usize::from(other != events);
            let replayed = replay(&kept, other, &whose(&kept, false));
            assert!(replayed.is_ok(), "{name} {dice}: {}", replayed.unwrap_err());
        }
    }
    assert!(moved > 100, "{moved}");
}

/// An export of 20,000 events, most of them in a Map with 40 iterations at once, takes no time worth mentioning; and
/// whatever the numbers in an export are, there is an answer.
#[test]
fn long_histories_and_absurd_numbers() {
    let text = r#"{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"P",
        "States":{"P":{"Type":"Pass","Next":"Q"},"Q":{"Type":"Pass","End":true}}}}}}"#;
    let definition = load(&Source::new("map", text), &Options::default()).definition.unwrap();
    let input: Value = (0..3300).map(Value::from).collect::<Vec<_>>().into();
    let (_, waits) = kept().into_iter().find(|(name, _)| name == "waits").unwrap();
    let now = waits.records[0].now;
    let execution = Execution { input_text: input.to_string().into(), input, ..start(&waits).clone() };
    let mut machine = asl_core::Machine::new(definition.clone());
    machine.handle(Input::Start(Box::new(execution)), now).unwrap();
    machine.run(now, 1_000_000);
    let events: Vec<Value> = machine.take_effects().events.iter().map(to_aws).collect();
    assert!(events.len() > 19_000, "{}", events.len());
    let began = std::time::Instant::now();
    let export = Value::from(Map::from_iter([("events", Value::from(events))]));
    let replayed = replay_exported(definition, &Exported::read(&export).unwrap(), &Whose::default()).unwrap();
    assert_eq!(replayed.outcome, machine.outcome().cloned());
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());

    let page = self::events(&waits);
    for time in ["1e300", "-1e300", "0", "1e18", "\"9999-12-31T23:59:59Z\"", "null", "[]"] {
        for at in [0, 1, 4] {
            let mut events = page.clone();
            events[at] = set(&events[at], &["timestamp"], time.parse().unwrap());
            let _ = replay(&waits, events, &whose(&waits, false));
        }
    }
}

/// Histories with definitions that they never ran: an answer each time, and no panic.
#[test]
fn any_history_with_any_definition_has_an_answer() {
    let kept = kept();
    for (name, history) in &kept {
        let export = Value::from(Map::from_iter([("events", Value::from(events(history)))]));
        let export = Exported::read(&export).unwrap();
        for (other, of) in &kept {
            let replayed = replay_exported(definition(of), &export, &whose(history, false));
            let same = history.definition == of.definition && name != "chance";
            assert_eq!(replayed.is_ok(), same, "{name} with the definition of {other}");
            try_kept(history, definition(of)).unwrap_or_else(|e| panic!("{name} with {other}: {e}"));
        }
    }
}

/// Members of events swapped with those of others, left out, and given values that they never have.
#[test]
fn nonsense_in_an_export_has_an_answer() {
    let mut dice = 7_u64;
    let mut roll = |sides: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) as usize % sides
    };
    let odd = [
        "null",
        "-1",
        "0",
        "1e99",
        "[]",
        "{}",
        "\"\"",
        "\"{}\"",
        "\"TaskSucceeded\"",
        "\"ExecutionAborted\"",
        "\"ExecutionRedriven\"",
        "\"MapRunSucceeded\"",
    ];
    let odd: Vec<Value> = odd.iter().map(|text| text.parse().unwrap()).collect();
    for (_, kept) in kept() {
        let events = events(&kept);
        let definition = definition(&kept);
        for _ in 0..ROUNDS {
            let mut nonsense = events.clone();
            for _ in 0..1 + roll(3) {
                let (at, from) = (roll(nonsense.len()), roll(nonsense.len()));
                let mut event = nonsense[at].as_object().unwrap().clone();
                let keys: Vec<_> = event.keys().cloned().collect();
                let key = keys[roll(keys.len())].clone();
                match roll(4) {
                    0 => drop(event.remove(&key)),
                    1 => drop(event.insert(key.clone(), odd[roll(odd.len())].clone())),
                    2 => drop(event.insert(key.clone(), nonsense[from].get(&key).cloned().unwrap_or_default())),
                    _ => {
                        let details = event.get(&key).and_then(Value::as_object);
                        let mut details = details.cloned().unwrap_or_default();
                        let members: Vec<_> = details.keys().cloned().collect();
                        if let Some(member) = members.get(roll(members.len().max(1))) {
                            details.insert(member.clone(), odd[roll(odd.len())].clone());
                            event.insert(key.clone(), details);
                        }
                    }
                }
                nonsense[at] = event.into();
            }
            let export = Value::from(Map::from_iter([("events", Value::from(nonsense))]));
            if let Ok(export) = Exported::read(&export) {
                let _ = replay_exported(definition.clone(), &export, &whose(&kept, roll(2) == 0));
            }
        }
    }
}

/// How many exports of each history are made nonsense of.
const ROUNDS: usize = 30;

/// A history does not tell the heartbeats that kept a task alive: that it succeeded, or timed out when it did, does.
#[test]
fn heartbeats_that_nobody_recorded() {
    let text = r#"{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
        {"StartAt":"A","States":{"A":{"Type":"Task","HeartbeatSeconds":5,"TimeoutSeconds":60,"End":true,
            "Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters":{"QueueUrl":"q","MessageBody":{"token.$":"$$.Task.Token"}}}}},
        {"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":7,"Next":"V"},"V":{"Type":"Wait","Seconds":7,"End":true}}}]}}}"#;
    let definition = load(&Source::new("beats", text), &Options::default()).definition.unwrap();
    let (_, waits) = kept().into_iter().find(|(name, _)| name == "waits").unwrap();
    let start_at = waits.records[0].now;
    for (beats, succeeds) in [(6, true), (1, false), (3, false), (0, false), (20, false)] {
        let mut machine = asl_core::Machine::new(definition.clone());
        machine.handle(Input::Start(Box::new(start(&waits).clone())), start_at).unwrap();
        machine.run(start_at, 100);
        let task = machine.open_tasks()[0].id;
        machine.handle(Input::TaskSubmitted { task, output: Value::empty_object() }, start_at).unwrap();
        let mut now = start_at;
        for _ in 0..beats {
            now = now.plus_ms(4000);
            machine.run(now, 100);
            // The last ones come after TimeoutSeconds.
            let _ = machine.handle(Input::TaskHeartbeat { task }, now);
        }
        if succeeds {
            machine.handle(Input::TaskSucceeded { task, output: Value::from(1) }, now.plus_ms(100)).unwrap();
        }
        machine.run(now, 100);
        if let Some(deadline) = machine.next_deadline() {
            machine.run(deadline, 100);
        }
        let effects: Vec<Value> = machine.take_effects().events.iter().map(to_aws).collect();
        assert_eq!(matches!(machine.outcome(), Some(asl_core::Outcome::Succeeded(_))), succeeds, "{beats}");
        let export = Value::from(Map::from_iter([("events", Value::from(effects))]));
        let replayed = replay_exported(definition.clone(), &Exported::read(&export).unwrap(), &Whose::default());
        let replayed = replayed.unwrap_or_else(|e| panic!("{beats} heartbeats: {e}\n{export}"));
        assert_eq!(replayed.outcome.map(|o| o.status()), machine.outcome().map(|o| o.status()), "{beats}");
    }
}
