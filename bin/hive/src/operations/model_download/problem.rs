//! From what stopped the provisioner to what a person is told: the code, what happened, why, and what to do next.

use std::{io, path::Path};

use downloader::SourceErrorKind;
use hive_api::{JobId, Problem, ProblemCode};
use model_provisioner::{
    Choice, Denial, HubErrorKind, Missing, ProvisionError, RetryCause, StorageFault,
};

use super::figures::suggestion;
use crate::operations::words;

/// What to do about a full disk.
const MAKE_ROOM: &str = "remove what is not needed (keeper model list)";

/// Whose problem it is: it goes into what to do next.
pub(super) struct Occasion<'a> {
    /// The machine's name.
    pub(super) machine: &'a str,
    /// The Hub account, where its name is known.
    pub(super) account: Option<String>,
    /// The job, where it is one that can be tried again.
    pub(super) job: Option<JobId>,
}

impl Occasion<'_> {
    /// `do this`, and then how to go on.
    fn then_retry(&self, first: &str) -> String {
        match self.job {
            Some(job) => format!("{first}, then keeper job retry {}", job.short()),
            None => format!("{first}, then try again"),
        }
    }
}

/// The problem of a plan or a download; `None` for one that was told to stop.
pub(super) fn problem(error: &ProvisionError, occasion: &Occasion<'_>) -> Option<Problem> {
    use ProvisionError as Error;

    Some(match error {
        Error::Cancelled => return None,
        Error::BadGlob { .. } => Problem::new(ProblemCode::InvalidRequest, error.to_string()),
        Error::SelectorNotFound {
            repo,
            selector,
            suggestions,
        } => selector_not_found(repo, selector.as_deref(), suggestions),
        Error::SelectorAmbiguous {
            repo,
            selector,
            candidates,
        } => selector_ambiguous(repo, selector, candidates),
        Error::IncompleteShards {
            repo,
            selector,
            missing,
        } => incomplete_shards(repo, selector, missing),
        Error::UnsupportedFormat { repo, formats } => unsupported_format(repo, formats),
        Error::NothingSelected { repo } => nothing_selected(repo),
        Error::UnsafeRemoteName { repo, path, reason } => unsafe_remote_name(repo, path, reason),
        Error::NotFound { repo, missing } => not_found(repo, *missing),
        Error::AccessDenied {
            repo,
            denial,
            page,
            token_source,
        } => denied(repo, *denial, page, token_source.as_deref(), occasion),
        Error::Upstream {
            kind,
            address,
            detail,
            source: _,
        } => upstream(*kind, address, detail, occasion),
        Error::Stalled { detail, .. } => Problem::new(ProblemCode::Stalled, error.to_string())
            .with_reason(detail.clone())
            .with_hint(occasion.then_retry("check the network")),
        Error::NoHash { .. } => Problem::new(ProblemCode::BadUpstream, error.to_string()),
        Error::SizeMismatch { .. } => wrong_bytes(ProblemCode::SizeMismatch, error, occasion),
        Error::IntegrityMismatch { .. } => {
            wrong_bytes(ProblemCode::IntegrityMismatch, error, occasion)
        }
        Error::InsufficientStorage {
            needed_bytes,
            free_bytes,
            reserved_bytes,
        } => insufficient_storage(*needed_bytes, *free_bytes, *reserved_bytes, occasion),
        Error::DiskFull {
            path,
            needed_bytes,
            free_bytes,
            source: _,
        } => disk_full(path, *needed_bytes, *free_bytes, occasion),
        Error::Offline { repo, reason } => offline(repo, reason, occasion),
        Error::Storage {
            fault,
            path,
            source,
        } => storage(*fault, path, source, occasion),
    })
}

fn selector_ambiguous(repo: &str, selector: &str, candidates: &[Choice]) -> Problem {
    let detail = format!("{repo} has several files with the quantisation {selector}");
    choose(ProblemCode::SelectorNotFound, detail, repo, candidates)
}

fn incomplete_shards(repo: &str, selector: &str, missing: &[String]) -> Problem {
    let detail = format!("{repo} lacks shards of {selector}: {}", missing.join(", "));
    Problem::new(ProblemCode::IncompleteShards, detail)
        .with_hint("choose another quantisation, or ask the repository's owner")
}

fn nothing_selected(repo: &str) -> Problem {
    let detail = format!("no file of {repo} is selected");
    Problem::new(ProblemCode::SelectorNotFound, detail)
        .with_hint("widen --include or narrow --exclude")
}

fn unsafe_remote_name(repo: &str, path: &str, reason: &str) -> Problem {
    let path = path.escape_default();
    let detail = format!("{repo} has a file whose name is unsafe: {path}");
    Problem::new(ProblemCode::UnsafeRemoteName, detail)
        .with_reason(reason)
        .with_hint("nothing was written; the repository's owner has to rename it")
}

