//! What an expression reads from outside.

use super::convert::Shape;
use jsonata_core::ast::{AstNode, PathStep, Stage};
use std::collections::BTreeMap;

/// Something an expression reads that it does not define itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// `$states`, with its first step where one is written: `input`, `result`, `errorOutput`, `context`.
    States(Option<String>),
    /// `$name`, which is neither a function of the language nor bound in the expression.
    Variable(String),
    /// `$$`, or `$` where nothing is the context.
    Root,
    /// A path that starts at a field, `a.b`, where nothing is the context.
    Field(String),
}

/// All that is known of an expression's reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub(super) references: Vec<Reference>,
    /// The parts of each outside variable that are named, `states` included.
    pub(super) shapes: BTreeMap<String, Shape>,
}

/// A path of names from `$states` or a variable, and nothing else.
#[derive(Debug)]
pub(super) struct PlainPath {
    pub(super) variable: String,
    pub(super) steps: Vec<String>,
}

/// The plain path, when the expression is one.
pub(super) fn plain_path(ast: &AstNode) -> Option<PlainPath> {
    match ast {
        AstNode::Variable(name) if !name.is_empty() && !is_function(name) => {
            Some(PlainPath { variable: name.clone(), steps: Vec::new() })
        }
        AstNode::Path { steps } => {
            let (first, rest) = steps.split_first()?;
            let AstNode::Variable(name) = &first.node else { return None };
            if name.is_empty() || !is_plain(first) || is_function(name) {
                return None;
            }
            let names: Vec<String> = rest.iter().map_while(plain_name).map(str::to_owned).collect();
            (names.len() == rest.len()).then(|| PlainPath { variable: name.clone(), steps: names })
        }
        _ => None,
    }
}

fn is_plain(step: &PathStep) -> bool {
    step.stages.is_empty()
        && step.focus.is_none()
        && step.index_var.is_none()
        && step.ancestor_label.is_none()
        && !step.is_tuple
        && !step.inner_tuple
}

fn plain_name(step: &PathStep) -> Option<&str> {
    match &step.node {
        AstNode::Name(name) if is_plain(step) => Some(name),
        _ => None,
    }
}

/// Names that stand for functions unless something binds them.
pub(super) fn is_function(name: &str) -> bool {
    const NAMES: &str = " abs append assert average base64decode base64encode boolean ceil clone contains count \
        decodeUrl decodeUrlComponent distinct each encodeUrl encodeUrlComponent error eval exists filter floor formatBase \
        formatInteger formatNumber fromMillis hash join keys length lookup lowercase map match max merge millis min not \
        now number pad parse parseInteger partition power random range reduce replace reverse round shuffle sift single \
        sort split spread sqrt string substring substringAfter substringBefore sum toMillis trim type uppercase uuid zip ";
    NAMES.split_ascii_whitespace().any(|known| known == name)
}

/// Collects what `ast` reads. `parent` is true when the expression uses `%`, which may climb above any named part.
pub(super) fn reads(ast: &AstNode) -> Reads {
    let mut walk = Walk { reads: Reads::default(), scopes: vec![Vec::new()], context: false };
    walk.node(ast);
    walk.reads
}

struct Walk {
    reads: Reads,
    scopes: Vec<Vec<String>>,
    /// True inside a step or predicate, where `$` and fields mean the item at hand.
    context: bool,
}

impl Walk {
    fn refer(&mut self, reference: Reference) {
        if !self.reads.references.contains(&reference) {
            self.reads.references.push(reference);
        }
    }

