//! `|pattern|update, delete|`: a copy of an object, changed where the pattern says.
//!
//! The copy is a tree of nodes of its own, so that a node tells which place of the tree is meant. What is changed is kept
//! beside the tree, by node, and put in where a part of the tree is looked at.

use super::{Answer, Env, Run};
use crate::jsonata::functions::{Function, signature};
use crate::jsonata::messages::{Fail, coded};
use crate::jsonata::program::Transform;
use crate::jsonata::value::{PLAIN, Record, Val};
use asl_value::Key;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// A transform as a function, with what it was made in.
pub(in crate::jsonata) struct Transformer {
    pub(in crate::jsonata) transform: Arc<Transform>,
    pub(in crate::jsonata) frame: Env,
}

/// What the nodes of a tree have become: their members.
type Edits = HashMap<usize, (Rc<Record>, Vec<(Key, Val)>)>;

impl Run<'_> {
    pub(super) fn transformer(&self, transform: &Arc<Transform>, _input: &Val, frame: &Env) -> Val {
        self.keep(frame);
        Function::Transform(Transformer { transform: Arc::clone(transform), frame: frame.clone() }).into()
    }

    pub(super) fn transform(&self, transformer: &Transformer, args: Vec<Val>, context: &Val) -> Answer {
        let args = signature::TRANSFORM.validate(args, context, &self.budget)?;
        let Some(object) = args.first().filter(|object| !object.is_undefined()) else { return Ok(Val::Undefined) };
        let Transformer { transform, frame } = transformer;
        let rounded = crate::jsonata::functions::collection::cloned(self, object)?;
        let tree = self.tree(&rounded, 0)?;
        let matches = self.eval(&transform.pattern, &tree, frame)?;
        let mut edits = Edits::new();
        for found in matches.list().map_or_else(|| vec![matches.clone()], |list| list.iter().collect()) {
            if !found.is_undefined() {
                self.edit(transform, frame, &found, &mut edits)?;
            }
        }
        self.current(&tree, &edits)
    }

    /// The value as nodes of its own.
    fn tree(&self, value: &Val, depth: usize) -> Answer {
        if depth > asl_value::MAX_DEPTH {
            return Err(Fail::Memory);
        }
        self.spend(2)?;
        if let Some(list) = value.list() {
            let mut build = self.build();
            list.iter().try_for_each(|item| build.push(self.tree(&item, depth + 1)?))?;
            return build.finish(PLAIN);
        }
        if !value.is_object() {
            return Ok(value.clone());
        }
        let mut record = self.record(value.members_len())?;
        value.members().try_for_each(|(key, member)| record.insert(key, self.tree(&member, depth + 1)?))?;
        record.finish()
    }

    /// A part of the tree as it is now.
    fn current(&self, value: &Val, edits: &Edits) -> Answer {
        if edits.is_empty() {
            return Ok(value.clone());
        }
        self.spend(2)?;
        match value {
            Val::Seq(seq) => {
                let mut changed = false;
                let mut build = self.build();
                for item in &seq.items {
                    let now = self.current(item, edits)?;
                    changed |= !now.same(item);
                    build.push(now)?;
                }
                if changed { build.finish(seq.flags) } else { Ok(value.clone()) }
            }
            Val::Record(node) => {
                let edited = edits.get(&address(node));
                let mut changed = edited.is_some();
                let members: Vec<(Key, Val)> = match edited {
                    Some((_, members)) => members.clone(),
                    None => value.members().collect(),
                };
                let mut record = self.record(members.len())?;
                for (key, member) in members {
                    let now = self.current(&member, edits)?;
                    changed |= !now.same(&member);
                    record.insert(key, now)?;
                }
                if changed { record.finish() } else { Ok(value.clone()) }
            }
            other => Ok(other.clone()),
        }
    }

    /// A match as it is now, as a node of its own: what is put into the match may hold it.
    fn snapshot(&self, found: &Val, edits: &Edits) -> Answer {
        let now = self.current(found, edits)?;
        if !now.is_object() || !now.same(found) {
            return Ok(now);
        }
        let mut record = self.record(now.members_len())?;
        now.members().try_for_each(|(key, member)| record.insert(key, member))?;
        record.finish()
    }

    /// Changes one match.
    fn edit(&self, transform: &Transform, frame: &Env, found: &Val, edits: &mut Edits) -> Result<(), Fail> {
        let update = self.eval(&transform.update, &self.snapshot(found, edits)?, frame)?;
        if !update.is_undefined() {
            if !update.is_object() {
                return coded("T2011").value(&update).raise();
            }
            self.spend(update.members_len())?;
            self.members_of(found, edits, |members| {
                for (key, value) in update.members() {
                    match members.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, place)) => *place = value,
                        None => members.push((key, value)),
                    }
                }
            });
        }
        let Some(delete) = &transform.delete else { return Ok(()) };
        let deletions = self.eval(delete, &self.snapshot(found, edits)?, frame)?;
        if deletions.is_undefined() {
            return Ok(());
        }
        let list: Vec<Val> = deletions.list().map_or_else(|| vec![deletions.clone()], |list| list.iter().collect());
        if list.iter().any(|key| key.as_str().is_none()) {
            return coded("T2012").value(&deletions).raise();
        }
        self.spend(list.len())?;
        let gone = |key: &Key| list.iter().any(|name| name.as_str() == Some(&**key));
        self.members_of(found, edits, |members| members.retain(|(key, _)| !gone(key)));
        Ok(())
    }

    fn members_of(&self, found: &Val, edits: &mut Edits, change: impl FnOnce(&mut Vec<(Key, Val)>)) {
        let Val::Record(node) = found else { return };
        let entry = edits.entry(address(node)).or_insert_with(|| (Rc::clone(node), found.members().collect()));
        change(&mut entry.1);
    }
}

/// What tells one node from another, as long as it lives.
fn address(node: &Rc<Record>) -> usize {
    Rc::as_ptr(node).addr()
}
