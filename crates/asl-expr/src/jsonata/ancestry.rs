//! What `%` means: each one is a slot that looks for the step its item was taken from, from right to left.

use super::ast::{Expr, Kind};
use super::lexer::Mistake;

/// The slots of an expression.
#[derive(Default)]
pub(super) struct Ancestry {
    slots: Vec<Slot>,
}

struct Slot {
    /// The name under which the ancestor is carried; steps that two slots mean have one.
    label: usize,
    /// How many steps are still to be climbed.
    level: usize,
}

impl Ancestry {
    /// The slot of another `%`.
    pub(super) fn parent(&mut self) -> usize {
        self.slots.push(Slot { label: self.slots.len(), level: 1 });
        self.slots.len() - 1
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The label of each slot.
    pub(super) fn labels(self) -> Vec<usize> {
        self.slots.into_iter().map(|slot| slot.label).collect()
    }

    /// Hands what `part` still seeks up to `whole`.
    pub(super) fn push(&mut self, whole: &mut Expr, part: &Expr) {
        whole.seeking.extend(&part.seeking);
        if let Kind::Parent(slot) = part.kind {
            whole.seeking.push(slot);
        }
    }

    /// A predicate that seeks: the step before it is one level up.
    ///
    /// # Errors
    /// S0217 where there can be no ancestor.
    pub(super) fn predicate(&mut self, step: &mut Expr, predicate: &Expr) -> Result<(), Mistake> {
        for &slot in &predicate.seeking {
            if self.slots[slot].level == 1 {
                self.seek(step, slot)?;
            } else {
                self.slots[slot].level -= 1;
            }
        }
        self.push(step, predicate);
        Ok(())
    }

    /// Looks for what the last step of `path` seeks among the steps before it.
    ///
    /// # Errors
    /// S0217 where there can be no ancestor.
    pub(super) fn resolve(&mut self, path: &mut Expr) -> Result<(), Mistake> {
        let Kind::Path { steps, .. } = &mut path.kind else { return Ok(()) };
        let Some((last, before)) = steps.split_last_mut() else { return Ok(()) };
        if let Kind::Parent(slot) = last.kind {
            last.seeking.push(slot);
        }
        for &slot in &last.seeking {
            let mut left = before.len();
            while self.slots[slot].level > 0 {
                if left == 0 {
                    path.seeking.push(slot);
                    break;
                }
                left -= 1;
                // Of steps that only give names to the same context, the first counts.
                while left > 0 && before[left].focus.is_some() && before[left - 1].focus.is_some() {
                    left -= 1;
                }
                self.seek(&mut before[left], slot)?;
            }
        }
        Ok(())
    }

    fn seek(&mut self, step: &mut Expr, slot: usize) -> Result<(), Mistake> {
        match &mut step.kind {
            Kind::Name(_) | Kind::Wildcard => {
                self.slots[slot].level -= 1;
                if self.slots[slot].level == 0 {
                    if let Some(known) = step.ancestor {
                        self.slots[slot].label = self.slots[known].label;
                    }
                    step.ancestor = Some(slot);
                    step.tuple = true;
                }
            }
            Kind::Parent(_) => self.slots[slot].level += 1,
            Kind::Block(parts) => {
                if let Some(last) = parts.last_mut() {
                    step.tuple = true;
                    self.seek(last, slot)?;
                }
            }
            Kind::Path { steps, .. } => {
                step.tuple = true;
                let mut left = steps.len();
                while left > 0 && (left == steps.len() || self.slots[slot].level > 0) {
                    left -= 1;
                    self.seek(&mut steps[left], slot)?;
                }
            }
            _ => return Err(Mistake::new("S0217", step.at)),
        }
        Ok(())
    }
}
