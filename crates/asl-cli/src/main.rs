//! The `asl` command: arguments, rendering, exit codes. Everything else is the library's.
//!
//! What it was asked for goes to stdout and nothing else does; talk goes to stderr. Meaning is never told by colour
//! alone.
#![forbid(unsafe_code)]

mod args;
mod cmd;
mod common;
mod exit;
mod render;
mod talk;
mod terminal;

use args::{Args, Command};
use clap::Parser;
use common::threads::Threads;
use exit::Exit;
use render::look::Look;
use std::process::ExitCode;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Executions are made on one thread and taken down on another, which is what this allocator is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // First of all: this program is also the supervisor of its functions.
    asl::parts::function::supervisor::serve_if_asked();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(refused) => return usage(&refused),
    };
    render::look::ask(args.color);
    trace();
    if matches!(
        args.command,
        Command::Run(_)
            | Command::Resume(_)
            | Command::Redrive(_)
            | Command::Rerun(_)
            | Command::Worker(_)
            | Command::Serve(_)
            | Command::Function(_)
    ) {
        talk::stop_nobody();
    }
    let code = match dispatch(args) {
        Ok(exit) => exit.into(),
        Err(trouble) => trouble.tell(Look::of_stderr()),
    };
    talk::end();
    code
}

/// The help that was asked for, or what is wrong with the arguments.
fn usage(told: &clap::Error) -> ExitCode {
    let text = told.render().to_string();
    // It repeats arguments, which may come from elsewhere.
    if terminal::safe(&text) == text {
        told.exit();
    }
    terminal::say(&text);
    ExitCode::from(2)
}

fn dispatch(args: Args) -> Result<Exit, exit::Trouble> {
    let (one, cores) = (Threads::One, Threads::Cores);
    match args.command {
        Command::Run(run) => cmd::run::run(run),
        Command::Resume(resume) => cores.block_on(cmd::resume::resume(resume)),
        Command::Worker(worker) => cores.block_on(cmd::worker::worker(worker)),
        Command::Serve(serve) => cores.block_on(cmd::serve::serve(serve)),
        Command::Start(start) => one.block_on(cmd::start::start(start)),
        Command::Describe(describe) => one.block_on(cmd::describe::describe(describe)),
        Command::Stop(stop) => one.block_on(cmd::stop::stop(stop)),
        Command::Wait(wait) => one.block_on(cmd::wait::wait(wait)),
        Command::SendTaskSuccess(args) => one.block_on(cmd::send_task::success(args)),
        Command::SendTaskFailure(args) => one.block_on(cmd::send_task::failure(args)),
        Command::SendTaskHeartbeat(args) => one.block_on(cmd::send_task::heartbeat(args)),
        Command::Redrive(redrive) => cores.block_on(cmd::redrive::redrive(redrive)),
        Command::Rerun(rerun) => cores.block_on(cmd::rerun::rerun(rerun)),
        Command::List(list) => one.block_on(cmd::list::list(list)),
        Command::History(history) => one.block_on(cmd::history::history(history)),
        Command::Replay(replay) => one.block_on(cmd::replay::replay(replay)),
        Command::Queue(queue) => one.block_on(cmd::queue::queue(queue)),
        Command::Table(table) => one.block_on(cmd::table::table(table)),
        Command::Topic(topic) => one.block_on(cmd::topic::topic(topic)),
        Command::Function(function) => cores.block_on(cmd::function::function(function)),
        Command::Bucket(bucket) => cmd::bucket::bucket(bucket),
        Command::Purge(purge) => one.block_on(cmd::purge::purge(purge)),
        Command::Db(db) => one.block_on(cmd::db::db(db)),
        Command::Down(down) => one.block_on(cmd::down::down(down)),
        Command::Check(check) => cmd::check::check(check),
        Command::Test(test) => cores.block_on(cmd::test::test(test)),
        Command::Graph(graph) => one.block_on(cmd::graph::graph(graph)),
        Command::Explain(explain) => cmd::explain::explain(explain),
        Command::Init(init) => cmd::init::init(init),
        Command::Completions(completions) => cmd::completions::completions(completions),
        Command::Man(man) => cmd::completions::man(man),
    }
}

/// The engine's own log, where it is asked for: `ASL_LOG=debug asl run ...`. It has no colours.
fn trace() {
    let Some(wanted) = std::env::var("ASL_LOG").ok().filter(|wanted| !wanted.trim().is_empty()) else { return };
    match wanted.parse::<Targets>() {
        Ok(targets) => {
            let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| terminal::Log);
            tracing_subscriber::registry().with(lines.with_filter(targets)).init();
        }
        Err(problem) => terminal::say(&format!(
            "{}: ASL_LOG is no filter ({problem}); write a level such as debug, or asl_engine=debug,info\n",
            Look::of_stderr().warn("warning")
        )),
    }
}
