//! The engine of a project, and how an execution in this process is followed to its end.

use super::interrupt::Interrupt;
use crate::exit::{Exit, Trouble, error};
use crate::render::look::Look;
use crate::render::progress::Progress;
use crate::render::text;
use crate::terminal::{answer, say};
use asl::parts::function::{LogLine, LogSink};
use asl::parts::mock::Mocks;
use asl::project::Project;
use asl::{Database, Engine, EngineBuilder, EngineError, Failure, FunctionSet, Outcome, Status};
use std::sync::Arc;
use std::time::Duration;

/// The engine of a project over a journal; `what` is what other processes are told of it.
pub(crate) fn engine(
    what: &str,
    project: &Project,
    functions: FunctionSet,
    mocks: Mocks,
    journal: &Database,
    progress: Option<Arc<Progress>>,
) -> Result<EngineBuilder, Trouble> {
    let builder = Engine::builder(journal.clone()).called(what).identity(project.identity.clone()).functions(functions);
    let own = project.clone();
    let builder = builder
        .state_machines(move |name| own.state_machine(name))
        .services(project.services()?)
        .buckets(project.buckets())
        .aws(project.aws.clone())
        .http(project.http.clone())
        .mocks(mocks);
    Ok(match progress {
        Some(progress) => builder.observer(progress),
        None => builder,
    })
}

/// Where the lines of functions go.
pub(crate) fn log_sink(progress: &Arc<Progress>, project: &Project, quiet: bool) -> LogSink {
    if quiet {
        return Arc::new(|_: LogLine| {});
    }
    let (progress, called) = (progress.clone(), project.called());
    Arc::new(move |line: LogLine| progress.log(called.of(&line.function), &line.text))
}

/// Waits for the end of an execution, or for Ctrl-C.
pub(crate) async fn follow(
    end: impl Future<Output = Result<Outcome, EngineError>>,
    name: &str,
    interrupt: &mut Interrupt,
) -> Result<Exit, Trouble> {
    tokio::select! {
        outcome = end => tell(&outcome?, "execution"),
        () = interrupt.came() => {
            say(&format!("\ninterrupted: execution {name} stays in the database; `asl resume` goes on with it\n"));
            Ok(Exit::Interrupted)
        }
    }
}

/// After how long without an event the command says what the execution waits for.
const SILENCE: Duration = Duration::from_secs(2);
/// Longer histories are not gone through again only to be told about.
const MAX_EVENTS: u64 = 5_000;

/// Says what an execution waits for, each time that nothing has happened for a while. It does not end.
pub(crate) async fn tell_waits(journal: &Database, arn: &str, progress: Option<&Progress>) {
    let Some(progress) = progress else { return std::future::pending().await };
    let (mut seen, mut told) = (0, 0);
    loop {
        tokio::time::sleep(SILENCE).await;
        let Ok(Some(row)) = journal.execution(arn).await else { continue };
        if row.last_event == seen && told != seen && row.status == Status::Running && seen <= MAX_EVENTS {
            told = seen;
            if let Ok(pending) = asl::pending(&**journal, &row).await {
                progress.waits(&pending);
            }
        }
        seen = row.last_event;
    }
}

/// Ends what is at work; a second Ctrl-C does not wait for that.
pub(crate) async fn shut_down(engine: &Engine, journal: Database, interrupt: &mut Interrupt) -> Result<(), Trouble> {
    tokio::select! {
        down = engine.shutdown() => down?,
        () = interrupt.came() => return Ok(()),
    }
    journal.close().await;
    Ok(())
}

/// The output on stdout, or the error on stderr; `whose` is `execution` or `function`.
pub(crate) fn tell(outcome: &Outcome, whose: &str) -> Result<Exit, Trouble> {
    let (what, failure) = match outcome {
        Outcome::Succeeded(output) => {
            answer(&text::json(output))?;
            return Ok(Exit::Done);
        }
        Outcome::Failed(failure) => ("failed", failure),
        Outcome::TimedOut(failure) => ("timed out", failure),
        Outcome::Aborted(failure) => ("was aborted", failure),
    };
    complain(whose, what, failure);
    Ok(Exit::Failed)
}

pub(crate) fn complain(whose: &str, what: &str, failure: &Failure) {
    let name = failure.error.as_deref().map(|error| format!(": {}", text::one_line(error, None))).unwrap_or_default();
    error(Look::of_stderr(), &format!("the {whose} {what}{name}"), None);
    if let Some(cause) = failure.cause.as_deref().filter(|cause| !cause.is_empty()) {
        let whole = text::whole(cause);
        say(&whole.lines().map(|line| format!("  {line}\n")).collect::<String>());
    }
}
