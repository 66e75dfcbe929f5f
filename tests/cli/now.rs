//! Where an execution is now, what happened in it so far, and how what it waits for is answered.

mod common;

use common::{Place, Ran};
use std::process::{Child, Command};

const ASK: &str = r#"{"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "End": true, "ItemProcessor":
  {"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "End": true, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
  "TimeoutSeconds": 600, "Parameters": {"QueueUrl": "Q", "MessageBody.$": "$$.Task.Token"}}}}}}}"#;

fn asking() -> Place {
    let place = Place::empty();
    place.write("asl.toml", "[queues.Q]\n");
    place.write("ask.asl.json", ASK);
    place
}

fn end(child: Child) -> Ran {
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_running_execution_says_what_it_waits_for_and_what_answers_it() {
    let place = asking();
    let run = place.start_until(
        &["run", "ask.asl.json", "-i", r#"{"items": [7]}"#, "-n", "one"],
        "waits     for the task token of",
    );
    let told = place.asl(&["describe", "one"]).stdout;
    let at = told.find("now      Ask[0]  waits for the task token of sqs:sendMessage.waitForTaskToken, until 2");
    let at = at.unwrap_or_else(|| panic!("it is told where it is:\n{told}"));
    assert!(told[at..].lines().next().unwrap().contains("  (for "), "{told}");
    let command = told[at..].lines().nth(1).unwrap().trim();
    // What is shown can be typed, with the output as text, as a file, or on stdin.
    let answer = command.strip_prefix("asl ").unwrap().strip_suffix(" '{}'").unwrap();
    let mut args: Vec<&str> = answer.split(' ').collect();
    place.write("out.json", "{\"yes\": 1}");
    place.asl(&[&args[..], &["none.json"]].concat()).ends(2).says("the output none.json cannot be read");
    place.asl(&[&args[..], &["{\"yes\""]].concat()).ends(2).says("error: the output is not JSON");
    args.push("out.json");
    place.asl(&args).ends(0);
    let ran = end(run);
    assert_eq!(ran.ends(0).stdout, "[{\"yes\":1}]\n");
    assert!(!place.asl(&["describe", "one"]).stdout.contains("\nnow "), "it does nothing any more");
}

#[test]
fn retries_and_waits_have_their_time() {
    let place = Place::empty();
    place.write("w.asl.json", r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 500, "End": true}}}"#);
    let mut run = place.start_until(&["run", "w.asl.json", "-n", "w"], "waits     until ");
    assert!(place.asl(&["describe", "w"]).stdout.contains("\nnow      W  waits until 2"));
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn a_history_is_followed_to_its_end() {
    let place = asking();
    let run = place.start_until(&["run", "ask.asl.json", "-i", r#"{"items": []}"#, "-n", "a"], "ask succeeded");
    end(run).ends(0);
    let done = place.asl(&["history", "a"]).stdout;
    assert_eq!(place.asl(&["history", "a", "--follow"]).ends(0).stdout, done, "what has ended is only shown");

    let run = place.start_until(&["run", "ask.asl.json", "-i", r#"{"items": [1]}"#, "-n", "b"], "Ask[0]");
    let follow = place.command(&["history", "b", "--follow"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    place.asl(&["stop", "b"]).ends(0);
    end(run);
    let followed = end(follow);
    let lines = |text: &str| -> Vec<String> {
        text.lines().skip(2).map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(lines(&followed.stdout), lines(&place.asl(&["history", "b"]).stdout));
}

#[test]
fn a_part_of_a_history_is_shown_and_metadata_is_folded() {
    let place = Place::empty();
    place.write("asl.toml", "[queues.Q]\n");
    let send = r#"{"StartAt": "Before", "States": {"Before": {"Type": "Pass", "Next": "Send"}, "Send": {"Type": "Task", "End": true,
      "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {"QueueUrl": "Q", "MessageBody": "m"}}}}"#;
    place.write("s.asl.json", send);
    place.asl(&["run", "s.asl.json", "-q"]).ends(0);
    let table = place.asl(&["history"]).stdout;
    assert!(table.contains("\"SdkHttpMetadata\":\"…\"") && !table.contains("HttpHeaders"), "{table}");
    assert!(place.asl(&["history", "--full"]).stdout.contains("HttpHeaders"));
    let part = place.asl(&["history", "--state", "Send"]).stdout;
    assert!(part.contains("TaskSucceeded") && !part.contains("Before") && !part.contains("ExecutionStarted"), "{part}");
    let part = place.asl(&["history", "--state", "Send", "--json"]).json();
    assert_eq!(part["events"][0]["type"], "TaskStateEntered");
    place.asl(&["history", "--state", "Sned"]).ends(2).says("nothing happened in a state `Sned`");
    let event = place.asl(&["history", "--event", "5"]).stdout;
    assert!(
        event.contains("resource         sendMessage\n")
            && event.contains("\"QueueUrl\": \"Q\"")
            && event.contains("TaskScheduled"),
        "{event}"
    );
    assert_eq!(place.asl(&["history", "--event", "5", "--json"]).json()["type"], "TaskScheduled");
    place.asl(&["history", "--event", "99"]).ends(2).says("has no event 99: its last is ");
}

#[test]
fn what_fails_without_a_task_and_what_is_taken_down_has_its_line() {
    let place = Place::empty();
    let machine = r#"{"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
      {"StartAt": "Long", "States": {"Long": {"Type": "Wait", "Seconds": 50, "End": true}}},
      {"StartAt": "Which", "States": {"Which": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": true, "Next": "No"}]},
        "No": {"Type": "Fail", "Error": "E", "Cause": "why"}}}]}}}"#;
    place.write("p.asl.json", machine);
    let ran = place.asl(&["run", "p.asl.json", "-i", "{\"x\": 1}"]);
    ran.ends(1).says("  Long          aborted\n").says("  Both          failed\n").says("  No            failed\n");
    let choice = r#"{"StartAt": "Which", "States": {"Which": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": true, "Next": "No"}]},
      "No": {"Type": "Succeed"}}}"#;
    place.write("c.asl.json", choice);
    place.asl(&["run", "c.asl.json"]).ends(1).says("  Which         failed    States.Runtime: ");
}

#[test]
fn input_is_text_a_file_or_stdin() {
    let place = Place::empty();
    place.write("p.asl.json", r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#);
    place.write("5", "{\"file\": 5}");
    let run = |input: &str| place.asl_with_stdin(&["run", "p.asl.json", "-q", "-i", input], "{\"stdin\": 1}");
    for (given, output) in [
        ("{\"a\": 1}", "{\"a\":1}"),
        (" [1, 2]", "[1,2]"),
        ("\"text\"", "\"text\""),
        ("-7", "-7"),
        ("null", "null"),
        ("-", "{\"stdin\":1}"),
        ("5", "{\"file\":5}"),
        ("./5", "{\"file\":5}"),
    ] {
        assert_eq!(run(given).ends(0).stdout.trim_end(), output, "{given}");
    }
    run("{\"a\"").ends(2).says("the input is not JSON").says("--> <input>:1:");
    run("nope")
        .ends(2)
        .says("the input nope cannot be read")
        .says("hint: check the path; JSON itself can stand here too");
}

#[test]
fn a_second_interrupt_ends_a_redrive_at_once() {
    let place = Place::empty();
    place.write("asl.toml", "[functions.F]\nRuntime = 'python'\nFile = 'f.py'\n");
    // The first time it fails; later it does not answer.
    place.write("f.py", "import os, time\ndef lambda_handler(event, context):\n    if not os.path.exists('once'):\n        open('once', 'w').close()\n        raise Exception('no')\n    print('at work', flush=True)\n    time.sleep(60)\n");
    place.write("f.asl.json", r#"{"StartAt": "F", "States": {"F": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "F"}, "End": true}}}"#);
    place.asl(&["run", "f.asl.json", "-n", "f", "-q"]).ends(1);
    let redrive = place.start_until(&["redrive", "f"], "at work");
    let interrupt = || Command::new("kill").args(["-INT", &redrive.id().to_string()]).status().unwrap();
    interrupt();
    interrupt();
    end(redrive).ends(130);
}
