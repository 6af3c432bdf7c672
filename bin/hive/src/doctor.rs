//! A hive's look at itself: each part that its downloads need, one after the other, with what to do about it.
//!
//! The same checks run in a hive that serves (`POST /v1/doctor`) and in `hive doctor` where none does. Each has a limit,
//! so that a disk or a Hub that does not answer is found and not waited for.

pub(crate) mod command;
mod disk;
mod hub;
mod store;

use std::{sync::Arc, time::Duration};

use hive_api::{Diagnosis, Finding, MeasuredRates, RateLimit};
use tokio::{task::spawn_blocking, time::timeout};

use crate::{facts::Facts, operations::model_download::ModelDownloads};

/// What a hive needs where thousands watch and sixteen files come at once.
const OPEN_FILES: u64 = 65_536;
/// A disk that takes longer to answer a question does not answer.
const DISK_LIMIT: Duration = Duration::from_secs(10);
/// The look-up, the file's address and the sample itself.
const SAMPLE_LIMIT: Duration = Duration::from_secs(20);

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
        found(self.proxy());
        found(hub::reach(&self.downloads).await);
        let (disk, disk_rate) = disk::write_rate(&self.facts.store_path).await;
        found(disk);
        let (sha256, sha256_rate) = sha256_rate().await;
        found(sha256);
        let connections = self.facts.connections as usize;
        let receiving = self.receiving_bytes_per_second;
        let sampled = hub::rate(&self.downloads, model, connections, receiving);
        let (hub, hub_rate) = timeout(SAMPLE_LIMIT, sampled)
            .await
            .unwrap_or_else(|_| (hub::too_slow(SAMPLE_LIMIT), None));
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

    fn proxy(&self) -> Finding {
        let proxy = self.facts.proxy.as_deref().unwrap_or("no proxy");
        let roots = match &self.facts.ca_file {
            Some(file) => format!("system roots and {file}"),
            None => "system roots".to_owned(),
        };
        Finding::ok("proxy", format!("{proxy}, {roots}"))
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

/// As fast as a download hashes what it receives, on one core.
async fn sha256_rate() -> (Finding, Option<u64>) {
    let measured = spawn_blocking(|| downloader::sha256_rate(Duration::from_millis(300))).await;
    let Ok(rate) = measured else {
        let next = "run it again";
        return (Finding::fail("sha256", "it was not measured", next), None);
    };
    let shown = RateLimit::new(Some(rate));
    (Finding::ok("sha256", shown.to_string()), Some(rate))
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
