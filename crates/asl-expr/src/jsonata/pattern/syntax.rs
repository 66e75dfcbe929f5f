//! JavaScript's patterns as a tree.

/// How deep groups may nest.
const DEEPEST: usize = 100;
/// A count that is larger is none that any text reaches.
const MOST: usize = 1 << 30;

/// A part of a pattern.
#[derive(Debug)]
pub(super) enum Part {
    Char(char),
    /// Any character but the end of a line.
    Any,
    Set {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
    /// `^`
    Start,
    /// `$`
    End,
    /// `\b`, `\B`
    Boundary {
        negated: bool,
    },
    /// `\1`: the text of a group.
    Back(usize),
    /// `\k<name>`, until all names are known.
    Named(String),
    Group(usize, Box<Part>),
    Sequence(Vec<Part>),
    Choice(Vec<Part>),
    Repeat {
        part: Box<Part>,
        least: usize,
        most: Option<usize>,
        greedy: bool,
        /// The groups inside: from one to before another.
        groups: (usize, usize),
    },
    Look {
        part: Box<Part>,
        behind: bool,
        negated: bool,
    },
}

/// How many groups a pattern has, and whether some have names.
fn count_groups(pattern: &str) -> (usize, bool) {
    let (mut class, mut count, mut named) = (false, 0, false);
    let mut chars = pattern.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            '[' => class = true,
            ']' => class = false,
            '(' if !class => {
                let rest = &pattern[at + 1..];
                let name = rest.starts_with("?<") && !rest.starts_with("?<=") && !rest.starts_with("?<!");
                count += usize::from(name || !rest.starts_with('?'));
                named |= name;
            }
            _ => {}
        }
    }
    (count, named)
}

/// A pattern, read.
pub(super) struct Syntax {
    pub(super) root: Part,
    /// How many groups it has.
    pub(super) groups: usize,
}

type Found<T> = Result<T, &'static str>;

/// Reads a pattern.
///
/// # Errors
/// What is wrong with it, in the words of V8.
pub(super) fn read(pattern: &str) -> Found<Syntax> {
    let (groups, named) = count_groups(pattern);
    let mut reader = Reader { rest: pattern, groups, named, seen: 0, names: Vec::new(), depth: 0 };
    let mut root = reader.choice()?;
    if !reader.rest.is_empty() {
        return Err("Unmatched ')'");
    }
    name_groups(&mut root, &reader.names)?;
    Ok(Syntax { root, groups })
}

fn name_groups(part: &mut Part, names: &[(String, usize)]) -> Found<()> {
    match part {
        Part::Named(name) => {
            let (_, group) = names.iter().find(|(known, _)| known == name).ok_or("Invalid named capture referenced")?;
            *part = Part::Back(*group);
            Ok(())
        }
        Part::Group(_, part) | Part::Repeat { part, .. } | Part::Look { part, .. } => name_groups(part, names),
        Part::Sequence(parts) | Part::Choice(parts) => parts.iter_mut().try_for_each(|part| name_groups(part, names)),
        _ => Ok(()),
    }
}

struct Reader<'p> {
    rest: &'p str,
    groups: usize,
    named: bool,
    /// How many groups have begun.
    seen: usize,
    names: Vec<(String, usize)>,
    depth: usize,
}

