//! What `Ref` and `Fn::GetAtt` give: parameters, pseudo parameters, and resources by their type.

use super::super::error::Problem;
use super::scope::{Resource, Scope};
use asl_syntax::{Data, Node, Span, nearest};
use asl_value::Value;

/// The property that names a resource of a type.
pub(super) fn name_property(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "AWS::Serverless::Function" | "AWS::Lambda::Function" => "FunctionName",
        "AWS::StepFunctions::StateMachine" => "StateMachineName",
        "AWS::DynamoDB::Table" | "AWS::Serverless::SimpleTable" => "TableName",
        "AWS::SNS::Topic" => "TopicName",
        "AWS::SQS::Queue" => "QueueName",
        "AWS::S3::Bucket" => "BucketName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::Serverless::LayerVersion" | "AWS::Lambda::LayerVersion" => "LayerName",
        "AWS::ECS::Cluster" => "ClusterName",
        "AWS::Serverless::StateMachine"
        | "AWS::StepFunctions::Activity"
        | "AWS::Events::Rule"
        | "AWS::Events::EventBus"
        | "AWS::Events::Connection"
        | "AWS::Serverless::Api"
        | "AWS::SSM::Parameter"
        | "AWS::SecretsManager::Secret"
        | "AWS::Kinesis::Stream"
        | "AWS::Glue::Job" => "Name",
        _ => return None,
    })
}

/// The service in a type's ARNs, and what stands before the name there.
fn arn_parts(kind: &str) -> (String, &'static str) {
    let (service, before) = match kind {
        "AWS::Serverless::Function" | "AWS::Lambda::Function" => ("lambda", "function:"),
        "AWS::Serverless::LayerVersion" | "AWS::Lambda::LayerVersion" => ("lambda", "layer:"),
        "AWS::Serverless::StateMachine" | "AWS::StepFunctions::StateMachine" => ("states", "stateMachine:"),
        "AWS::StepFunctions::Activity" => ("states", "activity:"),
        "AWS::DynamoDB::Table" | "AWS::Serverless::SimpleTable" => ("dynamodb", "table/"),
        "AWS::SNS::Topic" => ("sns", ""),
        "AWS::SQS::Queue" => ("sqs", ""),
        "AWS::Events::Rule" => ("events", "rule/"),
        "AWS::Events::EventBus" => ("events", "event-bus/"),
        "AWS::Events::Connection" => ("events", "connection/"),
        "AWS::Logs::LogGroup" => ("logs", "log-group:"),
        "AWS::ECS::Cluster" => ("ecs", "cluster/"),
        "AWS::ECS::TaskDefinition" => ("ecs", "task-definition/"),
        "AWS::Kinesis::Stream" => ("kinesis", "stream/"),
        "AWS::SecretsManager::Secret" => ("secretsmanager", "secret:"),
        "AWS::SSM::Parameter" => ("ssm", "parameter/"),
        "AWS::KMS::Key" => ("kms", "key/"),
        other => {
            let service = other.split("::").nth(1).unwrap_or("cloudformation").to_ascii_lowercase();
            return (service, "");
        }
    };
    (service.to_owned(), before)
}

const VERSIONS: [&str; 4] = [
    "AWS::Lambda::Version",
    "AWS::Lambda::Alias",
    "AWS::StepFunctions::StateMachineVersion",
    "AWS::StepFunctions::StateMachineAlias",
];

