//! What a run would certainly refuse, as far as it can be seen in the text.

use super::ast::{Expr, Kind, Op};
use super::functions::{self, Builtin};

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
fn names<'e>(expr: &'e Expr, bound: &mut Vec<&'e str>) {
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
        if args.iter().all(Option::is_some) {
            self.counted(procedure, builtin, args.len() + before);
        }
        let Some(signature) = builtin.signature() else { return };
        for (index, arg) in args.iter().enumerate() {
            let Some(arg) = arg else { continue };
            if matches!(arg.kind, Kind::String(_))
                && arg.is_plain()
                && signature.wants_number(index + before, args.len() + before)
            {
                let message = format!("Argument {} of ${name} must be a number, not a string", index + before + 1);
                self.note(arg, message, "write it without quotes, or make a number with $number()".to_owned());
            }
        }
    }

    fn counted(&mut self, procedure: &Expr, builtin: &Builtin, count: usize) {
        let Some(signature) = builtin.signature() else { return };
        let (least, most) = signature.counts();
        if (least..=most).contains(&count) {
            return;
        }
        let takes = match (least, most) {
            (least, usize::MAX) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        let plural = if takes == "1" { "" } else { "s" };
        let message = format!("${} takes {takes} argument{plural}, not {count}", builtin.name);
        self.note(procedure, message, "its page in the documentation of JSONata tells them".to_owned());
    }
}
