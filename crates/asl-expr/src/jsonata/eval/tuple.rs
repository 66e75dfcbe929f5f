//! Items with names: what `@`, `#` and `%` make of a path.

use super::path::Items;
use super::{Answer, Env, Frame, Run};
use crate::jsonata::budget::Charge;
use crate::jsonata::messages::Fail;
use crate::jsonata::program::{Action, Call, Path, Stage, Step, TupleFrame};
use crate::jsonata::value::{Build, PLAIN, SEQUENCE, Val};
use std::rc::Rc;
use std::sync::Arc;

/// A call that is still to be made.
pub(in crate::jsonata) struct Thunk {
    pub(super) call: Arc<Call>,
    pub(super) input: Val,
    pub(super) frame: Env,
}

/// An item, and the names it carries.
#[derive(Clone)]
pub(super) struct Tuple {
    pub(super) item: Val,
    /// By the numbers of their labels.
    pub(super) names: Vec<(usize, Val)>,
}

/// The items of a path that binds names.
pub(in crate::jsonata) struct Tuples {
    pub(super) list: Vec<Rc<Tuple>>,
    /// False after they were sorted: the reference takes them for an array of objects then, but for the next step.
    pub(super) stream: bool,
    charge: Charge,
}

impl From<Rc<Tuples>> for Val {
    fn from(tuples: Rc<Tuples>) -> Val {
        Val::Tuples(tuples)
    }
}

impl Tuple {
    fn put(&mut self, label: usize, value: Val) {
        match self.names.iter_mut().find(|(known, _)| *known == label) {
            Some((_, place)) => *place = value,
            None => self.names.push((label, value)),
        }
    }
}

impl Tuples {
    pub(super) fn new(run: &Run<'_>, stream: bool) -> Tuples {
        Tuples { list: Vec::new(), stream, charge: Charge::new(&run.budget) }
    }

    /// Pays for another tuple, and adds it.
    pub(super) fn push(&mut self, tuple: Tuple) -> Result<(), Fail> {
        let budget = self.charge.budget();
        budget.length(self.list.len() + 1)?;
        budget.spend(4 + tuple.names.len())?;
        self.charge.add(96 + tuple.names.len() * size_of::<(usize, Val)>())?;
        self.list.push(Rc::new(tuple));
        Ok(())
    }

    pub(super) fn share(&mut self, tuple: &Rc<Tuple>) -> Result<(), Fail> {
        self.charge.budget().length(self.list.len() + 1)?;
        self.charge.add(16)?;
        self.list.push(Rc::clone(tuple));
        Ok(())
    }

    /// The items without their names.
    pub(super) fn items(&self, run: &Run<'_>) -> Answer {
        let mut build = Build::with_room(&run.budget, self.list.len())?;
        self.list.iter().try_for_each(|tuple| build.push(tuple.item.clone()))?;
        build.finish(SEQUENCE)
    }

    /// The tuples as objects, as which the reference takes them where it has forgotten what they are.
    pub(super) fn records(&self, run: &Run<'_>) -> Answer {
        let labels = run.labels.borrow();
        let mut build = Build::with_room(&run.budget, self.list.len())?;
        for tuple in &self.list {
            let mut record = run.record(1 + tuple.names.len())?;
            record.insert("@".into(), tuple.item.clone())?;
            for (label, value) in &tuple.names {
                if let Some(name) = labels.get(*label) {
                    record.insert(name.clone(), value.clone())?;
                }
            }
            build.push(record.finish()?)?;
        }
        build.finish(PLAIN)
    }
}

