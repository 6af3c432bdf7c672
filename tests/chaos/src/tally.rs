//! The sums of many runs, as a person reads them.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::code::Code;
use crate::run::Story;

/// What many runs came to.
#[derive(Debug, Default)]
pub struct Tally {
    runs: u64,
    ended: BTreeMap<Option<Code>, u64>,
    hits: BTreeMap<(&'static str, &'static str), u64>,
    retries: u64,
    violations: u64,
    pub(crate) wall: Duration,
}

impl Tally {
    pub(crate) fn add(&mut self, story: Story) {
        self.runs += 1;
        self.retries += story.retries;
        for ended in story.ended {
            *self.ended.entry(ended).or_default() += 1;
        }
        for (row, hits) in story.hits {
            *self.hits.entry(row).or_default() += hits;
        }
    }

    pub(crate) const fn add_violation(&mut self) {
        self.runs += 1;
        self.violations += 1;
    }

    /// Whether no run broke a promise.
    pub const fn is_clean(&self) -> bool {
        self.violations == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            runs,
            violations,
            retries,
            ..
        } = self;
        writeln!(formatter, "{runs} runs, {violations} violations")?;
        writeln!(formatter, "Downloads under faults:")?;
        for (ended, count) in &self.ended {
            match ended {
                None => writeln!(formatter, "  {count:>8} succeeded")?,
                Some(code) => writeln!(formatter, "  {count:>8} {code}")?,
            }
        }
        writeln!(formatter, "Requests that met a fault:")?;
        for ((number, name), hits) in &self.hits {
            writeln!(formatter, "  {hits:>8} {number} {name}")?;
        }
        let seconds = self.wall.as_secs_f64();
        write!(formatter, "{retries} retries, {seconds:.0} s")
    }
}
