//! `lambda:invoke` and functions by their ARN: results and errors in AWS's shape.

use asl_core::Failure;
use asl_task::embedded::Identity;
use asl_task::function::FunctionSet;
use asl_value::Value;
use std::sync::Arc;

const ID: &str = "00000000-0000-4000-8000-000000000001";

fn set() -> FunctionSet {
    let mut set = FunctionSet::new(Identity::new("us-east-1", "111111111111"));
    set.add("Echo", Arc::new(|event: Value| async move { Ok::<_, Failure>(event) }));
    set.add("Fail", Arc::new(|_: Value| async move { Err::<Value, _>(Failure::new("Declined", "no money")) }));
    set
}

fn json(text: &str) -> Value {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_call_by_arn_gives_the_payload_alone() {
    let arn = "arn:aws:lambda:us-east-1:111111111111:function:Echo";
    assert_eq!(set().invoke(arn, &json(r#"{"a": 1}"#), ID).await, Ok(json(r#"{"a": 1}"#)));
    assert_eq!(set().invoke("Fail", &Value::Null, ID).await, Err(Failure::new("Declined", "no money")));
}

#[tokio::test]
async fn invoke_wraps_the_payload_as_aws_does() {
    let result = set().invoke_task(&json(r#"{"FunctionName": "Echo", "Payload": {"a": [1]}}"#), ID).await.unwrap();
    let keys: Vec<&str> = result.as_object().unwrap().keys().map(|k| &**k).collect();
    assert_eq!(keys, ["ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"]);
    assert_eq!(result["ExecutedVersion"], Value::from("$LATEST"));
    assert_eq!(result["Payload"], json(r#"{"a": [1]}"#));
    assert_eq!(result["SdkHttpMetadata"]["HttpStatusCode"], Value::from(200));
    assert_eq!(result["SdkHttpMetadata"]["HttpHeaders"]["Content-Length"], Value::from("9"));
    assert_eq!(result["SdkHttpMetadata"]["AllHttpHeaders"]["x-amzn-RequestId"], json(&format!("[\"{ID}\"]")));
    assert_eq!(result["SdkResponseMetadata"]["RequestId"], Value::from(ID));
    assert_eq!(result["StatusCode"], Value::from(200));
}

#[tokio::test]
async fn without_a_payload_the_event_is_an_empty_object() {
    for parameters in [r#"{"FunctionName": "Echo"}"#, r#"{"FunctionName": "Echo", "Payload": null}"#] {
        let result = set().invoke_task(&json(parameters), ID).await.unwrap();
        assert_eq!(result["Payload"], Value::empty_object());
    }
}

#[tokio::test]
async fn a_payload_that_is_a_string_is_the_text_of_the_event() {
    for (payload, event) in [("0.0", "0.0"), ("true", "true"), ("{\"a\": [1]}", r#"{"a": [1]}"#), ("\"x\"", r#""x""#)] {
        let parameters = Value::from_iter([("FunctionName", "Echo"), ("Payload", payload)]);
        assert_eq!(set().invoke_task(&parameters, ID).await.unwrap()["Payload"], json(event), "{payload}");
    }
    let failure = set().invoke_task(&json(r#"{"FunctionName": "Echo", "Payload": "x"}"#), ID).await.unwrap_err();
    assert_eq!(failure.error.as_deref(), Some("Lambda.InvalidRequestContentException"));
    assert!(failure.cause.unwrap().contains("Unrecognized token 'x'"));
}

#[tokio::test]
async fn an_event_is_accepted_and_a_dry_run_does_nothing() {
    for (kind, status) in [("Event", 202), ("DryRun", 204)] {
        let parameters = format!(r#"{{"FunctionName": "Fail", "InvocationType": "{kind}"}}"#);
        let result = set().invoke_task(&json(&parameters), ID).await.unwrap();
        assert_eq!(result["StatusCode"], Value::from(status), "{kind}");
    }
}

#[tokio::test]
async fn what_cannot_be_called_is_named_as_aws_names_it() {
    let failure = set().invoke_task(&json(r#"{"FunctionName": "Nobody"}"#), ID).await.unwrap_err();
    assert_eq!(failure.error.as_deref(), Some("Lambda.ResourceNotFoundException"));
    let cause = "Function not found: arn:aws:lambda:us-east-1:111111111111:function:Nobody:$LATEST (Service: AWSLambda; \
                 Status Code: 404; Error Code: ResourceNotFoundException; Request ID: 00000000-0000-4000-8000-000000000001; \
                 Proxy: null)";
    assert_eq!(failure.cause.as_deref(), Some(cause));
    let failure = set().invoke_task(&json("{}"), ID).await.unwrap_err();
    assert_eq!(failure.error.as_deref(), Some("States.Runtime"));
    assert!(failure.cause.unwrap().contains("'FunctionName' is required"));
}
