//! What will be fetched, before the first byte: the first lines of a download and of `model plan`.

use hive_api::PlanSummary;

use super::{short_commit, with_size};
use crate::ui::format;

/// `org/name at 4f1c2ab, Q4_K_M: 3 shards, 142.3 GB`, what is here and what is left out.
pub(crate) fn planned(plan: &PlanSummary) -> Vec<String> {
    let mut lines = vec![headline(plan)];
    lines.extend(shares(plan));
    lines.extend(choices(plan));
    lines
}

/// The same in a log, whose lines begin with the name of the hive.
pub(crate) fn planned_in_a_log(plan: &PlanSummary) -> Vec<String> {
    let mut lines = vec![headline(plan)];
    lines.extend(shares_in_a_log(plan));
    lines.extend(choices(plan));
    lines
}

/// What was chosen among several, and what is left out.
fn choices(plan: &PlanSummary) -> Vec<String> {
    let mut lines = Vec::new();
    if !plan.others.is_empty() {
        let chosen = plan.selector.as_deref().unwrap_or("these files");
        let others: Vec<String> = plan
            .others
            .iter()
            .map(|other| with_size(&other.selector, other.bytes))
            .collect();
        lines.push(format!(
            "Chose {chosen}; there are also {}",
            others.join(", ")
        ));
    }
    if plan.left_out.files > 0 {
        let files = format::count(u64::from(plan.left_out.files), "other file");
        let size = plan.left_out.bytes.map(format::size);
        let size = size.map(|size| format!(", {size}")).unwrap_or_default();
        lines.push(format!(
            "Left out {files}{size}; --all-files takes everything"
        ));
    }
    lines
}

fn headline(plan: &PlanSummary) -> String {
    let selector = plan.selector.as_deref().map(|name| format!(", {name}"));
    let parts = if plan.shards > 1 && plan.shards == plan.files_total {
        format::count(u64::from(plan.shards), "shard")
    } else {
        format::count(u64::from(plan.files_total), "file")
    };
    let size = match plan.bytes_total {
        Some(bytes) => format::size(bytes),
        None => "size unknown".to_owned(),
    };
    let (repo, commit) = (&plan.repo, short_commit(&plan.commit));
    format!(
        "{repo} at {commit}{}: {parts}, {size}",
        selector.unwrap_or_default()
    )
}

/// What is here, what has to come, and what room that leaves.
fn shares(plan: &PlanSummary) -> Option<String> {
    let fetch = plan.bytes_to_fetch?;
    let mut line = format!(
        "Already here {}, to fetch {}",
        format::size(plan.bytes_reused),
        format::size(fetch)
    );
    if let Some(free) = plan.free_bytes_afterwards {
        line = format!("{line}, free afterwards {}", format::rough_size(free));
    }
    Some(line)
}

/// `28.4 GB already here, 113.9 GB to fetch, 412 GB free afterwards`.
fn shares_in_a_log(plan: &PlanSummary) -> Option<String> {
    let here = format::size(plan.bytes_reused);
    let fetch = format::size(plan.bytes_to_fetch?);
    let free = plan.free_bytes_afterwards.map(format::rough_size);
    let free = free.map(|free| format!(", {free} free afterwards"));
    Some(format!(
        "{here} already here, {fetch} to fetch{}",
        free.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use hive_api::{LeftOut, Suggestion};

    use super::*;

    fn plan() -> PlanSummary {
        PlanSummary {
            repo: "Qwen/Qwen3-235B-A22B-GGUF".into(),
            revision: "main".into(),
            commit: "4f1c2ab0000000000000000000000000000000aa".into(),
            selector: Some("Q4_K_M".into()),
            files_total: 3,
            shards: 3,
            bytes_total: Some(142_300_000_000),
            bytes_reused: 28_400_000_000,
            bytes_to_fetch: Some(113_900_000_000),
            free_bytes_afterwards: Some(412_000_000_000),
            left_out: LeftOut::default(),
            others: Vec::new(),
        }
    }

    #[test]
    fn the_plan_is_two_lines_when_there_was_nothing_to_choose() {
        assert_eq!(
            planned(&plan()),
            [
                "Qwen/Qwen3-235B-A22B-GGUF at 4f1c2ab, Q4_K_M: 3 shards, 142.3 GB",
                "Already here 28.4 GB, to fetch 113.9 GB, free afterwards 412 GB",
            ]
        );
        assert_eq!(
            planned_in_a_log(&plan())[1],
            "28.4 GB already here, 113.9 GB to fetch, 412 GB free afterwards"
        );
    }

    #[test]
    fn a_choice_of_the_hive_and_what_is_left_out_are_said_aloud() {
        let mut plan = plan();
        plan.shards = 0;
        plan.others = vec![Suggestion {
            selector: "Q8_0".into(),
            bytes: Some(8_700_000_000),
        }];
        plan.left_out = LeftOut {
            files: 2,
            bytes: Some(1_500_000),
        };
        let lines = planned(&plan);
        assert!(lines[0].ends_with(": 3 files, 142.3 GB"));
        assert_eq!(lines[2], "Chose Q4_K_M; there are also Q8_0 8.7 GB");
        assert_eq!(
            lines[3],
            "Left out 2 other files, 1.5 MB; --all-files takes everything"
        );
    }

    #[test]
    fn an_unknown_size_is_said() {
        let mut plan = plan();
        plan.bytes_total = None;
        plan.bytes_to_fetch = None;
        plan.free_bytes_afterwards = None;
        let lines = planned(&plan);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("3 shards, size unknown"));
    }
}
