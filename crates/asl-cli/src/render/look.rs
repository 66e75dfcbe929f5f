//! What the reader's end can show: colours, a width.

use crate::args::Color;
use crate::terminal::ours;
use anstyle::{AnsiColor, Style};
use std::io::{IsTerminal, stderr, stdout};
use std::sync::OnceLock;

/// What `--color` says, once it is known.
static ASKED: OnceLock<Color> = OnceLock::new();

/// Takes note of `--color`.
pub(crate) fn ask(color: Color) {
    // It is told once, at the start.
    let _ = ASKED.set(color);
}

fn is_coloured(terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let forced = || std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
    let dumb = || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    match ASKED.get().copied().unwrap_or_default() {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if set("NO_COLOR") => false,
        Color::Auto => forced() || (terminal && !dumb()),
    }
}

/// How to write to one of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// As `--color` says; without it on a terminal, unless `NO_COLOR` or `TERM=dumb` is set, and wherever
    /// `CLICOLOR_FORCE` is.
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
        let width = size.map_or(80, |(width, _)| usize::from(width.0)).max(40);
        Look { color: is_coloured(terminal), width: terminal.then_some(width) }
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
        if self.color && !text.is_empty() {
            format!("{}{text}{}", ours(style), ours(format!("{style:#}")))
        } else {
            text.to_owned()
        }
    }
}
