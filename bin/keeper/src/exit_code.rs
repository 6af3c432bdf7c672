//! What a shell sees when keeper has ended: documented constants, and total functions from outcomes to them.

use std::process::ExitCode;

use hive_api::{Open, Problem, ProblemCode};
use hive_client::ClientError;

/// What was asked for is done.
pub const DONE: u8 = 0;
/// The job failed for good.
pub const FAILED: u8 = 1;
/// Bad usage or input: keeper or the hive did not accept what was asked.
pub const USAGE: u8 = 2;
/// The hive cannot be reached.
pub const UNREACHABLE: u8 = 3;
/// The hive does not accept who asks.
pub const UNAUTHORISED: u8 = 4;
/// No such job or model on the hive.
pub const NOT_FOUND: u8 = 5;
/// Refused: a conflict, or in use.
pub const REFUSED: u8 = 6;
/// The job failed, and trying again may help (`EX_TEMPFAIL` of sysexits.h).
pub const TRY_AGAIN: u8 = 75;
/// The job was cancelled; a keeper that was told so by Ctrl+C ends by the signal itself, which a shell shows as this.
pub const CANCELLED: u8 = 130;

/// From the worst to the best of the codes that several jobs may end with.
const WORST_FIRST: [u8; 9] = [
    UNAUTHORISED,
    UNREACHABLE,
    USAGE,
    FAILED,
    REFUSED,
    NOT_FOUND,
    CANCELLED,
    TRY_AGAIN,
    DONE,
];

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Ending {
    /// With an exit code.
    Code(u8),
    /// By this signal, so that a shell stops its loop.
    Signal(i32),
}

impl Ending {
    /// Everything is done.
    pub(crate) const DONE: Self = Self::Code(DONE);

    /// Ends the process this way; for a signal, this does not return.
    pub(crate) fn take(self) -> ExitCode {
        match self {
            Self::Code(code) => ExitCode::from(code),
            Self::Signal(signal) => {
                // Restores the default action and raises; on the impossible error the usual number says the same.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
                ExitCode::from(u8::try_from(128 + signal).unwrap_or(FAILED))
            }
        }
    }
}

/// The code of several jobs: that of the one that went worst.
pub(crate) fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: &u8| WORST_FIRST.iter().position(|other| other == code);
    codes
        .into_iter()
        .min_by_key(|code| rank(code).unwrap_or(0))
        .unwrap_or(DONE)
}

/// The code of a failed job.
pub(crate) const fn of_failed_job(retryable: bool) -> u8 {
    if retryable { TRY_AGAIN } else { FAILED }
}

/// The code of a request that a hive or its way there refused.
pub(crate) fn of_client_error(error: &ClientError) -> u8 {
    match error {
        ClientError::BadAddress { .. }
        | ClientError::BadCaFile { .. }
        | ClientError::NoClient { .. } => USAGE,
        ClientError::Unreachable { .. }
        | ClientError::NotTls { .. }
        | ClientError::AnswerLost { .. }
        | ClientError::TimedOut { .. } => UNREACHABLE,
        // A certificate that is not the right one does not become it: a person has to look.
        ClientError::Unauthorized(_)
        | ClientError::AnotherCertificate { .. }
        | ClientError::UntrustedCertificate { .. } => UNAUTHORISED,
        ClientError::Problem(problem) => of_problem(problem),
        ClientError::Protocol { .. } => FAILED,
    }
}

