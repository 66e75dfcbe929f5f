//! Functions of a program that has no supervisor: the group of a worker ends with the engine.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use asl_function::{Code, FunctionSpec, Functions, Identity, Invocation, LogLine};

fn is_running(pid: &str) -> bool {
    let state = Command::new("ps").args(["-o", "state=", "-p", pid]).output().expect("ps").stdout;
    !state.is_empty() && !state.starts_with(b"Z")
}

#[test]
fn a_worker_and_its_children_end_with_a_killed_engine() {
    let mut engine = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "engine_to_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let lines = BufReader::new(engine.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let pids: Vec<String> = lines.filter_map(|line| line.strip_prefix("pid ").map(str::to_owned)).take(2).collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| is_running(pid)), "{pids:?}");
    engine.kill().expect("a kill");
    engine.wait().expect("an end");
    for _ in 0..1_000 {
        if pids.iter().all(|pid| !is_running(pid)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("still there: {pids:?}");
}

#[tokio::test]
#[ignore = "run by the test above, which kills it"]
async fn engine_to_be_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("f.py");
    let text = "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef f(event, context):\n    \
                os.fork()\n    os.write(1, b'pid %d\\n' % os.getpid())\n    while True: pass\n";
    std::fs::write(&file, text).expect("a file");
    let mut spec = FunctionSpec::new("F", Code::Python { file, handler: "f".into() });
    spec.timeout_ms = 600_000;
    let log = Arc::new(|line: LogLine| println!("\n{}", line.text));
    let functions = Functions::new(vec![spec], log, Identity::default()).expect("a function");
    let invocation = Invocation { payload: "1".into(), request_id: "id".into(), client_context: None };
    let _ = functions.invoke("F", invocation).await;
}
