//! Running test cases: each on an engine of its own, in memory, with time skipped.

use super::check::{Contents, Mismatch, check};
use super::coverage::{Coverage, Point};
use super::expect::Expect;
use super::file::{Case, TestFile};
use super::stores;
use super::trace::{Recorded, Recorder};
use crate::project::{Opened, Problem, Project, ProjectError, StackOptions, Wanted, shown};
use crate::{Clock, Definition, Engine, Failure, FunctionSet, Journal, Outcome, StartExecution, Value};
use asl_syntax::model::StateKind;
use asl_syntax::{Options, ResourceKind, Source, load};
use asl_task::bucket::Buckets;
use asl_task::mock::{MockRule, MockedState, Mocks, Reply};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Chance is the same in every run of a test.
const SEED: u64 = 1;
/// How the cause begins of a task that was called and should have been mocked.
const NOT_MOCKED: &str = "called, and not mocked: ";

/// A test file that is ready to run: its definition loads, and what it names is there.
pub struct Suite {
    /// The test file.
    pub file: TestFile,
    source: Source,
    definition: Arc<Definition>,
    project: Project,
    functions: FunctionSet,
}

/// What came of a test case.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// What is not as expected; the case passes when nothing is.
    pub mismatches: Vec<Mismatch>,
    /// How long it really took.
    pub took: Duration,
    /// How the execution ended; `None` when it did not.
    pub outcome: Option<Outcome>,
    /// What it reached of the definition.
    pub reached: BTreeSet<Point>,
}

impl CaseResult {
    /// Whether everything is as expected.
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }
}

impl Suite {
    /// Reads a test file with its definition and its project: `project`, or the nearest `asl.toml` of the definition.
    ///
    /// # Errors
    /// Everything that is wrong with any of the three, each with its place.
    pub fn load(path: &Path, project: Option<&Path>) -> Result<Suite, ProjectError> {
        Suite::load_with(path, project, &StackOptions::default())
    }

    /// As [`Suite::load`], with options for the stack of a template.
    ///
    /// # Errors
    /// As [`Suite::load`].
    pub fn load_with(path: &Path, project: Option<&Path>, stack: &StackOptions) -> Result<Suite, ProjectError> {
        let file = TestFile::load(path)?;
        let stack = stack.clone();
        let wanted = Wanted { state_machine: file.state_machine.clone(), stack, unbound: false };
        let opened = Project::open(&file.definition, project, &wanted)?;
        let definition = definition(&opened)?;
        let (project, source) = (opened.project, opened.source);
        let functions = project.functions(Arc::new(|_| {}))?;
        let suite = Suite { file, source, definition, project, functions };
        suite.misplaced()?;
        Ok(suite)
    }

    /// Mocks of states that the definition does not have.
    fn misplaced(&self) -> Result<(), ProjectError> {
        let mut problems: Vec<Problem> = Vec::new();
        for error in self.file.cases.iter().flat_map(|case| case.mocks.misplaced(&self.definition)) {
            let mut problem = Problem::new(&shown(&self.file.path), &self.file.text, error.message);
            (problem.span, problem.help) = (error.span, error.help);
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(ProjectError { problems }) }
    }

    /// Runs one case. `limit` is how long it may really take. Must be called inside a tokio runtime.
    pub async fn run(&self, case: &Case, limit: Duration) -> CaseResult {
        let began = Instant::now();
        let recorder = Arc::new(Recorder::new(self.definition.clone()));
        let executed = self.execute(case, recorder.clone(), limit).await;
        let recorded = recorder.recorded();
        let mut mismatches = not_mocked(&recorded);
        let outcome = match executed {
            Ok((outcome, contents)) => {
                mismatches.extend(check(&case.expect, &outcome, &recorded, &self.definition, &contents));
                Some(outcome)
            }
            Err(problem) => {
                mismatches.push(Mismatch::new(problem, Vec::new()));
                None
            }
        };
        CaseResult { mismatches, took: began.elapsed(), outcome, reached: recorded.reached }
    }

    async fn execute(
        &self,
        case: &Case,
        recorder: Arc<Recorder>,
        limit: Duration,
    ) -> Result<(Outcome, Contents), String> {
        let told = |error: &dyn std::error::Error| error.to_string();
        let journal = Journal::in_memory().await.map_err(|e| told(&e))?;
        let services = self.project.services().map_err(|e| told(&e))?;
        let scratch = Scratch::new();
        let engine = Engine::builder(journal.clone())
            .identity(self.project.identity.clone())
            .functions(self.functions(case))
            .services(services.clone())
            .buckets(self.buckets(&scratch))
            .aws(self.project.aws.mocked())
            .http(self.project.http.clone())
            .state_machines({
                let project = self.project.clone();
                move |name| project.state_machine(name)
            })
            .mocks(self.mocks(case).map_err(|e| told(&e))?)
            .clock(Clock::skipping(case.now))
            .seed(SEED)
            .observer(recorder)
            .build();
        let name = slug(&case.name);
        let (definition, state_machine) = (self.definition.clone(), &*self.file.name);
        let start = StartExecution { definition, state_machine, name: Some(&name), input: &case.input };
        let started = engine.start(start).await.map_err(|e| told(&e))?;
        let Ok(outcome) = tokio::time::timeout(limit, engine.wait(&started.arn)).await else {
            // What is at work is given up; that it may have ended this moment does not matter.
            let _ = engine.stop(&started.arn, Failure::default()).await;
            return Err(format!("it did not end within {} s of real time", limit.as_secs_f64()));
        };
        let outcome = outcome.map_err(|e| told(&e))?;
        let contents = contents(&case.expect, &self.project, &journal, &services).await;
        drop(engine);
        journal.close().await;
        Ok((outcome, contents))
    }

