//! Updates: the grammar of `UpdateExpression`, and what one does to an item.

use super::parse::{Parser, Placeholders, Rank, Syntax, parse};
use super::path::{Path, Step};
use crate::embedded::error::{Fault, invalid};
use crate::embedded::table::attribute::{Attribute, Attributes};

/// A parsed update.
#[derive(Clone, Debug, Default)]
pub(crate) struct Update {
    set: Vec<(Path, Term)>,
    remove: Vec<Path>,
    add: Vec<(Path, Attribute)>,
    delete: Vec<(Path, Attribute)>,
}

/// The right side of a SET, or an operand of it.
#[derive(Clone, Debug)]
enum Term {
    Path(Path),
    Value(Attribute),
    Plus(Box<Term>, Box<Term>),
    Minus(Box<Term>, Box<Term>),
    IfNotExists(Path, Box<Term>),
    ListAppend(Box<Term>, Box<Term>),
}

const SECTIONS: [&str; 4] = ["SET", "REMOVE", "ADD", "DELETE"];

impl Update {
    /// Parses an `UpdateExpression`.
    pub(crate) fn parse(text: &str, placeholders: &mut Placeholders) -> Result<Update, Fault> {
        parse("UpdateExpression", text, placeholders, Parser::update)
    }

    /// The paths it writes.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let pairs = self.add.iter().chain(&self.delete).map(|(path, _)| path);
        self.set.iter().map(|(path, _)| path).chain(&self.remove).chain(pairs)
    }

    /// Changes the item. Every value is taken from the item as it was before; list positions are those before, too.
    pub(crate) fn apply(&self, item: &mut Attributes) -> Result<(), Fault> {
        let values = self.set.iter().map(|(path, term)| Ok((path, term.value(item)?)));
        let mut values = values.collect::<Result<Vec<_>, Fault>>()?;
        // In the order of the paths, so that elements beyond the end of a list are appended in the order of their index.
        values.sort_by_key(|(path, _)| *path);
        let mut next = item.clone();
        for (path, value) in values {
            path.set(&mut next, value).ok_or_else(bad_path)?;
        }
        for (path, value) in &self.add {
            let sum = add(path.get(item), value)?;
            path.set(&mut next, sum).ok_or_else(bad_path)?;
        }
        for (path, value) in &self.delete {
            match path.get(item).map(|old| take_away(old, value)).transpose()? {
                Some(Some(rest)) => path.set(&mut next, rest).ok_or_else(bad_path)?,
                Some(None) => path.remove(&mut next).ok_or_else(bad_path)?,
                None => {}
            }
        }
        // From the last element to the first: removing one does not move the others.
        let mut removed: Vec<&Path> = self.remove.iter().collect();
        removed.sort_by(|a, b| b.cmp(a));
        for path in removed {
            path.remove(&mut next).ok_or_else(bad_path)?;
        }
        *item = next;
        Ok(())
    }
}

fn bad_path() -> Fault {
    invalid("The document path provided in the update expression is invalid for update")
}

fn wrong_operand() -> Fault {
    invalid("An operand in the update expression has an incorrect data type")
}

impl Term {
    fn value(&self, item: &Attributes) -> Result<Attribute, Fault> {
        let missing = || invalid("The provided expression refers to an attribute that does not exist in the item");
        match self {
            Term::Path(path) => path.get(item).cloned().ok_or_else(missing),
            Term::Value(value) => Ok(value.clone()),
            Term::IfNotExists(path, other) => path.get(item).cloned().map_or_else(|| other.value(item), Ok),
            Term::ListAppend(a, b) => match (a.value(item)?, b.value(item)?) {
                (Attribute::L(mut a), Attribute::L(b)) => {
                    a.extend(b);
                    Ok(Attribute::L(a))
                }
                _ => Err(wrong_operand()),
            },
            Term::Plus(a, b) | Term::Minus(a, b) => match (a.value(item)?, b.value(item)?) {
                (Attribute::N(a), Attribute::N(b)) => {
                    let sum = if matches!(self, Term::Plus(..)) { a.add(b) } else { a.subtract(b) };
                    sum.map(Attribute::N).map_err(|error| invalid(error.to_string()))
                }
                _ => Err(wrong_operand()),
            },
        }
    }
}

/// ADD: the sum of numbers, the union of sets.
fn add(old: Option<&Attribute>, value: &Attribute) -> Result<Attribute, Fault> {
    match (old, value) {
        (None, value) => Ok(value.clone()),
        (Some(Attribute::N(a)), Attribute::N(b)) => {
            a.add(*b).map(Attribute::N).map_err(|error| invalid(error.to_string()))
        }
        (Some(Attribute::Ss(a)), Attribute::Ss(b)) => Ok(Attribute::Ss(a | b)),
        (Some(Attribute::Ns(a)), Attribute::Ns(b)) => Ok(Attribute::Ns(a | b)),
        (Some(Attribute::Bs(a)), Attribute::Bs(b)) => Ok(Attribute::Bs(a | b)),
        _ => Err(wrong_operand()),
    }
}

/// DELETE: a set without some members; `None` when none are left.
fn take_away(old: &Attribute, value: &Attribute) -> Result<Option<Attribute>, Fault> {
    let rest = match (old, value) {
        (Attribute::Ss(a), Attribute::Ss(b)) => Attribute::Ss(a - b),
        (Attribute::Ns(a), Attribute::Ns(b)) => Attribute::Ns(a - b),
        (Attribute::Bs(a), Attribute::Bs(b)) => Attribute::Bs(a - b),
        _ => return Err(wrong_operand()),
    };
    let empty = match &rest {
        Attribute::Ss(set) => set.is_empty(),
        Attribute::Ns(set) => set.is_empty(),
        Attribute::Bs(set) => set.is_empty(),
        _ => false,
    };
    Ok((!empty).then_some(rest))
}

