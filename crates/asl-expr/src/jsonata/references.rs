//! What an expression reads from outside.

use super::ast::{Expr, Kind, Stage};
use super::functions;

/// Something an expression reads that it does not define itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// `$states`, with its first step where one is written: `input`, `result`, `errorOutput`, `context`.
    States(Option<String>),
    /// `$name`, which is neither a function of the language nor bound in the expression.
    Variable(String),
    /// `$name` that is a function of the language, unless a variable has its name.
    Function(String),
    /// `$$`, or `$` where nothing is the context.
    Root,
    /// A path that starts at a field, `a.b`, where nothing is the context.
    Field(String),
}

/// Collects what `expr` reads, each once.
pub(super) fn references(expr: &Expr) -> Vec<Reference> {
    let mut walk = Walk { found: Vec::new(), scopes: vec![Vec::new()], context: false };
    walk.node(expr);
    walk.found
}

struct Walk {
    found: Vec<Reference>,
    scopes: Vec<Vec<String>>,
    /// True inside a step or predicate, where `$` and fields mean the item at hand.
    context: bool,
}

impl Walk {
    fn refer(&mut self, reference: Reference) {
        if !self.found.contains(&reference) {
            self.found.push(reference);
        }
    }

    fn bound(&self, name: &str) -> bool {
        self.scopes.iter().flatten().any(|bound| bound == name)
    }

    fn bind(&mut self, name: &str) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(name.to_owned());
        }
    }

    /// A read of `$name`, followed by `step`.
    fn variable(&mut self, name: &str, step: Option<&str>) {
        let reference = match name {
            "$" => Reference::Root,
            "" if self.context => return,
            "" => Reference::Root,
            _ if self.bound(name) => return,
            "states" => Reference::States(step.map(str::to_owned)),
            _ if functions::is_function(name) => Reference::Function(name.to_owned()),
            _ => Reference::Variable(name.to_owned()),
        };
        self.refer(reference);
    }

    fn within(&mut self, expr: &Expr) {
        let before = std::mem::replace(&mut self.context, true);
        self.node(expr);
        self.context = before;
    }

    fn scoped(&mut self, names: &[String], exprs: &[Expr]) {
        self.scopes.push(names.to_vec());
        exprs.iter().for_each(|expr| self.node(expr));
        self.scopes.pop();
    }

    fn path(&mut self, steps: &[Expr]) {
        let outer = self.context;
        for (index, step) in steps.iter().enumerate() {
            match (&step.kind, index) {
                (Kind::Variable(name), 0) => {
                    let next = steps.get(1).and_then(|next| match &next.kind {
                        Kind::Name(name) => Some(name.as_str()),
                        _ => None,
                    });
                    self.variable(name, next);
                    self.around(step);
                }
                (Kind::Sort(terms), _) => {
                    terms.iter().for_each(|term| self.within(&term.expr));
                    self.around(step);
                }
                (_, 0) => self.node(step),
                _ => self.within(step),
            }
        }
        self.context = outer;
    }

    /// What follows a part: names, predicates, a grouping.
    fn around(&mut self, expr: &Expr) {
        expr.focus.iter().chain(&expr.index).for_each(|name| self.bind(name));
        expr.predicates.iter().for_each(|predicate| self.within(predicate));
        for stage in &expr.stages {
            match stage {
                Stage::Filter(filter) => self.within(filter),
                Stage::Index(name) => self.bind(name),
            }
        }
        for (key, value) in expr.group.iter().flatten() {
            self.within(key);
            self.within(value);
        }
    }

    fn node(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Variable(name) => self.variable(name, None),
            Kind::Name(name) if !self.context => self.refer(Reference::Field(name.clone())),
            Kind::Parent(_) | Kind::Wildcard | Kind::Descendant if !self.context => self.refer(Reference::Root),
            Kind::Path { steps, .. } => self.path(steps),
            Kind::Bind(name, value) => {
                // A function may call itself by the name it is bound to.
                let recursive = matches!(value.kind, Kind::Lambda { .. });
                if recursive {
                    self.bind(name);
                }
                self.node(value);
                if !recursive {
                    self.bind(name);
                }
            }
            Kind::Block(parts) => self.scoped(&[], parts),
            Kind::Lambda { params, body, .. } => self.scoped(params, std::slice::from_ref(body)),
            Kind::Call { procedure, args } => {
                // `length(x)` is an error of its own, and no read of a field; a variable of the workflow is no function.
                let unknown = |name: &String| !self.bound(name) && !functions::is_function(name);
                let called = matches!(&procedure.kind, Kind::Variable(name) if !name.is_empty() && unknown(name));
                if procedure.plain_name().is_none() && !called {
                    self.node(procedure);
                }
                args.iter().flatten().for_each(|arg| self.node(arg));
            }
            Kind::Transform(parts) => {
                self.within(&parts.0);
                self.within(&parts.1);
                parts.2.iter().for_each(|delete| self.within(delete));
            }
            // Its parts are all in the same context.
            _ => expr.parts(&mut |part| self.node(part)),
        }
        self.around(expr);
    }
}
