//! Nothing of a function outlives the engine, however it ends and whatever the function does against it. A copy of this test
//! binary plays the engine and is killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use asl_function::{Code, FunctionSpec, Functions, Identity, LogLine};
use serde_json::json;

use crate::harness::{eventually, executable, invocation, is_running, supervised};

/// Ignores what can be ignored, never comes back, and has a child in a session of its own.
const PYTHON: &str = "
import os, signal, time
def f(event, context):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGIO, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(1, b'pid %d\\n' % os.getpid())
            while True:
                time.sleep(0.05)
        os._exit(0)
    os.wait()
    os.write(1, b'pid %d\\n' % os.getpid())
    while True:
        pass
";
const NODE: &str =
    "exports.f = async () => { require('fs').writeSync(1, `pid ${process.pid}\\n`); while (true) {} };\n";
const SHELL: &str = "#!/bin/sh
trap '' TERM HUP INT IO PIPE
setsid sh -c 'echo pid $$ >&2; while :; do sleep 0.05; done' &
echo pid $$ >&2
while :; do sleep 0.05; done
";

/// Each kind of function, with how many processes it tells of.
const KINDS: [(&str, usize); 4] = [("python", 2), ("node", 1), ("provided", 2), ("command", 2)];

fn spec(kind: &str, folder: &Path) -> FunctionSpec {
    let file = |name: &str, text: &str| executable(folder, name, text);
    let handler = || "f".to_owned();
    let code = match kind {
        "python" => Code::Python { file: file("f.py", PYTHON), handler: handler() },
        "node" => Code::Node { file: file("f.js", NODE), handler: handler() },
        "provided" => Code::Provided { executable: file("f.sh", SHELL) },
        _ => {
            file("f.sh", SHELL);
            Code::Command { words: vec!["./f.sh".into()], folder: folder.to_owned() }
        }
    };
    let mut spec = FunctionSpec::new("F", code);
    (spec.timeout_ms, spec.init_timeout_ms) = (600_000, 600_000);
    spec
}

fn is_installed(kind: &str) -> bool {
    kind != "node" || Command::new("node").arg("--version").output().is_ok()
}

#[tokio::test]
async fn nothing_outlives_a_killed_engine() {
    for (kind, count) in KINDS.into_iter().filter(|(kind, _)| is_installed(kind)) {
        let mut engine = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "orphans::engine_to_be_killed", "--ignored", "--nocapture"])
            .env("ASL_TEST_KIND", kind)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let output = BufReader::new(engine.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let pids: Vec<String> =
            output.filter_map(|line| line.strip_prefix("pid ").map(str::to_owned)).take(count).collect();
        assert_eq!(pids.len(), count, "{kind}");
        assert!(pids.iter().all(|pid| is_running(pid)), "{kind}");
        engine.kill().expect("a kill");
        engine.wait().expect("an end");
        eventually(&format!("the end of all processes of {kind}"), || pids.iter().all(|pid| !is_running(pid))).await;
    }
}

#[tokio::test]
#[ignore = "run by nothing_outlives_a_killed_engine, which kills it"]
async fn engine_to_be_killed() {
    supervised();
    let folder = tempfile::tempdir().expect("a folder");
    let kind = std::env::var("ASL_TEST_KIND").expect("a kind");
    let log = Arc::new(|line: LogLine| println!("\n{}", line.text));
    let functions = Functions::new(vec![spec(&kind, folder.path())], log, Identity::default()).expect("a function");
    let _ = functions.invoke("F", invocation(json!({}))).await;
}

#[tokio::test]
async fn a_timeout_ends_what_left_the_group_too() {
    let folder = tempfile::tempdir().expect("a folder");
    for kind in ["python", "command"] {
        let mut spec = spec(kind, folder.path());
        spec.timeout_ms = 500;
        let functions = crate::harness::Harness::new(spec);
        let failure = functions.invoke(json!({})).await.expect_err("a timeout");
        assert_eq!(failure.error, "Sandbox.Timedout", "{kind}");
        let pids: Vec<String> =
            functions.lines().iter().filter_map(|l| Some(l.text.strip_prefix("pid ")?.to_owned())).collect();
        eventually("the end of all", || pids.iter().all(|pid| !is_running(pid))).await;
    }
}
