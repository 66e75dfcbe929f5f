//! `asl redrive`: an execution that failed, timed out or was stopped goes on from there.

use crate::args::{BackendChoices, Mocking, Place};
use crate::common::engine::{engine, follow, log_sink, shut_down, tell_waits};
use crate::common::interrupt::Interrupt;
use crate::common::mocks;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::blame::Sources;
use crate::render::look::Look;
use crate::render::progress::Progress;
use clap::Args;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Redrive {
    /// The execution: its name, the beginning of its name, or its ARN
    pub(crate) execution: String,
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

pub(crate) async fn redrive(args: Redrive) -> Result<Exit, Trouble> {
    let mut project = place::project(&args.place)?;
    project.aws = args.backends.over(&project.aws);
    let progress = Arc::new(Progress::new(None, Look::of_stderr()).placed(Sources::of(&project)));
    let functions = project.functions(log_sink(&progress, &project, args.quiet))?;
    let mut interrupt = Interrupt::listen()?;
    let journal = place::change(&place::database_of(&args.place, &project)).await?;
    let row = place::execution(&journal, Some(&args.execution)).await?;
    let progress = (!args.quiet).then_some(progress);
    let mocks = mocks::asked(&args.mocking, &row.state_machine)?;
    let engine = engine("asl redrive", &project, functions, mocks, &journal, progress.clone())?.build();
    let ended = match engine.redrive(&row.arn).await {
        Ok(()) => tokio::select! {
            ended = follow(engine.wait(&row.arn), &row.name, &mut interrupt) => ended,
            () = tell_waits(&journal, &row.arn, progress.as_deref()) => Ok(Exit::Done),
        },
        Err(refused) => Err(refused.into()),
    };
    shut_down(&engine, journal, &mut interrupt).await?;
    ended
}
