//! Answers of a CDN that are late, cut, too long, too short or not what was asked for: what came is kept, what is
//! wrong is never written, and the file is right in the end.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fake_hub::{FakeHub, Fault, Reply, Requests, Route};
use model_provisioner::{
    Denial, HubErrorKind, HubLimits, ProvisionError, ProvisionEvent, SourceErrorKind,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};

use crate::harness::{LIMIT, Machine, Outcome, limits, tiny};
use crate::proxy::Server;

const FILE: &str = "tiny-Q4_K_M.gguf";

async fn hub() -> FakeHub {
    FakeHub::builder().repository(tiny()).start().await
}

/// The ranges that the CDN was asked for.
fn ranges(hub: &FakeHub) -> Vec<String> {
    let range = |seen: &fake_hub::RequestRecord| seen.header("range").unwrap().to_owned();
    hub.cdn().requests().iter().map(range).collect()
}

fn resolves(hub: &FakeHub) -> usize {
    hub.api().requests_of(&Requests::to(Route::Resolve)).len()
}

/// The causes of the retries, in words.
fn retries(outcome: &Outcome) -> Vec<String> {
    let told = outcome.told.iter().filter_map(|event| match event {
        ProvisionEvent::Retry(retry) => Some(format!("{:?}", retry.cause)),
        _ => None,
    });
    told.collect()
}

/// Ends well, with exactly the bytes of the repository in the store.
fn assert_is_right(outcome: Outcome) {
    let published = outcome.result.unwrap();
    let content = tiny().content(FILE).unwrap().to_vec();
    assert!(fs::read(published.path).unwrap() == content);
}

fn kind_of(outcome: Outcome) -> HubErrorKind {
    match outcome.failure() {
        ProvisionError::Upstream { kind, .. } => kind,
        other => panic!("{other:?}"),
    }
}

/// A download of the model, with the machine that has it.
async fn download(hub: &FakeHub) -> (Machine, Outcome) {
    let machine = Machine::new(hub);
    let outcome = machine.download("org/tiny").await;
    (machine, outcome)
}

/// A download whose first body is cut after 100,000 bytes, and whose second answer is `fault`.
async fn cut_and_then(hub: &FakeHub, fault: Fault) -> (Machine, Outcome) {
    hub.on(Requests::cdn().first(1))
        .answer(Fault::CutAfter(100_000));
    hub.on(Requests::cdn().nth(2)).answer(fault);
    download(hub).await
}

#[tokio::test]
async fn d2_headers_that_never_come_are_given_up_and_asked_for_again() {
    assert_eq!(HubLimits::default().headers, Duration::from_secs(30));
    let hub = hub().await;
    hub.on(Requests::cdn().first(1)).answer(Fault::Hold);
    let quick = HubLimits {
        headers: Duration::from_secs(1),
        ..limits()
    };
    let machine = Machine::with_limits(&hub, None, quick);
    let outcome = machine.download("org/tiny").await;
    assert_eq!(retries(&outcome)[0], "Source(HeadersTimeout)");
    assert_is_right(outcome);
}

#[tokio::test]
async fn d4_a_connection_that_is_reset_is_gone_on_with_from_the_bytes_that_came() {
    let hub = hub().await;
    hub.on(Requests::cdn().first(1))
        .answer(Fault::ResetAfter(100_000));
    let (_machine, outcome) = download(&hub).await;
    let kept = outcome.told.iter().find_map(|event| match event {
        ProvisionEvent::Retry(retry) => Some(retry.bytes_kept),
        _ => None,
    });
    assert_eq!(retries(&outcome), ["Source(Cut)"]);
    let rest = format!("bytes={}-299999", kept.unwrap());
    assert_eq!(ranges(&hub), ["bytes=0-299999".to_owned(), rest]);
    assert_is_right(outcome);
}

#[tokio::test]
async fn d5_a_body_shorter_than_promised_is_gone_on_with_at_its_end() {
    let hub = hub().await;
    hub.on(Requests::cdn().first(1))
        .answer(Fault::CutAfter(100_000));
    let (_machine, outcome) = download(&hub).await;
    assert_eq!(retries(&outcome), ["Source(Cut)"]);
    assert_eq!(ranges(&hub), ["bytes=0-299999", "bytes=100000-299999"]);
    assert_is_right(outcome);
}

#[tokio::test]
async fn d6_a_truncated_body_without_a_length_is_gone_on_with_at_its_end() {
    let hub = hub().await;
    hub.on(Requests::cdn().first(1))
        .answer(Fault::CloseDelimited);
    hub.on(Requests::cdn().first(1))
        .answer(Fault::CutAfter(100_000));
    let (_machine, outcome) = download(&hub).await;
    assert_eq!(retries(&outcome), ["Source(Cut)"]);
    assert_eq!(ranges(&hub), ["bytes=0-299999", "bytes=100000-299999"]);
    assert_is_right(outcome);
}