/// The code of a problem that a hive answered a request with.
pub(crate) fn of_problem(problem: &Problem) -> u8 {
    let Open::Known(code) = &problem.code else {
        return of_status(problem.status, problem.retryable);
    };
    match code {
        ProblemCode::MalformedJson
        | ProblemCode::MalformedHeader
        | ProblemCode::HttpsRequired
        | ProblemCode::MethodNotAllowed
        | ProblemCode::PayloadTooLarge
        | ProblemCode::UriTooLong
        | ProblemCode::UnsupportedMediaType
        | ProblemCode::InvalidRequest => USAGE,
        ProblemCode::Unauthenticated
        | ProblemCode::Forbidden
        | ProblemCode::HostNotAllowed
        | ProblemCode::OriginNotAllowed
        | ProblemCode::PairingRefused => UNAUTHORISED,
        ProblemCode::NotFound => NOT_FOUND,
        ProblemCode::WrongState
        | ProblemCode::ModelInUse
        | ProblemCode::NameTaken
        | ProblemCode::DoctorRunning
        | ProblemCode::PairingUnavailable
        | ProblemCode::IdempotencyKeyReuse => REFUSED,
        ProblemCode::RequestTimeout
        | ProblemCode::QuotaExceeded
        | ProblemCode::TooManyStreams
        | ProblemCode::TooManyFailures
        | ProblemCode::Internal
        | ProblemCode::ShuttingDown
        | ProblemCode::StoreUnavailable
        | ProblemCode::InsufficientStorage
        | ProblemCode::SelectorNotFound
        | ProblemCode::IncompleteShards
        | ProblemCode::UnsupportedFormat
        | ProblemCode::UpstreamNotFound
        | ProblemCode::UpstreamAuth
        | ProblemCode::UpstreamDns
        | ProblemCode::UpstreamConnect
        | ProblemCode::UpstreamTls
        | ProblemCode::UpstreamTimeout
        | ProblemCode::UpstreamRateLimited
        | ProblemCode::UpstreamHttp
        | ProblemCode::UpstreamChanged
        | ProblemCode::BadUpstream
        | ProblemCode::UnsafeRemoteName
        | ProblemCode::TooManyRedirects
        | ProblemCode::Stalled
        | ProblemCode::Offline
        | ProblemCode::ProxyError
        | ProblemCode::SizeMismatch
        | ProblemCode::IntegrityMismatch
        | ProblemCode::DiskFull
        | ProblemCode::PermissionDenied
        | ProblemCode::ReadOnly
        | ProblemCode::LinksUnsupported
        | ProblemCode::IoError
        | ProblemCode::AttemptsExhausted => of_failed_job(problem.retryable),
    }
}

/// The code of a problem of a newer hive, by its HTTP status.
const fn of_status(status: u16, retryable: bool) -> u8 {
    match status {
        400 | 422 => USAGE,
        401 | 403 => UNAUTHORISED,
        404 => NOT_FOUND,
        409 => REFUSED,
        _ => of_failed_job(retryable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_code_has_the_documented_exit_code() {
        let with = |exit: u8| -> Vec<&str> {
            ProblemCode::ALL
                .iter()
                .filter(|code| of_problem(&Problem::new(**code, "it")) == exit)
                .map(|code| code.as_str())
                .collect()
        };
        assert_eq!(
            with(USAGE),
            [
                "malformed_json",
                "malformed_header",
                "https_required",
                "method_not_allowed",
                "payload_too_large",
                "uri_too_long",
                "unsupported_media_type",
                "invalid_request"
            ]
        );
        assert_eq!(
            with(UNAUTHORISED),
            [
                "unauthenticated",
                "forbidden",
                "host_not_allowed",
                "origin_not_allowed",
                "pairing_refused"
            ]
        );
        assert_eq!(with(NOT_FOUND), ["not_found"]);
        assert_eq!(
            with(REFUSED),
            [
                "wrong_state",
                "model_in_use",
                "name_taken",
                "pairing_unavailable",
                "doctor_running",
                "idempotency_key_reuse"
            ]
        );
        assert!(with(FAILED).contains(&"upstream_auth"));
        assert!(with(FAILED).contains(&"selector_not_found"));
        assert!(with(TRY_AGAIN).contains(&"stalled"));
        assert!(with(TRY_AGAIN).contains(&"shutting_down"));
    }

    #[test]
    fn a_code_of_a_newer_hive_is_judged_by_its_status() {
        let newer = |status: u16, retryable: bool| {
            let mut problem = Problem::new(ProblemCode::Internal, "it");
            problem.code = Open::Unknown("budget_exceeded".to_owned());
            problem.status = status;
            problem.retryable = retryable;
            of_problem(&problem)
        };
        assert_eq!(newer(422, false), USAGE);
        assert_eq!(newer(403, false), UNAUTHORISED);
        assert_eq!(newer(404, false), NOT_FOUND);
        assert_eq!(newer(409, false), REFUSED);
        assert_eq!(newer(429, true), TRY_AGAIN);
        assert_eq!(newer(500, false), FAILED);
    }

    #[test]
    fn the_worst_of_several_jobs_counts() {
        assert_eq!(worst([]), DONE);
        assert_eq!(worst([DONE, TRY_AGAIN]), TRY_AGAIN);
        assert_eq!(worst([TRY_AGAIN, FAILED, DONE]), FAILED);
        assert_eq!(worst([FAILED, UNREACHABLE]), UNREACHABLE);
        assert_eq!(worst([UNREACHABLE, UNAUTHORISED, FAILED]), UNAUTHORISED);
    }
}
