//! `asl run`: everything is checked first; only then is the database touched.

use crate::args::{BackendChoices, Place, size};
use crate::common::definition::{Checked, checked_as, note};
use crate::common::engine::{engine, follow, log_sink, shut_down, tell_waits};
use crate::common::input::read_json;
use crate::common::interrupt::Interrupt;
use crate::common::mocks;
use crate::common::place;
use crate::common::threads::Threads;
use crate::exit::{Exit, Trouble};
use crate::render::blame::Sources;
use crate::render::look::Look;
use crate::render::progress::Progress;
use crate::terminal::say;
use asl::parts::mock::Mocks;
use asl::parts::syntax::Kind;
use asl::parts::syntax::model::{Definition, State, StateKind};
use asl::project::Opened;
use asl::{Clock, StartAs, StartExecution, Value, aws};
use clap::Args;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The definition: JSON, or YAML in a file named .yaml or .yml; or a SAM or CloudFormation template
    pub(crate) definition: PathBuf,
    /// Of a template with several: the state machine, its logical id or name
    #[arg(long, value_name = "NAME")]
    pub(crate) state_machine: Option<String>,
    /// The input: JSON, or a file of JSON; - reads stdin [default: {}]
    #[arg(long, short, value_name = "JSON|FILE", allow_negative_numbers = true)]
    pub(crate) input: Option<String>,
    /// The execution's name [default: a new UUID]
    #[arg(long, short)]
    pub(crate) name: Option<String>,
    /// Run it as a synchronous Express execution: its rules, five minutes, and what AWS would bill. So runs what a template says is EXPRESS
    #[arg(long)]
    pub(crate) express: bool,
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

pub(crate) fn run(args: Run) -> Result<Exit, Trouble> {
    let look = Look::of_stderr();
    let wanted = args.place.stack.wanted(args.state_machine.as_deref());
    let checked = checked_as(&args.definition, args.place.project.as_deref(), &wanted, args.express)?;
    let Checked { mut opened, definition, warnings } = checked;
    opened.project.aws = args.backends.over(&opened.project.aws);
    let Opened { project, source, name, options, .. } = &opened;
    let express = options.kind == Kind::Express;
    if !args.quiet {
        note(&opened.notes, look);
        mention(&args.definition, warnings, look);
    }
    let progress = Arc::new(Progress::new(Some(&definition), look).placed(Sources::of(project).and(source)));
    let functions = project.functions(log_sink(&progress, project, args.quiet))?;
    let mocks = match &args.mock {
        Some(file) => {
            let names: Vec<&str> = [name.as_str()].into_iter().chain(opened.logical_id.as_deref()).collect();
            mocks::load(file, &names, args.mock_case.as_deref(), Some(&definition))?
        }
        None => Mocks::default(),
    };
    project.check(source, &definition, &functions, &mocks)?;
    let (input, _) = read_json("the input", args.input.as_deref().unwrap_or("{}"))?;

    threads(&definition).block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let journal = place::write(&place::database_of(&args.place, project)).await?;
        let clock = if args.skip_time { Clock::skipping(Clock::real().now()) } else { Clock::real() };
        let progress = (!args.quiet).then_some(progress);
        let engine = engine("asl run", project, functions, mocks, &journal, progress.clone())?;
        let engine = engine.clock(clock).max_memory(args.max_memory).build();
        let start = StartExecution { definition, state_machine: name, name: args.name.as_deref(), input: &input };
        let ended = match engine.start_as(start, StartAs { express, ..StartAs::default() }).await {
            Ok(started) => {
                let outcome = async {
                    let ended = engine.ended(&started).await?;
                    if let (true, false, Some(at)) = (express, args.quiet, started.at()) {
                        billed(&aws::billing_details(at, ended.at), look);
                    }
                    Ok(ended.outcome)
                };
                tokio::select! {
                    ended = follow(outcome, &started.name, &mut interrupt) => ended,
                    () = tell_waits(&journal, &started.arn, progress.as_deref()) => Ok(Exit::Done),
                }
            }
            Err(refused) => Err(refused.into()),
        };
        shut_down(&engine, journal, &mut interrupt).await?;
        ended
    })
}

/// What AWS would bill for an Express execution.
fn billed(details: &Value, look: Look) {
    let (ms, mb) = (&details["billedDurationInMilliseconds"], &details["billedMemoryUsedInMB"]);
    say(&format!("{}\n", look.dim(&format!("Express: AWS bills {ms} ms at {mb} MB"))));
}

/// An execution is one machine; the children of a Distributed Map are executions of their own.
fn threads(definition: &Definition) -> Threads {
    let is_distributed = |state: &State| matches!(&state.kind, StateKind::Map(map) if map.distributed.is_some());
    if definition.states.iter().any(is_distributed) { Threads::Cores } else { Threads::One }
}

/// Warnings do not keep a definition from running: that there are some is enough here.
fn mention(definition: &Path, warnings: usize, look: Look) {
    let s = if warnings == 1 { "" } else { "s" };
    if warnings > 0 {
        let file = definition.display();
        say(&format!("{}: {warnings} warning{s}; `asl check {file}` shows more\n", look.warn("warning")));
    }
}
