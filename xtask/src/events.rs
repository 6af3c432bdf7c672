//! What a stream of events must be like, as `keeper --format json job watch` prints it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The numbers of the logged events rise by one.
pub(crate) fn no_event_is_missing(stdout: &str) -> Result<()> {
    let mut last = None;
    for line in stdout.lines() {
        let event: Value = serde_json::from_str(line)?;
        let logged = event["event"]
            .as_str()
            .is_some_and(|name| name != "snapshot");
        let Some(number) = event["data"]["sequence"].as_u64().filter(|_| logged) else {
            continue;
        };
        ensure!(
            last.is_none_or(|last| number == last + 1),
            "event {number} follows {last:?}"
        );
        last = Some(number);
    }
    last.context("no event was logged").map(drop)
}
