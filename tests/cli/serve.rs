//! `asl serve`: the project's state machines, what `kill -9` leaves, the real clients.

mod common;

use common::Place;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PASS: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#;

/// A server that is killed when it is dropped.
struct Served {
    child: Child,
    address: String,
    /// What it said before it was ready.
    said: String,
    /// What it said since.
    later: Arc<Mutex<String>>,
}

impl Served {
    fn start(place: &Place, more: &[&str]) -> Served {
        let args = [&["serve", "--port", "0"], more].concat();
        Served::run(place.command(&args))
    }

    fn run(mut command: Command) -> Served {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let (mut line, mut said) = (String::new(), String::new());
        while !line.contains("AWS_ENDPOINT_URL") {
            said.push_str(&line);
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended without saying where it listens");
        }
        // Whatever else it says must have a reader.
        let later = Arc::new(Mutex::new(String::new()));
        let kept = later.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                kept.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        let address = line.split("://").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        Served { child, address, said, later }
    }

    fn call(&self, operation: &str, request: &Value) -> std::io::Result<(u16, Value)> {
        Connection::new(&self.address)?.call(operation, request)
    }

    fn ok(&self, operation: &str, request: &Value) -> Value {
        let (status, body) = self.call(operation, request).unwrap();
        assert_eq!(status, 200, "{operation} {request}: {body}");
        body
    }

    /// Waits until it has said this, since it was ready.
    fn says(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.later.lock().unwrap().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} was not said:\n{}", self.later.lock().unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn stop(mut self) -> i32 {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    fn new(address: &str) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Connection(BufReader::new(stream)))
    }

    fn call(&mut self, operation: &str, request: &Value) -> std::io::Result<(u16, Value)> {
        self.call_target(&format!("AWSStepFunctions.{operation}"), request)
    }

    fn call_target(&mut self, target: &str, request: &Value) -> std::io::Result<(u16, Value)> {
        let body = request.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: {target}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(head.as_bytes())?;
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            match line.split_once(' ') {
                _ if line.is_empty() => break,
                Some(("content-length:", value)) => length = value.parse().unwrap(),
                Some(("http/1.1", rest)) => status = rest.split(' ').next().unwrap().parse().unwrap(),
                _ => {}
            }
        }
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes)?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}

fn place() -> Place {
    let place = Place::empty();
    std::fs::create_dir(place.path("data")).unwrap();
    let function = "[functions.Greet]\nRuntime = \"python\"\nFile = \"greet.py\"\n";
    place.write("asl.toml", &format!("[queues.Jobs]\n\n[buckets.data]\nPath = \"data\"\n\n{function}"));
    place.write("greet.py", "def lambda_handler(event, context):\n    return f\"Hello, {event['name']}!\"\n");
    place
}

