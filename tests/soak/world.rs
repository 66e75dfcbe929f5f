//! The project of a soak: a counted saga, what the random definitions call, hostile definitions and a hostile function.

use crate::common::Place;

/// One counted step of each kind.
const SAGA: &str = r#"{"StartAt": "Reserve", "States": {
  "Reserve": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "ResultPath": null, "Next": "Charge",
    "Parameters": {"TableName": "Orders", "Key": {"id": {"S.$": "$$.Execution.Name"}}, "UpdateExpression": "ADD reserved :one",
                   "ExpressionAttributeValues": {":one": {"N": "1"}}}},
  "Charge": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:World", "ResultPath": null, "Next": "Pause",
    "Parameters": {"key.$": "States.Format('{}/charge', $$.Execution.Name)"}},
  "Pause": {"Type": "Wait", "Seconds": 1, "Next": "Send"},
  "Send": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": true,
    "Parameters": {"QueueUrl": "Outbox", "MessageBody.$": "$$.Execution.Name"}}}}"#;

const PROJECT: &str = r#"
account = "123456789012"

[functions.World]
Runtime = "python"
File = "world.py"
Handler = "counted"
Timeout = 300
InheritEnvironment = false

[functions.F]
Runtime = "python"
File = "world.py"
Handler = "answers"
Timeout = 300
InheritEnvironment = false

[functions.Hostile]
Runtime = "python"
File = "world.py"
Handler = "hostile"
InheritEnvironment = false
Timeout = 5

[tables.Orders]
HashKey = "id"

[tables.Things]
HashKey = "id"

[queues.Outbox]
[queues.q]

[buckets.things]
Path = "things"
"#;

/// `counted` writes a line for each call: what for, under which request id, when. `answers` hands its token to the soak.
const FUNCTIONS: &str = r#"
import os, signal, subprocess, sys, time


def append(file, line):
    log = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, (line + "\n").encode())
    os.close(log)


def counted(event, context):
    append("world.log", f"{event['key']} {context.aws_request_id} {time.monotonic()}")
    time.sleep(0.05)
    return event


class E1(Exception):
    pass


def answers(event, context):
    if isinstance(event, dict) and "token" in event:
        append("tokens.log", event["token"])
        return None
    if int(context.aws_request_id[:2], 16) % 7 == 0:
        raise E1("no")
    return int(context.aws_request_id[:2], 16)


def hostile(event, context):
    how = event["how"]
    if how == "exit":
        os._exit(3)
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "deep":
        deep = None
        for _ in range(512):
            deep = [deep]
        return deep
    if how == "big":
        return "x" * 7_000_000
    if how == "name":
        raise type("A\x1b[2J\nb", (Exception,), {})("\x1b]0;x\x07" + "y" * 100_000)
    if how == "sleep":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)
    if how == "orphan":
        subprocess.Popen(["sleep", "3600"], start_new_session=True)
        return "left a child behind"
    if how == "flood":
        for _ in range(20):
            sys.stderr.write("z" * 100_000 + "\n")
            sys.stdout.write("\x00" * 100_000 + "\n")
    return how
"#;

/// The ways of the hostile function.
const HOWS: [&str; 8] = ["exit", "die", "deep", "big", "name", "sleep", "orphan", "flood"];

/// Definitions that would take memory, time or room without end.
pub(crate) fn hostile(n: u64) -> String {
    let expressions = [
        "($a := [1..40000]; $count($a.$a))",
        "($f := function($n) { $f($n + 1) & 'x' }; $f(0))",
        "$join([1..100000].($string($) & 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'), 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy')",
        "$sum([1..30000]^(>$))",
    ];
    let hows = HOWS.len() as u64;
    match n % (hows + 8) {
        n if n < hows => format!(
            r#"{{"StartAt":"A","States":{{"A":{{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:Hostile",
                "Parameters":{{"how":"{}"}},"TimeoutSeconds":3,"End":true}}}}}}"#,
            HOWS[n as usize]
        ),
        n if n < hows + 4 => {
            let state = format!(r#""QueryLanguage":"JSONata","Output":"{{% {} %}}""#, expressions[(n - hows) as usize]);
            endless("", &state)
        }
        n if n == hows + 4 => {
            endless(r#""Init":{"Type":"Pass","Assign":{"v":0},"Next":"A"},"#, r#""Assign":{"v.$":"States.Array($v)"}"#)
        }
        n if n == hows + 5 => format!(
            r#"{{"StartAt":"A","States":{{"A":{{"Type":"Pass","Parameters":{{"a.$":"States.Format('{}', {})"}},"End":true}}}}}}"#,
            "{}".repeat(900),
            vec!["$"; 900].join(",")
        ),
        n if n == hows + 6 => endless("", r#""Parameters":{"a.$":"States.UUID()"}"#),
        _ => r#"{"StartAt":"A","States":{"A":{"Type":"Map","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","Result":"0123456789","End":true}}},
            "QueryLanguage":"JSONata","Items":"{% [1..20000] %}","End":true}}}"#
            .to_owned(),
    }
}

/// A loop of one state that nothing ends but its time.
fn endless(first: &str, state: &str) -> String {
    let start = if first.is_empty() { "A" } else { "Init" };
    format!(
        r#"{{"StartAt":"{start}","TimeoutSeconds":15,"States":{{{first}"A":{{"Type":"Pass",{state},"Next":"B"}},
            "B":{{"Type":"Choice","Choices":[{{"Variable":"$$.Execution.Name","StringEquals":"","Next":"C"}}],"Default":"A"}},
            "C":{{"Type":"Succeed"}}}}}}"#
    )
}

/// The folder.
pub(crate) fn place() -> Place {
    let mut place = Place::empty();
    // A soak that fails leaves its folder to be looked at.
    place.folder.disable_cleanup(true);
    println!("in {}", place.folder.path().display());
    for (file, text) in [("saga.asl.json", SAGA), ("world.py", FUNCTIONS), ("asl.toml", PROJECT)] {
        place.write(file, text);
    }
    place.write("things/items.json", "[1, 2, 3]");
    place
}
