//! What can be asked for.

use asl::Status;
use asl::parts::aws::{Aws, Choice, Choices};
use asl::project::{StackOptions, Wanted};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Runs Amazon States Language state machines, here.
#[derive(Debug, Parser)]
#[command(name = "asl", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 it succeeded; 1 the execution failed, timed out or was aborted, a replay differs, or a test fails; \
                          2 the command, project, definition or database is wrong; 124 `asl wait` waited long enough; 130 interrupted.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a definition: its output on stdout, what happens on stderr
    Run(Run),
    /// Go on with executions that were interrupted
    Resume(Resume),
    /// Run executions until told to stop: those of `asl start`, and those that were interrupted
    Worker(crate::cmd::worker::WorkerArgs),
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
    /// List executions, newest first
    List(List),
    /// Show what happened in an execution
    History(History),
    /// Run what was recorded through the machine again, and compare every event
    Replay(crate::cmd::replay::Replay),
    /// Look into a queue
    #[command(subcommand)]
    Queue(Queue),
    /// Look into a table
    #[command(subcommand)]
    Table(Table),
    /// Check definitions and project files without running anything
    Check(Check),
    /// Run the test cases of definitions, with time skipped
    Test(crate::cmd::test::Test),
    /// Draw a definition, and what became of an execution of it
    Graph(Graph),
    /// Explain a rule that `asl check` names, or what is made of a template
    Explain(Explain),
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

/// Where things are.
#[derive(Debug, ClapArgs)]
pub(crate) struct Place {
    /// The project file, or a SAM or CloudFormation template [default: the nearest asl.toml or template.yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stack: Stack,
    /// The database [default: .asl/asl.db beside the project file]
    #[arg(long, value_name = "FILE")]
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

#[derive(Debug, ClapArgs)]
pub(crate) struct Run {
    /// The definition: JSON, or YAML in a file named .yaml or .yml; or a SAM or CloudFormation template
    pub(crate) definition: PathBuf,
    /// Of a template with several: the state machine, its logical id or name
    #[arg(long, value_name = "NAME")]
    pub(crate) state_machine: Option<String>,
    /// The input, a file of JSON; - reads stdin [default: {}]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// The execution's name [default: a new UUID]
    #[arg(long, short)]
    pub(crate) name: Option<String>,
    /// Say nothing on stderr but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Answer tasks from a mock configuration, in the format of AWS Step Functions Local
    #[arg(long, value_name = "FILE[#CASE]")]
    pub(crate) mock: Option<PathBuf>,
    /// Its test case [default: the only one it has for the definition]
    #[arg(long, value_name = "CASE", requires = "mock")]
    pub(crate) mock_case: Option<String>,
    /// Skip waits, back-offs and timeouts: they take no real time, and the history has the times they would have had
    #[arg(long)]
    pub(crate) skip_time: bool,
    /// The most bytes of inputs, variables and results in memory before no child of a Distributed Map is let in (K, M, G)
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size)]
    pub(crate) max_memory: usize,
    #[command(flatten)]
    pub(crate) backends: BackendChoices,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Resume {
    /// Only these, by name, the beginning of the name, or ARN [default: all that nobody runs, those set aside too]
    #[arg(value_name = "EXECUTION")]
    pub(crate) executions: Vec<String>,
    /// Answer tasks from a mock configuration, as `asl run --mock` does
    #[arg(long, value_name = "FILE")]
    pub(crate) mock: Option<PathBuf>,
    /// Its test case [default: the only one it has for the definition]
    #[arg(long, value_name = "CASE", requires = "mock")]
    pub(crate) mock_case: Option<String>,
    /// Say nothing on stderr but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) backends: BackendChoices,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct List {
    /// Only those with this status: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<Status>,
    /// Only those of this definition, by its name (fare, for fare.asl.json)
    #[arg(long, value_name = "NAME")]
    pub(crate) definition: Option<String>,
    /// Only children of Distributed Maps, which are left out otherwise
    #[arg(long)]
    pub(crate) children: bool,
    /// Only children of this map run
    #[arg(long, value_name = "ARN", conflicts_with = "children")]
    pub(crate) map_run: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
    /// JSON, in the shape of `aws stepfunctions list-executions`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct History {
    /// The execution: its name, the beginning of its name, or its ARN [default: the last one]
    pub(crate) execution: Option<String>,
    /// JSON, in the shape of `aws stepfunctions get-execution-history`
    #[arg(long)]
    pub(crate) json: bool,
    /// The records themselves, with the definition: lines of JSON that every later version replays
    #[arg(long, conflicts_with = "json")]
    pub(crate) records: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Queue {
    /// Receive messages: they are hidden from others for the queue's visibility timeout
    Receive(Receive),
    /// Look at messages without receiving them, hidden ones too
    Peek(Peek),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Receive {
    /// The queue
    pub(crate) name: String,
    /// At most so many messages: 1 to 10, as on AWS
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(crate) max: u32,
    /// How long they stay hidden, in seconds [default: the queue's own]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=43_200))]
    pub(crate) visibility_timeout: Option<u32>,
    /// JSON, in the shape of `aws sqs receive-message`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Peek {
    /// The queue
    pub(crate) name: String,
    /// At most so many messages
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) max: u32,
    /// JSON, in the shape of `aws sqs receive-message`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Table {
    /// Show the items of a table, in key order
    Scan(Scan),
    /// Show one item
    Get(Get),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Scan {
    /// The table
    pub(crate) name: String,
    /// At most so many items
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
    /// JSON, in the shape of `aws dynamodb scan`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Get {
    /// The table
    pub(crate) name: String,
    /// The value of the hash key
    #[arg(allow_hyphen_values = true)]
    pub(crate) key: String,
    /// The value of the range key, in a table that has one
    #[arg(allow_hyphen_values = true)]
    pub(crate) range: Option<String>,
    /// JSON, in the shape of `aws dynamodb get-item`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Check {
    /// Definitions: JSON, or YAML in files named .yaml or .yml; templates; and project files, named .toml
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Of a template, only this state machine: its logical id or name
    #[arg(long, value_name = "NAME")]
    pub(crate) state_machine: Option<String>,
    /// JSON, in the shape of `aws stepfunctions validate-state-machine-definition`: one line a definition
    #[arg(long)]
    pub(crate) json: bool,
    /// The project file, which gives ${...} their values [default: the nearest asl.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stack: Stack,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Graph {
    /// The definition: JSON, or YAML in a file named .yaml or .yml; or a SAM or CloudFormation template
    pub(crate) definition: PathBuf,
    /// Of a template with several: the state machine, its logical id or name
    #[arg(long, value_name = "NAME")]
    pub(crate) state_machine: Option<String>,
    /// What to draw it as
    #[arg(long, short, value_enum, default_value_t = Picture::Text)]
    pub(crate) format: Picture,
    /// Show what became of this execution: its name, the beginning of its name, or its ARN
    #[arg(long, value_name = "EXECUTION")]
    pub(crate) execution: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What a graph is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Picture {
    Text,
    Svg,
    Mermaid,
    Dot,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Explain {
    /// The rule, such as missing-target, none lists them all; or a template, to see what is made of it
    #[arg(value_name = "RULE|TEMPLATE")]
    pub(crate) rule: Option<String>,
    /// Of a template: JSON, with every state machine's definition as it runs here
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) stack: Stack,
}
