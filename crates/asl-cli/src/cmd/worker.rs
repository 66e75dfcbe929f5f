//! `asl worker`: runs what nobody runs, until it is told to stop.

use crate::args::{BackendChoices, Place};
use crate::common::clock::now_ms;
use crate::common::definition::note;
use crate::common::engine::engine;
use crate::common::interrupt::Interrupt;
use crate::common::place;
use crate::exit::{Exit, Trouble, error};
use crate::render::look::Look;
use crate::terminal::say;
use asl::parts::function::LogLine;
use asl::parts::mock::Mocks;
use asl::project::Retention;
use asl::{Engine, EventKind, Journal, Notice, Observer, Timestamp, Update};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What other processes see.
pub(crate) const WORKER: &str = "asl worker";

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// The project file or template, as --project names it
    #[arg(value_name = "PROJECT", conflicts_with = "project")]
    pub(crate) file: Option<PathBuf>,
    /// The most executions in memory at once; those that only wait do not count
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_active: u32,
    /// The most bytes of inputs, variables and results in memory before no other execution is let in (K, M, G)
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = crate::args::size)]
    pub(crate) max_memory: usize,
    /// When told to stop, how long tasks in flight may go on, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) drain_timeout: u32,
    /// Say nothing on stderr but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) backends: BackendChoices,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn worker(mut args: WorkerArgs) -> Result<Exit, Trouble> {
    args.place.project = args.file.take().or(args.place.project);
    let mut project = place::project(&args.place)?;
    project.aws = args.backends.over(&project.aws);
    let log = Arc::new(Log { look: Look::of_stderr(), quiet: args.quiet });
    if !args.quiet {
        note(project.notes(), log.look);
    }
    let sink = log.clone();
    let functions = project.functions(Arc::new(move |line: LogLine| sink.function(&line)))?;
    let mut signals = Interrupt::listen()?;
    let database = place::database_of(&args.place, &project);
    let journal = place::write(&database).await?;
    let builder = engine(WORKER, &project, functions, Mocks::default(), &journal, None);
    let engine =
        builder?.max_active(args.max_active as usize).max_memory(args.max_memory).observer(log.clone()).build();
    engine.serve().await?;
    log.say(&format!("worker of {} is ready; Ctrl-C stops it\n", place::shorter(&database).display()));
    let lost = tokio::select! {
        lost = engine.stopped() => Some(lost),
        () = keep(&journal, project.retention, &log) => None,
        () = signals.came() => None,
    };
    if let Some(lost) = lost {
        engine.shutdown().await?;
        journal.close().await;
        return Err(lost.into());
    }
    drain(&engine, journal, &args, &log, &mut signals, &database).await
}

/// How often it is looked whether executions have been kept long enough.
const CLEAN: Duration = Duration::from_secs(3600);

/// Deletes executions that have been kept as long as the project says. It does not end.
async fn keep(journal: &Journal, retention: Option<Retention>, log: &Log) {
    let Some(retention) = retention else { return std::future::pending().await };
    loop {
        let mut deleted = 0;
        for purge in retention.purges(Timestamp::from_millis(now_ms())) {
            match journal.purge(&purge).await {
                Ok(count) => deleted += count,
                // Another process may be writing for long; the next try is in an hour.
                Err(problem) => error(log.look, &format!("executions cannot be deleted: {problem}"), problem.hint()),
            }
        }
        if deleted > 0 {
            let s = if deleted == 1 { "" } else { "s" };
            log.say(&format!("{deleted} execution{s} deleted, as [retention] says\n"));
        }
        tokio::time::sleep(CLEAN).await;
    }
}

async fn drain(
    engine: &Engine,
    journal: Journal,
    args: &WorkerArgs,
    log: &Log,
    signals: &mut Interrupt,
    database: &Path,
) -> Result<Exit, Trouble> {
    log.say(&format!("stopping within {} s; Ctrl-C again stops at once\n", args.drain_timeout));
    tokio::select! {
        drained = engine.drain(Duration::from_secs(args.drain_timeout.into())) => drained?,
        () = signals.came() => return Ok(Exit::Interrupted),
    }
    let open = journal.counts().await?.get(&asl::Status::Running).copied().unwrap_or(0);
    journal.close().await;
    let s = if open == 1 { "" } else { "s" };
    log.say(&format!("stopped; {open} open execution{s} in {}\n", place::shorter(database).display()));
    Ok(Exit::Done)
}

/// A line for each beginning and each end. It remembers nothing, however many executions there are.
struct Log {
    look: Look,
    quiet: bool,
}

impl Log {
    fn say(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    fn function(&self, line: &LogLine) {
        let text = crate::render::text::one_line(&line.text, None);
        self.say(&format!("  {} {text}\n", self.look.dim(&format!("{} |", line.function))));
    }
}

impl Observer for Log {
    /// What is wrong is said whatever was asked for.
    fn notify(&self, notice: &Notice) {
        match notice {
            Notice::GaveBack { .. } => self.say(&format!("{notice}\n")),
            trouble => say(&format!("{}: {trouble}\n", self.look.warn("warning"))),
        }
    }

    fn observe(&self, update: &Update<'_>) {
        let name = &update.execution.name;
        let machine = self.look.strong(&update.execution.state_machine_name);
        // The first event is written by whoever starts it.
        if update.events.first().is_some_and(|event| event.id <= 2) {
            self.say(&format!("{machine}  {name}  started\n"));
        }
        for event in update.events {
            let end = match &event.kind {
                EventKind::ExecutionSucceeded { .. } => self.look.good("succeeded"),
                EventKind::ExecutionFailed(failure) => {
                    let error = failure.error.as_deref().unwrap_or("no error name");
                    format!("{}: {error}", self.look.bad("failed"))
                }
                EventKind::ExecutionTimedOut(_) => self.look.bad("timed out"),
                EventKind::ExecutionAborted(_) => self.look.bad("aborted"),
                _ => continue,
            };
            self.say(&format!("{machine}  {name}  {end}\n"));
        }
    }
}
