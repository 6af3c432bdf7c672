//! What `doctor` finds: one finding a check, how it is written for a person, and what tells a stream that is held back.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Open, figures, open::OpenFindingLevel};

/// Lines are broken at this width, since a terminal has no fewer columns.
const COLUMNS: usize = 80;
/// `warn  Version     `.
const LABEL_COLUMNS: usize = 18;
/// What a hostile hive sends is shown no further than this.
const SHOWN_CHARACTERS: usize = 600;
const CHECK_CHARACTERS: usize = 24;

/// The body of `POST /v1/doctor`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunDoctor {
    /// `org/name` of a model from whose largest file a few seconds are received and thrown away, to measure the rate
    /// from the Hub; null: the model of the store that was used last, where no download runs.
    #[serde(default)]
    pub model: Option<String>,
}

/// The answer of `POST /v1/doctor`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Diagnosis {
    /// One a check, in their order.
    pub findings: Vec<Finding>,
    /// What the parts that a download passes through can do.
    pub rates: MeasuredRates,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// The check, such as `store` or `open_files`.
    pub check: String,
    /// How it is.
    pub level: OpenFindingLevel,
    /// What was found, without a full stop.
    pub found: String,
    /// What to do; null where it is well.
    #[serde(default)]
    pub next: Option<String>,
}

/// How a checked part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingLevel {
    /// As it should be.
    Ok,
    /// It works, and not as well as it could.
    Warn,
    /// It does not work.
    Fail,
    /// It could not be checked, or was not asked for.
    Skip,
}

impl FindingLevel {
    /// The level on the wire and in a line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// Bytes a second of the parts that a download passes through; null where one was not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeasuredRates {
    /// Writing to the store's disk, the sync included.
    pub disk_bytes_per_second: Option<u64>,
    /// Computing sha256, on one core.
    pub sha256_bytes_per_second: Option<u64>,
    /// Receiving from the Hub.
    pub hub_bytes_per_second: Option<u64>,
}

/// The body of `tick`, which `GET /v1/doctor/stream` sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamTick {
    /// Which one, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// Milliseconds after the first one at which it was sent.
    pub sent_ms: u64,
}

impl Finding {
    /// A part that is as it should be.
    pub fn ok(check: &str, found: impl Into<String>) -> Self {
        Self::new(check, FindingLevel::Ok, found.into(), None)
    }

    /// A part that could be better.
    pub fn warn(check: &str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(check, FindingLevel::Warn, found.into(), Some(next.into()))
    }

    /// A part that does not work.
    pub fn fail(check: &str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(check, FindingLevel::Fail, found.into(), Some(next.into()))
    }

    /// A part that was not checked, and what would have it checked.
    pub fn skip(check: &str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(check, FindingLevel::Skip, found.into(), Some(next.into()))
    }

    fn new(check: &str, level: FindingLevel, found: String, next: Option<String>) -> Self {
        Self {
            check: check.to_owned(),
            level: Open::Known(level),
            found,
            next,
        }
    }

    /// Whether it is at this level.
    pub fn is(&self, level: FindingLevel) -> bool {
        self.level == Open::Known(level)
    }

    /// The same, no longer than a person would read: a hive that is not trusted may send anything.
    #[must_use]
    pub fn bounded(self) -> Self {
        let short = |text: String| text.chars().take(SHOWN_CHARACTERS).collect::<String>();
        Self {
            check: self.check.chars().take(CHECK_CHARACTERS).collect(),
            level: match self.level {
                Open::Unknown(word) => Open::Unknown(word.chars().take(CHECK_CHARACTERS).collect()),
                known @ Open::Known(_) => known,
            },
            found: short(self.found),
            next: self.next.map(short),
        }
    }

    /// The lines of it: level, check and what was found, then what to do. Control characters are the printer's to
    /// remove.
    pub fn lines(&self) -> Vec<String> {
        let level = match &self.level {
            Open::Known(level) => level.as_str(),
            Open::Unknown(_) => "?",
        };
        let mut lines = labelled(&format!("{level:<6}{:<11} ", self.title()), &self.found);
        if let Some(next) = &self.next {
            lines.extend(labelled("      Next", next));
        }
        lines
    }

    /// The check as a person reads it: `Open files`.
    fn title(&self) -> String {
        match self.check.as_str() {
            "tls" => "TLS".to_owned(),
            "proxy" => "Proxy, CA".to_owned(),
            "ssh" | "sha256" => self.check.clone(),
            other => {
                let mut words = other.chars();
                let first = words.next().map(|first| first.to_ascii_uppercase());
                let rest = words.map(|letter| if letter == '_' { ' ' } else { letter });
                first.into_iter().chain(rest).collect()
            }
        }
    }
}

