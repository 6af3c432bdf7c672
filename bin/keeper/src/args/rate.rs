//! `20MB`, `1.5 GB/s`, `500k`, `16MiB`: bytes a second as people write them.

use std::str::FromStr;

/// A rate, at least one byte a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) bytes_per_second: u64,
}

/// The text is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a number above zero and a unit, such as 20MB or 500kB")]
pub(crate) struct ParseRateError;

impl FromStr for Rate {
    type Err = ParseRateError;

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is checked to be at least one, and a float above the range saturates"
    )]
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let text = text.strip_suffix("/s").unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let number: f64 = number.parse().map_err(|_| ParseRateError)?;
        let factor: u32 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1_000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(ParseRateError),
        };
        let bytes = number * f64::from(factor);
        if bytes < 1.0 || !bytes.is_finite() {
            return Err(ParseRateError);
        }
        Ok(Self {
            bytes_per_second: bytes as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spellings_are_understood() {
        let cases = [
            ("20MB", 20_000_000),
            ("20mb/s", 20_000_000),
            ("1.5 GB", 1_500_000_000),
            ("500k", 500_000),
            ("16MiB", 16 << 20),
            ("1000", 1_000),
        ];
        for (text, bytes_per_second) in cases {
            assert_eq!(text.parse(), Ok(Rate { bytes_per_second }), "{text}");
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
        ] {
            assert_eq!(text.parse::<Rate>(), Err(ParseRateError), "{text}");
        }
    }
}
