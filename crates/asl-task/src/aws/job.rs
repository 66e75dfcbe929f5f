//! `.sync` at AWS: what starts a job, how it is asked for, when it has ended, and how it is stopped. Data, one block a job.
//!
//! Names are those of optimized integrations (the model's with a capital), in parameters, answers and results.

use super::optimized::Action;
use crate::backend::Missing;
use crate::integration::{Call, Integration, Mode, Progress};
use crate::runner::Runner;
use asl_core::Failure;
use asl_syntax::model::Payload;
use asl_value::{Map, Value};
use async_trait::async_trait;
use std::fmt;

/// Where a parameter of a question comes from; paths lead through members and positions, `Tasks.0.TaskArn`.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// The task's own parameters.
    Asked(&'static str),
    /// The answer of the start.
    Started(&'static str),
    /// A member of each item of a list in the answer of the start.
    Each(&'static str, &'static str),
    /// Always the same.
    Text(&'static str),
}

/// A parameter; a list has the one value in a list.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: &'static str,
    from: Source,
    list: bool,
}

const fn one(name: &'static str, from: Source) -> Field {
    Field { name, from, list: false }
}

const fn list(name: &'static str, from: Source) -> Field {
    Field { name, from, list: true }
}

/// An operation of the same service, and its parameters.
#[derive(Clone, Copy, Debug)]
struct Request {
    action: &'static str,
    fields: &'static [Field],
}

const fn ask(action: &'static str, fields: &'static [Field]) -> Request {
    Request { action, fields }
}

/// What of the answer is the task's result.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Whole,
    /// What a path leads to.
    Item(&'static str),
    /// An object with one member: what a path leads to.
    Named(&'static str, &'static str),
}

/// When a job has ended.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// The text at a path is one of the first, or, with an error, one of the second.
    Status(&'static str, &'static [&'static str], &'static [&'static str]),
    /// All tasks of ECS have stopped; a container's exit code decides.
    Stopped,
    /// It is not found any more; a text at a path is the error.
    Gone(&'static str, &'static [&'static str]),
}

/// A job.
#[derive(Debug)]
pub(super) struct Kind {
    service: &'static str,
    action: &'static str,
    poll: Request,
    shape: Shape,
    until: Until,
    stop: Option<Request>,
}

const fn job(
    (service, action): (&'static str, &'static str),
    poll: Request,
    shape: Shape,
    until: Until,
    stop: Option<Request>,
) -> Kind {
    Kind { service, action, poll, shape, until, stop }
}

use Shape::{Item, Named, Whole};
use Source::{Asked, Each, Started, Text};
use Until::{Gone, Status, Stopped};

const BUILD_FAILED: &[&str] = &["FAILED", "FAULT", "TIMED_OUT", "STOPPED"];
const SAGEMAKER: (&[&str], &[&str]) = (&["Completed"], &["Failed", "Stopped"]);

/// A job of SageMaker, which has a name that the task gives.
macro_rules! sagemaker {
    ($create:literal, $describe:literal, $stop:literal, $name:literal, $status:literal) => {
        job(
            ("sagemaker", $create),
            ask($describe, &[one($name, Asked($name))]),
            Whole,
            Status($status, SAGEMAKER.0, SAGEMAKER.1),
            Some(ask($stop, &[one($name, Asked($name))])),
        )
    };
}

/// An application of EMR Serverless on its way to a state.
macro_rules! application {
    ($action:literal, $id:expr, $done:expr) => {
        job(
            ("emr-serverless", $action),
            ask("getApplication", &[one("ApplicationId", $id)]),
            Whole,
            Status("Application.State", $done, &["TERMINATED"]),
            None,
        )
    };
}

/// What EKS makes or takes away.
macro_rules! eks {
    ($create:literal, $delete:literal, $describe:literal, $status:literal, $fields:expr) => {
        [
            job(
                ("eks", $create),
                ask($describe, $fields),
                Whole,
                Status($status, &["ACTIVE"], &["FAILED", "CREATE_FAILED", "DELETE_FAILED", "DELETING"]),
                None,
            ),
            job(("eks", $delete), ask($describe, $fields), Whole, Gone($status, &["DELETE_FAILED"]), None),
        ]
    };
}

const NODEGROUP: &[Field] = &[one("ClusterName", Asked("ClusterName")), one("NodegroupName", Asked("NodegroupName"))];
const PROFILE: &[Field] =
    &[one("ClusterName", Asked("ClusterName")), one("FargateProfileName", Asked("FargateProfileName"))];
const EKS: [[Kind; 2]; 3] = [
    eks!("createCluster", "deleteCluster", "describeCluster", "Cluster.Status", &[one("Name", Asked("Name"))]),
    eks!("createNodegroup", "deleteNodegroup", "describeNodegroup", "Nodegroup.Status", NODEGROUP),
    eks!("createFargateProfile", "deleteFargateProfile", "describeFargateProfile", "FargateProfile.Status", PROFILE),
];

const KINDS: &[Kind] = &[
    job(
        ("states", "startExecution"),
        ask("describeExecution", &[one("ExecutionArn", Started("ExecutionArn"))]),
        Whole,
        Status("Status", &["SUCCEEDED"], &["FAILED", "TIMED_OUT", "ABORTED"]),
        Some(ask("stopExecution", &[one("ExecutionArn", Started("ExecutionArn"))])),
    ),
    job(
        ("ecs", "runTask"),
        ask("describeTasks", &[one("Cluster", Asked("Cluster")), one("Tasks", Each("Tasks", "TaskArn"))]),
        Item("Tasks.0"),
        Stopped,
        Some(ask(
            "stopTask",
            &[one("Cluster", Asked("Cluster")), one("Task", Started("Tasks.0.TaskArn")), one("Reason", Text(REASON))],
        )),
    ),
    job(
        ("batch", "submitJob"),
        ask("describeJobs", &[list("Jobs", Started("JobId"))]),
        Item("Jobs.0"),
        Status("Jobs.0.Status", &["SUCCEEDED"], &["FAILED"]),
        Some(ask("terminateJob", &[one("JobId", Started("JobId")), one("Reason", Text(REASON))])),
    ),
    job(
        ("glue", "startJobRun"),
        ask("getJobRun", &[one("JobName", Asked("JobName")), one("RunId", Started("JobRunId"))]),
        Item("JobRun"),
        Status("JobRun.JobRunState", &["SUCCEEDED"], &["FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"]),
        Some(ask("batchStopJobRun", &[one("JobName", Asked("JobName")), list("JobRunIds", Started("JobRunId"))])),
    ),
    job(
        ("databrew", "startJobRun"),
        ask("describeJobRun", &[one("Name", Asked("Name")), one("RunId", Started("RunId"))]),
        Whole,
        Status("State", &["SUCCEEDED"], &["FAILED", "STOPPED", "TIMEOUT"]),
        Some(ask("stopJobRun", &[one("Name", Asked("Name")), one("RunId", Started("RunId"))])),
    ),
    job(
        ("athena", "startQueryExecution"),
        ask("getQueryExecution", &[one("QueryExecutionId", Started("QueryExecutionId"))]),
        Whole,
        Status("QueryExecution.Status.State", &["SUCCEEDED"], &["FAILED", "CANCELLED"]),
        Some(ask("stopQueryExecution", &[one("QueryExecutionId", Started("QueryExecutionId"))])),
    ),
    job(
        ("codebuild", "startBuild"),
        ask("batchGetBuilds", &[list("Ids", Started("Build.Id"))]),
        Named("Build", "Builds.0"),
        Status("Builds.0.BuildStatus", &["SUCCEEDED"], BUILD_FAILED),
        Some(ask("stopBuild", &[one("Id", Started("Build.Id"))])),
    ),
    job(
        ("codebuild", "startBuildBatch"),
        ask("batchGetBuildBatches", &[list("Ids", Started("BuildBatch.Id"))]),
        Named("BuildBatch", "BuildBatches.0"),
        Status("BuildBatches.0.BuildBatchStatus", &["SUCCEEDED"], BUILD_FAILED),
        Some(ask("stopBuildBatch", &[one("Id", Started("BuildBatch.Id"))])),
    ),
    job(
        ("codebuild", "retryBuildBatch"),
        ask("batchGetBuildBatches", &[list("Ids", Started("BuildBatch.Id"))]),
        Named("BuildBatch", "BuildBatches.0"),
        Status("BuildBatches.0.BuildBatchStatus", &["SUCCEEDED"], BUILD_FAILED),
        Some(ask("stopBuildBatch", &[one("Id", Started("BuildBatch.Id"))])),
    ),
    sagemaker!("createTrainingJob", "describeTrainingJob", "stopTrainingJob", "TrainingJobName", "TrainingJobStatus"),
    sagemaker!(
        "createTransformJob",
        "describeTransformJob",
        "stopTransformJob",
        "TransformJobName",
        "TransformJobStatus"
    ),
    sagemaker!(
        "createProcessingJob",
        "describeProcessingJob",
        "stopProcessingJob",
        "ProcessingJobName",
        "ProcessingJobStatus"
    ),
    sagemaker!(
        "createHyperParameterTuningJob",
        "describeHyperParameterTuningJob",
        "stopHyperParameterTuningJob",
        "HyperParameterTuningJobName",
        "HyperParameterTuningJobStatus"
    ),
    sagemaker!("createLabelingJob", "describeLabelingJob", "stopLabelingJob", "LabelingJobName", "LabelingJobStatus"),
    job(
        ("elasticmapreduce", "createCluster"),
        ask("describeCluster", &[one("ClusterId", Started("ClusterId"))]),
        Whole,
        Status("Cluster.Status.State", &["WAITING", "TERMINATED"], &["TERMINATED_WITH_ERRORS"]),
        Some(ask("terminateCluster", &[one("ClusterId", Started("ClusterId"))])),
    ),
    job(
        ("elasticmapreduce", "terminateCluster"),
        ask("describeCluster", &[one("ClusterId", Asked("ClusterId"))]),
        Whole,
        Status("Cluster.Status.State", &["TERMINATED"], &["TERMINATED_WITH_ERRORS"]),
        None,
    ),
    job(
        ("elasticmapreduce", "addStep"),
        ask("describeStep", &[one("ClusterId", Asked("ClusterId")), one("StepId", Started("StepId"))]),
        Whole,
        Status("Step.Status.State", &["COMPLETED"], &["FAILED", "CANCELLED", "INTERRUPTED"]),
        Some(ask("cancelStep", &[one("ClusterId", Asked("ClusterId")), one("StepId", Started("StepId"))])),
    ),
    job(
        ("emr-containers", "startJobRun"),
        ask("describeJobRun", &[one("VirtualClusterId", Asked("VirtualClusterId")), one("Id", Started("Id"))]),
        Whole,
        Status("JobRun.State", &["COMPLETED"], &["FAILED", "CANCELLED"]),
        Some(ask("cancelJobRun", &[one("VirtualClusterId", Asked("VirtualClusterId")), one("Id", Started("Id"))])),
    ),
    job(
        ("emr-containers", "deleteVirtualCluster"),
        ask("describeVirtualCluster", &[one("Id", Asked("Id"))]),
        Whole,
        Status("VirtualCluster.State", &["TERMINATED"], &["ARRESTED"]),
        None,
    ),
    job(
        ("emr-serverless", "startJobRun"),
        ask("getJobRun", &[one("ApplicationId", Asked("ApplicationId")), one("JobRunId", Started("JobRunId"))]),
        Whole,
        Status("JobRun.State", &["SUCCESS"], &["FAILED", "CANCELLED"]),
        Some(ask(
            "cancelJobRun",
            &[one("ApplicationId", Asked("ApplicationId")), one("JobRunId", Started("JobRunId"))],
        )),
    ),
    job(
        ("emr-serverless", "cancelJobRun"),
        ask("getJobRun", &[one("ApplicationId", Asked("ApplicationId")), one("JobRunId", Asked("JobRunId"))]),
        Whole,
        Status("JobRun.State", &["CANCELLED", "SUCCESS"], &["FAILED"]),
        None,
    ),
    application!("createApplication", Started("ApplicationId"), &["CREATED", "STARTED"]),
    application!("startApplication", Asked("ApplicationId"), &["STARTED"]),
    application!("stopApplication", Asked("ApplicationId"), &["STOPPED"]),
    job(
        ("emr-serverless", "deleteApplication"),
        ask("getApplication", &[one("ApplicationId", Asked("ApplicationId"))]),
        Whole,
        Status("Application.State", &["TERMINATED"], &[]),
        None,
    ),
    job(
        ("mediaconvert", "createJob"),
        ask("getJob", &[one("Id", Started("Job.Id"))]),
        Whole,
        Status("Job.Status", &["COMPLETE"], &["ERROR", "CANCELED"]),
        Some(ask("cancelJob", &[one("Id", Started("Job.Id"))])),
    ),
    job(
        ("bedrock", "createModelCustomizationJob"),
        ask("getModelCustomizationJob", &[one("JobIdentifier", Started("JobArn"))]),
        Whole,
        Status("Status", &["Completed"], &["Failed", "Stopped"]),
        Some(ask("stopModelCustomizationJob", &[one("JobIdentifier", Started("JobArn"))])),
    ),
];

/// What a stopped job is told.
const REASON: &str = "The execution that waited for it was stopped";

impl Kind {
    pub(super) fn find(service: &str, action: &str) -> Option<&'static Kind> {
        let eks: &'static [[Kind; 2]; 3] = &EKS;
        let all = KINDS.iter().chain(eks.iter().flatten());
        all.into_iter().find(|kind| kind.service == service && kind.action == action)
    }
}

/// A job of an optimized service that is waited for.
pub(super) struct Job {
    pub(super) start: Action,
    pub(super) kind: &'static Kind,
    /// `.sync:2`: texts that hold JSON are read.
    pub(super) parsed: bool,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}.sync", self.start)
    }
}

#[async_trait]
impl Integration for Job {
    fn title(&self) -> String {
        format!("AWS, {self:?}")
    }

    fn runner(&self, parameters: Option<&Payload>) -> Runner {
        self.start.runner(parameters)
    }

    fn mode(&self) -> Mode {
        Mode::Job
    }

    fn check(&self, parameters: Option<&Payload>) -> Result<(), Missing> {
        self.start.check(parameters)
    }

    async fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        self.start.call(call).await
    }

    async fn poll(&self, call: &Call<'_>, started: &Value) -> Result<Progress, Failure> {
        let (action, parameters) = made(&self.kind.poll, call.parameters, started);
        let answer = match self.start.ask(action, &parameters, call).await {
            Ok(answer) => answer,
            Err(failure) if matches!(self.kind.until, Gone(..)) && is_gone(&failure) => {
                return Ok(Progress::Ended(Ok(Value::empty_object())));
            }
            Err(failure) => return Err(failure),
        };
        let Some(succeeded) = ended(self.kind.until, &answer)? else { return Ok(Progress::Running) };
        let result = match self.kind.shape {
            Whole => answer,
            Item(path) => at(&answer, path).clone(),
            Named(name, path) => Value::from_iter([(name, at(&answer, path).clone())]),
        };
        let result = if self.parsed { read(&result) } else { result };
        Ok(Progress::Ended(if succeeded { Ok(result) } else { Err(failed(&result)) }))
    }

    async fn stop(&self, call: &Call<'_>, started: &Value) {
        let Some(stop) = &self.kind.stop else { return };
        let (action, parameters) = made(stop, call.parameters, started);
        if let Err(failure) = self.start.ask(action, &parameters, call).await {
            tracing::warn!(job = ?self, error = failure.error.as_deref(), cause = failure.cause.as_deref(), "a job could not be stopped");
        }
    }
}

/// The error of a job that did not succeed.
pub(crate) fn failed(result: &Value) -> Failure {
    Failure::new("States.TaskFailed", result.to_string())
}

fn is_gone(failure: &Failure) -> bool {
    failure.error.as_deref().is_some_and(|error| error.contains("NotFound"))
}

/// A question with its parameters; what the task did not say is left out.
fn made(request: &Request, asked: &Value, started: &Value) -> (&'static str, Value) {
    let mut parameters = Map::new();
    for field in request.fields {
        let value = match field.from {
            Asked(path) => at(asked, path).clone(),
            Started(path) => at(started, path).clone(),
            Each(list, member) => {
                let items = at(started, list).as_array().into_iter().flatten();
                items.map(|item| item[member].clone()).collect()
            }
            Text(text) => Value::from(text),
        };
        if !value.is_null() {
            parameters.insert(field.name, if field.list { Value::from(vec![value]) } else { value });
        }
    }
    (request.action, Value::from(parameters))
}

/// What a path leads to, else null.
fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, part| match part.parse::<usize>() {
        Ok(index) => value.as_array().and_then(|items| items.get(index)).unwrap_or(&Value::Null),
        Err(_) => &value[part],
    })
}

