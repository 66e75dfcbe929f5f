//! Objects, and groupings: `{key: value}` over items.

use super::path::Items;
use super::tuple::{Tuple, Tuples};
use super::{Answer, Env, Run};
use crate::jsonata::messages::{Fail, coded};
use crate::jsonata::program::{Group, Node, TupleFrame};
use crate::jsonata::value::{Build, PLAIN, Val};
use asl_value::Key;
use std::collections::HashMap;
use std::rc::Rc;

/// The items of one key.
struct Entry {
    key: Key,
    pair: usize,
    /// The places of the items.
    items: Vec<usize>,
}

/// The keys so far, and where each is.
#[derive(Default)]
struct Entries {
    list: Vec<Entry>,
    places: HashMap<Key, usize>,
}

impl Run<'_> {
    /// An object with literal keys. Without an array as the context there is one item, and nothing to group.
    pub(super) fn members(&self, members: &[(Key, Node)], input: &Val, frame: &Env) -> Answer {
        let all;
        let input = match input.list() {
            // All items are in one group.
            Some(list) if list.len() != 1 => {
                all = self.together(&Items::Of(input.clone()), (0..list.len()).collect())?;
                &all
            }
            Some(list) => {
                all = list.get(0).unwrap_or_default();
                &all
            }
            None => input,
        };
        let mut record = self.record(members.len())?;
        for (key, node) in members {
            let value = self.eval(node, input, frame)?;
            if !value.is_undefined() {
                record.push(Key::clone(key), value)?;
            }
        }
        record.finish()
    }

    /// Groups `input` by the keys of its items, and gives each group its value.
    pub(super) fn group(&self, group: &Group, input: &Val, frame: &Env, layout: Option<&TupleFrame>) -> Answer {
        match (input, layout) {
            (Val::Tuples(tuples), Some(layout)) if tuples.stream => self.group_tuples(group, tuples, frame, layout),
            (Val::Tuples(tuples), Some(layout)) => {
                let frame = self.tuple_frame(None, layout, frame)?;
                self.group_items(group, &tuples.records(self)?, &frame)
            }
            (Val::Tuples(tuples), None) => self.group_items(group, &tuples.items(self)?, frame),
            // The names of a path are in a frame of its own, also where its items have lost theirs.
            (input, Some(layout)) => {
                let frame = self.tuple_frame(None, layout, frame)?;
                self.group_items(group, input, &frame)
            }
            (input, None) => self.group_items(group, input, frame),
        }
    }

    fn group_items(&self, group: &Group, input: &Val, frame: &Env) -> Answer {
        let items = match Items::from(input) {
            items if items.len() == 0 => Items::One(Val::Undefined),
            items => items,
        };
        let mut entries = Entries::default();
        for index in 0..items.len() {
            let item = items.get(index);
            for (pair, (key, _)) in group.pairs.iter().enumerate() {
                let key = self.eval(key, &item, frame)?;
                self.enter(&mut entries, key, pair, index)?;
            }
        }
        let mut record = self.record(entries.list.len())?;
        for entry in entries.list {
            let context = self.together(&items, entry.items)?;
            let value = self.eval(&group.pairs[entry.pair].1, &context, frame)?;
            if !value.is_undefined() {
                record.insert(entry.key, value)?;
            }
        }
        record.finish()
    }

    /// Notes that the item at `index` has a key.
    fn enter(&self, entries: &mut Entries, key: Val, pair: usize, index: usize) -> Result<(), Fail> {
        self.spend(4)?;
        let key = match key {
            Val::Undefined => return Ok(()),
            Val::String(key) => key,
            other => return coded("T1003").value(&other).raise(),
        };
        match entries.places.get(&key) {
            Some(&place) => {
                let entry = &mut entries.list[place];
                if entry.pair != pair {
                    return coded("D1009").value(&Val::String(key)).raise();
                }
                entry.items.push(index);
            }
            None => {
                self.budget.length(entries.list.len() + 1)?;
                entries.places.insert(Key::clone(&key), entries.list.len());
                entries.list.push(Entry { key, pair, items: vec![index] });
            }
        }
        Ok(())
    }

    /// One item as it is; several in one array, those that are arrays with their items.
    fn together(&self, items: &Items, places: Vec<usize>) -> Answer {
        if let [place] = places[..] {
            return Ok(items.get(place));
        }
        let mut build = self.build();
        let mut count = 0;
        let mut first = Val::Undefined;
        for place in places {
            let item = items.get(place);
            if !item.is_undefined() {
                if count == 0 {
                    first = item.clone();
                }
                count += 1;
                build.concat(&item)?;
            }
        }
        // What nothing was appended to is as it was.
        if count < 2 { Ok(first) } else { build.finish(PLAIN) }
    }

    fn group_tuples(&self, group: &Group, tuples: &Tuples, frame: &Env, layout: &TupleFrame) -> Answer {
        let mut entries = Entries::default();
        let blank = [Rc::new(Tuple { item: Val::Undefined, names: Vec::new() })];
        let list = if tuples.list.is_empty() { &blank[..] } else { &tuples.list[..] };
        for (index, tuple) in list.iter().enumerate() {
            let own = self.tuple_frame(Some(tuple), layout, frame)?;
            for (pair, (key, _)) in group.pairs.iter().enumerate() {
                let key = self.eval(key, &tuple.item, &own)?;
                self.enter(&mut entries, key, pair, index)?;
            }
        }
        let mut record = self.record(entries.list.len())?;
        for entry in entries.list {
            let merged = self.merged(list, &entry.items)?;
            let own = self.tuple_frame(Some(&merged), layout, frame)?;
            let value = self.eval(&group.pairs[entry.pair].1, &merged.item, &own)?;
            if !value.is_undefined() {
                record.insert(entry.key, value)?;
            }
        }
        record.finish()
    }

    /// The tuples of one group as one: each name has the values of all.
    fn merged(&self, list: &[Rc<Tuple>], places: &[usize]) -> Result<Tuple, Fail> {
        if let [place] = places {
            return Ok(Tuple::clone(&list[*place]));
        }
        let mut labels: Vec<usize> = Vec::new();
        for place in places {
            for (label, _) in &list[*place].names {
                if !labels.contains(label) {
                    labels.push(*label);
                }
            }
        }
        self.spend(places.len() * (labels.len() + 1))?;
        let gather = |of: &dyn Fn(&Tuple) -> Val| -> Answer {
            let mut build: Option<Build> = None;
            let mut first = Val::Undefined;
            for place in places {
                match of(&list[*place]) {
                    Val::Undefined => {}
                    value if first.is_undefined() => first = value,
                    value => {
                        let build = match &mut build {
                            Some(build) => build,
                            none => {
                                let new = none.insert(self.build());
                                new.concat(&first)?;
                                new
                            }
                        };
                        build.concat(&value)?;
                    }
                }
            }
            build.map_or(Ok(first), |build| build.finish(PLAIN))
        };
        let item = gather(&|tuple| tuple.item.clone())?;
        let mut names = Vec::with_capacity(labels.len());
        for label in labels {
            let named = |tuple: &Tuple| {
                tuple.names.iter().find(|(known, _)| *known == label).map_or(Val::Undefined, |(_, value)| value.clone())
            };
            names.push((label, gather(&named)?));
        }
        Ok(Tuple { item, names })
    }
}
