//! `asl rerun`: a new execution that begins at a state which another one came to.

use crate::args::{BackendChoices, Mocking, Place};
use crate::common::definition::{Checked, checked};
use crate::common::engine::{engine, follow, log_sink, shut_down, tell_waits};
use crate::common::input::read_json;
use crate::common::interrupt::Interrupt;
use crate::common::mocks;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::blame::Sources;
use crate::render::look::Look;
use crate::render::progress::Progress;
use asl::RerunAs;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Rerun {
    /// The execution: its name, the beginning of its name, or its ARN
    pub(crate) execution: String,
    /// The state to begin at, one of the top level
    #[arg(long, value_name = "STATE")]
    pub(crate) from: String,
    /// What the state gets: JSON, or a file of JSON; - reads stdin [default: what it got then, the last time]
    #[arg(long, short, value_name = "JSON|FILE", allow_negative_numbers = true)]
    pub(crate) input: Option<String>,
    /// The definition to run [default: the one that the execution ran]
    #[arg(long, value_name = "FILE")]
    pub(crate) definition: Option<PathBuf>,
    /// The new execution's name [default: a new UUID]
    #[arg(long, short)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) mocking: Mocking,
    /// Say nothing on stderr but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) backends: BackendChoices,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn rerun(args: Rerun) -> Result<Exit, Trouble> {
    let mut project = place::project(&args.place)?;
    project.aws = args.backends.over(&project.aws);
    let wanted = args.place.stack.wanted(None);
    let definition = match &args.definition {
        Some(file) => {
            let Checked { definition, .. } = checked(file, args.place.project.as_deref(), &wanted)?;
            Some(definition)
        }
        None => None,
    };
    let input = match &args.input {
        Some(input) => Some(read_json("the input", input)?.0),
        None => None,
    };
    let progress = Arc::new(Progress::new(definition.as_deref(), Look::of_stderr()).placed(Sources::of(&project)));
    let functions = project.functions(log_sink(&progress, &project, args.quiet))?;
    let mut interrupt = Interrupt::listen()?;
    let journal = place::change(&place::database_of(&args.place, &project)).await?;
    let row = place::execution(&journal, Some(&args.execution)).await?;
    let progress = (!args.quiet).then_some(progress);
    let mocks = mocks::asked(&args.mocking, &row.state_machine)?;
    let engine = engine("asl rerun", &project, functions, mocks, &journal, progress.clone())?.build();
    let again = RerunAs { from: &args.from, input: input.as_deref(), definition, name: args.name.as_deref() };
    let ended = match engine.rerun(&row.arn, again).await {
        Ok(started) => tokio::select! {
            ended = follow(engine.wait_for(&started), &started.name, &mut interrupt) => ended,
            () = tell_waits(&journal, &started.arn, progress.as_deref()) => Ok(Exit::Done),
        },
        Err(refused) => Err(refused.into()),
    };
    shut_down(&engine, journal, &mut interrupt).await?;
    ended
}
