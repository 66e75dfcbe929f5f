//! `asl test`, and `asl run --skip-time`.

mod common;

use common::Place;
use std::process::Command;
use std::time::{Duration, Instant};

/// The examples: every case passes, and together they reach everything.
#[test]
fn the_definitions_of_the_repository_pass_their_tests_and_all_of_them_is_reached() {
    let place = Place::new();
    let ran = place.asl(&["test", "definitions/", "--coverage", "--coverage-min", "100", "--jobs", "2"]);
    ran.ends(0).says_all(&["running 19 cases of 4 files\n", "] fare happy\n", "19 cases of 4 files: 19 passed in "]);
    let fare = ran.stdout.lines().find(|line| line.starts_with("definitions/fare.asl.json ")).unwrap();
    let cells: Vec<&str> = fare.split_whitespace().skip(1).collect();
    assert_eq!(cells, ["100.0", "%", "10/10", "11/11", "3/3", "6/6", "-"]);
    assert!(!place.path("definitions/.asl").exists(), "nothing is written");

    let one = place.asl(&["test", "definitions/hello/hello.asl.json"]);
    one.ends(0).says("2 cases of 1 file: 2 passed");
    assert_eq!(one.stdout, "", "only what is asked for");
    let chosen = place.asl(&["test", "--filter", "fare throttled", "-f", "everybody", "definitions"]);
    chosen.ends(0).says("2 cases of 2 files: 2 passed").says("] hello everybody\n");
    let mocked = place.asl(&["test", "definitions", "--mock-only", "-f", "fare happy"]);
    mocked.ends(1).says("called, and not mocked: ChargeFare: ").says("1 case of 1 file: 0 passed, 1 failed");
}

const WAITS: &str = r#"{"StartAt": "Wait", "States": {
  "Wait": {"Type": "Wait", "Seconds": 86400, "Next": "Call"},
  "Call": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName": "j"},
           "Retry": [{"ErrorEquals": ["Glue.Busy"], "IntervalSeconds": 3600, "MaxAttempts": 1}],
           "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Lost"}], "End": true},
  "Lost": {"Type": "Fail", "Error": "Lost & <gone>"}}}"#;

const CASES: &str = r#"
cases:
  works:
    mocks: {Call: [{throw: Glue.Busy}, {return: {run: r1}}]}
    expect: {output: {run: r1}, path: [Wait, Call], duration: 90000}
  "loses & <cries>":
    mocks: {Call: {throw: {error: Glue.Gone, cause: "no \"such\" job"}}}
    expect: {output: {run: r2}, path: [Wait, Lost]}
"#;

fn waits() -> Place {
    let place = Place::empty();
    place.write("flows/waits.asl.json", WAITS);
    place.write("flows/waits.test.yaml", CASES);
    place
}

#[test]
fn failures_come_again_at_the_end_with_their_differences() {
    let ran = waits().asl(&["test"]);
    ran.ends(1);
    let (during, after) = ran.stderr.split_once("\n\n").unwrap();
    assert!(during.contains("PASS [") && during.contains("FAIL ["), "{}", ran.stderr);
    let shown: String = after.lines().skip(1).map(|line| format!("{line}\n")).collect();
    let (shown, summary) = shown.split_once("\n\n").unwrap();
    let wanted = "    at flows/waits.test.yaml:6
    status: expected SUCCEEDED, found FAILED
      error: Lost & <gone>
    path
        Wait
      + Call
        Lost";
    assert_eq!(shown, wanted);
    assert!(summary.starts_with("2 cases of 1 file: 1 passed, 1 failed in "), "{summary}");
    assert!(!ran.stderr.contains('\u{1b}'), "colour is for terminals");
}

