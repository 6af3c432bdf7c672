//! Why a request to a hive has no answer that one can use.

use std::{error::Error, path::PathBuf, time::Duration};

use hive_api::{Fingerprint, Problem};

use crate::CertificateProblem;

/// A request to a hive failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be that of a hive.
    #[error("`{address}` is not the address of a hive: {reason}")]
    BadAddress {
        /// The address as it was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection: the request was not sent.
    #[error("no hive answers at {hive}")]
    Unreachable {
        /// Where the hive was looked for.
        hive: String,
        /// What the connection failed with.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The request was sent and its answer did not come, or not whole.
    #[error("the answer of the hive at {hive} was lost")]
    AnswerLost {
        /// Where the hive is.
        hive: String,
        /// How the connection ended.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The whole answer did not come in time.
    #[error("no answer from the hive at {hive} in {}", Seconds(.limit))]
    TimedOut {
        /// Where the hive is.
        hive: String,
        /// The limit of the whole answer.
        limit: Duration,
    },
    /// The hive shows another certificate than the pinned one: it was renewed, or somebody stands between.
    #[error("{hive} shows another certificate than the pinned one")]
    AnotherCertificate {
        /// Where the hive was looked for.
        hive: String,
        /// The certificate that was expected.
        pinned: Fingerprint,
        /// The certificate that came.
        shown: Fingerprint,
    },
    /// The certificate of the hive is not accepted.
    #[error("the certificate of {hive} is not accepted: {problem}")]
    UntrustedCertificate {
        /// Where the hive was looked for.
        hive: String,
        /// Why.
        problem: CertificateProblem,
    },
    /// An https address where nothing speaks TLS.
    #[error("what answers at {hive} does not speak TLS")]
    NotTls {
        /// Where the hive was looked for.
        hive: String,
    },
    /// The file of trusted authorities cannot be used.
    #[error("cannot use the certificates in {}: {reason}", path.display())]
    BadCaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be set up; the certificates of the system are what it may lack.
    #[error("no HTTP client could be made: {reason}")]
    NoClient {
        /// Why.
        reason: String,
    },
    /// The hive does not accept who asks (401, 403).
    #[error("the hive refuses: {}", .0.detail)]
    Unauthorized(Box<Problem>),
    /// The hive refused or could not do what was asked.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// What came is not the answer of a hive.
    #[error("what answers at {hive} does not speak like a hive: {detail}")]
    Protocol {
        /// Where it was asked.
        hive: String,
        /// What is wrong with the answer.
        detail: String,
    },
}

impl ClientError {
    /// The hive's own words about it, where it had any.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Unauthorized(problem) | Self::Problem(problem) => Some(problem),
            Self::BadAddress { .. }
            | Self::Unreachable { .. }
            | Self::AnswerLost { .. }
            | Self::TimedOut { .. }
            | Self::AnotherCertificate { .. }
            | Self::UntrustedCertificate { .. }
            | Self::NotTls { .. }
            | Self::BadCaFile { .. }
            | Self::NoClient { .. }
            | Self::Protocol { .. } => None,
        }
    }

    /// Whether no answer came, so that the same request may be answered later.
    pub fn is_unanswered(&self) -> bool {
        self.may_have_been_received() || matches!(self, Self::Unreachable { .. })
    }

    /// Whether the hive may have acted on the request although no answer came.
    pub fn may_have_been_received(&self) -> bool {
        match self {
            Self::AnswerLost { .. } | Self::TimedOut { .. } => true,
            Self::BadAddress { .. }
            | Self::Unreachable { .. }
            | Self::AnotherCertificate { .. }
            | Self::UntrustedCertificate { .. }
            | Self::NotTls { .. }
            | Self::BadCaFile { .. }
            | Self::NoClient { .. }
            | Self::Unauthorized(_)
            | Self::Problem(_)
            | Self::Protocol { .. } => false,
        }
    }
}

/// A limit in words.
struct Seconds<'a>(&'a Duration);

impl std::fmt::Display for Seconds<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} s", self.0.as_secs())
    }
}
