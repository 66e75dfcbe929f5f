//! A pattern as instructions for [`super::backtrack`].

use super::syntax::{Part, Syntax};
use std::sync::LazyLock;

/// How many instructions a pattern may come to.
const MOST_STEPS: usize = 10_000;

/// An instruction. Those that pass over characters go `back` inside of a look behind.
#[derive(Debug)]
pub(super) enum Step {
    Char {
        c: char,
        back: bool,
    },
    Any {
        back: bool,
    },
    Set {
        ranges: Vec<(char, char)>,
        negated: bool,
        back: bool,
    },
    Start,
    End,
    Boundary {
        negated: bool,
    },
    Back {
        group: usize,
        back: bool,
    },
    /// Notes the place in a slot: two of each group.
    Save(usize),
    /// Forgets what groups matched before, from one to before another.
    Forget(usize, usize),
    /// Goes on at the first, and at the second if that fails.
    Split(usize, usize),
    Jump(usize),
    /// Notes where a round of a loop begins.
    Round(usize),
    /// Fails when the round has passed over nothing.
    Progress(usize),
    /// Matches what follows up to `Match` here, and goes on at `after`.
    Look {
        negated: bool,
        after: usize,
    },
    Match,
}

/// A pattern, ready to run.
#[derive(Debug)]
pub(in crate::jsonata) struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) groups: usize,
    /// How many loops note their rounds.
    pub(super) rounds: usize,
    pub(super) ignore_case: bool,
    pub(super) multi_line: bool,
}

/// Too many instructions.
pub(super) struct TooLarge;

impl Program {
    /// Makes instructions of a pattern.
    ///
    /// # Errors
    /// When there would be too many.
    pub(super) fn new(syntax: &Syntax, ignore_case: bool, multi_line: bool) -> Result<Program, TooLarge> {
        let mut program = Program { steps: Vec::new(), groups: syntax.groups, rounds: 0, ignore_case, multi_line };
        program.part(&syntax.root, false)?;
        program.push(Step::Match)?;
        Ok(program)
    }

