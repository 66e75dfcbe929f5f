//! The bounds of an evaluation, and the checks that hold them where the evaluator has none.
//!
//! The evaluator itself bounds depth, time and the length of sequences. What it lets grow is kept small by checks written
//! into the expression after parsing, as calls of functions whose names no expression can write: every value that gets a
//! name or leaves a callback is measured, and operators and functions that multiply their operands ask first.

use super::references;
use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

/// What an evaluation may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How deep evaluation may nest.
    pub depth: usize,
    /// The memory its values may take in bytes: 8 a number, 1 a character.
    pub memory: usize,
    /// How many items a sequence may have.
    pub items: usize,
    /// The time it may take in milliseconds; a backstop behind the others, which do not depend on the machine.
    pub time_ms: u64,
    /// Whether `$eval` works.
    pub eval: bool,
}

impl Bounds {
    /// AWS's depth and memory. It does not tell its limit of time; this one is below a second.
    pub const AWS: Bounds = Bounds { depth: 100, memory: 6_990_256, items: 360_145, time_ms: 900, eval: false };

    /// The language as its suite tests it, with `$eval` and room for sequences of ten million.
    pub const LANGUAGE: Bounds =
        Bounds { depth: 500, memory: 120_000_000, items: 10_000_000, time_ms: 10_000, eval: true };
}

/// Measures its argument and hands it on.
pub(super) const FIT: &str = "!fit";
/// As [`FIT`], for what a callback gives: all of them together are bounded.
pub(super) const ITEM: &str = "!item";
/// The operator `&`.
pub(super) const CONCAT: &str = "!concat";
/// Takes both ends of a range, gives the second.
pub(super) const RANGE: &str = "!range";
/// Refuses strings that `$number` of the reference refuses.
pub(super) const NUMERIC: &str = "!numeric";
/// Drops the fraction of a number.
pub(super) const WHOLE: &str = "!whole";
/// Remembers the argument that the next [`CHECK`] multiplies with, and hands it on.
pub(super) const NOTE: &str = "!note";
/// Ends what [`CHECK`] began, and hands its argument on.
pub(super) const LEAVE: &str = "!leave";
/// Checks the product of what was noted with its argument, and hands it on.
pub(super) const CHECK: &str = "!check";

/// Puts the checks into an expression.
pub(super) fn install(ast: &mut AstNode) {
    let mut now_bound = false;
    references::visit(ast, &mut |node| match node {
        AstNode::Binary { op: BinaryOp::ColonEqual, lhs, .. } => {
            now_bound |= matches!(&**lhs, AstNode::Variable(name) if name == "now");
        }
        AstNode::Lambda { params, .. } => now_bound |= params.iter().any(|param| param == "now"),
        _ => {}
    });
    rewrite(ast, now_bound);
}

fn call(name: &str, args: Vec<AstNode>) -> AstNode {
    AstNode::Function { name: name.to_owned(), args, is_builtin: true }
}

fn wrap(node: &mut AstNode, name: &str) {
    let inner = std::mem::replace(node, AstNode::Null);
    *node = call(name, vec![inner]);
}

/// True for what cannot be larger than something that was measured before.
pub(super) fn is_small(node: &AstNode) -> bool {
    match node {
        AstNode::Path { steps } => steps
            .iter()
            .all(|step| step.stages.is_empty() && matches!(step.node, AstNode::Variable(_) | AstNode::Name(_))),
        AstNode::Binary { op, .. } => !matches!(op, BinaryOp::Concatenate | BinaryOp::ChainPipe | BinaryOp::ColonEqual),
        AstNode::String(_)
        | AstNode::Name(_)
        | AstNode::Number(_)
        | AstNode::Boolean(_)
        | AstNode::Null
        | AstNode::Undefined
        | AstNode::Placeholder
        | AstNode::Regex { .. }
        | AstNode::Variable(_)
        | AstNode::ParentVariable(_)
        | AstNode::Unary { .. }
        | AstNode::Lambda { .. }
        | AstNode::Transform { .. } => true,
        _ => false,
    }
}

