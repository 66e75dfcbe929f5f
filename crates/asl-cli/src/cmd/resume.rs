//! `asl resume`: goes on with what was interrupted.

use crate::args::{BackendChoices, Place};
use crate::common::engine::{complain, engine, log_sink, shut_down};
use crate::common::interrupt::Interrupt;
use crate::common::mocks;
use crate::common::place;
use crate::exit::{Exit, Trouble, error};
use crate::render::blame::Sources;
use crate::render::look::Look;
use crate::render::progress::Progress;
use crate::render::text::json;
use crate::terminal::{answer, say};
use asl::parts::mock::Mocks;
use asl::{Database, Engine, EngineError, Map, Outcome};
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
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
    /// JSON: an object {"executionArn", "name", "status"} for each execution
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) backends: BackendChoices,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn resume(args: Resume) -> Result<Exit, Trouble> {
    let look = Look::of_stderr();
    let mut project = place::project(&args.place)?;
    project.aws = args.backends.over(&project.aws);
    let progress = Arc::new(Progress::new(None, look).placed(Sources::of(&project)));
    let functions = project.functions(log_sink(&progress, &project, args.quiet))?;
    let mut interrupt = Interrupt::listen()?;
    let journal = place::change(&place::database_of(&args.place, &project)).await?;
    let mocks = match &args.mock {
        Some(file) => mocks::load(file, &[&*only_machine(&journal).await?], args.mock_case.as_deref(), None)?,
        None => Mocks::default(),
    };
    let engine = engine("asl resume", &project, functions, mocks, &journal, (!args.quiet).then_some(progress))?.build();
    let exit = tokio::select! {
        exit = follow_all(&engine, &journal, &args.executions, args.json) => exit,
        () = interrupt.came() => {
            say("\ninterrupted: what has not ended stays in the database\n");
            Ok(Exit::Interrupted)
        }
    };
    shut_down(&engine, journal, &mut interrupt).await?;
    exit
}

/// A mock configuration is one state machine's.
async fn only_machine(journal: &Database) -> Result<String, Trouble> {
    let open = journal.open_executions().await?;
    let names: BTreeSet<&str> = open.iter().map(|row| row.state_machine.as_str()).collect();
    match names.into_iter().collect::<Vec<_>>().as_slice() {
        [] => Ok(String::new()),
        [only] => Ok((*only).to_owned()),
        several => {
            let message = format!("executions of several state machines are open: {}", several.join(", "));
            Err(Trouble::new(message).hint("--mock answers for one only; end the others first, with `asl stop`"))
        }
    }
}

/// Says what is not gone on with, because somebody runs it.
async fn mention_others(journal: &Database) -> Result<bool, Trouble> {
    let holders = asl::holders(&**journal).await?.into_iter();
    let others = holders.filter(|holder| holder.alive && holder.worker.process != std::process::id());
    let mut some = false;
    for holder in others.filter(|holder| holder.executions > 0) {
        let s = if holder.executions == 1 { "" } else { "s" };
        let (n, what, process) = (holder.executions, &holder.worker.what, holder.worker.process);
        say(&format!("{n} execution{s} left to {what} (process {process}), which is running\n"));
        some = true;
    }
    Ok(some)
}

/// Takes what is to be gone on with: those that are set aside too, for somebody has asked.
async fn taken(engine: &Engine, journal: &Database, only: &[String]) -> Result<Vec<Arc<str>>, Trouble> {
    if only.is_empty() {
        let mut arns = engine.resume().await?;
        let open = journal.open_executions().await?;
        for row in open.iter().filter(|row| row.set_aside.is_some()) {
            engine.take_back(&row.arn).await?;
        }
        arns.extend(engine.resume().await?);
        return Ok(arns);
    }
    let mut arns = Vec::new();
    for name in only {
        let row = place::execution(journal, Some(name)).await?;
        engine.take_back(&row.arn).await?;
        if engine.resume_only(&row.arn).await? {
            arns.push(row.arn.as_str().into());
        } else {
            say(&format!("{} has ended already, or somebody runs it: {}\n", row.name, row.status));
        }
    }
    Ok(arns)
}

/// One line on stdout for each execution: its name and how it ended.
async fn follow_all(engine: &Engine, journal: &Database, only: &[String], as_json: bool) -> Result<Exit, Trouble> {
    let arns = taken(engine, journal, only).await?;
    let others = mention_others(journal).await?;
    if arns.is_empty() && !others {
        say("there is nothing to go on with: every execution has ended\n");
    }
    let mut exit = Exit::Done;
    for arn in arns {
        let name = arn.rsplit(':').next().unwrap_or(&arn);
        let outcome = match engine.wait(&arn).await {
            Ok(outcome) => outcome,
            Err(problem @ (EngineError::Replay(_) | EngineError::SetAside { .. })) => {
                // The others go on.
                error(Look::of_stderr(), &format!("{name} cannot go on: {problem}"), None);
                exit = Exit::Failed;
                continue;
            }
            Err(problem) => return Err(problem.into()),
        };
        if let Outcome::Failed(failure) | Outcome::TimedOut(failure) | Outcome::Aborted(failure) = &outcome {
            exit = Exit::Failed;
            let what = outcome.status().to_ascii_lowercase().replace('_', " ");
            complain(&format!("execution {name}"), &what, failure);
        }
        if as_json {
            let item = [("executionArn", &*arn), ("name", name), ("status", outcome.status())];
            answer(&json(&Map::from_iter(item).into()))?;
        } else {
            answer(&format!("{name}  {}\n", outcome.status()))?;
        }
    }
    Ok(exit)
}