impl Scope<'_> {
    /// What `Ref` gives; `None` for `AWS::NoValue`.
    ///
    /// # Errors
    /// There is nothing of that name, or it cannot be resolved.
    pub(super) fn reference(&self, name: &str, span: Span) -> Result<Option<Node>, Box<Problem>> {
        let text = |text: String| Ok(Some(Node { span, data: Data::Scalar(Value::from(text)) }));
        if let Some(pseudo) = name.strip_prefix("AWS::") {
            return match pseudo {
                "NoValue" => Ok(None),
                "NotificationARNs" => Ok(Some(Node { span, data: Data::Array(Vec::new()) })),
                _ => match self.pseudo(pseudo) {
                    Some(value) => text(value),
                    None => Err(self.problem(span, format!("there is no pseudo parameter AWS::{pseudo}"), "")),
                },
            };
        }
        if let Some(member) = self.parameters.get(name) {
            return self.parameter(member, span).map(Some);
        }
        if let Some(resource) = self.find(name) {
            return text(self.ref_of(resource, span)?);
        }
        match self.generated(name, None)? {
            Some(value) => text(value),
            None => Err(self.unknown(name, span)),
        }
    }

    fn pseudo(&self, name: &str) -> Option<String> {
        let identity = &self.settings.identity;
        let stack = &self.settings.stack_name;
        let china = identity.region.starts_with("cn-");
        Some(match name {
            "Region" => identity.region.clone(),
            "AccountId" => identity.account.clone(),
            "StackName" => stack.clone(),
            "StackId" => identity.arn("cloudformation", &format!("stack/{stack}/00000000-0000-0000-0000-000000000000")),
            "Partition" => identity.arn("", "").split(':').nth(1).unwrap_or("aws").to_owned(),
            "URLSuffix" if china => "amazonaws.com.cn".to_owned(),
            "URLSuffix" => "amazonaws.com".to_owned(),
            _ => return None,
        })
    }

    fn unknown(&self, name: &str, span: Span) -> Box<Problem> {
        let known = self.resources.iter().map(|r| r.id).chain(self.parameters.keys().copied());
        let help = nearest(name, known)
            .map_or("declare it under Resources or Parameters".to_owned(), |near| format!("did you mean `{near}`?"));
        self.problem(span, format!("there is no resource or parameter `{name}`"), help)
    }

    /// A resource that is referred to must be made.
    fn refer(&self, resource: &Resource<'_>, span: Span) -> Result<(), Box<Problem>> {
        if !self.is_made(resource)? {
            let message = format!("resource `{}` is not made: its Condition does not hold", resource.id);
            return Err(self.problem(span, message, "ask for the same condition here, with Fn::If"));
        }
        Ok(())
    }

    fn ref_of(&self, resource: &Resource<'_>, span: Span) -> Result<String, Box<Problem>> {
        self.refer(resource, span)?;
        if VERSIONS.contains(&resource.kind) {
            return self.version(resource);
        }
        let name = self.physical(resource)?;
        let arn = |name: &str| {
            let (service, before) = arn_parts(resource.kind);
            self.settings.identity.arn(&service, &format!("{before}{name}"))
        };
        Ok(match resource.kind {
            "AWS::SQS::Queue" => self.settings.identity.queue_url(&name),
            "AWS::Serverless::LayerVersion" | "AWS::Lambda::LayerVersion" => arn(&format!("{name}:1")),
            "AWS::SNS::Topic"
            | "AWS::Serverless::StateMachine"
            | "AWS::StepFunctions::StateMachine"
            | "AWS::StepFunctions::Activity"
            | "AWS::SecretsManager::Secret" => arn(&name),
            _ => name.to_string(),
        })
    }

    /// What `Fn::GetAtt` gives.
    ///
    /// # Errors
    /// There is no such resource or attribute, or it cannot be resolved.
    pub(super) fn attribute(&self, id: &str, attribute: &str, span: Span) -> Result<String, Box<Problem>> {
        let Some(resource) = self.find(id) else {
            return self.generated(id, Some(attribute))?.ok_or_else(|| self.unknown(id, span));
        };
        self.refer(resource, span)?;
        let name = self.physical(resource)?;
        let arn = |service: &str, rest: String| self.settings.identity.arn(service, &rest);
        let (service, before) = arn_parts(resource.kind);
        let own = match (resource.kind, attribute) {
            (kind, _) if VERSIONS.contains(&kind) => self.version_attribute(resource, attribute)?,
            ("AWS::S3::Bucket", "Arn") => Some(format!("arn:{}:s3:::{name}", self.partition())),
            ("AWS::S3::Bucket", "DomainName") => Some(format!("{name}.s3.amazonaws.com")),
            ("AWS::S3::Bucket", "RegionalDomainName") => {
                Some(format!("{name}.s3.{}.amazonaws.com", self.settings.identity.region))
            }
            ("AWS::IAM::Role" | "AWS::IAM::ManagedPolicy", "Arn") => Some(self.role(&name)),
            ("AWS::SNS::Topic", "TopicArn") => Some(arn("sns", name.to_string())),
            ("AWS::SQS::Queue", "QueueUrl") => Some(self.settings.identity.queue_url(&name)),
            ("AWS::DynamoDB::Table" | "AWS::Serverless::SimpleTable", "StreamArn") => {
                Some(arn("dynamodb", format!("table/{name}/stream/1970-01-01T00:00:00.000")))
            }
            (_, "StateMachineRevisionId") => Some("INITIAL".to_owned()),
            ("AWS::SNS::Topic", "TopicName")
            | ("AWS::SQS::Queue", "QueueName")
            | (_, "Name")
            | ("AWS::Serverless::Function" | "AWS::Lambda::Function", "FunctionName") => Some(name.to_string()),
            ("AWS::SNS::Topic", "Arn") => None,
            (_, "Arn") => Some(arn(&service, format!("{before}{name}"))),
            (kind, _) if has_backend(kind) => None,
            // What it would be is known to AWS alone.
            _ => Some(format!("{name}.{attribute}")),
        };
        own.ok_or_else(|| {
            let known = ["Arn", "Name", "TopicArn", "TopicName", "QueueName", "QueueUrl", "StreamArn", "DomainName"];
            let help = nearest(attribute, known).map_or_else(String::new, |near| format!("did you mean `{near}`?"));
            self.problem(span, format!("`{id}` ({}) has no attribute `{attribute}`", resource.kind), help)
        })
    }

    fn partition(&self) -> String {
        self.pseudo("Partition").unwrap_or_default()
    }

    fn role(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:role/{name}", self.partition(), self.settings.identity.account)
    }

    /// The ARN of a version or alias.
    fn version(&self, resource: &Resource<'_>) -> Result<String, Box<Problem>> {
        let text = |property: Option<&Node>| match property {
            Some(node) => self.text_of(node).map(Option::unwrap_or_default),
            None => Ok(String::new()),
        };
        let routed = || {
            let first = resource.property("RoutingConfiguration").and_then(|n| n.as_array()?.first());
            first
                .or_else(|| resource.property("DeploymentPreference"))?
                .member("StateMachineVersionArn")
                .map(|m| &m.value)
        };
        let function = |reference: String| match reference.starts_with("arn:") {
            true => reference,
            false => self.settings.identity.arn("lambda", &format!("function:{reference}")),
        };
        self.open(&format!("the ARN of `{}`", resource.id), resource.span, || {
            Ok(match resource.kind {
                "AWS::Lambda::Version" => format!("{}:1", function(text(resource.property("FunctionName"))?)),
                "AWS::Lambda::Alias" => {
                    format!(
                        "{}:{}",
                        function(text(resource.property("FunctionName"))?),
                        text(resource.property("Name"))?
                    )
                }
                "AWS::StepFunctions::StateMachineVersion" => {
                    format!("{}:1", text(resource.property("StateMachineArn"))?)
                }
                _ => {
                    let version = text(routed())?;
                    let machine = version.rsplit_once(':').map_or(version.as_str(), |(machine, _)| machine);
                    format!("{machine}:{}", text(resource.property("Name"))?)
                }
            })
        })
    }

    fn version_attribute(&self, resource: &Resource<'_>, attribute: &str) -> Result<Option<String>, Box<Problem>> {
        Ok(match attribute {
            "Arn" | "AliasArn" | "FunctionArn" => Some(self.version(resource)?),
            "Version" => Some("1".to_owned()),
            _ => None,
        })
    }

    /// What SAM makes beside a resource: the role of a function or state machine, its versions and aliases, the implicit API.
    fn generated(&self, name: &str, attribute: Option<&str>) -> Result<Option<String>, Box<Problem>> {
        const MACHINE: &str = "AWS::Serverless::StateMachine";
        const FUNCTION: &str = "AWS::Serverless::Function";
        let owner = |id: &str| self.find(id).filter(|resource| resource.is(&[MACHINE, FUNCTION]));
        let alias = |resource: &Resource<'_>| match resource.property("AutoPublishAlias") {
            Some(node) => self.text_of(node),
            None => Ok(None),
        };
        let qualified = |resource: &Resource<'_>, qualifier: &str| {
            let (service, before) = arn_parts(resource.kind);
            let name = self.physical(resource)?;
            Ok(Some(self.settings.identity.arn(&service, &format!("{before}{name}:{qualifier}"))))
        };
        if name.strip_suffix("Role").and_then(owner).is_some() {
            let role = format!("{}-{}", self.settings.stack_name, name);
            return Ok(Some(if attribute == Some("Arn") { self.role(&role) } else { role }));
        }
        // `!Ref Function.Version` and `!Ref Function.Alias` name what AutoPublishAlias makes.
        if let Some((id, what)) = name.rsplit_once('.')
            && let Some(resource) = owner(id)
            && let Some(alias) = alias(resource)?
        {
            return match what {
                "Version" => qualified(resource, "1"),
                "Alias" => qualified(resource, &alias),
                _ => Ok(None),
            };
        }
        for resource in self.resources.iter().filter(|resource| resource.is(&[MACHINE, FUNCTION])) {
            let Some(rest) = name.strip_prefix(resource.id).filter(|rest| !rest.is_empty()) else { continue };
            let Some(alias) = alias(resource)? else { continue };
            if rest == format!("Alias{alias}") {
                return qualified(resource, &alias);
            }
            if rest == "Version" {
                return qualified(resource, "1");
            }
        }
        let api = matches!(name, "ServerlessRestApi" | "ServerlessHttpApi");
        Ok(api.then(|| format!("{}-{name}", self.settings.stack_name)))
    }
}

