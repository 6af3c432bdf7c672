//! What a person is told when a command could not do what was asked: what happened, why, and what to do next.

use std::error::Error;

use hive_api::{Open, Problem, ProblemCode};
use hive_client::{CertificateProblem, ClientError};

use crate::{
    exit_code,
    hives::{self, Hive},
    ui::{Printer, Tone, screens},
};

/// Why a command ends without having done what was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: u8,
    /// What happened to what: the problem of a hive, or one in its shape.
    pub(crate) problem: Box<Problem>,
    /// Further lines that help, such as the end of a log.
    pub(crate) lines: Vec<String>,
    /// The hive that it is about, where that is not this machine's own.
    pub(crate) hive: Option<String>,
}

impl Failure {
    /// A failure of keeper itself, with what to do next.
    pub(crate) fn new(
        exit: u8,
        code: &str,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        let mut problem = Problem::new(ProblemCode::Internal, detail).with_hint(next);
        problem.type_uri = format!("urn:hive:problem:{code}");
        code.clone_into(&mut problem.title);
        problem.code = Open::Unknown(code.to_owned());
        problem.status = 0;
        problem.retryable = false;
        Self {
            exit,
            problem: Box::new(problem),
            lines: Vec::new(),
            hive: None,
        }
    }

    /// Bad usage or input, with the remedy.
    pub(crate) fn usage(detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(exit_code::USAGE, "usage", detail, next)
    }

    /// What was given to reach a hive with cannot be used.
    pub(crate) fn of_endpoint(error: &ClientError) -> Self {
        let next = match error {
            ClientError::BadCaFile { .. } => "name a PEM file with certificates",
            ClientError::NoClient { .. } => {
                "correct SSL_CERT_FILE, or install the system's authorities (Debian: ca-certificates)"
            }
            _ => hives::ADDRESSES,
        };
        Self::usage(error.to_string(), next)
    }

    /// A request to this hive failed.
    pub(crate) fn of_client(hive: &Hive, error: &ClientError) -> Self {
        let failure = Self::of_request(hive, error);
        if hive.is_local {
            failure
        } else {
            failure.about(&hive.name)
        }
    }

    fn of_request(hive: &Hive, error: &ClientError) -> Self {
        let exit = exit_code::of_client_error(error);
        let unreachable = |detail: String| {
            let failure = Self::new(exit, "hive_unreachable", detail, hive.remedy());
            failure.because(innermost(error))
        };
        match error {
            ClientError::Problem(problem) => {
                let hint = problem.hint.as_ref().map(|hint| hive.reaching(hint));
                Self::of_problem(exit, problem, hint)
            }
            ClientError::Unauthorized(problem) => {
                Self::of_problem(exit, problem, Some(way_in(hive, problem)))
            }
            ClientError::BadAddress { .. }
            | ClientError::BadCaFile { .. }
            | ClientError::NoClient { .. } => Self::of_endpoint(error),
            ClientError::AnotherCertificate { pinned, shown, .. } => Self::new(
                exit,
                "another_certificate",
                error.to_string(),
                format!(
                    "if it was renewed there, {}; if not, somebody stands between, and nothing was sent",
                    hive.how_to_pair()
                ),
            )
            .because(Some(format!("pinned {pinned}, shown {shown}"))),
            ClientError::UntrustedCertificate { problem, .. } => Self::new(
                exit,
                "untrusted_certificate",
                error.to_string(),
                remedy_of_certificate(problem),
            ),
            ClientError::NotTls { .. } => Self::new(
                exit,
                "not_tls",
                error.to_string(),
                "start it there with hive serve --tls-self-signed, or check the port",
            ),
            ClientError::Unreachable { .. }
            | ClientError::AnswerLost { .. }
            | ClientError::TimedOut { .. } => unreachable(error.to_string()),
            ClientError::Protocol { .. } => Self::new(
                exit,
                "protocol",
                error.to_string(),
                "check the address, and that hive and keeper have the same version",
            ),
        }
    }

    fn of_problem(exit: u8, problem: &Problem, hint: Option<String>) -> Self {
        Self {
            exit,
            problem: Box::new(Problem {
                hint,
                ..problem.clone()
            }),
            lines: Vec::new(),
            hive: None,
        }
    }

    /// Says which hive it is about.
    pub(crate) fn about(mut self, hive: &str) -> Self {
        self.hive = Some(hive.to_owned());
        self
    }

    /// Says why.
    pub(crate) fn because(mut self, reason: Option<String>) -> Self {
        self.problem.reason = reason;
        self
    }

    /// Says whether trying again may help.
    pub(crate) fn retryable(mut self, retryable: bool) -> Self {
        self.problem.retryable = retryable;
        self
    }

    /// Whether trying again helps only after a person has done something.
    pub(crate) fn needs_person(&self) -> bool {
        !self.problem.retryable
    }

    /// Adds lines that help.
    pub(crate) fn with_lines(mut self, lines: Vec<String>) -> Self {
        self.lines = lines;
        self
    }

    /// Tells the person, or the program that reads stdout, for which it is the only line.
    pub(crate) fn tell(&self, printer: &Printer) {
        self.tell_of(printer, None);
    }

    /// The same with the hive that it is about, where there are several.
    pub(crate) fn tell_of(&self, printer: &Printer, hive: Option<&str>) {
        if printer.settings().is_json() {
            printer.json_of(hive, &self.problem);
            return;
        }
        let hive = hive.or_else(|| self.unnamed_hive());
        for (number, line) in screens::refused(self).iter().enumerate() {
            match (number, hive) {
                (0, Some(hive)) => printer.must_know(Tone::Bad, &format!("{hive}: {line}")),
                (0, None) => printer.must_know(Tone::Bad, line),
                _ => printer.must_know(Tone::Plain, line),
            }
        }
    }

    /// Its hive, where its own words do not name it.
    fn unnamed_hive(&self) -> Option<&str> {
        let hive = self.hive.as_deref()?;
        (!self.problem.detail.contains(hive)).then_some(hive)
    }
}

/// How somebody gets in whom a hive does not let in.
fn way_in(hive: &Hive, problem: &Problem) -> String {
    let is_stranger = problem.code == Open::Known(ProblemCode::Unauthenticated);
    match &problem.hint {
        Some(hint) if !is_stranger => hint.clone(),
        Some(_) | None => {
            let or_token = ", or set KEEPER_TOKEN to what hive token create prints there";
            hive.how_to_pair() + if hive.is_known { "" } else { or_token }
        }
    }
}

/// What to do about a certificate that is not accepted.
fn remedy_of_certificate(problem: &CertificateProblem) -> &'static str {
    match problem {
        CertificateProblem::UnknownIssuer | CertificateProblem::BadSignature => {
            "pin it (--pin, KEEPER_PIN: the log of hive serve shows its fingerprint), or name its authority's file \
             in KEEPER_CA_FILE"
        }
        CertificateProblem::WrongName => {
            "use a name that the certificate has, or pin it (--pin, KEEPER_PIN)"
        }
        CertificateProblem::Expired | CertificateProblem::NotYetValid => {
            "renew it there and send hive a SIGHUP, or pin it (--pin, KEEPER_PIN)"
        }
        CertificateProblem::Other(_) => "look at the certificate, or pin it (--pin, KEEPER_PIN)",
    }
}

/// The cause that says most: an error's chain ends with it.
fn innermost(error: &ClientError) -> Option<String> {
    let mut cause = error.source()?;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Some(cause.to_string())
}