impl MeasuredRates {
    /// The slowest part, its wire name and its words, and the others with their rates; `None` where fewer than two
    /// were measured.
    pub fn slowest(&self) -> Option<(&'static str, String)> {
        let parts = [
            ("hub", "the Hub", self.hub_bytes_per_second),
            ("disk", "the disk", self.disk_bytes_per_second),
            ("sha256", "sha256", self.sha256_bytes_per_second),
        ];
        let mut measured: Vec<_> = parts
            .into_iter()
            .filter_map(|(name, words, rate)| Some((rate?, name, words)))
            .collect();
        measured.sort_unstable();
        let (first, others) = measured
            .split_first()
            .filter(|(_, rest)| !rest.is_empty())?;
        let others: Vec<String> = others
            .iter()
            .map(|(rate, name, _)| format!("{name} {}", figures::rate(*rate)))
            .collect();
        let (rate, name, words) = first;
        let rate = figures::rate(*rate);
        Some((name, format!("{words}, {rate} ({})", others.join(", "))))
    }
}

/// The last line of a look at a hive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoctorSummary {
    /// Checks that failed.
    pub failed: usize,
    /// Checks that warn.
    pub warnings: usize,
    /// `hub`, `disk` or `sha256`; null where fewer than two rates were measured.
    pub slowest: Option<&'static str>,
    /// What was measured.
    pub rates: MeasuredRates,
}

impl DoctorSummary {
    /// Of these findings.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>, rates: MeasuredRates) -> Self {
        let (mut failed, mut warnings) = (0, 0);
        for finding in findings {
            failed += usize::from(finding.is(FindingLevel::Fail));
            warnings += usize::from(finding.is(FindingLevel::Warn));
        }
        Self {
            failed,
            warnings,
            slowest: rates.slowest().map(|(name, _)| name),
            rates,
        }
    }
}

impl fmt::Display for DoctorSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failed {
            0 => write!(formatter, "nothing failed")?,
            failed => write!(formatter, "{failed} failed")?,
        }
        match self.warnings {
            0 => {}
            1 => write!(formatter, ", 1 warning")?,
            warnings => write!(formatter, ", {warnings} warnings")?,
        }
        match self.rates.slowest() {
            Some((_, words)) => write!(formatter, "; slowest part: {words}"),
            None => Ok(()),
        }
    }
}

/// The label and the text, broken into lines that stay in their column.
fn labelled(label: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = format!("{label:<LABEL_COLUMNS$}");
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let columns = line.chars().count() + usize::from(!is_empty) + word.chars().count();
        if !is_empty && columns > COLUMNS {
            lines.push(std::mem::replace(&mut line, " ".repeat(LABEL_COLUMNS)));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_with_what_to_do_below() {
        let finding = Finding::fail(
            "open_files",
            "limit 1024, wanted 65536",
            "in hive.service: LimitNOFILE=65536; from a shell: ulimit -n 65536 before hive serve starts",
        );
        assert_eq!(
            finding.lines(),
            [
                "fail  Open files  limit 1024, wanted 65536",
                "      Next        in hive.service: LimitNOFILE=65536; from a shell: ulimit -n",
                "                  65536 before hive serve starts",
            ]
        );
        assert_eq!(
            Finding::ok("tls", "well").lines(),
            ["ok    TLS         well"]
        );
    }

    #[test]
    fn a_finding_of_absurd_size_stays_short() {
        let long = "word ".repeat(100_000);
        let finding = Finding::warn(&long, long.clone(), long.clone());
        let lines = finding.bounded().lines();
        let characters: usize = lines.iter().map(|line| line.chars().count()).sum();
        assert!(characters < 2_000, "{characters}");
    }

    #[test]
    fn the_summary_counts_and_names_the_slowest_part() {
        let findings = [
            Finding::fail("stream", "", ""),
            Finding::warn("version", "", ""),
            Finding::warn("clock", "", ""),
            Finding::skip("hub_rate", "", ""),
        ];
        let rates = MeasuredRates {
            disk_bytes_per_second: Some(1_900_000_000),
            sha256_bytes_per_second: Some(1_704_930_000),
            hub_bytes_per_second: Some(93_930_000),
        };
        assert_eq!(
            DoctorSummary::of(&findings, rates).to_string(),
            "1 failed, 2 warnings; slowest part: the Hub, 94 MB/s (sha256 1.7 GB/s, disk 1.9 GB/s)"
        );
        let none = MeasuredRates::default();
        assert_eq!(
            DoctorSummary::of(&findings[1..2], none).to_string(),
            "nothing failed, 1 warning"
        );
        assert_eq!(DoctorSummary::of(&[], none).to_string(), "nothing failed");
    }
}
