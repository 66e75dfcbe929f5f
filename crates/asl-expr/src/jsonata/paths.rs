//! What a body walks each time it runs, and where the tick that pays for it is put.

use super::references;
use jsonata_core::ast::{AstNode, BinaryOp, PathStep};

/// How many paths of a body are watched.
const WALKS: usize = 16;

/// A path that a body may walk: its start among the arguments of the tick, and its steps; `None` for any.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) from: usize,
    pub(super) steps: Vec<Option<String>>,
}

/// Puts `tick` where it runs once before the rest of `body`, without nesting deeper where the body may call itself.
pub(super) fn place(body: &mut AstNode, tick: AstNode) {
    match body {
        AstNode::Block(nodes) if !nodes.is_empty() => nodes.insert(0, tick),
        AstNode::Conditional { condition, .. } => place(condition, tick),
        // A function learns its name from where it stands.
        AstNode::Binary { op: BinaryOp::ColonEqual, rhs, .. } if !matches!(**rhs, AstNode::Lambda { .. }) => {
            place(rhs, tick);
        }
        AstNode::Binary { op, lhs, .. } if *op != BinaryOp::ColonEqual => place(lhs, tick),
        AstNode::Function { args, .. }
            if args.first().is_some_and(|arg| !matches!(arg, AstNode::Placeholder | AstNode::Lambda { .. })) =>
        {
            place(&mut args[0], tick);
        }
        other => {
            let inner = std::mem::replace(other, AstNode::Null);
            *other = AstNode::Block(vec![tick, inner]);
        }
    }
}

/// The paths of a body, by the values they start at.
#[derive(Default)]
pub(super) struct Paths {
    /// Where they start: variables and contexts.
    pub(super) starts: Vec<AstNode>,
    pub(super) walks: Vec<Walk>,
    /// How many nodes the body has.
    pub(super) nodes: usize,
}

impl Paths {
    fn add(&mut self, start: AstNode, steps: Vec<Option<String>>) {
        if self.walks.len() >= WALKS || steps.is_empty() {
            return;
        }
        let from = self.starts.iter().position(|known| *known == start).unwrap_or_else(|| {
            self.starts.push(start);
            self.starts.len() - 1
        });
        if !self.walks.iter().any(|walk| walk.from == from && walk.steps == steps) {
            self.walks.push(Walk { from, steps });
        }
    }

    pub(super) fn collect(&mut self, node: &AstNode) {
        self.nodes += 1;
        match node {
            AstNode::Path { steps } => {
                self.path(steps);
                // What stands in later steps and in predicates has other contexts, and pays for itself.
                let first = steps.first().map(|step| &step.node);
                references::visit(node, &mut |_| self.nodes += 1);
                if let Some(first) = first.filter(|first| !matches!(first, AstNode::Name(_))) {
                    self.collect(first);
                }
                return;
            }
            AstNode::Name(name) => self.add(AstNode::Variable(String::new()), vec![Some(name.clone())]),
            AstNode::Wildcard | AstNode::Descendant => self.add(AstNode::Variable(String::new()), vec![None]),
            _ => {}
        }
        references::children(node).into_iter().for_each(|child| self.collect(child));
    }

    fn path(&mut self, steps: &[PathStep]) {
        let Some((first, rest)) = steps.split_first() else { return };
        let mut names: Vec<Option<String>> = Vec::new();
        let start = match &first.node {
            start @ (AstNode::Variable(_) | AstNode::ParentVariable(_)) => start.clone(),
            AstNode::Name(name) => {
                names.push(Some(name.clone()));
                AstNode::Variable(String::new())
            }
            AstNode::Wildcard | AstNode::Descendant => return self.add(AstNode::Variable(String::new()), vec![None]),
            _ => return,
        };
        for step in rest {
            match &step.node {
                AstNode::Name(name) => names.push(Some(name.clone())),
                AstNode::Wildcard | AstNode::Descendant => {
                    names.push(None);
                    break;
                }
                _ => break,
            }
        }
        self.add(start, names);
    }
}
