//! What a run would certainly refuse, as far as it can be seen in the text.

use super::ast::{Expr, Kind, Op};
use super::functions::{self, Builtin};
use super::pattern::Pattern;

/// Something in an expression that is an error whenever it is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistaken {
    /// What is wrong, for people.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Where in the text of the expression, in bytes.
    pub offset: usize,
    /// How much of it, in bytes.
    pub len: usize,
}

/// Where arguments are told.
const PAGE: &str = "its page in the documentation of JSONata tells what it takes";

/// Finds such mistakes, in the order of the text.
pub(super) fn lint(expr: &Expr, text: &str) -> Vec<Mistaken> {
    let mut bound = Vec::new();
    names(expr, &mut bound);
    let mut lint = Lint { text, bound, found: Vec::new() };
    lint.node(expr);
    lint.found.sort_by_key(|found| found.offset);
    lint.found
}

/// Every name that the expression gives to something, wherever it is seen.
pub(super) fn names<'e>(expr: &'e Expr, bound: &mut Vec<&'e str>) {
    match &expr.kind {
        Kind::Bind(name, _) => bound.push(name),
        Kind::Lambda { params, .. } => bound.extend(params.iter().map(String::as_str)),
        _ => {}
    }
    bound.extend(expr.focus.iter().chain(&expr.index).map(String::as_str));
    for stage in &expr.stages {
        if let super::ast::Stage::Index(name) = stage {
            bound.push(name);
        }
    }
    expr.children(&mut |child| names(child, bound));
}

struct Lint<'a> {
    text: &'a str,
    bound: Vec<&'a str>,
    found: Vec<Mistaken>,
}

impl<'a> Lint<'a> {
    fn note(&mut self, expr: &Expr, message: String, help: String) {
        let rest = self.text.get(expr.at..).unwrap_or_default();
        let len = match &expr.kind {
            Kind::Variable(name) => name.len() + 1,
            Kind::Regex { pattern, flags } => pattern.len() + flags.trim_end_matches('g').len() + 2,
            Kind::String(_) => {
                let quote = rest.chars().next();
                let end = rest.char_indices().skip(1).find(|(_, c)| Some(*c) == quote);
                end.map_or(rest.len(), |(at, _)| at + 1)
            }
            _ => rest.chars().next().map_or(0, char::len_utf8),
        };
        self.found.push(Mistaken { message, help, offset: expr.at, len });
    }

    fn node(&mut self, expr: &'a Expr) {
        match &expr.kind {
            Kind::Call { procedure, args } => self.call(procedure, args, 0),
            Kind::Apply(sides) => {
                self.node(&sides[0]);
                match &sides[1].kind {
                    Kind::Call { procedure, args } => self.applied(procedure, args),
                    _ => self.node(&sides[1]),
                }
                return self.after(expr);
            }
            Kind::Binary(Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo, sides) => {
                for side in sides.iter() {
                    if matches!(side.kind, Kind::String(_)) && side.is_plain() {
                        let help = "write the number without quotes, or make one with $number(); & joins texts";
                        self.note(side, "A number must be here, not a string".to_owned(), help.to_owned());
                    }
                }
            }
            Kind::Regex { pattern, flags } => {
                if let Some(refused) = Pattern::new(pattern, flags).refused() {
                    self.note(expr, refused, "write a pattern that JavaScript takes".to_owned());
                }
            }
            _ => {}
        }
        expr.children(&mut |child| self.node(child));
    }

    /// A call whose first argument stands before `~>`.
    fn applied(&mut self, procedure: &'a Expr, args: &'a [Option<Expr>]) {
        self.call(procedure, args, 1);
        self.node(procedure);
        args.iter().flatten().for_each(|arg| self.node(arg));
    }

    fn after(&mut self, expr: &'a Expr) {
        expr.predicates.iter().for_each(|predicate| self.node(predicate));
    }

    fn call(&mut self, procedure: &Expr, args: &[Option<Expr>], before: usize) {
        let Kind::Variable(name) = &procedure.kind else { return };
        if name.is_empty() || name == "$" || !procedure.is_plain() || self.bound.contains(&name.as_str()) {
            return;
        }
        let Some(builtin) = functions::find(name) else {
            let near = functions::nearest(name);
            let help = near.map_or("a variable of the workflow is never a function".to_owned(), |near| {
                format!("did you mean `${near}`?")
            });
            return self.note(procedure, format!("There is no function '${name}'"), help);
        };
        if name == "eval" {
            let help = "write the expression itself: AWS has turned $eval off".to_owned();
            return self.note(procedure, "$eval cannot be used".to_owned(), help);
        }
        if args.iter().any(Option::is_none) || self.counted(procedure, builtin, args.len() + before) {
            return;
        }
        let letters = std::iter::repeat_n('?', before).chain(args.iter().flatten().map(letter)).collect::<Vec<_>>();
        let Some(index) = builtin.signature().and_then(|signature| signature.refuses(&letters)) else { return };
        let what = index.checked_sub(before).and_then(|at| args.get(at)).and_then(Option::as_ref);
        let (message, help) = match what.map(letter) {
            None => (format!("${name} lacks its argument {}", index + 1), ""),
            Some('s') => {
                (format!("Argument {} of ${name} cannot be a string", index + 1), "$number() makes a number of it")
            }
            Some(_) => (format!("Argument {} of ${name} is not of a type that it takes", index + 1), ""),
        };
        let help = if help.is_empty() { PAGE } else { help };
        self.note(what.unwrap_or(procedure), message, help.to_owned());
    }

    /// True when the number of arguments is wrong.
    fn counted(&mut self, procedure: &Expr, builtin: &Builtin, count: usize) -> bool {
        let Some(signature) = builtin.signature() else { return false };
        let (least, most) = signature.counts();
        if (least..=most).contains(&count) {
            return false;
        }
        let takes = match (least, most) {
            (least, usize::MAX) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        let plural = if takes == "1" { "" } else { "s" };
        let message = format!("${} takes {takes} argument{plural}, not {count}", builtin.name);
        self.note(procedure, message, PAGE.to_owned());
        true
    }
}

/// The letter of the type that an argument certainly has; `?` for any.
pub(super) fn letter(arg: &Expr) -> char {
    match &arg.kind {
        _ if !arg.is_plain() => '?',
        Kind::Null => 'l',
        Kind::Bool(_) => 'b',
        Kind::Number(_) => 'n',
        Kind::String(_) => 's',
        Kind::Array(_) => 'a',
        Kind::Object(_) => 'o',
        Kind::Regex { .. } | Kind::Lambda { .. } | Kind::Transform(_) => 'f',
        _ => '?',
    }
}
