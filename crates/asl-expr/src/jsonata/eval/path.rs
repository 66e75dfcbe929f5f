//! Paths: step after step, over the items of what came before.

use super::{Answer, Env, Run, context};
use crate::jsonata::messages::Fail;
use crate::jsonata::program::{Action, Fields, Node, Path, Stage, Step, Variable};
use crate::jsonata::value::{Build, Flags, List, SEQUENCE, Seq, Val};
use asl_value::{Key, Value};

/// What a step goes over.
pub(super) enum Items {
    /// The items of an array.
    Of(Val),
    One(Val),
}

impl Items {
    pub(super) fn len(&self) -> usize {
        match self {
            Items::Of(value) => value.list().map_or(0, List::len),
            Items::One(_) => 1,
        }
    }

    pub(super) fn get(&self, index: usize) -> Val {
        match self {
            Items::Of(value) => value.list().and_then(|list| list.get(index)).unwrap_or_default(),
            Items::One(value) => value.clone(),
        }
    }

    /// The items of an array, anything else by itself.
    pub(super) fn from(value: &Val) -> Items {
        if value.is_array() { Items::Of(value.clone()) } else { Items::One(value.clone()) }
    }

    /// As an array.
    fn array(&self, run: &Run<'_>) -> Answer {
        match self {
            Items::Of(value) => Ok(value.clone()),
            Items::One(value) => Seq::one(&run.budget, value.clone(), SEQUENCE),
        }
    }
}

/// The results of a step, flattened. An array that is the only result is kept aside: it may be the answer as it is.
struct Flat<'r, 'e> {
    run: &'r Run<'e>,
    only: Option<Val>,
    build: Option<Build>,
}

impl Flat<'_, '_> {
    #[inline]
    fn push(&mut self, found: Val) -> Result<(), Fail> {
        match &mut self.build {
            Some(build) => add(build, found),
            None => self.begin(found),
        }
    }

    fn begin(&mut self, found: Val) -> Result<(), Fail> {
        let Some(first) = self.only.take() else {
            self.only = Some(found);
            return Ok(());
        };
        let build = self.build.insert(self.run.build());
        add(build, first)?;
        add(build, found)
    }

    fn finish(self, last: bool) -> Answer {
        if let Some(build) = self.build {
            return build.finish(SEQUENCE);
        }
        match self.only {
            None => self.run.build().finish(SEQUENCE),
            Some(only) if only.is_array() => {
                let flags = only.flags();
                match only {
                    only if last && !flags.sequence => Ok(only),
                    // Only its items matter to the next step.
                    only if !last && !flags.cons && only.list().is_some_and(|list| list.len() > 0) => Ok(only),
                    Val::Seq(seq) if !flags.cons => seq.flagged(SEQUENCE),
                    only => {
                        let mut build = self.run.build();
                        add(&mut build, only)?;
                        build.finish(SEQUENCE)
                    }
                }
            }
            Some(only) => Seq::one(&self.run.budget, only, SEQUENCE),
        }
    }
}

#[inline]
fn add(build: &mut Build, found: Val) -> Result<(), Fail> {
    match found.list() {
        Some(list) if !found.flags().cons => build.extend(list),
        _ => build.push(found),
    }
}

