//! The bounds of an evaluation, and the checks that hold them.
//!
//! The evaluator bounds how deep it nests and how long its sequences are. All else is held by what is written into the
//! expression after parsing, as calls of functions whose names no expression can write: whatever may run again and again
//! pays for its work first ([`Host::Tick`]), the language's functions and operators are our own and pay for theirs
//! ([`Host::Builtin`], [`Check`]), and every value that gets a name or leaves a callback is measured.

use super::functions::{self, Builtin};
use super::paths::{Paths, Walk, place};
use super::references;
use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage, UnaryOp};
use std::collections::BTreeMap;

/// A check, named after what it stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Check {
    /// Measures its argument and hands it on.
    Fit,
    /// As `Fit`, for what a callback gives: all of them together are bounded.
    Item,
    /// From here to `Leave`, all strings that are built together are bounded; hands its argument on.
    Enter,
    /// Hands its argument on.
    Leave,
    /// True when an argument is a function to be called.
    Calls,
    /// The operator `&`.
    Concat,
    /// Takes both ends of a range, gives the second.
    Range,
    /// `<`, `<=`, `>` or `>=`.
    Compare(&'static str),
    /// `=`, or `!=` for false.
    Equal(bool),
    /// The minus before a value.
    Negate,
    /// Hands an operand on; else it is no number for the left (`true`) or right side of the operator.
    Operand(&'static str, bool),
    /// Hands a function on; else it is a wrong argument of the function named.
    Function(&'static str, usize),
    /// The call has a wrong number of arguments.
    Reject(&'static str, usize),
}

/// A function that is called from the expression.
#[derive(Debug)]
pub(super) enum Host {
    /// A function of the language; `direct` when the call has the context as its last argument.
    Builtin { builtin: &'static Builtin, token: String, direct: bool },
    /// A check.
    Check(Check),
    /// Pays for a body: what it walks, and its own work.
    Tick(Vec<Walk>, usize),
}

/// How much deeper than the expression itself the checks may nest at its leaves.
pub(super) const ADDED_DEPTH: usize = 2;
/// The work of a body for each of its nodes.
const NODE_WORK: usize = 8;
/// The work of a body, whatever it is.
const BODY_WORK: usize = 60;

/// Puts the checks into an expression; gives the functions it calls then.
pub(super) fn install(ast: &mut AstNode) -> Vec<(String, Host)> {
    let mut guard =
        Guard { hosts: Vec::new(), scopes: vec![tuple_names(ast)], names: 0, chained: None, handed: Vec::new() };
    guard.scopes.push(assigned(ast));
    let bound_to = bound_to(ast);
    guard.rewrite(ast);
    for builtin in functions::all() {
        let name = builtin.name();
        let host = reference_name(name);
        if guard.handed.iter().any(|known| known == name) {
            let token = bound_to.get(name).cloned().unwrap_or_else(|| name.to_owned());
            guard.hosts.push((host, Host::Builtin { builtin, token, direct: false }));
        }
    }
    guard.hosts
}

/// Functions that may be given others to call, and so are the evaluator's in part.
const CALLING: [&str; 4] = ["contains", "match", "replace", "split"];

/// What a function is called when it is handed around.
pub(super) fn reference_name(name: &str) -> String {
    format!("&{name}")
}

/// What the evaluator's own function of [`CALLING`] is called.
fn calling_name(name: &str) -> String {
    format!("!call {name}")
}

/// The names an evaluation needs bound beside the variables: for functions that are handed around, the name and what it
/// became in the expression.
pub(super) fn bindings(hosts: &[(String, Host)]) -> impl Iterator<Item = (String, String)> {
    let handed = hosts.iter().filter_map(|(host, _)| Some((host.strip_prefix('&')?.to_owned(), host.clone())));
    handed.chain(CALLING.map(|name| (calling_name(name), name.to_owned())))
}

/// Every name that a path binds to its items or their places.
fn tuple_names(ast: &AstNode) -> Vec<String> {
    let mut names = Vec::new();
    references::visit(ast, &mut |node| {
        let AstNode::Path { steps } = node else { return };
        for step in steps {
            names.extend(step.focus.iter().chain(&step.index_var).cloned());
            names.extend(step.stages.iter().filter_map(|stage| match stage {
                Stage::Index(name) => Some(name.clone()),
                _ => None,
            }));
        }
    });
    names
}

/// Every name that is given to a value in the scope that `ast` is in.
fn assigned(ast: &AstNode) -> Vec<String> {
    fn collect(ast: &AstNode, names: &mut Vec<String>) {
        match ast {
            AstNode::Block(_) | AstNode::Lambda { .. } => return,
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, .. } => {
                names.extend(if let AstNode::Variable(name) = &**lhs { Some(name.clone()) } else { None });
            }
            _ => {}
        }
        references::children(ast).into_iter().for_each(|child| collect(child, names));
    }
    let mut names = Vec::new();
    collect(ast, &mut names);
    names
}

/// The names that functions are bound to, which is what messages call them then.
fn bound_to(ast: &AstNode) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    references::visit(ast, &mut |node| {
        if let AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs } = node
            && let (AstNode::Variable(name), AstNode::Variable(function)) = (&**lhs, &**rhs)
        {
            found.entry(function.clone()).or_insert_with(|| name.clone());
        }
    });
    found
}

fn call(name: &str, args: Vec<AstNode>) -> AstNode {
    AstNode::Function { name: name.to_owned(), args, is_builtin: true }
}

/// Gives a name of a function that the expression binds to something else a name of its own.
fn rename(name: &mut String) {
    if functions::find(name).is_some() || functions::HIGHER_ORDER.contains(&name.as_str()) {
        name.push('\'');
    }
}

/// True for functions that never call others.
fn is_ours(name: &str) -> bool {
    name != "sort" && functions::find(name).is_some()
}

fn take(node: &mut AstNode) -> AstNode {
    std::mem::replace(node, AstNode::Null)
}

fn context() -> AstNode {
    AstNode::Variable(String::new())
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

/// True for what may come to be a function, though it is not written as one.
fn may_be_function(node: &AstNode) -> bool {
    match node {
        AstNode::Function { name, .. } => !name.starts_with('!'),
        AstNode::Variable(_) | AstNode::Call { .. } | AstNode::Conditional { .. } | AstNode::Block(_) => true,
        AstNode::Path { .. } | AstNode::Binary { op: BinaryOp::ChainPipe, .. } => true,
        _ => false,
    }
}

fn is_bound(step: &PathStep) -> bool {
    step.is_tuple
        || step.inner_tuple
        || step.focus.is_some()
        || step.index_var.is_some()
        || step.ancestor_label.is_some()
}

fn arithmetic(op: BinaryOp) -> Option<&'static str> {
    match op {
        BinaryOp::Add => Some("+"),
        BinaryOp::Subtract => Some("-"),
        BinaryOp::Multiply => Some("*"),
        BinaryOp::Divide => Some("/"),
        BinaryOp::Modulo => Some("%"),
        _ => None,
    }
}

/// True for a division, which may give what is no number, or infinite.
fn may_be_no_number(node: &AstNode) -> bool {
    match node {
        AstNode::Binary { op: BinaryOp::Divide | BinaryOp::Modulo, .. } => true,
        AstNode::Block(nodes) => nodes.last().is_some_and(may_be_no_number),
        AstNode::Function { name, .. } => matches!(name.as_str(), "!parseInteger" | "!round" | "!toMillis"),
        _ => false,
    }
}

struct Guard {
    hosts: Vec<(String, Host)>,
    /// The names that are given to values, by scope.
    scopes: Vec<Vec<String>>,
    /// How many names were made up.
    names: usize,
    /// The functions that are handed around.
    handed: Vec<String>,
    /// The function that gets the left side of a `~>` as an argument more.
    chained: Option<*const AstNode>,
}

impl Guard {
    /// The name of a host function, which is added when it is new.
    fn host(&mut self, name: String, host: impl FnOnce() -> Host) -> String {
        if !self.hosts.iter().any(|(known, _)| *known == name) {
            self.hosts.push((name.clone(), host()));
        }
        name
    }

    fn check(&mut self, check: Check, args: Vec<AstNode>) -> AstNode {
        let name = self.host(format!("!{check:?}"), || Host::Check(check));
        call(&name, args)
    }

    fn wrap(&mut self, node: &mut AstNode, check: Check) {
        let inner = take(node);
        *node = self.check(check, vec![inner]);
    }

    fn fit(&mut self, node: &mut AstNode) {
        if !is_small(node) {
            self.wrap(node, Check::Fit);
        }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.scopes.iter().flatten().any(|bound| bound == name)
    }

    fn rewrite(&mut self, ast: &mut AstNode) {
        // `a ~> $f(b)` is `$f(a, b)`.
        if let AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } = ast
            && let AstNode::Function { args, .. } = &mut **rhs
            && !args.iter().any(|arg| matches!(arg, AstNode::Placeholder))
        {
            args.insert(0, take(lhs));
            *ast = take(rhs);
        }
        if let AstNode::Binary { op: BinaryOp::ChainPipe, rhs, .. } = ast
            && let AstNode::Path { steps } = &**rhs
        {
            self.chained = steps.first().map(|step| std::ptr::from_ref(&step.node));
        }
        let scope = match ast {
            AstNode::Block(nodes) => Some(nodes.iter().flat_map(assigned).collect()),
            AstNode::Lambda { params, body, .. } => Some([params.clone(), assigned(body)].concat()),
            _ => None,
        };
        let scoped = scope.is_some();
        self.scopes.extend(scope);
        children_mut(ast).into_iter().for_each(|child| self.rewrite(child));
        if scoped {
            self.scopes.pop();
        }
        match ast {
            AstNode::Variable(name) if self.is_bound(name) => rename(name),
            AstNode::Variable(name) if is_ours(name) => {
                self.handed.push(name.clone());
                *name = reference_name(name);
            }
            AstNode::Lambda { params, body, .. } => {
                params.iter_mut().for_each(rename);
                self.tails(body, Check::Item);
                self.meter(body);
            }
            AstNode::Unary { op: UnaryOp::Negate, operand } if !matches!(**operand, AstNode::Number(_)) => {
                let operand = take(operand);
                *ast = self.check(Check::Negate, vec![operand]);
            }
            AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } if matches!(**rhs, AstNode::Transform { .. }) => {
                self.wrap(lhs, Check::Fit);
            }
            AstNode::Binary { .. } => self.binary(ast),
            AstNode::Function { name, is_builtin: true, .. } if !self.is_bound(name) => self.function(ast),
            AstNode::Function { name, args, is_builtin } => {
                if *is_builtin {
                    rename(name);
                }
                args.iter_mut().for_each(|arg| self.fit(arg));
            }
            AstNode::Call { args, .. } => args.iter_mut().for_each(|arg| self.fit(arg)),
            AstNode::Path { steps } => self.path(steps),
            AstNode::Sort { terms, .. } => terms.iter_mut().for_each(|(term, _)| self.meter_computed(term)),
            AstNode::ObjectTransform { pattern, .. } => pattern.iter_mut().for_each(|(key, value)| {
                self.meter_computed(key);
                self.meter_computed(value);
            }),
            AstNode::Transform { update, delete, .. } => {
                self.meter(update);
                delete.iter_mut().for_each(|delete| self.meter_computed(delete));
            }
            _ => {}
        }
    }

    fn binary(&mut self, ast: &mut AstNode) {
        let AstNode::Binary { op, lhs, rhs } = ast else { return };
        let check = match op {
            BinaryOp::ColonEqual => {
                if let AstNode::Variable(name) = &mut **lhs {
                    rename(name);
                }
                return self.fit(rhs);
            }
            BinaryOp::Range => {
                let ends = vec![(**lhs).clone(), take(rhs)];
                **rhs = self.check(Check::Range, ends);
                return;
            }
            // Comparing costs no more than the smaller side.
            BinaryOp::In if !is_literal(rhs) && !is_literal(lhs) => return self.wrap(rhs, Check::Fit),
            BinaryOp::Equal if is_literal(lhs) || is_literal(rhs) => return,
            BinaryOp::Equal => Check::Equal(true),
            BinaryOp::NotEqual => Check::Equal(false),
            BinaryOp::Concatenate => Check::Concat,
            BinaryOp::LessThan => Check::Compare("<"),
            BinaryOp::LessThanOrEqual => Check::Compare("<="),
            BinaryOp::GreaterThan => Check::Compare(">"),
            BinaryOp::GreaterThanOrEqual => Check::Compare(">="),
            op => {
                for (side, left) in [(lhs, true), (rhs, false)] {
                    if let (Some(symbol), true) = (arithmetic(*op), may_be_no_number(side)) {
                        self.wrap(side, Check::Operand(symbol, left));
                    }
                }
                return;
            }
        };
        let sides = vec![take(lhs), take(rhs)];
        *ast = self.check(check, sides);
    }

    /// Every step but the first may run many times, and so may predicates.
    fn path(&mut self, steps: &mut [PathStep]) {
        for (index, step) in steps.iter_mut().enumerate() {
            step.focus.iter_mut().chain(&mut step.index_var).for_each(rename);
            for stage in &mut step.stages {
                match stage {
                    Stage::Filter(filter) if !matches!(**filter, AstNode::Array(_)) => self.meter_computed(filter),
                    Stage::Index(name) => rename(name),
                    _ => {}
                }
            }
            if index == 0 {
                continue;
            }
            let bound = is_bound(step);
            match &mut step.node {
                AstNode::FunctionApplication(inner) if bound => {
                    if matches!(**inner, AstNode::Block(_)) {
                        self.meter(inner);
                    }
                }
                AstNode::Block(_) => self.meter(&mut step.node),
                // What is built out of its context, on which the next step may build again.
                AstNode::FunctionApplication(inner) => {
                    self.meter(inner);
                    self.wrap(inner, Check::Item);
                    step.id = Default::default();
                }
                AstNode::Object(_) if !bound => {
                    let mut object = take(&mut step.node);
                    self.meter(&mut object);
                    let item = self.check(Check::Item, vec![object]);
                    step.node = AstNode::FunctionApplication(Box::new(item));
                    step.id = Default::default();
                }
                AstNode::ArrayGroup(items) => {
                    // An array inside must stay one, to be told apart from what gives one.
                    let mut first = items.first_mut();
                    while let Some(AstNode::Array(items)) = first {
                        first = items.first_mut();
                    }
                    if let Some(first) = first {
                        self.meter(first);
                    }
                }
                _ => {}
            }
        }
    }

    fn function(&mut self, ast: &mut AstNode) {
        let AstNode::Function { name, args, .. } = ast else { return };
        if args.iter().any(|arg| matches!(arg, AstNode::Placeholder)) {
            if is_ours(name) {
                self.handed.push(name.clone());
                *name = reference_name(name);
            }
            return;
        }
        if let Some(known) = functions::HIGHER_ORDER.iter().find(|known| *known == name)
            && (*known != "sort" || args.len() > 1)
        {
            return self.higher_order(known, ast);
        }
        let Some(builtin) = functions::find(name) else {
            return args.iter_mut().for_each(|arg| self.fit(arg));
        };
        if CALLING.contains(&name.as_str()) {
            let called = args.iter().skip(1).take(2);
            if called.clone().any(|arg| matches!(arg, AstNode::Lambda { .. })) {
                return self.calls_back(ast);
            }
            if called.clone().any(may_be_function) {
                return self.dispatch(builtin, ast);
            }
        }
        self.direct(builtin, ast);
    }

    /// Our own function in place of the evaluator's.
    fn direct(&mut self, builtin: &'static Builtin, ast: &mut AstNode) {
        let AstNode::Function { name, args, .. } = ast else { return };
        let host = || Host::Builtin { builtin, token: name.clone(), direct: true };
        *name = self.host(format!("!{name}"), host);
        args.push(context());
    }

    /// A call that the evaluator makes, because a function is called by it.
    fn calls_back(&mut self, ast: &mut AstNode) {
        let AstNode::Function { name, args, .. } = ast else { return };
        *name = calling_name(name);
        if let Some(first) = args.first_mut() {
            self.wrap(first, Check::Enter);
        }
        self.wrap(ast, Check::Leave);
    }

    /// Whether a function is to be called is seen when the arguments are there.
    fn dispatch(&mut self, builtin: &'static Builtin, ast: &mut AstNode) {
        let AstNode::Function { name, args, .. } = ast else { return };
        let mut statements = Vec::new();
        let mut names = Vec::new();
        for arg in args.drain(..) {
            self.names += 1;
            let variable = AstNode::Variable(format!("!{}", self.names));
            let (lhs, rhs) = (Box::new(variable.clone()), Box::new(arg));
            statements.push(AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs });
            names.push(variable);
        }
        let condition = Box::new(self.check(Check::Calls, names.iter().skip(1).cloned().collect()));
        let (mut back, mut direct) = (call(name, names.clone()), call(name, names));
        self.calls_back(&mut back);
        self.direct(builtin, &mut direct);
        let (then_branch, else_branch) = (Box::new(back), Some(Box::new(direct)));
        statements.push(AstNode::Conditional { condition, then_branch, else_branch });
        *ast = AstNode::Block(statements);
    }

    fn higher_order(&mut self, name: &'static str, ast: &mut AstNode) {
        if self.chained == Some(std::ptr::from_ref(&*ast)) {
            return;
        }
        let AstNode::Function { args, .. } = ast else { return };
        let (least, most) = match name {
            "map" | "filter" => (2, 2),
            "reduce" => (2, 3),
            "single" | "sort" => (1, 2),
            "each" => (1, 2),
            _ => (0, usize::MAX),
        };
        if args.len() < least || args.len() > most {
            let index = if args.len() < least { args.len() } else { most } + 1;
            let args = std::mem::take(args);
            *ast = self.check(Check::Reject(name, index), args);
            return;
        }
        if name == "reduce" {
            // What an accumulator was before is gone.
            args.iter_mut().filter_map(lambda_body).for_each(|body| self.tails(body, Check::Fit));
        }
        if let Some(function) = args.get_mut(1).filter(|_| name != "eval" && name != "sift")
            && !matches!(function, AstNode::Lambda { .. })
        {
            self.wrap_function(function, name);
        }
    }

    fn wrap_function(&mut self, function: &mut AstNode, name: &'static str) {
        // A name stays a name, so that what it stands for is asked how many arguments it takes.
        if !matches!(function, AstNode::Variable(_)) {
            self.wrap(function, Check::Function(name, 2));
        }
    }

    /// Checks what a function gives, but for calls in tail position, which must stay there, and strings that are counted
    /// when they are built.
    fn tails(&mut self, body: &mut AstNode, check: Check) {
        match body {
            AstNode::Conditional { then_branch, else_branch, .. } => {
                self.tails(then_branch, check);
                else_branch.iter_mut().for_each(|branch| self.tails(branch, check));
            }
            AstNode::Block(nodes) => nodes.iter_mut().last().into_iter().for_each(|node| self.tails(node, check)),
            AstNode::Function { name, args, .. } if name == "!Item" && check == Check::Fit && args.len() == 1 => {
                *name = self.host("!Fit".to_owned(), || Host::Check(Check::Fit));
            }
            AstNode::Function { name, .. } if gives_little(name) => {}
            AstNode::Call { .. } => {}
            node => {
                // A path may give a new array each time.
                let gathers = matches!(node, AstNode::Path { steps } if steps.len() > 1);
                if !is_small(node) || gathers {
                    self.wrap(node, check);
                }
            }
        }
    }

    /// As [`Guard::meter`], but for literals and plain names.
    fn meter_computed(&mut self, node: &mut AstNode) {
        if !is_literal(node) && !matches!(node, AstNode::Name(_) | AstNode::Variable(_) | AstNode::Unary { .. }) {
            self.meter(node);
        }
    }

    /// Lets a body pay each time it runs.
    fn meter(&mut self, body: &mut AstNode) {
        let mut paths = Paths::default();
        paths.collect(body);
        let name = format!("!tick{}", self.hosts.len());
        let work = BODY_WORK + NODE_WORK * paths.nodes;
        self.hosts.push((name.clone(), Host::Tick(paths.walks, work)));
        place(body, call(&name, paths.starts));
    }
}

/// True for functions whose values are small or counted elsewhere, and for calls of the expression's own functions.
fn gives_little(name: &str) -> bool {
    const LARGE: [&str; 10] =
        ["!append", "!reverse", "!zip", "!split", "!match", "!keys", "!spread", "!merge", "!lookup", "!parse"];
    name.starts_with('!') && !LARGE.contains(&name) || !(name.starts_with('!') || references::is_function(name))
}

fn lambda_body(node: &mut AstNode) -> Option<&mut AstNode> {
    if let AstNode::Lambda { body, .. } = node { Some(body) } else { None }
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
