//! How fast this machine hashes what it receives, on one core, as a download does.

use std::time::Duration;

use hive_api::{Finding, figures};
use tokio::task::spawn_blocking;

const MEASURE_FOR: Duration = Duration::from_millis(300);
/// A network of a gigabit a second brings as much; a processor of the last ten years hashes several times that.
const SLOW_BYTES_PER_SECOND: u64 = 125_000_000;

/// The finding, and the rate in bytes a second.
pub(super) async fn rate() -> (Finding, Option<u64>) {
    match spawn_blocking(|| downloader::sha256_rate(MEASURE_FOR)).await {
        Ok(rate) => (judged(rate), Some(rate)),
        Err(error) => {
            let next = "look at the log of the hive, and run it again";
            let finding = Finding::fail("sha256", format!("not measured: {error}"), next);
            (finding, None)
        }
    }
}

fn judged(rate: u64) -> Finding {
    let found = figures::rate(rate);
    if rate < SLOW_BYTES_PER_SECOND {
        let next = "see with top what else uses the processor; a virtual machine needs the host's instructions for \
                    sha256 (docs/OPERATIONS.md#sha256)";
        return Finding::warn("sha256", found, next);
    }
    Finding::ok("sha256", found)
}

#[cfg(test)]
mod tests {
    use hive_api::FindingLevel;

    use super::*;

    #[test]
    fn hashing_that_is_slower_than_a_network_is_a_warning() {
        let slow = judged(93_930_000);
        assert!(slow.is(FindingLevel::Warn));
        assert_eq!(slow.found, "94 MB/s");
        assert_eq!(judged(1_700_000_000), Finding::ok("sha256", "1.7 GB/s"));
    }
}
