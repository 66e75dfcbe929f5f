//! Task states: every kind of resource, with timeouts, heartbeats, retriers and catchers.

use super::{Flow, Writer};
use crate::Dice;
use std::fmt::Write;

/// A resource, its parameters in JSONPath and in JSONata, and whether it waits for more than its call.
struct Kind {
    resource: &'static str,
    paths: &'static str,
    jsonata: &'static str,
    long: bool,
}

const LAMBDA: &str = "arn:aws:lambda:us-east-1:123456789012:function:F";
const KINDS: [Kind; 8] = [
    Kind { resource: LAMBDA, paths: "", jsonata: "", long: false },
    Kind {
        resource: "arn:aws:states:::dynamodb:updateItem",
        paths: r#""Parameters":{"TableName":"T","Key":{"id":{"S.$":"$$.Execution.Name"}}},"#,
        jsonata: r#""Arguments":{"TableName":"T","Key":{"id":{"S":"{% $states.context.Execution.Name %}"}}},"#,
        long: false,
    },
    Kind {
        resource: "arn:aws:states:::sqs:sendMessage",
        paths: r#""Parameters":{"QueueUrl":"q","MessageBody.$":"States.Format('{}', $.n)"},"#,
        jsonata: r#""Arguments":{"QueueUrl":"q","MessageBody":"{% $uuid() %}"},"#,
        long: false,
    },
    Kind {
        resource: "arn:aws:states:::lambda:invoke",
        paths: r#""Parameters":{"FunctionName":"F","Payload.$":"$"},"#,
        jsonata: r#""Arguments":{"FunctionName":"F","Payload":"{% $states.input %}"},"#,
        long: false,
    },
    Kind {
        resource: "arn:aws:states:::lambda:invoke.waitForTaskToken",
        paths: r#""Parameters":{"FunctionName":"F","Payload":{"token.$":"$$.Task.Token"}},"#,
        jsonata: r#""Arguments":{"FunctionName":"F","Payload":{"token":"{% $states.context.Task.Token %}"}},"#,
        long: true,
    },
    Kind {
        resource: "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        paths: r#""Parameters":{"QueueUrl":"q","MessageBody":{"token.$":"$$.Task.Token"}},"#,
        jsonata: r#""Arguments":{"QueueUrl":"q","MessageBody":"{% $states.context.Task.Token %}"},"#,
        long: true,
    },
    Kind {
        resource: "arn:aws:states:::glue:startJobRun.sync",
        paths: r#""Parameters":{"JobName":"j"},"#,
        jsonata: r#""Arguments":{"JobName":"j"},"#,
        long: true,
    },
    Kind {
        resource: "arn:aws:states:us-east-1:123456789012:activity:A",
        paths: "",
        jsonata: r#""Arguments":{"n":"{% $states.input.n %}"},"#,
        long: true,
    },
];

/// `Retry` and `Catch`.
pub(super) struct Rules {
    retry: String,
    catch: bool,
}

impl Rules {
    pub(super) fn roll(dice: &mut Dice) -> Rules {
        let mut retry = String::new();
        if dice.percent(50) {
            let (interval, attempts) = (1 + dice.below(3), dice.below(4));
            let more = dice.pick(&["", r#","BackoffRate":1.5,"MaxDelaySeconds":4"#, r#","JitterStrategy":"FULL""#]);
            // Writing into a String cannot fail.
            let _ = write!(
                retry,
                r#""Retry":[{{"ErrorEquals":["E1"],"IntervalSeconds":{interval},"MaxAttempts":{attempts}{more}}},{{"ErrorEquals":["States.ALL"],"MaxAttempts":1,"JitterStrategy":"FULL"}}],"#
            );
        }
        Rules { retry, catch: dice.percent(50) }
    }

    pub(super) fn paths(self, to: &str) -> String {
        let catch = if self.catch {
            format!(r#""Catch":[{{"ErrorEquals":["States.ALL"],"ResultPath":"$.e","Next":"{to}"}}],"#)
        } else {
            String::new()
        };
        self.retry + &catch
    }

    fn jsonata(self, to: &str) -> String {
        let catch = if self.catch {
            format!(
                r#""Catch":[{{"ErrorEquals":["E1"],"Next":"{to}"}},{{"ErrorEquals":["States.ALL"],"Output":"{{% $states.errorOutput %}}","Next":"{to}"}}],"#
            )
        } else {
            String::new()
        };
        self.retry + &catch
    }
}

impl Writer<'_> {
    pub(super) fn task(&mut self, flow: &mut Flow, next: &str) -> String {
        let (name, variable) = (self.name(), self.number());
        let kind = self.dice.pick(&KINDS);
        let (rules, timeout) = (Rules::roll(self.dice), self.dice.below(7));
        let mut limits = String::new();
        if timeout > 0 {
            let _ = write!(limits, r#""TimeoutSeconds":{},"#, 2 + timeout);
        }
        if kind.long && self.dice.percent(50) {
            let _ = write!(limits, r#""HeartbeatSeconds":{},"#, 1 + self.dice.below(2));
        }
        let body = if self.dice.percent(33) {
            format!(
                r#""QueryLanguage":"JSONata",{}"Output":"{{% $merge([$states.input, {{'t': $states.result}}]) %}}","Assign":{{"v{variable}":"{{% $states.result %}}"}},{}"#,
                kind.jsonata,
                rules.jsonata(&flow.last)
            )
        } else {
            format!(r#"{}"ResultPath":"$.t",{}"#, kind.paths, rules.paths(&flow.last))
        };
        let resource = kind.resource;
        flow.add(&name, &format!(r#""Type":"Task","Resource":"{resource}",{limits}{body}"Next":"{next}""#));
        name
    }
}
