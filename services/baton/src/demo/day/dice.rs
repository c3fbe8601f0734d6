//! Chance with a seed: who asks for the same thing of the same seed gets the same answer, in whatever order people ask.

use std::time::Duration;

/// A stream of random numbers (`SplitMix64`).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice for one purpose.
    pub(super) fn of(seed: u64, purpose: &str, numbers: &[u64]) -> Self {
        let mut dice = Self(seed);
        for word in purpose.bytes().map(u64::from).chain(numbers.iter().copied()) {
            dice.0 = dice.next() ^ word;
        }
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to (not including) 1.
    pub(super) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True in so many of a hundred cases.
    pub(super) fn percent(&mut self, percent: u32) -> bool {
        self.fraction() * 100.0 < f64::from(percent)
    }

    /// From 0 up to (not including) `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.fraction() * limit as f64) as usize
    }

    /// Evenly from one to the other, in whole milliseconds.
    pub(super) fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        whole_ms(shortest + longest.saturating_sub(shortest).mul_f64(self.fraction()))
    }

    /// As long as things take that may end at any moment, in whole milliseconds: most are shorter than the mean, few are much longer.
    pub(super) fn about(&mut self, mean: Duration) -> Duration {
        whole_ms(mean.mul_f64(-(1.0 - self.fraction()).ln()))
    }
}

/// People act at whole milliseconds, so that no rounding hides a difference.
fn whole_ms(duration: Duration) -> Duration {
    Duration::from_millis(duration.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_purpose_give_the_same_numbers_and_others_do_not() {
        let fraction = |seed, purpose, numbers: &[u64]| Dice::of(seed, purpose, numbers).fraction().to_bits();
        assert_eq!(fraction(1, "ring", &[7, 1]), fraction(1, "ring", &[7, 1]));
        let all = [
            fraction(1, "ring", &[7, 1]),
            fraction(2, "ring", &[7, 1]),
            fraction(1, "talk", &[7, 1]),
            fraction(1, "ring", &[7, 2]),
        ];
        assert!((1..all.len()).all(|n| !all[..n].contains(&all[n])), "{all:?}");
    }

    #[test]
    fn the_mean_is_the_mean() {
        let mut dice = Dice::of(1, "mean", &[]);
        let sum: Duration = (0..10_000).map(|_| dice.about(Duration::from_secs(100))).sum();
        assert!((sum.as_secs_f64() / 10_000.0 - 100.0).abs() < 5.0, "{sum:?}");
    }
}
