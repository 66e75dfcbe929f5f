//! Frames: the values of names. A function keeps the frame it was made in.

use super::Run;
use crate::jsonata::budget::Charge;
use crate::jsonata::functions::Function;
use crate::jsonata::messages::Fail;
use crate::jsonata::value::Val;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The innermost frame, if there is any.
pub(in crate::jsonata) type Env = Option<Rc<Frame>>;

/// The names of a block, a function or an item, by their slots.
pub(in crate::jsonata) struct Frame {
    slots: RefCell<Vec<Val>>,
    parent: Env,
    /// How deep what it holds nests.
    depth: Cell<usize>,
    /// A function keeps it.
    kept: Cell<bool>,
    charge: Charge,
}

/// What frames may hold may nest so deep: functions in frames of functions.
const DEEPEST: usize = 500;

impl Frame {
    /// A frame whose first slots have `values`.
    ///
    /// # Errors
    /// The bound on memory.
    pub(in crate::jsonata) fn new(
        run: &Run<'_>,
        parent: &Env,
        mut values: Vec<Val>,
        slots: usize,
    ) -> Result<Env, Fail> {
        values.resize(slots, Val::Unset);
        let charge = Charge::new(&run.budget);
        let (mut depth, mut room) = (0, 96 + slots * size_of::<Val>());
        for value in &values {
            depth = depth.max(value.depth() + 1);
            room += value.room();
        }
        charge.add(room)?;
        if depth > DEEPEST {
            return Err(Fail::Memory);
        }
        let frame = Frame {
            slots: RefCell::new(values),
            parent: parent.clone(),
            depth: Cell::new(depth),
            kept: Cell::new(false),
            charge,
        };
        Ok(Some(Rc::new(frame)))
    }

    /// The value of a name `up` frames from here; `None` where it has none yet.
    #[inline]
    pub(in crate::jsonata) fn get(self: &Rc<Frame>, up: usize, slot: usize) -> Option<Val> {
        self.look(up, slot, Val::clone)
    }

    /// What is seen in the value of a name, which is not shared for it.
    #[inline]
    pub(super) fn look<T>(self: &Rc<Frame>, up: usize, slot: usize, see: impl FnOnce(&Val) -> T) -> Option<T> {
        let mut frame = self;
        for _ in 0..up {
            frame = frame.parent.as_ref()?;
        }
        match frame.slots.borrow().get(slot) {
            None | Some(Val::Unset) => None,
            Some(found) => Some(see(found)),
        }
    }

    /// Gives a name a value.
    ///
    /// # Errors
    /// The bound on memory.
    pub(in crate::jsonata) fn set(self: &Rc<Frame>, slot: usize, value: Val) -> Result<(), Fail> {
        self.charge.add(value.room())?;
        let mine = match &value {
            Val::Function(function) => matches!(&**function, Function::Lambda(closure)
                if closure.frame.as_ref().is_some_and(|frame| Rc::ptr_eq(frame, self))),
            _ => false,
        };
        let depth = if mine { self.depth.get() } else { self.depth.get().max(value.depth() + 1) };
        if depth > DEEPEST {
            return Err(Fail::Memory);
        }
        self.depth.set(depth);
        if let Some(place) = self.slots.borrow_mut().get_mut(slot) {
            *place = value;
        }
        Ok(())
    }

    pub(in crate::jsonata) fn depth(&self) -> usize {
        self.depth.get()
    }

    /// Forgets all values, which may refer to the frame itself.
    pub(super) fn clear(&self) {
        let values = std::mem::take(&mut *self.slots.borrow_mut());
        drop(values);
    }
}

impl Run<'_> {
    /// Notes that a function keeps `frame`: it may come to hold that function.
    pub(in crate::jsonata) fn keep(&self, frame: &Env) {
        let Some(frame) = frame else { return };
        if !frame.kept.replace(true) {
            let mut kept = self.kept.borrow_mut();
            if kept.len() == kept.capacity() {
                kept.retain(|frame| frame.strong_count() > 0);
            }
            kept.push(Rc::downgrade(frame));
        }
    }
}
