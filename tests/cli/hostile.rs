//! A law: whatever stands in names, causes, outputs, logs, files and arguments, no command lets a control through that a
//! terminal would obey.

mod common;

use common::{Place, Ran};

/// An escape sequence, one of a single C1 character, DEL, a bell, a title, and what turns the direction of writing.
const HOSTILE: &str = "\u{1b}[31;5mX\u{9b}2J\u{7f}\u{7}\u{1b}]0;t\u{7}\u{202e}\u{2066}\u{61c}\u{200f}";
/// The same for texts of JSON, TOML and Python.
const WRITTEN: &str = "\\u001b[31;5mX\\u009b2J\\u007f\\u0007\\u001b]0;t\\u0007\\u202e\\u2066\\u061c\\u200f";

/// What a terminal would obey, but line ends.
fn obeyed(c: char) -> bool {
    (c.is_control() && c != '\n')
        || "\u{61c}\u{200e}\u{200f}".contains(c)
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// The text without the colours that this program uses; blinking is none of them.
fn without_colours(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out += before;
        let end = after.find('m').unwrap_or(0);
        let ours = after[..end].split(';').all(|n| n.parse::<u32>().is_ok_and(|n| n != 5 && n < 256) || n.is_empty());
        assert!(ours, "an escape sequence of somebody else: {after:.20?} in\n{text:?}");
        rest = &after[end + 1..];
    }
    out + rest
}

