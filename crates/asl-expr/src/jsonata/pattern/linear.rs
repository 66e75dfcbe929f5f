//! Patterns that the crate `regex` can run: written in its syntax, without any of its own ideas of cases, words and lines.

use super::program::{with_folded, with_unfolded};
use super::syntax::Part;
use std::fmt::Write as _;

/// A repetition that is paid for with its match.
const LONG: usize = 32;

impl Part {
    /// True when the crate finds the same matches, with the same groups. It forgets no group that an earlier round of a loop
    /// has matched, and counts rounds that match nothing.
    pub(super) fn is_linear(&self, multi_line: bool) -> bool {
        match self {
            Part::Char(_) | Part::Any | Part::Set { .. } | Part::Boundary { .. } => true,
            Part::Start | Part::End => !multi_line,
            Part::Back(_) | Part::Named(_) | Part::Look { .. } => false,
            Part::Group(_, part) => part.is_linear(multi_line),
            Part::Sequence(parts) | Part::Choice(parts) => parts.iter().all(|part| part.is_linear(multi_line)),
            Part::Repeat { part, most, .. } => {
                let once = *most == Some(1);
                part.is_linear(multi_line) && !part.may_be_empty() && (once || part.keeps_groups())
            }
        }
    }

    /// True when all groups take part in every match.
    fn keeps_groups(&self) -> bool {
        match self {
            Part::Group(_, part) | Part::Look { part, .. } => part.keeps_groups(),
            Part::Sequence(parts) => parts.iter().all(Part::keeps_groups),
            Part::Choice(parts) => !parts.iter().any(Part::has_groups),
            Part::Repeat { part, least, .. } => !part.has_groups() || (*least > 0 && part.keeps_groups()),
            _ => true,
        }
    }

    /// True when the matcher may read on far beyond a match, for one it would like better: `a.*x|a`.
    pub(super) fn reads_ahead(&self) -> bool {
        match self {
            Part::Group(_, part) | Part::Look { part, .. } => part.reads_ahead(),
            Part::Sequence(parts) => parts.iter().any(Part::reads_ahead),
            Part::Choice(parts) => parts.iter().any(Part::may_fail_late),
            Part::Repeat { part, least, most, .. } => {
                if *most == Some(*least) {
                    part.reads_ahead()
                } else {
                    part.may_fail_late()
                }
            }
            _ => false,
        }
    }

    /// True when something must follow what may be long.
    fn may_fail_late(&self) -> bool {
        match self {
            Part::Group(_, part) | Part::Look { part, .. } | Part::Repeat { part, .. } => part.may_fail_late(),
            Part::Choice(parts) => parts.iter().any(Part::may_fail_late),
            Part::Sequence(parts) => {
                let long = parts.iter().position(Part::may_be_long);
                let more = long.is_some_and(|long| parts[long + 1..].iter().any(Part::may_fail));
                more || parts.iter().any(Part::may_fail_late)
            }
            _ => false,
        }
    }

    /// About how many states the crate's matcher may have to look at for one byte.
    pub(super) fn states(&self) -> usize {
        match self {
            Part::Char(_) => 1,
            // Several bytes make up a character.
            Part::Any => 8,
            Part::Set { ranges, negated } => match ranges.last() {
                Some((_, last)) if last.is_ascii() && !negated => 1,
                _ => 8,
            },
            Part::Start | Part::End | Part::Boundary { .. } | Part::Back(_) | Part::Named(_) => 1,
            Part::Group(_, part) | Part::Look { part, .. } => part.states().saturating_add(2),
            Part::Sequence(parts) | Part::Choice(parts) => {
                parts.iter().map(Part::states).fold(1, usize::saturating_add)
            }
            Part::Repeat { part, least, most, .. } => {
                part.states().saturating_add(1).saturating_mul(most.unwrap_or(*least + 1).max(1))
            }
        }
    }

    fn may_be_long(&self) -> bool {
        match self {
            Part::Group(_, part) => part.may_be_long(),
            Part::Sequence(parts) | Part::Choice(parts) => parts.iter().any(Part::may_be_long),
            Part::Repeat { part, most, .. } => most.is_none_or(|most| most > LONG) || part.may_be_long(),
            _ => false,
        }
    }

    fn may_fail(&self) -> bool {
        match self {
            Part::Group(_, part) => part.may_fail(),
            Part::Sequence(parts) => parts.iter().any(Part::may_fail),
            Part::Choice(parts) => parts.iter().all(Part::may_fail),
            Part::Repeat { part, least, .. } => *least > 0 && part.may_fail(),
            _ => true,
        }
    }

    fn has_groups(&self) -> bool {
        match self {
            Part::Group(..) => true,
            Part::Sequence(parts) | Part::Choice(parts) => parts.iter().any(Part::has_groups),
            Part::Repeat { part, .. } | Part::Look { part, .. } => part.has_groups(),
            _ => false,
        }
    }
}

/// A pattern in the syntax of the crate. What is not linear is left out.
pub(super) fn write(part: &Part, ignore_case: bool, out: &mut String) {
    match part {
        Part::Char(c) => set(&[(*c, *c)], false, ignore_case, out),
        Part::Any => out.push_str(r"[^\n\r\x{2028}\x{2029}]"),
        Part::Set { ranges, negated } => set(ranges, *negated, ignore_case, out),
        Part::Start => out.push('^'),
        Part::End => out.push('$'),
        Part::Boundary { negated } => out.push_str(if *negated { r"(?-u:\B)" } else { r"(?-u:\b)" }),
        Part::Group(_, part) => {
            out.push('(');
            write(part, ignore_case, out);
            out.push(')');
        }
        Part::Sequence(parts) => parts.iter().for_each(|part| write(part, ignore_case, out)),
        Part::Choice(parts) => {
            for (index, part) in parts.iter().enumerate() {
                out.push_str(if index == 0 { "(?:" } else { "|" });
                write(part, ignore_case, out);
            }
            out.push(')');
        }
        Part::Repeat { part, least, most, greedy, .. } => {
            out.push_str("(?:");
            write(part, ignore_case, out);
            let most = most.map_or(String::new(), |most| most.to_string());
            let _ = write!(out, "){{{least},{most}}}{}", if *greedy { "" } else { "?" });
        }
        Part::Back(_) | Part::Named(_) | Part::Look { .. } => {}
    }
}

fn set(ranges: &[(char, char)], negated: bool, ignore_case: bool, out: &mut String) {
    let all = if ignore_case { with_unfolded(&with_folded(ranges)) } else { ranges.to_vec() };
    match &all[..] {
        [] => out.push_str(if negated { r"[\s\S]" } else { r"[^\s\S]" }),
        [(c, same)] if c == same && !negated => _ = write!(out, "\\x{{{:x}}}", u32::from(*c)),
        all => {
            out.push_str(if negated { "[^" } else { "[" });
            for (first, last) in all {
                let _ = write!(out, "\\x{{{:x}}}-\\x{{{:x}}}", u32::from(*first), u32::from(*last));
            }
            out.push(']');
        }
    }
}
