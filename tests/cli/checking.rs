//! `asl check`: which files it looks at, and how it tells what it finds.

mod common;

use common::Place;
use serde_json::{Value, json};

const GOOD: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#;
const BAD: &str = "{\"StartAt\": \"B\",\n \"States\": {\"A\": {\"Type\": \"Succeed\"}}}";

fn call(function: &str) -> String {
    format!(
        r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Task", "End": true, "Resource": "arn:aws:states:::lambda:invoke",
 "Parameters": {{"FunctionName": "{function}"}}}}}}}}"#
    )
}

#[test]
fn folders_stdin_and_nothing_are_checked() {
    let place = Place::empty();
    place.write("a/good.asl.json", GOOD);
    place.write("a/deep/bad.asl.yaml", BAD);
    place.write("a/node_modules/x.asl.json", "{");
    place.write("a/.hidden/x.asl.json", "{");
    place.write("a/data.json", "{");
    place.write("b/asl.toml", "[queues.Q]\n");
    place.write("c/template.yaml", "Transform: AWS::Serverless-2016-10-31\nResources:\n  One:\n    \
        Type: AWS::Serverless::StateMachine\n    Properties: {Name: one, Definition: {StartAt: A, States: {A: {Type: Succeed}}}}\n");
    let here = place.asl(&["check"]);
    here.ends(2).says_all(&[
        "a/good.asl.json: ok\n",
        "a/deep/bad.asl.yaml: 1 error",
        "b/asl.toml: ok\n",
        "c/template.yaml (one): ok\n",
    ]);
    assert_eq!(here.stderr.lines().count(), 4, "{}", here.stderr);
    assert!(here.stdout.contains("a/deep/bad.asl.yaml:1:13"), "{}", here.stdout);
    place.asl(&["check", "b", "a/good.asl.json", "a/../a/good.asl.json"]).ends(0);
    place.asl_with_stdin(&["check", "-"], GOOD).ends(0).says("<stdin>: ok");
    let told = place.asl_with_stdin(&["check", "-", "--json"], BAD);
    assert_eq!((told.code, &told.json()["file"]), (2, &json!("<stdin>")));
    place.asl_with_stdin(&["check", "-"], "StartAt: A\nStates:\n  A:\n    Type: Succeed\n").ends(0);
    let empty = Place::empty();
    empty.asl(&["check"]).ends(2).says("there are no definitions in .").says("hint: in a folder they are called");
}

#[test]
fn what_cannot_run_here_is_a_warning_of_it() {
    let place = Place::empty();
    place.write("asl.toml", "[functions.Here]\nRuntime = 'python'\nFile = 'here.py'\n");
    place.write("here.py", "");
    place.write("a.asl.json", &call("Here"));
    place.write("b.asl.json", &call("Hree"));
    place.write("c.asl.json", &call("x").replace("lambda:invoke", "glue:startJobRun.sync"));
    place.asl(&["check", "a.asl.json"]).ends(0).says("a.asl.json: ok\n");
    let ran = place.asl(&["check", "b.asl.json", "c.asl.json"]);
    ran.ends(0).says("b.asl.json: ok, 1 warning\n").says("c.asl.json: ok, 1 warning");
    for part in
        ["warning: state `A` cannot run here: the function 'Hree' is not declared", "b.asl.json:2:", "no local backend"]
    {
        assert!(ran.stdout.contains(part), "{part} is in\n{}", ran.stdout);
    }
    // A file that is missing is told once, however many definitions the project has.
    std::fs::remove_file(place.path("here.py")).unwrap();
    let ran = place.asl(&["check", "a.asl.json", "b.asl.json"]);
    assert_eq!(ran.ends(0).stdout.matches("asl.toml:3:8").count(), 1, "{}", ran.stdout);
}

