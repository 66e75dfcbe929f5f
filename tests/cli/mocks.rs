//! `asl run --mock`: tasks answered from a mock configuration, in the format of AWS Step Functions Local.

mod common;

use common::Place;

/// Its first state calls what has no backend here, and is tried again.
const ETL: &str = r#"{"StartAt": "Transform", "States": {
  "Transform": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName": "j"},
                "Retry": [{"ErrorEquals": ["Glue.Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}], "Next": "Store"},
  "Store": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "End": true, "OutputPath": "$.run",
            "ResultPath": "$.stored", "Parameters": {"TableName": "Runs", "Item": {"id": {"S.$": "$.run"}}}}}}"#;

const MOCKS: &str = r#"{
  "StateMachines": {"etl": {"TestCases": {"Works": {"Transform": "Done"}, "Stumbles": {"Transform": "BusyOnce"}}},
                    "one": {"TestCases": {"Only": {"Transform": "Done"}}},
                    "lost": {"TestCases": {"Only": {"Transform": "Nowhere"}}},
                    "typo": {"TestCases": {"Only": {"Transfrom": "Done"}}}},
  "MockedResponses": {"Done": {"0": {"Return": {"run": "r1"}}},
                      "BusyOnce": {"0": {"Throw": {"Error": "Glue.Busy", "Cause": "in use"}},
                                   "1": {"Return": {"run": "r2"}}}}}"#;

fn place() -> Place {
    let place = Place::empty();
    place.write("asl.toml", "[tables.Runs]\nHashKey = \"id\"\n");
    place.write("mocks.json", MOCKS);
    for name in ["etl", "one", "lost", "typo", "other"] {
        place.write(&format!("{name}.asl.json"), ETL);
    }
    place
}

#[test]
fn mocked_states_need_no_backend_and_the_others_run() {
    let place = place();
    let run = ["run", "etl.asl.json", "--mock", "mocks.json", "--mock-case"];
    let ran = place.asl(&[&run[..], &["Works"]].concat());
    assert_eq!(ran.ends(0).stdout, "\"r1\"\n");
    assert_eq!(place.asl(&["table", "get", "Runs", "r1", "--json"]).json()["Item"]["id"]["S"], "r1");
    let ran = place.asl(&[&run[..], &["Stumbles"]].concat());
    ran.ends(0).says("Glue.Busy: in use").says("retry     1 of 1 in 1 s");
    assert_eq!(ran.stdout, "\"r2\"\n");
    assert_eq!(place.asl(&["run", "etl.asl.json", "--mock", "mocks.json#Works", "-q"]).ends(0).stdout, "\"r1\"\n");
    assert_eq!(place.asl(&["run", "one.asl.json", "--mock", "mocks.json", "-q"]).ends(0).stdout, "\"r1\"\n");
    assert!(place.asl(&["replay", "--all"]).ends(0).stdout.contains("4 executions replayed"));
}

#[test]
fn without_its_mock_a_state_is_refused_by_name_and_wrong_mocks_are_told() {
    let place = place();
    place.write("broken.json", "{\"StateMachines\": ");
    let cases: &[(&[&str], &[&str])] = &[
        (&["etl.asl.json"], &["state `Transform` cannot run here: glue:startJobRun has no local backend", "^^^"]),
        (
            &["etl.asl.json", "--mock", "mocks.json"],
            &["several test cases for 'etl': Works, Stumbles", "hint: choose one with --mock-case"],
        ),
        (
            &["etl.asl.json", "--mock", "mocks.json", "--mock-case", "Fails"],
            &["no test case of 'etl' 'Fails'; it has Works, Stumbles", "mocks.json:2:", "help: choose one"],
        ),
        (
            &["other.asl.json", "--mock", "mocks.json"],
            &["no state machine 'other'; it has etl, one, lost, typo", "help: a state machine is named after its file"],
        ),
        (
            &["lost.asl.json", "--mock", "mocks.json"],
            &["no response 'Nowhere'; it has Done, BusyOnce", "mocks.json:4:"],
        ),
        (
            &["typo.asl.json", "--mock", "mocks.json"],
            &["the definition has no state 'Transfrom'", "mocks.json:5:", "help: did you mean 'Transform'?"],
        ),
        (&["etl.asl.json", "--mock", "none.json"], &["the mock configuration none.json cannot be read", "hint: "]),
        (&["etl.asl.json", "--mock", "broken.json"], &["the mock configuration is not JSON", "broken.json:1:"]),
        (&["etl.asl.json", "--mock-case", "Works"], &["--mock <FILE[#CASE]>"]),
    ];
    for (args, parts) in cases {
        let ran = place.asl(&[&["run"], *args].concat());
        ran.ends(2).says_all(parts);
        assert_eq!(ran.stdout, "");
    }
    assert!(!place.path(".asl").exists());
}
