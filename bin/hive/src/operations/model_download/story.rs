//! The job's story in words: one line for each thing that a person would want to have been told.

use hive_api::LogLevel;
use job_registry::LogLine;
use model_provisioner::{Notice, Plan, RetryCause, RetryEvent};

use super::problem::code_of_retry;
use crate::operations::words;

/// What will be fetched, in one sentence.
pub(super) fn planned(plan: &Plan) -> String {
    let selector = plan
        .selector
        .as_ref()
        .map(|selector| format!(", {selector}"));
    let count = match (plan.shards, plan.files.len()) {
        (shards @ 2.., _) => format!("{shards} shards"),
        (_, 1) => "1 file".to_owned(),
        (_, files) => format!("{files} files"),
    };
    let commit = words::short_commit(&plan.commit);
    let mut parts = vec![format!(
        "{} at {commit}{}: {count}",
        plan.repo,
        selector.unwrap_or_default()
    )];
    parts.extend(plan.bytes_total.map(words::bytes));
    if plan.bytes_reused > 0 {
        parts.push(format!("{} already here", words::bytes(plan.bytes_reused)));
    }
    if let Some(to_fetch) = plan.bytes_to_fetch {
        let free = plan.free_bytes.saturating_sub(to_fetch);
        parts.push(format!("{} to fetch", words::bytes(to_fetch)));
        parts.push(format!("{} free afterwards", words::bytes(free)));
    } else {
        parts.push("size unknown".to_owned());
    }
    parts.join(", ")
}

pub(super) fn file_started(index: u32, of: u32, path: &str, bytes: u64) -> LogLine {
    let size = words::bytes(bytes);
    let message = format!("file {index} of {of}: fetching {path}, {size}");
    LogLine::new(LogLevel::Debug, message).with_code("file_started")
}

pub(super) fn file_verified(
    index: u32,
    of: u32,
    path: &str,
    bytes: u64,
    bytes_received: u64,
) -> LogLine {
    let size = words::bytes(bytes);
    let (how, code) = if bytes_received == 0 {
        ("was already here", "file_reused")
    } else {
        ("verified", "file_verified")
    };
    LogLine::info(format!("file {index} of {of}: {path} {how}, {size}")).with_code(code)
}

/// `file 3 of 3: no byte for 30 s, attempt 2 of 8 in 1.4 s, 6.9 GB kept`; without a network there is no last attempt.
pub(super) fn retry(event: &RetryEvent, of: u32) -> LogLine {
    let try_number = event.try_number;
    let tries = event.tries.map(|tries| format!(" of {tries}"));
    let tries = tries.unwrap_or_default();
    let wait = words::seconds(event.wait);
    let cause = match event.cause {
        RetryCause::Source(kind) => kind.to_string(),
        RetryCause::Stalled(stall) => stall.to_string(),
        RetryCause::IntegrityMismatch => event.message.clone(),
    };
    let what = format!("{cause}, attempt {try_number}{tries} in {wait}");
    let message = match &event.file {
        Some((index, _)) => {
            let kept = words::bytes(event.bytes_kept);
            format!("file {index} of {of}: {what}, {kept} kept")
        }
        None => what,
    };
    LogLine::warning(message)
        .with_code(code_of_retry(event.cause).as_str())
        .with_try(try_number)
}

pub(super) fn notice(notice: &Notice) -> LogLine {
    match notice {
        Notice::SizeUnknown { waited, reason } => LogLine::warning(format!(
            "size unknown after {}, going on without a total: {reason}",
            words::seconds(*waited)
        ))
        .with_code("size_unknown"),
        Notice::WaitsForOtherDownload { path } => LogLine::info(format!(
            "{path} is being fetched by another download, which fetches it for this one too"
        ))
        .with_code("waits_for_other_download"),
        Notice::KeptFromOtherCommit {
            repo,
            commit,
            bytes,
        } => LogLine::info(format!(
            "{} of {repo} at {} are kept, keeper model download {repo}@{commit} finishes them",
            words::bytes(*bytes),
            words::short_commit(commit)
        ))
        .with_code("kept_from_other_commit"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model_provisioner::SourceErrorKind;

    use super::*;

    fn told(tries: Option<u32>, file: Option<(u32, String)>) -> LogLine {
        let event = RetryEvent {
            file,
            cause: RetryCause::Source(SourceErrorKind::Dns),
            message: String::new(),
            try_number: 2,
            tries,
            wait: Duration::from_millis(1400),
            bytes_kept: 6_900_000_000,
        };
        retry(&event, 3)
    }

    #[test]
    fn a_retry_says_what_happened_which_attempt_follows_when_and_what_is_kept() {
        let line = told(Some(8), Some((3, "a.gguf".to_owned())));
        assert_eq!(
            line.message,
            "file 3 of 3: name look-up failed, attempt 2 of 8 in 1.4 s, 6.9 GB kept"
        );
        assert_eq!(line.code.as_deref(), Some("upstream_dns"));
    }

    #[test]
    fn without_a_network_no_attempt_is_said_to_be_the_last() {
        let line = told(None, None);
        assert_eq!(line.message, "name look-up failed, attempt 2 in 1.4 s");
    }

    #[test]
    fn bytes_of_another_commit_are_told_with_the_command_that_finishes_them() {
        let commit = "0123456789abcdef0123456789abcdef01234567".to_owned();
        let line = notice(&Notice::KeptFromOtherCommit {
            repo: "org/name".to_owned(),
            commit: commit.clone(),
            bytes: 1_200_000_000,
        });
        assert_eq!(
            line.message,
            format!(
                "1.2 GB of org/name at 0123456 are kept, keeper model download org/name@{commit} finishes them"
            )
        );
    }
}
