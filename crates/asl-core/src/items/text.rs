//! A file that is read piece by piece: the part of its text that is at hand.

use super::failed;
use crate::event::Failure;
use std::io::{self, BufRead, Read};

/// How much is read at a time, in bytes.
const PIECE_BYTES: usize = 64 << 10;
/// The longest row, line or item of a file, in bytes.
pub(super) const MAX_ITEM_BYTES: usize = 8 << 20;

/// Decoded text from `at` on, and where more of it comes from.
pub(super) struct Text<'r> {
    source: &'r mut dyn BufRead,
    text: String,
    at: usize,
    /// The beginning of a character that was cut by the end of a piece.
    cut: Vec<u8>,
    at_end: bool,
}

impl<'r> Text<'r> {
    /// Reads the first piece; a byte order mark is passed over.
    pub(super) fn new(source: &'r mut dyn BufRead) -> Result<Text<'r>, Failure> {
        let mut text = Text { source, text: String::new(), at: 0, cut: Vec::new(), at_end: false };
        text.read_more()?;
        if text.rest().starts_with('\u{feff}') {
            text.pass('\u{feff}'.len_utf8());
        }
        Ok(text)
    }

    /// What is at hand.
    pub(super) fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// True when there is nothing behind what is at hand.
    pub(super) fn is_all(&self) -> bool {
        self.at_end
    }

    /// Goes on behind the first `bytes` of what is at hand.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.at += bytes;
        if self.at > PIECE_BYTES && self.at > self.text.len() / 2 {
            self.text.drain(..self.at);
            self.at = 0;
        }
    }

    /// Reads on, at least doubling what is at hand. `what` is what has no end yet.
    pub(super) fn read_on(&mut self, what: &str) -> Result<(), Failure> {
        if self.rest().len() > MAX_ITEM_BYTES {
            return Err(failed(format!("A {what} of the file is longer than {} MB", MAX_ITEM_BYTES >> 20)));
        }
        self.read_more()
    }

    /// Reads until so many bytes are at hand, or all.
    pub(super) fn gather(&mut self, bytes: usize) -> Result<(), Failure> {
        while !self.at_end && self.rest().len() < bytes {
            self.read_more()?;
        }
        Ok(())
    }

    fn read_more(&mut self) -> Result<(), Failure> {
        let wanted = PIECE_BYTES.max(self.rest().len());
        let mut bytes = std::mem::take(&mut self.cut);
        let before = bytes.len();
        let read = (&mut *self.source).take(wanted as u64).read_to_end(&mut bytes);
        read.map_err(|e: io::Error| failed(format!("The file cannot be read: {e}")))?;
        self.at_end = bytes.len() - before < wanted;
        match std::str::from_utf8(&bytes) {
            Ok(text) => self.text.push_str(text),
            Err(e) if e.error_len().is_none() && !self.at_end => {
                self.cut = bytes.split_off(e.valid_up_to());
                self.text.push_str(&String::from_utf8_lossy(&bytes));
            }
            Err(e) => return Err(failed(format!("The file is not UTF-8: {e}"))),
        }
        Ok(())
    }
}
