//! `asl run`: everything is checked first; only then is the database touched.

use super::{findings, mocks, not_json};
use crate::args::Run;
use crate::exit::{Exit, Trouble, answer, error, say};
use crate::place;
use crate::render::look::Look;
use crate::render::progress::Progress;
use crate::render::text;
use crate::threads::Threads;
use asl::parts::function::{LogLine, LogSink};
use asl::parts::mock::Mocks;
use asl::parts::syntax::model::{Definition, State, StateKind};
use asl::parts::syntax::{Severity, load};
use asl::project::{Opened, Problem, Project};
use asl::{Clock, Engine, EngineBuilder, EngineError, Failure, FunctionSet, Journal, Outcome, StartExecution, Value};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) fn run(args: Run) -> Result<Exit, Trouble> {
    let look = Look::of_stderr();
    let wanted = args.place.stack.wanted(args.state_machine.as_deref());
    let mut opened = Project::open(&args.definition, args.place.project.as_deref(), &wanted)?;
    opened.project.aws = args.backends.over(&opened.project.aws);
    let Opened { project, source, name, .. } = &opened;
    let loaded = load(source, &opened.options);
    let Some(definition) = loaded.definition else {
        return Err(Trouble::Places(findings(source, &loaded, Severity::Error)));
    };
    if !args.quiet {
        note(&opened.notes, look);
        mention(&args.definition, loaded.diagnostics.len(), look);
    }
    let progress = Arc::new(Progress::new(Some(&definition), look));
    let functions = project.functions(log_sink(&progress, args.quiet))?;
    let mocks = match &args.mock {
        Some(file) => {
            let names: Vec<&str> = [name.as_str()].into_iter().chain(opened.logical_id.as_deref()).collect();
            mocks::load(file, &names, args.mock_case.as_deref(), Some(&definition))?
        }
        None => Mocks::default(),
    };
    project.check(source, &definition, &functions, &mocks)?;
    let input = read_input(args.input.as_deref())?;

    threads(&definition).block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let journal = place::write(&place::database_of(&args.place, project)).await?;
        let clock = if args.skip_time { Clock::skipping(Clock::real().now()) } else { Clock::real() };
        let engine = engine("asl run", project, functions, mocks, &journal, (!args.quiet).then_some(progress))?;
        let engine = engine.clock(clock).max_memory(args.max_memory).build();
        let start = StartExecution { definition, state_machine: name, name: args.name.as_deref(), input: &input };
        let ended = match engine.start(start).await {
            Ok(started) => follow(engine.wait_for(&started), &started.name, &mut interrupt).await,
            Err(refused) => Err(refused.into()),
        };
        shut_down(&engine, journal, &mut interrupt).await?;
        ended
    })
}

/// An execution is one machine; the children of a Distributed Map are executions of their own.
fn threads(definition: &Definition) -> Threads {
    let is_distributed = |state: &State| matches!(&state.kind, StateKind::Map(map) if map.distributed.is_some());
    if definition.states.iter().any(is_distributed) { Threads::Cores } else { Threads::One }
}

/// A quiet line for each note about a template.
pub(crate) fn note(notes: &[Problem], look: Look) {
    for note in notes {
        let place = note.line_column().map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        let help = note.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
        say(&format!("{}\n", look.dim(&format!("note: {}{place}: {}{help}", note.file, note.message))));
    }
}

/// Warnings do not keep a definition from running: that there are some is enough here.
fn mention(definition: &Path, warnings: usize, look: Look) {
    let s = if warnings == 1 { "" } else { "s" };
    if warnings > 0 {
        let file = definition.display();
        say(&format!("{}: {warnings} warning{s}; `asl check {file}` shows more\n", look.warn("warning")));
    }
}

