//! A hive's look at itself: each part that its downloads need, one after the other, with what to do about it.
//!
//! The same checks run in a hive that serves (`POST /v1/doctor`) and in `hive doctor` where none does. Each has a limit,
//! so that a disk or a Hub that does not answer is found and not waited for.

pub(crate) mod command;
mod disk;
mod hub;
mod proxy;
mod sha256;
mod store;

use std::{sync::Arc, time::Duration};

use hive_api::{Diagnosis, Finding, MeasuredRates};
use model_store::{ModelStore, RepoKind};
use tokio::{task::spawn_blocking, time::timeout};

use crate::{facts::Facts, operations::model_download::ModelDownloads};

/// What a hive needs where thousands watch and sixteen files come at once.
const OPEN_FILES: u64 = 65_536;
/// A disk that takes longer to answer a question does not answer.
const DISK_LIMIT: Duration = Duration::from_secs(10);

/// What is looked at.
pub(crate) struct Patient {
    pub(crate) facts: Facts,
    pub(crate) downloads: Arc<ModelDownloads>,
    /// What the running downloads receive a second.
    pub(crate) receiving_bytes_per_second: u64,
}

impl Patient {
    /// Runs every check and tells each finding when it is there; `model` is one to receive a sample of.
    pub(crate) async fn examine(
        &self,
        model: Option<&str>,
        tell: &mut (impl FnMut(&Finding) + Send),
    ) -> Diagnosis {
        let mut findings = Vec::new();
        let mut found = |finding: Finding| {
            tell(&finding);
            findings.push(finding);
        };
        let reserved = self.downloads.provisioner.reserved_bytes();
        let reserved = timeout(DISK_LIMIT, reserved)
            .await
            .ok()
            .and_then(Result::ok);
        let path = self.facts.store_path.clone();
        found(blocking("store", DISK_LIMIT, move || store::store(&path, reserved)).await);
        let path = self.facts.state_path.clone();
        found(blocking("state", DISK_LIMIT, move || store::state(&path)).await);
        found(open_files(
            rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        ));
        let (proxy, ca_file) = (self.facts.proxy.as_deref(), self.facts.ca_file.as_deref());
        found(proxy::proxy(proxy, ca_file).await);
        let (hub, clock_ahead) = hub::reach(&self.downloads).await;
        found(hub);
        clock_ahead.map(hub::clock).into_iter().for_each(&mut found);
        let (disk, disk_rate) = disk::write_rate(&self.facts.store_path).await;
        found(disk);
        let (sha256, sha256_rate) = sha256::rate().await;
        found(sha256);
        let connections = self.facts.connections as usize;
        let receiving = self.receiving_bytes_per_second;
        let last_used = self.last_used_model().await;
        let last_used = last_used.as_deref();
        let (hub, hub_rate) =
            hub::rate(&self.downloads, model, last_used, connections, receiving).await;
        found(hub);
        Diagnosis {
            findings,
            rates: MeasuredRates {
                disk_bytes_per_second: disk_rate,
                sha256_bytes_per_second: sha256_rate,
                hub_bytes_per_second: hub_rate,
            },
        }
    }
}

impl Patient {
    /// `org/name` of the model in the store that was read last.
    async fn last_used_model(&self) -> Option<String> {
        let store = ModelStore::new(&self.facts.store_path);
        let listed = timeout(DISK_LIMIT, spawn_blocking(move || store.list())).await;
        let models = listed.ok()?.ok()?.ok()?.into_iter();
        let models = models.filter(|model| model.repo.kind() == RepoKind::Model);
        let last = models
            .filter_map(|model| {
                let used = model.snapshots.iter().filter_map(|one| one.last_used).max();
                Some((used?, model.repo))
            })
            .max_by_key(|(used, _)| *used);
        last.map(|(_, repo)| repo.name().to_owned())
    }
}

/// A check that asks a disk, which may not answer.
async fn blocking(
    check: &str,
    limit: Duration,
    work: impl FnOnce() -> Finding + Send + 'static,
) -> Finding {
    match timeout(limit, spawn_blocking(work)).await {
        Ok(Ok(finding)) => finding,
        Ok(Err(_)) | Err(_) => silent_disk(check, limit),
    }
}

fn silent_disk(check: &str, limit: Duration) -> Finding {
    let seconds = limit.as_secs();
    Finding::fail(
        check,
        format!("the disk does not answer within {seconds} s"),
        "look at the disk and at the kernel's log, dmesg (docs/OPERATIONS.md#store)",
    )
}

fn open_files(limit: Option<u64>) -> Finding {
    match limit {
        None => Finding::ok("open_files", "no limit"),
        Some(limit) if limit >= OPEN_FILES => Finding::ok("open_files", format!("limit {limit}")),
        Some(limit) => Finding::warn(
            "open_files",
            format!("limit {limit}, wanted {OPEN_FILES}"),
            "in the unit: LimitNOFILE=65536; from a shell, before hive starts: ulimit -n 65536 \
             (docs/OPERATIONS.md#open-files)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use hive_api::FindingLevel;

    use super::*;

    #[test]
    fn few_open_files_are_a_warning_with_both_remedies() {
        let few = open_files(Some(1024));
        assert!(few.is(FindingLevel::Warn));
        assert_eq!(few.found, "limit 1024, wanted 65536");
        let next = few.next.unwrap();
        assert!(next.contains("LimitNOFILE=65536") && next.contains("ulimit -n 65536"));
        assert!(open_files(Some(65_536)).is(FindingLevel::Ok));
        assert!(open_files(None).is(FindingLevel::Ok));
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_does_not_answer_is_not_waited_for() {
        let (_hold, held) = std::sync::mpsc::sync_channel::<()>(0);
        let never = move || {
            let _ = held.recv();
            Finding::ok("store", "")
        };
        // Time stands still while a blocking task runs.
        let (finding, ()) = tokio::join!(
            blocking("store", DISK_LIMIT, never),
            tokio::time::advance(DISK_LIMIT)
        );
        assert!(finding.is(FindingLevel::Fail), "{finding:?}");
        assert!(finding.found.contains("does not answer within 10 s"));
    }
}
