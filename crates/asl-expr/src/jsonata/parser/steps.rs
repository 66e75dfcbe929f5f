//! What becomes of the parts of a path: flat steps, each with what follows it.

use super::{Fallible, Form, Operand, Parsed, Parser, above};
use crate::jsonata::ast::{Expr, Kind, Stage, Term};
use crate::jsonata::functions::number;
use crate::jsonata::lexer::{Mistake, Token};

/// What an expression is wrapped in to become the start of a path.
pub(super) fn path(expr: Expr) -> Expr {
    if matches!(expr.kind, Kind::Path { .. }) {
        return expr;
    }
    let (at, height) = (expr.at, expr.height);
    Expr { height, ..Expr::new(Kind::Path { steps: vec![expr], keep_singleton: false }, at) }
}

pub(super) fn last_step(expr: &mut Expr) -> &mut Expr {
    if !matches!(expr.kind, Kind::Path { .. }) {
        return expr;
    }
    match &mut expr.kind {
        Kind::Path { steps, .. } => steps.last_mut().expect("a path has a step"),
        _ => unreachable!("it is a path"),
    }
}

impl<'a> Parser<'a> {
    /// `left.right`
    pub(super) fn join(&mut self, left: Expr, mut right: Expr) -> Expr {
        let slot = if let Kind::Parent(slot) = left.kind { Some(slot) } else { None };
        let wraps = !matches!(left.kind, Kind::Path { .. });
        let mut result = path(left);
        result.height = result.height.max(right.height + 1);
        if let (true, Some(slot)) = (wraps, slot) {
            result.seeking = vec![slot];
        }
        let Kind::Path { steps, keep_singleton } = &mut result.kind else { return result };
        let mut added = if wraps { 0 } else { steps.len() };
        match right.kind {
            Kind::Path { steps: more, .. } => steps.extend(more),
            _ => {
                right.stages = right.predicates.drain(..).map(Stage::Filter).chain(right.stages.drain(..)).collect();
                steps.push(right);
            }
        }
        // Other operators may have added steps in between; a path of very many steps is not looked at again and again.
        added = if steps.len() < 64 { 0 } else { added.saturating_sub(1) };
        for step in &mut steps[added..] {
            *keep_singleton |= step.keep_array;
            match &mut step.kind {
                Kind::Number(n) => {
                    let value = Some(number::json(*n));
                    self.late.get_or_insert(Mistake { value, ..Mistake::new("S0213", step.at) });
                }
                Kind::Bool(_) | Kind::Null => {
                    let value = if let Kind::Bool(b) = step.kind { b.to_string() } else { "null".to_owned() };
                    self.late.get_or_insert(Mistake { value: Some(value), ..Mistake::new("S0213", step.at) });
                }
                Kind::String(text) => step.kind = Kind::Name(std::mem::take(text)),
                _ => {}
            }
        }
        let last = steps.len() - 1;
        for step in [0, last] {
            if matches!(steps[step].kind, Kind::Array(_)) {
                steps[step].cons_array = true;
            }
        }
        if let Err(mistake) = self.ancestry.resolve(&mut result) {
            self.late(mistake);
        }
        result
    }

    /// `left[...]`
    pub(super) fn predicate(&mut self, mut left: Expr, at: usize) -> Fallible<Expr> {
        let in_path = matches!(left.kind, Kind::Path { .. });
        if last_step(&mut left).group.is_some() {
            self.late(Mistake::new("S0209", at));
        }
        let predicate = self.inner(0)?;
        self.expect("]", true)?;
        left.height = left.height.max(predicate.height + 1);
        let step = last_step(&mut left);
        if !predicate.seeking.is_empty()
            && let Err(mistake) = self.ancestry.predicate(step, &predicate)
        {
            self.late(mistake);
        }
        if in_path {
            step.stages.push(Stage::Filter(predicate));
        } else {
            step.predicates.push(predicate);
        }
        Ok(left)
    }

    /// `left{...}`
    pub(super) fn grouping(&mut self, token: Token<'a>, left: Box<Operand<'a>>) -> Parsed<'a> {
        let (at, mut left) = (token.start, left.expr);
        if left.group.is_some() {
            self.late(Mistake::new("S0210", at));
        }
        let pairs = self.pairs()?;
        left.height = left.height.max(above(pairs.iter().flat_map(|(k, v)| [k, v])));
        left.group = Some(pairs);
        self.operand(left, token, Form::Other)
    }

    /// `left^(...)`
    pub(super) fn order_by(&mut self, token: Token<'a>, left: Box<Operand<'a>>) -> Parsed<'a> {
        let at = token.start;
        self.expect("(", false)?;
        let mut terms = Vec::new();
        loop {
            let descending = self.is(">");
            if descending || self.is("<") {
                self.step(false)?;
            }
            terms.push(Term { descending, expr: self.inner(0)? });
            if !self.is(",") {
                break;
            }
            self.expect(",", false)?;
        }
        self.expect(")", false)?;
        let mut result = path(left.expr);
        let mut step = Expr { height: above(terms.iter().map(|term| &term.expr)), at, ..Expr::default() };
        for term in &terms {
            self.ancestry.push(&mut step, &term.expr);
        }
        step.kind = Kind::Sort(terms);
        result.height = result.height.max(step.height + 1);
        if let Kind::Path { steps, .. } = &mut result.kind {
            steps.push(step);
        }
        if let Err(mistake) = self.ancestry.resolve(&mut result) {
            self.late(mistake);
        }
        self.operand(result, token, Form::Other)
    }

    /// `left@$name`
    pub(super) fn focus(&mut self, mut left: Expr, name: String, at: usize) -> Expr {
        let step = last_step(&mut left);
        let (staged, sorted) =
            (!step.stages.is_empty() || !step.predicates.is_empty(), matches!(step.kind, Kind::Sort(_)));
        step.focus = Some(name);
        step.tuple = true;
        if staged {
            self.late(Mistake::new("S0215", at));
        } else if sorted {
            self.late(Mistake::new("S0216", at));
        }
        left
    }
}

/// `left[]`
pub(super) fn keep_array(left: &mut Operand<'_>) {
    left.expr.keep_array = true;
    if let Kind::Path { steps, keep_singleton } = &mut left.expr.kind {
        match left.form {
            Form::Name => {
                *keep_singleton = true;
                steps.iter_mut().for_each(|step| step.keep_array = true);
            }
            Form::Focus => steps.iter_mut().next_back().into_iter().for_each(|step| step.keep_array = true),
            _ => {}
        }
    }
}

/// `left#$name`
pub(super) fn index(left: Expr, name: String) -> Expr {
    let wraps = !matches!(left.kind, Kind::Path { .. });
    let mut result = path(left);
    let step = last_step(&mut result);
    if wraps {
        step.stages = step.predicates.drain(..).map(Stage::Filter).collect();
    }
    step.tuple = true;
    if step.stages.is_empty() {
        step.index = Some(name);
    } else {
        step.stages.push(Stage::Index(name));
    }
    result
}
