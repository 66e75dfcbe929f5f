//! Functions of the real program: nothing of them outlives it, a log that is not read stops nothing, commands run, and code
//! that changes is loaded anew.

mod common;

use common::Place;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn machine(function: &str) -> String {
    format!(
        r#"{{"StartAt": "Call", "States": {{"Call": {{"Type": "Task", "End": true,
            "Resource": "arn:aws:lambda:us-east-1:000000000000:function:{function}"}}}}}}"#
    )
}

fn place(declared: &str, files: &[(&str, &str)]) -> Place {
    let place = Place::empty();
    place.write("call.asl.json", &machine("F"));
    place.write("asl.toml", declared);
    for (name, text) in files {
        use std::os::unix::fs::PermissionsExt;
        let path = place.write(name, text);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    place
}

/// What a process that works without looking at signals does, and the child that it puts into a session of its own.
const STUBBORN: &str = "#!/bin/sh
trap '' TERM HUP INT IO PIPE
setsid sh -c 'echo pid $$ >&2; while :; do sleep 0.05; done' &
echo pid $$ >&2
while :; do sleep 0.05; done
";
const NODE: &str =
    "exports.handler = async () => { require('fs').writeSync(1, `pid ${process.pid}\\n`); while (true) {} };\n";

fn is_running(pid: &str) -> bool {
    let state = Command::new("ps").args(["-o", "state=", "-p", pid]).output().unwrap().stdout;
    !state.is_empty() && !state.starts_with(b"Z")
}

/// Waits for what the kernel brings about.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30), "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Starts a run and waits until its function has told of so many processes.
fn start(place: &Place, count: usize) -> (Child, Vec<String>) {
    let mut command = place.command(&["run", "call.asl.json"]);
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(run.stderr.take().unwrap()).lines().map_while(Result::ok);
    let pids = lines.filter_map(|line| Some(line.split("pid ").nth(1)?.trim().to_owned())).take(count).collect();
    (run, pids)
}

#[test]
fn nothing_of_a_function_outlives_asl_run() {
    let timeout = "Timeout = 900\n";
    let kinds = [
        ("Runtime = 'node'\nFile = 'f.js'\n", "f.js", NODE, 1),
        ("Runtime = 'provided'\nFile = 'f.sh'\n", "f.sh", STUBBORN, 2),
        ("Command = ['./f.sh']\n", "f.sh", STUBBORN, 2),
    ];
    for (declared, file, text, count) in kinds {
        if file == "f.js" && Command::new("node").arg("--version").output().is_err() {
            eprintln!("skipped: node not found");
            continue;
        }
        for signal in ["KILL", "TERM"] {
            let place = place(&format!("[functions.F]\n{declared}{timeout}"), &[(file, text)]);
            let (mut run, pids) = start(&place, count);
            assert!(pids.len() == count && pids.iter().all(|pid| is_running(pid)), "{file}: {pids:?}");
            Command::new("kill").args([&format!("-{signal}"), &run.id().to_string()]).status().unwrap();
            let status = run.wait().unwrap();
            if signal == "TERM" {
                assert_eq!(status.code(), Some(130), "as Ctrl-C does");
            }
            eventually(&format!("the end of {file} after SIG{signal}"), || pids.iter().all(|pid| !is_running(pid)));
        }
    }
}

#[test]
fn a_reader_that_does_not_read_stderr_stops_nothing() {
    let text = "def lambda_handler(event, context):\n    for n in range(4000):\n        print('x' * 1000)\n    return 'done'\n";
    let place = place("[functions.F]\nRuntime = 'python'\nFile = 'f.py'\nTimeout = 900\n", &[("f.py", text)]);
    let mut command = place.command(&["run", "call.asl.json"]);
    command.env("ASL_LOG", "asl=trace");
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = run.stderr.take().unwrap();
    let (mut answer, mut stdout) = (String::new(), run.stdout.take().unwrap());
    let reading = std::thread::spawn(move || {
        stdout.read_to_string(&mut answer).unwrap();
        answer
    });
    // Not `wait`, for it never ends where this promise is broken.
    eventually("the answer of a run whose stderr is not read", || reading.is_finished());
    eventually("the exit", || {
        let ended = Command::new("ps").args(["-o", "state=", "-p", &run.id().to_string()]).output().unwrap().stdout;
        ended.is_empty() || ended.starts_with(b"Z")
    });
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_eq!(reading.join().unwrap(), "\"done\"\n");
    // The pipe's 64 KB are there.
    let mut told = String::new();
    stderr.read_to_string(&mut told).unwrap();
    assert!(told.contains("call  started as "), "{told}");
}

#[test]
fn a_slow_reader_is_told_what_was_dropped() {
    let text = "def lambda_handler(event, context):\n    for n in range(4000):\n        print('x' * 1000)\n    return 'done'\n";
    let then = r#"{"StartAt": "Call", "States": {"Call": {"Type": "Task", "Next": "Wait",
        "Resource": "arn:aws:lambda:us-east-1:000000000000:function:F"}, "Wait": {"Type": "Wait", "Seconds": 600, "End": true}}}"#;
    let place = place("[functions.F]\nRuntime = 'python'\nFile = 'f.py'\nTimeout = 900\n", &[("f.py", text)]);
    place.write("call.asl.json", then);
    let mut command = place.command(&["run", "call.asl.json", "--name", "slow"]);
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the wait, though nobody reads", || {
        place.asl(&["history", "slow", "--json"]).stdout.contains("WaitStateEntered")
    });
    let lines = BufReader::new(run.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.into_iter().find(|line| line.contains(" were dropped: "));
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(told.is_some());
}

