//! Why a question to the Hub or its CDN has no answer.

use std::{fmt, time::Duration};

use downloader::{SourceError, SourceErrorKind};

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

/// How much a failed question is worth asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// The same question gets the same answer.
    Never,
    /// A server's trouble: it passes, or it does not pass soon.
    Tries,
    /// The Hub cannot be reached: the network may come back in the night.
    Network,
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
    pub(crate) fn persistence(&self) -> Persistence {
        match self.kind {
            _ if self.is_final => Persistence::Never,
            HubErrorKind::Denied(_) | HubErrorKind::Missing(_) => Persistence::Never,
            HubErrorKind::Transfer(kind) => match kind {
                SourceErrorKind::Dns | SourceErrorKind::Connect => Persistence::Network,
                SourceErrorKind::HeadersTimeout
                | SourceErrorKind::RateLimited
                | SourceErrorKind::Proxy
                | SourceErrorKind::Cut
                | SourceErrorKind::Status(408 | 425 | 429 | 500 | 502..=504 | 506..) => {
                    Persistence::Tries
                }
                SourceErrorKind::Status(_)
                | SourceErrorKind::Tls
                | SourceErrorKind::Unauthorized
                | SourceErrorKind::NotFound
                | SourceErrorKind::Changed
                | SourceErrorKind::BadUpstream
                | SourceErrorKind::TooManyRedirects => Persistence::Never,
            },
        }
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
        let kind = match error.kind {
            HubErrorKind::Denied(_) => SourceErrorKind::Unauthorized,
            HubErrorKind::Missing(_) => SourceErrorKind::NotFound,
            HubErrorKind::Transfer(kind) => kind,
        };
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

    fn persistence(kind: impl Into<HubErrorKind>) -> Persistence {
        HubError::new(kind, "", "").persistence()
    }

    #[test]
    fn every_kind_of_failure_is_asked_again_as_the_table_says() {
        use Persistence::{Network, Never, Tries};
        for (kind, expected) in [
            (SourceErrorKind::Dns, Network),
            (SourceErrorKind::Connect, Network),
            (SourceErrorKind::Tls, Never),
            (SourceErrorKind::HeadersTimeout, Tries),
            (SourceErrorKind::RateLimited, Tries),
            (SourceErrorKind::Unauthorized, Never),
            (SourceErrorKind::NotFound, Never),
            (SourceErrorKind::Changed, Never),
            (SourceErrorKind::BadUpstream, Never),
            (SourceErrorKind::TooManyRedirects, Never),
            (SourceErrorKind::Proxy, Tries),
            (SourceErrorKind::Cut, Tries),
        ] {
            assert_eq!(persistence(kind), expected, "{kind}");
        }
        assert_eq!(persistence(HubErrorKind::Denied(Denial::Gated)), Never);
        assert_eq!(persistence(HubErrorKind::Missing(Missing::File)), Never);
    }

    #[test]
    fn every_status_is_asked_again_as_the_table_says() {
        for status in 0..600 {
            let expected = match status {
                408 | 425 | 429 | 500 | 502..=504 | 506..=599 => Persistence::Tries,
                _ => Persistence::Never,
            };
            let kind = SourceErrorKind::Status(status);
            assert_eq!(persistence(kind), expected, "{status}");
        }
    }
}
