//! The measure of an array or an object, remembered until it changes.

use crate::value::Measure;
use std::sync::atomic::{AtomicU64, Ordering};

/// A measure in one word: 48 bits of bytes, 16 of depth. 0 is «not known», for no array or object has 0 bytes.
/// A document that goes from state to state is measured in each, and most of it never changes.
#[derive(Debug, Default)]
pub(crate) struct Memo(AtomicU64);

impl Memo {
    /// What is remembered.
    pub(crate) fn get(&self) -> Option<Measure> {
        // Whoever sees 0 where another thread has just measured measures again and finds the same.
        let word = self.0.load(Ordering::Relaxed);
        (word != 0).then_some(Measure { bytes: (word >> 16) as usize, depth: (word & 0xffff) as usize })
    }

    /// Remembers a measure; of one that is beyond [`Measure::MOST`], that it is.
    pub(crate) fn set(&self, measure: Measure) {
        let (bytes, depth) = (measure.bytes.min(Measure::MOST.bytes), measure.depth.min(Measure::MOST.depth));
        self.0.store(((bytes as u64) << 16) | depth as u64, Ordering::Relaxed);
    }

    /// To be called whenever something may change.
    pub(crate) fn forget(&mut self) {
        *self.0.get_mut() = 0;
    }
}

impl Clone for Memo {
    fn clone(&self) -> Memo {
        Memo(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}
