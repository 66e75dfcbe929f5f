//! A log that is not read stops nothing.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use asl_function::{Code, FunctionSpec, Functions, Identity, LogLine};
use serde_json::json;

use crate::harness::{executable, invocation, supervised};

#[tokio::test]
async fn a_sink_that_blocks_stops_no_function_and_is_told_what_was_dropped() {
    supervised();
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        "def f(event, context):\n    for n in range(3000):\n        print(f'{n:04}' + 'x' * 1000)\n    return 'done'\n";
    let file = executable(folder.path(), "f.py", text);
    let mut spec = FunctionSpec::new("F", Code::Python { file, handler: "f".into() });
    spec.timeout_ms = 60_000;
    let (release, wait) = mpsc::channel::<()>();
    let (sent, lines) = mpsc::channel();
    let wait = Mutex::new(wait);
    let sink = Arc::new(move |line: LogLine| {
        // Until the sender is dropped.
        let _ = wait.lock().unwrap().recv();
        let _ = sent.send(line.text);
    });
    let functions = Functions::new(vec![spec], sink, Identity::default()).expect("a function");
    let call = functions.invoke("F", invocation(json!({})));
    let answer = tokio::time::timeout(Duration::from_secs(60), call).await.expect("an answer though nobody reads");
    assert_eq!(answer.expect("a result"), "\"done\"");
    drop(release);
    let lines: Vec<String> = {
        functions.shutdown().await;
        drop(functions);
        lines.iter().collect()
    };
    let told = lines.iter().find_map(|line| line.split_once(" lines of functions were dropped")).expect("a count");
    let dropped: usize = told.0.parse().expect("a number");
    assert_eq!(lines.len() - 1 + dropped, 3000);
    assert!(lines.len() > 500, "what found room is there: {}", lines.len());
}