#[tokio::test]
async fn d7_a_length_that_is_too_small_is_gone_on_with_at_its_end() {
    let hub = hub().await;
    let missing_bytes = 200_000;
    hub.on(Requests::cdn().first(1))
        .answer(Fault::ShortBody { missing_bytes });
    let (_machine, outcome) = download(&hub).await;
    assert_eq!(ranges(&hub), ["bytes=0-299999", "bytes=100000-299999"]);
    assert_is_right(outcome);
}

/// The head of an answer to the first request for the file, with these headers about its length.
fn head(lengths: &str) -> String {
    format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-299999/300000\r\n{lengths}\r\n")
}

/// Takes a request's head from a stream, so that its answer is not taken for one to nothing.
async fn take_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}

/// A Hub whose large files are on this server.
async fn hub_with_cdn(cdn: &Server) -> FakeHub {
    let origin = format!("http://{}", cdn.address);
    let hub = FakeHub::builder().repository(tiny()).cdn_endpoint(&origin);
    hub.start().await
}

#[tokio::test]
async fn d7_d18_a_head_that_contradicts_itself_is_refused_and_asked_for_anew() {
    let whole = "Content-Length: 300000\r\n";
    for contradiction in [
        "Content-Length: 299999\r\n",
        "Content-Range: bytes 1-299999/300000\r\n",
        "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n",
    ] {
        refused_once(format!("{whole}{contradiction}"), whole).await;
    }
}

/// The first answer of the CDN has the one head and the second the other.
async fn refused_once(first: String, second: &'static str) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let cdn = Server::start(move |mut stream| {
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let first = first.clone();
        async move {
            take_head(&mut stream).await;
            let lengths = if is_first { first } else { second.to_owned() };
            let content = tiny().content(FILE).unwrap().to_vec();
            let answer = [head(&lengths).into_bytes(), content].concat();
            // A client that refuses the head has gone before the body.
            let _ = stream.write_all(&answer).await;
        }
    })
    .await;
    let hub = hub_with_cdn(&cdn).await;
    let (_machine, outcome) = download(&hub).await;
    assert_eq!(retries(&outcome).len(), 1);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_is_right(outcome);
}

#[tokio::test]
async fn d8_a_body_that_never_ends_is_closed() {
    let closed = Arc::new(Notify::new());
    let seen = Arc::clone(&closed);
    let cdn = Server::start(move |mut stream| {
        let closed = Arc::clone(&seen);
        async move {
            take_head(&mut stream).await;
            let mut written = stream.write_all(head("").as_bytes()).await;
            while written.is_ok() {
                written = stream.write_all(&[0; 16 * 1024]).await;
            }
            closed.notify_one();
        }
    })
    .await;
    let hub = hub_with_cdn(&cdn).await;
    let machine = Machine::new(&hub);
    let failure = machine.download("org/tiny").await.failure();
    assert!(matches!(failure, ProvisionError::SizeMismatch { .. }));
    timeout(LIMIT, closed.notified()).await.unwrap();
    assert_eq!(machine.paths(), [""; 0]);
}

#[tokio::test]
async fn d7_d8_a_body_longer_than_the_file_is_a_size_mismatch_and_nothing_of_it_is_kept() {
    for surplus_bytes in [1, 5_000_000] {
        let hub = hub().await;
        hub.on(Requests::cdn())
            .answer(Fault::LongBody { surplus_bytes });
        let machine = Machine::new(&hub);
        let outcome = machine.download("org/tiny").await;
        assert_eq!(outcome.bytes_kept, 0);
        match outcome.failure() {
            ProvisionError::SizeMismatch { expected_bytes, .. } => {
                assert_eq!(expected_bytes, 300_000);
            }
            other => panic!("{surplus_bytes}: {other:?}"),
        }
        assert_eq!(machine.paths(), [""; 0]);
    }
}

#[tokio::test]
async fn d9_errors_of_the_cdn_that_pass_are_waited_out() {
    let hub = hub().await;
    hub.on(Requests::cdn().first(3)).answer(Fault::Status(503));
    let (_machine, outcome) = download(&hub).await;
    assert_eq!(retries(&outcome), ["Source(Status(503))"; 3]);
    assert_is_right(outcome);
}

#[tokio::test]
async fn d11_an_expired_address_is_renewed_and_the_download_goes_on_at_the_same_byte() {
    let hub = hub().await;
    let (_machine, outcome) = cut_and_then(&hub, Fault::SignedUrlExpired).await;
    let rest = "bytes=100000-299999";
    assert_eq!(ranges(&hub), ["bytes=0-299999", rest, rest]);
    // The cut is told; that an address was renewed is nothing to tell.
    assert_eq!(retries(&outcome), ["Source(Cut)"]);
    assert_is_right(outcome);
}

