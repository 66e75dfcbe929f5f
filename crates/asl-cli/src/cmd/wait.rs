//! `asl wait`: until an execution has ended, whoever runs it.

use crate::args::Place;
use crate::common::engine::tell;
use crate::common::interrupt::Interrupt;
use crate::common::owner::run_by;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::look::Look;
use crate::terminal::say;
use asl::{Client, Database, Status};
use clap::Args;
use std::future::pending;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// The execution: its name, the beginning of its name, or its ARN [default: the last one]
    pub(crate) execution: Option<String>,
    /// Wait so long at most, and end with exit code 124 then
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u32>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// How long a worker may take to take an execution on before the user is told that there is none.
const TAKEN_ON: Duration = Duration::from_secs(1);

pub(crate) async fn wait(args: Wait) -> Result<Exit, Trouble> {
    let mut interrupt = Interrupt::listen()?;
    let journal = place::read(&args.place).await?;
    let row = place::execution(&journal, args.execution.as_deref()).await?;
    let client = Client::new(journal.clone());
    let patience = args.timeout.map(|seconds| Duration::from_secs(seconds.into()));
    let enough = async {
        match patience {
            Some(patience) => tokio::time::sleep(patience).await,
            None => pending().await,
        }
    };
    let hint = async {
        tokio::time::sleep(TAKEN_ON).await;
        hint_if_nobody_runs(&journal, &row.arn).await;
        pending().await
    };
    let exit = tokio::select! {
        biased;
        ended = client.wait(&row.arn) => tell(&ended?, "execution")?,
        () = enough => {
            if patience < Some(TAKEN_ON) {
                hint_if_nobody_runs(&journal, &row.arn).await;
            }
            say(&format!("{} has not ended yet\n", row.name));
            Exit::WaitedEnough
        }
        () = interrupt.came() => Exit::Interrupted,
        () = hint => Exit::Done,
    };
    journal.close().await;
    Ok(exit)
}

/// Says so when the execution waits for somebody to run it.
async fn hint_if_nobody_runs(journal: &Database, arn: &str) {
    // A database that cannot be read is told by the one who waits.
    if let (Ok(Some(row)), Ok(holders)) = (journal.execution(arn).await, asl::holders(&**journal).await)
        && row.status == Status::Running
        && run_by(&row, &holders).is_none()
    {
        let hint = Look::of_stderr().dim("hint");
        say(&format!("{hint}: nobody runs {} now; `asl worker` or `asl resume` goes on with it\n", row.name));
    }
}
