//! What commands print, and where.

mod common;

use common::Place;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;

/// `ASL_UPDATE=1 cargo test -p asl-cli` writes the pages anew.
#[test]
fn help_says_what_the_repository_says() {
    let place = Place::empty();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli/help");
    let commands = [
        "",
        "init",
        "run",
        "resume",
        "worker",
        "serve",
        "start",
        "describe",
        "stop",
        "wait",
        "send-task-success",
        "send-task-failure",
        "send-task-heartbeat",
        "list",
        "history",
        "replay",
        "redrive",
        "rerun",
        "queue",
        "queue receive",
        "queue peek",
        "table",
        "table scan",
        "queue send",
        "queue delete",
        "queue purge",
        "table get",
        "table query",
        "table put",
        "table delete",
        "topic",
        "topic publish",
        "function",
        "function invoke",
        "bucket",
        "bucket ls",
        "bucket get",
        "bucket put",
        "purge",
        "db",
        "db check",
        "db vacuum",
        "db backup",
        "db migrate",
        "db move",
        "down",
        "check",
        "test",
        "graph",
        "explain",
        "completions",
        "man",
    ];
    for command in commands {
        let mut args: Vec<&str> = command.split_whitespace().collect();
        args.push("--help");
        let ran = place.asl(&args);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let file = folder.join(format!("asl {command}").trim().replace(' ', "-")).with_extension("txt");
        if std::env::var_os("ASL_UPDATE").is_some() {
            std::fs::write(&file, &ran.stdout).unwrap();
        }
        assert_eq!(ran.stdout, std::fs::read_to_string(&file).unwrap_or_default(), "{}", file.display());
    }
}

#[test]
fn stdout_is_the_output_and_nothing_else() {
    let place = Place::new();
    let run = ["run", "definitions/hello/hello.asl.json"];
    let ran = place.asl(&run);
    assert_eq!(ran.ends(0).stdout, "{\"greeting\":\"Hello, everybody!\"}\n", "no input is {{}}, a pipe gets one line");
    let lines = [
        "hello  started as ",
        "\n  NameEverybody  entered\n",
        "\n  NameEverybody  done      0 ms\n",
        "\n  Breathe        done      1",
        "\nhello succeeded in 1",
    ];
    ran.says_all(&lines);
    assert!(!ran.stderr.contains('\u{1b}'), "colour is for terminals");

    let quiet =
        place.asl_with_stdin(&[run[0], run[1], "--quiet", "--input", "-", "--name", "mine"], r#"{"name": "Ada"}"#);
    assert_eq!(quiet.ends(0).stdout, "{\"greeting\":\"Hello, Ada!\"}\n");
    assert_eq!(quiet.stderr, "");
    let listed = place.asl(&["list", "--project", "definitions/hello/asl.toml", "--limit", "1", "--json"]).json();
    assert_eq!(listed["executions"][0]["name"], "mine");
}

#[test]
fn every_example_gives_its_output() {
    let place = Place::new();
    let mut examples = 0;
    for entry in std::fs::read_dir(place.path("definitions")).unwrap().flatten() {
        let folder = entry.path();
        let Ok(output) = std::fs::read_to_string(folder.join("output.json")) else { continue };
        let name = entry.file_name().into_string().unwrap();
        let definition = folder.join(format!("{name}.asl.json"));
        let input = folder.join("input.json");
        let args = ["run", definition.to_str().unwrap(), "--input", input.to_str().unwrap(), "-q"];
        let ran = place.asl(&args);
        ran.ends(0);
        assert_eq!(ran.json(), serde_json::from_str::<Value>(&output).unwrap(), "{name}");
        assert_eq!(place.asl(&["check", definition.to_str().unwrap()]).ends(0).stdout, "", "{name}");
        examples += 1;
    }
    assert!(examples >= 2);
    place.asl(&["check", "definitions/fare.asl.json"]).ends(0).says("fare.asl.json: ok\n");
}

#[test]
fn iterations_and_function_lines_are_named() {
    let place = Place::new();
    let ran = place.asl(&["run", "definitions/trip/trip.asl.json", "--input", "definitions/trip/input.json"]);
    for index in 0..3 {
        ran.says(&format!("QuoteLeg[{index}]      entered")).says(&format!("QuoteLeg[{index}]      done"));
    }
    ran.says("  QuoteLegs        done").says("  Prepare          done");
    let log = Place::new();
    log.write(
        "definitions/functions/payment_charge.py",
        "def lambda_handler(event, context):\n    print('  a line')\n",
    );
    let ran = log.asl(&["run", "definitions/fare.asl.json", "-i", "fixtures/fare/happy.json"]);
    ran.says("  PaymentCharge           |   a line\n");
}

#[test]
fn retries_are_shown_with_their_delay() {
    let place = Place::empty();
    let text = r#"{"StartAt": "Call", "States": {
      "Call": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "F"}, "End": true,
        "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}]}}}"#;
    place.write("d.asl.json", text);
    place.write("asl.toml", "[functions.F]\nRuntime = \"python\"\nFile = \"f.py\"\n");
    place.write(
        "f.py",
        "class Busy(Exception):\n    pass\n\ndef lambda_handler(event, context):\n    raise Busy('later')\n",
    );
    let ran = place.asl(&["run", "d.asl.json"]);
    ran.ends(1)
        .says("  Call          failed    Busy: later (f.py:5)\n  Call          retry     1 of 1 in 1 s, after Busy\n");
    assert_eq!(ran.stderr.matches("failed    Busy: later").count(), 2);
    ran.says("error: the execution failed: Busy\n  {\n    \"errorMessage\": \"later\"");
}

