//! Tasks that are called at an address which speaks AWS's protocols: what comes back, what is kept, and what a crash repeats.

mod common;

use common::Place;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "FwoGZXIvYXdzEXAMPLESESSION";

const LOOK: &str = r#"{"StartAt": "Look", "States": {
  "Look": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:rekognition:detectLabels", "End": true,
           "Parameters": {"Image": {"S3Object": {"Bucket": "b", "Name.$": "$.name"}}}}}}"#;
const START: &str = r#"{"StartAt": "Start", "States": {
  "Start": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:runTask", "End": true,
            "Parameters": {"TaskDefinition": "t"}}}}"#;

/// Answers each connection with one of `answers`; `None` takes the request and says nothing.
fn server(answers: Vec<Option<(u16, &'static str)>>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        let mut silent = vec![];
        for answer in answers {
            let Ok((stream, _)) = listener.accept() else { return };
            let request = read(&stream);
            if sender.send(request).is_err() {
                return;
            }
            match answer {
                Some((status, body)) => {
                    let head =
                        format!("HTTP/1.1 {status} OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                    let _ = (&stream).write_all(format!("{head}{body}").as_bytes());
                }
                None => silent.push(stream),
            }
        }
    });
    (url, requests)
}

/// A whole request: head and body.
fn read(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + "\r\n" + &String::from_utf8(body).unwrap()
}

fn place(definition: &str, service: &str, url: &str) -> Place {
    let place = Place::empty();
    place.write("m.asl.json", definition);
    let project =
        format!("[aws]\nRegion = \"eu-west-1\"\nEndpointUrl = \"{url}\"\n[backends]\n\"{service}\" = \"aws\"\n");
    place.write("asl.toml", &project);
    place.write("input.json", "{\"name\": \"cat.png\"}");
    place
}