fn selector_not_found(repo: &str, selector: Option<&str>, suggestions: &[Choice]) -> Problem {
    let detail = match selector {
        Some(selector) => format!("{repo} has no {selector}"),
        None => format!("{repo} has none of the usual quantisations, so one has to be named"),
    };
    choose(ProblemCode::SelectorNotFound, detail, repo, suggestions)
}

/// Names what could be asked for instead, the first as a whole command.
fn choose(code: ProblemCode, detail: String, repo: &str, choices: &[Choice]) -> Problem {
    let problem =
        Problem::new(code, detail).with_suggestions(choices.iter().map(suggestion).collect());
    let Some(first) = choices.first() else {
        return problem.with_hint(format!(
            "keeper model plan {repo} --all-files shows what it has"
        ));
    };
    let size = first
        .bytes
        .map(|bytes| format!("   ({})", words::bytes(bytes)));
    let size = size.unwrap_or_default();
    problem.with_hint(format!(
        "keeper model download {repo}:{}{size}",
        first.selector
    ))
}

fn unsupported_format(repo: &str, formats: &[String]) -> Problem {
    let problem = Problem::new(
        ProblemCode::UnsupportedFormat,
        format!("{repo} has neither GGUF nor safetensors weights"),
    )
    .with_hint(format!(
        "keeper model download {repo} --all-files takes what there is"
    ));
    if formats.is_empty() {
        return problem;
    }
    problem.with_reason(format!("its weights are {}", formats.join(", ")))
}

fn not_found(repo: &str, missing: Missing) -> Problem {
    let (detail, hint) = match missing {
        Missing::Repository => (
            format!("the Hub has no repository {repo}"),
            "check the name on the Hub; a private one is only seen with an account that may",
        ),
        Missing::Revision => (
            format!("{repo} has no such revision"),
            "name a branch, tag or commit that it has, or leave the @ out",
        ),
        Missing::File => (
            format!("a file of {repo} is gone from the Hub"),
            "look at the repository on the Hub, its owner may be changing it",
        ),
    };
    Problem::new(ProblemCode::UpstreamNotFound, detail).with_hint(hint)
}

fn denied(
    repo: &str,
    denial: Denial,
    page: &str,
    token_source: Option<&str>,
    occasion: &Occasion<'_>,
) -> Problem {
    let machine = occasion.machine;
    let token = match (token_source, &occasion.account) {
        (None, _) => format!("{machine} has no Hub token"),
        (Some(source), Some(name)) => format!("account {name} of {machine} (token from {source})"),
        (Some(source), None) => format!("the account of {machine} (token from {source})"),
    };
    let log_in = "log in with keeper hive login";
    let accept = format!("accept the terms at {page}");
    let (detail, reason, first) = match denial {
        Denial::GatedWithoutToken => (
            format!("{repo} is gated"),
            token,
            format!("{accept}; {log_in}"),
        ),
        Denial::Gated => (
            format!("{repo} is gated"),
            format!("{token} has no access yet"),
            accept,
        ),
        Denial::PrivateOrMissing => {
            let first = format!("check the name; if it is private, {log_in}");
            let detail = format!("the Hub has no repository {repo}, or it is private");
            (detail, token, first)
        }
        Denial::BadToken => (
            format!("the Hub does not accept the token of {machine}"),
            format!(
                "the token is from {}",
                token_source.unwrap_or("an unknown place")
            ),
            log_in.to_owned(),
        ),
        Denial::Forbidden => {
            let first = format!("give the account access at {page}, or {log_in}");
            (
                format!("the Hub refuses {repo}"),
                format!("{token} may not read it"),
                first,
            )
        }
    };
    let code = match denial {
        // What the Hub says without a token of either: that there is no such repository.
        Denial::PrivateOrMissing => ProblemCode::UpstreamNotFound,
        Denial::GatedWithoutToken | Denial::Gated | Denial::BadToken | Denial::Forbidden => {
            ProblemCode::UpstreamAuth
        }
    };
    Problem::new(code, detail)
        .with_reason(reason)
        .with_hint(occasion.then_retry(&first))
}

fn upstream(kind: HubErrorKind, address: &str, detail: &str, occasion: &Occasion<'_>) -> Problem {
    let transfer = match kind {
        HubErrorKind::Denied(_) => SourceErrorKind::Unauthorized,
        HubErrorKind::Missing(_) => SourceErrorKind::NotFound,
        HubErrorKind::Transfer(transfer) => transfer,
    };
    let code = code_of_transfer(transfer);
    let first = match code {
        ProblemCode::UpstreamDns | ProblemCode::UpstreamConnect | ProblemCode::UpstreamTimeout => {
            format!("check the network of {}", occasion.machine)
        }
        ProblemCode::UpstreamTls => {
            format!("check the clock and SSL_CERT_FILE of {}", occasion.machine)
        }
        ProblemCode::ProxyError => format!("check the proxy of {}", occasion.machine),
        ProblemCode::UpstreamRateLimited => "wait a few minutes".to_owned(),
        ProblemCode::BadUpstream => format!(
            "see whether a log-in page or a proxy answers {} in the Hub's place",
            occasion.machine
        ),
        _ => "look at https://status.huggingface.co".to_owned(),
    };
    Problem::new(code, format!("{address}: {detail}")).with_hint(occasion.then_retry(&first))
}