impl Parser<'_> {
    fn update(&mut self) -> Syntax<Update> {
        let mut update = Update::default();
        let mut written: Vec<Path> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        while let Some(section) = SECTIONS.into_iter().find(|name| self.is_keyword(name)) {
            self.advance();
            if seen.contains(&section) {
                self.report(Rank::Section, || {
                    format!("The \"{section}\" section can only be used once in an update expression;")
                });
            }
            seen.push(section);
            loop {
                let path = self.path()?;
                self.check_overlap(&mut written, &path);
                self.action(section, path, &mut update)?;
                if !self.symbol(",") {
                    break;
                }
            }
        }
        if seen.is_empty() { Err(self.syntax_error()) } else { Ok(update) }
    }

    fn action(&mut self, section: &str, path: Path, update: &mut Update) -> Syntax<()> {
        match section {
            "SET" => {
                self.expect("=")?;
                let term = self.sum()?;
                update.set.push((path, term));
            }
            "REMOVE" => update.remove.push(path),
            _ => {
                let value = self.value().ok_or_else(|| self.syntax_error())?;
                self.check_operator(section, &value);
                let list = if section == "ADD" { &mut update.add } else { &mut update.delete };
                list.push((path, value));
            }
        }
        Ok(())
    }

    /// An operand, or two with `+` or `-` between them.
    fn sum(&mut self) -> Syntax<Term> {
        let left = self.term()?;
        let operator = self.next_text();
        if !matches!(operator, "+" | "-") {
            return Ok(left);
        }
        self.advance();
        let right = self.term()?;
        for operand in [&left, &right] {
            if let Some(kind) = known_type(operand).filter(|kind| *kind != "N") {
                self.wrong_type(operator, kind);
            }
        }
        let join = if operator == "+" { Term::Plus } else { Term::Minus };
        Ok(join(Box::new(left), Box::new(right)))
    }

    fn term(&mut self) -> Syntax<Term> {
        let open = self.position();
        if self.symbol("(") {
            let inner = self.deeper(Self::sum)?;
            self.expect(")")?;
            self.close(open);
            return Ok(inner);
        }
        if let Some(name) = self.function() {
            let operands = self.deeper(|parser| parser.terms())?;
            return Ok(self.call(name, operands));
        }
        if let Some(value) = self.value() {
            return Ok(Term::Value(value));
        }
        self.path().map(Term::Path)
    }

    fn terms(&mut self) -> Syntax<Vec<Term>> {
        let mut terms = Vec::new();
        loop {
            terms.push(self.term()?);
            if self.symbol(")") {
                return Ok(terms);
            }
            self.expect(",")?;
        }
    }

    /// A function call; after a reported fault the value does not matter.
    fn call(&mut self, name: &str, operands: Vec<Term>) -> Term {
        let given = operands.len();
        if !matches!(name, "if_not_exists" | "list_append") {
            self.report(Rank::UnknownFunction, || format!("Invalid function name; function: {name}"));
            return Term::Value(Attribute::Null);
        }
        self.check_count(name, 2, given);
        let mut operands = operands.into_iter();
        let (Some(first), Some(second)) = (operands.next(), operands.next()) else {
            return Term::Value(Attribute::Null);
        };
        if name == "list_append" {
            for operand in [&first, &second] {
                if let Some(kind) = known_type(operand).filter(|kind| *kind != "L") {
                    self.wrong_type(name, kind);
                }
            }
            return Term::ListAppend(Box::new(first), Box::new(second));
        }
        match first {
            Term::Path(path) => Term::IfNotExists(path, Box::new(second)),
            _ => {
                self.wants_path(name);
                second
            }
        }
    }

    /// ADD takes numbers and sets, DELETE sets.
    fn check_operator(&mut self, section: &str, value: &Attribute) {
        let kind = match value {
            Attribute::N(_) if section == "ADD" => return,
            Attribute::Ss(_) | Attribute::Ns(_) | Attribute::Bs(_) => return,
            Attribute::S(_) => "STRING",
            Attribute::N(_) => "NUMBER",
            Attribute::B(_) => "BINARY",
            Attribute::Bool(_) => "BOOLEAN",
            Attribute::Null => "NULL",
            Attribute::L(_) => "LIST",
            Attribute::M(_) => "MAP",
        };
        self.report(Rank::OperandType, || {
            format!("Incorrect operand type for operator or function; operator: {section}, operand type: {kind}")
        });
    }

    /// Refuses paths of which one lies within the other, and paths that see one place both as a map and as a list.
    pub(super) fn check_overlap(&mut self, written: &mut Vec<Path>, path: &Path) {
        let kind = |step: &Step| matches!(step, Step::Index(_));
        let mut found = None;
        for other in written.iter() {
            let differs = other.0.iter().zip(&path.0).find(|(a, b)| a != b);
            found = match differs {
                None => Some((Rank::Overlap, "overlap", other.clone())),
                Some((a, b)) if kind(a) != kind(b) => Some((Rank::Conflict, "conflict", other.clone())),
                Some(_) => continue,
            };
            break;
        }
        if let Some((rank, verb, other)) = found {
            self.report(rank, || {
                format!(
                    "Two document paths {verb} with each other; must remove or rewrite one of these paths; \
                     path one: {other}, path two: {path}"
                )
            });
        }
        written.push(path.clone());
    }
}

fn known_type(term: &Term) -> Option<&'static str> {
    match term {
        Term::Value(value) => Some(value.type_name()),
        Term::Plus(..) | Term::Minus(..) => Some("N"),
        Term::ListAppend(..) => Some("L"),
        Term::Path(_) | Term::IfNotExists(..) => None,
    }
}
