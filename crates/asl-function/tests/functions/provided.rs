//! Any program that speaks the Runtime API is a function.

use std::os::unix::fs::PermissionsExt;

use asl_function::{Code, FunctionSpec, LogStream};
use serde_json::{Value, json};

use crate::harness::{Harness, ID, handlers};

fn provided() -> FunctionSpec {
    FunctionSpec::new("F", Code::Provided { executable: handlers().join("provided.py") })
}

fn script(folder: &std::path::Path, text: &str) -> FunctionSpec {
    let executable = folder.join("bootstrap");
    std::fs::write(&executable, text).expect("a file");
    std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    FunctionSpec::new("F", Code::Provided { executable })
}

#[tokio::test]
async fn it_gets_the_headers_and_the_environment_of_lambda() {
    let functions = Harness::new(provided());
    let headers = functions.invoke(json!({"do": "headers"})).await.expect("headers");
    assert_eq!(headers["Lambda-Runtime-Aws-Request-Id"], ID);
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:F";
    assert_eq!(headers["Lambda-Runtime-Invoked-Function-Arn"], arn);
    assert_eq!(headers["Content-Type"], "application/json");
    assert!(headers["Lambda-Runtime-Trace-Id"].as_str().is_some_and(|id| id.starts_with("Root=1-")));
    let deadline: u128 = headers["Lambda-Runtime-Deadline-Ms"].as_str().expect("a text").parse().expect("a number");
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a time").as_millis();
    assert!((now..=now + 3_000).contains(&deadline), "{deadline} at {now}");

    let environment = functions.invoke(json!({"do": "environment"})).await.expect("variables");
    let expected = json!({
        "_HANDLER": "provided",
        "LAMBDA_TASK_ROOT": handlers().canonicalize().expect("the folder"),
        "AWS_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_NAME": "F",
    });
    assert_eq!(environment, expected);
}

#[tokio::test]
async fn its_answers_and_errors_are_passed_on() {
    let functions = Harness::new(provided());
    let answer = functions.invoke(json!({"do": "answer", "body": "[1, {\"a\": 2}]"})).await;
    assert_eq!(answer, Ok(json!([1, {"a": 2}])));

    let body = r#"{"errorMessage":"declined","errorType":"PaymentChargeException","extra":[1]}"#;
    let failure = functions.invoke(json!({"do": "error", "body": body})).await.expect_err("an error");
    assert_eq!(failure.error, "PaymentChargeException");
    assert_eq!(failure.cause.to_string(), body, "the cause is the text as it was given");

    for body in ["{\"errorMessage\": \"no type\"}", "not JSON at all", "", "{\"errorType\": 5}"] {
        let failure = functions.invoke(json!({"do": "error", "body": body})).await.expect_err("an error");
        let cause = format!(
            "The cause could not be determined because Lambda did not return an error type. Returned payload: {body}"
        );
        assert_eq!((failure.error.as_str(), failure.cause), ("Lambda.Unknown", Value::String(cause)));
    }

    for body in ["hello", "", "{\"a\": 1} trailing", "{\"a\": "] {
        let failure = functions.invoke(json!({"do": "answer", "body": body})).await.expect_err("not JSON");
        assert_eq!(failure.error, "Lambda.Unknown");
        let cause = failure.cause.as_str().expect("a sentence");
        assert!(cause.starts_with("The function's answer is not JSON (") && cause.ends_with(body), "{cause}");
    }
}

#[tokio::test]
async fn a_confused_runtime_is_refused_and_does_no_harm() {
    let functions = Harness::new(provided());
    let refusals = functions.invoke(json!({"do": "misbehave"})).await;
    assert_eq!(refusals, Ok(json!([400, 403, 403, 404])));
    assert_eq!(functions.invoke(json!({"do": "answer", "body": "3"})).await, Ok(json!(3)));
    assert_eq!(functions.texts(LogStream::Stdout), ["again: 400"]);
}

#[tokio::test]
async fn its_failures_to_start_have_names() {
    let mut reports = provided();
    reports.environment.insert("INIT".into(), "error".into());
    let failure = Harness::new(reports).invoke(json!({})).await.expect_err("an init error");
    assert_eq!(failure.message(), ("Extension.NoConfig", "no configuration"));

    let mut exits = provided();
    exits.environment.insert("INIT".into(), "exit".into());
    let failure = Harness::new(exits).invoke(json!({})).await.expect_err("an exit");
    let message = format!("RequestId: {ID} Error: Runtime exited without providing a reason");
    assert_eq!(failure.message(), ("Runtime.ExitError", message.as_str()));

    let folder = tempfile::tempdir().expect("a folder");
    let spec = script(folder.path(), "#!/no/such/interpreter\n");
    let failure = Harness::new(spec).invoke(json!({})).await.expect_err("no start");
    let (name, message) = failure.message();
    assert_eq!(name, "Runtime.InvalidEntrypoint");
    assert!(message.starts_with(&format!("RequestId: {ID} Error: fork/exec /")), "{message}");
}

/// The handler strings that are refused when a function is declared, for those who bring our
/// bootstraps' environment themselves.
#[tokio::test]
async fn the_bootstraps_refuse_malformed_handlers() {
    let cases = [
        ("python3", "bootstrap.py", "nodot", "Bad handler 'nodot': not enough values to unpack (expected 2, got 1)"),
        ("node", "bootstrap.cjs", "nodot", "Bad handler"),
        ("node", "bootstrap.cjs", "../a.b", "'../a.b' is not a valid handler name."),
    ];
    for (program, bootstrap, handler, message) in cases {
        if std::process::Command::new(program).arg("--version").output().is_err() {
            eprintln!("skipped: {program} not found");
            continue;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("bootstrap").join(bootstrap);
        let text = format!("#!/bin/sh\n_HANDLER={handler} exec {program} '{}'\n", path.display());
        let failure = Harness::new(script(folder.path(), &text)).invoke(json!({})).await.expect_err("an error");
        let (name, text) = failure.message();
        assert!(name == "Runtime.MalformedHandlerName" && text.starts_with(message), "{failure:?}");
    }
}
