//! How long to wait before the next connection of an event stream.

use std::time::Duration;

/// The first wait, until the hive names another one with `retry:`.
const FIRST: Duration = Duration::from_secs(1);
/// No wait that a hive asks for is shorter.
const SHORTEST: Duration = Duration::from_millis(100);

/// Exponential waits; a good connection starts over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    base: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// No failure yet.
    pub(crate) const fn new(longest: Duration) -> Self {
        Self {
            base: FIRST,
            longest,
            failures: 0,
        }
    }

    /// The hive asks for this wait (`retry:`, WHATWG HTML §9.2.6), within our bounds.
    pub(crate) fn set_base(&mut self, base: Duration) {
        self.base = base.clamp(SHORTEST, self.longest);
    }

    /// Events came again.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure; `jitter` in 0..=1 spreads the clients of one hive over half of it.
    pub(crate) fn failed(&mut self, jitter: f64) -> Duration {
        let doubled = self.base.saturating_mul(1 << self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        doubled
            .min(self.longest)
            .mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(15);

    #[test]
    fn waits_double_up_to_the_longest_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(LONGEST);
        let waits: Vec<u64> = (0..7).map(|_| backoff.failed(1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 15, 15, 15]);
        backoff.succeeded();
        assert_eq!(backoff.failed(1.0), Duration::from_secs(1));
    }

    #[test]
    fn jitter_takes_away_at_most_half() {
        assert_eq!(
            Backoff::new(LONGEST).failed(0.0),
            Duration::from_millis(500)
        );
        assert_eq!(
            Backoff::new(LONGEST).failed(0.5),
            Duration::from_millis(750)
        );
    }

    #[test]
    fn a_hive_cannot_ask_for_no_wait_or_for_ever() {
        let mut backoff = Backoff::new(LONGEST);
        backoff.set_base(Duration::ZERO);
        assert_eq!(backoff.failed(1.0), SHORTEST);
        let mut backoff = Backoff::new(LONGEST);
        backoff.set_base(Duration::MAX);
        assert_eq!(backoff.failed(1.0), LONGEST);
    }
}
