//! A rate limit as people write and read it: one spelling for both programs, their files and their messages.

use std::{fmt, str::FromStr};

/// The units of a rate that is shown, decimal as networks are sold, and the bytes of each.
const SHOWN_UNITS: [(&str, u64); 4] = [
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
];

/// The most bytes a second, or no limit.
///
/// Read from `20MB`, `1.5 MiB/s`, `500k` or `off`; written as `20 MB/s` or `off`, rounded down to hundredths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimit {
    bytes_per_second: Option<u64>,
}

impl RateLimit {
    /// A limit in bytes a second, `None` for none.
    pub const fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second }
    }

    /// The limit in bytes a second; none is no limit.
    pub const fn bytes_per_second(self) -> Option<u64> {
        self.bytes_per_second
    }
}

/// The text is no rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a number above zero and a unit, such as 20MB or 500kB, and `off` is no limit")]
pub struct ParseRateLimitError;

impl FromStr for RateLimit {
    type Err = ParseRateLimitError;

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is checked to be at least one, and a float above the range saturates"
    )]
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::default());
        }
        let text = text.strip_suffix("/s").unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let number: f64 = number.parse().map_err(|_| ParseRateLimitError)?;
        let factor: u32 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1_000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(ParseRateLimitError),
        };
        let bytes = number * f64::from(factor);
        if bytes < 1.0 || !bytes.is_finite() {
            return Err(ParseRateLimitError);
        }
        Ok(Self::new(Some(bytes as u64)))
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(bytes) = self.bytes_per_second else {
            return formatter.write_str("off");
        };
        let fits = |(_, unit): &&(&str, u64)| bytes >= *unit;
        let Some((name, unit)) = SHOWN_UNITS.iter().find(fits) else {
            return write!(formatter, "{bytes} B/s");
        };
        let whole = bytes / unit;
        // The smallest unit is a thousand, so it divides by a hundred.
        match bytes % unit / (unit / 100) {
            0 => write!(formatter, "{whole} {name}/s"),
            tens if tens.is_multiple_of(10) => {
                write!(formatter, "{whole}.{} {name}/s", tens / 10)
            }
            hundredths => write!(formatter, "{whole}.{hundredths:02} {name}/s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(bytes_per_second: u64) -> RateLimit {
        RateLimit::new(Some(bytes_per_second))
    }

    #[test]
    fn the_usual_spellings_are_understood() {
        let cases = [
            ("20MB", limit(20_000_000)),
            ("20mb/s", limit(20_000_000)),
            ("1.5 GB", limit(1_500_000_000)),
            ("500KB", limit(500_000)),
            ("500k", limit(500_000)),
            ("1.5MiB", limit(3 << 19)),
            ("1000", limit(1_000)),
            ("off", RateLimit::new(None)),
            ("Off", RateLimit::new(None)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in [
            "",
            "fast",
            "-5MB",
            "0",
            "0.1",
            "5 furlongs",
            "1.2.3M",
            "infMB",
            "off/s",
        ] {
            let parsed = text.parse::<RateLimit>();
            assert_eq!(parsed, Err(ParseRateLimitError), "{text}");
        }
    }

    #[test]
    fn a_limit_is_shown_as_it_was_meant_and_read_again() {
        let cases = [
            (limit(1), "1 B/s"),
            (limit(999), "999 B/s"),
            (limit(500_000), "500 kB/s"),
            (limit(1_000_000), "1 MB/s"),
            (limit(1_050_000), "1.05 MB/s"),
            (limit(2_500_000_000), "2.5 GB/s"),
            (limit(999_999), "999.99 kB/s"),
            (limit(u64::MAX), "18446744.07 TB/s"),
            (RateLimit::new(None), "off"),
        ];
        for (limit, text) in cases {
            assert_eq!(limit.to_string(), text);
        }
        assert_eq!("1.05 MB/s".parse(), Ok(limit(1_050_000)));
    }
}
