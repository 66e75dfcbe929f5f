//! The syntax tree, as the reference implementation makes it: paths are flat, predicates are with their steps.

/// An expression, also as a step of a path.
#[derive(Debug, Default)]
pub(super) struct Expr {
    pub(super) kind: Kind,
    /// Where its token is in the text, in bytes.
    pub(super) at: usize,
    /// How deep the tree is.
    pub(super) height: usize,
    /// `[]` follows: one result alone stays an array.
    pub(super) keep_array: bool,
    /// An array in brackets that is an item as a whole.
    pub(super) cons_array: bool,
    /// What follows in brackets, where this is no step.
    pub(super) predicates: Vec<Expr>,
    /// What follows in brackets, where this is a step.
    pub(super) stages: Vec<Stage>,
    pub(super) group: Option<Vec<(Expr, Expr)>>,
    /// `@$name`
    pub(super) focus: Option<String>,
    /// `#$name`
    pub(super) index: Option<String>,
    /// The slot of a `%` that means what this step was taken from.
    pub(super) ancestor: Option<usize>,
    /// From here on, items carry names.
    pub(super) tuple: bool,
    /// The slots of `%` that are not found yet.
    pub(super) seeking: Vec<usize>,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all of them are filters")]
pub(super) enum Stage {
    Filter(Expr),
    /// `#$name` after predicates.
    Index(String),
}

#[derive(Debug, Default)]
pub(super) enum Kind {
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Name(String),
    /// `$name`; `$` without one, `$$` with the name `$`.
    Variable(String),
    Wildcard,
    Descendant,
    /// `%`, with its slot.
    Parent(usize),
    Regex {
        pattern: String,
        flags: String,
    },
    Path {
        steps: Vec<Expr>,
        keep_singleton: bool,
    },
    /// `^(...)`, a step.
    Sort(Vec<Term>),
    Binary(Op, Box<[Expr; 2]>),
    Negate(Box<Expr>),
    Array(Vec<Expr>),
    Object(Vec<(Expr, Expr)>),
    Block(Vec<Expr>),
    /// Condition, then, else.
    Condition(Box<(Expr, Expr, Option<Expr>)>),
    Bind(String, Box<Expr>),
    Call {
        procedure: Box<Expr>,
        /// `None` is a `?`.
        args: Vec<Option<Expr>>,
    },
    Lambda {
        params: Vec<String>,
        signature: Option<String>,
        body: Box<Expr>,
    },
    /// `~>`
    Apply(Box<[Expr; 2]>),
    /// Pattern, update, deletion.
    Transform(Box<(Expr, Expr, Option<Expr>)>),
}

/// A term of `^(...)`.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) descending: bool,
    pub(super) expr: Expr,
}

/// The operators between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Concat,
    Range,
    In,
    And,
    Or,
}

impl Op {
    const TEXTS: [(&'static str, Op); 16] = [
        ("+", Op::Add),
        ("-", Op::Subtract),
        ("*", Op::Multiply),
        ("/", Op::Divide),
        ("%", Op::Modulo),
        ("=", Op::Equal),
        ("!=", Op::NotEqual),
        ("<", Op::Less),
        ("<=", Op::LessOrEqual),
        (">", Op::Greater),
        (">=", Op::GreaterOrEqual),
        ("&", Op::Concat),
        ("..", Op::Range),
        ("in", Op::In),
        ("and", Op::And),
        ("or", Op::Or),
    ];

    pub(super) fn of(text: &str) -> Option<Op> {
        Op::TEXTS.iter().find(|(known, _)| *known == text).map(|(_, op)| *op)
    }

    pub(super) fn text(self) -> &'static str {
        Op::TEXTS.iter().find(|(_, op)| *op == self).map_or("", |(text, _)| text)
    }
}

impl Expr {
    pub(super) fn new(kind: Kind, at: usize) -> Expr {
        Expr { kind, at, height: 1, ..Expr::default() }
    }

    /// The name, when it is a path of one plain name.
    pub(super) fn plain_name(&self) -> Option<&str> {
        let Kind::Path { steps, .. } = &self.kind else { return None };
        match &steps[..] {
            [step] if step.is_plain() && self.group.is_none() => match &step.kind {
                Kind::Name(name) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// True when nothing follows that changes what it gives as a step.
    pub(super) fn is_plain(&self) -> bool {
        let Expr { kind: _, at: _, height: _, keep_array, cons_array, predicates, stages, group, .. } = self;
        let bound = self.focus.is_some() || self.index.is_some() || self.ancestor.is_some() || self.tuple;
        !keep_array && !cons_array && predicates.is_empty() && stages.is_empty() && group.is_none() && !bound
    }

    /// Calls `see` with each direct part, without what follows it in brackets.
    pub(super) fn parts<'a>(&'a self, see: &mut dyn FnMut(&'a Expr)) {
        match &self.kind {
            Kind::Path { steps, .. } => steps.iter().for_each(&mut *see),
            Kind::Sort(terms) => terms.iter().for_each(|term| see(&term.expr)),
            Kind::Binary(_, sides) | Kind::Apply(sides) => sides.iter().for_each(&mut *see),
            Kind::Negate(inner) | Kind::Bind(_, inner) => see(inner),
            Kind::Array(items) | Kind::Block(items) => items.iter().for_each(&mut *see),
            Kind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
                see(key);
                see(value);
            }),
            Kind::Condition(parts) | Kind::Transform(parts) => {
                see(&parts.0);
                see(&parts.1);
                parts.2.iter().for_each(&mut *see);
            }
            Kind::Call { procedure, args } => {
                see(procedure);
                args.iter().flatten().for_each(&mut *see);
            }
            Kind::Lambda { body, .. } => see(body),
            Kind::Null
            | Kind::Bool(_)
            | Kind::Number(_)
            | Kind::String(_)
            | Kind::Name(_)
            | Kind::Variable(_)
            | Kind::Wildcard
            | Kind::Descendant
            | Kind::Parent(_)
            | Kind::Regex { .. } => {}
        }
    }

    /// Calls `see` with each direct part, and with what follows it in brackets.
    pub(super) fn children<'a>(&'a self, see: &mut dyn FnMut(&'a Expr)) {
        self.parts(see);
        self.predicates.iter().for_each(&mut *see);
        for stage in &self.stages {
            if let Stage::Filter(filter) = stage {
                see(filter);
            }
        }
        for (key, value) in self.group.iter().flatten() {
            see(key);
            see(value);
        }
    }
}