#[test]
fn the_definitions_of_the_project_are_state_machines() {
    let place = place();
    place.write("flows/one.asl.json", PASS);
    place.write("two.asl.yaml", "StartAt: A\nStates:\n  A: {Type: Succeed}\n");
    let served = Served::start(&place, &[]);
    let listed = served.ok("ListStateMachines", &json!({}));
    let names: Vec<&str> =
        listed["stateMachines"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["one", "two"]);
    let two = listed["stateMachines"][1]["stateMachineArn"].clone();
    served.ok("StartExecution", &json!({"stateMachineArn": two, "name": "e"}));
    place.asl(&["wait", "e"]).ends(0);
    assert_eq!(served.stop(), 0);
    // What has not changed stays as it is; what has is a new revision.
    place.write("flows/one.asl.json", &PASS.replace("Pass", "Succeed").replace(r#", "End": true"#, ""));
    let served = Served::start(&place, &[]);
    let revision = |at: usize| {
        let machine = listed["stateMachines"][at]["stateMachineArn"].clone();
        served.ok("DescribeStateMachine", &json!({"stateMachineArn": machine}))["revisionId"].is_string()
    };
    assert_eq!((revision(0), revision(1)), (true, false));
    served.kill();
    // One that does not load is told, and the others are there; a folder with a project of its own is none of this one.
    place.write("flows/bad.asl.json", r#"{"StartAt": "B", "States": {}}"#);
    place.write("other/asl.toml", "");
    place.write("other/three.asl.json", PASS);
    let served = Served::start(&place, &[]);
    assert!(served.said.contains("bad.asl.json") && served.said.contains("no state machine here"), "{}", served.said);
    let listed = served.ok("ListStateMachines", &json!({}));
    assert_eq!(listed["stateMachines"].as_array().unwrap().len(), 2, "{listed}");
}

/// What a client was told is done: the executions that it started, and those whose token it answered.
#[derive(Default)]
struct Acknowledged {
    started: Vec<String>,
    answered: Vec<String>,
}

/// Starts executions and answers the tokens that it finds in the queue, until the server is gone.
fn start_and_answer(
    client: usize,
    address: &str,
    machine: &Value,
    tell: &Sender<()>,
    done: &mut Acknowledged,
) -> std::io::Result<()> {
    let mut connection = Connection::new(address)?;
    for number in 0.. {
        let start = json!({"stateMachineArn": machine, "name": format!("{client}-{number}")});
        let (status, started) = connection.call("StartExecution", &start)?;
        assert_eq!(status, 200, "{started}");
        done.started.push(started["executionArn"].as_str().unwrap().to_owned());
        let _ = tell.send(());
        let receive = json!({"QueueUrl": "Jobs", "MaxNumberOfMessages": 1});
        let (_, received) = connection.call_target("AmazonSQS.ReceiveMessage", &receive)?;
        let Some(body) = received["Messages"][0]["Body"].as_str() else { continue };
        let asked: Value = serde_json::from_str(body).unwrap();
        let answer = json!({"taskToken": asked["token"], "output": "1"});
        if connection.call("SendTaskSuccess", &answer)?.0 == 200 {
            done.answered.push(asked["execution"].as_str().unwrap().to_owned());
        }
    }
    Ok(())
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let place = place();
    place.write(
        "m.asl.json",
        r#"{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "End": true,
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Parameters": {"QueueUrl": "Jobs",
            "MessageBody": {"token.$": "$$.Task.Token", "execution.$": "$$.Execution.Id"}}}}}"#,
    );
    let served = Served::start(&place, &[]);
    let machine = served.ok("ListStateMachines", &json!({}))["stateMachines"][0]["stateMachineArn"].clone();
    let (tell, told) = std::sync::mpsc::channel();
    let clients: Vec<_> = (0..64)
        .map(|client| {
            let (address, machine, tell) = (served.address.clone(), machine.clone(), tell.clone());
            std::thread::spawn(move || {
                let mut done = Acknowledged::default();
                let _gone = start_and_answer(client, &address, &machine, &tell, &mut done);
                done
            })
        })
        .collect();
    assert_eq!(told.iter().take(500).count(), 500);
    served.kill();
    let done: Vec<Acknowledged> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert!(done.iter().map(|done| done.started.len()).sum::<usize>() >= 500, "some were started");
    assert!(done.iter().map(|done| done.answered.len()).sum::<usize>() > 64, "some were answered");
    let served = Served::start(&place, &[]);
    let mut connection = Connection::new(&served.address).unwrap();
    let mut status = |arn: &str| {
        let (status, told) = connection.call("DescribeExecution", &json!({"executionArn": arn})).unwrap();
        assert_eq!(status, 200, "{arn}: {told}");
        told["status"].as_str().unwrap().to_owned()
    };
    for arn in done.iter().flat_map(|done| &done.started) {
        status(arn);
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    for arn in done.iter().flat_map(|done| &done.answered) {
        while status(arn) != "SUCCEEDED" {
            assert!(Instant::now() < deadline, "{arn}: its answer was acknowledged, and it still waits");
        }
    }
}

#[test]
fn other_machines_are_let_in_with_keys_only() {
    let place = place();
    place.asl(&["serve", "--listen", "0.0.0.0"]).ends(2).says("there are no credentials").says("--allow-anyone");
    place.write("keys.ini", "[a]\naws_access_key_id = A\n");
    place.asl(&["serve", "--credentials", "keys.ini"]).ends(2).says("one half of an access key");
    place.write("asl.toml", "[server]\nCredentials = \"keys.ini\"\n");
    place.asl(&["serve"]).ends(2).says("keys.ini are not in order");
    place.write("keys.ini", "[a]\naws_access_key_id = A\naws_secret_access_key = s\n");
    let served = Served::start(&place, &["--listen", "127.0.0.2"]);
    let (status, told) = served.call("ListStateMachines", &json!({})).unwrap();
    assert_eq!((status, &told["message"]), (400, &json!("Missing Authentication Token")));
}

