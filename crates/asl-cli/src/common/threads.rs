//! On how many threads a command works.

use crate::exit::{Exit, Trouble};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// The number of the signal on Linux (but for MIPS), macOS and the BSDs.
const SIGXFSZ: i32 = 25;

/// The threads that a command is worth. To start some and to hand work over costs more than most commands take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// The one that there is: nothing goes on beside the command's own work. An execution is one machine on one thread.
    One,
    /// One for each core: executions run at the same time.
    Cores,
}

impl Threads {
    /// Does the work of a command.
    pub(crate) fn block_on(self, work: impl Future<Output = Result<Exit, Trouble>>) -> Result<Exit, Trouble> {
        let mut builder = match self {
            Threads::One => Builder::new_current_thread(),
            Threads::Cores => Builder::new_multi_thread(),
        };
        let runtime = builder.enable_all().build();
        let runtime = runtime.map_err(|problem| Trouble::new(format!("the command cannot start: {problem}")))?;
        runtime.block_on(async {
            listen_for_file_size()?;
            work.await
        })
    }
}

/// A write beyond the limit of a file's size (`ulimit -f`) is to fail as any other, and not to end the process: that is what
/// listening for the signal does, for good. Programs that are started here have it as it was.
fn listen_for_file_size() -> Result<(), Trouble> {
    let listening = signal(SignalKind::from_raw(SIGXFSZ));
    listening.map(drop).map_err(|problem| Trouble::new(format!("the command cannot start: {problem}")))
}