/// The code of what may befall any request.
fn code_of_transfer(kind: SourceErrorKind) -> ProblemCode {
    match kind {
        SourceErrorKind::Dns => ProblemCode::UpstreamDns,
        SourceErrorKind::Connect | SourceErrorKind::Cut => ProblemCode::UpstreamConnect,
        SourceErrorKind::Tls => ProblemCode::UpstreamTls,
        SourceErrorKind::HeadersTimeout => ProblemCode::UpstreamTimeout,
        SourceErrorKind::Unauthorized => ProblemCode::UpstreamAuth,
        SourceErrorKind::NotFound => ProblemCode::UpstreamNotFound,
        SourceErrorKind::RateLimited => ProblemCode::UpstreamRateLimited,
        SourceErrorKind::Changed => ProblemCode::UpstreamChanged,
        SourceErrorKind::Status(_) => ProblemCode::UpstreamHttp,
        SourceErrorKind::BadUpstream => ProblemCode::BadUpstream,
        SourceErrorKind::TooManyRedirects => ProblemCode::TooManyRedirects,
        SourceErrorKind::Proxy => ProblemCode::ProxyError,
    }
}

/// Why something is tried again, with the code that the job would fail with.
pub(super) fn code_of_retry(cause: RetryCause) -> ProblemCode {
    match cause {
        RetryCause::Source(kind) => code_of_transfer(kind),
        RetryCause::Stalled(_) => ProblemCode::Stalled,
        RetryCause::IntegrityMismatch => ProblemCode::IntegrityMismatch,
    }
}

fn wrong_bytes(code: ProblemCode, error: &ProvisionError, occasion: &Occasion<'_>) -> Problem {
    Problem::new(code, error.to_string())
        .with_reason("the bytes that came are not those that the Hub promised, nothing was kept")
        .with_hint(occasion.then_retry("check for a proxy that changes files"))
}

fn insufficient_storage(needed: u64, free: u64, reserved: u64, occasion: &Occasion<'_>) -> Problem {
    let machine = occasion.machine;
    let (needed, free) = (words::bytes(needed), words::bytes(free));
    let detail = format!("{needed} are needed and {free} are free on {machine}");
    let problem = Problem::new(ProblemCode::InsufficientStorage, detail)
        .with_hint(occasion.then_retry(MAKE_ROOM));
    if reserved == 0 {
        return problem;
    }
    let reserved = words::bytes(reserved);
    problem.with_reason(format!(
        "running downloads have reserved {reserved} of what is free"
    ))
}

fn disk_full(path: &str, needed: u64, free: u64, occasion: &Occasion<'_>) -> Problem {
    let machine = occasion.machine;
    let (needed, free) = (words::bytes(needed), words::bytes(free));
    let detail = format!("the disk of {machine} became full while {path} was received");
    Problem::new(ProblemCode::DiskFull, detail)
        .with_reason(format!("{needed} are still needed and {free} are free"))
        .with_hint(occasion.then_retry(MAKE_ROOM))
}

fn offline(repo: &str, reason: &str, occasion: &Occasion<'_>) -> Problem {
    let machine = occasion.machine;
    let detail = format!("{machine} must not ask the Hub, and its store lacks {repo}");
    let first =
        format!("on {machine}, unset HF_HUB_OFFLINE and restart the hive with keeper hive restart");
    Problem::new(ProblemCode::Offline, detail)
        .with_reason(format!("HF_HUB_OFFLINE is set, and {reason}"))
        .with_hint(occasion.then_retry(&first))
}

fn storage(
    fault: StorageFault,
    path: &Path,
    source: &io::Error,
    occasion: &Occasion<'_>,
) -> Problem {
    let (code, first) = match fault {
        StorageFault::DiskFull => (ProblemCode::DiskFull, MAKE_ROOM),
        StorageFault::PermissionDenied => (
            ProblemCode::PermissionDenied,
            "let the hive's user write there",
        ),
        StorageFault::ReadOnly => (ProblemCode::ReadOnly, "mount it for writing"),
        StorageFault::NoLinks => (
            ProblemCode::LinksUnsupported,
            "keep the models on ext4, XFS, Btrfs or another file system with symbolic links (hive serve --model-dir)",
        ),
        StorageFault::Io => (ProblemCode::IoError, "check the disk"),
    };
    Problem::new(
        code,
        format!("{fault} at {} on {}", path.display(), occasion.machine),
    )
    .with_reason(source.to_string())
    .with_hint(occasion.then_retry(first))
}

#[cfg(test)]
mod tests;