/// Whether a job has ended, and well.
///
/// # Errors
/// The answer says nothing of it: the service may not know it yet.
fn ended(until: Until, answer: &Value) -> Result<Option<bool>, Failure> {
    let unknown = || Failure::new("States.TaskFailed", format!("The service does not know the job: {answer}"));
    let status = |path: &str, done: &[&str], failed: &[&str]| {
        let status = at(answer, path).as_str().ok_or_else(unknown)?;
        Ok(if failed.contains(&status) { Some(false) } else { done.contains(&status).then_some(true) })
    };
    match until {
        Status(path, done, failed) => status(path, done, failed),
        Gone(path, failed) => status(path, &[], failed),
        Stopped => {
            let tasks = answer["Tasks"].as_array().filter(|tasks| !tasks.is_empty()).ok_or_else(unknown)?;
            let stopped = tasks.iter().all(|task| task["LastStatus"].as_str() == Some("STOPPED"));
            Ok(stopped.then(|| tasks.iter().all(went_well)))
        }
    }
}

/// A task of ECS went well where it started and each of its containers ended with 0.
fn went_well(task: &Value) -> bool {
    let containers = task["Containers"].as_array().into_iter().flatten();
    let mut codes = containers.map(|container| container["ExitCode"].as_i64());
    task["StopCode"].as_str() != Some("TaskFailedToStart") && codes.all(|code| code == Some(0))
}

