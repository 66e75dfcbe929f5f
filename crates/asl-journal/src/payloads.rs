//! The numbering of an execution's records and payloads, and which payloads were seen lately.

use asl_value::Value;

/// How many payloads are remembered: the document as it went through the last states, in each of a few branches.
const RECENT: usize = 32;
/// How many bytes of text the remembered payloads may have, so that many executions do not hold much. The last one is
/// always remembered.
const RECENT_BYTES: usize = 256 * 1024;
/// Up to this many bytes payloads are also found by their text.
const SMALL: usize = 256;

/// Where the next record of an execution begins.
#[derive(Clone, Debug)]
pub(crate) struct Numbering {
    /// The number that the next record or payload gets.
    next: u64,
    /// The number of the next event.
    pub(crate) next_event: u64,
    /// The payloads of the record being made, as JSON separated by commas.
    fresh: String,
    recent: Vec<Recent>,
    recent_bytes: usize,
}

#[derive(Clone, Debug)]
struct Recent {
    value: Value,
    number: u64,
    bytes: usize,
    /// Its text, if small.
    text: Option<Box<str>>,
}

impl Numbering {
    /// An execution that goes on with these numbers. Its earlier payloads are forgotten: they are stored again when they
    /// come again.
    pub(crate) fn at(next: u64, next_event: u64) -> Numbering {
        Numbering { next, next_event, fresh: String::new(), recent: Vec::new(), recent_bytes: 0 }
    }

    /// A new execution.
    pub(crate) fn start() -> Numbering {
        Numbering::at(1, 1)
    }

    /// How many bytes of text the remembered payloads have.
    pub(crate) fn recent_bytes(&self) -> usize {
        self.recent_bytes
    }

    /// The number of a new record.
    pub(crate) fn begin_record(&mut self) -> u64 {
        self.fresh.clear();
        self.next += 1;
        self.next - 1
    }

    /// Moves the texts of the record's new payloads to `body`.
    pub(crate) fn take_payloads(&mut self, body: &mut String) {
        body.push_str(&self.fresh);
        self.fresh = String::new();
    }

    /// The number of a payload: that of the same one seen lately, or a new one.
    pub(crate) fn number(&mut self, value: &Value) -> u64 {
        if let Some(at) = self.recent.iter().rposition(|recent| recent.value.same_node(value)) {
            return self.touch(at);
        }
        let text = value.to_string();
        let same_text = |recent: &Recent| recent.text.as_deref() == Some(&*text);
        if text.len() <= SMALL
            && let Some(at) = self.recent.iter().rposition(same_text)
        {
            return self.touch(at);
        }
        self.add(value, text)
    }

    /// Gives a new number to a payload with this text.
    pub(crate) fn add(&mut self, value: &Value, text: String) -> u64 {
        if !self.fresh.is_empty() {
            self.fresh.push(',');
        }
        self.fresh.push_str(&text);
        let number = self.next;
        self.next += 1;
        let bytes = text.len();
        let text = (bytes <= SMALL).then(|| text.into_boxed_str());
        self.recent_bytes += bytes;
        self.recent.push(Recent { value: value.clone(), number, bytes, text });
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
