//! Regular expressions as JavaScript writes them, read once (`syntax`). What the crate `regex` runs with the same result is handed to
//! it (`linear`), and takes time in proportion to the text. What looks around or back is tried way after way (`program`,
//! `backtrack`), and every step of that is paid for.

mod backtrack;
mod linear;
mod program;
mod syntax;

use super::eval::Run;
use super::messages::Fail;
use program::Program;
use regex::{Captures, Regex, RegexBuilder};
use std::ops::Range;
use std::sync::OnceLock;

/// How large a compiled pattern may be, in bytes.
const COMPILED_BYTES: usize = 1 << 20;
/// A pattern of so many states costs nothing beyond what its caller pays for the text.
const SMALL_STATES: usize = 64;
/// So many states are looked at for a unit of work.
const STATES_FOR_WORK: usize = 4;

/// A regular expression, compiled when it is first used.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    flags: String,
    compiled: OnceLock<Result<Compiled, Unusable>>,
}

/// A pattern that can be run.
#[derive(Debug)]
pub(super) enum Compiled {
    Linear {
        regex: Regex,
        /// Each match may cost as much as all the text after it.
        reads_ahead: bool,
        /// What a byte may cost beyond what the caller pays for it: a pattern with many states, in work.
        byte_work: usize,
    },
    Tried(Program),
}

#[derive(Debug)]
enum Unusable {
    TooLarge,
    Because(&'static str),
}

impl Pattern {
    pub(super) fn new(text: &str, flags: &str) -> Pattern {
        Pattern { text: text.to_owned(), flags: flags.to_owned(), compiled: OnceLock::new() }
    }

    /// The compiled pattern. Each evaluation pays for it once, whether it was compiled before or not.
    pub(super) fn ready(&self, run: &Run<'_>) -> Result<&Compiled, Fail> {
        let me = std::ptr::from_ref(self);
        let paid = run.patterns.borrow().contains(&me);
        if !paid {
            // Compiling costs about this much more than matching a character.
            run.spend(2_000 + self.text.len() * 200)?;
            run.patterns.borrow_mut().push(me);
        }
        match self.compiled() {
            Ok(compiled) => Ok(compiled),
            Err(Unusable::TooLarge) => Err(Fail::Memory),
            Err(Unusable::Because(reason)) => Err(Fail::Other(self.refusal(reason).into())),
        }
    }

    /// Why no run could use the pattern, if none could.
    pub(super) fn refused(&self) -> Option<String> {
        match self.compiled() {
            Ok(_) => None,
            Err(Unusable::TooLarge) => Some(self.refusal("it is too large")),
            Err(Unusable::Because(reason)) => Some(self.refusal(reason)),
        }
    }

    fn refusal(&self, reason: &str) -> String {
        format!("Invalid regular expression: /{}/: {reason}", self.text)
    }

    fn compiled(&self) -> &Result<Compiled, Unusable> {
        self.compiled.get_or_init(|| {
            let (ignore_case, multi_line) = (self.flags.contains('i'), self.flags.contains('m'));
            let syntax = syntax::read(&self.text).map_err(Unusable::Because)?;
            if syntax.root.is_linear(multi_line) {
                let mut text = String::with_capacity(self.text.len() * 8);
                linear::write(&syntax.root, ignore_case, &mut text);
                let mut builder = RegexBuilder::new(&text);
                match builder.size_limit(COMPILED_BYTES).dfa_size_limit(COMPILED_BYTES).build() {
                    Ok(regex) => {
                        let byte_work = syntax.root.states().saturating_sub(SMALL_STATES) / STATES_FOR_WORK;
                        return Ok(Compiled::Linear { regex, reads_ahead: syntax.root.reads_ahead(), byte_work });
                    }
                    Err(regex::Error::CompiledTooBig(_)) => return Err(Unusable::TooLarge),
                    Err(_) => {}
                }
            }
            Program::new(&syntax, ignore_case, multi_line).map(Compiled::Tried).map_err(|_| Unusable::TooLarge)
        })
    }
}

impl Compiled {
    /// The first match at `at` or after.
    ///
    /// # Errors
    /// The bounds on work and memory.
    pub(super) fn find<'t>(&self, run: &Run<'_>, text: &'t str, at: usize) -> Result<Option<Found<'t>>, Fail> {
        Ok(match self {
            Compiled::Linear { regex, reads_ahead, byte_work } => {
                if *reads_ahead && at > 0 {
                    run.spend((text.len() - at) / 2)?;
                }
                run.spend(byte_work.saturating_mul(text.len() - at))?;
                let found = regex.captures_at(text, at);
                if let Some(found) = found.as_ref().and_then(|found| found.get(0))
                    && !reads_ahead
                {
                    run.budget.unspend(byte_work.saturating_mul(text.len() - found.end()));
                }
                found.map(Found::Linear)
            }
            Compiled::Tried(program) => {
                backtrack::find(program, text, at, &run.budget)?.map(|groups| Found::Tried(text, groups))
            }
        })
    }

    /// # Errors
    /// The bounds on work and memory.
    pub(super) fn is_match(&self, run: &Run<'_>, text: &str) -> Result<bool, Fail> {
        match self {
            Compiled::Linear { regex, byte_work, .. } => {
                run.spend(byte_work.saturating_mul(text.len()))?;
                Ok(regex.is_match(text))
            }
            Compiled::Tried(program) => Ok(backtrack::find(program, text, 0, &run.budget)?.is_some()),
        }
    }
}

/// A match in a text.
pub(super) enum Found<'t> {
    Linear(Captures<'t>),
    /// The whole, and each group that took part.
    Tried(&'t str, Vec<Option<Range<usize>>>),
}

impl<'t> Found<'t> {
    /// Where it is, in bytes.
    pub(super) fn whole(&self) -> Range<usize> {
        match self {
            Found::Linear(captures) => captures.get(0).map_or(0..0, |found| found.range()),
            Found::Tried(_, groups) => groups[0].clone().unwrap_or(0..0),
        }
    }

    /// The text of a group, if it took part.
    pub(super) fn group(&self, index: usize) -> Option<&'t str> {
        match self {
            Found::Linear(captures) => captures.get(index).map(|found| found.as_str()),
            Found::Tried(text, groups) => groups.get(index)?.clone().map(|range| &text[range]),
        }
    }

    /// How many groups there are, with the whole.
    pub(super) fn len(&self) -> usize {
        match self {
            Found::Linear(captures) => captures.len(),
            Found::Tried(_, groups) => groups.len(),
        }
    }
}
