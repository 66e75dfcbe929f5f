//! `asl replay` of exported histories and with another definition, `asl redrive`, and the histories kept for ever.

mod common;

use common::{Place, copy};
use serde_json::Value;
use std::path::Path;

/// Records the histories that `fixtures/histories` does not have yet: only when asked to, for what is there stays.
#[test]
fn missing_histories_are_recorded() {
    if std::env::var_os("ASL_UPDATE").is_none() {
        return;
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/histories");
    let place = Place::new();
    copy(&kept.join("scenarios"), &place.path("scenarios"));
    let keep = |name: &str, to: &str, folder: &str| {
        let project = format!("{folder}/asl.toml");
        let ran = place.asl(&["history", name, "--records", "--project", &project]);
        std::fs::write(kept.join(format!("{to}.jsonl")), &ran.ends(0).stdout).unwrap();
    };
    let missing = |name: &str| !kept.join(format!("{name}.jsonl")).exists();
    for case in ["happy", "fail_auth", "fail_charge", "fail_credit", "fail_refund"] {
        let name = format!("fare-{case}");
        if missing(&name) {
            let input = format!("fixtures/fare/{case}.json");
            let input = kept.join("../..").join(input);
            let input: Value = serde_json::from_str(&std::fs::read_to_string(input).unwrap()).unwrap();
            place.write("input.json", &input.get("input").unwrap_or(&input).to_string());
            place.asl(&["run", "definitions/fare.asl.json", "--name", &name, "-i", "input.json", "-q"]);
            keep(&name, &name, "definitions");
        }
    }
    let mut scenarios: Vec<_> = std::fs::read_dir(place.path("scenarios")).unwrap().flatten().collect();
    scenarios.sort_by_key(std::fs::DirEntry::file_name);
    for file in scenarios {
        let file = file.file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".asl.json").filter(|name| missing(name)) else { continue };
        let (definition, input) = (format!("scenarios/{file}"), format!("scenarios/{name}.input.json"));
        let mut run = vec!["run", &definition, "--name", name, "-q"];
        if place.path(&input).exists() {
            run.extend(["-i", &input]);
        }
        let mocks = std::fs::read_to_string(place.path("scenarios/mocks.json")).unwrap();
        let mocks: Value = serde_json::from_str(&mocks).unwrap();
        if mocks["StateMachines"].get(name).is_some() {
            run.extend(["--mock", "scenarios/mocks.json"]);
        }
        let ran = place.asl(&run);
        assert!(ran.code < 2, "{}", ran.stderr);
        if name == "redriven" {
            place.asl(&["redrive", name, "-q", "--project", "scenarios/asl.toml"]).ends(0);
        }
        keep(name, name, "scenarios");
    }
}

fn fare(place: &Place, case: &str) {
    let input = format!("fixtures/fare/{case}.json");
    place.asl(&["run", "definitions/fare.asl.json", "--name", case, "-i", &input, "-q"]);
}

const PASS: &str = r#"{
  "StartAt": "Check",
  "States": {
    "Check": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "One"}], "Default": "More"},
    "One": {"Type": "Pass", "Result": "one", "End": true},
    "More": {"Type": "Pass", "Result": "more", "End": true}
  }
}"#;