    fn bound(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.iter().any(|bound| bound == name))
    }

    fn bind(&mut self, name: &str) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(name.to_owned());
        }
    }

    /// A read of `$name` of which only `steps` matter; all of it when there are none.
    fn variable(&mut self, name: &str, steps: &[&str]) {
        if name == "$" {
            return self.refer(Reference::Root);
        }
        if name.is_empty() {
            if !self.context {
                self.refer(Reference::Root);
            }
            return;
        }
        if self.bound(name) {
            return;
        }
        self.reads.shapes.entry(name.to_owned()).or_default().add(steps);
        if name == "states" {
            self.refer(Reference::States(steps.first().map(|&step| step.to_owned())));
        } else if !is_function(name) {
            self.refer(Reference::Variable(name.to_owned()));
        }
    }

    fn within(&mut self, ast: &AstNode) {
        let before = std::mem::replace(&mut self.context, true);
        self.node(ast);
        self.context = before;
    }

    fn scoped(&mut self, names: &[String], nodes: &[AstNode]) {
        self.scopes.push(names.to_vec());
        nodes.iter().for_each(|node| self.node(node));
        self.scopes.pop();
    }

    fn path(&mut self, steps: &[PathStep]) {
        let mut rest = steps;
        if let Some((first, tail)) = steps.split_first()
            && let AstNode::Variable(name) = &first.node
        {
            let tuples = steps.iter().any(|s| s.is_tuple || s.inner_tuple || s.ancestor_label.is_some());
            let whole = tuples || !first.stages.is_empty() || first.focus.is_some() || first.index_var.is_some();
            let mut names: Vec<&str> = Vec::new();
            if !whole {
                for step in tail {
                    let AstNode::Name(field) = &step.node else { break };
                    names.push(field);
                    if !is_plain(step) {
                        break;
                    }
                }
            }
            if whole
                && name == "states"
                && !self.bound(name)
                && let Some(AstNode::Name(field)) = tail.first().map(|step| &step.node)
            {
                // All of it is handed over, but only this part is meant.
                self.reads.shapes.entry(name.clone()).or_default().add(&[]);
                self.refer(Reference::States(Some(field.clone())));
            } else {
                self.variable(name, &names);
            }
            self.stages(first);
            rest = tail;
        }
        let outer = self.context;
        for (index, step) in rest.iter().enumerate() {
            if index == 0 && rest.len() == steps.len() {
                self.node(&step.node);
            } else {
                self.within(&step.node);
            }
            self.stages(step);
        }
        self.context = outer;
    }

    fn stages(&mut self, step: &PathStep) {
        if let Some(name) = &step.focus {
            self.bind(name);
        }
        if let Some(name) = &step.index_var {
            self.bind(name);
        }
        for stage in &step.stages {
            match stage {
                Stage::Filter(filter) => self.within(filter),
                Stage::Index(name) => self.bind(name),
                Stage::KeepArray => {}
            }
        }
    }

    fn node(&mut self, ast: &AstNode) {
        use jsonata_core::ast::BinaryOp;
        match ast {
            AstNode::Variable(name) => self.variable(name, &[]),
            AstNode::ParentVariable(_) => self.refer(Reference::Root),
            AstNode::Name(name) if !self.context => self.refer(Reference::Field(name.clone())),
            AstNode::Wildcard | AstNode::Descendant if !self.context => self.refer(Reference::Root),
            AstNode::Path { steps } => self.path(steps),
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs } => {
                // A function may call itself by the name it is bound to.
                if let AstNode::Variable(name) = &**lhs {
                    let recursive = matches!(&**rhs, AstNode::Lambda { .. });
                    if recursive {
                        self.bind(name);
                    }
                    self.node(rhs);
                    if !recursive {
                        self.bind(name);
                    }
                }
            }
            AstNode::Function { name, args, is_builtin } => {
                if *is_builtin {
                    self.variable(name, &[]);
                }
                args.iter().for_each(|arg| self.node(arg));
            }
            AstNode::Lambda { params, body, .. } => self.scoped(params, std::slice::from_ref(body)),
            AstNode::Block(nodes) => self.scoped(&[], nodes),
            AstNode::Sort { input, terms } => {
                self.node(input);
                terms.iter().for_each(|(term, _)| self.within(term));
            }
            AstNode::ObjectTransform { input, pattern } => {
                self.node(input);
                pattern.iter().for_each(|(key, value)| {
                    self.within(key);
                    self.within(value);
                });
            }
            AstNode::Transform { location, update, delete } => {
                self.within(location);
                self.within(update);
                delete.iter().for_each(|delete| self.within(delete));
            }
            other => children(other).into_iter().for_each(|child| self.node(child)),
        }
    }
}

/// Calls `see` with every node, parents first.
pub(super) fn visit<'a>(ast: &'a AstNode, see: &mut dyn FnMut(&'a AstNode)) {
    see(ast);
    children(ast).into_iter().for_each(|child| visit(child, see));
}

/// The direct parts of a node.
pub(super) fn children(ast: &AstNode) -> Vec<&AstNode> {
    match ast {
        AstNode::Path { steps } => steps.iter().flat_map(|s| std::iter::once(&s.node).chain(filters(s))).collect(),
        AstNode::Binary { lhs, rhs, .. } => vec![lhs, rhs],
        AstNode::Unary { operand, .. } => vec![operand],
        AstNode::Function { args, .. } => args.iter().collect(),
        AstNode::Call { procedure, args } => std::iter::once(&**procedure).chain(args).collect(),
        AstNode::Lambda { body, .. } => vec![body],
        AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => items.iter().collect(),
        AstNode::Object(pairs) => pairs.iter().flat_map(|(key, value)| [key, value]).collect(),
        AstNode::ObjectTransform { input, pattern } => {
            std::iter::once(&**input).chain(pattern.iter().flat_map(|(key, value)| [key, value])).collect()
        }
        AstNode::Conditional { condition, then_branch, else_branch } => {
            [Some(&**condition), Some(&**then_branch), else_branch.as_deref()].into_iter().flatten().collect()
        }
        AstNode::FunctionApplication(inner) => vec![inner],
        AstNode::Sort { input, terms } => std::iter::once(&**input).chain(terms.iter().map(|(term, _)| term)).collect(),
        AstNode::Transform { location, update, delete } => {
            [Some(&**location), Some(&**update), delete.as_deref()].into_iter().flatten().collect()
        }
        _ => Vec::new(),
    }
}

fn filters(step: &PathStep) -> impl Iterator<Item = &AstNode> {
    step.stages.iter().filter_map(|stage| if let Stage::Filter(filter) = stage { Some(&**filter) } else { None })
}
