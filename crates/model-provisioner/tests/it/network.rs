//! A Hub that cannot be reached, and one that answers with errors that pass.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use fake_hub::{FakeHub, Fault, Reply, Requests, Route};
use model_provisioner::{
    HubErrorKind, HubLimits, HubSettings, Missing, ProvisionError, ProvisionEvent, ProvisionPhase,
    RetryEvent, SourceErrorKind,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::harness::{Machine, limits, request, settings, tiny};

/// An address where nobody listens.
fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn is_waiting(event: &ProvisionEvent) -> bool {
    matches!(
        event,
        ProvisionEvent::Phase(ProvisionPhase::WaitingForNetwork)
    )
}

#[tokio::test]
async fn d31_without_a_network_a_download_waits_says_so_and_goes_on_when_it_is_back() {
    let address = nowhere();
    let machine = Machine::with_settings(settings(&format!("http://{address}")));
    let waits = Notify::new();
    let hear = |event: &ProvisionEvent| {
        if is_waiting(event) {
            waits.notify_one();
        }
    };
    let (model, never) = (request("org/tiny"), CancellationToken::new());
    let downloading = machine.run_and_hear(&model, &never, true, hear);
    let starting = async {
        waits.notified().await;
        FakeHub::builder()
            .repository(tiny())
            .listen(address)
            .start()
            .await
    };
    let (outcome, _hub) = tokio::join!(downloading, starting);
    let mut phases = outcome.story();
    phases.retain(|told| !told.starts_with("retry"));
    assert_eq!(
        &phases[..4],
        ["Resolving", "WaitingForNetwork", "Resolving", "Planning"]
    );
    let retry = outcome.told.iter().find_map(|event| match event {
        ProvisionEvent::Retry(retry) => Some(retry.tries),
        _ => None,
    });
    assert_eq!(retry, Some(None), "waiting for the network has no last try");
    outcome.result.unwrap();
}

#[tokio::test]
async fn d32_a_cancel_ends_the_wait_for_the_network() {
    let machine = Machine::with_settings(settings(&format!("http://{}", nowhere())));
    let stop = CancellationToken::new();
    let hear = |event: &ProvisionEvent| {
        if is_waiting(event) {
            stop.cancel();
        }
    };
    let outcome = machine
        .run_and_hear(&request("org/tiny"), &stop, true, hear)
        .await;
    assert!(matches!(outcome.failure(), ProvisionError::Cancelled));
}

#[tokio::test]
async fn d27_patience_for_the_network_has_an_end_and_a_plan_has_none() {
    let impatient = HubSettings {
        limits: HubLimits {
            network_patience: Duration::from_millis(50),
            ..limits()
        },
        ..settings(&format!("http://{}", nowhere()))
    };
    let machine = Machine::with_settings(impatient);
    let connect = HubErrorKind::Transfer(SourceErrorKind::Connect);
    match machine.download("org/tiny").await.failure() {
        ProvisionError::Upstream { kind, .. } => assert_eq!(kind, connect),
        other => panic!("{other:?}"),
    }
    let (model, never) = (request("org/tiny"), CancellationToken::new());
    let patient = Machine::with_settings(settings(&format!("http://{}", nowhere())));
    match patient.provisioner.plan(&model, &never).await.unwrap_err() {
        ProvisionError::Upstream { kind, .. } => assert_eq!(kind, connect),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn d28_a_name_that_cannot_be_looked_up_is_waited_for() {
    let machine = Machine::with_settings(settings("http://no-such-host.invalid"));
    let stop = CancellationToken::new();
    let mut causes = Vec::new();
    let hear = |event: &ProvisionEvent| {
        if let ProvisionEvent::Retry(RetryEvent { cause, .. }) = event {
            causes.push(format!("{cause:?}"));
            stop.cancel();
        }
    };
    machine
        .run_and_hear(&request("org/tiny"), &stop, true, hear)
        .await
        .failure();
    assert_eq!(causes, ["Source(Dns)"]);
}

#[tokio::test]
async fn d9_errors_of_the_hub_are_tried_again_up_to_eight_times() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let questions = || Requests::to(Route::Info);
    hub.on(questions().first(3)).answer(Fault::Status(503));
    let machine = Machine::new(&hub);
    let outcome = machine.download("org/tiny").await;
    let retries = outcome
        .story()
        .iter()
        .filter(|told| *told == "retry Source(Status(503))")
        .count();
    assert_eq!(retries, 3);
    outcome.result.unwrap();

    let asked = hub.api().requests_of(&questions()).len();
    hub.on(questions()).answer(Fault::Status(502));
    match machine.download("org/tiny").await.failure() {
        ProvisionError::Upstream { kind, .. } => {
            assert_eq!(kind, HubErrorKind::Transfer(SourceErrorKind::Status(502)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(hub.api().requests_of(&questions()).len(), asked + 8);
}

#[tokio::test]
async fn d10_a_busy_hub_is_asked_again_when_it_says_so() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    for (retry_after, window_ends_in_seconds, wait) in [
        (Some("7"), 0, Duration::from_secs(7)),
        (None, 41, Duration::from_secs(42)),
        (
            Some("Sat, 21 Nov 2099 10:00:45 GMT"),
            0,
            Duration::from_mins(15),
        ),
    ] {
        let busy = Fault::TooManyRequests {
            window_ends_in_seconds,
            retry_after: retry_after.map(str::to_owned),
        };
        let script = hub.on(Requests::to(Route::Info)).answer(busy);
        let stop = CancellationToken::new();
        let mut waits = Vec::new();
        let hear = |event: &ProvisionEvent| {
            if let ProvisionEvent::Retry(RetryEvent { wait, .. }) = event {
                waits.push(*wait);
                stop.cancel();
            }
        };
        let outcome = Machine::new(&hub)
            .run_and_hear(&request("org/tiny"), &stop, true, hear)
            .await;
        assert!(matches!(outcome.failure(), ProvisionError::Cancelled));
        assert_eq!(waits, [wait], "{retry_after:?}");
        script.release();
    }
}

#[tokio::test]
async fn d13_a_file_is_gone_when_the_hub_says_so_and_not_when_somebody_on_the_way_does() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let resolves = || Requests::to(Route::Resolve);
    hub.on(resolves().first(2))
        .answer(Fault::Respond(Reply::new(404)));
    let outcome = Machine::new(&hub).download("org/tiny").await;
    assert!(
        outcome
            .story()
            .contains(&"retry Source(BadUpstream)".to_owned()),
        "{:?}",
        outcome.story()
    );
    outcome.result.unwrap();

    let gone = Reply::new(404).header("X-Error-Code", "EntryNotFound");
    hub.on(resolves()).answer(Fault::Respond(gone));
    match Machine::new(&hub).download("org/tiny").await.failure() {
        ProvisionError::NotFound { missing, .. } => assert_eq!(missing, Missing::File),
        other => panic!("{other:?}"),
    }
}