impl Run<'_> {
    pub(super) fn path(&self, path: &Path, input: &Val, frame: &Env) -> Answer {
        let mut items =
            if input.is_array() && !path.absolute { Items::Of(input.clone()) } else { Items::One(input.clone()) };
        let mut found = Val::Undefined;
        let mut tuples = None;
        let mut streaming = false;
        let last = path.steps.len().saturating_sub(1);
        for (at, step) in path.steps.iter().enumerate() {
            streaming |= step.tuple;
            if at == 0 && step.cons {
                let Action::Node(node) = &step.action else { continue };
                found = self.eval(node, &items.array(self)?, frame)?;
            } else if streaming {
                tuples = Some(self.tuple_step(step, &items, tuples, path, frame)?);
            } else {
                let stepped = at > 1 || (at == 1 && !path.steps[0].cons);
                found = self.step(step, &items, frame, at == last, stepped)?;
            }
            // A string is as good as its characters to the reference, and one without any as good as no items.
            let empty = found.list().map(|list| list.len()).or(found.as_str().map(str::len)) == Some(0);
            if !streaming && (found.is_undefined() || empty) {
                break;
            }
            // An array that is written out comes to the tuples of the next step as its items.
            if step.focus.is_none() && tuples.is_none() {
                items = Items::Of(match &found {
                    Val::String(text) if at < last => self.characters(text)?,
                    found if found.is_array() => found.clone(),
                    _ => Val::Undefined,
                });
            }
        }
        if let (true, Some(tuples)) = (streaming, &tuples) {
            found = if path.tuples { tuples.clone().into() } else { tuples.items(self)? };
        }
        if path.keep_singleton {
            found = self.kept_singleton(found)?;
        }
        match (&path.group, tuples) {
            (None, _) => Ok(found),
            (Some(group), Some(tuples)) if streaming => self.group(group, &tuples.into(), frame, Some(&path.frame)),
            (Some(group), _) => self.group(group, &found, frame, None),
        }
    }

    fn characters(&self, text: &str) -> Answer {
        let mut build = self.build();
        for (at, c) in text.char_indices() {
            self.spend(2)?;
            build.push(Val::string(&text[at..at + c.len_utf8()]))?;
        }
        build.finish(SEQUENCE)
    }

    fn kept_singleton(&self, found: Val) -> Answer {
        let flags = found.flags();
        match found {
            found if flags.cons && !flags.sequence => Seq::one(&self.budget, found, Flags { keep: true, ..SEQUENCE }),
            Val::Seq(seq) if flags.sequence && seq.items.len() < 2 => seq.flagged(Flags { keep: true, ..flags }),
            found => Ok(found),
        }
    }

    /// The results of a step over `items`, which may have been `stepped` to, and not written in brackets.
    fn step(&self, step: &Step, items: &Items, frame: &Env, last: bool, stepped: bool) -> Answer {
        let node = match &step.action {
            Action::Node(node) => node,
            Action::Sort(terms) => {
                let mut sorted = match items {
                    // What a step gave is a sequence, also where it is one array's items.
                    Items::Of(value) if stepped && items.len() == 1 && value.flags() != SEQUENCE => {
                        Seq::one(&self.budget, items.get(0), SEQUENCE)?
                    }
                    items => self.order_by(terms, &items.array(self)?, frame)?,
                };
                for stage in &step.stages {
                    if let Stage::Filter(filter) = stage {
                        sorted = self.filter(filter, &sorted, frame, None)?;
                    }
                }
                return Ok(sorted);
            }
        };
        let mut flat = Flat { run: self, only: None, build: None };
        if let (Node::Name(name), []) = (node, &step.stages[..]) {
            self.budget.deepen(1)?;
            self.names(items, name, &mut flat)?;
            return flat.finish(last);
        }
        for index in 0..items.len() {
            let item = items.get(index);
            let mut found = self.eval(node, &item, frame)?;
            for stage in &step.stages {
                if let Stage::Filter(filter) = stage {
                    found = self.filter(filter, &found, frame, None)?;
                }
            }
            if !found.is_undefined() {
                flat.push(found)?;
            }
        }
        flat.finish(last)
    }

    /// The step of a plain name.
    fn names(&self, items: &Items, name: &str, flat: &mut Flat<'_, '_>) -> Result<(), Fail> {
        self.spend(items.len().saturating_mul(2))?;
        let mut one = |found: Val| if found.is_undefined() { Ok(()) } else { flat.push(found) };
        let list = match items {
            Items::Of(value) => value.list(),
            Items::One(value) => return one(self.field(value, name)?),
        };
        match list {
            None => Ok(()),
            Some(List::Plain(values)) => values.iter().try_for_each(|value| match value {
                Value::Object(map) => one(map.get(name).map_or(Val::Undefined, Val::from)),
                Value::Array(_) => one(self.field(&Val::from(value), name)?),
                _ => Ok(()),
            }),
            Some(List::Built(values)) => values.iter().try_for_each(|value| one(self.field(value, name)?)),
        }
    }

    /// A field as a step gives it: one result alone is itself.
    fn field(&self, value: &Val, name: &str) -> Answer {
        match self.lookup(value, name)? {
            Val::Seq(seq) if seq.flags.sequence && seq.items.len() < 2 => Ok(super::collapse(seq)),
            found => Ok(found),
        }
    }

    /// A path of plain names: as long as no array is met, a member of a member.
    pub(super) fn fields(&self, fields: &Fields, input: &Val, frame: &Env) -> Answer {
        // A step is taken for each item, so none where there is no item.
        let is_empty = || input.list().is_some_and(|list| list.len() == 0);
        if fields.start.is_some() || !is_empty() {
            self.budget.deepen(1)?;
        }
        self.spend(fields.names.len())?;
        let mut names = &fields.names[..];
        let mut value = match (&fields.start, names) {
            // The first name is looked for in the context itself.
            (None, [first, rest @ ..]) if !input.is_array() => {
                names = rest;
                input.member(first)
            }
            (None, _) => input.clone(),
            (Some(Node::Context), _) => context(input),
            (Some(Node::Variable(variable)), [first, rest @ ..]) => match Run::member_of(variable, first, frame) {
                Some(member) => {
                    names = rest;
                    member
                }
                None => self.variable(variable, frame),
            },
            (Some(start), _) => self.bare(start, input, frame)?,
        };
        // The items of a document that is an array are looked into as one.
        let items = match &fields.start {
            None if input.is_array() => Some(Items::Of(std::mem::take(&mut value))),
            _ => None,
        };
        self.walk(value, items, names)
    }

    /// The member of an object that a variable of a frame has, looked up where it stands.
    #[inline]
    fn member_of(variable: &Variable, name: &str, frame: &Env) -> Option<Val> {
        let frame = frame.as_ref()?;
        let member = |value: &Val| if value.is_array() { None } else { Some(value.member(name)) };
        variable.places.iter().find_map(|(up, slot)| frame.look(*up, *slot, member)).flatten()
    }

    /// The value of an expression that is a path of plain names and nothing else, whose last name is looked for in each item
    /// of an array of a document: what is found is the answer as it is, and need not become a sequence first. `None` where
    /// something else is met.
    pub(super) fn projection(&self, node: &Node, frame: &Env) -> Result<Option<Option<Value>>, Fail> {
        let Node::Fields(fields) = node else { return Ok(None) };
        let (Some(start @ Node::States(_)), Some((last, names))) = (&fields.start, fields.names.split_last()) else {
            return Ok(None);
        };
        let start = self.bare(start, &Val::Undefined, frame)?;
        let Val::Array(items) = names.iter().fold(start, |value, name| value.member(name)) else { return Ok(None) };
        self.budget.deepen(2)?;
        self.spend(3 + fields.names.len() + items.len().saturating_mul(3))?;
        self.budget.length(items.len())?;
        let charge = crate::jsonata::budget::Charge::new(&self.budget);
        charge.add(items.len().saturating_mul(size_of::<Val>()))?;
        let mut found = Vec::with_capacity(items.len());
        let mut weight = 8usize;
        for item in items.iter() {
            let Value::Object(item) = item else { return Ok(None) };
            match item.get(last) {
                None => {}
                Some(Value::Array(_)) => return Ok(None),
                Some(member) => {
                    weight = weight.saturating_add(Val::weight(member));
                    found.push(member.clone());
                }
            }
        }
        self.budget.room(weight)?;
        Ok(Some(if found.len() < 2 { found.pop() } else { Some(Value::from(found)) }))
    }

    /// Names, one after the other, from what a variable has.
    pub(in crate::jsonata) fn fields_of(&self, start: Val, names: &[Key]) -> Answer {
        match self.walk(start, None, names)? {
            Val::Seq(seq) if seq.flags.sequence && seq.items.len() < 2 => Ok(super::collapse(seq)),
            found => Ok(found),
        }
    }

    fn walk(&self, mut value: Val, mut items: Option<Items>, names: &[Key]) -> Answer {
        for (at, name) in names.iter().enumerate() {
            let last = at + 1 == names.len();
            if items.is_none() && !value.is_array() {
                value = value.member(name);
                if value.is_undefined() {
                    return Ok(value);
                }
                continue;
            }
            let over = match items.take() {
                Some(items) => items,
                // A step that gave an array alone; one that was written in brackets stays an item.
                None if value.flags().cons => Items::One(value.clone()),
                None => Items::from(&value),
            };
            let mut flat = Flat { run: self, only: None, build: None };
            self.names(&over, name, &mut flat)?;
            let found = flat.finish(last)?;
            if found.list().is_some_and(|list| list.len() == 0) || last {
                return Ok(found);
            }
            items = Some(Items::Of(found));
        }
        // The last step gave one result: an array as it is, a sequence flattened into one.
        match value {
            Val::Seq(seq) if seq.flags.sequence && !seq.flags.outer => seq.flagged(SEQUENCE),
            value => Ok(value),
        }
    }

    /// `*`
    pub(super) fn wildcard(&self, input: &Val) -> Answer {
        let inner = context(input);
        let mut build = self.build();
        let mut flattened = false;
        let mut one = |value: Val, build: &mut Build| -> Result<(), Fail> {
            if value.is_array() {
                flattened = true;
                self.flatten(&value, build, 0)
            } else {
                build.push(value)
            }
        };
        match inner.list() {
            Some(list) => {
                self.spend(list.len())?;
                list.iter().try_for_each(|item| one(item, &mut build))?;
            }
            None => {
                self.spend(inner.members_len())?;
                inner.members().try_for_each(|(_, member)| one(member, &mut build))?;
            }
        }
        // What is appended to is no sequence any more.
        build.finish(if flattened { crate::jsonata::value::PLAIN } else { SEQUENCE })
    }

    fn flatten(&self, value: &Val, out: &mut Build, depth: usize) -> Result<(), Fail> {
        if depth > asl_value::MAX_DEPTH {
            return Err(Fail::Memory);
        }
        self.spend(1)?;
        match value.list() {
            Some(list) => list.iter().try_for_each(|item| self.flatten(&item, out, depth + 1)),
            None => out.push(value.clone()),
        }
    }

    /// `**`
    pub(super) fn descendants(&self, input: &Val) -> Answer {
        if input.is_undefined() {
            return Ok(Val::Undefined);
        }
        let mut build = self.build();
        self.descend(input, &mut build, 0)?;
        // One alone is itself here already: `[]` behind it finds no sequence to keep.
        match build.finish(SEQUENCE)? {
            Val::Seq(seq) if seq.items.len() == 1 => Ok(super::collapse(seq)),
            found => Ok(found),
        }
    }

    fn descend(&self, value: &Val, out: &mut Build, depth: usize) -> Result<(), Fail> {
        if depth > 2 * asl_value::MAX_DEPTH {
            return Err(Fail::Memory);
        }
        self.spend(2)?;
        if let Some(list) = value.list() {
            return list.iter().try_for_each(|item| self.descend(&item, out, depth + 1));
        }
        out.push(value.clone())?;
        value.members().try_for_each(|(_, member)| self.descend(&member, out, depth + 1))
    }
}
