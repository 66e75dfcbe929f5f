//! Chance that can be repeated: drawn from a seed, or read from given bytes so that a failing case can be made smaller.

use asl_core::draw;

/// A source of choices. The same seed, or the same bytes, make the same choices.
#[derive(Clone, Debug)]
pub struct Dice(Source);

#[derive(Clone, Debug)]
enum Source {
    Seed { seed: u64, count: u64 },
    Bytes { bytes: Vec<u8>, at: usize },
}

impl Dice {
    /// Endless choices from a seed.
    pub fn seeded(seed: u64) -> Dice {
        Dice(Source::Seed { seed, count: 0 })
    }

    /// One choice a byte. When they are used up, and for a zero, the first choice is taken: generators put the simplest
    /// one there, so that fewer and smaller bytes make smaller cases.
    pub fn of_bytes(bytes: Vec<u8>) -> Dice {
        Dice(Source::Bytes { bytes, at: 0 })
    }

    /// A number from 0 up to but without `n`; `n` is at least 1, and for dice of bytes at most 256.
    pub fn below(&mut self, n: u64) -> u64 {
        match &mut self.0 {
            Source::Seed { seed, count } => {
                *count += 1;
                draw(*seed, *count, n) % n
            }
            Source::Bytes { bytes, at } => {
                *at += 1;
                (u64::from(bytes.get(*at - 1).copied().unwrap_or(0)) * n) >> 8
            }
        }
    }

    /// Whether something that happens so often does happen now; the first choice is that it does not.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) >= 100 - percent.min(100)
    }

    /// One of several; the first is the simplest.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}
