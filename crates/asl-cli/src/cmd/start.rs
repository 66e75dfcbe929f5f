//! `asl start`: an execution is written down, and a worker runs it.

use super::findings;
use super::run::{engine, read_input};
use crate::args::Place;
use crate::exit::{Exit, Trouble, answer, say};
use crate::place;
use crate::render::look::Look;
use crate::render::text::json;
use asl::parts::mock::Mocks;
use asl::parts::syntax::{Severity, load};
use asl::project::{Opened, Project};
use asl::{Map, StartExecution, Value};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Start {
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
    /// JSON, in the shape of `aws stepfunctions start-execution`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn start(args: Start) -> Result<Exit, Trouble> {
    let wanted = args.place.stack.wanted(args.state_machine.as_deref());
    let opened = Project::open(&args.definition, args.place.project.as_deref(), &wanted)?;
    let Opened { project, source, name, .. } = opened;
    let loaded = load(&source, &opened.options);
    let Some(definition) = loaded.definition else {
        return Err(Trouble::Places(findings(&source, &loaded, Severity::Error)));
    };
    let functions = project.functions(Arc::new(|_| {}))?;
    project.check(&source, &definition, &functions, &Mocks::default())?;
    let input = read_input(args.input.as_deref())?;

    let journal = place::write(&place::database_of(&args.place, &project)).await?;
    let engine = engine("asl start", &project, functions, Mocks::default(), &journal, None)?.build();
    let start = StartExecution { definition, state_machine: &name, name: args.name.as_deref(), input: &input };
    let started = engine.submit(start).await?;
    if args.json {
        let row = place::execution(&journal, Some(&started.arn)).await?;
        let shape = [("executionArn", Value::from(&*started.arn)), ("startDate", row.started.to_cli_string().into())];
        answer(&json(&Value::from(Map::from_iter(shape))))?;
    } else {
        answer(&format!("{}\n", started.arn))?;
    }
    if !asl::holders(&journal).await?.iter().any(|holder| holder.alive && holder.worker.what == super::worker::WORKER) {
        say(&format!("{}: no worker is running; `asl worker` runs it\n", Look::of_stderr().dim("hint")));
    }
    journal.close().await;
    Ok(Exit::Done)
}
