//! Limits on bytes a second: of a download, of a hive, of downloads that share a transfer; changed while they hold.
//!
//! How exactly a limit holds is measured in the downloader, under a clock of its own. Here a limit is so low that
//! nothing would end under it, and what is seen is whom it holds and what ends it.

use fake_hub::{Content, FakeHub, Fault, Repository, Requests};
use model_provisioner::{LimitedBy, ProvisionError, ProvisionEvent, RateLimiter};
use tokio_util::sync::CancellationToken;

use crate::harness::{LIMIT, Machine, Outcome, request, settings, tiny};

const PATH: &str = "tiny-Q4_K_M.gguf";

/// Under it a test would take days.
const SLOW: Option<u64> = Some(1);

fn is_held(event: &ProvisionEvent) -> bool {
    matches!(event, ProvisionEvent::Progress(figures) if figures.limited_by == Some(LimitedBy::RateLimit))
}

/// Downloads under a limit of its own, with something to do whenever it is seen to be held by one.
async fn run(
    machine: &Machine,
    model: &str,
    limit: &RateLimiter,
    stop: &CancellationToken,
    mut held: impl FnMut(),
) -> Outcome {
    let mut request = request(model);
    request.rate_limit = limit.clone();
    let hear = |event: &ProvisionEvent| {
        if is_held(event) {
            held();
        }
    };
    machine.run_and_hear(&request, stop, true, hear).await
}

#[tokio::test]
async fn a_limit_of_a_download_holds_for_all_its_files_until_it_is_lifted() {
    let repository = Repository::model("org/st")
        .file("config.json", "{}")
        .large_file(
            "model-00001-of-00002.safetensors",
            Content::safetensors("a", 50_000),
        )
        .large_file(
            "model-00002-of-00002.safetensors",
            Content::safetensors("b", 50_000),
        );
    let hub = FakeHub::builder().repository(repository).start().await;
    let machine = Machine::new(&hub);
    let mut limited = request("org/st");
    limited.rate_limit.set_limit(SLOW);
    let limit = limited.rate_limit.clone();
    limited.all_files = true;
    let mut at_once = 0;
    let hear = |event: &ProvisionEvent| {
        if let ProvisionEvent::Progress(figures) = event
            && is_held(event)
        {
            at_once = at_once.max(figures.files.len());
            // Each of them waits for the one limit.
            if at_once == 3 {
                limit.set_limit(None);
            }
        }
    };
    let never = CancellationToken::new();
    let outcome = machine.run_and_hear(&limited, &never, true, hear).await;
    assert_eq!(outcome.result.unwrap().files, 3);
}

#[tokio::test]
async fn the_limit_of_a_hive_holds_for_two_downloads_together_until_it_is_lifted() {
    let hub = FakeHub::builder()
        .repository(tiny())
        .repository(Repository::dataset("org/data").large_file("a.bin", Content::gguf("a", 90_000)))
        .start()
        .await;
    let limit = RateLimiter::new(SLOW);
    let machine = Machine::with_rate_limit(settings(hub.endpoint()), limit.clone());
    let (own, never) = (RateLimiter::new(None), CancellationToken::new());
    let (one_held, other_held) = (CancellationToken::new(), CancellationToken::new());
    let one = run(&machine, "org/tiny", &own, &never, || one_held.cancel());
    let other = run(&machine, "datasets/org/data", &own, &never, || {
        other_held.cancel();
    });
    let lifting = async {
        one_held.cancelled().await;
        other_held.cancelled().await;
        limit.set_limit(None);
    };
    let (one, other, ()) = tokio::join!(Box::pin(one), Box::pin(other), lifting);
    one.result.unwrap();
    other.result.unwrap();
}

#[tokio::test]
async fn a_shared_transfer_goes_at_the_rate_of_the_most_generous_of_its_downloads() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    let (slow, generous) = (RateLimiter::new(SLOW), RateLimiter::new(None));
    let (held, never) = (CancellationToken::new(), CancellationToken::new());
    let one = run(&machine, "org/tiny", &slow, &never, || held.cancel());
    let other = async {
        held.cancelled().await;
        run(&machine, "org/tiny", &generous, &never, || ()).await
    };
    let (one, other) = tokio::join!(Box::pin(one), Box::pin(other));
    one.result.unwrap();
    other.result.unwrap();
    assert_eq!(slow.limit(), SLOW);
    assert_eq!(hub.cdn().requests().len(), 1);
}

#[tokio::test]
async fn when_the_most_generous_is_cancelled_the_limit_of_the_other_holds_again() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    let script = hub.on(Requests::cdn()).answer(Fault::StallAfter(1_000));
    let (slow, generous) = (RateLimiter::new(SLOW), RateLimiter::new(None));
    let (stop, never) = (CancellationToken::new(), CancellationToken::new());
    let first = async {
        let outcome = run(&machine, "org/tiny", &generous, &stop, || ()).await;
        // It was not held, and with it goes the leave to be quick.
        script.release();
        outcome
    };
    let second = async {
        let begun = hub.cdn().wait_for_bytes_sent(PATH, 1_000, LIMIT);
        begun.await.unwrap();
        let mut request = request("org/tiny");
        request.rate_limit = slow.clone();
        let hear = |event: &ProvisionEvent| match event {
            ProvisionEvent::Progress(figures)
                if figures.bytes_done >= 1_000 && !stop.is_cancelled() =>
            {
                assert!(!is_held(event));
                stop.cancel();
            }
            event if is_held(event) => slow.set_limit(None),
            _ => {}
        };
        machine.run_and_hear(&request, &never, true, hear).await
    };
    let (first, second) = tokio::join!(Box::pin(first), Box::pin(second));
    assert!(matches!(first.failure(), ProvisionError::Cancelled));
    second.result.unwrap();
    assert_eq!(slow.limit(), None, "the limit was never felt");
}
