//! Tasks at AWS: what is refused before anything is sent, what is sent, and what the state machine sees of the answer.

use asl_aws::Settings;
use asl_aws::protocol::Response;
use asl_aws::system::{HttpRequest, Limits, SendError, SendErrorKind, System};
use asl_core::Failure;
use asl_syntax::{Resource, Source};
use asl_task::aws::{Aws, Choice, Choices};
use asl_task::embedded::{Identity, Services, ServicesSpec};
use asl_task::function::FunctionSet;
use asl_task::{Backends, Call, Missing, Mode};
use asl_value::Value;
use async_trait::async_trait;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A world with keys, and with the answers that are given to it.
#[derive(Default)]
struct World {
    answers: Mutex<VecDeque<Response>>,
    sent: Mutex<Vec<HttpRequest>>,
}

#[async_trait]
impl System for World {
    fn variable(&self, name: &str) -> Option<String> {
        let known =
            [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "very-secret"), ("AWS_REGION", "eu-west-1")];
        known.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    fn home(&self) -> Option<PathBuf> {
        None
    }

    async fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    async fn run(&self, _: &str, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    async fn send(&self, request: &HttpRequest, _: &Limits) -> Result<Response, SendError> {
        self.sent.lock().unwrap().push(request.clone());
        let next = self.answers.lock().unwrap().pop_front();
        next.ok_or_else(|| SendError { kind: SendErrorKind::Connect, message: "Name or service not known".to_owned() })
    }

    fn now_ms(&self) -> i64 {
        1_787_949_299_000
    }

    async fn sleep_ms(&self, _: u64) {}

    fn chance(&self) -> f64 {
        0.0
    }
}

fn backends(choices: &[(&str, Choice)], world: Arc<World>) -> Backends {
    let choices = choices.iter().map(|(service, choice)| ((*service).to_owned(), *choice)).collect();
    let identity = Identity::new("us-east-1", "000000000000");
    let services = Arc::new(Services::new(&ServicesSpec::default(), identity.clone()).unwrap());
    let mut backends = Backends::new(FunctionSet::new(identity), services);
    backends.aws = Aws::new(Choices::new(choices).unwrap(), Settings { max_attempts: 1, ..Settings::default() })
        .with_system(world);
    backends
}

fn resource(name: &str) -> Resource {
    let arn = if name.starts_with("arn:") { name.to_owned() } else { format!("arn:aws:states:::{name}") };
    Resource::parse(&arn).unwrap()
}

const KEY: &str = "8f5072a4-0c5e-4a25-8f6a-2e3a1a6f8a11";

/// Calls `name` at AWS, which gives `answer`; the result, and what was sent.
async fn call(name: &str, parameters: &str, status: u16, answer: &str) -> (Result<Value, Failure>, Vec<HttpRequest>) {
    let world = Arc::new(World::default());
    let headers = vec![("x-amzn-RequestId".to_owned(), "r-1".to_owned())];
    world.answers.lock().unwrap().push_back(Response { status, headers, body: answer.as_bytes().to_vec() });
    let services = [
        "apigateway",
        "bedrock",
        "dynamodb",
        "sqs",
        "lambda",
        "events",
        "ecs",
        "aws-sdk:rekognition",
        "aws-sdk:ssm",
        "aws-sdk:s3",
    ];
    let backends = backends(&services.map(|s| (s, Choice::Aws)), world.clone());
    let backend = backends.resolve(&resource(name)).unwrap();
    let parameters: Value = parameters.parse().unwrap();
    let answer = backend.call(&Call { parameters: &parameters, key: KEY, role_arn: None }).await;
    let sent = world.sent.lock().unwrap().clone();
    (answer, sent)
}

fn told(failure: &Failure) -> String {
    format!("{}: {}", failure.error.as_deref().unwrap(), failure.cause.as_deref().unwrap())
}

fn refused(choices: &[(&str, Choice)], name: &str) -> Missing {
    backends(choices, Arc::default()).resolve(&resource(name)).unwrap_err()
}

#[test]
fn nothing_leaves_the_machine_unasked() {
    let cases = [
        ("aws-sdk:rekognition:detectLabels", "add `\"aws-sdk:rekognition\" = \"aws\"` under [backends]"),
        ("aws-sdk:eventbridge:createArchive", "add `\"aws-sdk:eventbridge\" = \"aws\"` under [backends]"),
        ("aws-sdk:dynamodb:updateTable", "add `\"aws-sdk:dynamodb\" = \"aws\"` under [backends]"),
        ("glue:startJobRun.sync", "add `\"glue\" = \"aws\"` under [backends]"),
    ];
    for (name, hint) in cases {
        let missing = refused(&[], name);
        let message = format!("{} has no local backend yet", name.trim_end_matches(".sync"));
        assert!(missing.message == message && missing.hint.as_ref().unwrap().starts_with(hint), "{name}: {missing}");
    }
    let embedded = backends(&[], Arc::default());
    assert_eq!(embedded.resolve(&resource("dynamodb:putItem")).unwrap().mode(), Mode::Transactional);
    assert_eq!(refused(&[("sns", Choice::Off)], "sns:publish").message, "sns:publish is switched off");
    assert_eq!(
        refused(&[("sns", Choice::Mock)], "aws-sdk:sns:publish").message,
        "aws-sdk:sns:publish is answered by mocks only, and this state has none"
    );
}

#[test]
fn what_aws_does_not_have_is_refused_in_its_words() {
    let cases = [
        ("aws-sdk:nowhere:go", None),
        ("aws-sdk:stepfunctions:listExecutions", Some("the service is called `sfn` here")),
        ("aws-sdk:s3:readObject", Some("did you mean `getObject`?")),
        ("aws-sdk:s3:haedObject", Some("did you mean `headObject`?")),
        ("aws-sdk:dynamodb:removeItem", Some("did you mean `deleteItem`?")),
        ("aws-sdk:s3:GetObject", Some("the action is called `getObject`")),
        ("aws-sdk:rds:describeDbInstances", Some("the action is called `describeDBInstances`")),
    ];
    for (name, hint) in cases {
        let missing = refused(&[("aws-sdk:s3", Choice::Aws)], name);
        let words = format!(
            "The resource provided arn:aws:states:::{name} is not recognized. The value is not a valid resource ARN, or the \
             resource is not available in this region."
        );
        assert_eq!((missing.message, missing.hint.as_deref()), (words, hint));
    }
    let streams = refused(&[("aws-sdk:kinesis", Choice::Aws)], "aws-sdk:kinesis:subscribeToShard");
    assert!(streams.message.contains("streams events"), "{streams}");
}

#[test]
fn parameters_that_the_operation_does_not_have_are_refused_with_the_definition() {
    let definition = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "End": true,
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Parameters": {"Bucket": "b", "key.$": "$.k"}}}}"#;
    let loaded = asl_syntax::load(&Source::new("a", definition), &asl_syntax::Options::default());
    let backends = backends(&[("aws-sdk:s3", Choice::Aws)], Arc::default());
    let unsupported = backends.unsupported(loaded.definition.as_ref().unwrap());
    assert_eq!(unsupported.len(), 1);
    assert_eq!(unsupported[0].missing.message, "The field \"key\" is not supported by Step Functions");
    assert!(unsupported[0].missing.hint.as_ref().unwrap().contains("Bucket"));
}

#[tokio::test]
async fn an_sdk_task_gives_the_operations_result_and_errors() {
    let (answer, sent) = call(
        "aws-sdk:rekognition:detectLabels",
        r#"{"Image": {"S3Object": {"Bucket": "b", "Name": "n"}}, "MaxLabels": 2}"#,
        200,
        r#"{"Labels":[{"Name":"Cat","Confidence":99.5}],"Odd":1}"#,
    )
    .await;
    assert_eq!(answer.unwrap().to_string(), r#"{"Labels":[{"Name":"Cat","Confidence":99.5}]}"#);
    assert_eq!(sent[0].host, "rekognition.eu-west-1.amazonaws.com");

    let answer = r#"{"__type":"ParameterNotFound"}"#;
    let (answer, _) = call("aws-sdk:ssm:getParameter", r#"{"Name": "/a"}"#, 400, answer).await;
    assert_eq!(
        told(&answer.unwrap_err()),
        "Ssm.ParameterNotFoundException: null (Service: Ssm, Status Code: 400, Request ID: r-1)"
    );
    let answer = r#"{"__type":"SomethingNew","message":"m"}"#;
    let (answer, _) = call("aws-sdk:ssm:getParameter.waitForTaskToken", r#"{"Name": "/a"}"#, 400, answer).await;
    assert_eq!(told(&answer.unwrap_err()), "Ssm.SsmException: m (Service: Ssm, Status Code: 400, Request ID: r-1)");
    let (answer, sent) = call("aws-sdk:ssm:getParameter", r#"{"name": "/a"}"#, 200, "{}").await;
    assert_eq!(
        told(&answer.unwrap_err()),
        "States.Runtime: The Parameters '{\"name\":\"/a\"}' could not be used to start the Task: [The field \"name\" is not \
         supported by Step Functions, The field 'Name' is required but was missing]"
    );
    assert!(sent.is_empty());
}

#[tokio::test]
async fn optimized_tasks_speak_as_the_sdk_before() {
    let (answer, sent) = call(
        "dynamodb:putItem",
        r#"{"TableName": "T", "Item": {"id": {"S": "1"}, "b": {"BOOL": true}}, "ReturnValues": "ALL_OLD"}"#,
        200,
        r#"{"Attributes":{"b":{"BOOL":false},"z":{"NULL":true}}}"#,
    )
    .await;
    let answer = answer.unwrap();
    assert_eq!(answer["Attributes"].to_string(), r#"{"b":{"BOOL":false},"z":{"NULL":true}}"#);
    assert_eq!(answer["SdkResponseMetadata"].to_string(), r#"{"RequestId":"r-1"}"#);
    assert_eq!(answer["SdkHttpMetadata"]["HttpStatusCode"], Value::from(200));
    assert!(String::from_utf8_lossy(&sent[0].body).contains(r#""b":{"BOOL":true}"#));

    let code = |code: &str| format!(r#"{{"__type":"com.amazonaws#{code}","message":"m"}}"#);
    let cases = [
        (
            "dynamodb:getItem",
            r#"{"TableName":"T","Key":{}}"#,
            "ResourceNotFoundException",
            "DynamoDB.ResourceNotFoundException",
            "AmazonDynamoDBv2",
        ),
        (
            "dynamodb:getItem",
            r#"{"TableName":"T","Key":{}}"#,
            "ValidationException",
            "DynamoDB.AmazonDynamoDBException",
            "AmazonDynamoDBv2",
        ),
        (
            "sqs:sendMessage",
            r#"{"QueueUrl":"u","MessageBody":"b"}"#,
            "QueueDoesNotExist",
            "SQS.AmazonSQSException",
            "AmazonSQS",
        ),
        (
            "lambda:invoke",
            r#"{"FunctionName":"f"}"#,
            "TooManyRequestsException",
            "Lambda.TooManyRequestsException",
            "AWSLambda",
        ),
    ];
    for (name, parameters, wire, error, client) in cases {
        let (answer, _) = call(name, parameters, 400, &code(wire)).await;
        let cause =
            format!("m (Service: {client}; Status Code: 400; Error Code: {wire}; Request ID: r-1; Proxy: null)");
        assert_eq!(told(&answer.unwrap_err()), format!("{error}: {cause}"));
    }
    let failed = r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"E","ErrorMessage":"m"}]}"#;
    let (answer, _) =
        call("events:putEvents", r#"{"Entries":[{"Source":"s","Detail":{"a":1},"DetailType":"t"}]}"#, 200, failed)
            .await;
    let failure = answer.unwrap_err();
    assert_eq!(failure.error.as_deref(), Some("EventBridge.FailedEntry"));
    assert!(failure.cause.unwrap().starts_with(r#"{"FailedEntryCount":1,"#));
}

#[tokio::test]
async fn functions_at_aws_answer_as_functions_do() {
    let (answer, sent) =
        call("lambda:invoke", r#"{"FunctionName":"f","Payload":{"a":1}}"#, 200, r#"{"ok":true}"#).await;
    let answer = answer.unwrap();
    assert_eq!(
        (answer["Payload"].to_string(), &answer["StatusCode"]),
        (r#"{"ok":true}"#.to_owned(), &Value::from(200))
    );
    assert_eq!(sent[0].body, r#"{"a":1}"#);
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    let (answer, sent) = call(arn, r#"[1,"x"]"#, 200, r#""text""#).await;
    assert_eq!((answer.unwrap(), sent[0].body.as_ref()), (Value::from("text"), &br#"[1,"x"]"#[..]));
    let (answer, _) = call("lambda:invoke", r#"{"FunctionName":"f","Payload":1}"#, 200, "").await;
    assert!(told(&answer.unwrap_err()).ends_with("[The value for the field 'Payload' must be a STRING]"));
}

#[tokio::test]
async fn the_tasks_key_is_the_token_of_an_operation_that_has_one() {
    for _ in 0..2 {
        let (_, sent) = call("ecs:runTask", r#"{"TaskDefinition":"t"}"#, 200, r#"{"tasks":[],"failures":[]}"#).await;
        let body: Value = String::from_utf8_lossy(&sent[0].body).parse().unwrap();
        assert_eq!(body["clientToken"], Value::from(KEY));
    }
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_is_an_error_that_retry_can_name() {
    let backends = backends(&[("sqs", Choice::Aws)], Arc::default());
    let backend = backends.resolve(&resource("sqs:sendMessage")).unwrap();
    let parameters: Value = r#"{"QueueUrl":"u","MessageBody":"b"}"#.parse().unwrap();
    let answer = backend.call(&Call { parameters: &parameters, key: KEY, role_arn: None }).await;
    assert_eq!(
        told(&answer.unwrap_err()),
        "SQS.SdkClientException: Unable to execute HTTP request: sqs.eu-west-1.amazonaws.com: Name or service not known"
    );
}

/// Follows a job whose start and questions are answered like this; its end, and the operations that were called. Without an
/// answer that ends it, the job is stopped.
async fn job(name: &str, parameters: &str, answers: &[&str]) -> (Result<Value, Failure>, Vec<String>) {
    let world = Arc::new(World::default());
    let headers = vec![("x-amzn-RequestId".to_owned(), "r-1".to_owned())];
    for body in answers {
        let response = Response { status: 200, headers: headers.clone(), body: body.as_bytes().to_vec() };
        world.answers.lock().unwrap().push_back(response);
    }
    let services = ["ecs", "batch", "glue", "athena", "codebuild", "sagemaker", "elasticmapreduce", "states"];
    let backends = backends(&services.map(|s| (s, Choice::Aws)), world.clone());
    let backend = backends.resolve(&resource(name)).unwrap();
    assert_eq!(backend.mode(), Mode::Job);
    let parameters: Value = parameters.parse().unwrap();
    let call = Call { parameters: &parameters, key: KEY, role_arn: None };
    let ended = match backend.call(&call).await {
        Ok(started) => {
            let ended = asl_task::follow(&backend, &call, &started, |_| async {}).await;
            if ended.as_ref().is_err_and(|e| e.error.as_deref().unwrap().ends_with("SdkClientException")) {
                backend.stop(&call, &started).await;
            }
            ended
        }
        Err(failure) => Err(failure),
    };
    let operation = |request: &HttpRequest| {
        let target = request.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("x-amz-target"));
        let name = target.map_or(request.path.as_str(), |(_, v)| v.rsplit('.').next().unwrap());
        format!("{name} {}", String::from_utf8_lossy(&request.body))
    };
    let mut sent: Vec<String> = world.sent.lock().unwrap().iter().map(operation).collect();
    sent.dedup();
    (ended, sent)
}

#[tokio::test]
async fn a_job_is_started_once_and_asked_for_until_it_has_ended() {
    let (ended, sent) = job(
        "glue:startJobRun.sync",
        r#"{"JobName": "nightly"}"#,
        &[
            r#"{"JobRunId":"jr_1"}"#,
            r#"{"JobRun":{"JobRunState":"RUNNING"}}"#,
            r#"{"JobRun":{"Id":"jr_1","JobName":"nightly","JobRunState":"SUCCEEDED"}}"#,
        ],
    )
    .await;
    assert_eq!(ended.unwrap().to_string(), r#"{"Id":"jr_1","JobName":"nightly","JobRunState":"SUCCEEDED"}"#);
    let asked = r#"GetJobRun {"JobName":"nightly","RunId":"jr_1"}"#;
    assert_eq!(sent, [r#"StartJobRun {"JobName":"nightly"}"#, asked]);

    let failed = r#"{"executionArn":"e","status":"FAILED","error":"E","cause":"c","input":"{\"a\":1}"}"#;
    let started = r#"{"executionArn":"e","startDate":1.0}"#;
    for (name, input) in
        [("states:startExecution.sync", r#""{\"a\":1}""#), ("states:startExecution.sync:2", r#"{"a":1}"#)]
    {
        let (ended, sent) = job(name, r#"{"StateMachineArn": "s", "Input": {"a": 1}}"#, &[started, failed]).await;
        let cause = format!(r#"{{"ExecutionArn":"e","Status":"FAILED","Error":"E","Cause":"c","Input":{input}}}"#);
        let failure = ended.unwrap_err();
        let (told, expected): (Value, Value) =
            (failure.cause.as_deref().unwrap().parse().unwrap(), cause.parse().unwrap());
        assert_eq!(
            (failure.error.as_deref(), told["Input"].clone()),
            (Some("States.TaskFailed"), expected["Input"].clone())
        );
        assert!(sent[0].contains(&format!(r#""name":"{KEY}""#)), "its name is the task's key: {sent:?}");
    }
    let build = r#"{"builds":[{"id":"p:1","buildStatus":"FAILED"}]}"#;
    let (ended, sent) =
        job("codebuild:startBuild.sync", r#"{"ProjectName":"p"}"#, &[r#"{"build":{"id":"p:1"}}"#, build]).await;
    assert_eq!(told(&ended.unwrap_err()), r#"States.TaskFailed: {"Build":{"Id":"p:1","BuildStatus":"FAILED"}}"#);
    assert!(sent[0].contains(KEY) && sent[1] == r#"BatchGetBuilds {"ids":["p:1"]}"#, "{sent:?}");
    let step = [r#"{"StepIds":["s-1"]}"#, r#"{"Step":{"Id":"s-1","Status":{"State":"COMPLETED"}}}"#];
    let (ended, sent) = job(
        "elasticmapreduce:addStep.sync",
        r#"{"ClusterId":"j","Step":{"Name":"n","HadoopJarStep":{"Jar":"x"}}}"#,
        &step,
    )
    .await;
    assert_eq!(ended.unwrap()["Step"]["Id"], Value::from("s-1"));
    assert_eq!(sent[0], r#"AddJobFlowSteps {"JobFlowId":"j","Steps":[{"Name":"n","HadoopJarStep":{"Jar":"x"}}]}"#);
}

#[tokio::test]
async fn a_job_that_is_given_up_is_stopped_and_one_that_did_not_start_is_an_error() {
    let (ended, sent) =
        job("ecs:runTask.sync", r#"{"Cluster":"c","TaskDefinition":"t"}"#, &[r#"{"tasks":[{"taskArn":"a"}]}"#]).await;
    assert!(told(&ended.unwrap_err()).starts_with("ECS.SdkClientException"));
    assert_eq!(sent[1], r#"DescribeTasks {"cluster":"c","tasks":["a"]}"#);
    assert!(sent[2].starts_with(r#"StopTask {"cluster":"c","task":"a","reason":"#), "{sent:?}");
    let none = r#"{"tasks":[],"failures":[{"reason":"RESOURCE:CPU"}]}"#;
    let (ended, _) = job("ecs:runTask.sync", r#"{"TaskDefinition":"t"}"#, &[none]).await;
    assert!(told(&ended.unwrap_err()).starts_with("AmazonECS.Unknown: {"));
}

#[tokio::test]
async fn an_api_gets_what_the_state_says_and_a_signature_where_it_wants_one() {
    let parameters = r#"{"ApiEndpoint": "a1b2.execute-api.eu-central-1.amazonaws.com", "Method": "POST", "Stage": "prod",
        "Path": "/bills/é", "QueryParameters": {"kind": ["a b", "c"]}, "Headers": {"Token": ["t"]},
        "RequestBody": {"id": 1, "none": null, "in": {"none": null}}, "AuthType": "IAM_ROLE"}"#;
    let (answer, sent) = call("apigateway:invoke", parameters, 200, r#"{"ok":true}"#).await;
    let expected =
        r#"{"Headers":{"x-amzn-RequestId":["r-1"]},"ResponseBody":{"ok":true},"StatusCode":200,"StatusText":"OK"}"#;
    assert_eq!(answer.unwrap(), expected.parse::<Value>().unwrap());
    assert_eq!(
        sent[0].url(),
        "https://a1b2.execute-api.eu-central-1.amazonaws.com/prod/bills/%C3%A9?kind=a%20b&kind=c"
    );
    assert_eq!(&sent[0].body[..], br#"{"id":1,"in":{}}"#);
    let header = |name: &str| sent[0].headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert!(header("Authorization").unwrap().contains("/eu-central-1/execute-api/aws4_request"));
    assert_eq!((header("Token"), header("Content-Type")), (Some("t"), Some("application/json")));

    let open = r#"{"ApiEndpoint": "a1b2.execute-api.eu-central-1.amazonaws.com", "Method": "GET"}"#;
    let (answer, sent) = call("apigateway:invoke", open, 404, "no such bill").await;
    assert_eq!(told(&answer.unwrap_err()), "ApiGateway.404: no such bill");
    assert!(sent.len() == 1 && sent[0].headers.iter().all(|(name, _)| name != "Authorization"));

    for (change, why) in [
        (("a1b2.execute-api.eu-central-1.amazonaws.com", "169.254.169.254"), "is not of the form"),
        (("a1b2.execute-api", "evil.example/a.execute-api"), "is not of the form"),
        (("amazonaws.com", "amazonaws.com.evil.example"), "is not of the form"),
        (("GET", "TRACE"), "'Method' is none of GET"),
        ((r#""GET""#, r#""GET", "AuthType": "KEY""#), "'AuthType' is none of NO_AUTH"),
        ((r#""GET""#, r#""GET", "Headers": {"Host": ["x"]}"#), "The header 'Host' cannot be set"),
        ((r#""GET""#, r#""GET", "Headers": {"A": ["x\r\nHost: y"]}"#), "not one that can be sent"),
        ((r#""GET""#, r#""GET", "QueryParameters": {"A": "x"}"#), "must be an array"),
    ] {
        let (answer, sent) = call("apigateway:invoke", &open.replace(change.0, change.1), 200, "{}").await;
        let failure = told(&answer.unwrap_err());
        assert!(
            failure.starts_with("States.Runtime: The Parameters") && failure.contains(why),
            "{change:?}: {failure}"
        );
        assert!(sent.is_empty(), "{change:?}");
    }
}

#[tokio::test]
async fn a_model_gets_json_and_gives_json() {
    let parameters = r#"{"ModelId": "m", "Body": {"prompt": "hello"}}"#;
    let (answer, sent) = call("bedrock:invokeModel", parameters, 200, r#"{"text":"hi"}"#).await;
    assert_eq!(answer.unwrap()["Body"], r#"{"text":"hi"}"#.parse::<Value>().unwrap());
    assert_eq!(&sent[0].body[..], br#"{"prompt":"hello"}"#);
    assert!(sent[0].url().ends_with("bedrock-runtime.eu-west-1.amazonaws.com/model/m/invoke"), "{}", sent[0].url());
    let in_s3 = r#"{"ModelId": "m", "Input": {"S3Uri": "s3://b/k"}}"#;
    let (answer, sent) = call("bedrock:invokeModel", in_s3, 200, "{}").await;
    assert!(told(&answer.unwrap_err()).contains("aws-sdk:s3:getObject") && sent.is_empty());
}

#[test]
fn what_is_more_than_one_call_is_refused_with_what_to_do() {
    for (name, service, instead) in [
        ("eks:call", "eks", "from a function"),
        ("eks:runJob.sync", "eks", "from a function"),
        ("elasticmapreduce:modifyInstanceFleetByName", "elasticmapreduce", "aws-sdk:emr:modifyInstanceFleet"),
    ] {
        // Choosing AWS would not help, so the line to add is not offered.
        for choices in [&[][..], &[(service, Choice::Aws)]] {
            let missing = refused(choices, name);
            assert!(missing.message.contains("is more than one call of AWS"), "{missing}");
            assert!(missing.hint.as_ref().unwrap().contains(instead), "{missing}");
        }
    }
    assert!(refused(&[], "apigateway:invoke").hint.unwrap().starts_with(r#"add `"apigateway" = "aws"`"#));
}

/// Optimized integrations that are more than an operation, and jobs that are waited for: refused by name for now.
fn later(resource: &str) -> bool {
    let kinds = ["http:invoke", "eks:call", "eks:runJob"];
    kinds.iter().any(|k| resource.contains(&format!(":::{k}")))
}

/// The Tasks of public machines (`../shared/corpus`, where it is there): each is run by something, or refused by name.
#[test]
fn tasks_of_public_machines_resolve() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/tasks.jsonl");
    let Ok(text) = std::fs::read_to_string(&file) else { return eprintln!("skipped: there is no {}", file.display()) };
    let mut choices: Vec<(String, Choice)> =
        asl_aws::model::entry_names().map(|s| (format!("aws-sdk:{s}"), Choice::Aws)).collect();
    let optimized = [
        "apigateway",
        "athena",
        "batch",
        "codebuild",
        "databrew",
        "dynamodb",
        "ecs",
        "emr-containers",
        "emr-serverless",
        "eks",
        "elasticmapreduce",
        "bedrock",
        "events",
        "glue",
        "lambda",
        "mediaconvert",
        "sagemaker",
        "sns",
        "sqs",
        "states",
    ];
    choices.extend(optimized.map(|s| (s.to_owned(), Choice::Aws)));
    let choices: Vec<_> = choices.iter().map(|(s, c)| (s.as_str(), *c)).collect();
    let backends = backends(&choices, Arc::default());
    let (mut run, mut wait, mut wrong) = (0, 0, vec![]);
    for line in text.lines() {
        let task: Value = line.parse().unwrap();
        let (name, count) = (task["resource"].as_str().unwrap(), task["count"].as_i64().unwrap());
        let Ok(resource) = Resource::parse(name) else {
            wait += i64::from(!name.starts_with("function")) * count;
            run += i64::from(name.starts_with("function")) * count;
            continue;
        };
        match backends.resolve(&resource) {
            Ok(_) => {
                run += count;
                wrong.extend(unknown_parameters(&resource, &task["parameters"]).map(|why| format!("{name}: {why}")));
            }
            Err(_) if later(name) || name.contains(":activity:") => wait += count,
            Err(missing) => wrong.push(format!("{name} ({count}): {missing}")),
        }
    }
    println!("{run} tasks run, {wait} are refused by name\n{}", wrong.join("\n"));
    // What AWS has withdrawn or never had; a new version of the model may take some more away.
    let in_aws_words = |why: &String| {
        why.contains("is not recognized. The value") || why.contains("is not supported by Step Functions")
    };
    assert!(wrong.iter().all(in_aws_words) && wrong.len() <= 6, "{}", wrong.join("\n"));
}

/// The parameters of an `aws-sdk` task that its operation does not have.
fn unknown_parameters(resource: &Resource, parameters: &Value) -> Option<String> {
    let asl_syntax::ResourceKind::Service { service, action, sdk: true, .. } = &resource.kind else { return None };
    let service = asl_aws::model::service(service)?;
    let operation = service.operation(action)?;
    let names = parameters.as_array()?.iter().filter_map(Value::as_str);
    asl_aws::unknown(&service, operation, names).into_iter().next()
}
