//! A matcher that tries one way after the other, for patterns that look around or back. There are patterns and texts for which
//! that takes for ever: every step is paid for, so it ends where the evaluation's work does.

use super::program::{Program, Step, folded};
use super::syntax::WORDS;
use crate::jsonata::budget::Budget;
use crate::jsonata::messages::Fail;
use std::ops::Range;

/// No place.
const NONE: usize = usize::MAX;

/// What to do when the way that is tried fails.
enum Otherwise {
    /// Go on at a step and a place.
    Try(usize, usize),
    /// Put back what a slot was.
    Slot(usize, usize),
    /// Put back where a round began.
    Round(usize, usize),
}

struct Matcher<'p> {
    program: &'p Program,
    text: &'p str,
    budget: &'p Budget,
    slots: Vec<usize>,
    rounds: Vec<usize>,
    otherwise: Vec<Otherwise>,
}

/// The first match at `from` or after: the whole, and each group.
///
/// # Errors
/// The bounds on work and memory.
pub(super) fn find(
    program: &Program,
    text: &str,
    from: usize,
    budget: &Budget,
) -> Result<Option<Vec<Option<Range<usize>>>>, Fail> {
    let slots = vec![NONE; program.groups * 2 + 2];
    let mut matcher =
        Matcher { program, text, budget, slots, rounds: vec![NONE; program.rounds], otherwise: Vec::new() };
    for start in text[from..].char_indices().map(|(at, _)| from + at).chain([text.len()]) {
        if let Some(end) = matcher.run(0, start)? {
            (matcher.slots[0], matcher.slots[1]) = (start, end);
            let range = |pair: &[usize]| (pair[0] != NONE && pair[1] != NONE).then(|| pair[0]..pair[1]);
            return Ok(Some(matcher.slots.chunks(2).map(range).collect()));
        }
    }
    Ok(None)
}

impl Matcher<'_> {
    /// Runs from a step to `Match`: where that is. What could be tried otherwise is not any more, but can be undone.
    fn run(&mut self, step: usize, at: usize) -> Result<Option<usize>, Fail> {
        let base = self.otherwise.len();
        let (mut step, mut at) = (step, at);
        loop {
            self.budget.spend(1)?;
            if let Step::Match = self.program.steps[step] {
                let kept = self.otherwise.split_off(base);
                self.otherwise.extend(kept.into_iter().filter(|entry| !matches!(entry, Otherwise::Try(..))));
                return Ok(Some(at));
            }
            match self.step(step, at)? {
                Some(next) => (step, at) = next,
                None => match self.undo(base) {
                    Some(next) => (step, at) = next,
                    None => return Ok(None),
                },
            }
        }
    }

    /// Back to the last way that was not tried.
    fn undo(&mut self, base: usize) -> Option<(usize, usize)> {
        while self.otherwise.len() > base {
            match self.otherwise.pop()? {
                Otherwise::Try(step, at) => return Some((step, at)),
                Otherwise::Slot(slot, before) => self.slots[slot] = before,
                Otherwise::Round(round, before) => self.rounds[round] = before,
            }
        }
        None
    }

    fn remember(&mut self, entry: Otherwise) -> Result<(), Fail> {
        self.otherwise.push(entry);
        self.budget.room(self.otherwise.len() * size_of::<Otherwise>())
    }

    /// One instruction: where to go on, `None` when it fails.
    fn step(&mut self, step: usize, at: usize) -> Result<Option<(usize, usize)>, Fail> {
        let program = self.program;
        let next = |at: Option<usize>| Ok(at.map(|at| (step + 1, at)));
        match &program.steps[step] {
            Step::Char { c, back } => next(self.over(at, *back, |found| found == *c)),
            Step::Any { back } => {
                next(self.over_exactly(at, *back, |found| !matches!(found, '\n' | '\r' | '\u{2028}' | '\u{2029}')))
            }
            Step::Set { ranges, negated, back } => {
                self.budget.spend(ranges.len() / 8)?;
                let holds = |c: char| ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
                next(self.over(at, *back, |found| holds(found) != *negated))
            }
            Step::Start => next(self.ends_line(self.text[..at].chars().next_back()).then_some(at)),
            Step::End => next(self.ends_line(self.text[at..].chars().next()).then_some(at)),
            Step::Boundary { negated } => {
                let (before, after) = (self.text[..at].chars().next_back(), self.text[at..].chars().next());
                next(((is_word(before) != is_word(after)) != *negated).then_some(at))
            }
            Step::Back { group, back } => next(self.again(*group, at, *back)?),
            Step::Save(slot) => {
                self.remember(Otherwise::Slot(*slot, self.slots[*slot]))?;
                self.slots[*slot] = at;
                next(Some(at))
            }
            Step::Forget(from, to) => {
                for slot in from * 2..to * 2 {
                    if self.slots[slot] != NONE {
                        self.budget.spend(1)?;
                        self.remember(Otherwise::Slot(slot, self.slots[slot]))?;
                        self.slots[slot] = NONE;
                    }
                }
                next(Some(at))
            }
            Step::Split(first, second) => {
                self.remember(Otherwise::Try(*second, at))?;
                Ok(Some((*first, at)))
            }
            Step::Jump(to) => Ok(Some((*to, at))),
            Step::Round(round) => {
                self.remember(Otherwise::Round(*round, self.rounds[*round]))?;
                self.rounds[*round] = at;
                next(Some(at))
            }
            Step::Progress(round) => next((self.rounds[*round] != at).then_some(at)),
            Step::Look { negated, after } => {
                let base = self.otherwise.len();
                let found = self.run(step + 1, at)?.is_some();
                if found && *negated {
                    // What a look that must fail has matched does not count.
                    _ = self.undo(base);
                }
                Ok((found != *negated).then_some((*after, at)))
            }
            Step::Match => Ok(None),
        }
    }

    /// The place after a character that is as wanted, compared as the pattern compares.
    fn over(&self, at: usize, back: bool, wanted: impl Fn(char) -> bool) -> Option<usize> {
        let ignore_case = self.program.ignore_case;
        self.over_exactly(at, back, |found| wanted(if ignore_case { folded(found) } else { found }))
    }

    fn over_exactly(&self, at: usize, back: bool, wanted: impl Fn(char) -> bool) -> Option<usize> {
        let found = if back { self.text[..at].chars().next_back() } else { self.text[at..].chars().next() };
        found.filter(|found| wanted(*found)).map(|c| if back { at - c.len_utf8() } else { at + c.len_utf8() })
    }

    /// The place after the text of a group, once more.
    fn again(&self, group: usize, at: usize, back: bool) -> Result<Option<usize>, Fail> {
        let (start, end) = (self.slots[group * 2], self.slots[group * 2 + 1]);
        if start == NONE || end == NONE || start > end {
            return Ok(Some(at));
        }
        self.budget.spend((end - start) / 4)?;
        let mut at = Some(at);
        let mut pass = |c: char| {
            let c = if self.program.ignore_case { folded(c) } else { c };
            at = at.and_then(|at| self.over(at, back, |found| found == c));
            at.is_some()
        };
        let text = &self.text[start..end];
        _ = if back { text.chars().rev().all(&mut pass) } else { text.chars().all(&mut pass) };
        Ok(at)
    }

    /// True at an end of the text, and where a line may end at one too.
    fn ends_line(&self, beside: Option<char>) -> bool {
        let multi_line = self.program.multi_line;
        beside.is_none_or(|c| multi_line && matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}'))
    }
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(|c| WORDS.iter().any(|(first, last)| (*first..=*last).contains(&c)))
}
