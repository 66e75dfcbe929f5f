//! The only door to the reader: everything this program says or answers leaves through [`say`] and [`answer`].
//!
//! What comes from names, causes, outputs, logs and files may hold controls that steer a terminal. So the door lets none
//! pass, but shows them; our own colours carry a mark that nobody outside of this process can know, and are the exception.

use crate::exit::Trouble;
use crate::talk;
use asl_render::visible;
use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Stands before each of our own escape sequences. Chance is in it, so that no text can hold it.
static MARK: LazyLock<String> = LazyLock::new(|| {
    let chance = || RandomState::new().hash_one(0);
    format!("\u{fdd0}{:016x}{:016x}\u{fdd1}", chance(), chance())
});

const ESCAPE: char = '\u{1b}';

/// Escape sequences of ours, marked for the door.
pub(crate) fn ours(sequences: impl std::fmt::Display) -> String {
    drawn(&sequences.to_string())
}

/// What a renderer drew, with its colours. The renderer must have made harmless what it was given.
pub(crate) fn drawn(text: &str) -> String {
    text.replace(ESCAPE, &format!("{}{ESCAPE}", *MARK))
}

/// What may leave: only marked escape sequences are as they were.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    let mut parts = text.split(MARK.as_str());
    let first = visible(parts.next().unwrap_or_default());
    let mut rest = parts.peekable();
    if rest.peek().is_none() {
        return first;
    }
    let mut out = first.into_owned();
    for part in rest {
        let (sequence, text) = part.split_at(colour_length(part));
        out.push_str(sequence);
        out.push_str(&visible(text));
    }
    Cow::Owned(out)
}

/// The length of the colour (`ESC [ 1;31 m`) at the beginning of a text; 0 where none is.
fn colour_length(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    match parameters.find(|c: char| !c.is_ascii_digit() && c != ';') {
        Some(end) if parameters[end..].starts_with('m') => 2 + end + 1,
        _ => 0,
    }
}

/// Talk: to stderr. That nobody listens is no reason to stop.
pub(crate) fn say(text: &str) {
    talk::say(safe(text).as_bytes());
}

/// What was asked for: to stdout. A reader who has seen enough (a closed pipe) is no error.
pub(crate) fn answer(text: &str) -> Result<(), Trouble> {
    talk::before_an_answer();
    let mut stdout = io::stdout().lock();
    match stdout.write_all(safe(text).as_bytes()).and_then(|()| stdout.flush()) {
        Err(problem) if problem.kind() != io::ErrorKind::BrokenPipe => {
            Err(Trouble::new(format!("the answer cannot be written to stdout: {problem}")))
        }
        _ => Ok(()),
    }
}

/// What was asked for, through the reader's pager where it is longer than the terminal is high: `$PAGER`, or `less`, which
/// ends at once when there is nothing to scroll.
pub(crate) fn page(text: &str) -> Result<(), Trouble> {
    let height = terminal_size::terminal_size_of(io::stdout()).map(|(_, height)| usize::from(height.0));
    let is_long = io::stdout().is_terminal() && height.is_some_and(|height| text.lines().count() >= height);
    let pager = std::env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
    if !is_long || pager.trim().is_empty() || pager == "cat" {
        return answer(text);
    }
    let mut command = Command::new("sh");
    command.args(["-c", &pager]).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    let Ok(mut child) = command.spawn() else { return answer(text) };
    if let Some(mut stdin) = child.stdin.take() {
        // A pager that is closed early closes the pipe.
        let _ = stdin.write_all(safe(text).as_bytes());
    }
    match child.wait() {
        // A shell that finds no such pager.
        Ok(status) if status.code() == Some(127) => answer(text),
        _ => Ok(()),
    }
}

/// What was asked for, to a file: reports are read in terminals too.
pub(crate) fn write(file: &std::path::Path, text: &str) -> Result<(), Trouble> {
    std::fs::write(file, safe(text).as_bytes()).map_err(|problem| {
        Trouble::new(format!("{} cannot be written: {problem}", file.display())).hint("its folder must be there")
    })
}

/// The engine's log, on its way to stderr.
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        say(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::look::Look;

    #[test]
    fn only_our_own_colours_pass() {
        assert_eq!(safe("plain\n"), "plain\n");
        assert_eq!(safe("a\u{1b}[31mb"), "a\\u001b[31mb");
        let painted = format!("{}bad\u{1b}]0;x\u{7}{}", ours("\u{1b}[1;31m"), ours("\u{1b}[0m"));
        assert_eq!(safe(&painted), "\u{1b}[1;31mbad\\u001b]0;x\\u0007\u{1b}[0m");
        let look = Look { color: true, width: None };
        assert_eq!(safe(&look.bad("x\u{1b}[0m")), "\u{1b}[1m\u{1b}[31mx\\u001b[0m\u{1b}[0m");
        assert_eq!(safe(&drawn("\u{1b}[1mx\u{1b}[0m")), "\u{1b}[1mx\u{1b}[0m");
        // The mark allows colours and nothing else.
        assert_eq!(safe(&ours("\u{1b}[2J")), "\\u001b[2J");
    }
}