#[test]
fn programs_are_told_file_line_and_column() {
    let place = Place::empty();
    place.write("bad, one.asl.json", BAD);
    place.write("warn.asl.json", &call("F"));
    let sarif = place.asl(&["check", "--format", "sarif"]);
    let log = sarif.ends(2).json();
    let run = &log["runs"][0];
    assert_eq!((&log["version"], &run["tool"]["driver"]["name"]), (&json!("2.1.0"), &json!("asl")));
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    let place_of = |result: &Value| {
        let physical = &result["locations"][0]["physicalLocation"];
        (
            physical["artifactLocation"]["uri"].clone(),
            physical["region"]["startLine"].clone(),
            physical["region"]["startColumn"].clone(),
        )
    };
    assert_eq!(place_of(&results[0]), (json!("bad,%20one.asl.json"), json!(1), json!(13)));
    assert_eq!((&results[0]["ruleId"], &results[0]["level"]), (&json!("missing-target"), &json!("error")));
    assert_eq!((&results[1]["ruleId"], &results[1]["level"]), (&json!("cannot-run-here"), &json!("warning")));
    let rules: Vec<&Value> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    assert_eq!(rules, ["cannot-run-here", "missing-target"]);

    let github = place.asl(&["check", "--format", "github"]);
    let lines: Vec<&str> = github.ends(2).stdout.lines().collect();
    assert_eq!(
        lines[0],
        "::error file=bad%2C one.asl.json,line=1,col=13,title=missing-target::Missing 'Next' target: B%0Ahelp: did you mean `A`?"
    );
    assert!(lines[1].starts_with("::warning file=warn.asl.json,line=2,col=") && lines.len() == 2, "{lines:?}");

    let json = place.asl(&["check", "--format", "json"]).stdout;
    assert_eq!(json, place.asl(&["check", "--json"]).stdout);
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[1]["result"], &lines[1]["diagnostics"][0]["code"]), (&json!("OK"), &json!("CANNOT_RUN_HERE")));
}

#[test]
fn what_needs_a_value_is_told_and_the_rest_is_checked() {
    let place = Place::empty();
    let text = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${Charge}", "Next": "B"},
        "B": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": true,
              "Parameters": {"QueueUrl": "${Queue}", "MessageBody": "x"}}}}"#;
    place.write("a.asl.json", text);
    let told = place.asl(&["check", "a.asl.json", "--json"]).ends(0).json();
    let found: Vec<(&str, &str)> = told["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["code"].as_str().unwrap(), d["message"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("NEEDS_VALUE", "`${Charge}` needs a value"), ("NEEDS_VALUE", "`${Queue}` needs a value")]);
    assert_eq!(told["diagnostics"][0]["line"], 1);
    assert!(place.asl(&["graph", "a.asl.json"]).ends(0).stdout.contains("Task"));
    place.asl(&["run", "a.asl.json"]).ends(2).says("no value is given for `${Charge}`");
    place.write("a.asl.json", &text.replace("\"B\"}", "\"C\"}"));
    place.asl(&["check", "a.asl.json"]).ends(2);
}

