//! What workers print, line by line, to the caller's sink.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{ChildStderr, ChildStdout},
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

use crate::{
    spool::{Spool, Spooled},
    supervisor::NOT_STARTED,
};

/// The longest text of one [`LogLine`], in bytes; a longer line comes in pieces.
pub const MAX_LOG_LINE_BYTES: usize = 16 << 10;
/// How long the end of an invocation waits for the worker's output to be read, at most.
const FLUSH_LIMIT: Duration = Duration::from_millis(100);

/// How much of what workers print waits for a slow sink, in bytes; what finds no room is dropped and counted.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// Takes the lines that workers print, one after another on a thread of their own. While it blocks, lines wait, up to a
/// megabyte of them. A function that prints faster than lines are taken is held up, as by any file or pipe that it writes to; where
/// nothing is taken for a fifth of a second, what comes then is dropped, and a line in its place tells how many were. Otherwise
/// functions wait only for the tenth of a second in which an invocation's last lines may go before its result does.
pub type LogSink = Arc<dyn Fn(LogLine) + Send + Sync>;

/// A sink that has taken nothing for so long is one that does not read.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often it is looked whether there is room.
const LOOK: Duration = Duration::from_millis(2);

/// All functions' way to the sink.
#[derive(Clone)]
pub(crate) struct Log(Arc<Spool<Entry>>);

enum Entry {
    Line(LogLine),
    /// Everything before this has been taken.
    Mark(oneshot::Sender<()>),
}

impl Log {
    pub(crate) fn new(sink: LogSink) -> Self {
        Self(Arc::new(Spool::new("asl-log", MAX_WAITING_BYTES, move |next| match next {
            Spooled::Item(Entry::Line(line)) => sink(line),
            Spooled::Item(Entry::Mark(reached)) => drop(reached.send(())),
            Spooled::Dropped(lines) => sink(LogLine {
                function: "asl".into(),
                stream: LogStream::Stderr,
                request_id: None,
                text: format!("{lines} lines of functions were dropped: the log is not read as fast as they print"),
            }),
        })))
    }

    pub(crate) fn push(&self, line: LogLine) {
        let bytes = line.text.len() + size_of::<LogLine>();
        self.0.push(Entry::Line(line), bytes);
    }

    /// Returns when there is room, or nobody takes anything.
    async fn room(&self) {
        while !self.0.takes(PATIENCE) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the sink has what was pushed, as long as it takes anything.
    pub(crate) async fn drained(&self) {
        let reached = self.reached();
        tokio::pin!(reached);
        while tokio::time::timeout(PATIENCE, &mut reached).await.is_err() {
            if self.0.stalled(PATIENCE) {
                return;
            }
        }
    }

    /// Something that is not the function's own word, but concerns it.
    pub(crate) fn tell(&self, function: &Arc<str>, text: String) {
        tracing::warn!(%function, "{text}");
        let (function, stream) = (Arc::clone(function), LogStream::Stderr);
        self.push(LogLine { function, stream, request_id: None, text: format!("asl: {text}") });
    }

    /// Returns when all that was pushed has reached the sink.
    async fn reached(&self) {
        let (mark, reached) = oneshot::channel();
        self.0.push(Entry::Mark(mark), 0);
        let _ = reached.await;
    }
}

/// A line that a function's worker printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The function's name.
    pub function: Arc<str>,
    /// Where the worker wrote it.
    pub stream: LogStream,
    /// The invocation the worker had, or had last; `None` while it was still loading its code.
    pub request_id: Option<Arc<str>>,
    /// The text without its line end, at most [`MAX_LOG_LINE_BYTES`] long. What is not UTF-8 is
    /// replaced.
    pub text: String,
}

/// One of the two output streams of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Reads one worker's output for as long as it is held.
pub(crate) struct LogPump {
    request_id: Arc<Mutex<Option<Arc<str>>>>,
    flushes: mpsc::Sender<oneshot::Sender<()>>,
    task: AbortHandle,
    log: Log,
    not_started: Arc<OnceLock<i32>>,
}

impl LogPump {
    pub(crate) fn start(function: Arc<str>, out: ChildStdout, err: ChildStderr, log: Log) -> Self {
        let (flushes, requests) = mpsc::channel(1);
        let request_id = Arc::default();
        let not_started = Arc::default();
        let output = |stream| Lines {
            buffer: BytesMut::new(),
            open: true,
            function: Arc::clone(&function),
            stream,
            request_id: Arc::clone(&request_id),
            log: log.clone(),
            not_started: Arc::clone(&not_started),
            last: None,
        };
        let (stdout, stderr) = (output(LogStream::Stdout), output(LogStream::Stderr));
        let task = tokio::spawn(pump((out, stdout), (err, stderr), requests)).abort_handle();
        Self { request_id, flushes, task, log, not_started }
    }

    /// Why the program could not be started, if its supervisor has said so.
    pub(crate) fn not_started(&self) -> Option<io::Error> {
        self.not_started.get().map(|number| io::Error::from_raw_os_error(*number))
    }

    /// From here on, lines belong to this invocation.
    pub(crate) fn begin(&self, request_id: &str) {
        *self.request_id.lock().unwrap_or_else(PoisonError::into_inner) = Some(request_id.into());
    }

    /// Returns when all that the worker had printed has reached the sink.
    pub(crate) async fn flush(&self) {
        let flushed = async {
            let (done, is_done) = oneshot::channel();
            if self.flushes.send(done).await.is_ok() {
                let _ = is_done.await;
            }
            self.log.reached().await;
        };
        // A worker that prints without end must not hold up its own answer.
        let _ = tokio::time::timeout(FLUSH_LIMIT, flushed).await;
    }
}

