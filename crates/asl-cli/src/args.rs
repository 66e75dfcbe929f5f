//! What can be asked for.

use asl::parts::aws::{Aws, Choice, Choices};
use asl::project::{StackOptions, Wanted};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Runs Amazon States Language state machines, here.
#[derive(Debug, Parser)]
#[command(name = "asl", version = env!("ASL_VERSION"), max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// When to use colour; NO_COLOR and CLICOLOR_FORCE are obeyed
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto, display_order = 990)]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 it succeeded; 1 the execution failed, timed out or was aborted, a replay differs, or a test fails; \
                          2 the command, project, definition or database is wrong; 124 `asl wait` waited long enough; 130 interrupted.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin a project: a definition, what it calls, a test
    Init(crate::cmd::init::Init),
    /// Run a definition: its output on stdout, what happens on stderr
    Run(crate::cmd::run::Run),
    /// Go on with executions that were interrupted
    Resume(crate::cmd::resume::Resume),
    /// Run executions until told to stop: those of `asl start`, and those that were interrupted
    Worker(crate::cmd::worker::WorkerArgs),
    /// Answer AWS Step Functions' API over HTTP, and run executions, until told to stop
    Serve(crate::cmd::serve::Serve),
    /// Start an execution for a worker to run: its ARN on stdout
    Start(crate::cmd::start::Start),
    /// Show an execution: status, input, output
    Describe(crate::cmd::describe::Describe),
    /// Stop an execution
    Stop(crate::cmd::stop::Stop),
    /// Wait until an execution ends: its output on stdout
    Wait(crate::cmd::wait::Wait),
    /// Answer a task token: the task succeeded
    SendTaskSuccess(crate::cmd::send_task::Success),
    /// Answer a task token: the task failed
    SendTaskFailure(crate::cmd::send_task::Failed),
    /// Tell that whoever has a task token is still at work
    SendTaskHeartbeat(crate::cmd::send_task::Heartbeat),
    /// Go on with an execution that failed, timed out or was aborted, from where that happened
    Redrive(crate::cmd::redrive::Redrive),
    /// Do an execution again from a state on, as a new execution: with the input that the state had, or another one
    Rerun(crate::cmd::rerun::Rerun),
    /// List executions, newest first
    List(crate::cmd::list::List),
    /// Show what happened in an execution
    History(crate::cmd::history::History),
    /// Run what was recorded through the machine again, and compare every event
    Replay(crate::cmd::replay::Replay),
    /// Look at, take and send the messages of a queue
    #[command(subcommand)]
    Queue(crate::cmd::queue::Queue),
    /// Look at and change the items of a table
    #[command(subcommand)]
    Table(crate::cmd::table::Table),
    /// Publish to a topic
    #[command(subcommand)]
    Topic(crate::cmd::topic::Topic),
    /// Invoke a function
    #[command(subcommand)]
    Function(crate::cmd::function::Function),
    /// Look at and change the objects of a bucket
    #[command(subcommand)]
    Bucket(crate::cmd::bucket::Bucket),
    /// Delete executions that ended long ago
    Purge(crate::cmd::purge::Purge),
    /// Look after a database: check it, copy it, make it small
    #[command(subcommand)]
    Db(crate::cmd::db::Db),
    /// Delete everything that a project made: executions, items, messages
    Down(crate::cmd::down::Down),
    /// Check definitions and project files without running anything
    Check(crate::cmd::check::Check),
    /// Run the test cases of definitions, with time skipped
    Test(crate::cmd::test::Test),
    /// Draw a definition, and what became of an execution of it
    Graph(crate::cmd::graph::Graph),
    /// Explain a rule that `asl check` names, or what is made of a template
    Explain(crate::cmd::explain::Explain),
    /// Write a script with which a shell completes commands
    Completions(crate::cmd::completions::Completions),
    /// Write manual pages
    Man(crate::cmd::completions::Man),
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Into pipes and files too.
    Always,
    /// Nowhere.
    Never,
}

/// What a template's stack is made with.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct Stack {
    /// The name of a template's stack, which the names of its resources begin with [default: the folder's]
    #[arg(long, value_name = "NAME")]
    pub(crate) stack_name: Option<String>,
    /// A parameter of a template; may be given more than once
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Stack {
    pub(crate) fn options(&self) -> StackOptions {
        StackOptions { name: self.stack_name.clone(), parameters: self.parameters.iter().cloned().collect() }
    }

    /// The state machine of a template that is wanted.
    pub(crate) fn wanted(&self, state_machine: Option<&str>) -> Wanted {
        Wanted { state_machine: state_machine.map(str::to_owned), stack: self.options(), unbound: false }
    }
}

/// `64K`, `512M`, `2G`, or bytes.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let (digits, shift) = match text.strip_suffix(['K', 'k', 'M', 'm', 'G', 'g']) {
        Some(digits) if text.ends_with(['K', 'k']) => (digits, 10),
        Some(digits) if text.ends_with(['M', 'm']) => (digits, 20),
        Some(digits) => (digits, 30),
        None => (text, 0),
    };
    let bytes: Option<usize> = digits.parse().ok().and_then(|n: usize| n.checked_mul(1 << shift));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "a size such as 512M or 2G is needed".to_owned())
}

/// What answers the tasks of an execution that goes on.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct Mocking {
    /// Answer tasks from a mock configuration, as `asl run --mock` does
    #[arg(long, value_name = "FILE[#CASE]")]
    pub(crate) mock: Option<PathBuf>,
    /// Its test case [default: the only one it has for the definition]
    #[arg(long, value_name = "CASE", requires = "mock")]
    pub(crate) mock_case: Option<String>,
}

/// How a process works that runs what others start.
#[derive(Debug, ClapArgs)]
pub(crate) struct Working {
    /// The most bytes of inputs, variables and results in memory before no other execution is let in (K, M, G)
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub(crate) max_memory: usize,
    /// When told to stop, how long what is in flight may go on, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) drain_timeout: u32,
    /// Say nothing on stderr but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Working {
    /// How long what is in flight may go on.
    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_timeout.into())
    }
}

/// Where things are.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct Place {
    /// The project file, or a SAM or CloudFormation template [default: $ASL_PROJECT, or the nearest asl.toml or template.yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stack: Stack,
    /// The database, a file or postgres://... [default: $ASL_DB, or .asl/asl.db beside the project file]
    #[arg(long, value_name = "DATABASE")]
    pub(crate) db: Option<PathBuf>,
}

/// What runs the tasks of services.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct BackendChoices {
    /// What runs a service's tasks, over the project file: embedded, aws, mock or off; may be given more than once
    #[arg(long = "backend", value_name = "SERVICE=WHAT", value_parser = backend)]
    chosen: Vec<(String, Choice)>,
}

fn backend(text: &str) -> Result<(String, Choice), String> {
    let (service, choice) = text.split_once('=').ok_or("write SERVICE=WHAT: dynamodb=aws, aws-sdk:rekognition=aws")?;
    let choice = choice.parse()?;
    let checked = Choices::default().with(service, choice);
    checked.map_err(|error| format!("{error}: {}", error.hint))?;
    Ok((service.to_owned(), choice))
}

impl BackendChoices {
    /// The AWS of a project with these choices over its own.
    pub(crate) fn over(&self, aws: &Aws) -> Aws {
        let mut choices = aws.choices().clone();
        for (service, choice) in &self.chosen {
            // What cannot be chosen was refused with the arguments.
            let _ = choices.set(service, *choice);
        }
        aws.with_choices(choices)
    }
}
