//! Ctrl-C and SIGTERM.

use crate::exit::Trouble;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, or what `kill` and service managers send: from when it is listened for, it no longer ends the process by itself.
pub(crate) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    pub(crate) fn listen() -> Result<Interrupt, Trouble> {
        let listen = |kind, name| {
            signal(kind).map_err(|problem| Trouble::new(format!("{name} cannot be listened for: {problem}")))
        };
        let interrupt = listen(SignalKind::interrupt(), "Ctrl-C")?;
        Ok(Interrupt { interrupt, terminate: listen(SignalKind::terminate(), "SIGTERM")? })
    }

    pub(crate) async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
