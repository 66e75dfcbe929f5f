//! The evaluator: what each part of a program gives. It follows the reference implementation step by step, for its answers
//! depend on what is a sequence and what is an array.

mod call;
mod filter;
mod frame;
mod group;
mod operators;
mod path;
mod sort;
mod transform;
mod tuple;

pub(super) use call::Closure;
pub(super) use frame::{Env, Frame};
pub(super) use operators::{equal, truth, utf16_order};
pub(super) use transform::Transformer;
pub(super) use tuple::{Thunk, Tuples};

use super::budget::Budget;
use super::functions::{Builtin, Function};
use super::messages::{Fail, coded};
use super::program::{Node, Program, Source, Then, Variable};
use super::value::{Build, Flags, List, PLAIN, Record, SEQUENCE, Seq, Val};
use super::{Bounds, JsonataEnv};
use asl_value::{Key, Value};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

pub(super) type Answer = Result<Val, Fail>;

/// One evaluation.
pub(super) struct Run<'e> {
    pub(super) budget: Rc<Budget>,
    pub(super) env: &'e dyn JsonataEnv,
    /// `$$`
    root: Val,
    /// What was read from outside, by the places of the names.
    world: RefCell<Vec<Option<Val>>>,
    /// The names read from outside; expressions that are evaluated by `$eval` add theirs.
    pub(super) outside: RefCell<Vec<Key>>,
    pub(super) labels: RefCell<Vec<Key>>,
    now_ms: OnceCell<i64>,
    random: Cell<Option<u64>>,
    /// What functions were called by last, where that is not their name.
    pub(super) called: RefCell<Vec<(&'static str, Arc<str>)>>,
    /// The patterns that were paid for.
    pub(super) patterns: RefCell<Vec<*const super::pattern::Pattern>>,
    /// The frames that functions keep.
    kept: RefCell<Vec<Weak<Frame>>>,
}

impl Drop for Run<'_> {
    /// Frames that hold the functions that keep them would never be freed.
    fn drop(&mut self) {
        let kept = std::mem::take(&mut *self.kept.borrow_mut());
        kept.iter().filter_map(Weak::upgrade).for_each(|frame| frame.clear());
    }
}

/// The value of a program, and how much work it was. `input` is the context item.
pub(super) fn evaluate(
    program: &Program,
    input: Option<&Value>,
    env: &dyn JsonataEnv,
    bounds: &Bounds,
) -> (Result<Option<Value>, Fail>, usize) {
    let budget = Rc::new(Budget::new(bounds));
    let root = input.map_or(Val::Undefined, Val::from);
    let run = Run {
        budget: Rc::clone(&budget),
        env,
        root: root.clone(),
        world: RefCell::default(),
        outside: RefCell::default(),
        labels: RefCell::default(),
        now_ms: OnceCell::new(),
        random: Cell::new(None),
        called: RefCell::default(),
        patterns: RefCell::default(),
        kept: RefCell::default(),
    };
    let found = run.whole(program, root);
    drop(run);
    (found, budget.spent())
}

