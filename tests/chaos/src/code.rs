//! The codes with which a download may end, as the contract spells them.

use std::fmt;

use model_provisioner::{HubErrorKind, ProvisionError, SourceErrorKind};

/// Why a download ended, as far as a Hub can bring it about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    Cancelled,
    UpstreamDns,
    UpstreamConnect,
    UpstreamTimeout,
    UpstreamAuth,
    UpstreamNotFound,
    UpstreamRateLimited,
    UpstreamChanged,
    UpstreamHttp,
    BadUpstream,
    TooManyRedirects,
    Stalled,
    SizeMismatch,
    IntegrityMismatch,
}

impl Code {
    /// The code of an error; `None` for one that is never right, whatever the Hub does.
    pub(crate) fn of(error: &ProvisionError) -> Option<Self> {
        use ProvisionError as Error;
        Some(match error {
            Error::Cancelled => Self::Cancelled,
            Error::NotFound { .. } => Self::UpstreamNotFound,
            Error::AccessDenied { .. } => Self::UpstreamAuth,
            Error::Upstream { kind, .. } => return Self::of_upstream(*kind),
            Error::Stalled { .. } => Self::Stalled,
            Error::NoHash { .. } => Self::BadUpstream,
            Error::SizeMismatch { .. } => Self::SizeMismatch,
            Error::IntegrityMismatch { .. } => Self::IntegrityMismatch,
            Error::BadGlob { .. }
            | Error::SelectorNotFound { .. }
            | Error::SelectorAmbiguous { .. }
            | Error::IncompleteShards { .. }
            | Error::UnsupportedFormat { .. }
            | Error::NothingSelected { .. }
            | Error::UnsafeRemoteName { .. }
            | Error::InsufficientStorage { .. }
            | Error::DiskFull { .. }
            | Error::Offline { .. }
            | Error::Storage { .. } => return None,
        })
    }

    fn of_upstream(kind: HubErrorKind) -> Option<Self> {
        Some(match kind {
            HubErrorKind::Denied(_) => Self::UpstreamAuth,
            HubErrorKind::Missing(_) => Self::UpstreamNotFound,
            HubErrorKind::Transfer(kind) => match kind {
                SourceErrorKind::Dns => Self::UpstreamDns,
                SourceErrorKind::Connect | SourceErrorKind::Cut => Self::UpstreamConnect,
                SourceErrorKind::HeadersTimeout => Self::UpstreamTimeout,
                SourceErrorKind::Unauthorized => Self::UpstreamAuth,
                SourceErrorKind::NotFound => Self::UpstreamNotFound,
                SourceErrorKind::RateLimited => Self::UpstreamRateLimited,
                SourceErrorKind::Changed => Self::UpstreamChanged,
                SourceErrorKind::Status(_) => Self::UpstreamHttp,
                SourceErrorKind::BadUpstream => Self::BadUpstream,
                SourceErrorKind::TooManyRedirects => Self::TooManyRedirects,
                SourceErrorKind::Tls | SourceErrorKind::Proxy => return None,
            },
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Cancelled => "cancelled",
            Self::UpstreamDns => "upstream_dns",
            Self::UpstreamConnect => "upstream_connect",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamAuth => "upstream_auth",
            Self::UpstreamNotFound => "upstream_not_found",
            Self::UpstreamRateLimited => "upstream_rate_limited",
            Self::UpstreamChanged => "upstream_changed",
            Self::UpstreamHttp => "upstream_http",
            Self::BadUpstream => "bad_upstream",
            Self::TooManyRedirects => "too_many_redirects",
            Self::Stalled => "stalled",
            Self::SizeMismatch => "size_mismatch",
            Self::IntegrityMismatch => "integrity_mismatch",
        })
    }
}
