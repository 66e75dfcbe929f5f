//! Ordering: a merge sort that compares in the order the reference does, so that what a comparison raises is the same.

use super::tuple::Tuples;
use super::{Answer, Env, Run, utf16_order};
use crate::jsonata::ast::Op;
use crate::jsonata::messages::{Fail, coded};
use crate::jsonata::program::{Path, Term};
use crate::jsonata::value::{Build, Val};
use std::cmp::Ordering;
use std::rc::Rc;

/// The values of the terms of each item, where they were asked for.
struct Keys<F> {
    found: Vec<Option<Val>>,
    terms: usize,
    ask: F,
}

impl<F: FnMut(usize, usize) -> Answer> Keys<F> {
    fn get(&mut self, item: usize, term: usize) -> Answer {
        let at = item * self.terms + term;
        if let Some(known) = &self.found[at] {
            return Ok(known.clone());
        }
        let found = (self.ask)(item, term)?;
        self.found[at] = Some(found.clone());
        Ok(found)
    }
}

/// The order of a number, above its place. NaN has none.
fn rank(n: f64, place: usize, descending: bool) -> Option<u128> {
    if n.is_nan() {
        return None;
    }
    // 0 and -0 are equal. The bits of doubles are in their order, but for the sign: negative ones run backwards.
    let bits = (n + 0.0).to_bits();
    let order = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    let order = if descending { !order } else { order };
    Some(u128::from(order) << 64 | u128::from(u32::try_from(place).ok()?))
}