impl Run<'_> {
    fn whole(&self, program: &Program, root: Val) -> Result<Option<Value>, Fail> {
        if !program.outside.is_empty() {
            *self.world.borrow_mut() = vec![None; program.outside.len()];
            self.outside.borrow_mut().clone_from(&program.outside);
        }
        if !program.labels.is_empty() {
            self.labels.borrow_mut().clone_from(&program.labels);
        }
        if let Some(found) = self.projection(&program.root, &None)? {
            return Ok(found);
        }
        let input = if root.is_array() { self.wrapped(root)? } else { root };
        let found = self.begin(program, &input, &None)?;
        match found {
            Val::Seq(seq) if seq.flags.outer => {
                seq.items.first().cloned().map_or(Ok(None), |document| document.into_value(&self.budget))
            }
            // The reference gives its own notes away where no step has used them.
            Val::Tuples(tuples) => tuples.records(self)?.into_value(&self.budget),
            found => found.into_value(&self.budget),
        }
    }

    /// A document that is an array, as the one thing an expression is about.
    pub(super) fn wrapped(&self, document: Val) -> Answer {
        Seq::one(&self.budget, document, Flags { outer: true, ..SEQUENCE })
    }

    /// Evaluates a program as a whole.
    pub(super) fn begin(&self, program: &Program, input: &Val, frame: &Env) -> Answer {
        if program.slots == 0 {
            return self.eval(&program.root, input, frame);
        }
        let frame = Frame::new(self, frame, Vec::new(), program.slots)?;
        self.eval(&program.root, input, &frame)
    }

    pub(super) fn spend(&self, work: usize) -> Result<(), Fail> {
        self.budget.spend(work)
    }

    pub(super) fn build(&self) -> Build {
        Build::new(&self.budget)
    }

    pub(super) fn record(&self, count: usize) -> Result<Record, Fail> {
        Record::new(&self.budget, count)
    }

    /// A string that was built.
    pub(super) fn built(&self, text: String) -> Answer {
        Ok(Val::String(self.budget.built(text)?))
    }

    pub(super) fn now_ms(&self) -> f64 {
        *self.now_ms.get_or_init(|| self.env.now_ms()) as f64
    }

    /// The next 64 random bits (SplitMix64, seeded by the world).
    pub(super) fn next_random(&self) -> u64 {
        let state = self.random.get().unwrap_or_else(|| self.env.random()).wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.random.set(Some(state));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// The value of a part: what it gives, one result alone for itself.
    #[inline]
    pub(super) fn eval(&self, node: &Node, input: &Val, frame: &Env) -> Answer {
        self.budget.spend(2)?;
        match node {
            Node::Number(n) => return self.budget.deepen(1).map(|()| Val::Number(*n)),
            Node::String(text) => return self.budget.deepen(1).map(|()| Val::String(Arc::clone(text))),
            _ => {}
        }
        self.budget.enter()?;
        let found = self.bare(node, input, frame)?;
        self.budget.leave();
        match found {
            Val::Seq(seq) if seq.flags.sequence && seq.items.len() < 2 => Ok(collapse(seq)),
            found => Ok(found),
        }
    }

    fn bare(&self, node: &Node, input: &Val, frame: &Env) -> Answer {
        match node {
            Node::Undefined => Ok(Val::Undefined),
            Node::Null => Ok(Val::Null),
            Node::Bool(b) => Ok(Val::Bool(*b)),
            Node::Number(n) => Ok(Val::Number(*n)),
            Node::String(text) => Ok(Val::String(Arc::clone(text))),
            Node::Context => Ok(context(input)),
            Node::Variable(variable) => Ok(self.variable(variable, frame)),
            Node::States(name) => Ok(self.env.states_member(name).as_ref().map_or(Val::Undefined, Val::from)),
            Node::Name(name) => self.lookup(input, name),
            Node::Wildcard => self.wildcard(input),
            Node::Descendant => self.descendants(input),
            Node::Path(path) => self.path(path, input, frame),
            Node::Fields(fields) => self.fields(fields, input, frame),
            Node::Binary(op, sides) => self.binary(*op, &sides[0], &sides[1], input, frame),
            Node::Negate(inner) => self.negate(inner, input, frame),
            Node::Array { items, cons } => self.array(items, *cons, input, frame),
            Node::Members(members) => self.members(members, input, frame),
            Node::Object(group) => self.group(group, input, frame, None),
            Node::Block { slots, parts } => self.block(*slots, parts, input, frame),
            Node::Bind(slot, value) => self.bind(*slot, value, input, frame),
            Node::Condition(parts) => self.condition(parts, input, frame),
            Node::Regex(pattern) => Ok(Function::Regex(Arc::clone(pattern)).into()),
            Node::Call(call) => self.call(call, None, input, frame),
            Node::Tail(call) => self.tail(call, input, frame),
            Node::Partial(call) => self.partial(call, input, frame),
            Node::Lambda(lambda) => Ok(self.lambda(lambda, input, frame)),
            Node::Apply(sides) => self.chain(&sides[0], &sides[1], input, frame),
            Node::Pipe(left, call) => {
                let left = self.eval(left, input, frame)?;
                self.call(call, Some(left), input, frame)
            }
            Node::Transform(transform) => Ok(self.transformer(transform, input, frame)),
            Node::Then(then) => self.then(then, input, frame),
        }
    }

    /// What is outside, or a function of the language.
    fn source(&self, source: &Source) -> Val {
        match source {
            Source::Root => self.root.clone(),
            Source::Nothing => Val::Undefined,
            Source::World(place, builtin) => match (self.outside(*place), builtin) {
                (Val::Undefined, Some(builtin)) => Function::Builtin(builtin).into(),
                (found, _) => found,
            },
        }
    }

    fn outside(&self, place: usize) -> Val {
        if let Some(Some(known)) = self.world.borrow().get(place) {
            return known.clone();
        }
        let outside = self.outside.borrow();
        let name = outside.get(place).map_or("", |name| name);
        let found = if name == "states" { Some(self.env.states()) } else { self.env.variable(name) };
        let found = found.as_ref().map_or(Val::Undefined, Val::from);
        let mut world = self.world.borrow_mut();
        if world.len() <= place {
            world.resize(place + 1, None);
        }
        world[place] = Some(found.clone());
        found
    }

    #[inline]
    fn variable(&self, variable: &Variable, frame: &Env) -> Val {
        if let Some(frame) = frame {
            for (up, slot) in &variable.places {
                if let Some(found) = frame.get(*up, *slot) {
                    return found;
                }
            }
        }
        self.source(&variable.source)
    }

    /// The function of the language that a variable is, if nothing has taken its name.
    fn builtin(&self, variable: &Variable, frame: &Env) -> Option<&'static Builtin> {
        let Source::World(place, Some(builtin)) = &variable.source else { return None };
        let bound = frame
            .as_ref()
            .is_some_and(|frame| variable.places.iter().any(|(up, slot)| frame.get(*up, *slot).is_some()));
        (!bound && self.outside(*place).is_undefined()).then_some(builtin)
    }

    fn array(&self, items: &[super::program::Item], cons: bool, input: &Val, frame: &Env) -> Answer {
        let flags = Flags { cons, ..PLAIN };
        if let [item] = items
            && !item.nested
        {
            // What an array is made of alone is not copied where nothing else has it.
            return match self.eval(&item.node, input, frame)? {
                Val::Undefined => self.build().finish(flags),
                Val::Seq(seq) => seq.flagged(flags),
                Val::Array(items) if !cons => Ok(Val::Array(items)),
                value => {
                    let mut build = self.build();
                    build.concat(&value)?;
                    build.finish(flags)
                }
            };
        }
        let mut build = Build::with_room(&self.budget, items.len())?;
        for item in items {
            match self.eval(&item.node, input, frame)? {
                Val::Undefined => {}
                value if item.nested => build.push(value)?,
                value => build.concat(&value)?,
            }
        }
        build.finish(flags)
    }

    fn block(&self, slots: usize, parts: &[Node], input: &Val, frame: &Env) -> Answer {
        let own;
        let frame = if slots > 0 {
            own = Frame::new(self, frame, Vec::new(), slots)?;
            &own
        } else {
            frame
        };
        let mut last = Val::Undefined;
        for part in parts {
            last = self.eval(part, input, frame)?;
        }
        Ok(last)
    }

    fn bind(&self, slot: usize, value: &Node, input: &Val, frame: &Env) -> Answer {
        let value = self.eval(value, input, frame)?;
        if let Some(frame) = frame {
            frame.set(slot, value.clone())?;
        }
        Ok(value)
    }

    fn condition(&self, parts: &[Node; 3], input: &Val, frame: &Env) -> Answer {
        let condition = self.eval(&parts[0], input, frame)?;
        if truth(self, &condition)? {
            self.eval(&parts[1], input, frame)
        } else if let Node::Undefined = parts[2] {
            Ok(Val::Undefined)
        } else {
            self.eval(&parts[2], input, frame)
        }
    }

    fn negate(&self, inner: &Node, input: &Val, frame: &Env) -> Answer {
        match self.eval(inner, input, frame)? {
            Val::Undefined => Ok(Val::Undefined),
            value => match operators::numeric(&value)? {
                Some(n) => Ok(Val::Number(-n)),
                None => coded("D1002").token("-").value(&value).raise(),
            },
        }
    }

    /// Predicates, a grouping, `[]`.
    fn then(&self, then: &Then, input: &Val, frame: &Env) -> Answer {
        let mut found = self.bare(&then.node, input, frame)?;
        let layout = then.frame.as_ref();
        for predicate in &then.predicates {
            found = self.filter(predicate, &found, frame, layout)?;
        }
        if let Some(group) = &then.group {
            found = self.group(group, &found, frame, layout)?;
        }
        match found {
            Val::Seq(seq) if then.keep && seq.flags.sequence && seq.items.len() < 2 => {
                let flags = Flags { keep: true, ..seq.flags };
                seq.flagged(flags)
            }
            found => Ok(found),
        }
    }

    /// A field, also of the items of an array.
    pub(super) fn lookup(&self, value: &Val, name: &str) -> Answer {
        let Some(list) = value.list() else { return Ok(value.member(name)) };
        let mut build = self.build();
        self.lookup_items(list, name, &mut build, 0)?;
        build.finish(SEQUENCE)
    }

    fn lookup_items(&self, list: List<'_>, name: &str, out: &mut Build, depth: usize) -> Result<(), Fail> {
        if depth > asl_value::MAX_DEPTH {
            return Err(Fail::Memory);
        }
        self.budget.spend(list.len())?;
        let mut one = |found: Val| match found {
            Val::Undefined => Ok(()),
            found => out.concat(&found),
        };
        match list {
            List::Plain(items) => {
                for item in items {
                    match item {
                        Value::Object(map) => one(map.get(name).map_or(Val::Undefined, Val::from))?,
                        Value::Array(inner) => {
                            let mut found = self.build();
                            self.lookup_items(List::Plain(inner), name, &mut found, depth + 1)?;
                            one(found.finish(SEQUENCE)?)?;
                        }
                        _ => {}
                    }
                }
            }
            List::Built(items) => {
                for item in items {
                    match item.list() {
                        None => one(item.member(name))?,
                        Some(inner) => {
                            let mut found = self.build();
                            self.lookup_items(inner, name, &mut found, depth + 1)?;
                            one(found.finish(SEQUENCE)?)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// `$`
fn context(input: &Val) -> Val {
    match input {
        Val::Seq(seq) if seq.flags.outer => seq.items.first().cloned().unwrap_or_default(),
        input => input.clone(),
    }
}

/// A sequence of none is undefined, one alone is itself.
fn collapse(seq: Rc<Seq>) -> Val {
    match seq.items.first() {
        None => Val::Undefined,
        Some(_) if seq.flags.keep => Val::Seq(seq),
        Some(one) => one.clone(),
    }
}
