//! Local commands: an event in, a result out.

use std::path::Path;

use asl_function::{Code, FunctionSpec, Functions, Identity, LogStream};
use serde_json::{Value, json};

use crate::harness::{Harness, ID, executable};

fn shell(folder: &Path, script: &str) -> FunctionSpec {
    executable(folder, "score", &format!("#!/bin/sh\n{script}\n"));
    FunctionSpec::new("F", Code::Command { words: vec!["./score".into(), "--json".into()], folder: folder.to_owned() })
}

#[tokio::test]
async fn what_a_command_prints_is_its_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = [
        ("cat", json!({"a": [1, "ü"]}), json!({"a": [1, "ü"]})),
        ("echo '{\"arg\": \"'$1'\"}'", json!({}), json!({"arg": "--json"})),
        // One that does not read.
        ("echo 7", Value::String("x".repeat(200_000)), json!(7)),
        ("cat >/dev/null", json!({}), Value::Null),
        ("echo \"\\\"$ASL_REQUEST_ID $AWS_LAMBDA_FUNCTION_NAME $MODE\\\"\"", json!({}), json!(format!("{ID} F test"))),
        ("printf '\"%s\"' \"$PWD\"", json!({}), json!(folder.path().canonicalize().expect("the folder"))),
    ];
    for (script, event, expected) in table {
        let mut spec = shell(folder.path(), script);
        spec.environment.insert("MODE".into(), "test".into());
        let functions = Harness::new(spec);
        assert_eq!(functions.invoke(event).await, Ok(expected), "{script}");
    }
}

#[tokio::test]
async fn what_goes_wrong_has_a_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let exit_error = |how: &str| format!("RequestId: {ID} Error: Runtime exited with error: {how}");
    let table = [
        ("echo 'CardDeclined: no money' >&2; exit 3", "CardDeclined", "no money".to_owned()),
        ("echo noise >&2; echo Shop.SoldOut >&2; echo >&2; exit 1", "Shop.SoldOut", String::new()),
        ("echo 'it is: broken' >&2; exit 4", "Runtime.ExitError", exit_error("exit status 4: it is: broken")),
        ("exit 5", "Runtime.ExitError", exit_error("exit status 5")),
        ("kill -9 $$", "Runtime.ExitError", exit_error("signal: killed")),
    ];
    for (script, name, message) in table {
        let functions = Harness::new(shell(folder.path(), script));
        let failure = functions.invoke(json!({})).await.expect_err("a failure");
        assert_eq!(failure.message(), (name, message.as_str()), "{script}");
    }
    let functions = Harness::new(shell(folder.path(), "echo told >&2; echo no JSON"));
    assert_eq!(functions.invoke(json!({})).await.expect_err("no JSON").error, "Lambda.Unknown");
    assert_eq!(functions.texts(LogStream::Stderr), ["told"]);
    let functions = Harness::new(shell(folder.path(), "yes"));
    let failure = functions.invoke(json!({})).await.expect_err("too much");
    assert_eq!(failure.error, "Function.ResponseSizeTooLarge");
}

#[test]
fn a_command_that_is_not_there_is_found_before_it_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("plain"), "text").expect("a file");
    for (words, told) in [
        (vec![], "the command has no words"),
        (vec!["no-such-program"], "`no-such-program` is not on PATH"),
        (vec!["./none"], "cannot be read"),
        (vec!["./plain"], "is not an executable file"),
    ] {
        let words = words.into_iter().map(str::to_owned).collect();
        let spec = FunctionSpec::new("F", Code::Command { words, folder: folder.path().to_owned() });
        let error =
            Functions::new(vec![spec], std::sync::Arc::new(|_| {}), Identity::default()).err().expect("an error");
        assert!(error.to_string().contains(told), "{error}");
    }
}
