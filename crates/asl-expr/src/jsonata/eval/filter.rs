//! Predicates: places, and conditions.

use super::path::Items;
use super::tuple::{Tuple, Tuples};
use super::{Answer, Env, Run, operators, truth};
use crate::jsonata::messages::Fail;
use crate::jsonata::program::{Node, TupleFrame};
use crate::jsonata::value::{SEQUENCE, Seq, Val};
use std::rc::Rc;

/// The place that a number means among `count`; negative ones count from the end.
fn place(n: f64, count: usize) -> f64 {
    let n = n.floor();
    if n < 0.0 { count as f64 + n } else { n }
}

impl Run<'_> {
    /// `input[predicate]`
    pub(super) fn filter(&self, predicate: &Node, input: &Val, frame: &Env, layout: Option<&TupleFrame>) -> Answer {
        if let Val::Tuples(tuples) = input {
            let layout = layout.unwrap_or(&NO_NAMES);
            return Ok(Val::Tuples(self.filter_tuples(predicate, tuples, frame, layout)?));
        }
        let own;
        let frame = match layout {
            // The names are in a frame of their own, also where there are none.
            Some(layout) => {
                own = self.tuple_frame(None, layout, frame)?;
                &own
            }
            None => frame,
        };
        let items = Items::from(input);
        if let Node::Number(n) = predicate {
            let at = place(*n, items.len());
            let found = if at >= 0.0 && at < items.len() as f64 { items.get(at as usize) } else { Val::Undefined };
            return match found {
                Val::Undefined => self.build().finish(SEQUENCE),
                found if found.is_array() => Ok(found),
                found => Seq::one(&self.budget, found, SEQUENCE),
            };
        }
        let mut build = self.build();
        for index in 0..items.len() {
            let item = items.get(index);
            let verdict = self.eval(predicate, &item, frame)?;
            match self.times(&verdict, index, items.len())? {
                0 => {}
                1 => build.push(item)?,
                times => (0..times).try_for_each(|_| build.push(item.clone()))?,
            }
        }
        build.finish(SEQUENCE)
    }

    /// How often a predicate that gave `verdict` takes the item at `index` of `count`.
    fn times(&self, verdict: &Val, index: usize, count: usize) -> Result<usize, Fail> {
        match verdict {
            Val::Bool(b) => return Ok(usize::from(*b)),
            Val::Number(_) | Val::Exact(_) => {
                if let Some(n) = operators::numeric(verdict)? {
                    return Ok(usize::from(place(n, count) == index as f64));
                }
            }
            _ => {}
        }
        if let Some(list) = verdict.list() {
            self.spend(list.len())?;
            let mut times = 0;
            let mut all = true;
            for item in list.iter() {
                match operators::numeric(&item)? {
                    Some(n) => times += usize::from(place(n, count) == index as f64),
                    None => all = false,
                }
            }
            if all {
                return Ok(times);
            }
        }
        Ok(usize::from(truth(self, verdict)?))
    }

    pub(super) fn filter_tuples(
        &self,
        predicate: &Node,
        tuples: &Tuples,
        frame: &Env,
        layout: &TupleFrame,
    ) -> Result<Rc<Tuples>, Fail> {
        let mut kept = Tuples::new(self, tuples.stream);
        let count = tuples.list.len();
        if let Node::Number(n) = predicate {
            let at = place(*n, count);
            if at >= 0.0
                && let Some(tuple) = tuples.list.get(at as usize)
            {
                kept.share(tuple)?;
            }
            return Ok(Rc::new(kept));
        }
        let records = if tuples.stream { None } else { Some(tuples.records(self)?) };
        for (index, tuple) in tuples.list.iter().enumerate() {
            let blank = Tuple { item: Val::Undefined, names: Vec::new() };
            let (context, named) = match &records {
                Some(records) => (records.list().and_then(|list| list.get(index)).unwrap_or_default(), &blank),
                None => (tuple.item.clone(), &**tuple),
            };
            let own = self.tuple_frame(Some(named), layout, frame)?;
            let verdict = self.eval(predicate, &context, &own)?;
            for _ in 0..self.times(&verdict, index, count)? {
                kept.share(tuple)?;
            }
        }
        Ok(Rc::new(kept))
    }
}

static NO_NAMES: TupleFrame = TupleFrame { labels: Vec::new(), slots: 0 };
