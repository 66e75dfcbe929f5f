//! The numbering of an execution's records and payloads, and which payloads were seen lately.

use crate::ExecutionId;
use asl_value::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many payloads are remembered, in this version and every earlier one ([`super::codec::Decoder`] relies on it): the document as it went through the last states, in each of a few branches.
pub(crate) const RECENT: usize = 32;
/// How many bytes of text the remembered payloads may have, so that many executions do not hold much. The last one is
/// always remembered.
const RECENT_BYTES: usize = 256 * 1024;
/// Up to this many bytes payloads are found by their text, larger ones only if they are the very same node.
const SMALL: usize = 256;

/// How many executions are remembered with what was seen lately, and how many bytes of payloads of all of them.
const TAILS: usize = 4096;
const TAILS_BYTES: usize = 32 * 1024 * 1024;

/// Where the next record of an execution begins, and the payloads that it may refer to. There is one of a kind: it goes from
/// record to record.
#[derive(Debug)]
pub(crate) struct Numbering {
    /// Which one it is.
    line: u64,
    /// The number that the next record or payload gets.
    next: u64,
    /// The number of the next event.
    pub(crate) next_event: u64,
    recent: Vec<Recent>,
    recent_bytes: usize,
}

/// A place in a numbering: what was encoded at it, and before it, is known by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    line: u64,
    next: u64,
    next_event: u64,
}

impl Mark {
    /// A numbering that goes on there. The earlier payloads are forgotten: they are stored again when they come again.
    pub(crate) fn renumber(self) -> Numbering {
        Numbering::at(self.next, self.next_event)
    }
}

#[derive(Debug)]
struct Recent {
    value: Value,
    number: u64,
    /// The length of its text.
    bytes: usize,
}

impl Numbering {
    /// An execution that goes on with these numbers. Its earlier payloads are forgotten: they are stored again when they
    /// come again.
    pub(crate) fn at(next: u64, next_event: u64) -> Numbering {
        static LINES: AtomicU64 = AtomicU64::new(0);
        let line = LINES.fetch_add(1, Ordering::Relaxed);
        Numbering { line, next, next_event, recent: Vec::new(), recent_bytes: 0 }
    }

    /// A new execution.
    pub(crate) fn start() -> Numbering {
        Numbering::at(1, 1)
    }

    /// Where it is.
    pub(crate) fn mark(&self) -> Mark {
        Mark { line: self.line, next: self.next, next_event: self.next_event }
    }

    /// How many bytes the payloads have that it remembers.
    #[cfg(feature = "postgres")]
    pub(crate) fn bytes(&self) -> usize {
        self.recent_bytes
    }

    /// The number of a new record.
    pub(crate) fn begin_record(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// The number of a payload: that of the same one seen lately, or a new one, whose text is appended to the list `out`.
    pub(crate) fn number(&mut self, value: &Value, out: &mut String) -> u64 {
        let bytes = value.measure().bytes;
        let same_text = |recent: &Recent| bytes <= SMALL && recent.bytes == bytes && recent.value.same_text(value);
        let same = |recent: &Recent| recent.value.same_node(value) || same_text(recent);
        if let Some(at) = self.recent.iter().rposition(same) {
            return self.touch(at);
        }
        comma(out);
        value.write_to(out);
        self.remember(value, bytes)
    }

    /// Gives a new number to a payload with this text, which is appended to the list `out`.
    pub(crate) fn add(&mut self, value: &Value, text: &str, out: &mut String) -> u64 {
        comma(out);
        out.push_str(text);
        self.remember(value, text.len())
    }

    fn remember(&mut self, value: &Value, bytes: usize) -> u64 {
        let number = self.next;
        self.next += 1;
        self.recent_bytes += bytes;
        self.recent.push(Recent { value: value.clone(), number, bytes });
        while self.recent.len() > RECENT || (self.recent.len() > 1 && self.recent_bytes > RECENT_BYTES) {
            self.recent_bytes -= self.recent.remove(0).bytes;
        }
        number
    }

    fn touch(&mut self, at: usize) -> u64 {
        self.recent[at..].rotate_left(1);
        self.recent[self.recent.len() - 1].number
    }
}

/// The numberings of executions between their records. Whoever brings a record takes it, encodes the record on his own
/// processor, and hands it to the writer with the row; the writer puts it back when that is committed.
#[derive(Clone, Default)]
pub(crate) struct Tails(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    tails: HashMap<ExecutionId, Numbering>,
    bytes: usize,
}

impl Tails {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self, execution: ExecutionId) -> Option<Numbering> {
        let mut kept = self.kept();
        let taken = kept.tails.remove(&execution)?;
        kept.bytes -= taken.recent_bytes;
        Some(taken)
    }

    /// Puts many back. When there are too many, some are forgotten: their payloads are stored again when they come again.
    pub(crate) fn put(&self, tails: impl Iterator<Item = (ExecutionId, Numbering)>) {
        let mut kept = self.kept();
        for (execution, tail) in tails {
            kept.bytes += tail.recent_bytes;
            let replaced = kept.tails.insert(execution, tail);
            kept.bytes -= replaced.map_or(0, |tail| tail.recent_bytes);
        }
        if kept.tails.len() > TAILS || kept.bytes > TAILS_BYTES {
            // Every other one: which are idle is not known.
            let mut keep = false;
            kept.tails.retain(|_, _| {
                keep = !keep;
                keep
            });
            kept.bytes = kept.tails.values().map(|tail| tail.recent_bytes).sum();
        }
    }
}

fn comma(out: &mut String) {
    if !out.ends_with('[') {
        out.push(',');
    }
}