    fn push(&mut self, step: Step) -> Result<usize, TooLarge> {
        if self.steps.len() >= MOST_STEPS {
            return Err(TooLarge);
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    fn part(&mut self, part: &Part, back: bool) -> Result<(), TooLarge> {
        match part {
            Part::Named(_) => {}
            Part::Char(c) => {
                let c = if self.ignore_case { folded(*c) } else { *c };
                self.push(Step::Char { c, back })?;
            }
            Part::Any => _ = self.push(Step::Any { back })?,
            Part::Set { ranges, negated } => {
                let ranges = if self.ignore_case { with_folded(ranges) } else { ranges.clone() };
                self.push(Step::Set { ranges, negated: *negated, back })?;
            }
            Part::Start => _ = self.push(Step::Start)?,
            Part::End => _ = self.push(Step::End)?,
            Part::Boundary { negated } => _ = self.push(Step::Boundary { negated: *negated })?,
            Part::Back(group) => _ = self.push(Step::Back { group: *group, back })?,
            Part::Group(group, part) => {
                let (first, last) = if back { (group * 2 + 1, group * 2) } else { (group * 2, group * 2 + 1) };
                self.push(Step::Save(first))?;
                self.part(part, back)?;
                self.push(Step::Save(last))?;
            }
            Part::Sequence(parts) if back => parts.iter().rev().try_for_each(|part| self.part(part, back))?,
            Part::Sequence(parts) => parts.iter().try_for_each(|part| self.part(part, back))?,
            Part::Choice(parts) => self.choice(parts, back)?,
            Part::Repeat { part, least, most, greedy, groups } => {
                self.repeat(part, (*least, *most), *greedy, *groups, back)?;
            }
            Part::Look { part, behind, negated } => {
                let look = self.push(Step::Look { negated: *negated, after: 0 })?;
                self.part(part, *behind)?;
                self.push(Step::Match)?;
                self.steps[look] = Step::Look { negated: *negated, after: self.steps.len() };
            }
        }
        Ok(())
    }

    fn choice(&mut self, parts: &[Part], back: bool) -> Result<(), TooLarge> {
        let mut ends = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            if index + 1 == parts.len() {
                self.part(part, back)?;
                break;
            }
            let split = self.push(Step::Split(0, 0))?;
            self.part(part, back)?;
            ends.push(self.push(Step::Jump(0))?);
            self.steps[split] = Step::Split(split + 1, self.steps.len());
        }
        let after = self.steps.len();
        ends.into_iter().for_each(|end| self.steps[end] = Step::Jump(after));
        Ok(())
    }

    fn repeat(
        &mut self,
        part: &Part,
        (least, most): (usize, Option<usize>),
        greedy: bool,
        groups: (usize, usize),
        back: bool,
    ) -> Result<(), TooLarge> {
        for _ in 0..least {
            let before = self.steps.len();
            self.round(part, groups, back)?;
            // What comes to no instruction comes to none however often.
            if self.steps.len() == before {
                return Ok(());
            }
        }
        let split = |to: usize, after: usize| if greedy { Step::Split(to, after) } else { Step::Split(after, to) };
        let mut splits = Vec::new();
        for _ in least..most.unwrap_or(least + 1) {
            splits.push(self.push(Step::Jump(0))?);
            let round = (self.rounds, part.may_be_empty());
            if round.1 {
                self.rounds += 1;
                self.push(Step::Round(round.0))?;
            }
            self.round(part, groups, back)?;
            if round.1 {
                self.push(Step::Progress(round.0))?;
            }
        }
        if let (None, Some(first)) = (most, splits.first()) {
            self.push(Step::Jump(*first))?;
        }
        let after = self.steps.len();
        splits.into_iter().for_each(|at| self.steps[at] = split(at + 1, after));
        Ok(())
    }

    /// Once through a part, whose groups have matched nothing yet.
    fn round(&mut self, part: &Part, groups: (usize, usize), back: bool) -> Result<(), TooLarge> {
        if groups.0 < groups.1 {
            self.push(Step::Forget(groups.0, groups.1))?;
        }
        self.part(part, back)
    }
}

impl Part {
    /// True unless it surely passes over a character.
    pub(super) fn may_be_empty(&self) -> bool {
        match self {
            Part::Char(_) | Part::Any | Part::Set { .. } => false,
            Part::Group(_, part) => part.may_be_empty(),
            Part::Sequence(parts) => parts.iter().all(Part::may_be_empty),
            Part::Choice(parts) => parts.iter().any(Part::may_be_empty),
            Part::Repeat { part, least, .. } => *least == 0 || part.may_be_empty(),
            _ => true,
        }
    }
}

/// A character as JavaScript compares it where case does not count: its capital, if that is one character, and not
/// ASCII for one that is not.
pub(super) fn folded(c: char) -> char {
    let mut capital = c.to_uppercase();
    match (capital.next(), capital.next()) {
        (Some(one), None) if c.is_ascii() || !one.is_ascii() => one,
        _ => c,
    }
}

/// Characters that are compared as others.
static FOLDED: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let all = ('\0'..='\u{1ffff}').map(|c| (c, folded(c)));
    all.filter(|(c, folded)| c != folded).collect()
});

/// With what is compared as a member.
pub(super) fn with_unfolded(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let holds = |c: char| ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
    let more = FOLDED.iter().filter(|(c, folded)| holds(*folded) && !holds(*c)).map(|(c, _)| (*c, *c));
    ranges.iter().copied().chain(more).collect()
}

/// With what their members are compared as.
pub(super) fn with_folded(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let holds = |c: char| ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
    let more = FOLDED.iter().filter(|(c, folded)| holds(*c) && !holds(*folded)).map(|(_, folded)| (*folded, *folded));
    ranges.iter().copied().chain(more).collect()
}
