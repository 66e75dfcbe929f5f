//! What a Task's `Resource` names (spec: Task, resource grammar).

use std::fmt;
use std::sync::Arc;

/// A parsed `Resource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The text as written.
    pub arn: Arc<str>,
    /// What it names.
    pub kind: ResourceKind,
}

/// What a resource names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`: the function's ARN itself.
    Lambda {
        /// The function's name, without the qualifier.
        function: Arc<str>,
    },
    /// `arn:aws:states:REGION:ACCOUNT:activity:NAME`
    Activity {
        /// The activity's name.
        name: Arc<str>,
    },
    /// `arn:aws:states:::SERVICE:ACTION[.PATTERN]` or `arn:aws:states:::aws-sdk:SERVICE:ACTION[.PATTERN]`; with a region and
    /// an account it is the same (AWS).
    Service {
        /// The service, in lower case: `dynamodb`.
        service: Arc<str>,
        /// The action: `putItem`.
        action: Arc<str>,
        /// True for `aws-sdk:` resources.
        sdk: bool,
        /// When the task is done.
        pattern: Pattern,
    },
}

/// When a service task is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// When the call has answered.
    RequestResponse,
    /// `.sync`: when the job it started is done.
    Sync,
    /// `.sync:2`: the same, with a JSON result.
    Sync2,
    /// `.waitForTaskToken`: when somebody sends the token back.
    WaitForTaskToken,
}

impl Pattern {
    /// The suffix of the resource: empty, `.sync`, `.sync:2` or `.waitForTaskToken`.
    pub fn suffix(self) -> &'static str {
        match self {
            Pattern::RequestResponse => "",
            Pattern::Sync => ".sync",
            Pattern::Sync2 => ".sync:2",
            Pattern::WaitForTaskToken => ".waitForTaskToken",
        }
    }
}

/// A `Resource` that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceError {
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ResourceError {}

impl Resource {
    /// Reads a resource ARN.
    ///
    /// # Errors
    /// When it is not an ARN of a function, an activity or a service integration.
    pub fn parse(arn: &str) -> Result<Resource, ResourceError> {
        let bad = |message: &str| ResourceError { message: format!("{message}: {arn}") };
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [head, partition, service, region, account, rest] = parts[..] else {
            return Err(bad("a Resource is an ARN with six parts separated by colons"));
        };
        if head != "arn" || !partition.starts_with("aws") {
            return Err(bad("a Resource begins with arn:aws"));
        }
        let named = |kind: &str| rest.strip_prefix(kind).and_then(|r| r.strip_prefix(':')).filter(|r| !r.is_empty());
        let kind = match (service, region.is_empty() && account.is_empty()) {
            ("lambda", false) => {
                let name = named("function").ok_or_else(|| bad("a function's ARN ends in function:NAME"))?;
                ResourceKind::Lambda { function: name.split(':').next().unwrap_or(name).into() }
            }
            ("states", false) if rest == "activity" || rest.starts_with("activity:") => {
                let name = named("activity").ok_or_else(|| bad("an activity's ARN ends in activity:NAME"))?;
                ResourceKind::Activity { name: name.into() }
            }
            ("states", false) if OTHER_THINGS.iter().any(|thing| rest.starts_with(thing)) => {
                return Err(bad(
                    "a Resource names a function, an activity or an integration: a state machine is started by \
                     arn:aws:states:::states:startExecution",
                ));
            }
            ("states", _) => integration(rest).ok_or_else(|| bad("a service integration is SERVICE:ACTION"))?,
            _ => return Err(bad("a Resource names a Lambda function, an activity or a service integration")),
        };
        Ok(Resource { arn: arn.into(), kind })
    }

    /// `resourceType` of the task events: the service (`dynamodb`, `aws-sdk:dynamodb`), empty for functions and activities.
    pub fn resource_type(&self) -> String {
        match &self.kind {
            ResourceKind::Service { service, sdk: true, .. } => format!("aws-sdk:{service}"),
            ResourceKind::Service { service, .. } => service.to_string(),
            _ => String::new(),
        }
    }

    /// `resource` of the task events: the action with its pattern (`putItem`, `startExecution.sync:2`), or the ARN.
    pub fn resource(&self) -> String {
        match &self.kind {
            ResourceKind::Service { action, pattern, .. } => format!("{action}{}", pattern.suffix()),
            _ => self.arn.to_string(),
        }
    }

    /// When a task of this resource is done.
    pub fn pattern(&self) -> Pattern {
        match &self.kind {
            ResourceKind::Service { pattern, .. } => *pattern,
            _ => Pattern::RequestResponse,
        }
    }
}

/// What else of Step Functions has an ARN.
const OTHER_THINGS: [&str; 4] = ["stateMachine:", "execution:", "express:", "mapRun:"];

fn integration(rest: &str) -> Option<ResourceKind> {
    let (sdk, rest) = match rest.strip_prefix("aws-sdk:") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (service, call) = rest.split_once(':')?;
    let patterns = [Pattern::Sync2, Pattern::Sync, Pattern::WaitForTaskToken];
    let (action, pattern) = patterns
        .into_iter()
        .find_map(|p| call.strip_suffix(p.suffix()).map(|action| (action, p)))
        .unwrap_or((call, Pattern::RequestResponse));
    let word =
        |s: &str, extra: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
    if !word(service, "-") || !word(action, "") {
        return None;
    }
    Some(ResourceKind::Service { service: service.into(), action: action.into(), sdk, pattern })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_taken_apart() {
        for (arn, resource_type, resource) in [
            ("arn:aws:states:::dynamodb:putItem", "dynamodb", "putItem"),
            ("arn:aws:states:::states:startExecution.sync:2", "states", "startExecution.sync:2"),
            ("arn:aws:states:::sqs:sendMessage.waitForTaskToken", "sqs", "sendMessage.waitForTaskToken"),
            ("arn:aws-cn:states:::aws-sdk:s3:getObject", "aws-sdk:s3", "getObject"),
            ("arn:aws:states:us-east-1:123456789012:aws-sdk:s3:getObject", "aws-sdk:s3", "getObject"),
            ("arn:aws-us-gov:states:us-gov-west-1::states:startExecution.sync", "states", "startExecution.sync"),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:f:prod",
                "",
                "arn:aws:lambda:us-east-1:123456789012:function:f:prod",
            ),
            (
                "arn:aws:states:us-east-1:123456789012:activity:a",
                "",
                "arn:aws:states:us-east-1:123456789012:activity:a",
            ),
        ] {
            let parsed = Resource::parse(arn).unwrap();
            assert_eq!((&*parsed.resource_type(), &*parsed.resource()), (resource_type, resource), "{arn}");
        }
        for arn in [
            "",
            "x",
            "arn:aws:s3:::bucket",
            "arn:aws:states:::dynamodb",
            "arn:aws:states:::dynamodb:put item",
            "arn:aws:states:us-east-1:1:stateMachine:m",
            "arn:aws:states:us-east-1:1:activity:",
        ] {
            assert!(Resource::parse(arn).is_err(), "{arn}");
        }
    }
}
