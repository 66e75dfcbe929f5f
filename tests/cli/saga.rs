//! The fare saga, end to end: each input ends as the issue of the saga says, and replays without a difference.

mod common;

use common::Place;
use serde_json::{Value, json};

struct Case {
    input: &'static str,
    status: &'static str,
    code: i32,
    fare_status: &'static str,
    /// What stderr says, in this order.
    says: &'static [&'static str],
    queue: Option<&'static str>,
}

const CASES: &[Case] = &[
    Case {
        input: "happy",
        status: "SUCCEEDED",
        code: 0,
        fare_status: "completed",
        says: &[
            "RegisterFare",
            "ChargeFare",
            "charged $20.00",
            "CreditCustomerAccount",
            "NotifySuccess",
            "succeeded in",
        ],
        queue: Some("SuccessfulTransactions"),
    },
    Case {
        input: "fail_auth",
        status: "FAILED",
        code: 1,
        fare_status: "failed",
        says: &[
            "failed    PaymentAuthException: ",
            "caught    PaymentAuthException by rule 1, on to SetFareStatusFailed",
            "error: the execution failed: FareProcessingFailed",
        ],
        queue: Some("FailedTransactions"),
    },
    Case {
        input: "fail_charge",
        status: "FAILED",
        code: 1,
        fare_status: "failed",
        says: &["failed    PaymentChargeException: ", "caught    PaymentChargeException", "SetFareStatusFailed"],
        queue: Some("FailedTransactions"),
    },
    Case {
        input: "fail_credit",
        status: "FAILED",
        code: 1,
        fare_status: "failed",
        says: &["caught    AccountCreditException by rule 1, on to RefundFare", "refunded ch_", "SetFareStatusFailed"],
        queue: Some("FailedTransactions"),
    },
    Case {
        input: "fail_refund",
        status: "FAILED",
        code: 1,
        fare_status: "registered",
        says: &["caught    AccountCreditException", "RefundFare", "error: the execution failed: RefundException"],
        queue: None,
    },
];

#[test]
fn every_input_ends_as_described() {
    for case in CASES {
        let place = Place::new();
        let input = format!("fixtures/fare/{}.json", case.input);
        let ran = place.asl(&["run", "definitions/fare.asl.json", "--input", &input]);
        ran.ends(case.code);
        let mut rest = ran.stderr.as_str();
        for part in case.says {
            let at = rest.find(part).unwrap_or_else(|| panic!("{}: {part} in\n{}", case.input, ran.stderr));
            rest = &rest[at..];
        }
        match case.code {
            0 => assert_eq!(ran.json()["customerId"], "3"),
            _ => assert_eq!(ran.stdout, ""),
        }
        check_records(&place, case);
    }
}

/// What a user would want to see afterwards. No command names a project: it is the one directly below.
fn check_records(place: &Place, case: &Case) {
    let listed = place.asl(&["list", "--json"]).json();
    assert_eq!(listed["executions"].as_array().unwrap().len(), 1, "{}", case.input);
    assert_eq!(listed["executions"][0]["status"], case.status);

    let given: Value =
        serde_json::from_slice(&std::fs::read(place.path(&format!("fixtures/fare/{}.json", case.input))).unwrap())
            .unwrap();
    let fare_id = given["fareId"].as_str().unwrap();
    let item = place.asl(&["table", "get", "FaresTable", fare_id, "--json"]).json();
    let wanted = json!({"fareId": {"S": fare_id}, "customerId": {"S": given["customerId"]},
                        "fareAmount": {"S": "$20.00"}, "fareStatus": {"S": case.fare_status}});
    assert_eq!(item["Item"], wanted);
    let scanned = place.asl(&["table", "scan", "FaresTable", "--json"]);
    for secret in ["cc", "expiryDate", "cvv"] {
        let value = given[secret].as_str().unwrap();
        assert!(
            !scanned.stdout.contains(&format!("\"{secret}\"")) && !scanned.stdout.contains(value),
            "{secret} is in the table"
        );
    }

    for queue in ["SuccessfulTransactions", "FailedTransactions"] {
        let messages = place.asl(&["queue", "receive", queue, "--json"]).json();
        let expected = usize::from(case.queue == Some(queue));
        assert_eq!(messages["Messages"].as_array().unwrap().len(), expected, "{}: {queue}", case.input);
    }
    let history = place.asl(&["history", "--json"]).json();
    let events = history["events"].as_array().unwrap();
    assert_eq!(events[0]["type"], "ExecutionStarted");
    assert_eq!(
        events.last().unwrap()["type"],
        format!("Execution{}{}", &case.status[..1], case.status[1..].to_lowercase())
    );
    place.asl(&["replay"]).ends(0);
    assert!(place.asl(&["replay", "--all"]).stdout.contains("no difference"));
}