impl Run<'_> {
    /// The frame of the names of an item.
    pub(super) fn tuple_frame(&self, tuple: Option<&Tuple>, layout: &TupleFrame, parent: &Env) -> Result<Env, Fail> {
        let mut values = vec![Val::Unset; layout.slots];
        for (label, value) in tuple.iter().flat_map(|tuple| &tuple.names) {
            if let Some(slot) = layout.labels.iter().position(|known| known == label) {
                values[slot] = value.clone();
            }
        }
        self.spend(2 + layout.slots)?;
        Frame::new(self, parent, values, layout.slots)
    }

    /// A step of a path whose items carry names.
    pub(super) fn tuple_step(
        &self,
        step: &Step,
        items: &Items,
        before: Option<Rc<Tuples>>,
        path: &Path,
        frame: &Env,
    ) -> Result<Rc<Tuples>, Fail> {
        let found = match &step.action {
            Action::Sort(terms) => match before {
                Some(tuples) => self.order_tuples(terms, &tuples, path, frame)?,
                None => {
                    let blank = self.tuple_frame(None, &path.frame, frame)?;
                    let sorted = self.order_by(terms, &items_array(self, items)?, &blank)?;
                    let mut tuples = Tuples::new(self, true);
                    for (at, item) in sorted.list().into_iter().flat_map(|list| list.iter()).enumerate() {
                        let names = step.index.map(|label| (label, Val::Number(at as f64)));
                        tuples.push(Tuple { item, names: names.into_iter().collect() })?;
                    }
                    Rc::new(tuples)
                }
            },
            Action::Node(node) => {
                let mut tuples = Tuples::new(self, true);
                let count = before.as_ref().map_or(items.len(), |tuples| tuples.list.len());
                for index in 0..count {
                    let tuple = match &before {
                        Some(tuples) => Rc::clone(&tuples.list[index]),
                        None => Rc::new(Tuple { item: items.get(index), names: Vec::new() }),
                    };
                    let own = self.tuple_frame(Some(&tuple), &path.frame, frame)?;
                    let found = self.eval(node, &tuple.item, &own)?;
                    self.bound(step, &tuple, &found, &mut tuples)?;
                }
                Rc::new(tuples)
            }
        };
        self.stages(&step.stages, found, path, frame)
    }

    /// What a step found from one tuple, with its names.
    fn bound(&self, step: &Step, tuple: &Tuple, found: &Val, out: &mut Tuples) -> Result<(), Fail> {
        if let Val::Tuples(inner) = found {
            for one in inner.list.iter() {
                let mut next = Tuple { item: one.item.clone(), names: tuple.names.clone() };
                one.names.iter().for_each(|(label, value)| next.put(*label, value.clone()));
                out.push(next)?;
            }
            return Ok(());
        }
        if found.is_undefined() {
            return Ok(());
        }
        let found = Items::from(found);
        for index in 0..found.len() {
            let value = found.get(index);
            let mut next = Tuple { item: tuple.item.clone(), names: tuple.names.clone() };
            match step.focus {
                Some(label) => next.put(label, value),
                None => next.item = value,
            }
            if let Some(label) = step.index {
                next.put(label, Val::Number(index as f64));
            }
            if let Some(label) = step.ancestor {
                next.put(label, tuple.item.clone());
            }
            out.push(next)?;
        }
        Ok(())
    }

    fn stages(&self, stages: &[Stage], mut found: Rc<Tuples>, path: &Path, frame: &Env) -> Result<Rc<Tuples>, Fail> {
        for stage in stages {
            match stage {
                Stage::Filter(filter) => found = self.filter_tuples(filter, &found, frame, &path.frame)?,
                Stage::Index(label) => {
                    let mut numbered = Tuples::new(self, found.stream);
                    for (at, tuple) in found.list.iter().enumerate() {
                        let mut tuple = Tuple::clone(tuple);
                        tuple.put(*label, Val::Number(at as f64));
                        numbered.push(tuple)?;
                    }
                    found = Rc::new(numbered);
                }
            }
        }
        Ok(found)
    }
}

fn items_array(run: &Run<'_>, items: &Items) -> Answer {
    let mut build = run.build();
    (0..items.len()).try_for_each(|index| build.push(items.get(index)))?;
    build.finish(SEQUENCE)
}
