//! The name that a person gives a model: `org/name[:selector][@revision]`, in every spelling the ecosystem uses.

use std::fmt;

use model_store::{RefName, RepoId, RepoKind};
use url::Url;

#[cfg(test)]
mod tests;

/// The revision that a reference without one means.
pub const DEFAULT_REVISION: &str = "main";

/// A parsed model reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelReference {
    repo: RepoId,
    selector: Option<String>,
    revision: Option<String>,
}

impl ModelReference {
    /// Reads `org/name[:selector][@revision]`, optionally after `datasets/`, `hf://`, `hf.co/` or a Hub's address.
    ///
    /// `hub` is the configured Hub, whose host is understood like that of the public one.
    pub fn parse(text: &str, hub: Option<&Url>) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if let Some(character) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
            return Err(ReferenceError::BadCharacter {
                part: "model reference",
                character,
            });
        }
        let rest = strip_hub(text, hub)?;
        if rest != text && strip_hub(rest, hub)? != rest {
            // Written without the first address it would mean another repository.
            return Err(bad_shape("owner", rest, "it is an address of the Hub"));
        }
        let (kind, rest) = match rest.strip_prefix("datasets/") {
            Some(rest) => (RepoKind::Dataset, rest),
            None => (RepoKind::Model, rest),
        };
        let (repository, selector, revision) = split(rest);
        Ok(Self {
            repo: parse_repository(kind, repository)?,
            selector: selector.map(parse_selector).transpose()?,
            revision: revision.map(parse_revision).transpose()?,
        })
    }

    /// The repository; its Display is `org/name`, with `datasets/` before it for a dataset.
    pub fn repo(&self) -> &RepoId {
        &self.repo
    }

    /// The quantisation or file path that was asked for.
    pub fn selector(&self) -> Option<&str> {
        self.selector.as_deref()
    }

    /// The branch, tag or commit, `main` when none was given.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(DEFAULT_REVISION)
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.repo)?;
        if let Some(selector) = &self.selector {
            write!(formatter, ":{selector}")?;
        }
        if let Some(revision) = &self.revision {
            write!(formatter, "@{revision}")?;
        }
        Ok(())
    }
}

/// Why a text is no model reference; [`ReferenceError::remedy`] says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There is no text.
    #[error("the model reference is empty")]
    Empty,
    /// An owner is missing.
    #[error("`{repository}` has no owner before its name")]
    NoOwner {
        /// What stands where `org/name` should.
        repository: String,
    },
    /// There are more parts than `org/name`.
    #[error("`{repository}` has more than an owner and a name")]
    TooManyParts {
        /// What stands where `org/name` should.
        repository: String,
    },
    /// A part has no text.
    #[error("the {part} is empty")]
    EmptyPart {
        /// Which: owner, name, repository, selector or revision.
        part: &'static str,
    },
    /// A part has a character that it cannot have.
    #[error("the {part} has the character {character:?}, which it cannot have")]
    BadCharacter {
        /// Which: owner, name, repository, selector or revision.
        part: &'static str,
        /// The first such character.
        character: char,
    },
    /// A part has a shape that the Hub or the store would not accept, such as `..` or a dot at its end.
    #[error("the {part} `{text}` is refused: {fault}")]
    BadShape {
        /// Which: owner, name, repository, selector or revision.
        part: &'static str,
        /// Its text.
        text: String,
        /// The rule that it breaks.
        fault: &'static str,
    },
    /// The address is not one of this hive's Hub.
    #[error("`{address}` is not an address of the Hub")]
    OtherHost {
        /// What stands where the Hub's host should.
        address: String,
    },
}

impl ReferenceError {
    /// What to write instead, one sentence without a full stop.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Empty | Self::NoOwner { .. } => {
                "write org/name, such as Qwen/Qwen3-8B-GGUF or Qwen/Qwen3-8B-GGUF:Q4_K_M"
            }
            Self::TooManyParts { .. } => "write org/name, and a file in it as org/name:folder/file",
            Self::EmptyPart { part: "selector" } => {
                "name a quantisation or a file after the colon, or leave the colon out"
            }
            Self::EmptyPart { part: "revision" } => {
                "name a branch, tag or commit after the @, or leave the @ out"
            }
            Self::EmptyPart { .. } => "write both the owner and the name, as in org/name",
            Self::BadCharacter { .. } | Self::BadShape { .. } => {
                "write org/name[:selector][@revision] with the repository's name as the Hub shows it"
            }
            Self::OtherHost { .. } => {
                "give the repository as org/name, or set HF_ENDPOINT on the hive to another Hub"
            }
        }
    }
}

