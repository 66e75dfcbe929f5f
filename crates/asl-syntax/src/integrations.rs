//! The optimized integrations of Step Functions: services, actions, patterns, parameters (AWS developer guide:
//! "Integrating optimized services").

use crate::action::nearest_action;
use crate::resource::Pattern;
use asl_expr::nearest;

/// One service: its actions, and those of them that also run in another pattern than request-response.
struct Service {
    name: &'static str,
    actions: &'static [&'static str],
    sync: &'static [&'static str],
    wait: &'static [&'static str],
}

const fn service(
    name: &'static str,
    actions: &'static [&'static str],
    sync: &'static [&'static str],
    wait: &'static [&'static str],
) -> Service {
    Service { name, actions, sync, wait }
}

const SERVICES: &[Service] = &[
    service("apigateway", &["invoke"], &[], &["invoke"]),
    service(
        "athena",
        &["getQueryExecution", "getQueryResults", "startQueryExecution", "stopQueryExecution"],
        &["startQueryExecution"],
        &[],
    ),
    service("batch", &["submitJob"], &["submitJob"], &[]),
    service(
        "bedrock",
        &["createModelCustomizationJob", "invokeModel"],
        &["createModelCustomizationJob"],
        &["createModelCustomizationJob", "invokeModel"],
    ),
    service(
        "codebuild",
        &[
            "batchDeleteBuilds",
            "batchGetReports",
            "deleteBuildBatch",
            "retryBuildBatch",
            "startBuild",
            "startBuildBatch",
            "stopBuild",
            "stopBuildBatch",
        ],
        &["retryBuildBatch", "startBuild", "startBuildBatch"],
        &[],
    ),
    service("databrew", &["startJobRun"], &["startJobRun"], &[]),
    service("dynamodb", &["deleteItem", "getItem", "putItem", "updateItem"], &[], &[]),
    service("ecs", &["runTask"], &["runTask"], &["runTask"]),
    service(
        "eks",
        &[
            "call",
            "createCluster",
            "createFargateProfile",
            "createNodegroup",
            "deleteCluster",
            "deleteFargateProfile",
            "deleteNodegroup",
            "runJob",
        ],
        &[
            "createCluster",
            "createFargateProfile",
            "createNodegroup",
            "deleteCluster",
            "deleteFargateProfile",
            "deleteNodegroup",
            "runJob",
        ],
        &["call", "runJob"],
    ),
    service(
        "elasticmapreduce",
        &[
            "addStep",
            "cancelStep",
            "createCluster",
            "modifyInstanceFleetByName",
            "modifyInstanceGroupByName",
            "setClusterTerminationProtection",
            "terminateCluster",
        ],
        &["addStep", "createCluster", "terminateCluster"],
        &[],
    ),
    service(
        "emr-containers",
        &["createVirtualCluster", "deleteVirtualCluster", "startJobRun"],
        &["deleteVirtualCluster", "startJobRun"],
        &[],
    ),
    service(
        "emr-serverless",
        &[
            "cancelJobRun",
            "createApplication",
            "deleteApplication",
            "startApplication",
            "startJobRun",
            "stopApplication",
        ],
        &[
            "cancelJobRun",
            "createApplication",
            "deleteApplication",
            "startApplication",
            "startJobRun",
            "stopApplication",
        ],
        &[],
    ),
    service("events", &["putEvents"], &[], &["putEvents"]),
    service("glue", &["startJobRun"], &["startJobRun"], &[]),
    service("http", &["invoke"], &[], &[]),
    service("lambda", &["invoke"], &[], &["invoke"]),
    service("mediaconvert", &["createJob"], &["createJob"], &[]),
    service(
        "sagemaker",
        &[
            "createEndpoint",
            "createEndpointConfig",
            "createHyperParameterTuningJob",
            "createLabelingJob",
            "createModel",
            "createProcessingJob",
            "createTrainingJob",
            "createTransformJob",
            "updateEndpoint",
        ],
        &[
            "createHyperParameterTuningJob",
            "createLabelingJob",
            "createProcessingJob",
            "createTrainingJob",
            "createTransformJob",
        ],
        &[],
    ),
    service("sns", &["publish"], &[], &["publish"]),
    service("sqs", &["sendMessage"], &[], &["sendMessage"]),
    service("states", &["startExecution"], &["startExecution"], &["startExecution"]),
];

/// The services of `aws-sdk:` resources, one a line, in lower case.
const SDK_SERVICES: &str = include_str!("sdk_services.txt");

/// Tells why an integration does not exist, with what was meant where that can be guessed; `None` when it does.
pub(crate) fn problem(service: &str, action: &str, sdk: bool, pattern: Pattern) -> Option<String> {
    if sdk { sdk_problem(service, action, pattern) } else { optimized_problem(service, action, pattern) }
}

fn optimized_problem(service: &str, action: &str, pattern: Pattern) -> Option<String> {
    let Some(row) = SERVICES.iter().find(|row| row.name == service) else {
        if SDK_SERVICES.lines().any(|name| name == service) {
            return Some(format!(
                "there is no integration of its own for `{service}`: use arn:aws:states:::aws-sdk:{service}:{action}"
            ));
        }
        return Some(match nearest(service, SERVICES.iter().map(|row| row.name)) {
            Some(near) => format!("did you mean the service `{near}`?"),
            None => format!("there is no service `{service}`"),
        });
    };
    if !row.actions.contains(&action) {
        return Some(match nearest_action(action, row.actions.iter().copied()) {
            Some(near) => format!("did you mean `{service}:{near}`?"),
            None => format!("`{service}` has these actions: {}", row.actions.join(", ")),
        });
    }
    let allowed = match pattern {
        Pattern::RequestResponse => true,
        Pattern::Sync => row.sync.contains(&action),
        Pattern::Sync2 => service == "states",
        Pattern::WaitForTaskToken => row.wait.contains(&action),
    };
    (!allowed).then(|| format!("`{service}:{action}` cannot be used with {}", pattern.suffix()))
}

