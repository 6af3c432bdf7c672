//! Many measurements of one thing, as a row of a table.

use std::time::Duration;

use serde::Deserialize;

/// What was measured, the bar it should stay under, and every value.
pub(crate) struct Figures {
    what: String,
    bar: Duration,
    values: Vec<Duration>,
}

impl Figures {
    pub(crate) fn new(what: impl Into<String>, bar_ms: u64) -> Self {
        Self {
            what: what.into(),
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
        self.percentiles().row(&self.what, self.bar)
    }

    fn percentiles(&self) -> Percentiles {
        Percentiles {
            count: self.values.len() as u64,
            median_us: self.percentile(50),
            p99_us: self.percentile(99),
            max_us: self.percentile(100),
        }
    }

    /// The value that so many percent of all do not exceed, in microseconds.
    fn percentile(&self, percent: usize) -> u64 {
        let rank = (self.values.len() * percent).div_ceil(100);
        let value = self.values.get(rank.saturating_sub(1)).copied();
        let microseconds = value.unwrap_or_default().as_micros();
        u64::try_from(microseconds).unwrap_or(u64::MAX)
    }
}

/// What the values of many measurements are, in microseconds. Also what `load` prints.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Percentiles {
    count: u64,
    median_us: u64,
    p99_us: u64,
    max_us: u64,
}

impl Percentiles {
    /// How many were measured.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// A row of the table that [`HEADER`] begins.
    pub(crate) fn row(&self, what: &str, bar: Duration) -> String {
        let reached = verdict(Duration::from_micros(self.p99_us) <= bar);
        format!(
            "| {what} | p99 ≤ {}{reached} | {} | {} | {} | {} |",
            milliseconds(bar),
            milliseconds(Duration::from_micros(self.median_us)),
            milliseconds(Duration::from_micros(self.p99_us)),
            milliseconds(Duration::from_micros(self.max_us)),
            self.count,
        )
    }
}

/// Whether a bar was reached, for the cell that names it.
pub(crate) fn verdict(reached: bool) -> &'static str {
    if reached { ": reached" } else { ": **missed**" }
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
            "| x | p99 ≤ 50 ms: reached | 2.00 ms | 3.00 ms | 3.00 ms | 3 |"
        );
    }
}
