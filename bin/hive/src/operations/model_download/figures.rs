//! From the provisioner's figures to those of the wire: the plan and the progress.

use std::collections::BTreeMap;

use hive_api as api;
use model_provisioner as provisioner;

/// The plan's figures, as they stay on the job.
pub(super) fn summary(plan: &provisioner::Plan) -> api::PlanSummary {
    api::PlanSummary {
        repo: plan.repo.clone(),
        revision: plan.revision.clone(),
        commit: plan.commit.clone(),
        selector: plan.selector.clone(),
        files_total: count(plan.files.len()),
        shards: plan.shards,
        bytes_total: plan.bytes_total,
        bytes_reused: plan.bytes_reused,
        bytes_to_fetch: plan.bytes_to_fetch,
        free_bytes_afterwards: plan
            .bytes_to_fetch
            .map(|bytes| plan.free_bytes.saturating_sub(bytes)),
        left_out: api::LeftOut {
            files: plan.left_out.files,
            bytes: plan.left_out.bytes,
        },
        others: plan.others.iter().map(suggestion).collect(),
    }
}

/// The whole plan, file by file.
pub(super) fn plan(plan: provisioner::Plan) -> api::Plan {
    let summary = summary(&plan);
    let access = match plan.access {
        provisioner::Access::Granted => api::Access::Granted,
        provisioner::Access::Denied => api::Access::Denied,
        provisioner::Access::Unchecked => api::Access::Unchecked,
    };
    let files = plan.files.into_iter().map(|file| api::PlannedFile {
        path: file.path,
        bytes: file.bytes,
        sha256: file.sha256,
        bytes_reused: file.bytes_reused,
    });
    api::Plan {
        summary,
        files: files.collect(),
        free_bytes: plan.free_bytes,
        reserved_bytes: plan.reserved_bytes,
        access: access.into(),
    }
}

/// Something that could be asked for instead.
pub(super) fn suggestion(choice: &provisioner::Choice) -> api::Suggestion {
    api::Suggestion {
        selector: choice.selector.clone(),
        bytes: choice.bytes,
    }
}

/// How far the job is, with the time that is left at this rate, and how often it tried again.
pub(super) fn progress(
    transfer: provisioner::TransferProgress,
    retries: &BTreeMap<String, u32>,
) -> api::Progress {
    let left = transfer
        .bytes_total
        .map(|total| total.saturating_sub(transfer.bytes_done));
    api::Progress {
        bytes_done: transfer.bytes_done,
        bytes_total: transfer.bytes_total,
        bytes_reused: transfer.bytes_reused,
        bytes_per_second: transfer.bytes_per_second,
        eta_seconds: left.and_then(|left| match left {
            0 => Some(0),
            left => {
                (transfer.bytes_per_second > 0).then(|| left.div_ceil(transfer.bytes_per_second))
            }
        }),
        files_done: transfer.files_done,
        files_total: transfer.files_total,
        files: transfer.files.into_iter().map(file_progress).collect(),
        limited_by: transfer.limited_by.map(limit).map(api::Open::from),
        retries: retries.clone(),
    }
}

fn limit(limit: provisioner::LimitedBy) -> api::LimitedBy {
    match limit {
        provisioner::LimitedBy::Hub => api::LimitedBy::Hub,
        provisioner::LimitedBy::Connection => api::LimitedBy::Connection,
        provisioner::LimitedBy::RateLimit => api::LimitedBy::RateLimit,
        provisioner::LimitedBy::Disk => api::LimitedBy::Disk,
        provisioner::LimitedBy::Hashing => api::LimitedBy::Hashing,
    }
}

fn file_progress(file: provisioner::FileTransfer) -> api::FileProgress {
    api::FileProgress {
        index: file.index,
        path: file.path,
        bytes_done: file.bytes_done,
        bytes_total: Some(file.bytes_total),
        bytes_per_second: file.bytes_per_second,
        idle_seconds: file.idle.as_secs(),
        try_number: file.try_number,
        tries: file.tries,
    }
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}
