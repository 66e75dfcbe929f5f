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
    recent: Vec<Recent>,
    recent_bytes: usize,
}

#[derive(Clone, Debug)]
struct Recent {
    value: Value,
    number: u64,
    /// The length of its text, and what the text adds up to if it is small.
    bytes: usize,
    sum: u32,
}

impl Numbering {
    /// An execution that goes on with these numbers. Its earlier payloads are forgotten: they are stored again when they
    /// come again.
    pub(crate) fn at(next: u64, next_event: u64) -> Numbering {
        Numbering { next, next_event, recent: Vec::new(), recent_bytes: 0 }
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
        self.next += 1;
        self.next - 1
    }

    /// The number of a payload: that of the same one seen lately, or a new one, whose text is appended to the list `out`.
    pub(crate) fn number(&mut self, value: &Value, out: &mut String) -> u64 {
        if let Some(at) = self.recent.iter().rposition(|recent| recent.value.same_node(value)) {
            return self.touch(at);
        }
        let before = out.len();
        comma(out);
        let from = out.len();
        value.write_to(out);
        let text = &out[from..];
        let (bytes, sum) = (text.len(), sum(text));
        let same_text = |recent: &Recent| (recent.bytes, recent.sum) == (bytes, sum) && recent.value.has_text(text);
        if bytes <= SMALL
            && let Some(at) = self.recent.iter().rposition(same_text)
        {
            out.truncate(before);
            return self.touch(at);
        }
        self.remember(value, bytes, sum)
    }

    /// Gives a new number to a payload with this text, which is appended to the list `out`.
    pub(crate) fn add(&mut self, value: &Value, text: &str, out: &mut String) -> u64 {
        comma(out);
        out.push_str(text);
        self.remember(value, text.len(), sum(text))
    }

    fn remember(&mut self, value: &Value, bytes: usize, sum: u32) -> u64 {
        let number = self.next;
        self.next += 1;
        self.recent_bytes += bytes;
        self.recent.push(Recent { value: value.clone(), number, bytes, sum });
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

fn comma(out: &mut String) {
    if !out.ends_with('[') {
        out.push(',');
    }
}

/// Different for most different texts that are small; of others nobody asks.
fn sum(text: &str) -> u32 {
    if text.len() <= SMALL { crc32fast::hash(text.as_bytes()) } else { 0 }
}
