//! The embedded services answer as the tables in `cases/` say, on the memory store.

use asl_store::*;
use asl_task::embedded::*;
use asl_value::Value;
use std::fs;

/// A runtime for one future; nothing here waits.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn cases(name: &str) -> Value {
    let path = format!("{}/tests/cases/{name}.json", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap().parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn services(spec: &Value) -> Result<Services, Vec<SpecError>> {
    let spec: ServicesSpec = serde_json::from_str(&spec.to_string()).unwrap();
    Services::new(&spec, Identity::new("us-east-1", "123456789012"))
}

/// One step of a case: the call, then what it gives.
struct World {
    services: Services,
    store: MemoryStore,
    seed: u64,
}

impl World {
    fn new(spec: &Value) -> World {
        World { services: services(spec).unwrap(), store: MemoryStore::new(), seed: 0 }
    }

    fn call(&mut self, resource: &str, parameters: &Value, now_ms: i64) -> Result<Value, ServiceError> {
        if let Some(operation) = resource.strip_prefix("wire:") {
            return self.call_wire(operation, parameters, now_ms);
        }
        let (dialect, rest) = match resource.strip_prefix("aws-sdk:") {
            Some(rest) => (Dialect::AwsSdk, rest),
            None => (Dialect::Optimized, resource),
        };
        let (service, action) = rest.split_once(':').unwrap();
        self.seed += 1;
        let request_id = "11111111-2222-4333-8444-555555555555";
        let seed = self.seed;
        let call = ServiceCall { dialect, service, action, parameters, now_ms, request_id, seed };
        let mut tx = self.store.begin();
        let result = wait(self.services.call(&mut tx, &call)).unwrap();
        tx.commit();
        result
    }

    /// An error of the wire: the last part of its code, its message, and behind it what else it has.
    fn call_wire(&mut self, operation: &str, parameters: &Value, now_ms: i64) -> Result<Value, ServiceError> {
        let (service, action) = operation.split_once(':').unwrap();
        self.seed += 1;
        let request_id = "11111111-2222-4333-8444-555555555555";
        let (dialect, seed) = (Dialect::Wire, self.seed);
        let call = ServiceCall { dialect, service, action, parameters, now_ms, request_id, seed };
        let mut tx = self.store.begin();
        let result = wait(self.services.call_wire(&mut tx, &call)).unwrap();
        tx.commit();
        result.map(Value::from).map_err(|told| ServiceError {
            error: told.code.rsplit('#').next().unwrap().to_owned(),
            cause: format!("{}{}", told.message, Value::from(told.members)),
        })
    }
}

/// A result without the metadata of the optimized form, which must be there.
fn bare(resource: &str, result: &Value) -> Value {
    let mut map = result.as_object().unwrap().clone();
    if !resource.starts_with("aws-sdk:") && !resource.starts_with("wire:") {
        let http = map.remove("SdkHttpMetadata").expect("SdkHttpMetadata");
        assert_eq!(http["HttpStatusCode"], Value::from(200));
        assert_eq!(http["AllHttpHeaders"]["x-amzn-RequestId"][0], http["HttpHeaders"]["x-amzn-RequestId"]);
        let metadata = map.remove("SdkResponseMetadata").expect("SdkResponseMetadata");
        assert_eq!(metadata["RequestId"], http["HttpHeaders"]["x-amzn-RequestId"]);
    }
    Value::from(map)
}

/// Whether `actual` is what is expected; a string `"*"` stands for any text, `"$name"` is remembered.
fn fits(expected: &Value, actual: &Value, names: &mut Vec<(String, Value)>) -> bool {
    match (expected, actual) {
        (Value::String(any), Value::String(_)) if &**any == "*" => true,
        (Value::String(name), actual) if name.starts_with('$') => {
            match names.iter().find(|(known, _)| *known == **name) {
                Some((_, value)) => value == actual,
                None => {
                    names.push((name.to_string(), actual.clone()));
                    true
                }
            }
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, x)| b.get(key).is_some_and(|y| fits(x, y, names)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(&**b).all(|(x, y)| fits(x, y, names)),
        (a, b) => a == b,
    }
}

/// Puts remembered values in the place of their names.
fn resolve(value: &Value, names: &[(String, Value)]) -> Value {
    match value {
        Value::String(name) => {
            names.iter().find(|(known, _)| *known == **name).map_or_else(|| value.clone(), |(_, value)| value.clone())
        }
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), resolve(value, names))).collect(),
        Value::Array(items) => items.iter().map(|item| resolve(item, names)).collect(),
        other => other.clone(),
    }
}

