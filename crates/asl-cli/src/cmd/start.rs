//! `asl start`: an execution is written down, and a worker runs it.

use crate::args::Place;
use crate::common::definition::{Checked, checked};
use crate::common::engine::engine;
use crate::common::input::read_json;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::look::Look;
use crate::render::text::json;
use crate::terminal::{answer, say};
use asl::parts::mock::Mocks;
use asl::parts::syntax::Kind;
use asl::project::Opened;
use asl::{StartAs, StartExecution, aws};
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
    /// The input: JSON, or a file of JSON; - reads stdin [default: {}]
    #[arg(long, short, value_name = "JSON|FILE", allow_negative_numbers = true)]
    pub(crate) input: Option<String>,
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
    let Checked { opened, definition, .. } = checked(&args.definition, args.place.project.as_deref(), &wanted)?;
    let Opened { project, source, name, options, .. } = opened;
    let functions = project.functions(Arc::new(|_| {}))?;
    project.check(&source, &definition, &functions, &Mocks::default())?;
    let (input, _) = read_json("the input", args.input.as_deref().unwrap_or("{}"))?;

    let journal = place::write(&place::database_of(&args.place, &project)).await?;
    let engine = engine("asl start", &project, functions, Mocks::default(), &journal, None)?.build();
    let start = StartExecution { definition, state_machine: &name, name: args.name.as_deref(), input: &input };
    let about = StartAs { express: options.kind == Kind::Express, ..StartAs::default() };
    let started = engine.submit_as(start, about).await?;
    if args.json {
        let row = place::execution(&journal, Some(&started.arn)).await?;
        answer(&json(&aws::start_execution(&started.arn, row.started)))?;
    } else {
        answer(&format!("{}\n", started.arn))?;
    }
    if !asl::holders(&*journal)
        .await?
        .iter()
        .any(|holder| holder.alive && [super::worker::WORKER, super::serve::SERVER].contains(&&*holder.worker.what))
    {
        say(&format!("{}: no worker is running; `asl worker` runs it\n", Look::of_stderr().dim("hint")));
    }
    journal.close().await;
    Ok(Exit::Done)
}