#[test]
fn a_command_is_a_function() {
    let declared = "[functions.F]\nCommand = ['./score', '--json']\nTimeout = 900\nEnvironmentFile = 'score.env'\n\
                    InheritEnvironment = false\nEnvironment = { B = 'over' }\n";
    let score = "#!/bin/sh\n[ \"$FARE_MODE\" = fail ] && { echo 'CardDeclined: no money' >&2; exit 3; }\n\
                 printf '{\"arg\": \"%s\", \"a\": \"%s\", \"b\": \"%s\", \"secret\": \"%s\", \"event\": ' $1 \"$A\" \"$B\" \"$AWS_SECRET_ACCESS_KEY\"\n\
                 cat\necho '}'\n";
    let place = place(declared, &[("score", score), ("score.env", "A='from a file'\nB=under\n")]);
    let run = |file: &str| {
        let mut command = place.command(&["run", "call.asl.json", "-q", "--input", file]);
        common::Ran::from(command.env("AWS_SECRET_ACCESS_KEY", "hidden").output().unwrap())
    };
    place.write("event.json", "{\"x\": 1}");
    let expected =
        serde_json::json!({"arg": "--json", "a": "from a file", "b": "over", "secret": "", "event": {"x": 1}});
    assert_eq!(run("event.json").ends(0).json(), expected);
    place.write("score.env", "FARE_MODE=fail\n");
    let failed = run("event.json");
    failed.ends(1).says("the execution failed: CardDeclined").says("no money");
    place.write("score.env", "FARE_MODE\n");
    run("event.json").ends(2).says("score.env:1: there is no `=` in this line").says("asl.toml:4:");
}

#[test]
fn a_worker_reloads_code_that_changes() {
    let text = |word: &str| format!("def lambda_handler(event, context):\n    return '{word}'\n");
    let place = place("[functions.F]\nRuntime = 'python'\nFile = 'f.py'\nTimeout = 900\n", &[("f.py", &text("one"))]);
    let mut worker = place.start_until(&["worker"], "is ready");
    let output = |name: &str| {
        place.asl(&["start", "call.asl.json", "--name", name]).ends(0);
        place.asl(&["wait", name, "--timeout", "60"]).ends(0).stdout.clone()
    };
    assert!(output("first").contains("one"));
    place.write("f.py", &text("second"));
    assert!(output("next").contains("second"));
    worker.kill().unwrap();
    let mut told = String::new();
    worker.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    worker.wait().unwrap();
    assert!(told.contains("f.py has changed: reloading the code"), "{told}");
}

/// A file is no reader that may be too slow: nothing is missing there.
#[test]
fn a_log_in_a_file_is_whole() {
    const LINES: usize = 20_000;
    let text = format!(
        "def lambda_handler(event, context):\n    for n in range({LINES}):\n        print(n, 'x' * 500)\n    return 'done'\n"
    );
    let place = place("[functions.F]\nRuntime = 'python'\nFile = 'f.py'\nTimeout = 900\n", &[("f.py", &text)]);
    let log = std::fs::File::create(place.path("log.txt")).unwrap();
    let ended = place.command(&["run", "call.asl.json"]).stderr(log).stdout(Stdio::null()).status().unwrap();
    assert_eq!(ended.code(), Some(0));
    let log = std::fs::read_to_string(place.path("log.txt")).unwrap();
    assert!(!log.contains("were dropped"));
    assert_eq!(log.lines().filter(|line| line.ends_with("xxx")).count(), LINES);
}

#[test]
fn a_worker_reloads_a_project_file_that_changes() {
    let text = |word: &str| format!("def lambda_handler(event, context):\n    return '{word}'\n");
    let declared = |file: &str| format!("[functions.F]\nRuntime = 'python'\nFile = '{file}'\nTimeout = 900\n");
    let place = place(&declared("one.py"), &[("one.py", &text("one")), ("second.py", &text("second"))]);
    let mut worker = place.start_until(&["worker"], "is ready");
    let mut said = BufReader::new(worker.stderr.take().unwrap()).lines().map_while(Result::ok);
    let output = |name: &str| {
        place.asl(&["start", "call.asl.json", "--name", name]).ends(0);
        place.asl(&["wait", name, "--timeout", "60"]).ends(0).stdout.clone()
    };
    assert!(output("first").contains("one"));
    // A mistake changes nothing, and is told.
    place.write("asl.toml", "[functions.F]\nRuntme = 'python'\n");
    said.find(|line| line.contains("unknown key `Runtme`")).unwrap();
    said.find(|line| line.contains("asl.toml has changed and cannot be used; the worker goes on as before")).unwrap();
    place.write("asl.toml", &declared("second.py"));
    said.find(|line| line.contains("asl.toml has changed: it is reloaded")).unwrap();
    said.find(|line| line.contains("is ready")).unwrap();
    assert!(output("next").contains("second"));
    worker.kill().unwrap();
    worker.wait().unwrap();
}