#[test]
fn results_are_written_for_machines() {
    let place = waits();
    let files = ["--junit", "junit.xml", "--coverage-json", "coverage.json", "--coverage-min", "99.5"];
    let ran = place.asl(&[&["test", "flows"][..], &files].concat());
    ran.ends(1);
    let read = "import sys, xml.etree.ElementTree as t; r = t.parse('junit.xml').getroot(); \
                print([(s.get('name'), s.get('tests'), s.get('failures')) for s in r], \
                [(c.get('name'), c.get('line'), len(c)) for c in r.iter('testcase')], r.find('.//failure').text)";
    let read = Command::new("python3").args(["-c", read]).current_dir(place.path("")).output().unwrap();
    let read = common::Ran::from(read);
    let said = &read.ends(0).stdout;
    let wanted = "[('waits', '2', '1')] [('works', '3', 0), ('loses & <cries>', '6', 1)] status: expected SUCCEEDED";
    assert!(said.starts_with(wanted) && said.contains("error: Lost & <gone>\n"), "{said}");

    let coverage = std::fs::read_to_string(place.path("coverage.json")).unwrap();
    let coverage: serde_json::Value = serde_json::from_str(&coverage).unwrap();
    assert_eq!((&coverage["reached"], &coverage["points"]), (&7.into(), &7.into()));
    assert_eq!(coverage["definitions"][0]["kinds"]["retriers"]["points"], 1);

    let less = place.asl(&["test", "flows", "--filter", "works", "--coverage-min", "90"]);
    less.ends(1).says("1 passed").says("coverage: the cases reach 57.1 % of the definitions, less than 90 %");
    assert!(less.stdout.contains("flows/waits.asl.json:6: not reached: Lost\n"), "{}", less.stdout);
    place.asl(&["test", "flows", "--filter", "works", "--coverage-min", "57"]).ends(0);
    place.asl(&["test", "--junit", "none/junit.xml"]).ends(2).says("none/junit.xml cannot be written");
}

#[test]
fn what_cannot_be_run_is_told_and_nothing_runs() {
    let place = waits();
    place.write("bad/order.asl.json", "{\"StartAt\": \"A\",\n \"States\": {\"A\": {\"Type\": \"Pass\"}}}");
    place.write("bad/order.test.json", r#"{"cases": {"a": {}}}"#);
    place.write("bad/typo.test.yaml", "definition: ../flows/waits.asl.json\ncases:\n  a: {expcet: {}}\n");
    place.write("alone.asl.json", WAITS);
    place.write("empty/readme.md", "");
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["bad", "flows"],
            &[
                "--> bad/order.asl.json:2:",
                "unknown key `expcet`",
                "--> bad/typo.test.yaml:3:",
                "did you mean `expect`?",
            ],
        ),
        (&["empty"], &["there are no test files in empty", "hint: a test file is called NAME.test.yaml"]),
        (&["alone.asl.json"], &["alone.asl.json has no tests: there is no alone.test.yaml beside it", "hint: "]),
        (&["none.test.yaml"], &["none.test.yaml", "cannot be read"]),
        (&["flows", "--filter", "nothing like it"], &["no case is to be run", "hint: "]),
        (&["flows", "--coverage-min", "101"], &["a number from 0 to 100 is needed"]),
        (&["flows", "--jobs", "0"], &["--jobs"]),
    ];
    for (args, parts) in cases {
        let ran = place.asl(&[&["test"], *args].concat());
        ran.ends(2).says_all(parts);
        assert!(!ran.stderr.contains("PASS") && ran.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn skipped_time_takes_none() {
    let place = waits();
    place.write(
        "mocks.json",
        r#"{"StateMachines": {"waits": {"TestCases": {"Busy": {"Call": "BusyOnce"}}}},
        "MockedResponses": {"BusyOnce": {"0": {"Throw": {"Error": "Glue.Busy", "Cause": ""}}, "1": {"Return": 7}}}}"#,
    );
    let began = Instant::now();
    let ran = place.asl(&["run", "flows/waits.asl.json", "--skip-time", "--mock", "mocks.json"]);
    assert_eq!(ran.ends(0).stdout, "7\n");
    ran.says("Wait          done      1 d 0 h\n")
        .says("retry     1 of 1 in 1 h 0 min")
        .says("waits succeeded in 1 d 1 h\n");
    assert!(began.elapsed() < Duration::from_secs(30));
    // The history has the times it would have had.
    let history = place.asl(&["history", "--project", "flows/asl.toml", "--db", "flows/.asl/asl.db"]);
    assert!(history.ends(0).stdout.contains("+90000.000"), "{}", history.stdout);
    place.asl(&["replay", "--db", "flows/.asl/asl.db"]).ends(0);
}
