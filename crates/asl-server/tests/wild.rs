//! Whatever comes as a request is answered in AWS's words, and the server goes on: bytes at random, and requests of which a part was
//! put in the place of another, for every operation. The same in every run.

mod common;

use common::{PASS, PREFIX, Place, ROLE, WAIT};
use std::fmt::Write;

/// All operations but the one that waits for a minute when its request is good.
const OPERATIONS: &str = "CreateActivity CreateStateMachine CreateStateMachineAlias DeleteActivity DeleteStateMachine \
    DeleteStateMachineAlias DeleteStateMachineVersion DescribeActivity DescribeExecution DescribeMapRun DescribeStateMachine \
    DescribeStateMachineAlias DescribeStateMachineForExecution GetExecutionHistory ListActivities ListExecutions ListMapRuns \
    ListStateMachineAliases ListStateMachineVersions ListStateMachines ListTagsForResource PublishStateMachineVersion \
    RedriveExecution SendTaskFailure SendTaskHeartbeat SendTaskSuccess StartExecution StartSyncExecution StopExecution \
    TagResource TestState UntagResource UpdateMapRun UpdateStateMachine UpdateStateMachineAlias ValidateStateMachineDefinition";
const MEMBERS: &str = "name definition roleArn type publish versionDescription tags tagKeys resourceArn stateMachineArn \
    stateMachineVersionArn stateMachineAliasArn routingConfiguration activityArn executionArn mapRunArn maxConcurrency \
    toleratedFailureCount toleratedFailurePercentage input output taskToken error cause maxResults nextToken reverseOrder \
    includeExecutionData statusFilter redriveFilter clientToken inspectionLevel mock context stateName stateConfiguration \
    loggingConfiguration encryptionConfiguration tracingConfiguration includedData traceHeader revisionId severity";
const ROUNDS: usize = 40;

/// A generator of numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len())]
    }

    /// A value of JSON: what some member wants, and what none does.
    fn value(&mut self, depth: usize) -> String {
        let quoted = |text: &str| asl::Value::from(text).to_string();
        let machine = format!("{PREFIX}:stateMachine:m");
        let (execution, odd) = (format!("{PREFIX}:execution:m:e"), format!("{machine}:1:2/\u{e9}:\u{0}"));
        match self.below(if depth > 3 { 12 } else { 15 }) {
            0 => quoted(&machine),
            1 => quoted(&execution),
            2 => quoted(&odd),
            3 => quoted(PASS),
            4 => quoted(WAIT),
            5 => quoted(ROLE),
            6 => quoted(self.of(&[
                "",
                "m",
                "{}",
                "[]",
                "null",
                "{",
                "EXPRESS",
                "DEBUG",
                "SUCCEEDED",
                "\u{202e}\u{fffe}",
            ])),
            7 => quoted(&"x".repeat(self.below(5000))),
            8 => self.of(&["0", "-1", "1.5", "1e400", "9223372036854775808", "1000", "-0.0"]).to_owned(),
            9 => self.of(&["true", "false"]).to_owned(),
            10 => "null".to_owned(),
            11 => quoted(&format!("{PREFIX}:mapRun:m/M:9")),
            12 => format!("[{},{}]", self.value(depth + 1), self.value(depth + 1)),
            13 => format!(
                "{{{}:{}}}",
                quoted(self.of(&["key", "result", "weight", "stateMachineVersionArn", ""])),
                self.value(depth + 1)
            ),
            _ => "[]".to_owned(),
        }
    }

    fn request(&mut self) -> Vec<u8> {
        let members: Vec<&str> = MEMBERS.split_whitespace().collect();
        let mut text = "{".to_owned();
        for at in 0..self.below(7) {
            let comma = if at > 0 { "," } else { "" };
            write!(text, "{comma}\"{}\":{}", self.of(&members), self.value(0)).unwrap();
        }
        let mut bytes = (text + "}").into_bytes();
        // Now and then something is lost, doubled, or no text.
        for _ in 0..self.below(8).saturating_sub(5) {
            let at = self.below(bytes.len());
            match self.below(3) {
                0 => drop(bytes.drain(at..)),
                1 => bytes[at] = self.below(256) as u8,
                _ => bytes.extend_from_within(at..),
            }
            if bytes.is_empty() {
                break;
            }
        }
        bytes
    }
}

#[test]
fn whatever_comes_is_answered_in_awss_words() {
    let place = Place::new();
    let (mut client, mut dice, mut refused) = (place.client(), Dice(0x2545_f491_4f6c_dd1d), 0);
    for round in 0..ROUNDS {
        for operation in OPERATIONS.split_whitespace() {
            let body = dice.request();
            let head = format!(
                "POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: AWSStepFunctions.{operation}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            client.send(&[head.as_bytes(), &body].concat());
            let shown = String::from_utf8_lossy(&body).into_owned();
            let reply = client.reply().unwrap_or_else(|| panic!("round {round}: no answer to {operation} {shown}"));
            match reply.status {
                200 => assert!(reply.body.as_object().is_some(), "{operation} {shown}: {}", reply.text),
                400 => {
                    refused += 1;
                    assert!(
                        reply.body["__type"].as_str().is_some_and(|kind| !kind.is_empty()),
                        "{operation} {shown}: {}",
                        reply.text
                    );
                }
                status => panic!("round {round}: {status} for {operation} {shown}: {}", reply.text),
            }
        }
    }
    assert!(refused > 500, "{refused}");
    // It goes on.
    assert!(client.ok("ListActivities", "{}")["activities"].as_array().is_some());
}

/// Services and S3, whose requests have other shapes, are asked the same way.
#[test]
fn so_are_the_services_beside() {
    let place = Place::new();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let targets = "AmazonSQS.SendMessage AmazonSQS.CreateQueue AmazonSQS.ReceiveMessage DynamoDB_20120810.PutItem \
        DynamoDB_20120810.Query DynamoDB_20120810.CreateTable AWSEvents.PutEvents AWSEvents.PutRule";
    for _ in 0..ROUNDS {
        for target in targets.split_whitespace() {
            let (mut client, body) = (place.client(), dice.request());
            let head = format!(
                "POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: {target}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            client.send(&[head.as_bytes(), &body].concat());
            let reply =
                client.reply().unwrap_or_else(|| panic!("no answer to {target} {}", String::from_utf8_lossy(&body)));
            assert!(reply.status < 500, "{target} {}: {}", String::from_utf8_lossy(&body), reply.text);
        }
        let signed = "Authorization: AWS4-HMAC-SHA256 Credential=k/20261201/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\
            X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n";
        let method = dice.of(&["GET", "PUT", "POST", "DELETE"]);
        let path = dice.of(&[
            "/",
            "/b",
            "/b/%ff%00",
            "/b/../..",
            "/b?delete",
            "/b?list-type=2&max-keys=x",
            "/b/k?uploads",
            "//",
        ]);
        let (mut client, body) = (place.client(), dice.request());
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{signed}Content-Length: {}\r\n\r\n", body.len());
        client.send(&[head.as_bytes(), &body].concat());
        let reply = client.reply().unwrap_or_else(|| panic!("no answer to {method} {path}"));
        assert!(reply.status != 500, "{method} {path}: {}", reply.text);
    }
}