#[test]
fn the_success_message_is_what_the_next_system_expects() {
    let place = Place::new();
    place.asl(&["run", "definitions/fare.asl.json", "--input", "fixtures/fare/happy.json", "--quiet"]).ends(0);
    let peeked = place.asl(&["queue", "peek", "SuccessfulTransactions", "--json"]).json();
    let received = place.asl(&["queue", "receive", "SuccessfulTransactions", "--json"]).json();
    assert_eq!(peeked["Messages"][0]["MessageId"], received["Messages"][0]["MessageId"]);
    // Received: it is hidden for the visibility timeout now, though it can be looked at.
    let again = place.asl(&["queue", "receive", "SuccessfulTransactions", "--json"]).json();
    assert_eq!(again, json!({"Messages": []}));
    let peeked = place.asl(&["queue", "peek", "SuccessfulTransactions", "--json"]).json();
    assert_eq!(peeked["Messages"].as_array().unwrap().len(), 1);

    let body: Value = serde_json::from_str(received["Messages"][0]["Body"].as_str().unwrap()).unwrap();
    let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["chargeId", "chargeToken", "customerId", "dynamodbResult", "fareAmount", "fareId"]);
    let id = |key: &str, prefix: &str| {
        let rest = body[key].as_str().unwrap().strip_prefix(prefix).unwrap().to_owned();
        assert!(rest.len() == 25 && rest.chars().all(|c| c.is_ascii_alphanumeric()), "{rest}");
    };
    id("chargeToken", "tok_");
    id("chargeId", "ch_");
    let result = body["dynamodbResult"].as_object().unwrap();
    assert_eq!(result.len(), 2);
    assert_eq!(result["SdkHttpMetadata"]["HttpStatusCode"], 200);
    assert!(result["SdkResponseMetadata"]["RequestId"].is_string());
}

#[test]
fn functions_need_their_fields() {
    let place = Place::new();
    let input = r#"{"customerId": "c", "fareId": "f", "fareAmount": 1}"#;
    let definition = r#"{"StartAt": "Call", "States": {"Call": {"Type": "Task", "End": true,
        "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload",
        "Parameters": {"FunctionName": "FUNCTION", "Payload.$": "$"}}}}"#;
    let cases = [
        ("PaymentCharge", r#"{"customerId": "c", "fareId": "f"}"#, Err("the event has no fareAmount")),
        ("PaymentCharge", input, Ok("chargeToken")),
        ("AccountCredit", r#"{"customerId": "c"}"#, Err("the event has no chargeId")),
        ("AccountCredit", r#"{"customerId": "c", "chargeId": "ch_1"}"#, Ok("chargeId")),
        ("PaymentRefund", r#"{"chargeId": "ch_1"}"#, Err("the event has no fareId")),
        ("PaymentRefund", r#"{"fareId": "f", "chargeId": "ch_1"}"#, Ok("refundId")),
    ];
    for (function, input, expected) in cases {
        place.write("definitions/call.asl.json", &definition.replace("FUNCTION", function));
        let ran = place.asl_with_stdin(&["run", "definitions/call.asl.json", "--input", "-", "-q"], input);
        match expected {
            Ok(key) => assert!(ran.ends(0).json()[key].is_string(), "{function} {input}"),
            Err(cause) => {
                ran.ends(1).says("error: the execution failed: ValueError").says(cause);
            }
        }
    }
}