    /// Where nothing may run, a topic delivers to functions that do nothing.
    fn functions(&self, case: &Case) -> FunctionSet {
        if !case.mock_only {
            return self.functions.clone();
        }
        let mut functions = FunctionSet::new(self.project.identity.clone());
        for spec in &self.project.functions {
            functions.add(&spec.name, Arc::new(|_: Value| async { Ok(Value::Null) }));
        }
        functions
    }

    fn buckets(&self, scratch: &Scratch) -> Buckets {
        self.project.buckets().written_to(&scratch.0)
    }

    /// The case's mocks, and one that says so for each state that cannot or must not run.
    fn mocks(&self, case: &Case) -> Result<Mocks, ProjectError> {
        let mut mocks = case.mocks.clone();
        let mut refuse = |state: &str, why: String| {
            let cause = format!("{NOT_MOCKED}{state}: {why}");
            let rules = vec![MockRule::always(Reply::Throw(Failure::new("States.Runtime", cause)).into())];
            mocks.set(state, MockedState { rules, ..MockedState::default() });
        };
        for unsupported in self.project.backends(&self.functions, &case.mocks)?.unsupported(&self.definition) {
            refuse(&unsupported.state, unsupported.missing.message);
        }
        for state in self.definition.states.iter().filter(|state| case.mock_only && !case.mocks.contains(&state.name)) {
            let StateKind::Task(task) = &state.kind else { continue };
            let calls = match &task.resource.kind {
                ResourceKind::Lambda { .. } => true,
                ResourceKind::Service { service, .. } => &**service == "lambda",
                ResourceKind::Activity { .. } => false,
            };
            if calls {
                refuse(&state.name, "functions do not run under mockOnly".to_owned());
            }
        }
        Ok(mocks)
    }

    /// What some results reached together.
    pub fn coverage<'r>(&self, results: impl IntoIterator<Item = &'r CaseResult>) -> Coverage {
        let reached = results.into_iter().flat_map(|result| result.reached.iter().copied()).collect();
        Coverage::of(&self.source, &self.definition, &reached)
    }

    /// Ends the functions' processes.
    pub async fn shutdown(&self) {
        self.functions.shutdown().await;
    }
}

fn definition(opened: &Opened) -> Result<Arc<Definition>, ProjectError> {
    let source = &opened.source;
    let loaded = load(source, &Options { lints: false, ..opened.options });
    loaded.definition.ok_or_else(|| {
        let errors = loaded.diagnostics.into_iter().filter(|diagnostic| diagnostic.is_error());
        let problems = errors.map(|diagnostic| {
            let mut problem = Problem::new(source.name(), source.original(), diagnostic.message);
            (problem.span, problem.labels, problem.help) = (diagnostic.span, diagnostic.labels, diagnostic.help);
            problem
        });
        ProjectError { problems: problems.collect() }
    })
}

/// Calls that should have been mocked, whatever the execution made of them.
fn not_mocked(recorded: &Recorded) -> Vec<Mismatch> {
    let causes: BTreeSet<&str> = recorded.causes().filter(|cause| cause.starts_with(NOT_MOCKED)).collect();
    causes.into_iter().map(|cause| Mismatch::new(cause, Vec::new())).collect()
}

async fn contents(
    expect: &Expect,
    project: &Project,
    journal: &Journal,
    services: &asl_task::embedded::Services,
) -> Contents {
    let mut contents = Contents::new();
    for name in expect.tables.keys() {
        let held = stores::table(journal, services, project.physical(name)).await;
        contents.insert(format!("table {name}"), held.map_err(|unread| unread.0));
    }
    for name in expect.queues.keys() {
        let held = stores::queue(journal, services, project.physical(name)).await;
        contents.insert(format!("queue {name}"), held.map_err(|unread| unread.0));
    }
    contents
}

/// A case's name as that of an execution.
fn slug(name: &str) -> String {
    let allowed = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let slug: String = name.chars().map(allowed).take(80).collect();
    if slug.is_empty() { "case".to_owned() } else { slug }
}

/// A folder for what one case writes to buckets; made when it is needed, gone with the case.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("asl-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Scratch(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.exists() {
            // What is left in the folder for temporary files hurts nobody.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