#[test]
fn what_is_no_definition_is_called_by_its_name() {
    let place = Place::empty();
    place.write("asl.toml", "");
    place.write("list/template.yaml", "AWSTemplateFormatVersion: '2010-09-09'\nResources: []\n");
    place.asl(&["graph", "asl.toml"]).ends(2).says("asl.toml is a project file, and no definition").says("hint:");
    place.asl(&["graph", "list"]).ends(2).says("list is a folder, and no definition");
    place.asl(&["graph", "list/template.yaml"]).ends(2).says("Resources is no object").says("template.yaml:2:12");
    // A folder that holds mistakes on purpose.
    place.write("bad/x.asl.json", "{");
    place.asl(&["check"]).ends(2);
    place.write("bad/.aslignore", "");
    place.write("good/x.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#);
    std::fs::remove_dir_all(place.path("list")).unwrap();
    place.asl(&["check"]).ends(0).says("good/x.asl.json: ok");
    place.asl(&["check", "bad"]).ends(2);
}

#[test]
fn what_was_meant_is_guessed() {
    let place = Place::empty();
    place.write("asl.toml", "[functions.Charge]\nCommand = ['true']\n[queues.Jobs]\n[tables.Fares]\nHashKey = 'id'\n");
    let table = [
        (
            "arn:aws:lambda:us-east-1:000000000000:function:Chargee",
            "{}",
            "did you mean `Charge`? Otherwise add [functions.Chargee]",
        ),
        (
            "arn:aws:states:::lambda:invoke",
            r#"{"FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:Pay:live"}"#,
            "add [functions.Pay] to asl.toml",
        ),
        (
            "arn:aws:states:::sqs:sendMessage",
            r#"{"QueueUrl": "https://sqs.us-east-1.amazonaws.com/000000000000/Job", "MessageBody": "x"}"#,
            "did you mean `Jobs`? Otherwise add [queues.Job]",
        ),
        ("arn:aws:states:::dynamodb:putItm", "{}", "did you mean `dynamodb:putItem`?"),
        ("arn:aws:states:::aws-sdk:dynamodb:putItm", "{}", "did you mean `putItem`?"),
        ("arn:aws:states:::aws-sdk:dynamodv:putItem", "{}", "did you mean the service `dynamodb`?"),
    ];
    for (resource, parameters, expected) in table {
        place.write("a.asl.json", &format!(r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Task", "Resource": "{resource}", "Parameters": {parameters}, "End": true}}}}}}"#));
        let told = place.asl(&["check", "a.asl.json"]);
        assert!(told.stdout.contains(expected), "{resource}: {expected}\n{}{}", told.stdout, told.stderr);
    }
}

#[test]
fn every_task_is_listed_with_what_runs_it() {
    let place = Place::empty();
    place.write(
        "asl.toml",
        "[functions.Here]\nRuntime = 'python'\nFile = 'here.py'\n[functions.Score]\nCommand = ['cat']\n[queues.Q]\n\
         [aws]\nRegion = 'eu-central-1'\n[aws.endpoints]\nssm = 'http://127.0.0.1:9'\n\
         [backends]\n'aws-sdk:ssm' = 'aws'\nathena = 'aws'\nbatch = 'mock'\n",
    );
    place.write("here.py", "");
    let task = |name: &str, resource: &str, parameters: &str| {
        format!(r#""{name}": {{"Type": "Task", "Resource": "{resource}", "Parameters": {parameters}, "Next": "NEXT"}}"#)
    };
    let arn = "arn:aws:states:::";
    let states = [
        task("Charge", "arn:aws:lambda:us-east-1:000000000000:function:Here", "{}"),
        task("Score", &format!("{arn}lambda:invoke"), r#"{"FunctionName": "Score"}"#),
        task("Send", &format!("{arn}sqs:sendMessage"), r#"{"QueueUrl": "Q", "MessageBody": "x"}"#),
        task("Read", &format!("{arn}aws-sdk:ssm:getParameter"), r#"{"Name": "x"}"#),
        task("Query", &format!("{arn}athena:startQueryExecution.sync"), r#"{"QueryString": "x"}"#),
        task("Submit", &format!("{arn}batch:submitJob"), r#"{"JobName": "x", "JobDefinition": "x", "JobQueue": "x"}"#),
        task("Label", &format!("{arn}aws-sdk:rekognition:detectLabels"), "{}"),
        r#""End": {"Type": "Succeed"}"#.to_owned(),
    ];
    let names = ["Score", "Send", "Read", "Query", "Submit", "Label", "End", ""];
    let states = states.iter().zip(names).map(|(state, next)| state.replace("NEXT", next));
    let states: Vec<String> = states.collect();
    let definition = format!(r#"{{"StartAt": "Charge", "States": {{{}}}}}"#, states.join(",\n"));
    place.write("all.asl.json", &definition);
    let ran = place.asl(&["check", "--tasks"]);
    ran.ends(0);
    let rows: Vec<Vec<&str>> = ran
        .stdout
        .lines()
        .take(8)
        .map(|line| line.split("  ").map(str::trim).filter(|c| !c.is_empty()).collect())
        .collect();
    let expected = [
        ["STATE", "TASK", "RUN BY"],
        ["Charge", "function:Here", "function Here"],
        ["Score", "lambda:invoke", "command Score"],
        ["Send", "sqs:sendMessage", "embedded"],
        ["Read", "aws-sdk:ssm:getParameter", "http://127.0.0.1:9"],
        ["Query", "athena:startQueryExecution.sync", "AWS eu-central-1"],
        ["Submit", "batch:submitJob", "mock"],
        ["Label", "aws-sdk:rekognition:detectLabels", "nothing"],
    ];
    assert_eq!(rows, expected, "{}", ran.stdout);
    assert!(ran.stdout.lines().take(8).all(|line| line.len() <= 80), "{}", ran.stdout);
    for part in
        ["nothing runs 1 of 7:", "  Label: aws-sdk:rekognition:detectLabels", "add `\"aws-sdk:rekognition\" = \"aws\"`"]
    {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    let told = place.asl(&["check", "--tasks", "--json", "all.asl.json"]).json();
    let runners: Vec<&str> = told["tasks"].as_array().unwrap().iter().map(|t| t["runner"].as_str().unwrap()).collect();
    assert_eq!(runners, ["function", "command", "embedded", "aws", "aws", "mock", "nothing"]);
    assert_eq!(told["tasks"][3]["by"], json!("http://127.0.0.1:9"));

    place.write("bad.asl.json", BAD);
    place
        .asl(&["check", "--tasks", "bad.asl.json"])
        .ends(2)
        .says("bad.asl.json: 1 error; `asl check bad.asl.json` shows where");
    place.asl(&["check", "--tasks", "--format", "sarif"]).ends(2).says("--tasks has no such format");
}

/// The lines of a section of `docs/reference/kinds.md`: service and actions.
fn kinds(section: &str) -> Vec<(String, Vec<String>)> {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/kinds.md");
    let page = std::fs::read_to_string(page).unwrap();
    let section = page.split("\n## ").find_map(|part| part.strip_prefix(section)).unwrap();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let service = cells.next()?.trim_end_matches('`').to_owned();
        Some((service, quoted(cells.next()?)))
    };
    section.lines().filter_map(row).collect()
}

/// What `asl check --tasks` says runs each of these, in a project with these lines.
fn runners(kinds: &[(String, Vec<String>)], project: &str) -> Vec<(String, String)> {
    let place = Place::empty();
    place.write("asl.toml", &format!("[queues.Q]\n[topics.T]\n[buckets.data]\nPath = \".\"\n{project}"));
    let all =
        kinds.iter().flat_map(|(service, actions)| actions.iter().map(move |action| format!("{service}:{action}")));
    let state = |resource: String| {
        let state = json!({"Type": "Task", "Resource": format!("arn:aws:states:::{resource}"), "End": true});
        json!({"StartAt": resource, "States": {resource.clone(): state}})
    };
    let branches: Vec<Value> = all.map(state).collect();
    let machine = json!({"StartAt": "All", "States": {"All": {"Type": "Parallel", "End": true, "Branches": branches}}});
    place.write("all.asl.json", &machine.to_string());
    let told = place.asl(&["check", "--tasks", "--json", "all.asl.json"]);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    let text = |task: &Value, name: &str| task[name].as_str().unwrap_or_default().to_owned();
    told["tasks"].as_array().unwrap().iter().map(|task| (text(task, "state"), text(task, "runner"))).collect()
}

#[test]
fn each_kind_of_task_is_run_by_what_the_page_says() {
    let here = runners(&kinds("In this engine"), "");
    let others: Vec<_> = here.iter().filter(|(_, runner)| !matches!(&**runner, "embedded" | "function")).collect();
    assert!(here.len() > 30 && others.is_empty(), "{others:?}");
    let aws = kinds("At AWS");
    let backends: String = aws.iter().map(|(service, _)| format!("\"{service}\" = \"aws\"\n")).collect();
    let there = runners(&aws, &format!("[backends]\n{backends}"));
    let others: Vec<_> = there.iter().filter(|(_, runner)| runner != "aws").collect();
    assert!(there.len() > 140 && others.is_empty(), "{others:?}");
    // Unasked, nothing leaves the machine.
    let others: Vec<_> = runners(&aws, "").into_iter().filter(|(_, runner)| runner != "nothing").collect();
    assert!(others.is_empty(), "{others:?}");
    for (service, actions) in kinds("Nowhere") {
        for action in actions {
            let place = Place::empty();
            place.write("asl.toml", "");
            let state =
                json!({"Type": "Task", "Resource": format!("arn:aws:states:::{service}:{action}"), "End": true});
            place.write("a.asl.json", &json!({"StartAt": "A", "States": {"A": state}}).to_string());
            place.asl(&["run", "a.asl.json"]).ends(2).says("is not recognized");
        }
    }
}