#[test]
fn what_is_edited_is_served() {
    let place = Place::empty();
    let machine = |seconds: u32| {
        format!(r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Wait", "Seconds": {seconds}, "End": true}}}}}}"#)
    };
    place.write("asl.toml", "");
    place.write("slow.asl.json", &machine(3600));
    let served = Served::start(&place, &["--watch"]);
    let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:slow";
    let started = served.ok("StartExecution", &json!({"stateMachineArn": arn}));
    place.write("slow.asl.json", &machine(36));
    served.says("slow.asl.json has changed: 1 state machine new or changed: slow");
    let now = served.ok("DescribeStateMachine", &json!({"stateMachineArn": arn}));
    assert!(now["definition"].as_str().unwrap().contains(": 36,"), "{now}");
    let runs = json!({"executionArn": started["executionArn"]});
    let before = served.ok("DescribeStateMachineForExecution", &runs);
    assert!(before["definition"].as_str().unwrap().contains(": 3600,"), "an execution keeps what it began with");
    // What does not load is told, with its place, and the last that did is there still.
    place.write("slow.asl.json", &machine(7).replace("\"Wait\"", "\"Wiat\""));
    served.says("slow.asl.json:1:");
    served.says("no state machine is another one");
    let now = served.ok("DescribeStateMachine", &json!({"stateMachineArn": arn}));
    assert!(now["definition"].as_str().unwrap().contains(": 36,"), "{now}");
    place.write("new.asl.json", PASS);
    served.says("new.asl.json has changed: 1 state machine new or changed: new");
    // The project file: another server on the same address, and the execution goes on.
    place.write("asl.toml", "[queues.Orders]\nVisibility = 3\n");
    served.says("asl.toml has changed and cannot be used; the server goes on as before");
    place.write("asl.toml", "[queues.Orders]\n");
    served.says("asl.toml has changed: it is reloaded");
    served.says("serving");
    let found = place.asl(&["queue", "send", "Orders", "x"]);
    found.ends(0);
    assert_eq!(served.ok("DescribeExecution", &runs)["status"], "RUNNING");
    served.ok("StopExecution", &runs);
    assert_eq!(served.stop(), 0);
}

/// What Python's own client hears over TLS from `https://localhost:PORT`, when it trusts that authority.
fn over_tls(place: &Place, served: &Served, authority: &str) -> (bool, String) {
    const SCRIPT: &str = r#"
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[2])
request = urllib.request.Request(sys.argv[1], data=b"{}", headers={"X-Amz-Target": "AWSStepFunctions.ListStateMachines"})
print(urllib.request.urlopen(request, context=context, timeout=20).read().decode())
"#;
    let port = served.address.rsplit(':').next().unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT, &format!("https://localhost:{port}/")]).arg(place.path(authority));
    let ran = python.output().unwrap();
    (ran.status.success(), String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned())
}

#[test]
fn a_server_with_a_certificate_talks_tls_and_nothing_else() {
    let place = place();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../asl-function/tests/tls");
    for file in ["server.pem", "server-key.pem", "authority.pem"] {
        std::fs::copy(files.join(file), place.path(file)).unwrap();
    }
    place.write("asl.toml", "[server]\nCertificate = \"server.pem\"\n");
    place.asl(&["serve"]).ends(2).says("`Certificate` has no `Key` beside it").says("asl.toml:2");
    place.write("asl.toml", "[server]\nCertificate = \"server.pem\"\nKey = \"other.pem\"\n");
    place.asl(&["serve"]).ends(2).says("the key").says("other.pem cannot be read");
    std::fs::copy(place.path("server.pem"), place.path("other.pem")).unwrap();
    place.asl(&["serve"]).ends(2).says("there is no key in it").says("PEM files");
    place.write("asl.toml", "[server]\nCertificate = \"server.pem\"\nKey = \"server-key.pem\"\n");
    let served = Served::start(&place, &[]);
    assert!(served.said.contains("on https://127.0.0.1:"), "{}", served.said);
    let (good, told) = over_tls(&place, &served, "authority.pem");
    assert!(good && told.contains("\"stateMachines\""), "{told}");
    let (good, told) = over_tls(&place, &served, "server.pem");
    assert!(!good && told.contains("CERTIFICATE_VERIFY_FAILED"), "{told}");
    assert!(served.call("ListStateMachines", &json!({})).is_err(), "plain HTTP is not answered");
    // One that only connects keeps nobody from coming in.
    let _silent = TcpStream::connect(&served.address).unwrap();
    assert!(over_tls(&place, &served, "authority.pem").0);
    assert_eq!(served.stop(), 0);
}

