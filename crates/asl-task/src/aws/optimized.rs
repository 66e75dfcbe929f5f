//! Optimized integrations at AWS: the operation of the same name, with the names and texts of the Java SDK 1.

use super::emr::Alias;
use super::{Aws, role, unanswered};
use crate::backend::Missing;
use crate::integration::{Call, Integration, Mode};
use crate::runner::Runner;
use crate::sdk::http_metadata;
use asl_aws::model::{self, Service};
use asl_aws::protocol::Fault;
use asl_aws::{Answer, CallError, dialect};
use asl_core::Failure;
use asl_syntax::Pattern;
use asl_syntax::model::Payload;
use asl_value::{Map, Value};
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// An optimized service: how it is called in resources, in the model, in errors and in their causes.
#[derive(Debug)]
pub struct Optimized {
    /// `events`, in a resource.
    pub name: &'static str,
    /// `eventbridge`, in the model.
    pub resource: &'static str,
    /// `EventBridge`, before an error's name.
    pub prefix: &'static str,
    /// `AmazonEventBridge`, in a cause.
    pub client: &'static str,
    /// The exception for a code that the model does not name, without the word.
    pub base: &'static str,
}

const fn service(
    name: &'static str,
    resource: &'static str,
    prefix: &'static str,
    client: &'static str,
    base: &'static str,
) -> Optimized {
    Optimized { name, resource, prefix, client, base }
}

/// Those whose action is one operation. Names of errors and clients: the Java SDK 1's.
const SERVICES: [Optimized; 18] = [
    service("athena", "athena", "Athena", "AmazonAthena", "AmazonAthena"),
    service("batch", "batch", "Batch", "AWSBatch", "AWSBatch"),
    service("bedrock", "bedrock", "Bedrock", "AmazonBedrock", "AmazonBedrock"),
    service("codebuild", "codebuild", "CodeBuild", "AWSCodeBuild", "AWSCodeBuild"),
    service("databrew", "databrew", "DataBrew", "AWSGlueDataBrew", "AWSGlueDataBrew"),
    service("dynamodb", "dynamodb", "DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDB"),
    service("ecs", "ecs", "ECS", "AmazonECS", "AmazonECS"),
    service("eks", "eks", "EKS", "AmazonEKS", "AmazonEKS"),
    service("elasticmapreduce", "emr", "ElasticMapReduce", "AmazonElasticMapReduce", "AmazonElasticMapReduce"),
    service("emr-containers", "emrcontainers", "EMRContainers", "AmazonEMRContainers", "AmazonEMRContainers"),
    service("emr-serverless", "emrserverless", "EMRServerless", "AWSEMRServerless", "AWSEMRServerless"),
    service("events", "eventbridge", "EventBridge", "AmazonEventBridge", "AmazonEventBridge"),
    service("glue", "glue", "Glue", "AWSGlue", "AWSGlue"),
    service("mediaconvert", "mediaconvert", "MediaConvert", "AWSMediaConvert", "AWSMediaConvert"),
    service("sagemaker", "sagemaker", "SageMaker", "AmazonSageMaker", "AmazonSageMaker"),
    service("sns", "sns", "SNS", "AmazonSNS", "AmazonSNS"),
    service("sqs", "sqs", "SQS", "AmazonSQS", "AmazonSQS"),
    service("states", "sfn", "StepFunctions", "AWSStepFunctions", "AWSStepFunctions"),
];

impl Optimized {
    /// The optimized service of a resource that AWS can be asked for here.
    pub fn find(name: &str) -> Option<&'static Optimized> {
        SERVICES.iter().find(|s| s.name == name)
    }

    /// The error and cause of a refusal, as the Java SDK 1 tells it.
    pub(super) fn failure(&self, service: &Service, fault: &Fault) -> Failure {
        // Optimized SQS tasks fail with the base exception whatever the code; that is the name definitions catch.
        let error = service.error(&fault.code).filter(|_| self.name != "sqs" && fault.code != "ValidationException");
        let name = error.map_or_else(|| format!("{}Exception", self.base), |e| e.exception.to_string());
        let cause = format!(
            "{} (Service: {}; Status Code: {}; Error Code: {}; Request ID: {}; Proxy: null)",
            fault.message,
            self.client,
            fault.status,
            fault.code,
            fault.request_id.as_deref().unwrap_or("null")
        );
        Failure::new(format!("{}.{name}", self.prefix), cause)
    }
}

/// An action of an optimized service.
pub(super) struct Action {
    aws: Aws,
    optimized: &'static Optimized,
    service: Arc<Service>,
    action: String,
    /// The task waits for what it starts, so a start that failed in part is an error.
    waits: bool,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.optimized.name, self.action)
    }
}

impl Action {
    pub(super) fn find(aws: &Aws, service: &str, action: &str, pattern: Pattern) -> Result<Action, Missing> {
        let found = Optimized::find(service).and_then(|optimized| {
            let model = model::service(optimized.resource)?;
            model.operation(Alias::find(service, action).map_or(action, |alias| alias.operation))?;
            let waits = pattern != Pattern::RequestResponse;
            Some(Action { aws: aws.clone(), optimized, service: model, action: action.to_owned(), waits })
        });
        found.ok_or_else(|| Missing {
            message: format!("{service}:{action} is more than one call of AWS, and is not carried out here"),
            hint: Some(instead(service).to_owned()),
        })
    }

