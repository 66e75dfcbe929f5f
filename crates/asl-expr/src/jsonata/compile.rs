//! From the syntax tree to a program: names become slots, plain parts are recognised.

use super::ast::{self, Expr, Kind, Op};
use super::functions;
use super::functions::signature::Signature;
use super::pattern::Pattern;
use super::program::{
    Action, Call, Comparison, Fields, Group, Item, Lambda, Node, Path, Program, Source, Stage, Step, Term, Then,
    Transform, TupleFrame, Variable,
};
use asl_value::Key;
use std::sync::Arc;

/// Compiles an expression; `labels` are those of its `%`. The numbers of names go on from those of `before`, if it is to
/// run with it.
pub(super) fn compile(expr: &Expr, labels: &[usize], before: Option<(&[Key], &[Key])>) -> Program {
    compile_with(expr, labels, before, false)
}

/// As [`compile`]; with `plain`, nothing is recognised: every part goes the general way.
pub(super) fn compile_with(expr: &Expr, labels: &[usize], before: Option<(&[Key], &[Key])>, plain: bool) -> Program {
    let names = assigned([expr]);
    let slots = names.len();
    let (outside, known) = before.unwrap_or_default();
    let mut compiler = Compiler { labels, scopes: Vec::new(), outside: outside.to_vec(), names: known.to_vec(), plain };
    if slots > 0 {
        compiler.scopes.push(names);
    }
    let root = compiler.node(expr);
    Program { root, slots, outside: compiler.outside, labels: compiler.names }
}

struct Compiler<'a> {
    /// The labels of `%` by slot.
    labels: &'a [usize],
    /// The names of every frame, from the outside.
    scopes: Vec<Vec<String>>,
    outside: Vec<Key>,
    /// The names that paths give to items.
    names: Vec<Key>,
    /// Nothing is recognised.
    plain: bool,
}

/// The names that are given to values in the frame that `exprs` are in, each once.
fn assigned<'e>(exprs: impl IntoIterator<Item = &'e Expr>) -> Vec<String> {
    fn collect(expr: &Expr, names: &mut Vec<String>) {
        match &expr.kind {
            // What is inside of them is in a frame of its own, or none.
            Kind::Lambda { .. } | Kind::Transform(_) => {}
            Kind::Block(_) => {
                let Expr { predicates, stages, group, .. } = expr;
                predicates.iter().for_each(|inner| collect(inner, names));
                for stage in stages {
                    if let ast::Stage::Filter(filter) = stage {
                        collect(filter, names);
                    }
                }
                group.iter().flatten().for_each(|(key, value)| {
                    collect(key, names);
                    collect(value, names);
                });
                return;
            }
            Kind::Bind(name, _) if !names.contains(name) => names.push(name.clone()),
            _ => {}
        }
        if !matches!(expr.kind, Kind::Lambda { .. } | Kind::Transform(_)) {
            expr.children(&mut |child| collect(child, names));
        }
    }
    let mut names = Vec::new();
    exprs.into_iter().for_each(|expr| collect(expr, &mut names));
    names
}

/// The name under which the ancestor of a label is carried; no expression can write it.
fn ancestor_name(label: usize) -> String {
    format!("!{label}")
}