fn project() -> Place {
    let place = Place::empty();
    let task = |name: &str, resource: &str, parameters: &str, more: &str| {
        format!(
            r#""{name}": {{"Type": "Task", "Resource": "arn:aws:states:::{resource}", "Parameters": {parameters}, {more}}}"#
        )
    };
    let call = |function: &str| format!(r#"{{"FunctionName": "{function}", "Payload": {{"x.$": "$"}}}}"#);
    let states = [
        task("Talk", "lambda:invoke", &call("Talk"), r#""Next": "Put", "ResultPath": "$.said""#),
        task(
            "Put",
            "dynamodb:putItem",
            &format!(r#"{{"TableName": "Items", "Item": {{"id": {{"S": "{WRITTEN}"}}}}}}"#),
            r#""Next": "Send", "ResultPath": null"#,
        ),
        task(
            "Send",
            "sqs:sendMessage",
            r#"{"QueueUrl": "Q", "MessageBody": "\u009b2J\u007f\u202e\u2066"}"#,
            r#""Next": "Break", "ResultPath": null"#,
        ),
        task(
            "Break",
            "lambda:invoke",
            &call("Break"),
            &format!(
                r#""Next": "Way", "Retry": [{{"ErrorEquals": ["Odd"], "IntervalSeconds": 1, "MaxAttempts": 1}}], "Catch": [{{"ErrorEquals": ["{WRITTEN}"], "Next": "Bad"}}, {{"ErrorEquals": ["States.ALL"], "Next": "Way", "ResultPath": "$.error"}}]"#
            ),
        ),
        format!(
            r#""Way": {{"Type": "Choice", "Comment": "{WRITTEN}", "Choices": [{{"Variable": "$.ok", "StringEquals": "{WRITTEN}", "Next": "Bad"}}], "Default": "Good"}}"#
        ),
        r#""Good": {"Type": "Succeed"}"#.to_owned(),
        format!(r#""Bad": {{"Type": "Fail", "Error": "{WRITTEN}", "Cause": "{WRITTEN}"}}"#),
    ];
    let machine = format!(r#"{{"Comment": "{WRITTEN}", "StartAt": "Talk", "States": {{{}}}}}"#, states.join(",\n"));
    place.write("h.asl.json", &machine);
    place.write("other.asl.json", &machine.replace("\"Default\": \"Good\"", "\"Default\": \"Bad\""));
    place.write("odd.asl.json", &format!("{{\"StartAt\": \"{WRITTEN}\", \"Comment\": \"\u{9b}\u{202e}\", \"Nope{WRITTEN}\": 1, \"States\": {{\"A\u{202e}\u{9b}\": {{\"Type\": \"Pass\", \"Result\": \"{HOSTILE}\", \"End\": true}}}}}}", HOSTILE = "\u{9b}\u{7f}\u{202e}"));
    place.write(
        "names.asl.json",
        &format!(
            "{{\"StartAt\": \"A{BARE}\", \"States\": {{\"A{BARE}\": {{\"Type\": \"Pass\", \"End\": true}}}}}}",
            BARE = "\u{202e}\u{2066}"
        ),
    );
    place.write("raw.asl.json", &format!("{{\"StartAt\": \"{HOSTILE}\"}}"));
    place.write("asl.toml", "[functions.Talk]\nRuntime = 'python'\nFile = 'talk.py'\n[functions.Break]\nRuntime = 'python'\nFile = 'fail.py'\n[tables.Items]\nHashKey = 'id'\n[queues.Q]\n[topics.News]\n[buckets.files]\nPath = 'files'\n");
    place.write("files/hostile.txt", HOSTILE);
    place.write("i.json", &format!("{{\"id\": \"{WRITTEN}\"}}"));
    place.write("bad.toml", "[tables.\"\\u001b[31m\\u202e\"]\nNope = 1\n");
    place.write("talk.py", &format!("import sys\ndef lambda_handler(event, context):\n    print('{WRITTEN}')\n    print('{WRITTEN}', file=sys.stderr)\n    return '{WRITTEN}'\n"));
    place.write(
        "fail.py",
        &format!("class Odd(Exception):\n    pass\ndef lambda_handler(event, context):\n    raise Odd('{WRITTEN}')\n"),
    );
    place.write("mocks.json", &format!(r#"{{"StateMachines": {{"h": {{"TestCases": {{"{WRITTEN}": {{"Nope{WRITTEN}": "N"}}, "B": {{}}}}}}}}, "MockedResponses": {{}}}}"#));
    place.write("h.test.yaml", &format!("definition: h.asl.json\ncases:\n  \"{WRITTEN}\":\n    input: {{ok: \"{WRITTEN}\"}}\n    expect:\n      status: SUCCEEDED\n      output: \"{WRITTEN}\"\n"));
    place.write("input.json", &format!(r#"{{"ok": "{WRITTEN}"}}"#));
    place.write("events.json", &format!(r#"{{"events": [{{"id": 1, "type": "{WRITTEN}"}}]}}"#));
    place
}

/// Every command with what is hostile to it, in an order in which each finds something.
const COMMANDS: &[&[&str]] = &[
    &["run", "h.asl.json", "-i", "input.json", "--name", "bad"],
    &["run", "h.asl.json", "-i", "{\"ok\": 1}", "--name", "good"],
    &["run", "h.asl.json", "-i", "{HOSTILE}"],
    &["run", "h.asl.json", "-n", "HOSTILE"],
    &["run", "h.asl.json", "--mock", "mocks.json"],
    &["run", "h.asl.json", "--mock", "mocks.json", "--mock-case", "HOSTILE"],
    &["run", "odd.asl.json"],
    &["run", "raw.asl.json"],
    &["run", "HOSTILE"],
    &["start", "h.asl.json", "-i", "input.json", "-n", "begun"],
    &["list"],
    &["list", "--json"],
    &["list", "--status", "HOSTILE"],
    &["describe", "bad"],
    &["describe", "good", "--json"],
    &["describe", "begun"],
    &["describe", "HOSTILE"],
    &["history", "bad"],
    &["history", "bad", "--json"],
    &["history", "bad", "--records"],
    &["replay", "bad"],
    &["replay", "--all", "--json"],
    &["replay", "good", "--definition", "other.asl.json"],
    &["replay", "good", "--definition", "other.asl.json", "--json"],
    &["replay", "events.json", "--definition", "h.asl.json"],
    &["wait", "bad"],
    &["wait", "good"],
    &["wait", "begun", "--timeout", "0"],
    &["stop", "begun", "--error", "HOSTILE", "--cause", "HOSTILE"],
    &["describe", "begun"],
    &["describe", "begun", "--json"],
    &["redrive", "bad"],
    &["rerun", "bad", "--from", "HOSTILE"],
    &["resume", "HOSTILE"],
    &["resume"],
    &["worker", "HOSTILE"],
    &["serve", "HOSTILE"],
    &["serve", "--listen", "HOSTILE"],
    &["serve", "--credentials", "HOSTILE"],
    &["list", "--children", "--json"],
    &["list", "--map-run", "HOSTILE"],
    &["run", "h.asl.json", "--parameter", "HOSTILE"],
    &["run", "h.asl.json", "--max-memory", "HOSTILE"],
    &["worker", "--max-active", "HOSTILE"],
    &["send-task-success", "--task-token", "HOSTILE", "--task-output", "{HOSTILE}"],
    &["send-task-failure", "--task-token", "HOSTILE"],
    &["send-task-heartbeat", "--task-token", "HOSTILE"],
    &["queue", "peek", "Q"],
    &["queue", "peek", "Q", "--json"],
    &["queue", "peek", "HOSTILE"],
    &["queue", "receive", "Q"],
    &["table", "scan", "Items"],
    &["table", "scan", "Items", "--json"],
    &["table", "get", "Items", "HOSTILE"],
    &["table", "get", "Items", "none HOSTILE"],
    &["table", "query", "Items", "HOSTILE"],
    &["table", "query", "Items", "HOSTILE", "--json"],
    &["table", "put", "Items", "{\"id\": \"HOSTILE\"}"],
    &["table", "put", "Items", "i.json", "--json"],
    &["table", "put", "HOSTILE", "{}"],
    &["table", "delete", "Items", "none HOSTILE"],
    &["queue", "send", "Q", "HOSTILE"],
    &["queue", "send", "HOSTILE", "x"],
    &["queue", "delete", "Q", "HOSTILE"],
    &["queue", "purge", "HOSTILE"],
    &["topic", "publish", "News", "HOSTILE"],
    &["topic", "publish", "HOSTILE", "x"],
    &["function", "invoke", "Talk"],
    &["function", "invoke", "Break"],
    &["function", "invoke", "HOSTILE"],
    &["bucket", "ls", "files"],
    &["bucket", "get", "files", "hostile.txt"],
    &["bucket", "get", "files", "HOSTILE"],
    &["bucket", "put", "files", "HOSTILE", "HOSTILE"],
    &["history", "bad", "--full"],
    &["history", "bad", "--follow"],
    &["history", "bad", "--event", "5"],
    &["history", "bad", "--state", "HOSTILE"],
    &["list", "--of", "HOSTILE"],
    &["check", "--format", "sarif", "odd.asl.json"],
    &["check", "--format", "github", "odd.asl.json", "bad.toml"],
    &["test", "--json"],
    &["explain", "--json"],
    &["purge", "--before", "HOSTILE"],
    &["db", "check"],
    &["db", "backup", "asl.toml/HOSTILE"],
    &["db", "vacuum", "--db", "HOSTILE"],
    &["db", "migrate", "--db", "asl.toml/HOSTILE"],
    &["db", "migrate", "--db", "postgres://HOSTILE:HOSTILE@127.0.0.1:1/HOSTILE?schema=HOSTILE"],
    &["db", "move", "postgres://HOSTILE:HOSTILE@127.0.0.1:1/HOSTILE"],
    &["db", "move", "asl.toml/HOSTILE"],
    &["list", "--db", "postgres://HOSTILE:HOSTILE@127.0.0.1:1/HOSTILE"],
    &["worker", "--db", "postgres://HOSTILE:HOSTILE@127.0.0.1:1/HOSTILE?pooler=HOSTILE"],
    &["down"],
    &["down", "--db", "HOSTILE"],
    &["init", "asl.toml/HOSTILE"],
    &["completions", "HOSTILE"],
    &["man", "asl.toml/HOSTILE"],
    &["check", "h.asl.json", "odd.asl.json", "raw.asl.json", "bad.toml"],
    &["check", "odd.asl.json", "--json"],
    &["check", "HOSTILE"],
    &["test"],
    &["test", "--coverage", "--junit", "junit.xml", "--coverage-json", "coverage.json"],
    &["test", "HOSTILE"],
    &["graph", "h.asl.json"],
    &["graph", "h.asl.json", "--execution", "bad"],
    &["graph", "h.asl.json", "--execution", "bad", "--format", "svg"],
    &["graph", "h.asl.json", "--format", "mermaid"],
    &["graph", "h.asl.json", "--format", "dot"],
    &["graph", "names.asl.json"],
    &["graph", "odd.asl.json"],
    &["explain", "HOSTILE"],
    &["HOSTILE"],
];

#[test]
fn nothing_reaches_a_terminal_raw() {
    let place = project();
    let help = place.asl(&["--help"]).stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands = commands.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    for command in commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        assert!(COMMANDS.iter().any(|args| args[0] == command), "`asl {command}` is not tried with hostile texts");
    }
    let (mut shown, mut succeeded) = (0, 0);
    for color in ["never", "always"] {
        for args in COMMANDS {
            let args: Vec<String> = args.iter().map(|arg| arg.replace("HOSTILE", HOSTILE)).collect();
            let args: Vec<&str> = args.iter().map(String::as_str).chain(["--color", color]).collect();
            let ran: Ran = place.command(&args).env("ASL_LOG", "debug").output().unwrap().into();
            for text in [&ran.stdout, &ran.stderr] {
                let text = if color == "always" { without_colours(text) } else { text.clone() };
                let leaked = text.chars().find(|c| obeyed(*c));
                assert_eq!(leaked, None, "{args:?} let something through:\n{text:?}");
                shown += text.matches("\\u202e").count();
            }
            succeeded += usize::from(ran.code == 0);
            if args.contains(&"--json") && ran.code == 0 {
                assert!(
                    ran.stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
                    "{args:?}"
                );
            }
        }
    }
    assert!(shown > 100, "the hostile texts are shown, {shown} times, not left out");
    assert!(succeeded > 40, "the commands have something to show: {succeeded} succeeded");
    for file in ["junit.xml", "coverage.json"] {
        let text = std::fs::read_to_string(place.path(file)).unwrap();
        assert_eq!(text.chars().find(|c| obeyed(*c)), None, "{file}:\n{text:?}");
    }
}

#[test]
fn json_that_is_answered_means_what_it_meant() {
    let place = Place::empty();
    place.write("p.asl.json", r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#);
    let input = format!("\"{WRITTEN}\"");
    let ran = place.asl(&["run", "p.asl.json", "-q", "-i", &input]);
    assert_eq!(ran.ends(0).json(), serde_json::json!(HOSTILE));
    // Records that are kept are replayed.
    let kept = place.asl(&["history", "--records"]);
    place.write("kept.jsonl", &kept.ends(0).stdout);
    place.asl(&["replay", "kept.jsonl"]).ends(0);
}