fn is_literal(node: &AstNode) -> bool {
    matches!(node, AstNode::String(_) | AstNode::Number(_) | AstNode::Boolean(_) | AstNode::Null)
}

fn fit(node: &mut AstNode) {
    if !is_small(node) {
        wrap(node, FIT);
    }
}

fn rewrite(ast: &mut AstNode, now_bound: bool) {
    // `a ~> $f(b)` is `$f(a, b)`.
    if let AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } = ast
        && let AstNode::Function { args, .. } = &mut **rhs
        && !args.iter().any(|arg| matches!(arg, AstNode::Placeholder))
    {
        args.insert(0, std::mem::replace(&mut **lhs, AstNode::Null));
        *ast = std::mem::replace(&mut **rhs, AstNode::Null);
    }
    children_mut(ast).into_iter().for_each(|child| rewrite(child, now_bound));
    match ast {
        AstNode::Function { name, args, .. } if name == "reduce" => {
            // What an accumulator was before is gone.
            args.iter_mut().filter_map(|arg| lambda_body(arg)).for_each(|body| tails(body, FIT));
        }
        AstNode::Lambda { body, .. } => tails(body, ITEM),
        AstNode::Binary { op: BinaryOp::ColonEqual, rhs, .. } => fit(rhs),
        AstNode::Binary { op: op @ (BinaryOp::Concatenate | BinaryOp::Range), lhs, rhs } => {
            let ends = [&mut *lhs, &mut *rhs].map(|end| std::mem::replace(&mut **end, AstNode::Null));
            if *op == BinaryOp::Concatenate {
                *ast = call(CONCAT, ends.into());
            } else {
                **lhs = ends[0].clone();
                **rhs = call(RANGE, ends.into());
            }
        }
        // Comparing costs no more than the smaller side.
        AstNode::Binary { op: BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::In, lhs, rhs }
            if !is_literal(lhs) && !is_literal(rhs) =>
        {
            wrap(rhs, FIT);
        }
        AstNode::Function { name, args, is_builtin: true } => function(name, args, now_bound),
        AstNode::Call { args, .. } => args.iter_mut().for_each(fit),
        AstNode::Path { steps } => steps.iter_mut().skip(1).for_each(step),
        _ => {}
    }
}

/// A step that builds something out of its context, on which the next step may build again.
fn step(step: &mut PathStep) {
    if matches!(step.node, AstNode::Object(_) | AstNode::FunctionApplication(_)) && !is_bound(step) {
        let inner = std::mem::replace(&mut step.node, AstNode::Null);
        step.node = match inner {
            AstNode::FunctionApplication(inner) => AstNode::FunctionApplication(Box::new(call(ITEM, vec![*inner]))),
            object => AstNode::FunctionApplication(Box::new(call(ITEM, vec![object]))),
        };
        step.id = Default::default();
    }
}

fn is_bound(step: &PathStep) -> bool {
    step.is_tuple
        || step.inner_tuple
        || step.focus.is_some()
        || step.index_var.is_some()
        || step.ancestor_label.is_some()
}

