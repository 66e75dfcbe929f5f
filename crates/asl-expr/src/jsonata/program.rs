//! What an expression is compiled to: names are slots of frames, what is plain is recognised.

use super::ast::Op;
use super::functions::Builtin;
use super::functions::signature::Signature;
use super::pattern::Pattern;
use asl_value::Key;
use std::sync::Arc;

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) root: Node,
    /// How many names the expression as a whole binds.
    pub(super) slots: usize,
    /// The names it reads from outside, by the places that [`Source::World`] gives them.
    pub(super) outside: Vec<Key>,
    /// The names that paths give to items, by number.
    pub(super) labels: Vec<Key>,
}

/// A part that gives a value.
#[derive(Debug)]
pub(super) enum Node {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    String(Arc<str>),
    /// `$`
    Context,
    Variable(Variable),
    /// `$states.name`, which is cheaper to ask for than `$states`.
    States(Key),
    /// A field of the context.
    Name(Key),
    Wildcard,
    Descendant,
    Path(Box<Path>),
    /// Plain names, one after the other.
    Fields(Box<Fields>),
    Binary(Op, Box<[Node; 2]>),
    Negate(Box<Node>),
    Array {
        items: Vec<Item>,
        cons: bool,
    },
    /// An object whose keys are literals, all different.
    Members(Vec<(Key, Node)>),
    /// An object with keys that are computed.
    Object(Box<Group>),
    Block {
        /// How many names it binds; none needs no frame.
        slots: usize,
        parts: Vec<Node>,
    },
    /// The slot of the innermost frame.
    Bind(usize, Box<Node>),
    Condition(Box<[Node; 3]>),
    Regex(Arc<Pattern>),
    Call(Arc<Call>),
    /// A call in tail position.
    Tail(Arc<Call>),
    Partial(Box<Call>),
    Lambda(Arc<Lambda>),
    /// `left ~> right`
    Apply(Box<[Node; 2]>),
    /// `left ~> $f(...)`
    Pipe(Box<Node>, Box<Call>),
    Transform(Arc<Transform>),
    /// What follows a part that is no step.
    Then(Box<Then>),
}

/// An item of an array.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) node: Node,
    /// It is written in brackets itself, and stays an item as a whole.
    pub(super) nested: bool,
}

/// Where a name is looked for: from the inside to the outside, where it has a value.
#[derive(Debug)]
pub(super) struct Variable {
    /// So many frames up, and the slot there.
    pub(super) places: Vec<(usize, usize)>,
    pub(super) source: Source,
}

#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A variable of the world, or else a function.
    World(usize, Option<&'static Builtin>),
    /// `$$`
    Root,
    Nothing,
}

/// A path of names.
#[derive(Debug)]
pub(super) struct Fields {
    /// Nothing for the context, whose items are looked at one by one.
    pub(super) start: Option<Node>,
    pub(super) names: Vec<Key>,
}

/// A path of any steps.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
    pub(super) keep_singleton: bool,
    /// Its items are handed on with their names.
    pub(super) tuples: bool,
    pub(super) group: Option<Group>,
    /// The frame that holds the names of an item.
    pub(super) frame: TupleFrame,
    /// The first step is a variable: it does not depend on the context.
    pub(super) absolute: bool,
}

/// The names an item may carry, by their slots; more slots may follow for names that are bound while it is looked at.
#[derive(Debug, Default)]
pub(super) struct TupleFrame {
    pub(super) labels: Vec<usize>,
    pub(super) slots: usize,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) action: Action,
    pub(super) stages: Vec<Stage>,
    pub(super) cons: bool,
    pub(super) tuple: bool,
    pub(super) focus: Option<usize>,
    pub(super) index: Option<usize>,
    pub(super) ancestor: Option<usize>,
}

#[derive(Debug)]
pub(super) enum Action {
    Node(Node),
    Sort(Vec<Term>),
}

#[derive(Debug)]
pub(super) struct Term {
    pub(super) descending: bool,
    pub(super) node: Node,
}

#[derive(Debug)]
pub(super) enum Stage {
    Filter(Node),
    Index(usize),
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) pairs: Vec<(Node, Node)>,
}

/// What follows a part: predicates, a grouping, `[]`.
#[derive(Debug)]
pub(super) struct Then {
    pub(super) node: Node,
    pub(super) predicates: Vec<Node>,
    pub(super) group: Option<Group>,
    pub(super) keep: bool,
    /// The frame of the names that its items carry, where they may.
    pub(super) frame: Option<TupleFrame>,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) procedure: Node,
    /// `None` is a `?`.
    pub(super) args: Vec<Option<Node>>,
    /// What messages call the function.
    pub(super) name: Option<Arc<str>>,
    /// The name without `$` that was written, where a function of that name may be meant.
    pub(super) meant: Option<(Arc<str>, Variable)>,
}

#[derive(Debug)]
pub(super) struct Lambda {
    pub(super) params: usize,
    /// Its parameters come first.
    pub(super) slots: usize,
    pub(super) signature: Option<Signature>,
    /// It only compares the same part of two arguments: `function($a, $b){ $a.x > $b.x }`.
    pub(super) comparison: Option<Comparison>,
    pub(super) body: Node,
}

/// What is compared of two arguments.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) op: Op,
    /// None for the arguments themselves.
    pub(super) names: Vec<Key>,
}

#[derive(Debug)]
pub(super) struct Transform {
    pub(super) pattern: Node,
    pub(super) update: Node,
    pub(super) delete: Option<Node>,
}
