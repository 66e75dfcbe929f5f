//! Task tokens: what answers a `.waitForTaskToken` task or an activity.
//!
//! A token names its execution and its task, so that an answer finds them, and holds a code that only the execution's
//! [`TokenKey`] makes (HMAC-SHA256, RFC 2104, cut to 128 bits). Nothing that a definition, a function or a log sees is drawn
//! from that key: request ids, `States.UUID`, `$random` and jitter come from the seed, which they give away.
//! Executions that were started before there were keys have tokens drawn from their seed, as they had.

use crate::context::draw;
use crate::input::{Execution, TaskId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};
use std::sync::Arc;

/// The bytes of a block of SHA-256, as HMAC counts them.
const BLOCK: usize = 64;
/// How many bytes of the code a token shows: 128 bits.
const SHOWN: usize = 16;
/// With what a token that a key made begins; those drawn from a seed begin with a hexadecimal digit.
const KEYED: char = 'k';

/// The secret of an execution from which its task tokens are made: 256 bits, fixed when it starts. It is part of the recorded
/// start, so that a replay makes the same tokens, and of nothing that is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// A key of these bytes, which nobody else may be able to guess.
    pub fn new(bytes: [u8; 32]) -> TokenKey {
        TokenKey(bytes)
    }

    /// Its bytes, for those who store it.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of a child of this execution, which follows from the child's ARN.
    pub(crate) fn of_child(&self, arn: &str) -> TokenKey {
        TokenKey(self.code(&[b"asl child\0", arn.as_bytes()]))
    }

    /// The token of a task of the execution with this ARN and this key.
    pub fn token(&self, arn: &str, task: TaskId) -> Arc<str> {
        let code = self.code(&[b"asl task token\0", &task.0.to_be_bytes(), arn.as_bytes()]);
        let mut token = String::with_capacity(40 + 2 * arn.len());
        token.push(KEYED);
        hex(&mut token, &code[..SHOWN]);
        finish(token, arn, task)
    }

    /// HMAC-SHA256 of all parts, one behind the other.
    fn code(&self, parts: &[&[u8]]) -> [u8; 32] {
        let pad = |with: u8| {
            let mut block = [with; BLOCK];
            block.iter_mut().zip(self.0).for_each(|(byte, key)| *byte ^= key);
            Sha256::new_with_prefix(block)
        };
        let inner = parts.iter().fold(pad(0x36), |hash, part| hash.chain_update(part)).finalize();
        pad(0x5c).chain_update(inner).finalize().into()
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

impl Serialize for TokenKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(64);
        hex(&mut text, &self.0);
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for TokenKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TokenKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        let key = unhex(&text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        key.map(TokenKey).ok_or_else(|| de::Error::custom("the key of task tokens is not 64 hexadecimal digits"))
    }
}

/// The token of a task of this execution.
pub fn task_token(execution: &Execution, task: TaskId) -> Arc<str> {
    if let Some(key) = &execution.token_key {
        return key.token(&execution.arn, task);
    }
    let secret = draw(execution.seed, task.0, u64::MAX);
    finish(format!("{secret:016x}"), &execution.arn, task)
}

/// The task, and the execution's ARN.
fn finish(mut token: String, arn: &str, task: TaskId) -> Arc<str> {
    // Writing into a String cannot fail.
    let _ = write!(token, "{:x}g", task.0);
    hex(&mut token, arn.as_bytes());
    token.into()
}

/// The execution's ARN and the task that a token names; `None` for a text that is no token. Whether it is genuine only
/// [`task_token`] of that execution can tell.
pub fn read_task_token(token: &str) -> Option<(String, TaskId)> {
    let (head, arn) = token.split_once('g')?;
    let task = match head.strip_prefix(KEYED) {
        Some(head) => head.get(2 * SHOWN..)?,
        None => head.get(16..)?,
    };
    let task = u64::from_str_radix(task, 16).ok()?;
    Some((String::from_utf8(unhex(arn)?).ok()?, TaskId(task)))
}

/// Whether two tokens are the same text. How long that takes does not tell where they differ.
pub fn same_token(one: &str, other: &str) -> bool {
    let differs = one.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differs) == 0
}

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_4231() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        // HMAC fills a shorter key up with zeros, so that these are the same key.
        let mut code = String::new();
        hex(&mut code, &TokenKey(key).code(&[b"Hi ", b"There"]));
        assert_eq!(code, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let mut code = String::new();
        hex(&mut code, &TokenKey(key).code(&[b"what do ya want ", b"for nothing?"]));
        assert_eq!(code, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn a_token_says_whose_it_is_and_not_its_key() {
        let arn = "arn:aws:states:us-east-1:000000000000:execution:m:é";
        let key = TokenKey::new([7; 32]);
        let token = key.token(arn, TaskId(u64::MAX));
        assert_eq!(read_task_token(&token), Some((arn.to_owned(), TaskId(u64::MAX))));
        assert!(!token.contains("0707"), "{token}");
        assert_eq!(format!("{key:?}"), "TokenKey(..)");
        for other in [key.token(arn, TaskId(1)), key.of_child(arn).token(arn, TaskId(u64::MAX))] {
            assert!(!same_token(&token, &other));
            assert_ne!(token[..33], other[..33]);
        }
        assert!(same_token(&token, &token.clone()) && !same_token(&token, &token[1..]) && !same_token("", &token));
        for bad in ["", "g", "kg", "k0g", "zz", "0123456789abcdefg6", "k00000000000000000000000000000000g6é6", "é"] {
            assert_eq!(read_task_token(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_is_read_back_as_it_was_written() {
        let key = TokenKey::new(std::array::from_fn(|n| n as u8));
        let mut text = String::new();
        hex(&mut text, key.bytes());
        let read = |text: &str| TokenKey::deserialize(de::value::StrDeserializer::<de::value::Error>::new(text));
        assert_eq!(read(&text).unwrap(), key);
        for bad in ["", "00", &"g".repeat(64), &"0".repeat(66), &"é".repeat(32)] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
