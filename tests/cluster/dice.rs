//! Numbers that look random, and are the same everywhere for the same seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// Steele's `SplitMix64`.
pub(crate) struct Dice(u64);

impl Dice {
    /// Seeded by the clock, or by a failed run's seed.
    pub(crate) fn new() -> Self {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let seed = std::env::var("SHARDWRIGHT_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(clock);
        println!("SHARDWRIGHT_TEST_SEED={seed}");
        Self(seed)
    }

    /// Seeded by a number.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 up to a bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of a slice that is not empty.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).expect("an index")]
    }

    /// A place in the `number`th of `count` equal slots of a length.
    pub(crate) fn slot(&mut self, length: u64, number: u32, count: u32) -> u64 {
        let (number, count) = (u64::from(number), u64::from(count));
        let (from, to) = (length * number / count, length * (number + 1) / count);
        from + self.below(to - from)
    }
}
