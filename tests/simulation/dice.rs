//! Chance that is the same every time: `SplitMix64` (Steele, Lea and Flood, 2014).

use std::time::Duration;

/// A source of numbers that a seed determines.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to `n`, which is not drawn.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % (n.max(1) as u64)).unwrap_or(0)
    }

    /// True in so many of a hundred draws.
    pub fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// Milliseconds from `low` to `high`.
    pub fn millis(&mut self, low: usize, high: usize) -> Duration {
        Duration::from_millis((low + self.below(high - low + 1)) as u64)
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}