fn with_keys(place: &Place, args: &[&str]) -> Command {
    let mut command = place.command(args);
    command
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", TOKEN);
    command.env("HOME", place.folder.path());
    command
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// No secret is in a file below the folder.
fn nothing_leaked(place: &Place, texts: &[&str]) {
    let mut bytes: Vec<(String, Vec<u8>)> =
        texts.iter().map(|t| ("output".to_owned(), t.as_bytes().to_vec())).collect();
    for entry in std::fs::read_dir(place.path(".asl")).unwrap().flatten() {
        bytes.push((entry.path().display().to_string(), std::fs::read(entry.path()).unwrap()));
    }
    assert!(bytes.len() > texts.len(), "there is a database");
    for (name, bytes) in bytes {
        let text = String::from_utf8_lossy(&bytes);
        for secret in [SECRET, TOKEN, "AWS4-HMAC"] {
            assert!(!text.contains(secret), "{name} has a secret");
        }
    }
}

#[test]
fn a_task_is_called_and_no_secret_is_kept_or_shown() {
    let (url, requests) = server(vec![
        Some((200, r#"{"Labels":[{"Name":"Cat","Confidence":99.5}],"LabelModelVersion":"3.0"}"#)),
        Some((400, r#"{"__type":"InvalidS3ObjectException","message":"Unable to get object metadata"}"#)),
    ]);
    let place = place(LOOK, "aws-sdk:rekognition", &url);
    let args = ["run", "m.asl.json", "--input", "input.json", "--name", "good"];
    let ran: common::Ran = with_keys(&place, &args).env("ASL_LOG", "trace").output().unwrap().into();
    assert_eq!(ran.ends(0).json()["Labels"][0]["Name"], "Cat");
    let request = requests.recv().unwrap();
    assert!(request.contains("RekognitionService.DetectLabels") && request.contains(TOKEN), "{request}");
    assert_eq!(body(&request)["Image"]["S3Object"]["Name"], "cat.png");

    let failed: common::Ran =
        with_keys(&place, &["run", "m.asl.json", "--input", "input.json", "--name", "bad"]).output().unwrap().into();
    failed.ends(1).says("Rekognition.InvalidS3ObjectException");
    let seen = place.asl(&["describe", "bad", "--json"]).stdout + &place.asl(&["history", "bad", "--json"]).stdout;
    assert!(seen.contains("Unable to get object metadata (Service: Rekognition, Status Code: 400"), "{seen}");
    place.asl(&["replay", "--all"]).ends(0);
    nothing_leaked(&place, &[&ran.stdout, &ran.stderr, &failed.stdout, &failed.stderr, &seen]);
}

#[test]
fn a_call_that_a_crash_repeats_has_the_same_token() {
    let (url, requests) = server(vec![None, Some((200, r#"{"tasks":[{"taskArn":"arn"}],"failures":[]}"#))]);
    let place = place(START, "aws-sdk:ecs", &url);
    let run = ["run", "m.asl.json", "--input", "input.json", "--name", "job"];
    let mut child = with_keys(&place, &run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let first = body(&requests.recv().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();

    let resumed: common::Ran = with_keys(&place, &["resume"]).output().unwrap().into();
    resumed.ends(0);
    let second = body(&requests.recv().unwrap());
    assert_eq!(first["clientToken"].as_str().unwrap().len(), 36);
    assert_eq!(first, second);
    nothing_leaked(&place, &[&resumed.stdout, &resumed.stderr]);
}

#[test]
fn without_a_line_for_it_a_service_is_refused_at_its_place() {
    let place = place(LOOK, "aws-sdk:ecs", "http://127.0.0.1:9");
    let ran = place.asl(&["run", "m.asl.json", "--input", "input.json"]);
    ran.ends(2).says("state `Look` cannot run here: aws-sdk:rekognition:detectLabels has no local backend yet");
    ran.says("help: add `\"aws-sdk:rekognition\" = \"aws\"` under [backends] in asl.toml").says("m.asl.json:2:");
    assert!(!place.path(".asl").exists());
}

#[test]
fn the_command_comes_before_the_project_file() {
    let (url, _requests) = server(vec![Some((200, "{\"Labels\":[]}"))]);
    let place = place(LOOK, "aws-sdk:ecs", &url);
    let args = ["run", "m.asl.json", "--input", "input.json", "--backend", "aws-sdk:rekognition=aws"];
    let ran: common::Ran = with_keys(&place, &args).output().unwrap().into();
    assert_eq!(ran.ends(0).json()["Labels"], serde_json::json!([]));
    let off = ["run", "m.asl.json", "--backend", "aws-sdk:rekognition=off"];
    place.asl(&off).ends(2).says("aws-sdk:rekognition:detectLabels is switched off");
    for (choice, words) in
        [("rekognition=aws", "aws-sdk:rekognition"), ("sns=moon", "embedded, aws, mock, off"), ("sns", "SERVICE=WHAT")]
    {
        place.asl(&["run", "m.asl.json", "--backend", choice]).ends(2).says(words);
    }
}

#[test]
fn without_credentials_the_error_says_what_to_do() {
    let place = place(LOOK, "aws-sdk:rekognition", "http://127.0.0.1:9");
    let mut command = place.command(&["run", "m.asl.json", "--input", "input.json"]);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"] {
        command.env_remove(name);
    }
    command.env("HOME", place.folder.path()).env("AWS_EC2_METADATA_DISABLED", "true");
    let ran: common::Ran = command.output().unwrap().into();
    ran.ends(1).says("Rekognition.SdkClientException").says("set AWS_ACCESS_KEY_ID");
}

const JOB: &str = r#"{"StartAt": "Job", "States": {
  "Job": {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": true,
          "Parameters": {"TaskDefinition": "t"}}}}"#;
const JOB_STARTED: Option<(u16, &str)> = Some((200, r#"{"tasks":[{"taskArn":"arn"}],"failures":[]}"#));
const JOB_RUNS: Option<(u16, &str)> = Some((200, r#"{"tasks":[{"taskArn":"arn","lastStatus":"RUNNING"}]}"#));

/// The operation of a request.
fn target(request: &str) -> &str {
    let line = request.lines().find(|line| line.to_ascii_lowercase().starts_with("x-amz-target:"));
    line.and_then(|line| line.rsplit('.').next()).unwrap_or_default()
}

#[test]
fn a_job_is_not_started_again_after_a_crash_but_asked_for() {
    let done = r#"{"tasks":[{"taskArn":"arn","lastStatus":"STOPPED","containers":[{"exitCode":0}]}]}"#;
    let (url, requests) = server(vec![JOB_STARTED, JOB_RUNS, None, Some((200, done))]);
    let place = place(JOB, "ecs", &url);
    let run = ["run", "m.asl.json", "--input", "input.json", "--name", "job"];
    let mut child = with_keys(&place, &run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // By the second question, a second later, the start is recorded.
    let before: Vec<String> = requests.iter().take(3).collect();
    let before: Vec<&str> = before.iter().map(|request| target(request)).collect();
    assert_eq!(before, ["RunTask", "DescribeTasks", "DescribeTasks"]);
    child.kill().unwrap();
    child.wait().unwrap();

    let resumed: common::Ran = with_keys(&place, &["resume"]).output().unwrap().into();
    resumed.ends(0);
    assert_eq!(target(&requests.recv().unwrap()), "DescribeTasks");
    let history = place.asl(&["history", "job", "--json"]).stdout;
    assert_eq!(history.matches("TaskSubmitted").count(), 1, "{history}");
    place.asl(&["replay", "--all"]).ends(0);
}

#[test]
fn a_job_is_stopped_with_its_execution() {
    let (url, requests) = server([vec![JOB_STARTED], vec![JOB_RUNS; 8]].concat());
    let place = place(JOB, "ecs", &url);
    let run = ["run", "m.asl.json", "--input", "input.json", "--name", "job"];
    let mut child = with_keys(&place, &run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(target(&requests.recv().unwrap()), "RunTask");
    assert_eq!(target(&requests.recv().unwrap()), "DescribeTasks");
    place.asl(&["stop", "job"]).ends(0);
    let stopped = requests.iter().find(|request| target(request) == "StopTask").expect("the job is stopped");
    assert_eq!(body(&stopped)["task"], "arn");
    child.wait().unwrap();
}