/// Where `.ci/run` installs a client.
fn client(path: &str) -> Option<PathBuf> {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(path);
    if client.exists() {
        return Some(client);
    }
    assert!(std::env::var_os("ASL_NO_SKIP").is_none(), "{} is not there", client.display());
    eprintln!("skipped: {path} is not installed; .ci/run installs it in {}", client.display());
    None
}

const BOTO3: &str = "boto3-1.44.8/bin/python";

fn runs(script: &str) {
    let Some(python) = client(BOTO3) else { return };
    runs_with(&python, script, None);
}

fn runs_with(interpreter: &Path, script: &str, client: Option<&Path>) {
    let place = place();
    let served = Served::start(&place, &[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients").join(script);
    let url = format!("http://{}", served.address);
    let mut command = Command::new(interpreter);
    command.arg(script).arg(url).args(client).env("AWS_DISABLE_HOST_PREFIX_INJECTION", "true");
    let ran = command.output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{}{told}", String::from_utf8_lossy(&ran.stdout));
}

#[test]
fn boto3_calls_every_operation() {
    runs("operations.py");
}

#[test]
fn boto3_talks_to_what_workflows_talk_to() {
    runs("services.py");
}

#[test]
fn boto3_stores_objects() {
    runs("s3.py");
}

#[test]
fn the_aws_cli_calls_every_operation() {
    let Some(aws) = client("awscli-1.46.3/bin/aws") else { return };
    runs_with(Path::new("python3"), "cli.py", Some(&aws));
}

#[test]
fn the_javascript_sdk_calls_every_operation() {
    let Some(modules) = client("aws-sdk-js-3.1164.0/node_modules") else { return };
    runs_with(Path::new("node"), "sdk.mjs", Some(&modules));
}

#[test]
fn terraform_settles() {
    runs("terraform.py");
}

#[test]
fn quotas_are_those_of_the_project() {
    let place = place();
    place.write("asl.toml", "[server.quotas.ListActivity]\nBucket = 2\nPerSecond = 0\n");
    place.asl(&["serve"]).ends(2).says("there is no operation ListActivity").says("did you mean ListActivities?");
    place.write("asl.toml", "[server]\nQuotas = \"azure\"\n");
    place.asl(&["serve"]).ends(2).says("asl.toml:2").says("aws");
    place.write("asl.toml", "[server]\nQuotas = \"aws\"\n[server.quotas.ListActivities]\nBucket = 2\nPerSecond = 0\n");
    let served = Served::start(&place, &[]);
    served.ok("ListActivities", &json!({}));
    served.ok("ListActivities", &json!({}));
    let (status, told) = served.call("ListActivities", &json!({})).unwrap();
    assert_eq!(
        (status, &told["__type"], &told["message"]),
        (400, &json!("com.amazon.coral.availability#ThrottlingException"), &json!("Rate exceeded"))
    );
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..150 {
        match served.call("ListStateMachines", &json!({})).unwrap().0 {
            200 => answered += 1,
            _ => refused += 1,
        }
    }
    assert!(answered >= 100 && refused >= 1, "{answered} answered, {refused} refused: AWS answers 100, and 5 a second");
}

/// A shell's limit of open files is a soft one: the server takes more where the system allows it.
#[test]
fn more_connections_than_a_shell_allows_files() {
    let place = place();
    let plain = place.command(&["serve", "--port", "0"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn 128; exec \"$0\" \"$@\""]).arg(plain.get_program()).args(plain.get_args());
    shell.current_dir(plain.get_current_dir().unwrap());
    shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let served = Served::run(shell);
    let mut open: Vec<Connection> = (0..300).map(|_| Connection::new(&served.address).unwrap()).collect();
    for connection in &mut open {
        assert_eq!(connection.call("ListActivities", &json!({})).unwrap().0, 200);
    }
}
