//! `java.util.Random`, which AWS uses wherever a seed is given.

/// The linear congruential generator that the Java class documents.
pub(crate) struct JavaRandom(u64);

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const MASK: u64 = (1 << 48) - 1;

impl JavaRandom {
    pub(crate) fn new(seed: i64) -> JavaRandom {
        JavaRandom((seed as u64 ^ MULTIPLIER) & MASK)
    }

    fn next(&mut self, bits: u32) -> i32 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        (self.0 >> (48 - bits)) as i32
    }

    /// A number from 0 up to `bound`, which must be positive and below 2^32. Up to 2^31 - 1 it is Java's `nextInt(bound)`.
    pub(super) fn next_below(&mut self, bound: i64) -> i64 {
        let Ok(bound) = i32::try_from(bound) else {
            let bits = (i64::from(self.next(31)) << 31) | i64::from(self.next(31));
            return bits % bound;
        };
        let mut bits = self.next(31);
        if bound & (bound - 1) == 0 {
            return (i64::from(bound) * i64::from(bits)) >> 31;
        }
        // Numbers of the last, incomplete round would favour the small ones.
        while bits - bits % bound > i32::MAX - (bound - 1) {
            bits = self.next(31);
        }
        i64::from(bits % bound)
    }

    /// A number from 0 up to but not 1: Java's `nextDouble()`.
    pub(crate) fn next_double(&mut self) -> f64 {
        let bits = (i64::from(self.next(26)) << 27) + i64::from(self.next(27));
        bits as f64 / (1u64 << 53) as f64
    }
}
