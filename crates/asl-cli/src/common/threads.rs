//! On how many threads a command works.

use crate::exit::{Exit, Trouble};
use tokio::runtime::Builder;

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
        runtime.map_err(|problem| Trouble::new(format!("the command cannot start: {problem}")))?.block_on(work)
    }
}