impl Compiler<'_> {
    fn label(&mut self, name: &str) -> usize {
        let known = self.names.iter().position(|known| **known == *name);
        known.unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        })
    }

    fn outside(&mut self, name: &str) -> usize {
        let known = self.outside.iter().position(|known| **known == *name);
        known.unwrap_or_else(|| {
            self.outside.push(name.into());
            self.outside.len() - 1
        })
    }

    fn variable(&mut self, name: &str) -> Variable {
        let frames = self.scopes.iter().rev().enumerate();
        let places = frames.filter_map(|(up, names)| Some((up, names.iter().position(|known| known == name)?)));
        let places = places.collect();
        let source = match name {
            "$" => Source::Root,
            _ if name.starts_with('!') => Source::Nothing,
            _ => Source::World(self.outside(name), functions::find(name)),
        };
        Variable { places, source }
    }

    fn is_states(&self, name: &str) -> bool {
        name == "states" && !self.scopes.iter().flatten().any(|bound| bound == name)
    }

    /// A part, with what follows it.
    fn node(&mut self, expr: &Expr) -> Node {
        let node = self.bare(expr);
        let group = if matches!(expr.kind, Kind::Path { .. }) { None } else { expr.group.as_deref() };
        if expr.predicates.is_empty() && group.is_none() && !expr.keep_array {
            return node;
        }
        let mut frame = None;
        if expr.tuple && matches!(expr.kind, Kind::Block(_)) {
            let mut names = Vec::new();
            self.carried(std::slice::from_ref(expr), &mut names);
            let labels = names.iter().map(|name| self.label(name)).collect();
            let inside =
                expr.predicates.iter().chain(group.into_iter().flatten().flat_map(|(key, value)| [key, value]));
            names.extend(assigned(inside).into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
            frame = Some(TupleFrame { labels, slots: names.len() });
            self.scopes.push(names);
        }
        let predicates = expr.predicates.iter().map(|predicate| self.node(predicate)).collect();
        let group = group.map(|pairs| self.group(pairs));
        if frame.is_some() {
            self.scopes.pop();
        }
        Node::Then(Box::new(Then { node, predicates, group, keep: expr.keep_array, frame }))
    }

    /// A part that is looked at before it is evaluated, unless nothing is recognised.
    fn general(&mut self, expr: &Expr) -> Node {
        match self.node(expr) {
            node @ (Node::Name(_) | Node::Variable(_)) if self.plain => {
                Node::Then(Box::new(Then { node, predicates: Vec::new(), group: None, keep: false, frame: None }))
            }
            node => node,
        }
    }

    fn group(&mut self, pairs: &[(Expr, Expr)]) -> Group {
        Group { pairs: pairs.iter().map(|(key, value)| (self.node(key), self.node(value))).collect() }
    }

    fn boxed(&mut self, expr: &Expr) -> Box<Node> {
        Box::new(self.node(expr))
    }

    fn bare(&mut self, expr: &Expr) -> Node {
        match &expr.kind {
            Kind::Null => Node::Null,
            Kind::Bool(b) => Node::Bool(*b),
            Kind::Number(n) => Node::Number(*n),
            Kind::String(text) => Node::String(text.as_str().into()),
            Kind::Name(name) => Node::Name(name.as_str().into()),
            Kind::Variable(name) if name.is_empty() => Node::Context,
            Kind::Variable(name) => Node::Variable(self.variable(name)),
            Kind::Wildcard => Node::Wildcard,
            Kind::Descendant => Node::Descendant,
            Kind::Parent(slot) => {
                let label = self.labels.get(*slot).copied().unwrap_or_default();
                Node::Variable(self.variable(&ancestor_name(label)))
            }
            Kind::Regex { pattern, flags } => Node::Regex(Arc::new(Pattern::new(pattern, flags))),
            Kind::Path { steps, keep_singleton } => self.path(expr, steps, *keep_singleton),
            // Only paths have them, as steps.
            Kind::Sort(_) => Node::Undefined,
            Kind::Binary(op, sides) => Node::Binary(*op, Box::new([self.node(&sides[0]), self.node(&sides[1])])),
            Kind::Negate(inner) => Node::Negate(self.boxed(inner)),
            Kind::Array(items) => {
                let nested = |item: &Expr| matches!(item.kind, Kind::Array(_));
                let items = items.iter().map(|item| Item { nested: nested(item), node: self.node(item) });
                Node::Array { items: items.collect(), cons: expr.cons_array }
            }
            Kind::Object(pairs) => self.object(pairs),
            Kind::Block(parts) => {
                let names = assigned(parts);
                let slots = names.len();
                self.scoped(names, |compiler| {
                    let parts = parts.iter().map(|part| compiler.node(part)).collect();
                    Node::Block { slots, parts }
                })
            }
            Kind::Condition(parts) => {
                let (condition, then, otherwise) = &**parts;
                let otherwise = otherwise.as_ref().map_or(Node::Undefined, |part| self.node(part));
                Node::Condition(Box::new([self.node(condition), self.node(then), otherwise]))
            }
            Kind::Bind(name, value) => {
                let value = self.boxed(value);
                let slot = self.scopes.last().and_then(|names| names.iter().position(|known| known == name));
                Node::Bind(slot.unwrap_or(usize::MAX), value)
            }
            Kind::Call { procedure, args } => {
                let call = self.call(procedure, args);
                if call.args.iter().any(Option::is_none) {
                    Node::Partial(Box::new(call))
                } else {
                    Node::Call(Arc::new(call))
                }
            }
            Kind::Lambda { params, signature, body } => Node::Lambda(Arc::new(self.lambda(params, signature, body))),
            Kind::Apply(sides) => self.apply(&sides[0], &sides[1]),
            Kind::Transform(parts) => {
                let (pattern, update, delete) = &**parts;
                Node::Transform(Arc::new(Transform {
                    pattern: self.node(pattern),
                    update: self.node(update),
                    delete: delete.as_ref().map(|part| self.node(part)),
                }))
            }
        }
    }

    /// With a frame of its own for `names`; none needs none.
    fn scoped<T>(&mut self, names: Vec<String>, with: impl FnOnce(&mut Self) -> T) -> T {
        let framed = !names.is_empty();
        if framed {
            self.scopes.push(names);
        }
        let out = with(self);
        if framed {
            self.scopes.pop();
        }
        out
    }

    fn object(&mut self, pairs: &[(Expr, Expr)]) -> Node {
        let plain = |key: &Expr| match &key.kind {
            Kind::String(text) if key.is_plain() => Some(text.clone()),
            _ => None,
        };
        let keys: Option<Vec<String>> = pairs.iter().map(|(key, _)| plain(key)).collect();
        match keys {
            Some(keys) if !self.plain && keys.iter().enumerate().all(|(at, key)| !keys[..at].contains(key)) => {
                let members = keys.into_iter().zip(pairs);
                Node::Members(members.map(|(key, (_, value))| (key.into(), self.node(value))).collect())
            }
            _ => Node::Object(Box::new(self.group(pairs))),
        }
    }

    fn call(&mut self, procedure: &Expr, args: &[Option<Expr>]) -> Call {
        let first = match &procedure.kind {
            Kind::Path { steps, .. } => steps.first(),
            _ => None,
        };
        let name = match &first.unwrap_or(procedure).kind {
            Kind::Name(name) | Kind::Variable(name) | Kind::String(name) => Some(name.as_str()),
            _ => None,
        };
        let meant = match first.map(|step| &step.kind) {
            Some(Kind::Name(name)) => Some((Arc::from(name.as_str()), self.variable(name))),
            _ => None,
        };
        Call {
            args: args.iter().map(|arg| arg.as_ref().map(|arg| self.node(arg))).collect(),
            name: name.map(Arc::from),
            meant,
            procedure: self.general(procedure),
        }
    }

    fn lambda(&mut self, params: &[String], signature: &Option<String>, body: &Expr) -> Lambda {
        let mut names = params.to_vec();
        names.extend(assigned([body]).into_iter().filter(|name| !params.contains(name)));
        // Of two parameters with one name, the last has it.
        let count = params.len();
        for at in 0..count {
            if params[at + 1..].contains(&params[at]) {
                names[at] = String::from("!unnamed");
            }
        }
        let slots = names.len();
        let signature = signature.as_deref().and_then(|text| Signature::parse(text).ok());
        let body = self.scoped(names, |compiler| compiler.tail(body));
        let comparison = if self.plain || count != 2 || signature.is_some() { None } else { comparison(&body) };
        Lambda { params: count, slots, signature, comparison, body }
    }

    /// The body of a function: calls at its end are made by its caller.
    fn tail(&mut self, expr: &Expr) -> Node {
        match &expr.kind {
            Kind::Call { procedure, args } if expr.predicates.is_empty() && args.iter().all(Option::is_some) => {
                Node::Tail(Arc::new(self.call(procedure, args)))
            }
            Kind::Condition(parts) if expr.predicates.is_empty() && expr.group.is_none() && !expr.keep_array => {
                let (condition, then, otherwise) = &**parts;
                let condition = self.node(condition);
                let then = self.tail(then);
                let otherwise = otherwise.as_ref().map_or(Node::Undefined, |part| self.tail(part));
                Node::Condition(Box::new([condition, then, otherwise]))
            }
            Kind::Block(parts) if expr.predicates.is_empty() && expr.group.is_none() && !expr.keep_array => {
                let names = assigned(parts);
                let slots = names.len();
                self.scoped(names, |compiler| {
                    let last = parts.len().saturating_sub(1);
                    let parts = parts.iter().enumerate();
                    let parts =
                        parts.map(|(at, part)| if at == last { compiler.tail(part) } else { compiler.node(part) });
                    Node::Block { slots, parts: parts.collect() }
                })
            }
            _ => self.node(expr),
        }
    }

    fn apply(&mut self, left: &Expr, right: &Expr) -> Node {
        let left = self.node(left);
        match &right.kind {
            Kind::Call { procedure, args } if args.iter().all(Option::is_some) => {
                Node::Pipe(Box::new(left), Box::new(self.call(procedure, args)))
            }
            _ => Node::Apply(Box::new([left, self.node(right)])),
        }
    }

    fn path(&mut self, expr: &Expr, steps: &[Expr], keep_singleton: bool) -> Node {
        if !self.plain
            && !keep_singleton
            && expr.group.is_none()
            && !expr.tuple
            && let Some(fields) = self.fields(steps)
        {
            return fields;
        }
        let first_tuple = steps.iter().position(|step| step.tuple);
        let mut names = Vec::new();
        let mut labels = Vec::new();
        if first_tuple.is_some() {
            self.carried(steps, &mut names);
            labels = names.iter().map(|name| self.label(name)).collect();
            let inside = steps.iter().chain(expr.group.iter().flatten().flat_map(|(key, value)| [key, value]));
            names.extend(assigned(inside).into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
        }
        let frame = TupleFrame { labels, slots: names.len() };
        let mut compiled = Vec::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            let plain = first_tuple.is_none_or(|first| at < first) || (at == 0 && step.cons_array);
            if !plain {
                self.scopes.push(names.clone());
            }
            compiled.push(self.step(step));
            if !plain {
                self.scopes.pop();
            }
        }
        if first_tuple.is_some() {
            self.scopes.push(names);
        }
        let group = expr.group.as_deref().map(|pairs| self.group(pairs));
        if first_tuple.is_some() {
            self.scopes.pop();
        }
        let absolute = matches!(steps.first().map(|step| &step.kind), Some(Kind::Variable(_)));
        Node::Path(Box::new(Path { steps: compiled, keep_singleton, tuples: expr.tuple, group, frame, absolute }))
    }

    /// The names that the items of a path carry.
    fn carried(&self, steps: &[Expr], names: &mut Vec<String>) {
        for step in steps {
            let indexes = step.stages.iter().filter_map(|stage| match stage {
                ast::Stage::Index(name) => Some(name.clone()),
                ast::Stage::Filter(_) => None,
            });
            let ancestor = step.ancestor.map(|slot| ancestor_name(self.labels.get(slot).copied().unwrap_or_default()));
            let mut found: Vec<String> = step.focus.iter().chain(&step.index).cloned().collect();
            found.extend(indexes);
            found.extend(ancestor);
            for name in found {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            match &step.kind {
                Kind::Block(parts) => {
                    if let Some(last) = parts.last() {
                        self.carried(std::slice::from_ref(last), names);
                    }
                }
                Kind::Path { steps, .. } => self.carried(steps, names),
                _ => {}
            }
        }
    }

    fn step(&mut self, step: &Expr) -> Step {
        let action = match &step.kind {
            Kind::Sort(terms) => {
                let terms = terms.iter();
                Action::Sort(
                    terms.map(|term| Term { descending: term.descending, node: self.node(&term.expr) }).collect(),
                )
            }
            _ => Action::Node(self.general(step)),
        };
        let stages = step.stages.iter().map(|stage| match stage {
            ast::Stage::Filter(filter) => Stage::Filter(self.node(filter)),
            ast::Stage::Index(name) => Stage::Index(self.label(name)),
        });
        let stages = stages.collect();
        Step {
            action,
            stages,
            cons: step.cons_array,
            tuple: step.tuple,
            // `@$` names nothing: the items become the context.
            focus: step.focus.as_deref().filter(|name| !name.is_empty()).map(|name| self.label(name)),
            index: step.index.as_deref().map(|name| self.label(name)),
            ancestor: step.ancestor.map(|slot| {
                let label = self.labels.get(slot).copied().unwrap_or_default();
                self.label(&ancestor_name(label))
            }),
        }
    }

    /// The path of plain names that `steps` may be.
    fn fields(&mut self, steps: &[Expr]) -> Option<Node> {
        let name = |step: &Expr| match &step.kind {
            Kind::Name(name) if step.is_plain() => Some(Key::from(name.as_str())),
            _ => None,
        };
        let (first, rest) = steps.split_first()?;
        let mut names = rest.iter().map(name).collect::<Option<Vec<Key>>>()?;
        let start = match &first.kind {
            Kind::Variable(name) if first.is_plain() && self.is_states(name) && !names.is_empty() => {
                Some(Node::States(names.remove(0)))
            }
            Kind::Variable(name) if first.is_plain() && name.is_empty() => Some(Node::Context),
            Kind::Variable(name) if first.is_plain() => Some(Node::Variable(self.variable(name))),
            Kind::Name(_) => {
                names.insert(0, name(first)?);
                None
            }
            _ => return None,
        };
        Some(Node::Fields(Box::new(Fields { start, names })))
    }
}

/// The comparison that a body of two parameters may be.
fn comparison(body: &Node) -> Option<Comparison> {
    let Node::Binary(op @ (Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual), sides) = body else {
        return None;
    };
    let part = |side: &Node, slot: usize| {
        let (variable, names) = match side {
            Node::Variable(variable) => (variable, &[][..]),
            Node::Fields(fields) => match &fields.start {
                Some(Node::Variable(variable)) => (variable, &fields.names[..]),
                _ => return None,
            },
            _ => return None,
        };
        (variable.places.first() == Some(&(0, slot))).then(|| names.to_vec())
    };
    let (left, right) = (part(&sides[0], 0)?, part(&sides[1], 1)?);
    (left == right).then_some(Comparison { op: *op, names: left })
}