impl Run<'_> {
    /// The places of `count` items in order; `after` tells whether the first comes after the second.
    pub(in crate::jsonata) fn sorted(
        &self,
        count: usize,
        after: &mut dyn FnMut(usize, usize) -> Result<bool, Fail>,
    ) -> Result<Vec<usize>, Fail> {
        self.budget.length(count)?;
        // Two lists of places, for as long as it takes.
        let charge = crate::jsonata::budget::Charge::new(&self.budget);
        charge.add(count * 2 * size_of::<usize>())?;
        let mut places: Vec<usize> = (0..count).collect();
        let mut scratch = places.clone();
        self.merge_sort(&mut places, &mut scratch, after)?;
        Ok(places)
    }

    /// As [`Run::sorted`], of values that a comparison of two values of each decides: `op` between the first and the second.
    /// What it raises is raised in the same order.
    pub(in crate::jsonata) fn sorted_by(&self, op: Op, keys: &[Val]) -> Result<Vec<usize>, Fail> {
        let descending = op == Op::Less;
        let ranks = keys.iter().enumerate().map(|(place, key)| rank(key.as_f64()?, place, descending));
        let ranks: Option<Vec<u128>> = if matches!(op, Op::Greater | Op::Less) { ranks.collect() } else { None };
        match ranks {
            // Nothing can be raised, and equal ones stay as they are: each place is ranked by its number.
            Some(mut ranks) => {
                self.budget.length(keys.len())?;
                self.spend(keys.len().saturating_mul(4))?;
                ranks.sort_unstable();
                Ok(ranks.into_iter().map(|rank| rank as u32 as usize).collect())
            }
            _ => self.sorted(keys.len(), &mut |a, b| {
                self.spend(8)?;
                Ok(matches!(self.compare(op, &keys[a], &keys[b])?, Val::Bool(true)))
            }),
        }
    }

    fn merge_sort(
        &self,
        places: &mut [usize],
        scratch: &mut [usize],
        after: &mut dyn FnMut(usize, usize) -> Result<bool, Fail>,
    ) -> Result<(), Fail> {
        if places.len() < 2 {
            return Ok(());
        }
        let middle = places.len() / 2;
        self.merge_sort(&mut places[..middle], &mut scratch[..middle], after)?;
        self.merge_sort(&mut places[middle..], &mut scratch[middle..], after)?;
        self.spend(places.len())?;
        let (mut left, mut right) = (0, middle);
        for place in scratch.iter_mut() {
            let from_right = match (left < middle, right < places.len()) {
                (true, true) => after(places[left], places[right])?,
                (has_left, _) => !has_left,
            };
            let from = if from_right { &mut right } else { &mut left };
            *place = places[*from];
            *from += 1;
        }
        places.copy_from_slice(scratch);
        Ok(())
    }

    /// `^(...)` over the items of an array.
    pub(super) fn order_by(&self, terms: &[Term], input: &Val, frame: &Env) -> Answer {
        let Some(list) = input.list().filter(|list| list.len() > 1) else { return Ok(input.clone()) };
        let count = list.len();
        let places = self.order(terms, count, |item, term| {
            let item = list.get(item).unwrap_or_default();
            self.eval(&terms[term].node, &item, frame)
        })?;
        self.taken(input, &places)
    }

    /// The items of an array in the order of `places`, which has each once.
    pub(in crate::jsonata) fn taken(&self, input: &Val, places: &[usize]) -> Answer {
        Build::reordered(&self.budget, input, places)
    }

    pub(super) fn order_tuples(
        &self,
        terms: &[Term],
        tuples: &Rc<Tuples>,
        path: &Path,
        frame: &Env,
    ) -> Result<Rc<Tuples>, Fail> {
        if tuples.list.len() < 2 {
            return Ok(Rc::clone(tuples));
        }
        let records = if tuples.stream { None } else { Some(tuples.records(self)?) };
        let places = self.order(terms, tuples.list.len(), |item, term| match &records {
            None => {
                let tuple = &tuples.list[item];
                let own = self.tuple_frame(Some(tuple), &path.frame, frame)?;
                self.eval(&terms[term].node, &tuple.item, &own)
            }
            Some(records) => {
                let own = self.tuple_frame(None, &path.frame, frame)?;
                let item = records.list().and_then(|list| list.get(item)).unwrap_or_default();
                self.eval(&terms[term].node, &item, &own)
            }
        })?;
        let mut sorted = Tuples::new(self, false);
        places.iter().try_for_each(|place| sorted.share(&tuples.list[*place]))?;
        Ok(Rc::new(sorted))
    }

    fn order(&self, terms: &[Term], count: usize, ask: impl FnMut(usize, usize) -> Answer) -> Result<Vec<usize>, Fail> {
        self.budget.length(count.saturating_mul(terms.len()))?;
        let charge = crate::jsonata::budget::Charge::new(&self.budget);
        charge.add(count * terms.len() * size_of::<Val>())?;
        let mut keys = Keys { found: vec![None; count * terms.len()], terms: terms.len(), ask };
        self.sorted(count, &mut |a, b| {
            for (index, term) in terms.iter().enumerate() {
                let (a, b) = (keys.get(a, index)?, keys.get(b, index)?);
                // What is undefined is last, in either direction.
                match (a.is_undefined(), b.is_undefined()) {
                    (true, true) => continue,
                    (false, false) => {}
                    (after, _) => return Ok(after),
                }
                match self.order_values(&a, &b)? {
                    Ordering::Equal => {}
                    order => return Ok((order == Ordering::Less) == term.descending),
                }
            }
            Ok(false)
        })
    }

    /// The order of two values of a term.
    fn order_values(&self, a: &Val, b: &Val) -> Result<Ordering, Fail> {
        let ordered = |value: &Val| matches!(value, Val::String(_)) || value.as_f64().is_some();
        match (a, b) {
            (Val::Number(a), Val::Number(b)) => Ok(a.partial_cmp(b).unwrap_or(Ordering::Greater)),
            (Val::String(a), Val::String(b)) => {
                self.spend(1 + a.len().min(b.len()) / 8)?;
                Ok(utf16_order(a, b))
            }
            (a, b) if !ordered(a) || !ordered(b) => coded("T2008").value(if ordered(a) { b } else { a }).raise(),
            _ => match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => Ok(a.partial_cmp(&b).unwrap_or(Ordering::Greater)),
                _ => coded("T2007").value(a).value2(b).raise(),
            },
        }
    }
}
