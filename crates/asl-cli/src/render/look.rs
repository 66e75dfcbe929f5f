//! What the reader's end can show: colours, a width.

use anstyle::{AnsiColor, Style};
use std::io::{IsTerminal, stderr, stdout};

/// How to write to one of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// A terminal with colours; `NO_COLOR` and `TERM=dumb` are respected.
    pub(crate) color: bool,
    /// Columns of the terminal; `None` where lines may be as long as they like.
    pub(crate) width: Option<usize>,
}

impl Look {
    /// For talk.
    pub(crate) fn of_stderr() -> Look {
        Look::of(stderr().is_terminal(), terminal_size::terminal_size_of(stderr()))
    }

    /// For answers.
    pub(crate) fn of_stdout() -> Look {
        Look::of(stdout().is_terminal(), terminal_size::terminal_size_of(stdout()))
    }

    fn of(terminal: bool, size: Option<(terminal_size::Width, terminal_size::Height)>) -> Look {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let width = size.map_or(80, |(width, _)| usize::from(width.0)).max(40);
        Look { color: terminal && !unwanted, width: terminal.then_some(width) }
    }

    /// Red.
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// Yellow.
    pub(crate) fn warn(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    /// Green.
    pub(crate) fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// Less loud.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// Louder.
    pub(crate) fn strong(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
