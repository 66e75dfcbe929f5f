//! Promises that span calls: exact shapes, deliveries to functions, limits, and the laws of tables and queues.

use asl_store::*;
use asl_task::embedded::*;
use asl_value::Value;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn services(spec: &str) -> Services {
    let spec: ServicesSpec = toml::from_str(spec).unwrap();
    Services::new(&spec, Identity::new("us-east-1", "123456789012")).unwrap()
}

const REQUEST_ID: &str = "11111111-2222-4333-8444-555555555555";

async fn call(
    services: &Services,
    tx: &mut dyn ServiceTx,
    resource: &str,
    parameters: &str,
    (now_ms, seed): (i64, u64),
) -> Result<Value, ServiceError> {
    let (dialect, rest) = match resource.strip_prefix("aws-sdk:") {
        Some(rest) => (Dialect::AwsSdk, rest),
        None => (Dialect::Optimized, resource),
    };
    let (service, action) = rest.split_once(':').unwrap();
    let parameters: Value = parameters.parse().unwrap();
    let request_id = REQUEST_ID;
    let call = ServiceCall { dialect, service, action, parameters: &parameters, now_ms, request_id, seed };
    services.call(tx, &call).await.unwrap()
}

const SAGA: &str = r#"
functions = ["Audit"]
tables.Fares.HashKey = "fareId"
[[topics.Done.Subscriptions]]
Protocol = "lambda"
Endpoint = "arn:aws:lambda:us-east-1:123456789012:function:Audit"
RedrivePolicy = { deadLetterTargetArn = "Lost" }
[[topics.Done.Subscriptions]]
Protocol = "sqs"
Endpoint = "Plain"
[queues.Plain]
[queues.Lost]
"#;

