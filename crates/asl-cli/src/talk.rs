//! Talk on stderr that stops nobody: while executions run, it goes through a bounded queue and a thread of its own.
//!
//! Other commands write directly: they have nothing to do beside it, and all of what they say is wanted.

use asl::parts::function::{Spool, Spooled};
use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::Duration;

/// How much waits for a slow reader, in bytes; what finds no room is dropped and counted.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// How long the end of the command waits for a reader that takes nothing.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long an answer on stdout waits for the talk before it.
const BEFORE_AN_ANSWER: Duration = Duration::from_millis(200);

static BEHIND: OnceLock<Spool<Vec<u8>>> = OnceLock::new();

/// From here on nobody waits for the reader of stderr.
pub(crate) fn stop_nobody() {
    BEHIND.get_or_init(|| {
        Spool::new("asl-stderr", MAX_WAITING_BYTES, |next: Spooled<Vec<u8>>| match next {
            Spooled::Item(text) => write(&text),
            Spooled::Dropped(lines) => write(
                format!("asl: {lines} messages were dropped: stderr is not read as fast as they come\n").as_bytes(),
            ),
        })
    });
}

/// Says it, now or soon. That nobody listens is no reason to stop.
pub(crate) fn say(text: &[u8]) {
    match BEHIND.get() {
        Some(behind) => drop(behind.push(text.to_vec(), text.len())),
        None => write(text),
    }
}

/// Before an answer on stdout, so that the two come in order on a terminal.
pub(crate) fn before_an_answer() {
    BEHIND.get().map(|behind| behind.flush(BEFORE_AN_ANSWER));
}

/// At the end of the command.
pub(crate) fn end() {
    BEHIND.get().map(|behind| behind.flush(LAST_WORDS));
}

fn write(text: &[u8]) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text).and_then(|()| stderr.flush());
}