fn function(name: &mut String, args: &mut Vec<AstNode>, now_bound: bool) {
    match name.as_str() {
        "now" if !now_bound && !args.is_empty() => {
            *name = "fromMillis".to_owned();
            args.insert(0, call("millis", Vec::new()));
        }
        // These read their context where the first argument is left out; a function from outside is not told of it.
        "encodeUrl" | "encodeUrlComponent" if args.is_empty() => args.push(AstNode::Variable(String::new())),
        "pad" if args.len() <= 3 && !args.iter().any(|arg| matches!(arg, AstNode::Placeholder)) => {
            args.resize(3, AstNode::Undefined);
            args.push(AstNode::Variable(String::new()));
        }
        "number" => args.iter_mut().take(1).for_each(|arg| wrap(arg, NUMERIC)),
        "fromMillis" => args.iter_mut().take(1).for_each(|arg| wrap(arg, WHOLE)),
        "string" => args.iter_mut().take(1).for_each(fit_always),
        "join" if args.len() == 2 => {
            wrap(&mut args[0], NOTE);
            wrap(&mut args[1], CHECK);
            let join = call(name, std::mem::take(args));
            *name = LEAVE.to_owned();
            args.push(join);
        }
        "replace" if args.len() >= 3 => {
            wrap(&mut args[0], NOTE);
            wrap(&mut args[2], CHECK);
            let replace = call(name, std::mem::take(args));
            *name = LEAVE.to_owned();
            args.push(replace);
        }
        known if references::is_function(known) => {}
        _ => args.iter_mut().for_each(fit),
    }
}

fn lambda_body(node: &mut AstNode) -> Option<&mut AstNode> {
    if let AstNode::Lambda { body, .. } = node { Some(body) } else { None }
}

/// Checks what a function gives, but for calls in tail position, which must stay there, and strings that are counted
/// when they are built.
fn tails(body: &mut AstNode, check: &str) {
    match body {
        AstNode::Conditional { then_branch, else_branch, .. } => {
            tails(then_branch, check);
            else_branch.iter_mut().for_each(|branch| tails(branch, check));
        }
        AstNode::Block(nodes) => nodes.iter_mut().last().into_iter().for_each(|node| tails(node, check)),
        AstNode::Function { name, args, .. } if name == ITEM && check == FIT && args.len() == 1 => {
            *name = FIT.to_owned();
        }
        AstNode::Function { name, .. } if name.starts_with('!') || name == "pad" || !references::is_function(name) => {}
        AstNode::Call { .. } => {}
        node if is_small(node) => {}
        node => wrap(node, check),
    }
}

fn fit_always(node: &mut AstNode) {
    if !is_literal(node) {
        wrap(node, FIT);
    }
}

fn children_mut(ast: &mut AstNode) -> Vec<&mut AstNode> {
    match ast {
        AstNode::Path { steps } => steps.iter_mut().flat_map(step_mut).collect(),
        AstNode::Binary { op: BinaryOp::ColonEqual, rhs, .. } => vec![rhs],
        AstNode::Binary { lhs, rhs, .. } => vec![lhs, rhs],
        AstNode::Unary { operand, .. } => vec![operand],
        AstNode::Function { args, .. } => args.iter_mut().collect(),
        AstNode::Call { procedure, args } => std::iter::once(&mut **procedure).chain(args).collect(),
        AstNode::Lambda { body, .. } => vec![body],
        AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => items.iter_mut().collect(),
        AstNode::Object(pairs) => pairs.iter_mut().flat_map(|(key, value)| [key, value]).collect(),
        AstNode::ObjectTransform { input, pattern } => {
            std::iter::once(&mut **input).chain(pattern.iter_mut().flat_map(|(key, value)| [key, value])).collect()
        }
        AstNode::Conditional { condition, then_branch, else_branch } => {
            [Some(&mut **condition), Some(&mut **then_branch), else_branch.as_deref_mut()]
                .into_iter()
                .flatten()
                .collect()
        }
        AstNode::FunctionApplication(inner) => vec![inner],
        AstNode::Sort { input, terms } => {
            std::iter::once(&mut **input).chain(terms.iter_mut().map(|(term, _)| term)).collect()
        }
        AstNode::Transform { location, update, delete } => {
            [Some(&mut **location), Some(&mut **update), delete.as_deref_mut()].into_iter().flatten().collect()
        }
        _ => Vec::new(),
    }
}

fn step_mut(step: &mut PathStep) -> impl Iterator<Item = &mut AstNode> {
    let filters = step.stages.iter_mut().filter_map(|stage| match stage {
        Stage::Filter(filter) => Some(&mut **filter),
        _ => None,
    });
    std::iter::once(&mut step.node).chain(filters)
}
