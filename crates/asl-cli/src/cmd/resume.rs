//! `asl resume`: goes on with what was interrupted.

use super::run::{Interrupt, engine, log_sink};
use crate::args::Resume;
use crate::exit::{Exit, Trouble, answer, say};
use crate::place;
use crate::render::look::Look;
use crate::render::progress::Progress;
use asl::Clock;
use asl::parts::mock::Mocks;
use asl::{Engine, Outcome};
use std::sync::Arc;

pub(crate) async fn resume(args: Resume) -> Result<Exit, Trouble> {
    let look = Look::of_stderr();
    let project = place::project(&args.place)?;
    let progress = Arc::new(Progress::new(None, look));
    let functions = project.functions(log_sink(&progress, args.quiet))?;
    let mut interrupt = Interrupt::listen()?;
    let journal = place::change(&place::database_of(&args.place, &project)).await?;
    let engine =
        engine(&project, functions, Mocks::default(), &journal, (!args.quiet).then_some(progress), Clock::real())?;
    let exit = tokio::select! {
        exit = follow_all(&engine) => exit,
        () = interrupt.came() => {
            say("\ninterrupted: what has not ended stays in the database\n");
            Ok(Exit::Interrupted)
        }
    };
    let down = engine.shutdown().await;
    journal.close().await;
    let exit = exit?;
    down?;
    Ok(exit)
}

/// One line on stdout for each execution: its name and how it ended.
async fn follow_all(engine: &Engine) -> Result<Exit, Trouble> {
    let arns = engine.resume().await?;
    if arns.is_empty() {
        say("there is nothing to go on with: every execution has ended\n");
    }
    let mut exit = Exit::Done;
    for arn in arns {
        let outcome = engine.wait(&arn).await?;
        if !matches!(outcome, Outcome::Succeeded(_)) {
            exit = Exit::Failed;
        }
        answer(&format!("{}  {}\n", arn.rsplit(':').next().unwrap_or(&arn), outcome.status()))?;
    }
    Ok(exit)
}
