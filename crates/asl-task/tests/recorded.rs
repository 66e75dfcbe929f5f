//! The embedded services answer as the real ones did, in every recorded task of the conformance data (kept beside the
//! repository; without it there is nothing to compare).

use asl_store::*;
use asl_task::embedded::*;
use asl_value::Value;
use std::path::Path;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Names that a placeholder of the recordings made illegal.
fn legal(text: &str) -> String {
    text.replace("<test-table>", "test-table").replace("<resource:1>", "topic").replace("<sqs_queue_url>", "queue")
}

/// Whether an answer is the recorded one, where placeholders stand for anything. Headers that differ from call to call
/// (`date`, ids) were replaced by their own names.
fn fits(recorded: &Value, actual: &Value) -> bool {
    let placeholder =
        |text: &str| text.contains('<') || ["date", "RequestId", "x-amzn-RequestId", "x-amz-crc32"].contains(&text);
    match (recorded, actual) {
        (Value::String(text), _) if placeholder(text) => true,
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, x)| b.get(key).is_some_and(|y| fits(x, y)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(&**b).all(|(x, y)| fits(x, y)),
        (a, b) => a == b,
    }
}

/// Runs the recorded tasks of one case; returns how many there were.
fn replay(case: &Value) -> usize {
    let tasks = case["task_results"].as_array().unwrap_or_default();
    let mut spec = ServicesSpec::default();
    let hash_key = KeyAttribute { name: "id".into(), kind: KeyType::S };
    let failed_on_absence = |task: &Value| {
        let cause = task["outcome"]["cause"].as_str().unwrap_or_default();
        cause.starts_with("Requested resource not found") || cause.starts_with("Topic does not exist")
    };
    if !tasks.iter().any(failed_on_absence) {
        for name in ["test-table", "table-name"] {
            spec.tables.insert(name.into(), TableSpec::new(hash_key.clone(), None));
        }
        for name in ["topic", "topic-arn"] {
            spec.topics.insert(name.into(), TopicSpec::default());
        }
        for name in ["queue", "sqs_queue_url", "sqs-queue-url"] {
            spec.queues.insert(name.into(), QueueSpec::default());
        }
    }
    let services = Services::new(&spec, Identity::new("us-east-1", "111111111111")).unwrap();
    let mut store = MemoryStore::new();
    let mut tx = store.begin();
    let mut compared = 0;
    for task in tasks {
        let resource = task["resource"].as_str().unwrap_or_default().trim_end_matches(".waitForTaskToken");
        let (dialect, rest) = match resource.strip_prefix("aws-sdk:") {
            Some(rest) => (Dialect::AwsSdk, rest),
            None => (Dialect::Optimized, resource),
        };
        let Some((service, action)) = rest.split_once(':') else { continue };
        if !Services::supports(dialect, service, action) {
            continue;
        }
        let parameters: Value = legal(&task["parameters"].to_string()).parse().unwrap();
        // The instant of the one recording that kept its date.
        let (request_id, now_ms, seed) = ("00000000-0000-4000-8000-000000000000", 1_713_421_621_000, compared as u64);
        let call = ServiceCall { dialect, service, action, parameters: &parameters, now_ms, request_id, seed };
        let place = format!("{} {resource} {parameters}", case["id"]);
        // A task that waits for a token shows the service's answer when it is submitted.
        let submitted = task.get("submitted").or_else(|| task["outcome"].get("output"));
        // Older recordings show SQS's XML protocol, which Step Functions has left since.
        let content_type = submitted.map(|answer| &answer["SdkHttpMetadata"]["HttpHeaders"]["Content-Type"]);
        if service == "sqs" && content_type == Some(&Value::from("text/xml")) {
            continue;
        }
        match (wait(services.call(&mut tx, &call)).unwrap(), submitted) {
            // The recordings of events leave out what the transport said.
            (Ok(result), Some(recorded)) if service == "events" => {
                let told = ["Entries", "FailedEntryCount"].map(|name| (name, result[name].clone()));
                assert!(fits(recorded, &Value::from_iter(told)), "{place}\n{recorded}\n{result}");
            }
            (Ok(result), Some(recorded)) => assert!(fits(recorded, &result), "{place}\n{recorded}\n{result}"),
            (Err(error), None) => {
                assert_eq!(Some(&*error.error), task["outcome"]["error"].as_str(), "{place}");
                let cause = error.cause.replace(request_id, "<request_id>");
                // The recordings of events leave out the cause, which is the whole answer.
                let recorded = task["outcome"]["cause"].as_str().or((service == "events").then_some(&*cause));
                assert_eq!(Some(&*cause), recorded, "{place}");
            }
            (other, _) => panic!("{place}: {other:?}"),
        }
        compared += 1;
    }
    compared
}

#[test]
fn recorded_tasks_have_the_same_answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/cases");
    let Ok(files) = std::fs::read_dir(&folder) else { return };
    let mut compared = 0;
    for file in files.map(|file| file.unwrap().path()) {
        for line in std::fs::read_to_string(&file).unwrap_or_default().lines() {
            let case: Value = line.parse().unwrap();
            // What the suite itself marks as weak is not an answer of AWS to rely on.
            if case["source"]["trust"].as_str() == Some("strong") {
                compared += replay(&case);
            }
        }
    }
    assert!(compared > 20, "only {compared} recorded tasks");
}
