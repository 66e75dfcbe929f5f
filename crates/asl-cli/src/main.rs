//! The `asl` command: arguments, rendering, exit codes. Everything else is the library's.
//!
//! What it was asked for goes to stdout and nothing else does; talk goes to stderr. Meaning is never told by colour
//! alone.
#![forbid(unsafe_code)]

mod args;
mod cmd;
mod exit;
mod place;
mod render;

use args::{Args, Command};
use clap::Parser;
use exit::Exit;
use render::look::Look;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    trace();
    let look = Look::of_stderr();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(problem) => return exit::Trouble::new(format!("the command cannot start: {problem}")).tell(look),
    };
    match runtime.block_on(dispatch(args)) {
        Ok(exit) => exit.into(),
        Err(trouble) => trouble.tell(look),
    }
}

async fn dispatch(args: Args) -> Result<Exit, exit::Trouble> {
    match args.command {
        Command::Run(run) => cmd::run::run(run).await,
        Command::Resume(resume) => cmd::resume::resume(resume).await,
        Command::Worker(worker) => cmd::worker::worker(worker).await,
        Command::Start(start) => cmd::start::start(start).await,
        Command::Describe(describe) => cmd::describe::describe(describe).await,
        Command::Stop(stop) => cmd::stop::stop(stop).await,
        Command::Wait(wait) => cmd::wait::wait(wait).await,
        Command::SendTaskSuccess(args) => cmd::send_task::success(args).await,
        Command::SendTaskFailure(args) => cmd::send_task::failure(args).await,
        Command::SendTaskHeartbeat(args) => cmd::send_task::heartbeat(args).await,
        Command::Redrive(redrive) => cmd::redrive::redrive(redrive).await,
        Command::List(list) => cmd::list::list(list).await,
        Command::History(history) => cmd::history::history(history).await,
        Command::Replay(replay) => cmd::replay::replay(replay).await,
        Command::Queue(queue) => cmd::queue::queue(queue).await,
        Command::Table(table) => cmd::table::table(table).await,
        Command::Check(check) => cmd::check::check(check),
        Command::Test(test) => cmd::test::test(test).await,
        Command::Graph(graph) => cmd::graph::graph(graph).await,
        Command::Explain(explain) => cmd::explain::explain(explain),
    }
}

/// The engine's own log, for those who ask for it: `ASL_LOG=debug asl run ...`.
fn trace() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("ASL_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
}