#[tokio::test]
async fn d11_an_address_that_is_refused_however_often_it_is_renewed_is_a_refusal() {
    let hub = hub().await;
    hub.on(Requests::cdn()).answer(Fault::SignedUrlExpired);
    match Machine::new(&hub).download("org/tiny").await.failure() {
        ProvisionError::AccessDenied { denial, .. } => assert_eq!(denial, Denial::Forbidden),
        other => panic!("{other:?}"),
    }
    assert_eq!(ranges(&hub).len(), 4);
}

#[tokio::test]
async fn d14_a_cdn_that_redirects_in_a_circle_is_left_after_ten_hops() {
    let hub = hub().await;
    let here = Reply::new(302).header("Location", "?again");
    hub.on(Requests::cdn()).answer(Fault::Respond(here));
    let kind = kind_of(Machine::new(&hub).download("org/tiny").await);
    assert_eq!(
        kind,
        HubErrorKind::Transfer(SourceErrorKind::TooManyRedirects)
    );
    assert_eq!(ranges(&hub).len(), 11);
}

#[tokio::test]
async fn d15_a_refused_precondition_keeps_the_bytes_and_resolves_again() {
    let hub = hub().await;
    let (_machine, outcome) = cut_and_then(&hub, Fault::Status(412)).await;
    let rest = "bytes=100000-299999";
    assert_eq!(ranges(&hub), ["bytes=0-299999", rest, rest]);
    assert_eq!(retries(&outcome), ["Source(Cut)", "Source(Status(412))"]);
    assert!(resolves(&hub) >= 2);
    assert_is_right(outcome);
}

#[tokio::test]
async fn d17_the_whole_file_in_the_place_of_a_range_keeps_the_bytes_and_resolves_again() {
    let hub = hub().await;
    let (_machine, outcome) = cut_and_then(&hub, Fault::IgnoreRange).await;
    let rest = "bytes=100000-299999";
    assert_eq!(ranges(&hub), ["bytes=0-299999", rest, rest]);
    assert_eq!(retries(&outcome), ["Source(Cut)", "Source(BadUpstream)"]);
    assert!(resolves(&hub) >= 2);
    assert_is_right(outcome);
}

#[tokio::test]
async fn d18_a_range_that_was_not_asked_for_is_never_written_and_given_up_after_three() {
    let said = |value: &str| Fault::SetHeader("Content-Range", value.to_owned());
    for fault in [
        said("bytes 1-299999/300000"),
        said("bytes 0-299998/300000"),
        said("bytes 0-299999/300001"),
        said("bytes 0-299999/*"),
        said("bytes */300000"),
        Fault::RemoveHeader("Content-Range"),
        Fault::Respond(
            Reply::new(206)
                .header("Content-Type", "multipart/byteranges; boundary=x")
                .body("--x\r\nContent-Range: bytes 0-0/300000\r\n\r\na\r\n--x--\r\n"),
        ),
    ] {
        let hub = hub().await;
        hub.on(Requests::cdn()).answer(fault.clone());
        let machine = Machine::new(&hub);
        let kind = kind_of(machine.download("org/tiny").await);
        assert_eq!(
            kind,
            HubErrorKind::Transfer(SourceErrorKind::BadUpstream),
            "{fault:?}"
        );
        assert_eq!(ranges(&hub), ["bytes=0-299999"; 3], "{fault:?}");
        assert_eq!(machine.paths(), [""; 0], "{fault:?}");
    }
}

#[tokio::test]
async fn d19_a_range_that_cannot_be_satisfied_is_asked_for_anew_and_given_up_after_three() {
    let hub = hub().await;
    let (_machine, outcome) = cut_and_then(&hub, Fault::Status(416)).await;
    let rest = "bytes=100000-299999";
    assert_eq!(ranges(&hub), ["bytes=0-299999", rest, rest]);
    assert_is_right(outcome);

    hub.on(Requests::cdn()).answer(Fault::Status(416));
    let kind = kind_of(Machine::new(&hub).download("org/tiny").await);
    assert_eq!(kind, HubErrorKind::Transfer(SourceErrorKind::Status(416)));
    assert_eq!(ranges(&hub).len(), 3 + 3);
}

#[tokio::test]
async fn d20_nothing_encoded_is_asked_for_and_what_comes_encoded_is_never_written() {
    let hub = hub().await;
    hub.on(Requests::cdn()).answer(Fault::Gzip);
    let machine = Machine::new(&hub);
    let kind = kind_of(machine.download("org/tiny").await);
    assert_eq!(kind, HubErrorKind::Transfer(SourceErrorKind::BadUpstream));
    assert_eq!(machine.paths(), [""; 0]);
    for seen in hub.cdn().requests() {
        assert_eq!(seen.header("accept-encoding"), Some("identity"));
    }
}
