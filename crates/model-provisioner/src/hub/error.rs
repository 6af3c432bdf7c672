//! Why a question to the Hub or its CDN has no answer.

use std::{fmt, time::Duration};

use downloader::{Persistence, SourceError, SourceErrorKind};

/// Why a question to the Hub or its CDN has no answer.
#[derive(Debug, thiserror::Error)]
#[error("{kind} at `{address}`: {detail}")]
pub(crate) struct HubError {
    /// What went wrong.
    pub(crate) kind: HubErrorKind,
    /// Host and path of the request, without its query, which may be a signature.
    pub(crate) address: String,
    /// What happened, for a person, without secrets.
    pub(crate) detail: String,
    /// How long the server asks to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Whether there is no time for another try, whatever its kind.
    pub(crate) is_final: bool,
    /// The error below.
    #[source]
    pub(crate) source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubErrorKind {
    /// The Hub refuses access.
    Denied(Denial),
    /// The Hub does not have it.
    Missing(Missing),
    /// Everything that may befall any request.
    Transfer(SourceErrorKind),
}

/// In which way the Hub refuses access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The repository is gated and no token was sent.
    GatedWithoutToken,
    /// The repository is gated and the account has no access yet.
    Gated,
    /// There is no such repository, or it is private, and no token was sent.
    PrivateOrMissing,
    /// The token is not accepted.
    BadToken,
    /// The token is accepted and does not reach that far, or the repository is disabled.
    Forbidden,
}

/// What the Hub does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The repository, or the account may not see it.
    Repository,
    /// The branch, tag or commit.
    Revision,
    /// A file at that commit.
    File,
}

impl HubError {
    /// An error of this kind with nothing below it.
    pub(crate) fn new(
        kind: impl Into<HubErrorKind>,
        address: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: kind.into(),
            address: address.into(),
            detail: detail.into(),
            retry_after: None,
            is_final: false,
            source: None,
        }
    }

    /// How much it is worth asking again.
    pub(crate) const fn persistence(&self) -> Persistence {
        if self.is_final {
            Persistence::Never
        } else {
            self.kind.of_source().persistence()
        }
    }
}

impl HubErrorKind {
    /// What it is to a downloader, which knows no Hub.
    pub(crate) const fn of_source(self) -> SourceErrorKind {
        match self {
            Self::Denied(_) => SourceErrorKind::Unauthorized,
            Self::Missing(_) => SourceErrorKind::NotFound,
            Self::Transfer(kind) => kind,
        }
    }
}

impl From<Missing> for HubErrorKind {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl From<SourceErrorKind> for HubErrorKind {
    fn from(kind: SourceErrorKind) -> Self {
        Self::Transfer(kind)
    }
}

/// The downloader sees the kind; the whole error travels below it.
impl From<HubError> for SourceError {
    fn from(error: HubError) -> Self {
        let kind = error.kind.of_source();
        let source_error = Self::new(kind, format!("{} at {}", error.detail, error.address));
        let source_error = match error.retry_after {
            Some(wait) => source_error.with_retry_after(wait),
            None => source_error,
        };
        source_error.with_source(error)
    }
}

impl fmt::Display for HubErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denial) => write!(formatter, "no access ({denial})"),
            Self::Missing(missing) => write!(formatter, "{missing} not found"),
            Self::Transfer(kind) => write!(formatter, "{kind}"),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::GatedWithoutToken => "gated, and no token is set",
            Self::Gated => "gated, and the account has no access",
            Self::PrivateOrMissing => "private or missing, and no token is set",
            Self::BadToken => "the token is not accepted",
            Self::Forbidden => "the account may not read it",
        })
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Repository => "repository",
            Self::Revision => "revision",
            Self::File => "file",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hub_refuses_or_lacks_and_what_is_final_is_not_asked_for_again() {
        let persistence = |kind: HubErrorKind| HubError::new(kind, "", "").persistence();
        let denied = HubErrorKind::Denied(Denial::Gated);
        let missing = HubErrorKind::Missing(Missing::File);
        assert_eq!(persistence(denied), Persistence::Never);
        assert_eq!(persistence(missing), Persistence::Never);

        let mut error = HubError::new(SourceErrorKind::HeadersTimeout, "", "");
        assert_eq!(error.persistence(), Persistence::Full);
        error.is_final = true;
        assert_eq!(error.persistence(), Persistence::Never);
    }
}
