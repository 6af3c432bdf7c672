//! The rounds of a setting as a table: medians, hive's ratio to each peer, and the bars beside them.

use std::time::Duration;

use super::{
    contender::Contender,
    measure::Measured,
    setting::{Of, Setting},
};
use crate::bench::figures::verdict;

const HEADER: &str = "| Program | Wall | Hive's wall ÷ this | CPU per GiB | Hive's CPU ÷ this | Memory |\n\
                      |---|---|---|---|---|---|";

/// Every run of every program of one setting.
pub(super) struct Rows {
    setting: Setting,
    runs: Vec<(Contender, Vec<Measured>)>,
}

impl Rows {
    pub(super) fn new(setting: Setting) -> Self {
        let contenders = setting.contenders().iter();
        Self {
            setting,
            runs: contenders.map(|who| (*who, Vec::new())).collect(),
        }
    }

    /// The run of the next round.
    pub(super) fn add(&mut self, contender: Contender, measured: Measured) {
        for (who, runs) in &mut self.runs {
            if *who == contender {
                runs.push(measured);
            }
        }
    }

    /// The whole section, of so many bytes a run.
    pub(super) fn render(&self, bytes: u64) -> String {
        let rounds = self.runs.first().map_or(0, |(_, runs)| runs.len());
        let rows: Vec<String> = self
            .runs
            .iter()
            .map(|(who, runs)| self.row(*who, runs, bytes))
            .collect();
        format!(
            "{} a run, {rounds} alternating rounds: medians, and the medians of the ratios within each round. \
             Memory is RssAnon at its peak, of hive above idle.\n\n{HEADER}\n{}{}",
            gibibytes(bytes),
            rows.join("\n"),
            self.placed()
        )
    }

    /// How long hive needs for a file when its last byte has been sent.
    fn placed(&self) -> String {
        let hives = self.runs_of(Contender::Hive).iter();
        let placed: Vec<Duration> = hives.filter_map(|run| run.placed_after).collect();
        if placed.is_empty() {
            return String::new();
        }
        let seconds = median(placed.iter().map(Duration::as_secs_f64));
        format!(
            "\n\nFrom the last byte that was sent to the blob in its place: {seconds:.2} s, bar ≤ 0.50 s{}.",
            verdict(seconds <= 0.5)
        )
    }

    fn row(&self, who: Contender, runs: &[Measured], bytes: u64) -> String {
        let memory = median(runs.iter().map(|run| as_f64(run.peak_memory_bytes)));
        format!(
            "| {} | {:.2} s | {} | {:.2} s | {} | {:.0} MiB |",
            who.name(),
            median(runs.iter().map(|run| run.wall.as_secs_f64())),
            self.ratio(who, Of::Wall),
            median(runs.iter().map(|run| run.cpu_per_gib(bytes))),
            self.ratio(who, Of::Cpu),
            memory / as_f64(MIB),
        )
    }

    /// Hive's figure divided by this peer's, and whether it stays under the bar if there is one.
    fn ratio(&self, peer: Contender, of: Of) -> String {
        if peer == Contender::Hive {
            return String::new();
        }
        let seconds = |run: &Measured| match of {
            Of::Wall => run.wall.as_secs_f64(),
            Of::Cpu => run.cpu.as_secs_f64(),
        };
        let pairs = self.runs_of(Contender::Hive).iter().zip(self.runs_of(peer));
        let ratio = median(pairs.map(|(ours, theirs)| seconds(ours) / seconds(theirs)));
        let bars = self.setting.bars();
        match bars.iter().find(|bar| bar.peer == peer && bar.of == of) {
            None => short(ratio),
            Some(bar) => {
                let at_most = bar.at_most;
                let verdict = verdict(ratio <= at_most);
                format!("{}, bar ≤ {}{verdict}", short(ratio), short(at_most))
            }
        }
    }

    fn runs_of(&self, contender: Contender) -> &[Measured] {
        self.runs
            .iter()
            .find(|(who, _)| *who == contender)
            .map_or(&[], |(_, runs)| runs)
    }
}

impl Measured {
    /// Seconds of CPU for each GiB.
    pub(super) fn cpu_per_gib(&self, bytes: u64) -> f64 {
        self.cpu.as_secs_f64() * as_f64(GIB) / as_f64(bytes)
    }
}

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", as_f64(bytes) / as_f64(MIB))
}

pub(super) fn gibibytes(bytes: u64) -> String {
    format!("{:.2} GiB", as_f64(bytes) / as_f64(GIB))
}

/// Two digits that mean something.
fn short(ratio: f64) -> String {
    if ratio < 0.1 {
        format!("{ratio:.3}")
    } else {
        format!("{ratio:.2}")
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52 bytes")]
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

/// The middle value, or the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    let lower = values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seconds(wall: u64) -> Measured {
        Measured {
            wall: Duration::from_secs(wall),
            cpu: Duration::from_secs(1),
            peak_memory_bytes: 5 * MIB,
            placed_after: None,
        }
    }

    #[test]
    fn a_ratio_is_the_median_of_pairs_and_stands_beside_its_bar() {
        let mut rows = Rows::new(Setting::Delayed);
        for (ours, theirs) in [(1, 4), (2, 4), (6, 8)] {
            rows.add(Contender::Hive, seconds(ours));
            rows.add(Contender::Hf, seconds(theirs));
        }
        assert_eq!(
            rows.row(Contender::Hf, rows.runs_of(Contender::Hf), 2 * GIB),
            "| hf download | 4.00 s | 0.50, bar ≤ 0.50: reached | 0.50 s | 1.00 | 5 MiB |"
        );
    }

    #[test]
    fn a_missed_bar_says_so() {
        let mut rows = Rows::new(Setting::PerConnection);
        rows.add(Contender::Hive, seconds(9));
        rows.add(Contender::Hf, seconds(10));
        assert_eq!(
            rows.ratio(Contender::Hf, Of::Wall),
            "0.90, bar ≤ 0.083: **missed**"
        );
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_ones() {
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < 1e-9);
    }
}
