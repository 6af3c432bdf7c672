//! Chance from a seed: the same numbers for the same seed on every machine.

use std::ops::RangeInclusive;

/// A stream of numbers that its seed alone decides.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
    pub(crate) const fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn between(&mut self, range: RangeInclusive<u64>) -> u64 {
        let span = range.end() - range.start() + 1;
        range.start() + self.roll() % span
    }

    pub(crate) fn one_in(&mut self, number: u64) -> bool {
        self.roll().is_multiple_of(number)
    }

    /// One of a list that has at least one.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let end = list.len().max(1) as u64;
        &list[usize::try_from(self.between(0..=end - 1)).unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_all_that_follows() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed);
            [dice.between(1..=6), dice.between(1..=6), dice.roll()]
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
    }
}
