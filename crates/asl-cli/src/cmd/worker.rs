//! `asl worker`: runs what nobody runs, until it is told to stop.

use crate::args::{BackendChoices, Place, Working};
use crate::common::clock::now_ms;
use crate::common::definition::note;
use crate::common::engine::engine;
use crate::common::interrupt::Interrupt;
use crate::common::place;
use crate::common::watch::{self, Watched};
use crate::exit::{Exit, Trouble, error};
use crate::render::blame::Sources;
use crate::render::log::Log;
use crate::render::look::Look;
use crate::render::text::counted;
use crate::terminal::say;
use asl::parts::function::LogLine;
use asl::parts::mock::Mocks;
use asl::project::{Project, Retention};
use asl::{Database, Engine, FunctionSet, Timestamp};
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
    #[command(flatten)]
    pub(crate) working: Working,
    #[command(flatten)]
    pub(crate) backends: BackendChoices,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn worker(mut args: WorkerArgs) -> Result<Exit, Trouble> {
    args.place.project = args.file.take().or(args.place.project);
    let mut project = load(&args)?;
    let log = Arc::new(Log::new(Look::of_stderr(), args.working.quiet, Sources::of(&project)));
    let mut functions = functions(&project, &log)?;
    let mut signals = Interrupt::listen()?;
    let database = place::database_of(&args.place, &project);
    let journal = place::write(&database).await?;
    let mut watched = Watched::of(project.files());
    if !args.working.quiet {
        note(project.notes(), log.look);
    }
    loop {
        let builder = engine(WORKER, &project, functions, Mocks::default(), &journal, None)?;
        let builder = builder.max_active(args.max_active as usize).max_memory(args.working.max_memory);
        let engine = builder.observer(log.clone()).build();
        engine.serve().await?;
        log.say(&format!("worker of {} is ready; Ctrl-C stops it\n", place::shorter(&database).display()));
        let next = tokio::select! {
            lost = engine.stopped() => {
                engine.shutdown().await?;
                journal.close().await;
                return Err(lost.into());
            }
            () = keep(&journal, project.retention, &log) => None,
            () = signals.came() => None,
            next = changed(&args, &log, &mut watched) => Some(next),
        };
        let Some(next) = next else {
            return drain(&engine, journal, &args, &log, &mut signals, &database).await;
        };
        // Executions keep the definition they began with; what runs their tasks is the new project's.
        tokio::select! {
            drained = engine.drain(args.working.drain()) => drained?,
            () = signals.came() => return Ok(Exit::Interrupted),
        }
        (project, functions) = next;
    }
}

fn load(args: &WorkerArgs) -> Result<Project, Trouble> {
    let mut project = place::project(&args.place)?;
    project.aws = args.backends.over(&project.aws);
    Ok(project)
}

pub(crate) fn functions(project: &Project, log: &Arc<Log>) -> Result<FunctionSet, Trouble> {
    let (sink, called) = (log.clone(), project.called());
    Ok(project.functions(Arc::new(move |line: LogLine| sink.function(called.of(&line.function), &line.text)))?)
}

/// Waits until the project file, or the template, is another one that can be used. Of one that cannot, it says why, once.
async fn changed(args: &WorkerArgs, log: &Arc<Log>, watched: &mut Watched) -> (Project, FunctionSet) {
    loop {
        tokio::time::sleep(watch::LOOK).await;
        let Some(file) = watched.look() else { continue };
        let file = place::shorter(&file).display().to_string();
        let loaded = load(args).and_then(|project| Ok((functions(&project, log)?, project)));
        match loaded {
            Ok((functions, project)) => {
                let within = args.working.drain_timeout;
                log.say(&format!(
                    "{file} has changed: it is reloaded when tasks in flight have ended, within {within} s\n"
                ));
                *watched = Watched::of(project.files());
                return (project, functions);
            }
            Err(trouble) => {
                trouble.tell(log.look);
                say(&format!(
                    "{}: {file} has changed and cannot be used; the worker goes on as before\n",
                    log.look.warn("warning")
                ));
            }
        }
    }
}

/// How often it is looked whether executions have been kept long enough.
const CLEAN: Duration = Duration::from_secs(3600);

/// Deletes executions that have been kept as long as the project says. It does not end.
pub(crate) async fn keep(journal: &Database, retention: Option<Retention>, log: &Log) {
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
            log.say(&format!("{} deleted, as [retention] says\n", counted(deleted, "execution")));
        }
        tokio::time::sleep(CLEAN).await;
    }
}

async fn drain(
    engine: &Engine,
    journal: Database,
    args: &WorkerArgs,
    log: &Log,
    signals: &mut Interrupt,
    database: &Path,
) -> Result<Exit, Trouble> {
    log.say(&format!("stopping within {} s; Ctrl-C again stops at once\n", args.working.drain_timeout));
    tokio::select! {
        drained = engine.drain(args.working.drain()) => drained?,
        () = signals.came() => return Ok(Exit::Interrupted),
    }
    let open = journal.counts().await?.get(&asl::Status::Running).copied().unwrap_or(0);
    journal.close().await;
    log.say(&format!("stopped; {} in {}\n", counted(open, "open execution"), place::shorter(database).display()));
    Ok(Exit::Done)
}