#[test]
fn timed_out_and_nothing_else_is_said_on_stderr_when_quiet() {
    let place = Place::empty();
    let text =
        r#"{"StartAt": "W", "TimeoutSeconds": 1, "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}}"#;
    place.write("d.asl.yaml", &format!("# JSON is YAML\n{text}\n"));
    let ran = place.asl(&["run", "d.asl.yaml", "-q"]);
    assert_eq!(ran.ends(1).stderr.lines().next(), Some("error: the execution timed out: States.Timeout"));
    let listed = place.asl(&["list", "--status", "timed_out", "--json"]).json();
    assert_eq!(listed["executions"][0]["status"], "TIMED_OUT");
}

#[test]
fn lists_are_filtered_and_newest_first_in_the_shape_of_aws() {
    let place = Place::empty();
    place.write("good.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#);
    place.write("bad.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "E", "Cause": "why"}}}"#);
    for (file, name) in [("good.asl.json", "g1"), ("bad.asl.json", "b1"), ("good.asl.json", "g2")] {
        place.asl(&["run", file, "--name", name, "-q"]);
    }
    let names = |args: &[&str]| -> Vec<String> {
        let listed = place.asl(&[&["list", "--json"], args].concat()).json();
        let executions = listed["executions"].as_array().unwrap().clone();
        executions.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["g2", "b1", "g1"]);
    assert_eq!(names(&["--status", "FAILED"]), ["b1"]);
    assert_eq!(names(&["--definition", "good"]), ["g2", "g1"]);
    assert_eq!(names(&["--limit", "2"]), ["g2", "b1"]);
    let first = &place.asl(&["list", "--json"]).json()["executions"][0];
    let keys: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["executionArn", "stateMachineArn", "name", "status", "startDate", "stopDate"]);
    assert_eq!(first["executionArn"], "arn:aws:states:us-east-1:000000000000:execution:good:g2");
    assert_eq!(first["stateMachineArn"], "arn:aws:states:us-east-1:000000000000:stateMachine:good");
    assert!(first["startDate"].as_str().unwrap().ends_with("+00:00"));

    let table = place.asl(&["list"]);
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert!(lines[0].starts_with("DEFINITION  STATUS ") && lines.len() == 4, "{}", table.stdout);
    assert!(lines[2].starts_with("bad         FAILED ") && lines[2].ends_with("  b1"), "{}", table.stdout);
}

#[test]
fn a_history_is_a_table_or_exactly_what_aws_gives() {
    let place = Place::empty();
    place
        .write("d.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"a": 1}, "End": true}}}"#);
    place.asl_with_stdin(&["run", "d.asl.json", "--name", "one", "-q", "-i", "-"], "{\"x\": 2}");
    let mut history = place.asl(&["history", "--json"]).json();
    for event in history["events"].as_array_mut().unwrap() {
        assert!(event.as_object_mut().unwrap().remove("timestamp").unwrap().is_string());
    }
    let whole = json!({"truncated": false});
    let wanted = json!({"events": [
        {"type": "ExecutionStarted", "id": 1, "previousEventId": 0, "executionStartedEventDetails":
            {"input": "{\"x\": 2}", "inputDetails": whole, "roleArn": "arn:aws:iam::000000000000:role/d"}},
        {"type": "PassStateEntered", "id": 2, "previousEventId": 0, "stateEnteredEventDetails":
            {"name": "A", "input": "{\"x\":2}", "inputDetails": whole}},
        {"type": "PassStateExited", "id": 3, "previousEventId": 2, "stateExitedEventDetails":
            {"name": "A", "output": "{\"a\":1}", "outputDetails": whole}},
        {"type": "ExecutionSucceeded", "id": 4, "previousEventId": 3, "executionSucceededEventDetails":
            {"output": "{\"a\":1}", "outputDetails": whole}},
    ]});
    assert_eq!(history, wanted);

    let table = place.asl(&["history", "one"]).stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("d · one  SUCCEEDED  started "), "{table}");
    assert_eq!(lines[2], "ID  PREV  SECONDS  EVENT               STATE  DETAIL");
    assert!(
        lines[4].starts_with(" 2     0   +0.0") && lines[4].ends_with("PassStateEntered    A      {\"x\":2}"),
        "{table}"
    );
    // The beginning of a name is enough when it is the only one.
    assert_eq!(place.asl(&["history", "o", "--json"]).stdout, place.asl(&["history", "one", "--json"]).stdout);
}

#[test]
fn what_nobody_reads_is_no_error() {
    let place = Place::empty();
    place.write("d.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#);
    place.asl(&["run", "d.asl.json", "-q"]).ends(0);
    let mut child =
        place.command(&["history", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran: common::Ran = child.wait_with_output().unwrap().into();
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn check_draws_places_and_gives_the_shape_of_aws() {
    let place = Place::empty();
    place.write("good.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#);
    place.write(
        "bad.asl.json",
        "{\n  \"StartAt\": \"Strat\",\n  \"States\": {\"Start\": {\"Type\": \"Pass\", \"End\": true}}\n}\n",
    );
    let ran = place.asl(&["check", "bad.asl.json", "good.asl.json"]);
    ran.ends(2).says("bad.asl.json: 1 error; `asl explain RULE` tells more\ngood.asl.json: ok\n");
    let drawn = "\
error[missing-target]: Missing 'Next' target: Strat
 --> bad.asl.json:2:14
  |
2 |   \"StartAt\": \"Strat\",
  |              ^^^^^^^
  |
  = help: did you mean `Start`?

";
    assert_eq!(ran.stdout, drawn);
    let told = place.asl(&["check", "--json", "bad.asl.json"]).json();
    let wanted = json!({"file": "bad.asl.json", "result": "FAIL", "truncated": false, "diagnostics": [{
        "severity": "ERROR", "code": "MISSING_TRANSITION_TARGET", "message": "Missing 'Next' target: Strat",
        "location": "/StartAt", "file": "bad.asl.json", "line": 2, "column": 14, "rule": "missing-target",
        "help": "did you mean `Start`?"}]});
    assert_eq!(told, wanted);
    // A warning keeps nothing from running, and is no reason for another exit code.
    place.write("odd.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "$.x", "End": true}}}"#);
    let odd = place.asl(&["check", "odd.asl.json"]);
    odd.ends(0).says("odd.asl.json: ok, 1 warning");
    assert!(odd.stdout.starts_with("warning[static-result]: "), "{}", odd.stdout);
    place.asl(&["run", "odd.asl.json"]).ends(0).says("warning: 1 warning; `asl check odd.asl.json` shows more\n");

    place.write("asl.toml", "[queues.Q]\n");
    assert_eq!(place.asl(&["check", "asl.toml"]).ends(0).says("asl.toml: ok\n").stdout, "");
    place.write("asl.toml", "[functions.F]\nRuntime = 'python'\nFile = 'none.py'\n[queues.Q]\nDelaySeconds = 901\n");
    let wrong = place.asl(&["check", "asl.toml"]);
    assert!(wrong.ends(2).says("asl.toml: 1 error\n").stdout.contains("901 is out of range"), "{}", wrong.stdout);
    place.write("asl.toml", "[functions.F]\nRuntime = 'python'\nFile = 'none.py'\n");
    assert!(place.asl(&["check", "asl.toml"]).ends(2).stdout.contains("asl.toml:3:8"));
    place.asl(&["check", "none.toml"]).ends(2).says("the project file none.toml cannot be read");
    let told = place.asl(&["check", "asl.toml", "--json"]).json();
    assert_eq!((&told["result"], &told["diagnostics"][0]["line"]), (&json!("FAIL"), &json!(3)));
    std::fs::remove_file(place.path("asl.toml")).unwrap();

    let page = place.asl(&["explain", "missing-target"]);
    assert!(page.ends(0).stdout.contains("Wrong:") && page.stdout.contains("Right:"));
    assert!(place.asl(&["explain"]).stdout.lines().any(|line| line.starts_with("missing-target ")));
}

#[test]
fn a_graph_is_drawn_and_shows_what_became_of_an_execution() {
    let place = Place::new();
    let fare = "definitions/fare.asl.json";
    let graph = ["graph", fare];
    let with = |more: &[&str]| place.asl(&[&graph[..], more].concat());
    let plain = with(&[]);
    let picture = &plain.ends(0).stdout;
    for state in ["RegisterFare", "RefundFare", "NotifyFailure", "FareProcessingFailed"] {
        assert!(picture.contains(state), "{state} is in\n{picture}");
    }
    assert!(picture.contains('│') && !picture.contains('\u{1b}') && plain.stderr.is_empty());
    let ascii = place.command(&graph).env("LC_ALL", "C").output().unwrap();
    assert!(ascii.stdout.is_ascii(), "{}", String::from_utf8_lossy(&ascii.stdout));
    assert!(with(&["--format", "svg"]).ends(0).stdout.starts_with("<svg "));
    assert!(with(&["--format", "mermaid"]).ends(0).stdout.starts_with("flowchart "));
    assert!(with(&["--format", "dot"]).ends(0).stdout.starts_with("digraph "));

    place.asl(&["run", fare, "-i", "fixtures/fare/fail_credit.json", "--name", "refunded", "-q"]).ends(1);
    let ran = with(&["--execution", "refund"]);
    for word in ["succeeded", "caught", "not reached"] {
        assert!(ran.ends(0).stdout.contains(word), "{word} is in\n{}", ran.stdout);
    }
    let facts = ran.stdout.lines().skip_while(|line| !line.starts_with("STATE ")).collect::<Vec<_>>();
    assert!(facts[0].ends_with("  TOOK  VISITS  RETRIES  ITEMS"), "{}", ran.stdout);
    assert!(facts.iter().any(|line| line.starts_with("RefundFare ")), "how each state fared is told: {}", ran.stdout);
    assert!(with(&["--execution", "refund", "--format", "svg"]).stdout.contains("<title>RefundFare: succeeded, "));
    // What ran is drawn, whatever the file holds by now.
    let changed = std::fs::read_to_string(place.path(fare)).unwrap().replace("RefundFare", "PayBack");
    place.write(fare, &changed);
    assert!(with(&[]).stdout.contains("PayBack"));
    assert_eq!(with(&["--execution", "refunded"]).stdout, ran.stdout);

    with(&["--execution", "none"]).ends(2).says("there is no execution `none`");
    with(&["--format", "gif"]).ends(2).says("possible values: text, svg, mermaid, dot");
    place
        .asl(&[
            "graph",
            "definitions/hello/hello.asl.json",
            "--execution",
            "refunded",
            "--db",
            "definitions/.asl/asl.db",
        ])
        .ends(2)
        .says("is one of `fare`, not of `hello`")
        .says("hint: `asl list --of hello`");
    place.write("bad.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}"#);
    place.asl(&["graph", "bad.asl.json"]).ends(2).says("Missing 'Next' target: B").says("^^^");
}

#[test]
fn the_project_is_found_from_where_one_stands() {
    let place = Place::empty();
    place.write("one/asl.toml", "[queues.Q]\n");
    place.write("one/deep/d.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#);
    place.asl(&["run", "one/deep/d.asl.json", "--name", "x", "-q"]).ends(0);
    assert!(place.path("one/.asl/asl.db").exists(), "the database is beside the project file");
    for from in ["", "one", "one/deep"] {
        let ran = place.command(&["list", "--json"]).current_dir(place.path(from)).output().unwrap();
        assert_eq!(common::Ran::from(ran).json()["executions"][0]["name"], "x", "from {from}");
    }
    place.write("two/asl.toml", "");
    place.asl(&["list"]).ends(2).says("several folders here have a project: one, two").says("--project one/asl.toml");
    assert_eq!(place.asl(&["queue", "peek", "Q", "--json", "--project", "one/asl.toml"]).stdout, "{\"Messages\":[]}\n");
    place.asl(&["queue", "peek", "Q", "--project", "one/asl.toml"]).ends(0).says("no messages");
}

#[test]
fn variables_name_the_project_and_the_database() {
    let place = Place::empty();
    place.write("one/asl.toml", "[queues.Q]\n");
    place.write("d.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#);
    let with = |variables: &[(&str, &str)], args: &[&str]| -> common::Ran {
        place.command(args).envs(variables.iter().copied()).output().unwrap().into()
    };
    with(&[("ASL_DB", "there.db")], &["run", "d.asl.json", "-n", "x", "-q"]).ends(0);
    assert!(place.path("there.db").exists() && !place.path(".asl").exists());
    assert_eq!(with(&[("ASL_DB", "there.db")], &["list", "--json"]).json()["executions"][0]["name"], "x");
    with(&[("ASL_DB", "there.db")], &["list", "--db", "none.db"]).ends(2).says("there is no database none.db");
    with(&[("ASL_PROJECT", "one/asl.toml"), ("ASL_DB", "there.db")], &["queue", "peek", "Q"])
        .ends(0)
        .says("no messages");
    with(&[("ASL_PROJECT", "none.toml")], &["run", "d.asl.json"]).ends(2).says("none.toml");
    with(&[("ASL_PROJECT", "")], &["run", "d.asl.json", "-q"]).ends(0);
}

#[test]
fn colour_is_for_terminals_unless_it_is_asked_for() {
    let place = Place::empty();
    place.write("d.asl.json", r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#);
    let is_coloured = |variables: &[(&str, &str)], more: &[&str]| {
        let args = [&["run", "d.asl.json"], more].concat();
        let ran: common::Ran = place.command(&args).envs(variables.iter().copied()).output().unwrap().into();
        ran.ends(0).stderr.contains('\u{1b}')
    };
    let (no, force, log) = (("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1"), ("ASL_LOG", "trace"));
    assert!(!is_coloured(&[], &[]) && !is_coloured(&[log], &[]));
    assert!(is_coloured(&[force], &[]) && !is_coloured(&[("CLICOLOR_FORCE", "0")], &[]));
    assert!(!is_coloured(&[force, no], &[]) && is_coloured(&[no], &["--color", "always"]));
    assert!(!is_coloured(&[force], &["--color", "never"]));
}
