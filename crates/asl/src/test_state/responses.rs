//! Mocked results against the API of their service: the types of members come from the table of `asl-aws`; words, lengths
//! and ranges, which that table leaves to AWS, from one of our own for the services that workflows call most (`limits.txt`,
//! made by `tools/response_limits.py`, which says what its lines mean).

use asl_aws::model::{Location, Member, Operation, Service, Shape, Structure, Type, service};
use asl_syntax::{Pattern, Resource, ResourceKind};
use asl_value::{Map, Value};
use std::sync::Arc;

const LIMITS: &str = include_str!("limits.txt");

/// How optimized integrations call their services, where not as SDK integrations do.
const SERVICES: [(&str, &str); 5] = [
    ("events", "eventbridge"),
    ("states", "sfn"),
    ("elasticmapreduce", "emr"),
    ("emr-containers", "emrcontainers"),
    ("emr-serverless", "emrserverless"),
];

/// What a job that was started is asked for until it is done: its answer is the result of the task.
const POLLED: [(&str, &str, &str); 24] = [
    ("sfn", "startExecution", "describeExecution"),
    ("ecs", "runTask", "describeTasks"),
    ("batch", "submitJob", "describeJobs"),
    ("glue", "startJobRun", "getJobRun"),
    ("athena", "startQueryExecution", "getQueryExecution"),
    ("codebuild", "startBuild", "batchGetBuilds"),
    ("codebuild", "startBuildBatch", "batchGetBuildBatches"),
    ("databrew", "startJobRun", "describeJobRun"),
    ("sagemaker", "createTrainingJob", "describeTrainingJob"),
    ("sagemaker", "createTransformJob", "describeTransformJob"),
    ("sagemaker", "createProcessingJob", "describeProcessingJob"),
    ("sagemaker", "createHyperParameterTuningJob", "describeHyperParameterTuningJob"),
    ("sagemaker", "createLabelingJob", "describeLabelingJob"),
    ("sagemaker", "createAutoMLJob", "describeAutoMLJob"),
    ("emr", "createCluster", "describeCluster"),
    ("emr", "terminateCluster", "describeCluster"),
    ("emr", "addStep", "describeStep"),
    ("emrcontainers", "startJobRun", "describeJobRun"),
    ("emrcontainers", "createVirtualCluster", "describeVirtualCluster"),
    ("emrcontainers", "deleteVirtualCluster", "describeVirtualCluster"),
    ("emrserverless", "startJobRun", "getJobRun"),
    ("eks", "createCluster", "describeCluster"),
    ("eks", "createNodegroup", "describeNodegroup"),
    ("eks", "createFargateProfile", "describeFargateProfile"),
];

/// Holds a result against the response of the call that the resource names; `strict` misses what is required.
///
/// # Errors
/// The first field that is wrong, in AWS's words; or that the API has no such call.
pub(super) fn check(resource: &Resource, result: &Value, strict: bool) -> Result<(), String> {
    // What a function or a worker answers is its own affair, and so is what somebody sends with a token.
    let ResourceKind::Service { service: name, action, sdk, pattern } = &resource.kind else { return Ok(()) };
    let free = matches!((&**name, &**action), ("http" | "apigateway", "invoke") | ("eks", "call" | "runJob"));
    if (!sdk && free) || *pattern == Pattern::WaitForTaskToken {
        return Ok(());
    }
    let called = SERVICES.iter().find(|(integration, _)| !sdk && **integration == **name);
    let called = match (called, &**name, &**action) {
        (Some((_, called)), _, _) => called,
        (None, "bedrock", "invokeModel") if !sdk => "bedrockruntime",
        (None, name, _) => name,
    };
    let polled = POLLED.iter().find(|(of, call, _)| *of == called && **call == **action);
    let action = match polled {
        Some((_, _, poll)) if *pattern != Pattern::RequestResponse => poll,
        _ => &**action,
    };
    let api = service(called);
    let Some((api, operation)) = api.as_ref().and_then(|api| Some((api, api.operation(action)?))) else {
        return Err(format!(
            "the response of '{called}:{action}' is not in this engine's table; \
             set fieldValidationMode to NONE to use the result as it is"
        ));
    };
    let Some(output) = api.output(operation) else { return Ok(()) };
    let Value::Object(map) = result else { return Err("the result must be an object".to_owned()) };
    Response { service: api, operation, limits: limits_of(called), sdk: *sdk, strict }.members(output, map)
}

