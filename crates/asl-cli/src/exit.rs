//! How the command ends: exit codes, and the words on stderr that go with them.

use crate::render::look::Look;
use crate::render::snippet::{self, Finding};
use crate::terminal::say;
use asl::project::{Problem, ProjectError};
use asl::{EngineError, JournalError};
use std::process::ExitCode;

/// How the command ends when nothing is wrong with what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Done,
    /// The execution failed, timed out or was aborted; a replay differs; a test fails; there is no such item.
    Failed,
    /// A definition was found wrong by `asl check`.
    Wrong,
    /// The process got SIGINT (Ctrl-C) or SIGTERM.
    Interrupted,
    /// It was not waited for any longer.
    WaitedEnough,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Wrong => 2,
            Exit::Interrupted => 130,
            Exit::WaitedEnough => 124,
        })
    }
}

/// The command, project, definition or database is wrong: told on stderr, exit code 2.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A sentence, and what to do about it.
    Plain { message: String, hint: Option<String> },
    /// Places in files.
    Places(Vec<Finding>),
}

impl Trouble {
    pub(crate) fn new(message: impl Into<String>) -> Trouble {
        Trouble::Plain { message: message.into(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Trouble {
        match self {
            Trouble::Plain { message, .. } => Trouble::Plain { message, hint: Some(hint.into()) },
            places => places,
        }
    }

    /// Says it, and gives the exit code.
    pub(crate) fn tell(&self, look: Look) -> ExitCode {
        match self {
            Trouble::Plain { message, hint } => error(look, message, hint.as_deref()),
            Trouble::Places(findings) => say(&snippet::draw(findings, look)),
        }
        ExitCode::from(2)
    }
}

impl From<ProjectError> for Trouble {
    fn from(error: ProjectError) -> Trouble {
        match <[Problem; 1]>::try_from(error.problems) {
            // No place to show: the two lines that every other error has.
            Ok([problem]) if problem.span.is_none() => {
                let message = if problem.file.is_empty() {
                    problem.message
                } else {
                    format!("{}: {}", problem.file, problem.message)
                };
                Trouble::Plain { message, hint: problem.help }
            }
            Ok(one) => Trouble::Places(one.iter().map(Finding::from).collect()),
            Err(several) => Trouble::Places(several.iter().map(Finding::from).collect()),
        }
    }
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Trouble {
        Trouble::Plain { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<EngineError> for Trouble {
    fn from(error: EngineError) -> Trouble {
        let message = match &error {
            EngineError::InvalidToken => format!("InvalidToken: {error}"),
            EngineError::TaskTimedOut => format!("TaskTimedOut: {error}"),
            _ => error.to_string(),
        };
        Trouble::Plain { message, hint: error.hint().map(str::to_owned) }
    }
}

/// `error: ...`, `hint: ...`.
pub(crate) fn error(look: Look, message: &str, hint: Option<&str>) {
    let mut text = format!("{}: {message}\n", look.bad("error"));
    if let Some(hint) = hint {
        text += &format!("{}: {hint}\n", look.dim("hint"));
    }
    say(&text);
}
