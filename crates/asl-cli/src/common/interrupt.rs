//! Ctrl-C.

use crate::exit::Trouble;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, from when it is listened for: it no longer ends the process by itself then.
pub(crate) struct Interrupt(Signal);

impl Interrupt {
    pub(crate) fn listen() -> Result<Interrupt, Trouble> {
        let listening = signal(SignalKind::interrupt());
        listening.map(Interrupt).map_err(|problem| Trouble::new(format!("Ctrl-C cannot be listened for: {problem}")))
    }

    pub(crate) async fn came(&mut self) {
        self.0.recv().await;
    }
}