/// The lines of a service in the table of limits.
fn limits_of(service: &str) -> &'static str {
    let sections = LIMITS.split("= ").find_map(|section| section.strip_prefix(service)?.strip_prefix('\n'));
    sections.unwrap_or_default()
}

/// The response of one operation.
struct Response<'a> {
    service: &'a Arc<Service>,
    operation: &'a Operation,
    limits: &'static str,
    sdk: bool,
    strict: bool,
}

impl Response<'_> {
    /// The name of a member in a result: SDK integrations have that of the Java SDK, optimized ones the model's.
    fn is(&self, member: &Member, name: &str) -> bool {
        let mut chars = member.name.chars();
        let first = chars.next().map(|c| c.to_ascii_uppercase());
        let capital = || name.chars().next() == first && name.chars().skip(1).eq(chars);
        (self.sdk && *member.key == *name) || capital()
    }

    fn members(&self, structure: &Structure, map: &Map) -> Result<(), String> {
        let given = |member: &Member| map.keys().any(|name| self.is(member, name));
        if let Some(missing) = structure.members.iter().find(|m| self.strict && m.required && !given(m)) {
            let name = if self.sdk { missing.key.to_string() } else { capital(&missing.name) };
            return Err(format!("Required field '{name}' is missing"));
        }
        // What the API does not have is taken: it may have it one day.
        for (name, value) in map {
            let Some(member) = structure.members.iter().find(|member| self.is(member, name)) else { continue };
            if !self.is_payload(member) {
                self.value(name, member.ty, value)?;
            }
        }
        Ok(())
    }

    /// The optimized integration of Lambda gives the payload as JSON, whatever it is.
    fn is_payload(&self, member: &Member) -> bool {
        !self.sdk
            && &*self.service.resource == "lambda"
            && member.location == Location::Body
            && &*member.name == "Payload"
    }

    fn value(&self, field: &str, ty: Type, value: &Value) -> Result<(), String> {
        let must = |what: &str| Err(format!("Field '{field}' must be {what}"));
        match (ty, value) {
            (Type::Shape(_), _) => match (self.service.shape(ty), value) {
                (Some(Shape::Structure(structure)), Value::Object(map)) => self.members(structure, map),
                (Some(Shape::List { item, .. }), Value::Array(list)) => {
                    list.iter().try_for_each(|value| self.value(field, *item, value))
                }
                (Some(Shape::Map { value: of, .. }), Value::Object(map)) => {
                    map.values().try_for_each(|value| self.value(field, *of, value))
                }
                (Some(Shape::List { .. }), _) => must("an array"),
                (Some(_), _) => must("an object"),
                (None, _) => Ok(()),
            },
            (Type::Document | Type::JsonText | Type::EventStream, _) | (Type::Boolean, Value::Bool(_)) => Ok(()),
            (Type::Boolean, _) => must("a boolean"),
            (Type::Integer | Type::Long | Type::Float | Type::Double, Value::Number(_)) => self.limit(field, value),
            (Type::Integer | Type::Long | Type::Float | Type::Double, _) => must("a number"),
            (_, Value::String(_)) => self.limit(field, value),
            (_, _) => must("a string"),
        }
    }

    /// The words, lengths and ranges of a member.
    fn limit(&self, field: &str, value: &Value) -> Result<(), String> {
        let own = |line: &&str| {
            let line = line.strip_prefix(&*self.operation.name).and_then(|line| line.strip_prefix('.')).unwrap_or(line);
            line.strip_prefix(field).is_some_and(|rest| rest.starts_with(' '))
        };
        let Some((_, limit)) = self.limits.lines().find(own).and_then(|line| line.split_once(' ')) else {
            return Ok(());
        };
        let (kind, limit) = limit.split_at(1);
        let wrong = match (kind, value) {
            ("e", Value::String(word)) if !limit.split('|').any(|known| *known == **word) => "is not an expected value",
            ("l", Value::String(text)) if limit.parse().is_ok_and(|least| text.chars().count() < least) => {
                "is smaller than the minimum length"
            }
            ("n", Value::Number(number)) => match limit.split_once(',').unwrap_or_default() {
                (least, _) if least.parse().is_ok_and(|least| number.as_f64() < least) => {
                    "is less than the minimum value"
                }
                (_, most) if most.parse().is_ok_and(|most| number.as_f64() > most) => "exceeds the maximum value",
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        Err(format!("Field '{field}' {wrong}"))
    }
}

/// A name with a capital.
fn capital(name: &str) -> String {
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}