fn check_error(place: &str, step: &Value, resource: &str, error: &ServiceError) {
    let wanted = step["error"].as_str().unwrap_or_else(|| panic!("{place}: unexpected {error}"));
    assert_eq!(error.error, wanted, "{place}: {}", error.cause);
    let Some(message) = step["message"].as_str() else { return };
    if resource.starts_with("wire:") {
        let members = step.get("members").map_or("{}".to_owned(), Value::to_string);
        assert_eq!(error.cause, format!("{message}{members}"), "{place}");
        return;
    }
    if wanted == "States.Runtime" {
        assert!(
            error.cause.ends_with(&format!("could not be used to start the Task: [{message}]")),
            "{place}: {error}"
        );
        return;
    }
    let separator = if resource.starts_with("aws-sdk:") { ", " } else { "; " };
    let rest = error.cause.strip_prefix(message).unwrap_or_else(|| panic!("{place}: {}", error.cause));
    let id = format!("{separator}Request ID: 11111111-2222-4333-8444-555555555555");
    assert!(rest.starts_with(" (Service: ") && rest.contains(&id), "{place}: {rest}");
}

fn run_steps(name: &str) {
    let file = cases(name);
    for case in file["cases"].as_array().unwrap() {
        let mut world = World::new(&file["spec"]);
        let mut names = Vec::new();
        for (n, step) in case["steps"].as_array().unwrap().iter().enumerate() {
            let place = format!("{name}: {}: step {}", case["name"], n + 1);
            let resource = step["call"].as_str().unwrap();
            let parameters = resolve(&step["params"], &names);
            match world.call(resource, &parameters, step["now"].as_i64().unwrap_or(0)) {
                Ok(result) => {
                    let result = bare(resource, &result);
                    assert!(step.get("error").is_none(), "{place}: no error but {result}");
                    let expected = &step["result"];
                    assert!(expected.is_null() || fits(expected, &result, &mut names), "{place}: {result}");
                }
                Err(error) => check_error(&place, step, resource, &error),
            }
        }
    }
}

#[test]
fn table_calls() {
    run_steps("table");
}

#[test]
fn queue_calls() {
    run_steps("queue");
}

#[test]
fn calls_of_clients_in_the_services_own_protocols() {
    run_steps("wire");
}

#[test]
fn topic_calls() {
    run_steps("topic");
}

/// `{item, update | condition, names, values, after | holds | message}`
#[test]
fn expressions() {
    let spec: Value = r#"{"tables": {"Table": {"HashKey": "pk"}}}"#.parse().unwrap();
    for case in cases("expressions").as_array().unwrap() {
        let mut world = World::new(&spec);
        let place = case.to_string();
        let key = Value::from_iter([("pk", Value::from_iter([("S", "1")]))]);
        let with_key = |item: &Value| {
            let mut item = item.as_object().cloned().unwrap_or_default();
            item.insert("pk", Value::from_iter([("S", "1")]));
            Value::from(item)
        };
        let put = Value::from_iter([("TableName", "Table".into()), ("Item", with_key(&case["item"]))]);
        world.call("dynamodb:putItem", &put, 0).unwrap();
        let mut params = asl_value::Map::from_iter([("TableName", Value::from("Table")), ("Key", key.clone())]);
        let members = [
            ("update", "UpdateExpression"),
            ("condition", "ConditionExpression"),
            ("names", "ExpressionAttributeNames"),
            ("values", "ExpressionAttributeValues"),
        ];
        for (from, to) in members.into_iter().filter(|(from, _)| case.get(from).is_some()) {
            params.insert(to, case[from].clone());
        }
        params.insert("ReturnValues", "ALL_NEW");
        match world.call("dynamodb:updateItem", &Value::from(params), 0) {
            Ok(result) => {
                assert!(case.get("message").is_none() && case["holds"] != Value::from(false), "{place}: no error");
                if let Some(after) = case.get("after") {
                    assert_eq!(result["Attributes"], with_key(after), "{place}");
                }
            }
            Err(error) if case["holds"] == Value::from(false) => {
                assert_eq!(error.error, "DynamoDB.ConditionalCheckFailedException", "{place}: {error}");
            }
            Err(error) => {
                let message = case["message"].as_str().unwrap_or_else(|| panic!("{place}: {error}"));
                assert_eq!(error.error, "DynamoDB.AmazonDynamoDBException", "{place}: {error}");
                assert!(error.cause.starts_with(&format!("{message} (Service")), "{place}: {error}");
            }
        }
    }
}

