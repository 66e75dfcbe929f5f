//! Bad input: a clear error with a hint, exit code 2, nothing on stdout, nothing written.

mod common;

use common::{Place, Ran};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const PASS: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#;

fn task(resource: &str, parameters: &str) -> String {
    format!(
        r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Task", "Resource": "{resource}",
  "Parameters": {parameters}, "End": true}}}}}}"#
    )
}

/// Refused: it says all of `parts`, and there is no database.
fn refused(place: &Place, args: &[&str], parts: &[&str]) -> Ran {
    let ran = place.asl(args);
    ran.ends(2);
    assert_eq!(ran.stdout, "", "{args:?}");
    assert!(ran.stderr.starts_with("error"), "{}", ran.stderr);
    ran.says_all(parts);
    assert!(!place.path(".asl").exists(), "{args:?} left something behind");
    ran
}

#[test]
fn what_cannot_run_is_refused_before_anything_is_written() {
    let put = "arn:aws:states:::dynamodb:putItem";
    let cases: &[(&str, &str, &[&str])] = &[
        ("not json", "{\"StartAt\"", &["error[json-syntax]", "d.asl.json:1:"]),
        (
            "not valid",
            &PASS.replace("\"End\": true", "\"Next\": \"B\""),
            &["Missing 'Next' target: B", "^^^", "help: did you mean `A`?"],
        ),
        (
            "unknown resource",
            &task("arn:aws:states:::ecs:runTask.sync", "{}"),
            &["cannot run here", "ecs:runTask.sync", "d.asl.json:1:"],
        ),
        ("not a resource", &task("nothing", "{}"), &["error[", "d.asl.json:1:"]),
        (
            "undeclared table",
            &task(put, r#"{"TableName": "Nope", "Item": {}}"#),
            &["there is no table Nope", "d.asl.json:2:31", "help: add [tables.Nope]"],
        ),
        (
            "undeclared function",
            &task("arn:aws:states:::lambda:invoke", r#"{"FunctionName": "Nope"}"#),
            &["'Nope' is not declared", "help: add [functions.Nope]"],
        ),
        (
            "undeclared topic",
            &task("arn:aws:states:::sns:publish", r#"{"TopicArn": "Nope", "Message": "m"}"#),
            &["there is no topic Nope"],
        ),
        (
            "undeclared queue",
            &task("arn:aws:states:::sqs:sendMessage", r#"{"QueueUrl": "Nope", "MessageBody": "m"}"#),
            &["there is no queue Nope"],
        ),
        (
            "unbound",
            &task(put, r#"{"TableName": "${Table}", "Item": {}}"#),
            &["no value is given for `${Table}`", "d.asl.json:2:32", "^^^^^^^^", "asl.toml"],
        ),
    ];
    for (name, definition, parts) in cases {
        let place = Place::empty();
        place.write("d.asl.json", definition);
        eprintln!("{name}");
        refused(&place, &["run", "d.asl.json"], parts);
    }
}

#[test]
fn files_and_input_that_cannot_be_used_are_refused() {
    let place = Place::empty();
    place.write("d.asl.json", PASS);
    place.write("bad.json", "{\"a\": 1,}");
    place.write("folder/x", "");
    std::fs::write(place.path("latin.json"), b"{\"a\": \"\xe9\"}").unwrap();
    let cases: &[(&[&str], &[&str])] = &[
        (&["run", "none.asl.json"], &["the definition none.asl.json cannot be read", "hint: "]),
        (&["run", "folder"], &["folder is a folder, and no definition"]),
        (&["run", "d.asl.json", "--input", "none.json"], &["the input none.json cannot be read", "hint: "]),
        (&["run", "d.asl.json", "--input", "bad.json"], &["the input is not JSON", "bad.json:1:", "^"]),
        (&["run", "d.asl.json", "--input", "latin.json"], &["is not UTF-8"]),
        (&["run", "d.asl.json", "--input", "-"], &["the input is not JSON", "<stdin>"]),
        (&["run", "d.asl.json", "--project", "none.toml"], &["none.toml: the project file cannot be read", "hint: "]),
        (&["run", "d.asl.json", "--nmae", "x"], &["unexpected argument", "--name"]),
        (&["list"], &["there is no project here", "hint: ", "--project"]),
        (&["list", "--db", "none.db"], &["there is no database none.db", "hint: it is made when"]),
        (&["list", "--status", "FINE", "--db", "none.db"], &["FINE is not a status", "TIMED_OUT"]),
        (&["queue", "peek", "Q", "--project", "none.toml"], &["none.toml: the project file cannot be read"]),
        (&["explain", "nothing"], &["there is no rule `nothing`", "hint: "]),
    ];
    for (args, parts) in cases {
        refused(&place, args, parts);
    }
}

/// A state of JSONata with this field.
fn jsonata(field: &str) -> String {
    format!(
        "{{\"QueryLanguage\": \"JSONata\", \"StartAt\": \"A\", \"States\": {{\"A\": {{\"Type\": \"Pass\",\n  {field}, \"End\": true}}}}}}"
    )
}

#[test]
fn a_run_tells_where_it_failed_and_what_was_there() {
    let put = |item: &str| {
        task("arn:aws:states:::dynamodb:putItem", &format!("{{\"TableName\": \"Tab\",\n \"Item\": {item}}}"))
    };
    let cases = [
        (
            "nothing",
            jsonata(r#""Output": {"sum": "{% $states.input.totl %}"}"#),
            &["--> d.asl.json:2:21", "hint      `$states.input` has no `totl`: did you mean `$states.input.total`?"][..],
        ),
        (
            "an operand",
            jsonata(r#""Output": "{% $states.input.total * 2 %}""#),
            &[
                "--> d.asl.json:2:13",
                "`$states.input.total` is a text, \"12\", not a number: $number($states.input.total) makes one of it",
            ][..],
        ),
        (
            "a path",
            PASS.replace("\"End\"", "\n\"InputPath\": \"$.totl\", \"End\""),
            &["--> d.asl.json:2:1", "`$` has no `totl`: did you mean `$.total`?"][..],
        ),
        (
            "an attribute",
            put("{\"id\": {\"S\": \"a\"},\n \"fare\": {\"N\": \"much\"}}"),
            &["DynamoDB.", "--> d.asl.json:4:"][..],
        ),
        ("no key", put("{\"fare\": {\"N\": \"1\"}}"), &["DynamoDB.", "id", "--> d.asl.json:3:2"][..]),
    ];
    for (name, definition, parts) in cases {
        let place = Place::empty();
        place.write("asl.toml", "[tables.Tab]\nHashKey = \"id\"\n");
        place.write("d.asl.json", &definition);
        eprintln!("{name}");
        place.asl(&["run", "d.asl.json", "-i", r#"{"total": "12"}"#]).ends(1).says_all(parts);
    }
}

/// `text` holds the parts, one after the other.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?} at its place in:\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn whatever_runs_an_execution_tells_where_it_failed() {
    let place = Place::empty();
    let wrong = PASS.replace("\"End\"", "\n\"InputPath\": \"$.totl\", \"End\"");
    place.write("asl.toml", "");
    place.write("flows/d.asl.json", &wrong);
    let start = |name| {
        place.asl(&["start", "flows/d.asl.json", "-n", name, "-i", r#"{"total": 1}"#]).ends(0);
    };
    let hint = "`$` has no `totl`: did you mean `$.total`?";
    start("one");
    let resumed = place.asl(&["resume"]);
    let failed = "  A                     failed    States.Runtime: ";
    let lines = [
        "d  goes on as one\n",
        "  A                     entered\n",
        failed,
        "--> flows/d.asl.json:2:1\n",
        hint,
        "d failed",
    ];
    in_order(&resumed.ends(1).stderr, &lines);
    for command in [&["worker"][..], &["serve", "--port", "0"][..]] {
        start(command[0]);
        let (mut child, told) = place.start_and_read_until(command, "  hint  ");
        child.kill().unwrap();
        child.wait().unwrap();
        let name = command[0];
        let end = format!("d  {name}  failed: States.Runtime\n");
        in_order(&told, &[end.as_str(), "  in A --> flows/d.asl.json:2:1\n", "Invalid path '$.totl'", hint]);
    }
    // An execution keeps its definition: the file says something else by now.
    start("old");
    place.write("flows/d.asl.json", &format!("\n{wrong}"));
    place.asl(&["resume", "old"]).ends(1).says("--> d (as it ran):2:1\n");
}

#[test]
fn names_that_do_not_exist_are_told() {
    let place = Place::new();
    place.asl(&["run", "definitions/hello/hello.asl.json", "--name", "one", "-q", "--db", "definitions/.asl/asl.db"]);
    let cases: &[(&[&str], &[&str])] = &[
        (&["history", "two"], &["there is no execution `two`", "hint: `asl list`"]),
        (&["replay", "two"], &["there is no execution `two`"]),
        (&["queue", "receive", "Nope"], &["there is no queue Nope", "SuccessfulTransactions", "hint: "]),
        (&["table", "scan", "Nope"], &["there is no table Nope", "FaresTable"]),
        (&["table", "get", "FaresTable", "a", "b"], &["error: "]),
        (
            &["run", "definitions/hello/hello.asl.json", "--name", "one", "--db", "definitions/.asl/asl.db"],
            &["an execution named 'one' exists already", "hint: choose another name"],
        ),
        (&["run", "definitions/hello/hello.asl.json", "--name", "a b"], &["cannot be the name of an execution"]),
    ];
    for (args, parts) in cases {
        let ran = place.asl(args);
        ran.ends(2);
        ran.says_all(parts);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    assert_eq!(place.asl(&["list", "--json"]).json()["executions"].as_array().unwrap().len(), 1);
    place.asl(&["table", "get", "FaresTable", "none"]).ends(1).says("there is no item none in FaresTable");
}

#[test]
fn a_database_that_cannot_be_used_is_left_alone() {
    let place = Place::empty();
    place.write("d.asl.json", PASS);
    let text = place.write("text.db", "This is not a database, whatever its name says.\n");
    let newer = place.path("newer.db");
    place.asl(&["run", "d.asl.json", "--db", "newer.db", "-q"]).ends(0);
    let mut bytes = std::fs::read(&newer).unwrap();
    bytes[60..64].copy_from_slice(&9_999_u32.to_be_bytes()); // SQLite's user_version
    std::fs::write(&newer, &bytes).unwrap();
    let cases = [
        (&text, "text.db", &["text.db is not a database", "hint: choose another file"]),
        (&newer, "newer.db", &["newer.db has version 9999", "hint: use a newer program"]),
    ];
    for (path, name, parts) in cases {
        let before = std::fs::read(path).unwrap();
        for args in [&["run", "d.asl.json", "--db", name][..], &["list", "--db", name], &["replay", "--db", name]] {
            let ran = place.asl(args);
            ran.ends(2);
            ran.says_all(parts);
            assert_eq!(std::fs::read(path).unwrap(), before, "{args:?} changed {name}");
        }
    }
}

#[test]
fn a_locked_database_is_told_and_nothing_starts() {
    let place = Place::empty();
    place.write("d.asl.json", PASS);
    place.asl(&["run", "d.asl.json", "--name", "first", "-q"]).ends(0);
    let hold = "import sqlite3, sys\n\
                c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                c.execute('BEGIN IMMEDIATE')\n\
                print('locked', flush=True)\n\
                sys.stdin.read()\n";
    let mut holder = Command::new("python3");
    holder.args(["-c", hold]).arg(place.path(".asl/asl.db")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "locked\n");

    let ran = place.asl(&["run", "d.asl.json", "--name", "second"]);
    ran.ends(2).says("is locked: another process").says("hint: wait for it, or stop it");
    // Who only reads does not wait.
    let listed = place.asl(&["list", "--json"]).json();
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(listed["executions"].as_array().unwrap().len(), 1);
    place.asl(&["run", "d.asl.json", "--name", "second", "-q"]).ends(0);
}

#[test]
fn a_row_is_one_line_and_not_endless() {
    let place = Place::empty();
    let text = serde_json::json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Result": {"long": "x".repeat(2000), "deep": [{"SdkHttpMetadata": {"secret": 1}}],
            "text": "{\"SdkHttpMetadata\": {\"secret\": 1}}"}, "Next": "B"},
        "B": {"Type": "Fail", "Error": "Made\nup  succeeded", "Cause": "c"}}});
    place.write("a.asl.json", &text.to_string());
    let ran = place.asl(&["run", "a.asl.json", "-n", "x"]);
    ran.ends(1).says("error: the execution failed: Made up  succeeded");
    assert!(!ran.stderr.lines().any(|line| line.starts_with("up")), "{}", ran.stderr);
    let history = place.asl(&["history", "x"]).ends(0).stdout.clone();
    assert!(history.lines().all(|line| line.chars().count() < 400), "{history}");
    assert!(!history.contains("secret") && !history.lines().any(|line| line.starts_with("up")), "{history}");
    assert!(place.asl(&["history", "x", "--full"]).stdout.contains("secret"));
    assert!(!place.asl(&["describe", "x"]).stdout.lines().any(|line| line.starts_with("up")));
}