/// Cuts the scheme and host of a Hub's address away.
fn strip_hub<'text>(text: &'text str, hub: Option<&Url>) -> Result<&'text str, ReferenceError> {
    if let Some(rest) = text.strip_prefix("hf://") {
        return Ok(rest);
    }
    let without_scheme = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let address = without_scheme.unwrap_or(text);
    let configured = hub.and_then(host_and_port);
    let hosts = ["huggingface.co", "www.huggingface.co", "hf.co"]
        .into_iter()
        .chain(configured.as_deref());
    for host in hosts {
        if let Some(rest) = address
            .strip_prefix(host)
            .and_then(|rest| rest.strip_prefix('/'))
        {
            return Ok(rest.trim_end_matches('/'));
        }
    }
    match without_scheme {
        None if !text.contains("://") => Ok(text),
        _ => Err(ReferenceError::OtherHost {
            address: address.split('/').next().unwrap_or(address).to_owned(),
        }),
    }
}

/// `host` or `host:port`, as a person would write the configured Hub.
fn host_and_port(hub: &Url) -> Option<String> {
    let host = hub.host_str()?;
    Some(match hub.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// Splits into repository, selector and revision; the last `@` begins the revision.
fn split(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (before, revision) = match text.rsplit_once('@') {
        Some((before, revision)) => (before, Some(revision)),
        None => (text, None),
    };
    match before.split_once(':') {
        Some((repository, selector)) => (repository, Some(selector), revision),
        None => (before, None, revision),
    }
}

fn parse_repository(kind: RepoKind, text: &str) -> Result<RepoId, ReferenceError> {
    let text = text.trim_end_matches('/');
    let Some((owner, name)) = text.split_once('/') else {
        return Err(ReferenceError::NoOwner {
            repository: text.to_owned(),
        });
    };
    if name.contains('/') {
        return Err(ReferenceError::TooManyParts {
            repository: text.to_owned(),
        });
    }
    for (part, text) in [("owner", owner), ("name", name)] {
        if text.is_empty() {
            return Err(ReferenceError::EmptyPart { part });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(character) = text.chars().find(|c| !allowed(*c)) {
            return Err(ReferenceError::BadCharacter { part, character });
        }
    }
    RepoId::new(kind, text).map_err(|refused| bad_shape("repository", text, refused.reason))
}

fn parse_selector(text: &str) -> Result<String, ReferenceError> {
    if text.is_empty() {
        return Err(ReferenceError::EmptyPart { part: "selector" });
    }
    if text.contains('\\') {
        return Err(ReferenceError::BadCharacter {
            part: "selector",
            character: '\\',
        });
    }
    if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        let fault = "it is no path inside the repository";
        return Err(bad_shape("selector", text, fault));
    }
    Ok(text.to_owned())
}

/// A part of what `git check-ref-format` asks, and all that keeps a ref one file below `refs/`.
fn parse_revision(text: &str) -> Result<String, ReferenceError> {
    let part = "revision";
    if text.is_empty() {
        return Err(ReferenceError::EmptyPart { part });
    }
    let refused = |c: &char| matches!(c, '\\' | '~' | '^' | ':' | '?' | '*' | '[');
    if let Some(character) = text.chars().find(refused) {
        return Err(ReferenceError::BadCharacter { part, character });
    }
    if text.contains("..") || text.split('/').any(|part| matches!(part, "" | ".")) {
        return Err(bad_shape(part, text, "it is no branch, tag or commit"));
    }
    let name = RefName::new(text).map_err(|refused| bad_shape(part, text, refused.reason))?;
    Ok(name.as_str().to_owned())
}

fn bad_shape(part: &'static str, text: &str, fault: &'static str) -> ReferenceError {
    ReferenceError::BadShape {
        part,
        text: text.to_owned(),
        fault,
    }
}
