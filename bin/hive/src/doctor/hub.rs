//! The Hub: whether it answers and knows the token, and how fast it gives.

use std::time::Duration;

use hive_api::{Finding, Problem, figures};
use jiff::SignedDuration;
use model_provisioner::{AccountError, ModelReference, ReceivedSample};
use tokio::time::timeout;

use crate::operations::{bytes, model_download::ModelDownloads};

/// No question to the Hub takes longer here; a download is more patient.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a sample is received.
const SAMPLE_FOR: Duration = Duration::from_secs(3);
/// The look-up, the file's address and the sample itself.
const SAMPLE_LIMIT: Duration = Duration::from_secs(20);
/// A clock that is further off makes certificates and signed addresses seem ended, or not begun.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(1);

/// What to do where bytes do not come.
const LOOK_AT_THE_WAY: &str = "see whether a proxy or a firewall of this machine's network cuts downloads (docs/OPERATIONS.md#hub)";

/// Whether the Hub answers, and as whom it is asked; and how far its clock is ahead of ours, where it says so.
pub(super) async fn reach(downloads: &ModelDownloads) -> (Finding, Option<SignedDuration>) {
    let hub = downloads.shown_hub();
    let mut clock_ahead = None;
    let asking = async {
        let contact = downloads.provisioner.reach_hub().await?;
        clock_ahead = contact.clock_ahead;
        let account = downloads.provisioner.hub_account().await?;
        Ok((contact.round_trip, account))
    };
    let finding = match timeout(LIMIT, asking).await {
        Ok(Ok((took, account))) => {
            let account = match (account, downloads.provisioner.hub_token_source()) {
                (Some(name), Some(source)) => format!("account {name} (token from {source})"),
                (Some(name), None) => format!("account {name}"),
                (None, _) => "no token".to_owned(),
            };
            Finding::ok(
                "hub",
                format!("{hub}, {account}, {}", figures::duration(took)),
            )
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
    };
    (finding, clock_ahead)
}

/// Whether this machine's clock is the Hub's.
pub(super) fn clock(ahead: SignedDuration) -> Finding {
    if ahead.abs() < CLOCKS_APART {
        return Finding::ok(
            "hub_clock",
            "less than 1 min apart from that of this machine",
        );
    }
    let apart = figures::duration(Duration::from_secs(ahead.as_secs().unsigned_abs()));
    let side = if ahead.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    Finding::warn(
        "hub_clock",
        format!(
            "{apart} {side} that of this machine, by which certificates and signed addresses end"
        ),
        "set the clock of this machine: timedatectl set-ntp true (docs/OPERATIONS.md#clock)",
    )
}

fn source(downloads: &ModelDownloads) -> String {
    let source = downloads.provisioner.hub_token_source();
    source.map_or_else(String::new, |source| format!(" from {source}"))
}

/// The finding about how fast the Hub gives, and the rate in bytes a second: of a sample of the model that is named,
/// else of the downloads that run, else of a sample of the model that was used last.
pub(super) async fn rate(
    downloads: &ModelDownloads,
    named: Option<&str>,
    last_used: Option<&str>,
    connections: usize,
    receiving: u64,
) -> (Finding, Option<u64>) {
    match (named, last_used) {
        (Some(model), _) => sample(downloads, model, connections).await,
        (None, _) if receiving > 0 => {
            let found = format!("{} by the downloads that run", figures::rate(receiving));
            (Finding::ok("hub_rate", found), Some(receiving))
        }
        (None, Some(model)) => match sample(downloads, model, connections).await {
            // Nobody asked for this one, which the Hub may not have any more.
            (finding, None) => (
                unmeasured(&format!("not measured: {}", finding.found)),
                None,
            ),
            sampled => sampled,
        },
        (None, None) => (unmeasured("not measured"), None),
    }
}

async fn sample(
    downloads: &ModelDownloads,
    model: &str,
    connections: usize,
) -> (Finding, Option<u64>) {
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
    match timeout(SAMPLE_LIMIT, sample).await {
        Ok(Ok(sample)) => {
            let rate = Some(sample.bytes_per_second()).filter(|rate| *rate > 0);
            (sampled(&sample, downloads), rate)
        }
        Ok(Err(error)) => (no_answer("hub_rate", &downloads.problem_of(&error)), None),
        Err(_) => {
            let found = format!("no sample within {} s", SAMPLE_LIMIT.as_secs());
            (Finding::fail("hub_rate", found, LOOK_AT_THE_WAY), None)
        }
    }
}

fn sampled(sample: &ReceivedSample, downloads: &ModelDownloads) -> Finding {
    if sample.bytes == 0 {
        let seconds = SAMPLE_FOR.as_secs();
        let found = format!("no byte of {} within {seconds} s", sample.path);
        return Finding::fail("hub_rate", found, LOOK_AT_THE_WAY);
    }
    let rate = figures::rate(sample.bytes_per_second());
    let connections = match sample.connections {
        1 => "1 connection".to_owned(),
        more => format!("{more} connections"),
    };
    let of = format!("{} of {}", bytes(sample.bytes), sample.path);
    let found = format!("{rate} over {connections}, {of}");
    match &sample.lost {
        None => Finding::ok("hub_rate", found),
        Some(error) => {
            let detail = downloads.problem_of(error).detail;
            let found = format!("{found}; a connection ended too early: {detail}");
            Finding::warn("hub_rate", found, LOOK_AT_THE_WAY)
        }
    }
}

fn unmeasured(found: &str) -> Finding {
    let next =
        "add --model org/name: a few seconds of its largest file are received and thrown away";
    Finding::skip("hub_rate", found, next)
}

fn no_answer(check: &str, problem: &Problem) -> Finding {
    let why = problem.reason.iter().map(|reason| format!(": {reason}"));
    let found = format!("{}{}", problem.detail, why.collect::<String>());
    let hint = problem.hint.as_deref();
    let hint = hint.unwrap_or("check the network of this machine, the proxy and HF_ENDPOINT");
    Finding::fail(check, found, format!("{hint} (docs/OPERATIONS.md#hub)"))
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, ffi::OsString};

    use fake_hub::{Content, FakeHub, Fault, Repository, Requests, Traffic};
    use hive_api::{FindingLevel, StateFolder};
    use tempfile::TempDir;

    use super::*;
    use crate::{cli::Serve, config::Config, serve::unattended};

    const MODEL: &str = "org/tiny-GGUF";

    /// A Hub with one model, and a hive that asks it and does not run.
    struct Scene {
        hub: FakeHub,
        downloads: std::sync::Arc<ModelDownloads>,
        _folder: TempDir,
    }

    impl Scene {
        async fn new() -> Self {
            let file = Content::gguf("tiny", 20_000_000);
            let repository = Repository::model(MODEL).large_file("tiny-Q4_K_M.gguf", file);
            let hub = FakeHub::builder().repository(repository).start().await;
            let folder = TempDir::new().unwrap();
            let path = |name: &str| folder.path().join(name).into_os_string();
            let variables: HashMap<&str, OsString> = HashMap::from([
                ("HOME", path("home")),
                ("HIVE_STATE_DIR", path("state")),
                ("HF_ENDPOINT", hub.endpoint().into()),
            ]);
            let environment = move |name: &str| variables.get(name).cloned();
            let config = Config::resolve(&Serve::default(), &environment).unwrap();
            let state: StateFolder = config.state.clone();
            let (_, downloads) = unattended(config, &state).unwrap();
            Self {
                hub,
                downloads,
                _folder: folder,
            }
        }

        async fn rate(&self) -> (Finding, Option<u64>) {
            rate(&self.downloads, Some(MODEL), None, 4, 0).await
        }

        /// What is found when nothing happens any more once this was asked.
        async fn silent_after<T>(&self, asked: &Traffic, look: impl Future<Output = T>) -> T {
            let silence = async {
                let any = Requests::any();
                let seen = asked.wait_for_request(&any, Duration::from_secs(20));
                seen.await.unwrap();
                tokio::time::pause();
            };
            tokio::join!(look, silence).0
        }
    }

    #[tokio::test]
    async fn a_hub_that_never_answers_is_not_waited_for() {
        let scene = Scene::new().await;
        scene.hub.on(Requests::hub()).answer(Fault::Hold);
        let looked = scene.silent_after(scene.hub.api(), reach(&scene.downloads));
        let (finding, clock) = looked.await;
        assert!(finding.is(FindingLevel::Fail), "{finding:?}");
        assert!(finding.found.ends_with("within 10 s"), "{finding:?}");
        assert_eq!(clock, None);
    }

    #[tokio::test]
    async fn a_sample_that_ends_too_early_is_a_warning_with_what_came() {
        let scene = Scene::new().await;
        let cut = Requests::cdn().first(1);
        scene.hub.on(cut).answer(Fault::CutAfter(1_000_000));
        let (finding, rate) = scene.rate().await;
        assert!(finding.is(FindingLevel::Warn), "{finding:?}");
        assert!(
            finding.found.contains("a connection ended too early"),
            "{finding:?}"
        );
        assert!(rate.is_some());
    }

    #[tokio::test]
    async fn a_sample_of_which_no_byte_comes_fails_and_has_no_rate() {
        let scene = Scene::new().await;
        scene.hub.on(Requests::cdn()).answer(Fault::StallAfter(0));
        let (finding, rate) = scene.rate().await;
        assert!(finding.is(FindingLevel::Fail), "{finding:?}");
        assert!(finding.found.starts_with("no byte of"), "{finding:?}");
        assert_eq!(rate, None);
    }

    #[tokio::test]
    async fn a_sample_that_never_begins_fails() {
        let scene = Scene::new().await;
        scene.hub.on(Requests::cdn()).answer(Fault::Hold);
        let (finding, rate) = scene.silent_after(scene.hub.cdn(), scene.rate()).await;
        assert!(finding.is(FindingLevel::Fail), "{finding:?}");
        assert!(finding.found.ends_with("within 20 s"), "{finding:?}");
        assert_eq!(rate, None);
    }

    #[test]
    fn a_clock_that_is_minutes_off_is_a_warning_either_way() {
        assert!(clock(SignedDuration::from_secs(59)).is(FindingLevel::Ok));
        let wrong = clock(SignedDuration::from_mins(-5));
        assert!(wrong.is(FindingLevel::Warn), "{wrong:?}");
        assert!(wrong.found.starts_with("5 min behind"), "{wrong:?}");
        assert!(wrong.next.unwrap().contains("timedatectl"));
        assert!(clock(SignedDuration::from_mins(5)).is(FindingLevel::Warn));
    }
}