    /// An operation of a service that the table does not have.
    pub(super) fn of(aws: &Aws, optimized: &'static Optimized, action: &str) -> Result<Action, Missing> {
        let service = model::service(optimized.resource).filter(|service| service.operation(action).is_some());
        let (aws, action) = (aws.clone(), action.to_owned());
        let service = service.ok_or_else(|| Missing {
            message: format!("{}:{action} is not in the table of AWS's operations", optimized.name),
            hint: None,
        })?;
        Ok(Action { aws, optimized, service, action, waits: false })
    }

    /// Calls an action of the service; the result is without what the SDK leaves of the exchange.
    pub(super) async fn ask(&self, action: &str, parameters: &Value, call: &Call<'_>) -> Result<Value, Failure> {
        self.exchange(action, parameters, call).await.map(|(result, _)| result)
    }

    async fn exchange(&self, action: &str, parameters: &Value, call: &Call<'_>) -> Result<(Value, Answer), Failure> {
        let alias = Alias::find(self.optimized.name, action);
        let name = alias.map_or(action, |alias| alias.operation);
        let Some(operation) = self.service.operation(name) else {
            return Err(Failure::new("States.Runtime", format!("{}:{action} is not known", self.optimized.name)));
        };
        let given = alias.map_or_else(|| parameters.clone(), |alias| alias.parameters(parameters));
        let given = dialect::from_optimized(&self.service, operation, &given);
        let role = role(call.role_arn);
        match self.aws.client().call(&self.service, operation, &given, call.key, role.as_ref()).await {
            Ok(answer) => {
                let result = dialect::to_optimized(&self.service, operation, &answer.result);
                Ok((alias.map_or_else(|| result.clone(), |alias| alias.result(result.clone())), answer))
            }
            Err(CallError::Fault(fault)) => Err(self.optimized.failure(&self.service, &fault)),
            Err(error) => Err(unanswered(self.optimized.prefix, error, parameters)),
        }
    }

    /// The task's parameters, with the task's key where the model does not say that it belongs.
    fn parameters(&self, call: &Call<'_>) -> Value {
        let keyed = KEYED.iter().find(|(service, action, _)| *service == self.optimized.name && *action == self.action);
        match (keyed, call.parameters.as_object()) {
            (Some((_, _, name)), Some(given)) if call.parameters.get(name).is_none_or(Value::is_null) => {
                let mut given: Map = given.clone();
                given.insert(*name, call.key);
                Value::from(given)
            }
            _ => call.parameters.clone(),
        }
    }
}

/// What to do instead of an action that is not carried out here.
fn instead(service: &str) -> &'static str {
    match service {
        "eks" => "call the cluster's API from a function, or run it under a mock",
        "elasticmapreduce" => {
            "use aws-sdk:emr:listInstanceFleets or listInstanceGroups for the id, and aws-sdk:emr:modifyInstanceFleet or \
             modifyInstanceGroups, or run it under a mock"
        }
        _ => "use its `aws-sdk` form, or run it under a mock",
    }
}

/// Parameters that make a repeated start meet the first, and that the model does not call an idempotency token.
const KEYED: [(&str, &str, &str); 4] = [
    ("states", "startExecution", "Name"),
    ("codebuild", "startBuild", "IdempotencyToken"),
    ("codebuild", "startBuildBatch", "IdempotencyToken"),
    ("codebuild", "retryBuildBatch", "IdempotencyToken"),
];

/// A start that AWS answers with its failures: an error where the task waits for what was started.
fn partial(service: &str, result: &Value, waits: bool) -> Option<Failure> {
    if service == "events" && result["FailedEntryCount"].as_i64().is_some_and(|n| n > 0) {
        return Some(Failure::new("EventBridge.FailedEntry", result.to_string()));
    }
    let some = |name: &str| result[name].as_array().is_some_and(|list| !list.is_empty());
    if service == "ecs" && waits && (some("Failures") || !some("Tasks")) {
        return Some(Failure::new("AmazonECS.Unknown", result.to_string()));
    }
    None
}

#[async_trait]
impl Integration for Action {
    fn title(&self) -> String {
        format!("AWS, {self:?}")
    }

    fn runner(&self, _: Option<&Payload>) -> Runner {
        Runner::Aws(self.optimized.resource.into())
    }

    fn mode(&self) -> Mode {
        Mode::Remote
    }

    fn check(&self, _parameters: Option<&Payload>) -> Result<(), Missing> {
        // The names of optimized parameters are checked with the definition.
        Ok(())
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let (result, answer) = self.exchange(&self.action, &self.parameters(call), call).await?;
        let result = with_metadata(result, &answer);
        match partial(self.optimized.name, &result, self.waits) {
            Some(failure) => Err(failure),
            None => Ok(result),
        }
    }
}

/// A result with what the Java SDK 1 leaves in it of the exchange.
pub(super) fn with_metadata(result: Value, answer: &Answer) -> Value {
    let mut made: Map = result.as_object().cloned().unwrap_or_default();
    let headers: Vec<(&str, String)> = answer.headers.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
    made.insert("SdkHttpMetadata", http_metadata(&headers, i64::from(answer.status)));
    let ids = ["x-amzn-requestid", "x-amz-request-id"];
    let id = answer.headers.iter().find(|(n, _)| ids.iter().any(|id| n.eq_ignore_ascii_case(id)));
    let id = id.map_or(Value::Null, |(_, id)| Value::from(id));
    made.insert("SdkResponseMetadata", Map::from_iter([("RequestId", id)]));
    Value::from(made)
}
