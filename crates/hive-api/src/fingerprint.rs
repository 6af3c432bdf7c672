//! The fingerprint of a certificate: what a pin names, and what a person can compare.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// What stands before the digits.
const ALGORITHM: &str = "sha256:";
/// Bytes of a sha256.
const BYTES: usize = 32;

/// The sha256 of a certificate in its DER form, written `sha256:` and 64 hexadecimal digits: the same digits that
/// `openssl x509 -noout -fingerprint -sha256` shows between colons.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(into = "String", try_from = "String")]
#[schema(value_type = String, pattern = "^sha256:[0-9a-f]{64}$")]
pub struct Fingerprint([u8; BYTES]);

impl Fingerprint {
    /// The fingerprint of the certificate with these DER bytes.
    pub fn of_certificate(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// The bytes of the sha256.
    pub const fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(ALGORITHM)?;
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is `sha256:` and 64 hexadecimal digits")]
pub struct ParseFingerprintError;

/// Capital letters and colons between the bytes are accepted too, as other programs write them.
impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, ParseFingerprintError> {
        let (algorithm, digits) = text
            .trim()
            .split_at_checked(ALGORITHM.len())
            .ok_or(ParseFingerprintError)?;
        if !algorithm.eq_ignore_ascii_case(ALGORITHM) {
            return Err(ParseFingerprintError);
        }
        let mut bytes = [0; BYTES];
        let mut rest = digits;
        for (number, byte) in bytes.iter_mut().enumerate() {
            if number > 0 {
                rest = rest.strip_prefix(':').unwrap_or(rest);
            }
            let (two, after) = rest.split_at_checked(2).ok_or(ParseFingerprintError)?;
            if !two.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(ParseFingerprintError);
            }
            *byte = u8::from_str_radix(two, 16).map_err(|_| ParseFingerprintError)?;
            rest = after;
        }
        if rest.is_empty() {
            Ok(Self(bytes))
        } else {
            Err(ParseFingerprintError)
        }
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = ParseFingerprintError;

    fn try_from(text: String) -> Result<Self, ParseFingerprintError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sha256 of nothing (FIPS 180-4, examples).
    const NOTHING: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn it_reads_back_as_it_is_written_and_as_other_programs_write_it() {
        let fingerprint = Fingerprint::of_certificate(b"");
        assert_eq!(fingerprint.to_string(), NOTHING);
        let digits = NOTHING.strip_prefix("sha256:").unwrap().to_uppercase();
        let pairs: Vec<&str> = (0..64).step_by(2).map(|at| &digits[at..at + 2]).collect();
        for text in [
            NOTHING.to_owned(),
            format!(" {NOTHING}\n"),
            format!("SHA256:{}", pairs.join(":")),
        ] {
            assert_eq!(text.parse(), Ok(fingerprint), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "sha256:",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            &NOTHING[..NOTHING.len() - 1],
            &format!("{NOTHING}0"),
            &format!("{NOTHING}:"),
            &NOTHING.replace("sha256", "sha512"),
            &NOTHING.replace("e3", "+3"),
            &NOTHING.replace("e3", "é3"),
            &NOTHING.replace("sha256:", "sha256::"),
        ] {
            assert_eq!(
                text.parse::<Fingerprint>(),
                Err(ParseFingerprintError),
                "{text}"
            );
        }
    }
}
