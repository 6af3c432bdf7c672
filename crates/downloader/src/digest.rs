//! What the bytes of a file must hash to, and the running computation of it.

use std::{fmt, hint::black_box, time::Duration};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// What is hashed at a time to find the rate: more than any cache would flatter.
const RATE_CHUNK_BYTES: usize = 1 << 20;

/// The pinned hash of a file.
///
/// The Hub names large files by their sha256 and small ones by their git blob id, which is the sha1 over
/// `blob <size>\0` and the content (Git documentation, "Git Internals - Git Objects").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Digest {
    /// The sha256 of the content.
    Sha256([u8; 32]),
    /// The git blob sha1 of the content.
    GitBlobSha1([u8; 20]),
}

impl Digest {
    /// Reads 64 hexadecimal digits as a sha256 and 40 as a git blob sha1.
    pub fn from_hex(text: &str) -> Result<Self, InvalidDigest> {
        let digest = match text.len() {
            64 => bytes_of_hex(text).map(Self::Sha256),
            40 => bytes_of_hex(text).map(Self::GitBlobSha1),
            _ => None,
        };
        digest.ok_or_else(|| InvalidDigest {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Digest {
    /// Lower-case hexadecimal, without the algorithm.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: &[u8] = match self {
            Self::Sha256(bytes) => bytes,
            Self::GitBlobSha1(bytes) => bytes,
        };
        bytes
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// A text that is neither a sha256 nor a git blob sha1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is neither 64 nor 40 hexadecimal digits", .text.escape_default())]
pub struct InvalidDigest {
    /// What was given.
    pub text: String,
}

/// The hash of the bytes so far.
pub(crate) enum Hasher {
    Sha256(Sha256),
    GitBlobSha1(Sha1),
}

impl Hasher {
    /// Starts the computation that `expected` calls for, over `size_bytes` bytes to come.
    pub(crate) fn new(expected: Digest, size_bytes: u64) -> Self {
        match expected {
            Digest::Sha256(_) => Self::Sha256(Sha256::new()),
            Digest::GitBlobSha1(_) => {
                Self::GitBlobSha1(Sha1::new().chain_update(format!("blob {size_bytes}\0")))
            }
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitBlobSha1(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
            Self::GitBlobSha1(hasher) => Digest::GitBlobSha1(hasher.finalize().into()),
        }
    }
}

/// Bytes a second of sha256 on one core, as a download computes it, over about `within`. Blocks for that long.
#[expect(
    clippy::disallowed_types,
    reason = "what a processor can do is measured, and a paused clock would never end it"
)]
pub fn sha256_rate(within: Duration) -> u64 {
    let chunk = vec![0x5a; RATE_CHUNK_BYTES];
    let mut hasher = Hasher::new(Digest::Sha256([0; 32]), 0);
    let began = std::time::Instant::now();
    let mut bytes: u128 = 0;
    while began.elapsed() < within || bytes == 0 {
        hasher.update(&chunk);
        bytes += RATE_CHUNK_BYTES as u128;
    }
    let nanoseconds = began.elapsed().as_nanos().max(1);
    black_box(hasher.finish());
    u64::try_from(bytes * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
}

fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = value_of(*high)? << 4 | value_of(*low)?;
    }
    Some(bytes)
}

fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const GIT_BLOB_OF_NOTHING: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

    #[test]
    fn hexadecimal_digits_survive_the_round_trip_in_lower_case() {
        for text in [SHA256_OF_ABC, GIT_BLOB_OF_NOTHING] {
            assert_eq!(Digest::from_hex(text).unwrap().to_string(), text);
            assert_eq!(
                Digest::from_hex(&text.to_uppercase()).unwrap().to_string(),
                text
            );
        }
    }

    #[test]
    fn anything_else_is_no_digest() {
        let not_hexadecimal = SHA256_OF_ABC.replace('b', "g");
        for text in ["", "ba78", &SHA256_OF_ABC[1..], &not_hexadecimal, "äöüß"] {
            assert!(Digest::from_hex(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sha256_is_over_the_content_alone() {
        let expected = Digest::from_hex(SHA256_OF_ABC).unwrap();
        let mut hasher = Hasher::new(expected, 3);
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), expected);
    }

    #[test]
    fn a_git_blob_sha1_is_over_a_header_and_the_content() {
        let nothing = Digest::from_hex(GIT_BLOB_OF_NOTHING).unwrap();
        assert_eq!(Hasher::new(nothing, 0).finish(), nothing);

        let hello = Digest::from_hex("ce013625030ba8dba906f756967f9e9ca394464a").unwrap();
        let mut hasher = Hasher::new(hello, 6);
        hasher.update(b"hello\n");
        assert_eq!(hasher.finish(), hello);
    }
}
