//! What an evaluation has used up: work, memory, depth. Everything is paid for where it is done, before it is done.

use super::Bounds;
use super::messages::Fail;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};

/// How many times the bound on memory the values of an evaluation may take in this process: 8 bytes of AWS's count are a
/// number here of 24.
const ROOM: usize = 4;
/// Strings that are shorter are paid for by the arrays and objects that hold them, and by the frames.
const LONG: usize = 1024;

/// The account of one evaluation.
pub(super) struct Budget {
    pub(super) bounds: Bounds,
    work: Cell<usize>,
    held: Cell<usize>,
    /// The most that may be held.
    most: usize,
    depth: Cell<usize>,
    /// Calls in the place of another that have not returned: they take stack, and no depth of AWS's count.
    calls: Cell<usize>,
    /// Long strings that were built, and how many bytes since the dead ones were swept out.
    strings: RefCell<Vec<Weak<str>>>,
    unswept: Cell<usize>,
}

impl Budget {
    pub(super) fn new(bounds: &Bounds) -> Budget {
        Budget {
            bounds: *bounds,
            work: Cell::new(bounds.work),
            held: Cell::new(0),
            most: bounds.memory.saturating_mul(ROOM),
            depth: Cell::new(0),
            calls: Cell::new(0),
            strings: RefCell::default(),
            unswept: Cell::new(0),
        }
    }

    /// How much work has been done.
    pub(super) fn spent(&self) -> usize {
        self.bounds.work - self.work.get()
    }

    /// Pays for work.
    ///
    /// # Errors
    /// The bound on work.
    #[inline]
    pub(super) fn spend(&self, work: usize) -> Result<(), Fail> {
        match self.work.get().checked_sub(work) {
            Some(left) => {
                self.work.set(left);
                Ok(())
            }
            None => {
                self.work.set(0);
                Err(Fail::Timeout)
            }
        }
    }

    /// Gives back what was paid for work that turned out not to be needed.
    pub(super) fn unspend(&self, work: usize) {
        self.work.set(self.work.get().saturating_add(work).min(self.bounds.work));
    }

    /// One level deeper; to be left again with [`Budget::leave`].
    ///
    /// # Errors
    /// The bound on depth.
    #[inline]
    pub(super) fn enter(&self) -> Result<(), Fail> {
        let depth = self.depth.get() + 1;
        if depth > self.bounds.depth {
            return Err(Fail::Stack);
        }
        self.depth.set(depth);
        Ok(())
    }

    #[inline]
    pub(super) fn leave(&self) {
        self.depth.set(self.depth.get() - 1);
    }

    /// One more call in the place of another; to be returned from with [`Budget::returns`]. A function of the language that calls
    /// back from there nests, however often its caller has been left.
    ///
    /// # Errors
    /// The bound on depth.
    #[inline]
    pub(super) fn calls(&self) -> Result<(), Fail> {
        let calls = self.calls.get() + 1;
        if calls > self.bounds.depth {
            return Err(Fail::Stack);
        }
        self.calls.set(calls);
        Ok(())
    }

    #[inline]
    pub(super) fn returns(&self) {
        self.calls.set(self.calls.get() - 1);
    }

    /// Refuses to nest `levels` more than now.
    #[inline]
    pub(super) fn deepen(&self, levels: usize) -> Result<(), Fail> {
        if self.depth.get() + levels > self.bounds.depth { Err(Fail::Stack) } else { Ok(()) }
    }

    /// Refuses values of more than the bound in bytes.
    #[inline]
    pub(super) fn room(&self, bytes: usize) -> Result<(), Fail> {
        if bytes > self.bounds.memory { Err(Fail::Memory) } else { Ok(()) }
    }

    /// Refuses arrays of more than the bound in items.
    #[inline]
    pub(super) fn length(&self, items: usize) -> Result<(), Fail> {
        if items > self.bounds.items { Err(Fail::Memory) } else { Ok(()) }
    }

    /// Takes room for `bytes`, until they are released.
    #[inline]
    fn hold(&self, bytes: usize) -> Result<(), Fail> {
        let held = self.held.get().saturating_add(bytes);
        if held > self.most {
            return Err(Fail::Memory);
        }
        self.held.set(held);
        Ok(())
    }

    /// Keeps an eye on a string that was built: all that are alive are bounded together.
    ///
    /// # Errors
    /// The bounds on memory and work.
    pub(super) fn built(&self, text: String) -> Result<Arc<str>, Fail> {
        self.room(text.len())?;
        self.spend(text.len() / 16)?;
        let text: Arc<str> = text.into();
        if text.len() >= LONG {
            let mut strings = self.strings.borrow_mut();
            strings.push(Arc::downgrade(&text));
            self.unswept.set(self.unswept.get() + text.len());
            if self.unswept.get() > self.bounds.memory {
                strings.retain(|string| string.strong_count() > 0);
                let alive = strings.iter().filter_map(Weak::upgrade).map(|s| s.len()).sum::<usize>();
                self.unswept.set(0);
                if alive > self.bounds.memory.saturating_mul(2) {
                    return Err(Fail::Memory);
                }
            }
        }
        Ok(text)
    }
}

/// Room that is taken; given back when it is dropped.
pub(super) struct Charge {
    budget: Rc<Budget>,
    bytes: Cell<usize>,
}

impl Charge {
    pub(super) fn new(budget: &Rc<Budget>) -> Charge {
        Charge { budget: Rc::clone(budget), bytes: Cell::new(0) }
    }

    /// Takes room for `bytes` more.
    ///
    /// # Errors
    /// The bound on memory.
    #[inline]
    pub(super) fn add(&self, bytes: usize) -> Result<(), Fail> {
        self.budget.hold(bytes)?;
        self.bytes.set(self.bytes.get() + bytes);
        Ok(())
    }

    pub(super) fn budget(&self) -> &Rc<Budget> {
        &self.budget
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.held.set(self.budget.held.get() - self.bytes.get());
    }
}
