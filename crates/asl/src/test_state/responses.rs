//! Mocked results against the API of their service. The shapes of responses are facts of AWS's API models, in a table of
//! our own (`responses.txt`): a section for each service, its operations, then its shapes.
//!
//! `= service operation=TYPE …`, then one shape a line, named by its place: `{ Member=TYPE Required!=TYPE …`, `[ TYPE`
//! (list), `% TYPE` (map), `e A|B` (enum). A TYPE is `#place`, or a scalar: `s` text, `t` timestamp, `x` blob (a number
//! behind `s` or `x` is the least length), `i` and `n` number (`least,most` behind it), `b` boolean, `*` anything.
//!
//! One fact is TestState's own: to it the `MemorySize` of a function ends at 10,240 (recorded), to Lambda's API of today later.

use asl_syntax::{Pattern, Resource, ResourceKind};
use asl_value::{Map, Value};

const TABLE: &str = include_str!("responses.txt");

/// How optimized integrations call their services, where not as SDK integrations do.
const SERVICES: [(&str, &str); 6] = [
    ("events", "eventbridge"),
    ("states", "sfn"),
    ("elasticmapreduce", "emr"),
    ("bedrock", "bedrockruntime"),
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
/// The first field that is wrong, in AWS's words; or that the API is not known here.
pub(super) fn check(resource: &Resource, result: &Value, strict: bool) -> Result<(), String> {
    // What a function or a worker answers is its own affair, and so is what somebody sends with a token.
    let ResourceKind::Service { service, action, sdk, pattern } = &resource.kind else { return Ok(()) };
    let free = matches!((&**service, &**action), ("http" | "apigateway", "invoke") | ("eks", "call" | "runJob"));
    if (!sdk && free) || *pattern == Pattern::WaitForTaskToken {
        return Ok(());
    }
    let named = SERVICES.iter().find(|(name, _)| !sdk && **name == **service);
    let service = named.map_or(&**service, |(_, name)| name);
    let polled = POLLED.iter().find(|(of, call, _)| *of == service && **call == **action);
    let action = match polled {
        Some((_, _, poll)) if *pattern != Pattern::RequestResponse => poll,
        _ => &**action,
    };
    let unknown = || {
        format!(
            "the response of '{service}:{action}' is not in this engine's table; \
             set fieldValidationMode to NONE to use the result as it is"
        )
    };
    let section = Section::of(service).ok_or_else(unknown)?;
    let shape = section.operation(action).ok_or_else(unknown)?;
    // The optimized integration of Lambda gives the payload as JSON, whatever it is.
    let any = if !sdk && service == "lambda" && action == "invoke" { Some("Payload") } else { None };
    match (shape, result) {
        ("*", _) => Ok(()),
        (_, Value::Object(map)) => section.members(shape, map, any, strict),
        _ => Err("the result must be an object".to_owned()),
    }
}

/// The table of one service.
struct Section {
    operations: &'static str,
    shapes: Vec<&'static str>,
}

impl Section {
    fn of(service: &str) -> Option<Section> {
        let mut lines = TABLE.lines().skip_while(|line| {
            line.strip_prefix("= ").and_then(|rest| rest.split(' ').next()).is_none_or(|name| name != service)
        });
        let operations = lines.next()?.strip_prefix("= ")?;
        Some(Section { operations, shapes: lines.take_while(|line| !line.starts_with("= ")).collect() })
    }

    fn operation(&self, action: &str) -> Option<&'static str> {
        self.operations.split(' ').skip(1).find_map(|entry| entry.strip_prefix(action)?.strip_prefix('='))
    }

    fn shape(&self, place: &str) -> Option<(&'static str, &'static str)> {
        self.shapes.get(place.parse::<usize>().ok()?)?.split_once(' ')
    }

    /// The members of a structure.
    fn members(&self, place: &str, map: &Map, any: Option<&str>, strict: bool) -> Result<(), String> {
        let Some(("{", members)) = place.strip_prefix('#').and_then(|place| self.shape(place)) else { return Ok(()) };
        let members = || {
            members.split(' ').filter_map(|member| member.split_once('=')).map(|(name, shape)| {
                let required = name.ends_with('!');
                (name.trim_end_matches('!'), shape, required)
            })
        };
        let missing = members().find(|(name, _, required)| strict && *required && !map.contains_key(name));
        if let Some((name, _, _)) = missing {
            return Err(format!("Required field '{name}' is missing"));
        }
        // What the API does not have is taken: it may have it one day.
        for (name, value) in map {
            if let Some((_, shape, _)) = members().find(|(member, _, _)| **member == **name && any != Some(*member)) {
                self.value(name, shape, value, strict)?;
            }
        }
        Ok(())
    }

    fn value(&self, field: &str, shape: &str, value: &Value, strict: bool) -> Result<(), String> {
        if let Some(place) = shape.strip_prefix('#') {
            return match (self.shape(place), value) {
                (Some(("{", _)), Value::Object(map)) => self.members(shape, map, None, strict),
                (Some(("[", of)), Value::Array(list)) => {
                    list.iter().try_for_each(|item| self.value(field, of, item, strict))
                }
                (Some(("%", of)), Value::Object(map)) => {
                    map.values().try_for_each(|member| self.value(field, of, member, strict))
                }
                (Some(("e", words)), Value::String(word)) => match words.split('|').any(|w| *w == **word) {
                    true => Ok(()),
                    false => Err(format!("Field '{field}' is not an expected value")),
                },
                (Some(("[", _)), _) => Err(format!("Field '{field}' must be an array")),
                (Some(("e", _)), _) => Err(format!("Field '{field}' must be a string")),
                (Some(_), _) => Err(format!("Field '{field}' must be an object")),
                (None, _) => Ok(()),
            };
        }
        scalar(shape, value).map_err(|why| format!("Field '{field}' {why}"))
    }
}

fn scalar(shape: &str, value: &Value) -> Result<(), &'static str> {
    let (code, bounds) = shape.split_at(1);
    match (code, value) {
        ("s" | "x" | "t", Value::String(text)) => match bounds.parse::<usize>() {
            Ok(least) if text.chars().count() < least => Err("is smaller than the minimum length"),
            _ => Ok(()),
        },
        ("i" | "n", Value::Number(number)) => {
            let (least, most) = bounds.split_once(',').unwrap_or_default();
            match (least.parse::<f64>(), most.parse::<f64>()) {
                (Ok(least), _) if number.as_f64() < least => Err("is less than the minimum value"),
                (_, Ok(most)) if number.as_f64() > most => Err("exceeds the maximum value"),
                _ => Ok(()),
            }
        }
        ("b", Value::Bool(_)) | ("*", _) => Ok(()),
        ("i" | "n", _) => Err("must be a number"),
        ("b", _) => Err("must be a boolean"),
        _ => Err("must be a string"),
    }
}