/// Whether something here stands for resources of a type.
pub(super) fn has_backend(kind: &str) -> bool {
    matches!(
        kind,
        "AWS::Serverless::Function"
            | "AWS::Lambda::Function"
            | "AWS::Serverless::LayerVersion"
            | "AWS::Lambda::LayerVersion"
            | "AWS::Lambda::Version"
            | "AWS::Lambda::Alias"
            | "AWS::Serverless::StateMachine"
            | "AWS::StepFunctions::StateMachine"
            | "AWS::StepFunctions::Activity"
            | "AWS::Events::Rule"
            | "AWS::Events::EventBus"
            | "AWS::StepFunctions::StateMachineVersion"
            | "AWS::StepFunctions::StateMachineAlias"
            | "AWS::DynamoDB::Table"
            | "AWS::Serverless::SimpleTable"
            | "AWS::SNS::Topic"
            | "AWS::SNS::Subscription"
            | "AWS::SQS::Queue"
            | "AWS::S3::Bucket"
    )
}

/// Whether a type is nothing that a state could call: roles, policies, logs, alarms.
pub(super) fn is_passive(kind: &str) -> bool {
    const PASSIVE: [&str; 13] = [
        "AWS::Serverless::Connector",
        "AWS::IAM::",
        "AWS::Logs::",
        "AWS::CloudWatch::",
        "AWS::Lambda::Permission",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::SQS::QueuePolicy",
        "AWS::SQS::QueueInlinePolicy",
        "AWS::SNS::TopicPolicy",
        "AWS::S3::BucketPolicy",
        "AWS::CDK::Metadata",
        "AWS::KMS::",
        "AWS::ApplicationAutoScaling::",
    ];
    PASSIVE.iter().any(|prefix| kind.starts_with(prefix))
}
