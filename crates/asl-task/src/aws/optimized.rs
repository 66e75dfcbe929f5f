//! Optimized integrations at AWS: the operation of the same name, with the names and texts of the Java SDK 1.

use super::{Aws, role, unanswered};
use crate::backend::Missing;
use crate::integration::{Call, Integration, Mode};
use crate::sdk::http_metadata;
use asl_aws::model::{self, Service};
use asl_aws::protocol::Fault;
use asl_aws::{Answer, CallError, dialect};
use asl_core::Failure;
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
const SERVICES: [Optimized; 15] = [
    service("athena", "athena", "Athena", "AmazonAthena", "AmazonAthena"),
    service("batch", "batch", "Batch", "AWSBatch", "AWSBatch"),
    service("codebuild", "codebuild", "CodeBuild", "AWSCodeBuild", "AWSCodeBuild"),
    service("databrew", "databrew", "DataBrew", "AWSGlueDataBrew", "AWSGlueDataBrew"),
    service("dynamodb", "dynamodb", "DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDB"),
    service("ecs", "ecs", "ECS", "AmazonECS", "AmazonECS"),
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
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.optimized.name, self.action)
    }
}

impl Action {
    pub(super) fn find(aws: &Aws, service: &str, action: &str) -> Result<Action, Missing> {
        let found = Optimized::find(service).and_then(|optimized| {
            let service = model::service(optimized.resource)?;
            service.operation(action)?;
            Some(Action { aws: aws.clone(), optimized, service, action: action.to_owned() })
        });
        found.ok_or_else(|| Missing {
            message: format!("{service}:{action} is not called at AWS yet"),
            hint: Some("use its `aws-sdk` form, or run it under a mock".to_owned()),
        })
    }
}

#[async_trait]
impl Integration for Action {
    fn mode(&self) -> Mode {
        Mode::Remote
    }

    fn check(&self, _parameters: Option<&Payload>) -> Result<(), Missing> {
        // The names of optimized parameters are checked with the definition.
        Ok(())
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let Some(operation) = self.service.operation(&self.action) else {
            return Err(Failure::new("States.Runtime", format!("{self:?} is not known")));
        };
        let parameters = dialect::from_optimized(&self.service, operation, call.parameters);
        let role = role(call.role_arn);
        match self.aws.client().call(&self.service, operation, &parameters, call.key, role.as_ref()).await {
            Ok(answer) => {
                let result = dialect::to_optimized(&self.service, operation, &answer.result);
                let result = with_metadata(result, &answer);
                if self.optimized.name == "events" && result["FailedEntryCount"].as_i64().is_some_and(|n| n > 0) {
                    return Err(Failure::new("EventBridge.FailedEntry", result.to_string()));
                }
                Ok(result)
            }
            Err(CallError::Fault(fault)) => Err(self.optimized.failure(&self.service, &fault)),
            Err(error) => Err(unanswered(self.optimized.prefix, error, call.parameters)),
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
