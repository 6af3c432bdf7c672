//! Many measurements of one thing, as a row of a table.

use std::time::Duration;

/// What was measured, the bar it should stay under, and every value.
pub(crate) struct Figures {
    what: &'static str,
    bar: Duration,
    values: Vec<Duration>,
}

impl Figures {
    pub(crate) fn new(what: &'static str, bar_ms: u64) -> Self {
        Self {
            what,
            bar: Duration::from_millis(bar_ms),
            values: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, value: Duration) {
        self.values.push(value);
        self.values.sort_unstable();
    }

    /// A row of the table that [`HEADER`] begins.
    pub(crate) fn row(&self) -> String {
        format!(
            "| {} | p99 ≤ {} | {} | {} | {} | {} |",
            self.what,
            milliseconds(self.bar),
            milliseconds(self.percentile(50)),
            milliseconds(self.percentile(99)),
            milliseconds(self.percentile(100)),
            self.values.len(),
        )
    }

    /// The value that so many percent of all do not exceed.
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.values.len() * percent).div_ceil(100);
        self.values
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

/// The first two lines of a table of figures.
pub(crate) const HEADER: &str =
    "| What | Bar | Median | p99 | Maximum | Runs |\n|---|---|---|---|---|---|";

fn milliseconds(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 {
        format!("{milliseconds:.2} ms")
    } else {
        format!("{milliseconds:.0} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_measured_value() {
        let mut figures = Figures::new("x", 50);
        for milliseconds in [3, 1, 2] {
            figures.add(Duration::from_millis(milliseconds));
        }
        assert_eq!(
            figures.row(),
            "| x | p99 ≤ 50 ms | 2.00 ms | 3.00 ms | 3.00 ms | 3 |"
        );
    }
}
