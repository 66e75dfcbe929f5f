//! Node.js handlers behave as on AWS.

use asl_function::{Code, FunctionSpec, LogStream};
use serde_json::{Value, json};

use crate::harness::{Harness, ID, handlers};

/// True, with a word about it, on a machine without Node.js.
fn skipped() -> bool {
    let found = std::process::Command::new("node").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: node not found");
    }
    !found
}

fn node(file: &str, handler: &str) -> FunctionSpec {
    FunctionSpec::new("F", Code::Node { file: handlers().join(file), handler: handler.to_owned() })
}

#[tokio::test]
async fn results_come_back_as_json() {
    if skipped() {
        return;
    }
    let cases = [
        ("cases.js", "echo", json!({"a": [1, "ü🚗"]})),
        ("cases.js", "plain", json!({"event": {"a": [1, "ü🚗"]}, "id": ID})),
        ("cases.js", "nothing", Value::Null),
        ("cases.js", "silent", Value::Null),
        ("cases.js", "waitsForLoop", json!(["later"])),
        ("cases.js", "doesNotWait", json!("at once")),
        ("cases.js", "succeeds", json!("the old way")),
        ("cases.js", "api.nested", json!("nested")),
        ("module.mjs", "handler", json!({"esm": true, "event": {"a": [1, "ü🚗"]}})),
        ("common.cjs", "handler", json!({"cjs": true, "event": {"a": [1, "ü🚗"]}})),
        ("", "module.handler", json!({"esm": true, "event": {"a": [1, "ü🚗"]}})),
        ("", "cases.api.nested", json!("nested")),
    ];
    for (file, handler, expected) in cases {
        let functions = Harness::new(node(file, handler));
        for _ in 0..2 {
            assert_eq!(functions.invoke(json!({"a": [1, "ü🚗"]})).await, Ok(expected.clone()), "{file} {handler}");
        }
    }
}

#[tokio::test]
async fn the_context_is_lambdas() {
    if skipped() {
        return;
    }
    let functions = Harness::new(node("cases.js", "context"));
    let mut invocation = crate::harness::invocation(json!({}));
    invocation.client_context = Some(r#"{"custom":{"who":"Zoë"}}"#.to_owned());
    let body = functions.functions.invoke("F", invocation).await.expect("a result");
    let expected = json!({
        "awsRequestId": ID,
        "functionName": "F",
        "functionVersion": "$LATEST",
        "invokedFunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:F",
        "memoryLimitInMB": "128",
        "logGroupName": "/aws/lambda/F",
        "clientContext": {"custom": {"who": "Zoë"}},
        "remaining": true,
    });
    assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON"), expected);
}

#[tokio::test]
async fn failures_have_the_names_and_messages_of_aws() {
    if skipped() {
        return;
    }
    let missing = "Error: Cannot find module 'a-package-that-nobody-has'\nRequire stack:\n- ";
    let exited = format!("RequestId: {ID} Error: Runtime exited with error: exit status 9");
    let cases = [
        ("cases.js", "throws", "PaymentChargeException", "no charge for 9"),
        ("cases.js", "throwsNow", "TypeError", "at once"),
        ("cases.js", "callsBack", "RangeError", "by callback"),
        ("cases.js", "rejectsText", "string", "only text"),
        ("cases.js", "bigInt", "Error", "Unable to stringify response body"),
        ("cases.js", "neverSettles", "Runtime.NodeJsExit", "The Lambda runtime client detected an unexpected Node.js"),
        ("cases.js", "unhandled", "Runtime.UnhandledPromiseRejection", "Error: nobody looked"),
        ("cases.js", "uncaught", "Error", "in a timer"),
        ("cases.js", "exits", "Runtime.ExitError", &exited),
        ("cases.js", "missing", "Runtime.HandlerNotFound", "cases.missing is undefined or not exported"),
        ("cases.js", "notAFunction", "Runtime.HandlerNotFound", "cases.notAFunction is not a function"),
        ("broken_syntax.js", "handler", "Runtime.UserCodeSyntaxError", "SyntaxError: "),
        ("broken_import.js", "handler", "Runtime.ImportModuleError", missing),
        ("broken_module.js", "handler", "Error", "no configuration"),
    ];
    for (file, handler, error, message) in cases {
        let functions = Harness::new(node(file, handler));
        for _ in 0..2 {
            let failure = functions.invoke(9).await.expect_err(handler);
            let (name, text) = failure.message();
            assert!(name == error && text.starts_with(message), "{file} {handler}: {failure:?}");
        }
    }
}

#[tokio::test]
async fn a_trace_shows_the_handlers_frames_and_not_the_bootstraps() {
    if skipped() {
        return;
    }
    let functions = Harness::new(node("cases.js", "throws"));
    let failure = functions.invoke("c-1").await.expect_err("an error");
    let trace: Vec<&str> =
        failure.cause["trace"].as_array().expect("a trace").iter().filter_map(Value::as_str).collect();
    assert_eq!(trace[0], "PaymentChargeException: no charge for c-1");
    assert!(trace[1].contains("cases.js:"), "{trace:?}");
    assert!(!trace.iter().any(|line| line.contains("[eval")), "{trace:?}");
    let members: Vec<&str> = failure.cause.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["errorType", "errorMessage", "trace"]);
}

#[tokio::test]
async fn busy_handlers_are_killed_output_is_logged_and_workers_stay() {
    if skipped() {
        return;
    }
    let mut spec = node("cases.js", "loops");
    spec.timeout_ms = 200;
    let failure = Harness::new(spec).invoke(json!({})).await.expect_err("a timeout");
    let message = format!("RequestId: {ID} Error: Task timed out after 0.20 seconds");
    assert_eq!(failure.message(), ("Sandbox.Timedout", message.as_str()));

    let functions = Harness::new(node("cases.js", "prints"));
    functions.invoke(json!({})).await.expect("a result");
    assert_eq!(functions.texts(LogStream::Stdout), ["to stdout"]);
    assert_eq!(functions.texts(LogStream::Stderr), ["to stderr"]);

    let functions = Harness::new(node("cases.js", "counting"));
    let first = functions.invoke(json!({})).await.expect("a result");
    let second = functions.invoke(json!({})).await.expect("a result");
    assert_eq!((&first["calls"], &second["calls"], &first["pid"]), (&json!(1), &json!(2), &second["pid"]));
}

#[tokio::test]
async fn a_syntax_error_has_a_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().canonicalize().expect("the folder");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    write("common.js", "exports.f = 1;\nconst x = {;\n");
    write("module.mjs", "export const f = 1;\n\nconst x = {;\n");
    write("importing.mjs", "import './module.mjs';\nexport const f = 1;\n");
    for (file, place) in
        [("common.js", "common.js:2"), ("module.mjs", "module.mjs:3"), ("importing.mjs", "module.mjs:3")]
    {
        let code = Code::Node { file: folder.join(file), handler: "f".into() };
        let functions = Harness::new(FunctionSpec::new("F", code));
        let failure = functions.invoke(1).await.expect_err("a syntax error");
        assert_eq!(failure.message(), ("Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token ';'"));
        let trace = &failure.cause["trace"];
        assert_eq!(trace[1], format!("    at {}/{place}", folder.display()), "{trace}");
        assert_eq!(trace[2], "const x = {;");
        assert!(functions.texts(asl_function::LogStream::Stderr).iter().any(|line| line.contains(place)), "{file}");
    }
}
