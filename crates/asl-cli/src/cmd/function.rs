//! `asl function invoke`.

use crate::args::{Place, Stack};
use crate::common::engine::tell;
use crate::common::input::read_json;
use crate::common::interrupt::Interrupt;
use crate::common::place;
use crate::common::services;
use crate::exit::{Exit, Trouble};
use crate::render::look::Look;
use crate::render::progress::Progress;
use asl::Outcome;
use clap::{Args, Subcommand};
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub(crate) enum Function {
    /// Invoke a function: what it answers on stdout, what it prints on stderr
    Invoke(Invoke),
}

#[derive(Debug, Args)]
pub(crate) struct Invoke {
    /// The function
    pub(crate) name: String,
    /// The event: JSON, or a file of JSON; - reads stdin [default: {}]
    #[arg(long, short, value_name = "JSON|FILE", allow_negative_numbers = true)]
    pub(crate) input: Option<String>,
    /// Say nothing on stderr but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// The project file [default: $ASL_PROJECT, or the nearest asl.toml or template.yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub(crate) stack: Stack,
}

pub(crate) async fn function(function: Function) -> Result<Exit, Trouble> {
    let Function::Invoke(args) = function;
    let (_, event) = read_json("the event", args.input.as_deref().unwrap_or("{}"))?;
    let project = place::project(&Place { project: args.project, stack: args.stack, db: None })?;
    let name = project.physical(&args.name).to_owned();
    services::declared("function", &name, project.functions.iter().map(|function| function.name.as_str()))?;
    let progress = Arc::new(Progress::new(None, Look::of_stderr()));
    let functions = project.functions(crate::common::engine::log_sink(&progress, &project, args.quiet))?;
    let mut interrupt = Interrupt::listen()?;
    let request_id = services::uuid();
    let exit = tokio::select! {
        answered = functions.invoke(&name, &event, &request_id) => match answered {
            Ok(answer) => tell(&Outcome::Succeeded(answer), "function"),
            Err(failure) => tell(&Outcome::Failed(failure), "function"),
        },
        () = interrupt.came() => Ok(Exit::Interrupted),
    };
    functions.shutdown().await;
    exit
}