#[test]
fn optimized_results_have_the_headers_of_recorded_answers() {
    let services = services(SAGA);
    let mut store = MemoryStore::new();
    let mut tx = store.begin();
    let at = (1_713_421_621_000, 1);
    let parameters = r#"{"TableName": "Fares", "Item": {"fareId": {"S": "1"}}}"#;
    let put = wait(call(&services, &mut tx, "dynamodb:putItem", parameters, at)).unwrap();
    let expected = concat!(
        r#"{"SdkHttpMetadata":{"AllHttpHeaders":{"Server":["Server"],"Connection":["keep-alive"],"#,
        r#""x-amzn-RequestId":["11111111-2222-4333-8444-555555555555"],"x-amz-crc32":["2745614147"],"#,
        r#""Content-Length":["2"],"Date":["Thu, 18 Apr 2024 06:27:01 GMT"],"Content-Type":["application/x-amz-json-1.0"]},"#,
        r#""HttpHeaders":{"Connection":"keep-alive","Content-Length":"2","Content-Type":"application/x-amz-json-1.0","#,
        r#""Date":"Thu, 18 Apr 2024 06:27:01 GMT","Server":"Server","x-amz-crc32":"2745614147","#,
        r#""x-amzn-RequestId":"11111111-2222-4333-8444-555555555555"},"HttpStatusCode":200},"#,
        r#""SdkResponseMetadata":{"RequestId":"11111111-2222-4333-8444-555555555555"}}"#
    );
    assert_eq!(put.to_string(), expected);
    let publish = wait(call(&services, &mut tx, "sns:publish", r#"{"TopicArn": "Done", "Message": "x"}"#, at)).unwrap();
    let send = wait(call(&services, &mut tx, "sqs:sendMessage", r#"{"QueueUrl": "Plain", "MessageBody": "x"}"#, at));
    let headers = |result: &Value| result["SdkHttpMetadata"]["AllHttpHeaders"].to_string();
    let lower = |length, kind| {
        format!(
            r#"{{"x-amzn-RequestId":["{REQUEST_ID}"],"connection":["keep-alive"],"Content-Length":["{length}"],"Date":["Thu, 18 Apr 2024 06:27:01 GMT"],"Content-Type":["{kind}"]}}"#
        )
    };
    assert_eq!(headers(&publish), lower("294", "text/xml"));
    assert_eq!(headers(&send.unwrap()), lower("106", "application/x-amz-json-1.0"));
}

#[test]
fn causes_have_the_form_of_recorded_answers() {
    let services = services(SAGA);
    let mut store = MemoryStore::new();
    let mut tx = store.begin();
    let table = [
        (
            "dynamodb:putItem",
            r#"{"TableName": "None", "Item": {"id": {"S": "1"}}}"#,
            "Requested resource not found (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ResourceNotFoundException; Request ID: 11111111-2222-4333-8444-555555555555; Proxy: null)",
        ),
        (
            "aws-sdk:dynamodb:putItem",
            r#"{"TableName": "None", "Item": {"id": {"S": "1"}}}"#,
            "Requested resource not found (Service: DynamoDb, Status Code: 400, Request ID: 11111111-2222-4333-8444-555555555555)",
        ),
        (
            "sns:publish",
            r#"{"TopicArn": "None", "Message": "x"}"#,
            "Topic does not exist (Service: AmazonSNS; Status Code: 404; Error Code: NotFound; Request ID: 11111111-2222-4333-8444-555555555555; Proxy: null)",
        ),
        (
            "sqs:sendMessage",
            r#"{"QueueUrl": "None", "MessageBody": "x"}"#,
            "The specified queue does not exist. (Service: AmazonSQS; Status Code: 400; Error Code: AWS.SimpleQueueService.NonExistentQueue; Request ID: 11111111-2222-4333-8444-555555555555; Proxy: null)",
        ),
    ];
    for (resource, parameters, cause) in table {
        let error = wait(call(&services, &mut tx, resource, parameters, (0, 1))).unwrap_err();
        assert_eq!(error.cause, cause);
    }
}

#[test]
fn a_queue_gets_the_envelope() {
    let services = services(SAGA);
    let mut store = MemoryStore::new();
    let mut tx = store.begin();
    let parameters = r#"{"TopicArn": "Done", "Message": {"a": 1}, "Subject": "S",
        "MessageAttributes": {"k": {"DataType": "String", "StringValue": "v"}}}"#;
    let published = wait(call(&services, &mut tx, "sns:publish", parameters, (1_713_421_621_042, 1))).unwrap();
    let messages = wait(services.peek_messages(&mut tx, "Plain", 0, 10, 0)).unwrap();
    let body: Value = messages[0].body.parse().unwrap();
    let keys: Vec<&str> = body.as_object().unwrap().keys().map(|key| &**key).collect();
    let wanted = [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
        "UnsubscribeURL",
        "MessageAttributes",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(body["MessageId"], published["MessageId"]);
    assert_ne!(body["MessageId"], Value::from(&messages[0].id));
    assert_eq!(body["TopicArn"], Value::from("arn:aws:sns:us-east-1:123456789012:Done"));
    assert_eq!(body["Message"], Value::from(r#"{"a":1}"#));
    assert_eq!(body["Timestamp"], Value::from("2024-04-18T06:27:01.042Z"));
    assert_eq!(body["MessageAttributes"].to_string(), r#"{"k":{"Type":"String","Value":"v"}}"#);
    assert_eq!(messages[0].attributes, Value::empty_object());
}

#[test]
fn deliveries_to_functions_wait_in_the_outbox_until_they_are_done() {
    let services = services(SAGA);
    let mut store = MemoryStore::new();
    let mut tx = store.begin();
    wait(async {
        let publish = r#"{"TopicArn": "Done", "Message": "hello"}"#;
        let published = call(&services, &mut tx, "sns:publish", publish, (0, 1)).await.unwrap();
        assert_eq!(services.next_delivery_at_ms(&mut tx).await, Ok(Some(0)));
        let taken = services.take_deliveries(&mut tx, 0, 5_000, 10).await.unwrap();
        assert_eq!(taken.len(), 1);
        assert_eq!((&taken[0].target, taken[0].attempt), (&Target::Function("Audit".to_owned()), 1));
        let record = &taken[0].payload["Records"][0];
        assert_eq!(record["EventSource"], Value::from("aws:sns"));
        assert_eq!(record["Sns"]["Message"], Value::from("hello"));
        assert_eq!(record["Sns"]["MessageId"], published["MessageId"]);
        assert_eq!(record["Sns"]["Subject"], Value::Null);
        // Its lease holds it back; without an answer it comes again.
        assert_eq!(services.take_deliveries(&mut tx, 4_999, 5_000, 10).await.unwrap(), []);
        let again = services.take_deliveries(&mut tx, 5_000, 5_000, 10).await.unwrap();
        assert_eq!((&again[0].id, again[0].attempt), (&taken[0].id, 2));
        let position = again[0].position;
        let failed = services.delivery_failed(&mut tx, position, 6_000).await.unwrap();
        assert_eq!(failed, FailedDelivery::RetryAt(126_000));
        assert_eq!(services.next_delivery_at_ms(&mut tx).await, Ok(Some(126_000)));
        assert_eq!(services.take_deliveries(&mut tx, 126_000, 5_000, 10).await.unwrap()[0].attempt, 3);
        let failed = services.delivery_failed(&mut tx, position, 127_000).await.unwrap();
        assert_eq!(failed, FailedDelivery::DeadLetter("Lost".into()));
        assert_eq!(services.queue_state(&mut tx, "Lost", 127_000).await.unwrap().visible, 1);
        assert_eq!(services.next_delivery_at_ms(&mut tx).await, Ok(None));
        // One that is done is gone.
        call(&services, &mut tx, "sns:publish", publish, (200_000, 2)).await.unwrap();
        let taken = services.take_deliveries(&mut tx, 200_000, 5_000, 10).await.unwrap();
        services.delivery_done(&mut tx, taken[0].position).await.unwrap();
        assert_eq!(services.next_delivery_at_ms(&mut tx).await, Ok(None));
    });
}

#[test]
fn limits_on_sizes() {
    let services = services(SAGA);
    let mut store = MemoryStore::new();
    let mut tx = store.begin();
    // `fareId` and `1` and `x` are 8 bytes.
    let item = |bytes: usize| {
        let text = "x".repeat(bytes - 8);
        format!(r#"{{"TableName": "Fares", "Item": {{"fareId": {{"S": "1"}}, "x": {{"S": "{text}"}}}}}}"#)
    };
    wait(async {
        assert!(call(&services, &mut tx, "dynamodb:putItem", &item(409_600), (0, 1)).await.is_ok());
        let error = call(&services, &mut tx, "dynamodb:putItem", &item(409_601), (0, 1)).await.unwrap_err();
        assert!(error.cause.starts_with("Item size has exceeded the maximum allowed size ("), "{error}");
        let update = r#"{"TableName": "Fares", "Key": {"fareId": {"S": "1"}}, "UpdateExpression": "SET y = x"}"#;
        let error = call(&services, &mut tx, "dynamodb:updateItem", update, (0, 1)).await.unwrap_err();
        assert!(error.cause.starts_with("Item size to update has exceeded the maximum allowed size ("), "{error}");
        let key = "k".repeat(2049);
        let get = format!(r#"{{"TableName": "Fares", "Key": {{"fareId": {{"S": "{key}"}}}}}}"#);
        let error = call(&services, &mut tx, "dynamodb:getItem", &get, (0, 1)).await.unwrap_err();
        assert!(error.cause.contains("Size of hashkey has exceeded"), "{error}");
        let send = |n: usize| format!(r#"{{"QueueUrl": "Plain", "MessageBody": "{}"}}"#, "x".repeat(n));
        assert!(call(&services, &mut tx, "sqs:sendMessage", &send(1_048_576), (0, 1)).await.is_ok());
        let error = call(&services, &mut tx, "sqs:sendMessage", &send(1_048_577), (0, 1)).await.unwrap_err();
        assert!(error.cause.contains("Message must be shorter than 1048576 bytes."), "{error}");
        let publish = |n: usize| format!(r#"{{"TopicArn": "Done", "Message": "{}"}}"#, "x".repeat(n));
        assert!(call(&services, &mut tx, "sns:publish", &publish(262_144), (0, 1)).await.is_ok());
        let error = call(&services, &mut tx, "sns:publish", &publish(262_145), (0, 1)).await.unwrap_err();
        assert!(error.cause.starts_with("Invalid parameter: Message too long ("), "{error}");
        let deep = format!(r#"{}{{"S": "x"}}{}"#, r#"{"L": ["#.repeat(40), "]}".repeat(40));
        let put = format!(r#"{{"TableName": "Fares", "Item": {{"fareId": {{"S": "1"}}, "x": {deep}}}}}"#);
        let error = call(&services, &mut tx, "dynamodb:putItem", &put, (0, 1)).await.unwrap_err();
        assert!(error.cause.starts_with("Nesting Levels have exceeded supported limits"), "{error}");
    });
}

#[test]
fn a_scan_reads_on_beyond_one_page() {
    let services = services(SAGA);
    let mut store = MemoryStore::new();
    let mut tx = store.begin();
    wait(async {
        let text = "x".repeat(10_000);
        for n in 0..250 {
            let put =
                format!(r#"{{"TableName": "Fares", "Item": {{"fareId": {{"S": "{n}"}}, "x": {{"S": "{text}"}}}}}}"#);
            call(&services, &mut tx, "dynamodb:putItem", &put, (0, 1)).await.unwrap();
        }
        let (mut seen, mut start, mut pages) = (BTreeSet::new(), String::new(), 0);
        loop {
            let scan = format!(r#"{{"TableName": "Fares" {start}}}"#);
            let page = call(&services, &mut tx, "aws-sdk:dynamodb:scan", &scan, (0, 1)).await.unwrap();
            pages += 1;
            for item in page["Items"].as_array().unwrap() {
                assert!(seen.insert(item["fareId"]["S"].to_string()));
            }
            match page.get("LastEvaluatedKey") {
                Some(key) => start = format!(r#", "ExclusiveStartKey": {key}"#),
                None => break,
            }
        }
        assert_eq!((seen.len(), pages), (250, 3), "1 MB a page");
        let first = services.scan_items(&mut tx, "Fares", None, 2).await.unwrap();
        let next = services.scan_items(&mut tx, "Fares", Some(&first[1].0), 1).await.unwrap();
        assert!(next[0].0 > first[1].0);
        let error = services.scan_items(&mut tx, "Fare", None, 2).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no table Fare (declared: Fares)");
    });
}

#[test]
fn the_same_calls_leave_the_same_store() {
    let run = || {
        let services = services(SAGA);
        let mut store = MemoryStore::new();
        let mut tx = store.begin();
        wait(async {
            for seed in 0..3 {
                let publish = r#"{"TopicArn": "Done", "Message": "hello"}"#;
                call(&services, &mut tx, "sns:publish", publish, (seed as i64, seed)).await.unwrap();
                let receive = Receive { limit: 1, visibility_timeout_ms: None, now_ms: 5, seed };
                services.receive_messages(&mut tx, "Plain", &receive).await.unwrap();
            }
        });
        tx.commit();
        format!("{store:?}")
    };
    assert_eq!(run(), run());
}

/// What was sent before the clock was set back can be received at once, from queues of both kinds and behind a topic.
#[test]
fn a_clock_that_is_set_back_hides_no_message() {
    let services = services(
        r#"
            queues."Q.fifo" = { FifoQueue = true }
            queues.Q = {}
            [topics.T]
            Subscriptions = [{ Protocol = "sqs", Endpoint = "Q" }]
        "#,
    );
    let mut store = MemoryStore::new();
    let mut tx = store.begin();
    wait(async {
        let late = 90_000_000;
        for (resource, parameters) in [
            ("sqs:sendMessage", r#"{"QueueUrl": "Q", "MessageBody": "a"}"#),
            ("sqs:sendMessage", r#"{"QueueUrl": "Q", "MessageBody": "hidden", "DelaySeconds": 1}"#),
            ("sns:publish", r#"{"TopicArn": "T", "Message": "b"}"#),
            (
                "sqs:sendMessage",
                r#"{"QueueUrl": "Q.fifo", "MessageBody": "c", "MessageGroupId": "1", "MessageDeduplicationId": "1"}"#,
            ),
        ] {
            call(&services, &mut tx, resource, parameters, (late, 1)).await.unwrap();
        }
        for (queue, expected) in [("Q", 2), ("Q.fifo", 1)] {
            let receive = Receive { limit: 10, visibility_timeout_ms: None, now_ms: 5, seed: 2 };
            let received = services.receive_messages(&mut tx, queue, &receive).await.unwrap();
            assert_eq!(received.len(), expected, "{queue}: {received:?}");
        }
    });
}

#[test]
fn a_refused_call_writes_nothing() {
    let services = services(SAGA);
    let mut store = MemoryStore::new();
    let before = format!("{store:?}");
    let mut tx = store.begin();
    for (resource, parameters) in [
        (
            "dynamodb:putItem",
            r#"{"TableName": "Fares", "Item": {"fareId": {"S": "1"}}, "ConditionExpression": "attribute_exists(fareId)"}"#,
        ),
        (
            "dynamodb:updateItem",
            r#"{"TableName": "Fares", "Key": {"fareId": {"S": "1"}}, "UpdateExpression": "SET a = b"}"#,
        ),
        (
            "dynamodb:putItem",
            r#"{"TableName": "Fares", "Item": {"fareId": {"S": "1"}}, "ReturnConsumedCapacity": "total"}"#,
        ),
        (
            "dynamodb:updateItem",
            r#"{"TableName": "Fares", "Key": {"fareId": {"S": "1"}}, "ReturnItemCollectionMetrics": "size"}"#,
        ),
        ("sqs:sendMessage", r#"{"QueueUrl": "Plain", "MessageBody": "x", "DelaySeconds": -1}"#),
        ("sns:publish", r#"{"TopicArn": "Done", "Message": "x", "Subject": ""}"#),
    ] {
        wait(call(&services, &mut tx, resource, parameters, (0, 1))).unwrap_err();
    }
    tx.commit();
    assert_eq!(format!("{store:?}"), before);
}

/// Any attribute value in its canonical form.
fn attribute() -> impl Strategy<Value = Value> {
    let of = |kind: &'static str, value: Value| Value::from_iter([(kind, value)]);
    let leaf = prop_oneof![
        "[a-zé\\\\\"]{0,6}".prop_map(move |s| of("S", s.into())),
        any::<i64>().prop_map(move |n| of("N", n.to_string().into())),
        any::<bool>().prop_map(move |b| of("BOOL", b.into())),
        Just(of("NULL", true.into())),
        prop::collection::btree_set("[a-z]{1,3}", 1..4)
            .prop_map(move |set| of("SS", set.into_iter().map(Value::from).collect())),
        prop::collection::btree_set(-99i64..99, 1..4)
            .prop_map(move |set| of("NS", set.into_iter().map(|n| Value::from(n.to_string())).collect())),
    ];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(move |items| of("L", items.into())),
            prop::collection::btree_map("[a-z#.]{1,3}", inner, 0..4)
                .prop_map(move |map| of("M", map.into_iter().collect())),
        ]
    })
}

/// What a client of a queue does.
#[derive(Clone, Debug)]
enum Act {
    Send(u8),
    Receive(u32),
    Delete,
    Wait(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (0u8..3).prop_map(Act::Send),
        (1u32..4).prop_map(Act::Receive),
        Just(Act::Delete),
        (0i64..12_000).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 0..60)
}

proptest! {
    #[test]
    fn what_is_put_is_got(value in attribute()) {
        let services = services(SAGA);
        let mut store = MemoryStore::new();
        let mut tx = store.begin();
        let item = format!(r#"{{"fareId":{{"S":"1"}},"x":{value}}}"#);
        let put = format!(r#"{{"TableName": "Fares", "Item": {item}}}"#);
        wait(call(&services, &mut tx, "dynamodb:putItem", &put, (0, 1))).unwrap();
        let got = wait(services.get_item(&mut tx, "Fares", "1", None)).unwrap();
        prop_assert_eq!(got, Some(item.parse().unwrap()));
    }

    /// Every message is received again and again until it is deleted, never while it is hidden; a FIFO group keeps its order.
    #[test]
    fn a_queue_loses_nothing_and_keeps_the_order_of_groups(acts in acts(), fifo in any::<bool>()) {
        let name = if fifo { "Q.fifo" } else { "Q" };
        let services = services(&format!(r#"queues."{name}" = {{ VisibilityTimeout = 10, FifoQueue = {fifo} }}"#));
        let mut store = MemoryStore::new();
        let mut tx = store.begin();
        wait(async {
            let (mut now_ms, mut alive, mut in_hand) = (0, BTreeMap::new(), Vec::<(String, String, i64)>::new());
            for (seed, act) in acts.iter().enumerate() {
                let seed = seed as u64;
                match act {
                    Act::Wait(ms) => now_ms += ms,
                    Act::Send(group) => {
                        let extra = format!(r#", "MessageGroupId": "{group}", "MessageDeduplicationId": "{seed}""#);
                        let extra = if fifo { extra } else { String::new() };
                        let body = format!("{group} {seed:03}");
                        let send = format!(r#"{{"QueueUrl": "{name}", "MessageBody": "{body}"{extra}}}"#);
                        call(&services, &mut tx, "sqs:sendMessage", &send, (now_ms, seed)).await.unwrap();
                        alive.insert(body, 0);
                    }
                    Act::Receive(limit) => {
                        let receive = Receive { limit: *limit, visibility_timeout_ms: None, now_ms, seed };
                        let messages = services.receive_messages(&mut tx, name, &receive).await.unwrap();
                        let visible = alive.values().filter(|visible_at| **visible_at <= now_ms).count();
                        if !fifo {
                            assert_eq!(messages.len(), visible.min(*limit as usize), "all that is visible comes");
                        }
                        for message in messages {
                            let hidden_until = alive.get_mut(&message.body).expect("a deleted message does not come");
                            assert!(*hidden_until <= now_ms, "nor a hidden one");
                            let earlier = message.body.split(' ').next().unwrap().to_owned() + " ";
                            *hidden_until = now_ms + 10_000;
                            if fifo {
                                let mut group = alive.range(earlier..message.body.clone());
                                assert!(group.all(|(_, at)| *at == now_ms + 10_000), "what came before is in the same hand");
                            }
                            in_hand.push((message.body, message.receipt.unwrap(), now_ms + 10_000));
                        }
                    }
                    Act::Delete => {
                        let Some((body, receipt, until)) = in_hand.pop() else { continue };
                        let result = services.delete_message(&mut tx, name, &receipt, now_ms).await;
                        let latest = alive.get(&body) == Some(&until);
                        if latest && (!fifo || until > now_ms) {
                            assert_eq!(result, Ok(()));
                            alive.remove(&body);
                        }
                    }
                }
            }
            // In the end everything that was not deleted still comes.
            let mut left = BTreeSet::new();
            loop {
                now_ms += 10_000;
                let receive = Receive { limit: 10, visibility_timeout_ms: None, now_ms, seed: 1000 };
                let messages = services.receive_messages(&mut tx, name, &receive).await.unwrap();
                if messages.is_empty() {
                    break;
                }
                for message in messages {
                    services.delete_message(&mut tx, name, &message.receipt.unwrap(), now_ms).await.unwrap();
                    left.insert(message.body);
                }
            }
            assert!(left.iter().eq(alive.keys()), "{left:?} {alive:?}");
        });
    }
}

#[test]
fn a_call_can_be_spawned() {
    fn sendable<T: Send>(_: &T) {}
    let services = services(SAGA);
    let mut store = MemoryStore::new();
    let mut tx = store.begin();
    let parameters = Value::empty_object();
    let (dialect, service, action) = (Dialect::AwsSdk, "dynamodb", "query");
    let call =
        ServiceCall { dialect, service, action, parameters: &parameters, now_ms: 0, request_id: REQUEST_ID, seed: 1 };
    let future = services.call(&mut tx, &call);
    sendable(&future);
    assert_eq!(wait(future).unwrap().unwrap_err().error, "DynamoDb.DynamoDbException");
    sendable(&services.take_deliveries(&mut tx, 0, 1, 1));
}