/// The engine of a project over a journal; `what` is what other processes are told of it.
pub(crate) fn engine(
    what: &str,
    project: &Project,
    functions: FunctionSet,
    mocks: Mocks,
    journal: &Journal,
    progress: Option<Arc<Progress>>,
) -> Result<EngineBuilder, Trouble> {
    let builder = Engine::builder(journal.clone()).called(what).identity(project.identity.clone()).functions(functions);
    let builder =
        builder.services(project.services()?).buckets(project.buckets()).aws(project.aws.clone()).mocks(mocks);
    Ok(match progress {
        Some(progress) => builder.observer(progress),
        None => builder,
    })
}

/// Where the lines of functions go.
pub(crate) fn log_sink(progress: &Arc<Progress>, quiet: bool) -> LogSink {
    if quiet {
        return Arc::new(|_: LogLine| {});
    }
    let progress = progress.clone();
    Arc::new(move |line: LogLine| progress.log(&line))
}

/// Ctrl-C, or what `kill` and service managers send: from when it is listened for, it no longer ends the process by itself.
pub(crate) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    pub(crate) fn listen() -> Result<Interrupt, Trouble> {
        let listen = |kind, name| {
            signal(kind).map_err(|problem| Trouble::new(format!("{name} cannot be listened for: {problem}")))
        };
        let interrupt = listen(SignalKind::interrupt(), "Ctrl-C")?;
        Ok(Interrupt { interrupt, terminate: listen(SignalKind::terminate(), "SIGTERM")? })
    }

    pub(crate) async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ends what is at work; a second Ctrl-C does not wait for that.
pub(crate) async fn shut_down(engine: &Engine, journal: Journal, interrupt: &mut Interrupt) -> Result<(), Trouble> {
    tokio::select! {
        down = engine.shutdown() => down?,
        () = interrupt.came() => return Ok(()),
    }
    journal.close().await;
    Ok(())
}

/// Waits for the end, or for Ctrl-C.
pub(crate) async fn follow(
    end: impl Future<Output = Result<Outcome, EngineError>>,
    name: &str,
    interrupt: &mut Interrupt,
) -> Result<Exit, Trouble> {
    tokio::select! {
        outcome = end => tell(&outcome?),
        () = interrupt.came() => {
            say(&format!("\ninterrupted: execution {name} stays in the database; `asl resume` goes on with it\n"));
            Ok(Exit::Interrupted)
        }
    }
}

/// The output on stdout, or the error on stderr.
pub(crate) fn tell(outcome: &Outcome) -> Result<Exit, Trouble> {
    let (what, failure) = match outcome {
        Outcome::Succeeded(output) => {
            answer(&text::json(output))?;
            return Ok(Exit::Done);
        }
        Outcome::Failed(failure) => ("failed", failure),
        Outcome::TimedOut(failure) => ("timed out", failure),
        Outcome::Aborted(failure) => ("was aborted", failure),
    };
    complain(what, failure);
    Ok(Exit::Failed)
}

fn complain(what: &str, failure: &Failure) {
    let name = failure.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    error(Look::of_stderr(), &format!("the execution {what}{name}"), None);
    if let Some(cause) = failure.cause.as_deref().filter(|cause| !cause.is_empty()) {
        let whole = text::whole(cause);
        say(&whole.lines().map(|line| format!("  {line}\n")).collect::<String>());
    }
}

pub(crate) fn read_input(file: Option<&Path>) -> Result<String, Trouble> {
    let Some(file) = file else { return Ok("{}".to_owned()) };
    let mut bytes = Vec::new();
    let (name, read) = if file == Path::new("-") {
        ("<stdin>".to_owned(), std::io::stdin().read_to_end(&mut bytes).map(|_| ()))
    } else {
        (file.display().to_string(), std::fs::read(file).map(|read| bytes = read))
    };
    read.map_err(|problem| Trouble::new(format!("the input {name} cannot be read: {problem}")).hint("check the path"))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Trouble::new(format!("the input {name} is not UTF-8")).hint("save it as UTF-8"))?;
    let parsed: Result<Value, _> = text.parse();
    match parsed {
        Ok(_) => Ok(text),
        Err(problem) => Err(not_json("the input", &name, &text, &problem)),
    }
}
