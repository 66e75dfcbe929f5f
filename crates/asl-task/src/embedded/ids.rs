//! Ids that are the same in every replay: hashes of the call's seed, never random.

use md5::{Digest, Md5};
use sha2::Sha256;

/// A UUID (version 4 in form) made of the seed, a label and a number.
pub(crate) fn uuid(seed: u64, label: &str, n: u64) -> String {
    let mut bytes = hash(seed, label, n);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let h = hex(&bytes[..16]);
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}

/// Sixteen hex digits made of the seed, a label and a number.
pub(crate) fn tag(seed: u64, label: &str, n: u64) -> String {
    hex(&hash(seed, label, n)[..8])
}

fn hash(seed: u64, label: &str, n: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(n.to_be_bytes());
    hash.update(label.as_bytes());
    hash.finalize().into()
}

/// The MD5 digest in hex.
pub(crate) fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// The SHA-256 digest in hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
    digits.map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_form_and_depends_on_everything() {
        let a = uuid(1, "x", 0);
        assert_eq!(a.len(), 36);
        assert_eq!(&a[14..15], "4");
        assert_eq!(a, uuid(1, "x", 0));
        assert!([uuid(2, "x", 0), uuid(1, "y", 0), uuid(1, "x", 1)].iter().all(|b| *b != a));
        assert_eq!(md5_hex(b"hello world"), "5eb63bbbe01eeed093cb22bb8f5acdc3");
    }
}
