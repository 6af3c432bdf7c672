//! What the environment says about the Hub and the store, in the variables of the Hub's own clients.
//!
//! Names and order are those of `huggingface_hub` ("Environment variables" in its documentation). The environment is
//! an argument, so that a test can give one.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// The public Hub.
const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// A Hub account's token, with where it came from so that a person can find it.
#[derive(Clone)]
pub struct HubToken {
    secret: SecretString,
    source: String,
}

impl HubToken {
    /// A token from a place that has a name, such as `HF_TOKEN` or a file's path.
    pub fn new(secret: impl Into<SecretString>, source: impl Into<String>) -> Self {
        Self {
            secret: secret.into(),
            source: source.into(),
        }
    }

    /// The token that the Hub's clients would use: `HF_TOKEN`, else the file at `HF_TOKEN_PATH`, else the one that
    /// `hf auth login` wrote. `HF_HUB_DISABLE_IMPLICIT_TOKEN` says that there is none.
    ///
    /// Reads a file, so it belongs to a program's start.
    pub fn discover(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, EnvironmentError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        if lookup("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some_and(|value| is_true(&value)) {
            return Ok(None);
        }
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            if let Some(value) = lookup(name) {
                return Ok(Some(Self::new(value.trim().to_owned(), name)));
            }
        }
        let path = match lookup("HF_TOKEN_PATH") {
            Some(path) => expand(&path, &lookup),
            None => match hf_home(&lookup) {
                Some(home) => home.join("token"),
                None => return Ok(None),
            },
        };
        Self::read(&path)
    }

    /// Where it came from.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    fn read(path: &Path) -> Result<Option<Self>, EnvironmentError> {
        match std::fs::read_to_string(path) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Ok(Some(Self::new(
                text.trim().to_owned(),
                path.display().to_string(),
            ))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(EnvironmentError::UnreadableToken {
                path: path.to_owned(),
                source,
            }),
        }
    }
}

impl fmt::Debug for HubToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HubToken")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Something in the environment that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The token's file is there and cannot be read.
    #[error("cannot read the Hub token at `{}`", .path.display())]
    UnreadableToken {
        /// The file.
        path: PathBuf,
        /// The error below.
        source: io::Error,
    },
    /// `HF_ENDPOINT` is no http or https address.
    #[error("`HF_ENDPOINT` is `{value}`, which is no http or https address")]
    BadEndpoint {
        /// Its value.
        value: String,
    },
    /// A variable names a proxy that cannot be used.
    #[error("`{name}` is no http or https address of a proxy")]
    BadProxy {
        /// The variable.
        name: &'static str,
    },
    /// No variable says where the store is, and there is no home folder.
    #[error("no folder for the store: neither `HF_HUB_CACHE`, `HF_HOME` nor `HOME` is set")]
    NoHome,
}

/// The Hub's address: `HF_ENDPOINT`, else the public one.
pub fn hub_endpoint(lookup: impl Fn(&str) -> Option<String>) -> Result<Url, EnvironmentError> {
    let value = lookup("HF_ENDPOINT")
        .filter(|value| !value.trim().is_empty())
        .unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
    match Url::parse(value.trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(EnvironmentError::BadEndpoint { value }),
    }
}

/// Whether the Hub is not to be asked at all: `HF_HUB_OFFLINE`.
pub fn is_offline(lookup: impl Fn(&str) -> Option<String>) -> bool {
    lookup("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value))
}

/// The store's folder: `HF_HUB_CACHE`, else `$HF_HOME/hub`, else `~/.cache/huggingface/hub`.
pub fn store_root(lookup: impl Fn(&str) -> Option<String>) -> Result<PathBuf, EnvironmentError> {
    let lookup = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
    for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"] {
        if let Some(path) = lookup(name) {
            return Ok(expand(&path, &lookup));
        }
    }
    let home = hf_home(&lookup).ok_or(EnvironmentError::NoHome)?;
    Ok(home.join("hub"))
}

/// `HF_HOME`, else `huggingface` in the user's cache folder.
fn hf_home(lookup: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(path) = lookup("HF_HOME") {
        return Some(expand(&path, lookup));
    }
    let cache = match lookup("XDG_CACHE_HOME") {
        Some(path) => expand(&path, lookup),
        None => PathBuf::from(lookup("HOME")?).join(".cache"),
    };
    Some(cache.join("huggingface"))
}

/// Replaces a leading `~` by the home folder.
fn expand(path: &str, lookup: &impl Fn(&str) -> Option<String>) -> PathBuf {
    match (path.strip_prefix('~'), lookup("HOME")) {
        (Some(""), Some(home)) => PathBuf::from(home),
        (Some(rest), Some(home)) if rest.starts_with('/') => {
            PathBuf::from(home).join(rest.trim_start_matches('/'))
        }
        _ => PathBuf::from(path),
    }
}

/// What the Hub's clients take for a yes.
fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.trim().to_ascii_uppercase().as_str())
}

#[cfg(test)]
mod tests;
