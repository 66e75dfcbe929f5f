//! Requests are, byte for byte, those that botocore makes, and answers are read as botocore reads them
//! (`tools/aws_golden.py` has recorded both). The order of headers does not count.

mod common;

use asl_aws::protocol::Response;
use asl_aws::system::HttpRequest;
use asl_aws::{CallError, Client, Settings, blob, model};
use asl_value::Value;
use common::{World, world};
use std::sync::Arc;

fn bytes(value: &Value) -> Vec<u8> {
    match value["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => blob::from_base64(value["base64"].as_str().unwrap()).unwrap(),
    }
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    let pair = |p: &Value| (p[0].as_str().unwrap().to_owned(), p[1].as_str().unwrap().to_owned());
    value.as_array().unwrap().iter().map(pair).collect()
}

async fn run(case: &Value) -> Result<(), String> {
    let golden = &case["response"];
    let response = Response {
        status: golden["status"].as_i64().unwrap() as u16,
        headers: pairs(&golden["headers"]),
        body: bytes(&golden["body"]),
    };
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        ("AWS_SESSION_TOKEN", "a/session+token=="),
        ("AWS_REGION", case["region"].as_str().unwrap()),
    ];
    let world = Arc::new(world(&keys).answers(Ok(response)));
    let settings = Settings { max_attempts: 1, ..Settings::default() };
    let client = Client::new(world.clone() as Arc<World>, settings);
    let service = model::resource_of(case["service"].as_str().unwrap()).and_then(model::service).unwrap();
    let operation = service.operation(case["operation"].as_str().unwrap()).unwrap();
    let called = client.call(&service, operation, &case["parameters"], "no-token", None).await;

    let sent = world.sent();
    let Some(request) = sent.first() else { return Err(format!("nothing was sent: {called:?}")) };
    compare_request(request, &case["request"])?;
    match (called, case.get("error")) {
        (Ok(answer), None) if answer.result == case["result"] => Ok(()),
        (Ok(answer), None) => Err(format!("result\n  ours   {}\n  theirs {}", answer.result, case["result"])),
        (Err(CallError::Fault(fault)), Some(error)) => {
            // botocore says the code of the time before, ours is the model's.
            let code = service.error(&fault.code).map_or(&*fault.code, |e| &*e.code);
            let theirs = (error["code"].as_str().unwrap(), error["message"].as_str().unwrap());
            let same = code == theirs.0 || *fault.code == *theirs.0 || theirs.0.starts_with("AWS.");
            if same && fault.message == theirs.1 { Ok(()) } else { Err(format!("{fault:?} is not {error}")) }
        }
        (called, _) => Err(format!("{called:?} is not {case}")),
    }
}

fn compare_request(ours: &HttpRequest, golden: &Value) -> Result<(), String> {
    let theirs = (golden["method"].as_str().unwrap(), golden["url"].as_str().unwrap());
    if (ours.method, ours.url().as_str()) != theirs {
        return Err(format!("address\n  ours   {} {}\n  theirs {} {}", ours.method, ours.url(), theirs.0, theirs.1));
    }
    let body = bytes(&golden["body"]);
    if ours.body != body {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        return Err(format!("body\n  ours   {}\n  theirs {}", text(&ours.body), text(&body)));
    }
    let headers = ours.headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), v.clone()));
    let mut headers: Vec<_> = headers.filter(|(n, _)| n != "user-agent").collect();
    headers.sort();
    let theirs = pairs(&golden["headers"]);
    if headers != theirs {
        return Err(format!("headers\n  ours   {headers:?}\n  theirs {theirs:?}"));
    }
    Ok(())
}

#[tokio::test]
async fn requests_and_results_are_those_of_botocore() {
    let text = include_str!("golden.jsonl");
    let mut wrong = vec![];
    for line in text.lines() {
        let case: Value = line.parse().unwrap();
        if let Err(why) = run(&case).await {
            wrong.push(format!("{}:{}: {why}", case["service"], case["operation"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), text.lines().count(), wrong.join("\n"));
    assert!(text.lines().count() >= 70);
}