/// `{policy, scope, attributes | body, passes}` or `{policy, scope, problem}`
#[test]
fn filter_policies() {
    for case in cases("policies").as_array().unwrap() {
        let place = case.to_string();
        let scope = case["scope"].as_str().unwrap_or("MessageAttributes");
        let subscription = Value::from_iter([
            ("Protocol", Value::from("sqs")),
            ("Endpoint", "Queue".into()),
            ("RawMessageDelivery", true.into()),
            ("FilterPolicyScope", scope.into()),
            ("FilterPolicy", case["policy"].clone()),
        ]);
        let topic = Value::from_iter([("Subscriptions", Value::from(vec![subscription]))]);
        let spec = Value::from_iter([
            ("topics", Value::from_iter([("Topic", topic)])),
            ("queues", Value::from_iter([("Queue", Value::empty_object())])),
        ]);
        if let Some(problem) = case["problem"].as_str() {
            let errors = services(&spec).map(drop).unwrap_err();
            assert_eq!(errors.len(), 1, "{place}");
            assert_eq!(errors[0].place, "topics.Topic.Subscriptions[0].FilterPolicy");
            assert!(errors[0].problem.contains(problem), "{place}: {}", errors[0]);
            continue;
        }
        let mut world = World::new(&spec);
        let message = case.get("body").map_or_else(|| Value::from("text"), Clone::clone);
        let mut params = asl_value::Map::from_iter([("TopicArn", Value::from("Topic")), ("Message", message)]);
        if let Some(attributes) = case.get("attributes") {
            params.insert("MessageAttributes", attributes.clone());
        }
        world.call("sns:publish", &Value::from(params), 0).unwrap();
        let mut tx = world.store.begin();
        let state = wait(world.services.queue_state(&mut tx, "Queue", 0)).unwrap();
        assert_eq!(Value::from(state.visible == 1), case["passes"], "{place}");
    }
}

/// `{spec, place, problem}`
#[test]
fn bad_declarations_are_told_with_their_place() {
    for case in cases("declarations").as_array().unwrap() {
        let errors = services(&case["spec"]).map(drop).expect_err(&case.to_string());
        let told: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.place, e.problem)).collect();
        assert_eq!(told, [case["error"].as_str().unwrap()], "{case}");
        assert!(!errors[0].hint.is_empty());
    }
}

#[test]
fn an_unknown_key_of_a_declaration_is_an_error() {
    for text in [
        "tables.T = { HashKey = 'a', Hash = 'b' }",
        "tables.T = {}",
        "tables.T.HashKey = { AttributeName = 'a', Type = 'S' }",
        "tables.T.HashKey = { AttributeName = 'a', AttributeType = 'X' }",
        "queues.Q.VisibilityTimeoutSeconds = 3",
        "queues.Q.VisibilityTimeout = -1",
        "topics.T.Subscriptions = [{ Protocol = 'email', Endpoint = 'x' }]",
        "topics.T.Subscriptions = [{ Protocol = 'sqs', Endpoint = 'x', Filter = {} }]",
        "buckets.B = {}",
    ] {
        assert!(toml::from_str::<ServicesSpec>(text).is_err(), "{text}");
    }
}