/// A folder with an execution of [`PASS`] and its export.
fn exported() -> Place {
    let place = Place::empty();
    place.write("check.asl.json", PASS);
    place.write("input.json", r#"{"n": 1}"#);
    place.asl(&["run", "check.asl.json", "--name", "mine", "-i", "input.json", "-q"]).ends(0);
    let history = place.asl(&["history", "mine", "--json"]).ends(0).stdout.clone();
    place.write("export/mine.json", &history);
    place
}

#[test]
fn an_exported_history_is_found_with_its_definition() {
    let place = exported();
    let said = "SUCCEEDED, 6 events: no difference\n";
    // Named; beside it; as describe-state-machine gave it; the only one there is.
    let named = place.asl(&["replay", "export/mine.json", "--definition", "check.asl.json"]);
    assert_eq!(named.ends(0).stdout, format!("export/mine.json  {said}"));
    place
        .asl(&["replay", "export"])
        .ends(2)
        .says_all(&["the definition of export/mine.json is not clear", "--definition"]);
    place.write("export/mine.asl.json", PASS);
    place.write("export/other.asl.json", "{\"States\": 1}");
    assert_eq!(place.asl(&["replay", "export"]).ends(0).stdout, format!("export/mine.json  {said}"));
    std::fs::remove_file(place.path("export/mine.asl.json")).unwrap();
    std::fs::remove_file(place.path("export/other.asl.json")).unwrap();
    let described =
        serde_json::json!({"stateMachineArn": "arn:aws:states:us-east-1:1:stateMachine:m", "definition": PASS});
    place.write("export/machine.json", &described.to_string());
    assert!(place.asl(&["replay", "export/mine.json"]).ends(0).stdout.ends_with(said));

    // In two pages, and a second history.
    let history: Value = place.asl(&["history", "mine", "--json"]).json();
    let events = history["events"].as_array().unwrap();
    let page = |events: &[Value]| serde_json::json!({"events": events}).to_string();
    place.write("export/paged.1.json", &page(&events[..4]));
    place.write("export/paged.2.json", &page(&events[4..]));
    let all = place.asl(&["replay", "export"]);
    assert!(all.ends(0).stdout.ends_with("2 executions replayed\n"), "{}", all.stdout);
    assert!(place.asl(&["replay", "export/paged.1.json"]).ends(0).stdout.ends_with(said));

    place.write("export/words.json", "\"words\"");
    place.asl(&["replay", "export/words.json"]).ends(2).says("is no exported history");
    place.asl(&["replay", "check.asl.json"]).ends(2).says("there is no exported history");
}

#[test]
fn a_difference_is_shown_at_its_place_with_its_fields() {
    let place = exported();
    let other = PASS.replace(r#""Result": "one""#, r#""Result": {"n": "uno"}"#);
    place.write("other.asl.json", &other);
    let ran = place.asl(&["replay", "export/mine.json", "--definition", "other.asl.json"]);
    ran.ends(1).says_all(&[
        "error: the replay of export/mine.json differs at event 5, PassStateExited",
        "--> other.asl.json:5:5",
        "\"One\": {\"Type\": \"Pass\"",
        "    ^^^^^",
        "  output\n    - \"one\"\n    + {\"n\":\"uno\"}\n",
    ]);
    place.write("other.asl.json", &PASS.replace("NumericEquals\": 1", "NumericEquals\": 2"));
    let ran = place.asl(&["replay", "export/mine.json", "--definition", "other.asl.json", "--json"]);
    let item = ran.ends(1).json();
    assert_eq!((&item["verdict"], &item["event"]), (&"DIFFERS".into(), &4.into()));
    assert_eq!(item["differences"][0], serde_json::json!({"field": "name", "recorded": "One", "replayed": "More"}));
}

#[test]
fn records_that_were_kept_replay_anywhere() {
    let place = exported();
    let kept = place.asl(&["history", "mine", "--records"]).ends(0).stdout.clone();
    place.write("kept/mine.jsonl", &kept);
    let said = "kept/mine.jsonl  SUCCEEDED, 6 events: no difference\n";
    assert_eq!(place.asl(&["replay", "kept"]).ends(0).stdout, said);
    place.write("other.asl.json", &PASS.replace(r#": "one""#, r#": "uno""#));
    let tried = place.asl(&["replay", "kept", "--definition", "other.asl.json"]);
    assert!(tried.ends(1).stdout.contains("same way, another output  was \"one\", now \"uno\""), "{}", tried.stdout);
    place.write("kept/mine.jsonl", &kept.replacen(r#"\"one\""#, r#"\"uno\""#, 1));
    place.asl(&["replay", "kept/mine.jsonl"]).ends(1).says("differs at event");
    place.write("kept/mine.jsonl", &kept.replace(r#""one""#, r#""uno""#));
    place.asl(&["replay", "kept/mine.jsonl"]).ends(2).says_all(&["cannot be replayed: line", "checksum"]);
}

#[test]
fn another_definition_is_tried_on_what_was_recorded() {
    let place = Place::new();
    for case in ["happy", "fail_auth", "fail_credit"] {
        fare(&place, case);
    }
    let path = place.path("definitions/fare.asl.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let try_it = |change: &dyn Fn(&mut Value)| {
        let mut definition: Value = serde_json::from_str(&text).unwrap();
        change(&mut definition);
        place.write("definitions/new.asl.json", &serde_json::to_string_pretty(&definition).unwrap());
        place.asl(&["replay", "--all", "--of", "fare", "--definition", "definitions/new.asl.json"])
    };
    let same = try_it(&|_| {});
    assert!(same.ends(0).stdout.ends_with("3 executions: 3 same way\n"), "{}", same.stdout);

    let audit = try_it(&|definition| {
        let states = &mut definition["States"];
        states["Audit"] = serde_json::json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "ResultPath": null,
            "Parameters": {"FunctionName": "Audit", "Payload.$": "$.fareId"}, "Next": "CreditCustomerAccount"
        });
        states["ChargeFare"]["Next"] = "Audit".into();
    });
    let needs = "needs a call that never happened  Audit: arn:aws:states:::lambda:invoke {\"FunctionName\":\"Audit\",\"Payload\":\"wr_563\"}";
    assert!(audit.ends(1).stdout.contains(needs), "{}", audit.stdout);
    assert!(audit.stdout.contains("1 same way, 2 needs a call"), "{}", audit.stdout);

    let uncaught = try_it(&|definition| {
        definition["States"]["ChargeFare"]["Catch"] =
            serde_json::json!([{"ErrorEquals": ["Other"], "Next": "SetFareStatusFailed"}]);
    });
    assert!(uncaught.ends(1).stdout.contains("fails                 PaymentAuthException"), "{}", uncaught.stdout);
    assert!(uncaught.stdout.contains("was SetFareStatusFailed, now (the end)"), "{}", uncaught.stdout);

    let around = try_it(&|definition| {
        let states = &mut definition["States"];
        states["Log"] = serde_json::json!({"Type": "Pass", "Next": "CreditCustomerAccount"});
        states["ChargeFare"]["Next"] = "Log".into();
        states["RegisterFare"]["Parameters"]["Item"]["fareStatus"]["S"] = "new".into();
    });
    let told =
        "another path          was CreditCustomerAccount, now Log; RegisterFare called with another Item.fareStatus.S";
    assert!(around.ends(1).stdout.contains(told), "{}", around.stdout);

    let args = ["replay", "happy", "--definition", "definitions/new.asl.json", "--json"];
    let item = place.asl(&args).ends(1).json();
    assert_eq!(item["verdict"], "OTHER_PATH");
    assert_eq!(item["status"], serde_json::json!({"recorded": "SUCCEEDED", "now": "SUCCEEDED"}));
    assert_eq!(item["firstDifference"], serde_json::json!({"was": "CreditCustomerAccount", "now": "Log"}));
    let changed = serde_json::json!({"field": "Item.fareStatus.S", "recorded": "registered", "replayed": "new"});
    assert_eq!(item["changedCalls"][0], serde_json::json!({"state": "RegisterFare", "differences": [changed]}));

    let filtered = |filter: &[&str]| place.asl(&[&["replay", "--all"], filter].concat()).ends(0).stdout.clone();
    assert!(filtered(&["--status", "failed"]).ends_with("2 executions replayed\n"));
    assert!(filtered(&["--since", "1h"]).ends_with("3 executions replayed\n"));
    assert!(filtered(&["--since", "2999-01-01"]).ends_with("0 executions replayed\n"));
    place.asl(&["replay", "--all", "--since", "soon"]).ends(2).says("a date, a time, or a number of days");
}

#[test]
fn a_failed_execution_is_redriven_to_its_end() {
    let place = Place::empty();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/histories/scenarios"), &place.path("."));
    place.asl(&["run", "redriven.asl.json", "-i", "redriven.input.json", "--name", "it", "-q"]).ends(1);
    let ran = place.asl(&["redrive", "it"]);
    ran.ends(0).says_all(&["goes on as it", "Try ", "succeeded"]);
    assert_eq!(ran.json(), serde_json::json!([{"x": 1}, {"redrives": 1}, {"x": 1}]));
    assert!(place.asl(&["replay", "it"]).ends(0).stdout.contains("SUCCEEDED"));
    let listed = place.asl(&["list", "--json"]).json();
    assert_eq!(listed["executions"][0]["redriveCount"], 1);
    assert!(listed["executions"][0]["redriveDate"].is_string());
    assert!(place.asl(&["list"]).stdout.contains("SUCCEEDED (redriven)"));
    let history = place.asl(&["history", "it"]).stdout;
    assert!(history.contains("ExecutionRedriven"), "{history}");
    place.asl(&["redrive", "it"]).ends(2).says_all(&["Execution is SUCCEEDED and cannot be redriven", "hint: "]);
    place.asl(&["redrive", "nobody"]).ends(2).says("there is no execution `nobody`");
}
