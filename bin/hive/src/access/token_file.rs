//! `tokens.json`: read strictly, written whole.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use hive_api::Scope;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tokens::{MOST_TOKENS, is_token_name};
use crate::state_folder::{
    StateFolderError,
    files::{self, OTHERS, OpenFileError},
};

/// The one form of the file that this hive knows.
const VERSION: u32 = 1;
/// More than [`MOST_TOKENS`] need.
const LONGEST_FILE_BYTES: u64 = 1024 * 1024;
/// Hexadecimal digits of a sha256.
const DIGEST_DIGITS: usize = 64;

/// The whole file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    tokens: Vec<Record>,
}

/// A token as it is kept: never its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) name: String,
    /// The sha256 of the whole token text, in hexadecimal digits.
    pub(super) sha256: String,
    pub(super) scope: Scope,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) last_used_at: Option<Timestamp>,
}

impl Record {
    /// The digest as bytes.
    pub(super) fn digest(&self) -> Option<[u8; 32]> {
        let digits = self.sha256.as_bytes();
        if digits.len() != DIGEST_DIGITS {
            return None;
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            let is_hex = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = u8::from_str_radix(pair, 16).ok().filter(|_| is_hex)?;
        }
        Some(digest)
    }
}

/// Why the tokens cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It is not a plain file of ours.
    #[error(transparent)]
    StateFolder(#[from] StateFolderError),
    /// Others can read it.
    #[error(
        "{} can be read by other users (mode {mode:03o}): run `chmod 600` on it; it holds no token, only names, scopes \
         and sha256 sums",
        path.display()
    )]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not what we write. Starting without it would bring back nobody and lose everybody.
    #[error(
        "{} is damaged ({reason}): put back a copy, or move it away, and every token in it is revoked",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system refused.
    #[error("cannot read or write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Every record, or none where there is no file yet.
pub(super) fn read(path: &Path) -> Result<Vec<Record>, TokenFileError> {
    let failed = |source| io_error(path, source);
    let file = match files::open(path, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(OpenFileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(not_opened(path, error)),
    };
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & OTHERS != 0 {
        let path = path.to_owned();
        return Err(TokenFileError::ReadableByOthers { path, mode });
    }
    let mut text = Vec::new();
    file.take(LONGEST_FILE_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    parse(&text).map_err(|reason| TokenFileError::Damaged {
        path: path.to_owned(),
        reason,
    })
}

fn parse(text: &[u8]) -> Result<Vec<Record>, String> {
    let contents: Contents = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if contents.version != VERSION {
        return Err(format!("it has version {}", contents.version));
    }
    if contents.tokens.len() > MOST_TOKENS {
        return Err(format!("it has more than {MOST_TOKENS} tokens"));
    }
    let (mut names, mut digests) = (HashSet::new(), HashSet::new());
    for token in &contents.tokens {
        if !is_token_name(&token.name) {
            return Err("a token has a name that cannot be".to_owned());
        }
        let Some(digest) = token.digest() else {
            return Err(format!("the token `{}` has no sha256", token.name));
        };
        if !names.insert(&token.name) || !digests.insert(digest) {
            return Err(format!("the token `{}` is there twice", token.name));
        }
    }
    Ok(contents.tokens)
}

/// Replaces the file, so that a crash leaves the old one or the new one.
pub(super) fn write(path: &Path, tokens: Vec<Record>) -> Result<(), TokenFileError> {
    let failed = |source| io_error(path, source);
    let contents = Contents {
        version: VERSION,
        tokens,
    };
    let mut text = serde_json::to_vec_pretty(&contents).map_err(|error| failed(error.into()))?;
    text.push(b'\n');
    let draft = path.with_extension("json.new");
    let mut options = OpenOptions::new();
    let mut file = files::open(&draft, options.write(true).create(true).truncate(true))
        .map_err(|error| not_opened(&draft, error))?;
    file.write_all(&text).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&draft, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

fn not_opened(path: &Path, error: OpenFileError) -> TokenFileError {
    match error {
        OpenFileError::Refused(error) => error.into(),
        OpenFileError::Io(source) => io_error(path, source),
    }
}

fn io_error(path: &Path, source: io::Error) -> TokenFileError {
    TokenFileError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_did_not_write_is_damaged_and_never_empty() {
        let token = |name: &str, sha256: &str| {
            format!(
                r#"{{"name":"{name}","sha256":"{sha256}","scope":"read","created_at":"2026-11-21T00:00:00Z","expires_at":null,"last_used_at":null}}"#
            )
        };
        let file =
            |tokens: &[String]| format!(r#"{{"version":1,"tokens":[{}]}}"#, tokens.join(","));
        let (one, other) = ("0a".repeat(32), "0b".repeat(32));
        let good = file(&[token("a", &one), token("b", &other)]);
        assert_eq!(parse(good.as_bytes()).map(|tokens| tokens.len()), Ok(2));
        for damaged in [
            String::new(),
            "{}".to_owned(),
            "[]".to_owned(),
            good[..good.len() - 2].to_owned(),
            good.replace(r#""version":1"#, r#""version":2"#),
            good.replace("null", "7"),
            good.replace("read", "root"),
            file(&[token("a", &one), token("a", &other)]),
            file(&[token("a", &one), token("b", &one)]),
            file(&[token("a b", &one)]),
            file(&[token("local", &one)]),
            file(&[token("a", &one[1..])]),
            file(&[token("a", &one.replace('0', "+"))]),
        ] {
            assert!(parse(damaged.as_bytes()).is_err(), "{damaged}");
        }
    }
}