impl Reader<'_> {
    fn takes(&mut self, sign: &str) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn choice(&mut self) -> Found<Part> {
        let mut choices = vec![self.sequence()?];
        while self.takes("|") {
            choices.push(self.sequence()?);
        }
        Ok(if choices.len() == 1 { choices.swap_remove(0) } else { Part::Choice(choices) })
    }

    fn sequence(&mut self) -> Found<Part> {
        let mut parts = Vec::new();
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let before = self.seen;
            let part = self.part()?;
            parts.push(self.repeated(part, before)?);
        }
        Ok(Part::Sequence(parts))
    }

    /// A part with the count that follows it, if one does.
    fn repeated(&mut self, part: Part, before: usize) -> Found<Part> {
        let Some((least, most)) = self.count() else { return Ok(part) };
        if matches!(part, Part::Start | Part::End | Part::Boundary { .. } | Part::Look { behind: true, .. }) {
            return Err("Nothing to repeat");
        }
        if most.is_some_and(|most| most < least) {
            return Err("numbers out of order in {} quantifier");
        }
        let greedy = !self.takes("?");
        Ok(Part::Repeat { part: Box::new(part), least, most, greedy, groups: (before + 1, self.seen + 1) })
    }

    fn count(&mut self) -> Option<(usize, Option<usize>)> {
        let simple = [("*", (0, None)), ("+", (1, None)), ("?", (0, Some(1)))];
        if let Some((_, count)) = simple.into_iter().find(|(sign, _)| self.takes(sign)) {
            return Some(count);
        }
        let (inner, rest) = self.rest.strip_prefix('{')?.split_once('}')?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        // A number that is too large for this machine is as good as the largest.
        let number = |text: &str| text.parse::<usize>().map_or(MOST, |n| n.min(MOST));
        let (least, most) = match inner.split_once(',') {
            Some((least, "")) => (least, None),
            Some((least, most)) if digits(most) => (least, Some(number(most))),
            Some(_) => return None,
            None => (inner, Some(number(inner))),
        };
        if least.is_empty() || !digits(least) {
            return None;
        }
        self.rest = rest;
        Some((number(least), most))
    }

    fn part(&mut self) -> Found<Part> {
        let before = self.rest;
        Ok(match self.next().unwrap_or_default() {
            '^' => Part::Start,
            '$' => Part::End,
            '.' => Part::Any,
            '(' => self.group()?,
            '[' => self.set()?,
            '\\' => self.escape()?,
            '*' | '+' | '?' => return Err("Nothing to repeat"),
            '{' => {
                self.rest = before;
                if self.count().is_some() {
                    return Err("Nothing to repeat");
                }
                self.rest = &before[1..];
                Part::Char('{')
            }
            c => Part::Char(c),
        })
    }

    fn group(&mut self) -> Found<Part> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("Groups nest too deep");
        }
        let looks = [("?=", false, false), ("?!", false, true), ("?<=", true, false), ("?<!", true, true)];
        let part = if self.takes("?:") {
            self.choice()?
        } else if let Some((_, behind, negated)) = looks.into_iter().find(|(sign, ..)| self.takes(sign)) {
            Part::Look { part: Box::new(self.choice()?), behind, negated }
        } else {
            self.seen += 1;
            let group = self.seen;
            if self.takes("?<") {
                let name = self.name()?;
                if self.names.iter().any(|(known, _)| *known == name) {
                    return Err("Duplicate capture group name");
                }
                self.names.push((name, group));
            } else if self.rest.starts_with('?') {
                return Err("Invalid group");
            }
            Part::Group(group, Box::new(self.choice()?))
        };
        self.depth -= 1;
        if self.takes(")") { Ok(part) } else { Err("Unterminated group") }
    }

    /// The name of a group, up to `>`.
    fn name(&mut self) -> Found<String> {
        let (name, rest) = self.rest.split_once('>').ok_or("Invalid capture group name")?;
        let first = |c: char| c.is_alphabetic() || c == '_' || c == '$';
        if !name.starts_with(first) || !name.chars().all(|c| first(c) || c.is_alphanumeric()) {
            return Err("Invalid capture group name");
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn escape(&mut self) -> Found<Part> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if let Ok(group) = self.rest[..digits].parse::<usize>()
            && (1..=self.groups).contains(&group)
        {
            self.rest = &self.rest[digits..];
            return Ok(Part::Back(group));
        }
        if self.named && self.takes("k") {
            return if self.takes("<") { self.name().map(Part::Named) } else { Err("Invalid named reference") };
        }
        if self.takes("b") {
            return Ok(Part::Boundary { negated: false });
        }
        if self.takes("B") {
            return Ok(Part::Boundary { negated: true });
        }
        Ok(match self.escaped()? {
            Escaped::Char(c) => Part::Char(c),
            Escaped::Class(ranges, negated) => Part::Set { ranges: ranges.to_vec(), negated },
        })
    }

    /// What follows a backslash, in a class or outside.
    fn escaped(&mut self) -> Found<Escaped> {
        let c = self.next().ok_or("\\ at end of pattern")?;
        Ok(Escaped::Char(match c {
            'd' | 'D' => return Ok(Escaped::Class(DIGITS, c == 'D')),
            'w' | 'W' => return Ok(Escaped::Class(WORDS, c == 'W')),
            's' | 'S' => return Ok(Escaped::Class(SPACES, c == 'S')),
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'x' | 'u' => self.hexadecimal(if c == 'x' { 2 } else { 4 })?.unwrap_or(c),
            'c' => match self.rest.chars().next().filter(char::is_ascii_alphabetic) {
                Some(letter) => {
                    self.rest = &self.rest[1..];
                    char::from(letter as u8 % 32)
                }
                None => return Err("\\c without a letter"),
            },
            '0'..='7' => self.octal(c),
            other => other,
        }))
    }

    fn hexadecimal(&mut self, count: usize) -> Found<Option<char>> {
        let digits = self.rest.get(..count).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else { return Ok(None) };
        self.rest = &self.rest[count..];
        match char::from_u32(code) {
            Some(c) => Ok(Some(c)),
            None => Err("half of a surrogate pair is no character here"),
        }
    }

    /// Up to three digits, as old programs wrote characters.
    fn octal(&mut self, first: char) -> char {
        let mut code = first.to_digit(8).unwrap_or(0);
        let most = if code <= 3 { 2 } else { 1 };
        for _ in 0..most {
            let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else { break };
            code = code * 8 + digit;
            self.rest = &self.rest[1..];
        }
        char::from_u32(code).unwrap_or(first)
    }

    /// A class, after its bracket.
    fn set(&mut self) -> Found<Part> {
        let negated = self.takes("^");
        let mut ranges: Vec<(char, char)> = Vec::new();
        loop {
            if self.rest.is_empty() {
                return Err("Unterminated character class");
            }
            if self.takes("]") {
                return Ok(Part::Set { ranges, negated });
            }
            let first = self.member(&mut ranges)?;
            let range = self.rest.starts_with('-') && !self.rest.starts_with("-]");
            if !range {
                ranges.extend(first.map(|c| (c, c)));
                continue;
            }
            self.rest = &self.rest[1..];
            match (first, self.member(&mut ranges)?) {
                (Some(first), Some(last)) if first > last => return Err("Range out of order in character class"),
                (Some(first), Some(last)) => ranges.push((first, last)),
                // Beside a class of several a dash is one.
                (first, last) => ranges.extend(first.into_iter().chain(last).chain(['-']).map(|c| (c, c))),
            }
        }
    }

    /// A character of a class; `None` for several, which are in `ranges` then.
    fn member(&mut self, ranges: &mut Vec<(char, char)>) -> Found<Option<char>> {
        if !self.takes("\\") {
            return self.next().map(Some).ok_or("Unterminated character class");
        }
        if self.takes("b") {
            return Ok(Some('\u{8}'));
        }
        match self.escaped()? {
            Escaped::Char(c) => Ok(Some(c)),
            Escaped::Class(class, false) => {
                ranges.extend(class);
                Ok(None)
            }
            Escaped::Class(class, true) => {
                ranges.extend(outside(class));
                Ok(None)
            }
        }
    }
}

enum Escaped {
    Char(char),
    /// Ranges, and whether it is what is outside of them.
    Class(&'static [(char, char)], bool),
}

const DIGITS: &[(char, char)] = &[('0', '9')];
pub(super) const WORDS: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
const SPACES: &[(char, char)] = &[
    ('\t', '\r'),
    (' ', ' '),
    ('\u{a0}', '\u{a0}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{2000}', '\u{200a}'),
    ('\u{2028}', '\u{2029}'),
    ('\u{202f}', '\u{202f}'),
    ('\u{205f}', '\u{205f}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{feff}', '\u{feff}'),
];

/// What is outside of sorted ranges.
fn outside(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let mut out = Vec::with_capacity(ranges.len() + 1);
    let mut from = '\0';
    for (first, last) in ranges {
        if from < *first {
            // None of the ranges begins at the first character, or right after the gap of surrogates.
            out.push((from, char::from_u32(*first as u32 - 1).unwrap_or(*first)));
        }
        from = char::from_u32(*last as u32 + 1).unwrap_or(char::MAX);
    }
    out.push((from, char::MAX));
    out
}