/// A description of an execution with its input and output as the JSON that they hold.
pub(crate) fn read(result: &Value) -> Value {
    let mut result: Map = result.as_object().cloned().unwrap_or_default();
    for name in ["Input", "Output"] {
        let parsed = result.get(name).and_then(Value::as_str).and_then(|text| text.parse::<Value>().ok());
        if let Some(value) = parsed {
            result.insert(name, value);
        }
    }
    Value::from(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use asl_aws::model;

    /// Each job's operations and their parameters are in the model: a name that AWS does not have asks for nothing.
    #[test]
    fn the_questions_are_operations() {
        for kind in KINDS.iter().chain(EKS.iter().flatten()) {
            for request in [Some(&kind.poll), kind.stop.as_ref()].into_iter().flatten() {
                if kind.service == "elasticmapreduce" && ["terminateCluster", "cancelStep"].contains(&request.action) {
                    continue; // Actions of the integration, not of the service.
                }
                let service = model::service(super::super::Optimized::find(kind.service).unwrap().resource).unwrap();
                let operation = service.operation(request.action);
                let operation = operation.unwrap_or_else(|| panic!("{}:{}", kind.service, request.action));
                let input = service.input(operation).unwrap();
                for field in request.fields {
                    let known = input.members.iter().any(|m| m.name.eq_ignore_ascii_case(field.name));
                    assert!(known, "{}:{} has no {}", kind.service, request.action, field.name);
                }
            }
        }
    }

    #[test]
    fn a_container_decides_about_a_task() {
        let task = |text: &str| ended(Stopped, &text.parse().unwrap()).ok().flatten();
        assert_eq!(task(r#"{"Tasks":[{"LastStatus":"RUNNING"}]}"#), None);
        assert_eq!(task(r#"{"Tasks":[{"LastStatus":"STOPPED","Containers":[{"ExitCode":0}]}]}"#), Some(true));
        assert_eq!(
            task(r#"{"Tasks":[{"LastStatus":"STOPPED","Containers":[{"ExitCode":0},{"ExitCode":2}]}]}"#),
            Some(false)
        );
        assert_eq!(
            task(r#"{"Tasks":[{"LastStatus":"STOPPED","StopCode":"TaskFailedToStart","Containers":[]}]}"#),
            Some(false)
        );
        assert!(ended(Stopped, &r#"{"Tasks":[],"Failures":[{"Reason":"MISSING"}]}"#.parse().unwrap()).is_err());
    }
}
