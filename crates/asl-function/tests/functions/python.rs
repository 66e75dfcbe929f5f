//! Python handlers behave as on AWS.

use asl_function::{Code, FunctionSpec, Invocation, LogStream, MAX_LOG_LINE_BYTES};
use serde_json::{Value, json};

use crate::harness::{Harness, ID, handlers, python};

#[tokio::test]
async fn results_come_back_as_json() {
    let cases = [
        ("echo", json!({"a": [1, 2.5, null, "ü"], "b": {}}), json!({"a": [1, 2.5, null, "ü"], "b": {}})),
        ("nothing", json!({}), Value::Null),
        ("decimals", json!({}), json!({"price": 12.50, "many": [1E+2]})),
        ("reads_stdin", json!({}), json!("")),
    ];
    for (handler, event, expected) in cases {
        let functions = Harness::new(python("cases.py", handler));
        assert_eq!(functions.invoke(event).await, Ok(expected), "{handler}");
    }
}

#[tokio::test]
async fn the_context_and_environment_are_lambdas() {
    let mut spec = python("cases.py", "describe_context");
    spec.timeout_ms = 20_000;
    spec.memory_mb = 512;
    spec.environment = [("TABLE", "Fares"), ("AWS_REGION", "mars-north-1")].map(|(k, v)| (k.into(), v.into())).into();
    let functions = Harness::new(spec);
    let names = json!(["TABLE", "AWS_REGION", "_HANDLER", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"]);
    let invocation = Invocation {
        payload: names.to_string().into(),
        request_id: ID.to_owned(),
        client_context: Some(r#"{"custom": {"who": "Zoë 🚗"}}"#.to_owned()),
    };
    let body = functions.functions.invoke("F", invocation).await.expect("a result");
    let mut context: Value = serde_json::from_slice(&body).expect("JSON");
    let remaining = context["remaining_ms"].take();
    assert!((10_000..=20_000).contains(&remaining.as_u64().expect("a number")), "{remaining}");
    let stream = context["log_stream_name"].take();
    assert!(stream.as_str().is_some_and(|name| name.contains("/[$LATEST]")), "{stream}");
    let expected = json!({
        "aws_request_id": ID,
        "function_name": "F",
        "function_version": "$LATEST",
        "invoked_function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:F",
        "memory_limit_in_mb": "512",
        "log_group_name": "/aws/lambda/F",
        "log_stream_name": null,
        "remaining_ms": null,
        "custom": {"who": "Zoë 🚗"},
        "environment": {
            "TABLE": "Fares",
            "AWS_REGION": "eu-west-1",
            "_HANDLER": "cases.describe_context",
            "AWS_LAMBDA_FUNCTION_NAME": "F",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        },
        "cwd": handlers().canonicalize().expect("the folder"),
    });
    assert_eq!(context, expected);
}

#[tokio::test]
async fn an_exception_is_the_error_and_its_json_the_cause() {
    let functions = Harness::new(python("cases.py", "raises"));
    let failure = functions.invoke(json!({"customerId": "c-1"})).await.expect_err("an error");
    let file = handlers().canonicalize().expect("the folder").join("cases.py");
    let source = std::fs::read_to_string(&file).expect("the source");
    let line = |text: &str| 1 + source.lines().position(|line| line.contains(text)).expect("the line");
    let frame =
        |text: &str, name: &str| format!("  File \"{}\", line {}, in {name}\n    {text}\n", file.display(), line(text));
    assert_eq!(failure.error, "PaymentAuthException");
    let expected = json!({
        "errorMessage": "not authorised: c-1",
        "errorType": "PaymentAuthException",
        "requestId": ID,
        "stackTrace": [
            frame("inner(event[\"customerId\"])", "raises"),
            frame("raise PaymentAuthException(f\"not authorised: {customer}\")", "inner"),
        ],
    });
    // Newer versions of Python add lines of markers to a frame.
    let mut cause = failure.cause;
    for text in cause["stackTrace"].as_array_mut().expect("a trace") {
        let lines: Vec<&str> = text.as_str().expect("text").lines().take(2).collect();
        *text = json!(format!("{}\n", lines.join("\n")));
    }
    assert_eq!(cause, expected);
    assert!(functions.texts(LogStream::Stderr)[0].starts_with("[ERROR] PaymentAuthException: not auth"));

    assert_eq!(functions.invoke(json!({})).await.expect_err("an error").message(), ("KeyError", "'customerId'"));
}

#[tokio::test]
async fn failures_have_the_names_and_messages_of_aws() {
    let cases = [
        ("cases.py", "no_message", json!({}), "KeyError", ""),
        ("cases.py", "named_in_two_lines", json!({}), "One\r\nTwo: \u{7f} é", "why"),
        (
            "cases.py",
            "wrong_signature",
            json!({}),
            "TypeError",
            "wrong_signature() takes 1 positional argument but 2 were given",
        ),
        (
            "cases.py",
            "a_set",
            json!({}),
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type set is not JSON serializable",
        ),
        ("cases.py", "missing", json!({}), "Runtime.HandlerNotFound", "Handler 'missing' missing on module 'cases'"),
        (
            "broken_import.py",
            "lambda_handler",
            json!({}),
            "Runtime.ImportModuleError",
            "Unable to import module 'broken_import': No module named 'a_module_that_nobody_has'",
        ),
        (
            "broken_syntax.py",
            "lambda_handler",
            json!({}),
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'broken_syntax': expected ':' (broken_syntax.py, line 1)",
        ),
        ("broken_module.py", "lambda_handler", json!({}), "RuntimeError", "no configuration"),
        (
            "exits_at_import.py",
            "lambda_handler",
            json!({}),
            "Runtime.ExitError",
            "RequestId: {ID} Error: Runtime exited with error: exit status 7",
        ),
        (
            "cases.py",
            "exits",
            json!(1),
            "Runtime.ExitError",
            "RequestId: {ID} Error: Runtime exited with error: exit status 1",
        ),
        (
            "cases.py",
            "exits",
            json!(0),
            "Runtime.ExitError",
            "RequestId: {ID} Error: Runtime exited without providing a reason",
        ),
        (
            "cases.py",
            "kills_itself",
            json!("SIGKILL"),
            "Runtime.ExitError",
            "RequestId: {ID} Error: Runtime exited with error: signal: killed",
        ),
        (
            "cases.py",
            "kills_itself",
            json!("SIGTERM"),
            "Runtime.ExitError",
            "RequestId: {ID} Error: Runtime exited with error: signal: terminated",
        ),
        (
            "cases.py",
            "large",
            json!(6_291_556 - 1),
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ),
    ];
    for (file, handler, event, error, message) in cases {
        let functions = Harness::new(python(file, handler));
        // Twice, since the second call meets whatever the first one left behind.
        for _ in 0..2 {
            let failure = functions.invoke(event.clone()).await.expect_err(handler);
            assert_eq!(failure.message(), (error, message.replace("{ID}", ID).as_str()), "{file} {handler}");
        }
    }
}

#[tokio::test]
async fn answers_up_to_the_limit_pass_and_a_larger_one_leaves_the_worker_alive() {
    let functions = Harness::new(python("cases.py", "large"));
    let text = functions.invoke(6_291_556 - 2).await.expect("the largest answer");
    assert_eq!(text.as_str().map(str::len), Some(6_291_556 - 2));
    functions.invoke(20_000_000).await.expect_err("too large");
    assert_eq!(functions.invoke(3).await, Ok(json!("xxx")));
}

#[tokio::test]
async fn what_is_not_json_is_lambda_unknown() {
    let cases = [("raw_bytes", "Returned payload: just text"), ("not_a_number", "Returned payload: NaN")];
    for (handler, end) in cases {
        let functions = Harness::new(python("cases.py", handler));
        let failure = functions.invoke(json!({})).await.expect_err(handler);
        assert_eq!(failure.error, "Lambda.Unknown");
        let cause = failure.cause.as_str().expect("a sentence");
        assert!(cause.starts_with("The function's answer is not JSON (") && cause.ends_with(end), "{cause}");
    }
}

#[tokio::test]
async fn time_limits_are_kept_for_sleeping_and_busy_handlers_and_slow_imports() {
    let cases =
        [("cases.py", "sleeps", 150, 10_000), ("cases.py", "loops", 200, 10_000), ("slow_import.py", "f", 100, 250)];
    for (file, handler, timeout_ms, init_timeout_ms) in cases {
        let mut spec = python(file, handler);
        (spec.timeout_ms, spec.init_timeout_ms) = (timeout_ms, init_timeout_ms);
        let functions = Harness::new(spec);
        let failure = functions.invoke(1000).await.expect_err("a timeout");
        let limit = if file == "cases.py" { timeout_ms } else { init_timeout_ms };
        let message = format!("RequestId: {ID} Error: Task timed out after {:.2} seconds", limit as f64 / 1000.0);
        assert_eq!(failure.message(), ("Sandbox.Timedout", message.as_str()), "{handler}");
    }
}

#[tokio::test]
async fn handlers_are_found_by_file_and_by_aws_handler_string() {
    let in_folder = |file: &str, handler: &str, root: Option<&str>| {
        let code = Code::Python { file: handlers().join(file), handler: handler.to_owned() };
        let mut spec = FunctionSpec::new("F", code);
        spec.task_root = root.map(|root| handlers().join(root));
        spec
    };
    let cases = [
        (in_folder("nested/module.py", "lambda_handler", None), "module"),
        (in_folder("nested/module.py", "lambda_handler", Some("")), "nested.module"),
        (in_folder("", "nested/module.lambda_handler", None), "nested.module"),
        (in_folder("", "nested.module.lambda_handler", None), "nested.module"),
        (in_folder("nested", "module.lambda_handler", None), "module"),
        (in_folder("nested", "module.lambda_handler", Some("")), "nested.module"),
    ];
    for (spec, name) in cases {
        let label = format!("{spec:?}");
        assert_eq!(Harness::new(spec).invoke(json!({})).await, Ok(json!(name)), "{label}");
    }
}

#[tokio::test]
async fn output_reaches_the_log_before_the_result_does() {
    let functions = Harness::new(python("cases.py", "prints"));
    for _ in 0..3 {
        functions.invoke(json!({"long": MAX_LOG_LINE_BYTES + 10})).await.expect("a result");
    }
    let once = [
        "to stdout".to_owned(),
        "[INFO]\tby logging".to_owned(),
        "ünïcode ✓".to_owned(),
        "x".repeat(MAX_LOG_LINE_BYTES),
        "x".repeat(10),
        "no line end".to_owned(),
    ];
    assert_eq!(functions.texts(LogStream::Stdout), [once.clone(), once.clone(), once].concat());
    assert_eq!(functions.texts(LogStream::Stderr), ["to stderr"; 3]);
    for line in functions.lines() {
        assert_eq!((&*line.function, line.request_id.as_deref()), ("F", Some(ID)));
    }
}

#[tokio::test]
async fn lines_printed_while_loading_belong_to_no_request() {
    let functions = Harness::new(python("broken_module.py", "lambda_handler"));
    functions.invoke(json!({})).await.expect_err("an import that fails");
    assert_eq!(functions.texts(LogStream::Stdout), ["loading"]);
    assert!(functions.lines().iter().all(|line| line.request_id.is_none()));
}

#[tokio::test]
async fn much_output_is_complete_and_in_order() {
    let functions = Harness::new(python("cases.py", "floods"));
    functions.invoke(20_000).await.expect("a result");
    let expected: Vec<String> = (0..20_000).map(|number: i32| number.to_string()).collect();
    assert_eq!(functions.texts(LogStream::Stdout), expected);
}