impl Drop for LogPump {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pump(
    (mut out, mut out_lines): (ChildStdout, Lines),
    (mut err, mut err_lines): (ChildStderr, Lines),
    mut flushes: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let log = out_lines.log.clone();
    loop {
        // What finds no room stays in the pipe.
        log.room().await;
        // Biased: a flush is looked at only when both pipes have nothing more to give, which is
        // what makes it a flush. The worker wrote its lines before its answer.
        tokio::select! {
            biased;
            () = out_lines.read(&mut out), if out_lines.open => {}
            () = err_lines.read(&mut err), if err_lines.open => {}
            flush = flushes.recv() => {
                let Some(done) = flush else { return };
                out_lines.end_line();
                err_lines.end_line();
                let _ = done.send(());
            }
        }
    }
}

/// Cuts one stream into lines.
struct Lines {
    buffer: BytesMut,
    open: bool,
    function: Arc<str>,
    stream: LogStream,
    request_id: Arc<Mutex<Option<Arc<str>>>>,
    log: Log,
    not_started: Arc<OnceLock<i32>>,
    /// The last line that is not empty, for whom it matters.
    last: Option<String>,
}

impl Lines {
    async fn read(&mut self, pipe: &mut (impl AsyncRead + Unpin)) {
        self.buffer.reserve(4096);
        if !matches!(pipe.read_buf(&mut self.buffer).await, Ok(1..)) {
            self.open = false;
            self.end_line();
            return;
        }
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(end + 1);
            self.emit(&line[..end]);
        }
        while self.buffer.len() > MAX_LOG_LINE_BYTES {
            let piece = self.buffer.split_to(cut(&self.buffer));
            self.emit(&piece);
        }
    }

    /// Gives out what has no line end yet.
    fn end_line(&mut self) {
        if !self.buffer.is_empty() {
            let rest = self.buffer.split();
            self.emit(&rest);
        }
    }

    fn emit(&mut self, mut line: &[u8]) {
        line = line.strip_suffix(b"\r").unwrap_or(line);
        while line.len() > MAX_LOG_LINE_BYTES {
            let (piece, rest) = line.split_at(cut(line));
            self.send(piece);
            line = rest;
        }
        self.send(line);
    }

    fn send(&mut self, text: &[u8]) {
        if let Some(number) = text.strip_prefix(NOT_STARTED.as_bytes()) {
            let number = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
            let _ = self.not_started.set(number.unwrap_or(0));
            return;
        }
        let text = String::from_utf8_lossy(text).into_owned();
        if let Some(last) = self.last.as_mut().filter(|_| !text.trim().is_empty()) {
            last.clone_from(&text);
        }
        let request_id = self.request_id.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.log.push(LogLine { function: Arc::clone(&self.function), stream: self.stream, request_id, text });
    }
}

/// Where to cut a line that is longer than [`MAX_LOG_LINE_BYTES`]: not within a UTF-8 character.
fn cut(line: &[u8]) -> usize {
    let starts = |at: &usize| line[*at] & 0b1100_0000 != 0b1000_0000;
    (MAX_LOG_LINE_BYTES - 3..=MAX_LOG_LINE_BYTES).rev().find(starts).unwrap_or(MAX_LOG_LINE_BYTES)
}

/// What a command prints on its standard error, which goes to the log, and of which the last line counts.
pub(crate) struct ErrorLines {
    lines: Lines,
    last: String,
}

impl ErrorLines {
    pub(crate) fn new(function: Arc<str>, request_id: &str, log: Log) -> Self {
        let lines = Lines {
            buffer: BytesMut::new(),
            open: true,
            function,
            stream: LogStream::Stderr,
            request_id: Arc::new(Mutex::new(Some(request_id.into()))),
            log,
            not_started: Arc::default(),
            last: Some(String::new()),
        };
        Self { lines, last: String::new() }
    }

    pub(crate) async fn read(&mut self, mut pipe: impl AsyncRead + Unpin) {
        while self.lines.open {
            self.lines.log.room().await;
            self.lines.read(&mut pipe).await;
        }
    }

    /// Nothing more is read; what was has reached the sink.
    pub(crate) async fn end(&mut self) {
        self.lines.end_line();
        self.last = self.lines.last.take().unwrap_or_default();
        let _ = tokio::time::timeout(FLUSH_LIMIT, self.lines.log.reached()).await;
    }

    /// The last line that is not empty.
    pub(crate) fn last(&self) -> &str {
        self.last.trim()
    }

    /// Why the program could not be started, if its supervisor has said so.
    pub(crate) fn not_started(&self) -> Option<io::Error> {
        self.lines.not_started.get().map(|number| io::Error::from_raw_os_error(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_LOG_LINE_BYTES, cut};

    #[test]
    fn long_lines_are_cut_between_characters() {
        for (before, character) in [(0, "x"), (0, "ü"), (1, "ü"), (0, "🚗"), (1, "🚗"), (2, "🚗"), (3, "🚗")]
        {
            let line = "-".repeat(before) + &character.repeat(MAX_LOG_LINE_BYTES + 1);
            let at = cut(line.as_bytes());
            assert!(line.is_char_boundary(at), "{before} {character}");
            assert!((MAX_LOG_LINE_BYTES - 3..=MAX_LOG_LINE_BYTES).contains(&at), "{at}");
        }
        // What is not UTF-8 is cut anyway.
        assert_eq!(cut(&[0x80; MAX_LOG_LINE_BYTES + 1]), MAX_LOG_LINE_BYTES);
    }
}
