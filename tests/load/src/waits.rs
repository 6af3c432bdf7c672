//! How long many waited.

use std::time::Duration;

use serde_json::{Value, json};

/// Waits, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Waits(Vec<Duration>);

impl Waits {
    pub(crate) fn add(&mut self, wait: Duration) {
        self.0.push(wait);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// How many, and the percentiles in microseconds.
    pub(crate) fn figures(mut self) -> Value {
        self.0.sort_unstable();
        let percentile = |percent: usize| {
            let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
            self.0.get(rank).map(Duration::as_micros)
        };
        json!({
            "count": self.0.len(),
            "median_us": percentile(50),
            "p99_us": percentile(99),
            "max_us": percentile(100),
        })
    }
}
