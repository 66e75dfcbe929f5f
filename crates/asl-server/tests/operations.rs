//! What operations do, seen from a client.

mod common;

use asl::{Map, Value};
use common::{Client, PASS, PREFIX, Place, ROLE, WAIT, request};

fn machine(client: &mut Client, name: &str, definition: &str) -> String {
    let created =
        client.ok("CreateStateMachine", &request(&[("name", name), ("roleArn", ROLE), ("definition", definition)]));
    created["stateMachineArn"].as_str().unwrap().to_owned()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}")).to_owned()
}

#[test]
fn a_state_machine_is_made_once_for_the_same_request() {
    let place = Place::new();
    let mut client = place.client();
    let arn = machine(&mut client, "m", PASS);
    assert_eq!(arn, format!("{PREFIX}:stateMachine:m"));
    // Role and tags make no difference.
    let again = r#"{"name": "m", "roleArn": "arn:aws:iam::1:role/other", "tags": [{"key": "k", "value": "v"}], "definition": DEF}"#;
    client.ok("CreateStateMachine", &again.replace("DEF", &Value::from(PASS).to_string()));
    assert_eq!(client.ok("ListTagsForResource", &request(&[("resourceArn", &arn)])).to_string(), r#"{"tags":[]}"#);
    let told =
        client.refused("CreateStateMachine", &request(&[("name", "m"), ("roleArn", ROLE), ("definition", WAIT)]));
    assert_eq!(told, format!("StateMachineAlreadyExists: State Machine Already Exists: '{arn}'"));
    let told =
        client.refused("CreateStateMachine", &request(&[("name", "a b"), ("roleArn", ROLE), ("definition", PASS)]));
    assert_eq!(told, "InvalidName: Invalid Name: 'a b'");
    let told =
        client.refused("CreateStateMachine", &request(&[("name", "x"), ("roleArn", ROLE), ("definition", "{}")]));
    assert!(
        told.starts_with("InvalidDefinition: Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED"),
        "{told}"
    );
}

/// Terraform: what is described is what was sent, member by member, and a plan that changes nothing makes no revision.
#[test]
fn configuration_is_given_back_as_it_came() {
    let place = Place::new();
    let mut client = place.client();
    let logging = r#"{"level": "ALL", "includeExecutionData": true, "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:1:log-group:g:*"}}]}"#;
    let tracing = r#"{"enabled": true}"#;
    let encryption =
        r#"{"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/k", "kmsDataKeyReusePeriodSeconds": 900}"#;
    let configured = format!(
        r#""loggingConfiguration": {logging}, "tracingConfiguration": {tracing}, "encryptionConfiguration": {encryption}"#
    );
    let create = format!(r#"{{"name": "m", "roleArn": "{ROLE}", "definition": {}, {configured}}}"#, Value::from(PASS));
    let arn = text(&client.ok("CreateStateMachine", &create), "stateMachineArn");
    let described = client.ok("DescribeStateMachine", &request(&[("stateMachineArn", &arn)]));
    for (name, sent) in
        [("loggingConfiguration", logging), ("tracingConfiguration", tracing), ("encryptionConfiguration", encryption)]
    {
        assert_eq!(described[name], sent.parse::<Value>().unwrap(), "{name}");
    }
    assert_eq!(described["definition"].as_str(), Some(PASS));
    assert!(described.get("revisionId").is_none());
    let update = format!(
        r#"{{"stateMachineArn": "{arn}", "roleArn": "{ROLE}", "definition": {}, {configured}}}"#,
        Value::from(PASS)
    );
    assert!(client.ok("UpdateStateMachine", &update).get("revisionId").is_none());
    let changed = client.ok("UpdateStateMachine", &request(&[("stateMachineArn", &arn), ("definition", WAIT)]));
    let described = client.ok("DescribeStateMachine", &request(&[("stateMachineArn", &arn)]));
    assert_eq!(described["revisionId"], changed["revisionId"]);
    assert_eq!(described["loggingConfiguration"], logging.parse::<Value>().unwrap());
}

#[test]
fn versions_are_counted_and_never_given_again() {
    let place = Place::new();
    let mut client = place.client();
    let arn = machine(&mut client, "m", PASS);
    let publish = |client: &mut Client| {
        text(&client.ok("PublishStateMachineVersion", &request(&[("stateMachineArn", &arn)])), "stateMachineVersionArn")
    };
    assert_eq!(publish(&mut client), format!("{arn}:1"));
    assert_eq!(publish(&mut client), format!("{arn}:1"), "the revision is the same");
    client.ok("UpdateStateMachine", &request(&[("stateMachineArn", &arn), ("definition", WAIT)]));
    assert_eq!(publish(&mut client), format!("{arn}:2"));
    let told =
        client.refused("PublishStateMachineVersion", &request(&[("stateMachineArn", &arn), ("revisionId", "INITIAL")]));
    assert!(
        told.starts_with("ConflictException: Failed to publish the State Machine version for revision INITIAL."),
        "{told}"
    );
    client.ok("DeleteStateMachineVersion", &request(&[("stateMachineVersionArn", &format!("{arn}:2"))]));
    client.ok("DeleteStateMachineVersion", &request(&[("stateMachineVersionArn", &format!("{arn}:2"))]));
    client.ok("UpdateStateMachine", &request(&[("stateMachineArn", &arn), ("definition", PASS)]));
    assert_eq!(publish(&mut client), format!("{arn}:3"));
    let first = client.ok("DescribeStateMachine", &request(&[("stateMachineArn", &format!("{arn}:1"))]));
    assert_eq!(first["definition"].as_str(), Some(PASS));
}

#[test]
fn an_alias_chooses_a_version_and_lists_find_it() {
    let place = Place::new();
    let mut client = place.client();
    let arn = machine(&mut client, "m", PASS);
    client.ok("PublishStateMachineVersion", &request(&[("stateMachineArn", &arn)]));
    let alias = |weight: u32| {
        format!(
            r#"{{"name": "prod", "routingConfiguration": [{{"stateMachineVersionArn": "{arn}:1", "weight": {weight}}}]}}"#
        )
    };
    assert_eq!(
        client.refused("CreateStateMachineAlias", &alias(99)),
        "ValidationException: Sum of routing configuration weights must equal 100. Received: [99]"
    );
    client.ok("CreateStateMachineAlias", &alias(100));
    let missing = alias(100).replace(":1\"", ":9\"").replace("prod", "dev");
    assert_eq!(
        client.refused("CreateStateMachineAlias", &missing),
        "ResourceNotFound: Request references a resource that does not exist."
    );
    let started = client.ok("StartExecution", &request(&[("stateMachineArn", &format!("{arn}:prod")), ("name", "e")]));
    place.wait(started["executionArn"].as_str().unwrap());
    client.ok("StartExecution", &request(&[("stateMachineArn", &arn), ("name", "f")]));
    for (named, found) in [("prod", vec!["e"]), ("1", vec!["e"]), ("", vec!["f", "e"])] {
        let of = format!("{arn}:{named}");
        let listed = client.ok("ListExecutions", &request(&[("stateMachineArn", of.trim_end_matches(':'))]));
        let names: Vec<String> = listed["executions"].as_array().unwrap().iter().map(|row| text(row, "name")).collect();
        assert_eq!(names, found, "{named}");
    }
    let history =
        client.ok("GetExecutionHistory", &request(&[("executionArn", started["executionArn"].as_str().unwrap())]));
    let first = &history["events"][0]["executionStartedEventDetails"];
    assert_eq!(first["stateMachineAliasArn"].as_str(), Some(&*format!("{arn}:prod")));
}

#[test]
fn a_start_is_repeated_while_it_runs_and_with_the_same_input() {
    let place = Place::new();
    let mut client = place.client();
    let arn = machine(&mut client, "m", WAIT);
    let start = |input: &str| request(&[("stateMachineArn", &arn), ("name", "e"), ("input", input)]);
    let first = client.ok("StartExecution", &start("{}"));
    assert_eq!(client.ok("StartExecution", &start("{}")), first);
    let taken = format!("ExecutionAlreadyExists: Execution Already Exists: '{PREFIX}:execution:m:e'");
    assert_eq!(client.refused("StartExecution", &start("{ }")), taken);
    let execution = text(&first, "executionArn");
    let stop = request(&[("executionArn", &execution), ("error", "Enough"), ("cause", "of it")]);
    let stopped = client.ok("StopExecution", &stop);
    let described = client.ok("DescribeExecution", &request(&[("executionArn", &execution)]));
    assert_eq!(text(&described, "status"), "ABORTED");
    assert_eq!((text(&described, "error"), text(&described, "cause")), ("Enough".to_owned(), "of it".to_owned()));
    assert_eq!(described["stopDate"], stopped["stopDate"]);
    assert_eq!(client.refused("StartExecution", &start("{}")), taken);
    let redrive = request(&[("executionArn", &execution), ("clientToken", "t")]);
    let redriven = client.ok("RedriveExecution", &redrive);
    assert_eq!(client.ok("RedriveExecution", &redrive), redriven);
    assert!(
        client
            .refused("RedriveExecution", &request(&[("executionArn", &execution)]))
            .starts_with("ExecutionNotRedrivable")
    );
}

#[test]
fn pages_go_on_where_they_ended_beside_new_starts() {
    let place = Place::new();
    let mut client = place.client();
    let arn = machine(&mut client, "m", PASS);
    for number in 0..7 {
        client.ok("StartExecution", &request(&[("stateMachineArn", &arn), ("name", &format!("e{number}"))]));
    }
    let (mut names, mut token) = (Vec::new(), None::<String>);
    loop {
        let mut asked = Map::from_iter([("stateMachineArn", Value::from(arn.as_str())), ("maxResults", 3.into())]);
        asked.insert("nextToken", token.take());
        let page = client.ok("ListExecutions", &Value::from(asked).to_string());
        names.extend(page["executions"].as_array().unwrap().iter().map(|row| text(row, "name")));
        token = page.get("nextToken").and_then(|token| token.as_str().map(str::to_owned));
        if token.is_none() {
            break;
        }
        client.ok("StartExecution", &request(&[("stateMachineArn", &arn)]));
    }
    assert_eq!(names, ["e6", "e5", "e4", "e3", "e2", "e1", "e0"]);
    let told = client.refused("ListExecutions", &request(&[("stateMachineArn", &arn), ("nextToken", "x")]));
    assert_eq!(told, "InvalidToken: Invalid Token: 'Invalid token'");
}

#[test]
fn a_history_is_read_from_either_end_with_or_without_data() {
    let place = Place::new();
    let mut client = place.client();
    let arn = machine(&mut client, "m", PASS);
    let started = client.ok("StartExecution", &request(&[("stateMachineArn", &arn), ("input", r#"{"a":1}"#)]));
    let execution = text(&started, "executionArn");
    place.wait(&execution);
    let ask = |client: &mut Client, more: &str| {
        client.ok("GetExecutionHistory", &format!(r#"{{"executionArn": "{execution}"{more}}}"#))
    };
    let ids = |page: &Value| {
        page["events"].as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let all = ask(&mut client, "");
    assert_eq!(ids(&all), [1, 2, 3, 4]);
    assert!(all["events"][0]["timestamp"].as_f64().is_some(), "{all}");
    let first = ask(&mut client, r#", "reverseOrder": true, "maxResults": 3"#);
    assert_eq!(ids(&first), [4, 3, 2]);
    let token = text(&first, "nextToken");
    let rest = ask(&mut client, &format!(r#", "reverseOrder": true, "maxResults": 3, "nextToken": "{token}""#));
    assert_eq!(ids(&rest), [1]);
    assert!(rest.get("nextToken").is_none());
    let bare = ask(&mut client, r#", "includeExecutionData": false"#);
    assert!(!bare.to_string().contains(r#"{\"a\":1}"#), "{bare}");
    assert_eq!(ids(&bare), [1, 2, 3, 4]);
}

#[test]
fn express_executions_are_told_at_once_and_never_again() {
    let place = Place::skipping();
    let mut client = place.client();
    let create = |name: &str, definition: &str| {
        request(&[("name", name), ("roleArn", ROLE), ("type", "EXPRESS"), ("definition", definition)])
    };
    let arn = text(&client.ok("CreateStateMachine", &create("x", PASS)), "stateMachineArn");
    let done = client
        .ok("StartSyncExecution", &request(&[("stateMachineArn", &arn), ("name", "n"), ("input", r#"{"a": 1}"#)]));
    assert_eq!(
        (text(&done, "status"), text(&done, "output"), text(&done, "input")),
        ("SUCCEEDED".into(), r#"{"a":1}"#.into(), r#"{"a": 1}"#.into())
    );
    assert_eq!(done["billingDetails"].to_string(), r#"{"billedMemoryUsedInMB":64,"billedDurationInMilliseconds":100}"#);
    let execution = text(&done, "executionArn");
    assert!(execution.starts_with(&format!("{PREFIX}:express:x:n:")), "{execution}");
    let told = client.refused("DescribeExecution", &request(&[("executionArn", &execution)]));
    assert_eq!(told, "InvalidArn: Invalid Arn: 'Resource type not valid in this context: express'");
    assert!(
        client
            .refused("ListExecutions", &request(&[("stateMachineArn", &arn)]))
            .starts_with("StateMachineTypeNotSupported")
    );
    // Five minutes are the most.
    let slow = text(&client.ok("CreateStateMachine", &create("slow", WAIT)), "stateMachineArn");
    let done = client.ok("StartSyncExecution", &request(&[("stateMachineArn", &slow)]));
    assert_eq!((text(&done, "status"), text(&done, "error")), ("TIMED_OUT".to_owned(), "States.Timeout".to_owned()));
    let standard = machine(&mut client, "m", PASS);
    assert!(
        client
            .refused("StartSyncExecution", &request(&[("stateMachineArn", &standard)]))
            .starts_with("StateMachineTypeNotSupported")
    );
}

#[test]
fn a_deleted_state_machine_ends_its_executions() {
    let place = Place::new();
    let mut client = place.client();
    let arn = machine(&mut client, "m", WAIT);
    let started = client.ok("StartExecution", &request(&[("stateMachineArn", &arn)]));
    client.ok("DeleteStateMachine", &request(&[("stateMachineArn", &arn)]));
    place.wait(started["executionArn"].as_str().unwrap());
    let described =
        client.ok("DescribeExecution", &request(&[("executionArn", started["executionArn"].as_str().unwrap())]));
    assert_eq!(text(&described, "status"), "ABORTED");
    client.ok("DeleteStateMachine", &request(&[("stateMachineArn", &format!("{PREFIX}:stateMachine:none"))]));
}

#[test]
fn tokens_are_answered_once() {
    let place = Place::new();
    let mut client = place.client();
    for operation in ["SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"] {
        let told = client.refused(operation, &request(&[("taskToken", "nothing"), ("output", "{}")]));
        assert_eq!(told, "InvalidToken: Invalid Token: 'Invalid token'", "{operation}");
    }
    let told = client.refused("SendTaskSuccess", &request(&[("taskToken", "t"), ("output", "no")]));
    assert!(told.starts_with("InvalidOutput: "), "{told}");
}

#[test]
fn a_map_run_is_described_with_its_children() {
    let place = Place::new();
    let mut client = place.client();
    let definition = r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "Label": "L", "End": true, "MaxConcurrency": 2,
        "ToleratedFailureCount": 1, "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "C", "States": {"C": {"Type": "Choice", "Default": "P", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "F"}]},
        "P": {"Type": "Pass", "End": true}, "F": {"Type": "Fail", "Error": "Two"}}}}}}"#;
    let arn = machine(&mut client, "m", definition);
    let started = client.ok("StartExecution", &request(&[("stateMachineArn", &arn), ("input", "[1,2,3]")]));
    let execution = text(&started, "executionArn");
    place.wait(&execution);
    let listed = client.ok("ListMapRuns", &request(&[("executionArn", &execution)]));
    let run = text(&listed["mapRuns"][0], "mapRunArn");
    let described = client.ok("DescribeMapRun", &request(&[("mapRunArn", &run)]));
    assert_eq!(text(&described, "status"), "SUCCEEDED");
    assert_eq!((described["maxConcurrency"].as_i64(), described["toleratedFailureCount"].as_i64()), (Some(2), Some(1)));
    for counts in ["itemCounts", "executionCounts"] {
        let of = |name: &str| described[counts][name].as_i64();
        assert_eq!(
            (of("total"), of("succeeded"), of("failed"), of("pending")),
            (Some(3), Some(2), Some(1), Some(0)),
            "{described}"
        );
    }
    let children = client.ok("ListExecutions", &request(&[("mapRunArn", &run), ("statusFilter", "FAILED")]));
    let child = text(&children["executions"][0], "executionArn");
    let child = client.ok("DescribeExecution", &request(&[("executionArn", &child)]));
    assert_eq!(
        (text(&child, "mapRunArn"), text(&child, "redriveStatus")),
        (run.clone(), "REDRIVABLE_BY_MAP_RUN".to_owned())
    );
    let none = run.replace(":L:", ":L:0");
    let none = if none == run { format!("{run}0") } else { none };
    assert!(client.refused("DescribeMapRun", &request(&[("mapRunArn", &none)])).starts_with("ResourceNotFound"));
}

#[test]
fn a_task_is_tested_by_really_running_it() {
    let place = Place::with(Default::default(), asl_server::door::Door::open(), |builder| {
        builder.function("Greet", |event: Value| async move { Ok(Value::from(format!("Hello, {}!", event["name"]))) })
    });
    let definition =
        r#"{"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:Greet", "End": true}"#;
    let asked = request(&[("definition", definition), ("roleArn", ROLE), ("input", r#"{"name": 7}"#)]);
    let tested = place.client().ok("TestState", &asked);
    assert_eq!(
        (text(&tested, "status"), text(&tested, "output")),
        ("SUCCEEDED".to_owned(), r#""Hello, 7!""#.to_owned())
    );
}
