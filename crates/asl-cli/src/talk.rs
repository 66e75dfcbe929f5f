//! Talk on stderr that stops nobody: while executions run, it goes through a bounded queue and a thread of its own.
//!
//! Where stderr is a file, and in other commands, it is written directly: all of what they say is wanted, and nobody else is kept from work.

use asl::parts::function::{Spool, Spooled};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::Duration;

/// How much waits for a slow reader, in bytes; what finds no room is dropped and counted.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// How long messages are gathered before they are written, and how many bytes of them at most: a server says two lines for
/// each execution, and a write for each would wake a thread for each.
const LINGER: Duration = Duration::from_millis(1);
const PIECE_BYTES: usize = 16 << 10;
/// How long the end of the command waits for a reader that takes nothing.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long an answer on stdout waits for the talk before it.
const BEFORE_AN_ANSWER: Duration = Duration::from_millis(200);

/// How long a reader of stderr may take nothing before the command counts it as one that does not read.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often it is looked whether there is room.
const LOOK: Duration = Duration::from_millis(2);

static BEHIND: OnceLock<Spool<Vec<u8>>> = OnceLock::new();

/// From here on nobody waits for the reader of stderr. A file has no reader: what is written there is on its way at once, and
/// nothing of it may be missing.
pub(crate) fn stop_nobody() {
    if is_file() {
        return;
    }
    BEHIND.get_or_init(|| {
        Spool::gathering("asl-stderr", MAX_WAITING_BYTES, LINGER, PIECE_BYTES, |next| {
            write(&next.into_iter().flat_map(text).collect::<Vec<u8>>());
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

/// For what comes in masses, on a thread that may wait: until there is room, or the reader takes nothing.
pub(crate) fn wait_for_room() {
    while BEHIND.get().is_some_and(|behind| !behind.takes(PATIENCE)) {
        std::thread::sleep(LOOK);
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

/// Whether stderr is a regular file.
fn is_file() -> bool {
    let stderr = io::stderr().as_fd().try_clone_to_owned();
    stderr.and_then(|stderr| File::from(stderr).metadata()).is_ok_and(|meta| meta.is_file())
}

fn text(next: Spooled<Vec<u8>>) -> Vec<u8> {
    match next {
        Spooled::Item(text) => text,
        Spooled::Dropped(lines) => {
            format!("asl: {lines} messages were dropped: stderr is not read as fast as they come\n").into_bytes()
        }
    }
}

fn write(text: &[u8]) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text).and_then(|()| stderr.flush());
}
