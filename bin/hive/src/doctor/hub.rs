//! The Hub: whether it answers and knows the token, and how fast it gives.

use std::time::Duration;

use hive_api::{Finding, Problem, RateLimit};
use model_provisioner::{AccountError, ModelReference};
use tokio::time::timeout;

use crate::operations::{bytes, model_download::ModelDownloads};

/// No question to the Hub takes longer here; a download is more patient.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a sample is received.
const SAMPLE_FOR: Duration = Duration::from_secs(3);

/// Whether the Hub answers, and as whom it is asked.
pub(super) async fn reach(downloads: &ModelDownloads) -> Finding {
    let hub = downloads.shown_hub();
    let asking = async {
        let took = downloads.provisioner.reach_hub().await?;
        let account = downloads.provisioner.hub_account().await?;
        Ok((took, account))
    };
    match timeout(LIMIT, asking).await {
        Ok(Ok((took, account))) => {
            let account = match (account, downloads.provisioner.hub_token_source()) {
                (Some(name), Some(source)) => format!("account {name} (token from {source})"),
                (Some(name), None) => format!("account {name}"),
                (None, _) => "no token".to_owned(),
            };
            Finding::ok("hub", format!("{hub}, {account}, {} ms", took.as_millis()))
        }
        Ok(Err(AccountError::Offline)) => Finding::warn(
            "hub",
            "HF_HUB_OFFLINE is set: nothing is fetched",
            "unset HF_HUB_OFFLINE and restart the hive (docs/OPERATIONS.md#hub)",
        ),
        Ok(Err(AccountError::Refused)) => Finding::fail(
            "hub",
            format!("{hub} does not accept the token{}", source(downloads)),
            "keeper hive login, with a new token (docs/OPERATIONS.md#hub)",
        ),
        Ok(Err(AccountError::NoAnswer(error))) => no_answer("hub", &downloads.problem_of(&error)),
        Err(_) => Finding::fail(
            "hub",
            format!("no answer from {hub} within {} s", LIMIT.as_secs()),
            "check the network of this machine, the proxy and HF_ENDPOINT (docs/OPERATIONS.md#hub)",
        ),
    }
}

fn source(downloads: &ModelDownloads) -> String {
    let source = downloads.provisioner.hub_token_source();
    source.map_or_else(String::new, |source| format!(" from {source}"))
}

/// The finding about how fast the Hub gives, and the rate in bytes a second: of a sample of the model that is named,
/// else of the downloads that run.
pub(super) async fn rate(
    downloads: &ModelDownloads,
    model: Option<&str>,
    connections: usize,
    receiving: u64,
) -> (Finding, Option<u64>) {
    let Some(model) = model else {
        return unasked(receiving);
    };
    let reference = match ModelReference::parse(model, Some(&downloads.hub)) {
        Ok(reference) => reference,
        Err(error) => {
            let finding = Finding::fail("hub_rate", error.to_string(), error.remedy());
            return (finding, None);
        }
    };
    let sample = downloads
        .provisioner
        .sample(reference, connections, SAMPLE_FOR);
    match sample.await {
        Ok(sample) => {
            let rate = sample.bytes_per_second();
            let connections = match sample.connections {
                1 => "1 connection".to_owned(),
                more => format!("{more} connections"),
            };
            let shown = RateLimit::new(Some(rate));
            let found = format!(
                "{shown} over {connections}, {} of {}",
                bytes(sample.bytes),
                sample.path
            );
            (Finding::ok("hub_rate", found), Some(rate))
        }
        Err(error) => (no_answer("hub_rate", &downloads.problem_of(&error)), None),
    }
}

fn unasked(receiving: u64) -> (Finding, Option<u64>) {
    if receiving > 0 {
        let shown = RateLimit::new(Some(receiving));
        let found = format!("{shown} by the downloads that run");
        return (Finding::ok("hub_rate", found), Some(receiving));
    }
    let next =
        "add --model org/name: a few seconds of its largest file are received and thrown away";
    (Finding::skip("hub_rate", "not measured", next), None)
}

/// The sample did not come to an end.
pub(super) fn too_slow(limit: Duration) -> Finding {
    Finding::fail(
        "hub_rate",
        format!("no sample within {} s", limit.as_secs()),
        "check the network of this machine and the proxy (docs/OPERATIONS.md#hub)",
    )
}

fn no_answer(check: &str, problem: &Problem) -> Finding {
    let why = problem.reason.iter().map(|reason| format!(": {reason}"));
    let found = format!("{}{}", problem.detail, why.collect::<String>());
    let hint = problem.hint.as_deref();
    let hint = hint.unwrap_or("check the network of this machine, the proxy and HF_ENDPOINT");
    Finding::fail(check, found, format!("{hint} (docs/OPERATIONS.md#hub)"))
}