fn sdk_problem(service: &str, action: &str, pattern: Pattern) -> Option<String> {
    if !SDK_SERVICES.lines().any(|name| name == service) {
        return Some(match nearest(service, SDK_SERVICES.lines()) {
            Some(near) => format!("did you mean the service `{near}`?"),
            None => format!("there is no service `{service}`: it is the name of the AWS SDK for Java, in lower case"),
        });
    }
    let mut letters = action.chars();
    if let Some(first) = letters.next().filter(char::is_ascii_uppercase) {
        return Some(format!(
            "actions begin with a small letter: `{}{}`",
            first.to_ascii_lowercase(),
            letters.as_str()
        ));
    }
    matches!(pattern, Pattern::Sync | Pattern::Sync2)
        .then(|| format!("an aws-sdk resource cannot be used with {}", pattern.suffix()))
}

/// What an action takes: the required parameters, and the others.
pub(crate) type Parameters = (&'static [&'static str], &'static [&'static str]);

/// The parameters of the actions whose list is short and settled; AWS checks their names when a definition is created.
pub(crate) fn parameters(service: &str, action: &str) -> Option<Parameters> {
    Some(match (service, action) {
        ("dynamodb", "getItem") => (
            &["TableName", "Key"],
            &[
                "AttributesToGet",
                "ConsistentRead",
                "ExpressionAttributeNames",
                "ProjectionExpression",
                "ReturnConsumedCapacity",
            ],
        ),
        ("dynamodb", "putItem") => (&["TableName", "Item"], WRITE),
        ("dynamodb", "deleteItem") => (&["TableName", "Key"], WRITE),
        ("dynamodb", "updateItem") => (
            &["TableName", "Key"],
            &[
                "AttributeUpdates",
                "ConditionExpression",
                "ConditionalOperator",
                "Expected",
                "ExpressionAttributeNames",
                "ExpressionAttributeValues",
                "ReturnConsumedCapacity",
                "ReturnItemCollectionMetrics",
                "ReturnValues",
                "ReturnValuesOnConditionCheckFailure",
                "UpdateExpression",
            ],
        ),
        ("events", "putEvents") => (&["Entries"], &["EndpointId"]),
        ("lambda", "invoke") => {
            (&["FunctionName"], &["ClientContext", "InvocationType", "LogType", "Payload", "Qualifier", "TenantId"])
        }
        ("sns", "publish") => (
            &["Message"],
            &[
                "MessageAttributes",
                "MessageDeduplicationId",
                "MessageGroupId",
                "MessageStructure",
                "PhoneNumber",
                "Subject",
                "TargetArn",
                "TopicArn",
            ],
        ),
        ("sqs", "sendMessage") => (
            &["QueueUrl", "MessageBody"],
            &[
                "DelaySeconds",
                "MessageAttributes",
                "MessageDeduplicationId",
                "MessageGroupId",
                "MessageSystemAttributes",
            ],
        ),
        ("states", "startExecution") => (&["StateMachineArn"], &["Input", "Name", "TraceHeader"]),
        _ => return None,
    })
}

const WRITE: &[&str] = &[
    "ConditionExpression",
    "ConditionalOperator",
    "Expected",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnConsumedCapacity",
    "ReturnItemCollectionMetrics",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_belongs_to_an_action() {
        for row in SERVICES {
            assert!(row.sync.iter().chain(row.wait).all(|action| row.actions.contains(action)), "{}", row.name);
        }
    }

    #[test]
    fn wrong_integrations_lead_to_right_ones() {
        use Pattern::{RequestResponse, Sync, Sync2, WaitForTaskToken};
        for (service, action, sdk, pattern, told) in [
            ("dynamodb", "putItem", false, RequestResponse, ""),
            ("states", "startExecution", false, Sync2, ""),
            ("sqs", "sendMessage", false, WaitForTaskToken, ""),
            ("s3", "getObject", true, WaitForTaskToken, ""),
            ("dynamdb", "putItem", false, RequestResponse, "did you mean the service `dynamodb`?"),
            ("dynamodb", "putItm", false, RequestResponse, "did you mean `dynamodb:putItem`?"),
            ("dynamodb", "readItem", false, RequestResponse, "did you mean `dynamodb:getItem`?"),
            ("sqs", "sendMessage", false, Sync, "`sqs:sendMessage` cannot be used with .sync"),
            ("s3", "getObject", false, RequestResponse, "arn:aws:states:::aws-sdk:s3:getObject"),
            ("s3", "GetObject", true, RequestResponse, "`getObject`"),
            ("s3", "getObject", true, Sync, "cannot be used with .sync"),
        ] {
            let problem = problem(service, action, sdk, pattern).unwrap_or_default();
            assert!(
                if told.is_empty() { problem.is_empty() } else { problem.contains(told) },
                "{service}:{action}: {problem}"
            );
        }
    }
}
