//! Each fault once: it does what it says, to the requests that are meant, and to no others.

use std::time::Duration;

use fake_hub::{Ended, FakeHub, Fault, Reply, Requests, Route};

use crate::{LARGE, LARGE_BYTES, LIMIT, client, get, repository, signed_url, start, text};

/// What a client has of the large file under a fault: status, received bytes, and whether the body ended well.
async fn fetch(hub: &FakeHub, fault: Fault) -> (u16, Vec<u8>, bool) {
    let url = signed_url(hub).await;
    hub.on(Requests::cdn().file(LARGE)).answer(fault);
    let mut answer = get(url).await;
    let status = answer.status().as_u16();
    let mut bytes = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend(chunk),
            Ok(None) => return (status, bytes, true),
            Err(_) => return (status, bytes, false),
        }
    }
}

fn right_bytes() -> Vec<u8> {
    repository("org/tiny").content(LARGE).unwrap().to_vec()
}

#[tokio::test]
async fn a_cut_body_ends_early_after_the_bytes_that_were_told() {
    let hub = start().await;
    let (status, bytes, well) = fetch(&hub, Fault::CutAfter(70_001)).await;
    assert_eq!((status, bytes.len(), well), (200, 70_001, false));
    assert_eq!(bytes, right_bytes()[..70_001]);
    assert_eq!(hub.cdn().requests()[0].ended.unwrap().0, Ended::CutByScript);
    assert_eq!(hub.cdn().bytes_sent(LARGE), 70_001);
}

#[tokio::test]
async fn a_reset_connection_is_an_error_at_the_client() {
    let hub = start().await;
    let (_, _, well) = fetch(&hub, Fault::ResetAfter(1000)).await;
    assert!(!well);
}

#[tokio::test]
async fn a_hub_that_hangs_up_closes_the_connection_without_an_answer() {
    let hub = start().await;
    hub.on(Requests::to(Route::Info)).answer(Fault::HangUp);
    let url = format!("{}/api/models/org/tiny", hub.endpoint());
    assert!(client().get(url).send().await.is_err());
    let asked = &hub.api().requests()[0];
    assert_eq!(asked.status, None);
    assert_eq!(asked.ended.unwrap().0, Ended::CutByScript);
}

#[tokio::test]
async fn a_wrong_byte_is_the_only_difference() {
    let hub = start().await;
    let (_, bytes, well) = fetch(&hub, Fault::WrongByteAt(100_000)).await;
    assert!(well);
    let mut expected = right_bytes();
    expected[100_000] = !expected[100_000];
    assert!(bytes == expected);
}

#[tokio::test]
async fn short_long_and_close_delimited_bodies_end_well_for_the_client() {
    for (fault, length) in [
        (Fault::ShortBody { missing_bytes: 5 }, LARGE_BYTES - 5),
        (Fault::LongBody { surplus_bytes: 7 }, LARGE_BYTES + 7),
        (Fault::CloseDelimited, LARGE_BYTES),
    ] {
        let hub = start().await;
        let (status, bytes, well) = fetch(&hub, fault.clone()).await;
        assert_eq!(
            (status, bytes.len() as u64, well),
            (200, length, true),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_stalled_body_goes_on_when_the_script_is_released() {
    let hub = start().await;
    let url = signed_url(&hub).await;
    let stall = hub.on(Requests::cdn()).answer(Fault::StallAfter(1000));
    let answer = get(url).await;
    hub.cdn()
        .wait_for_bytes_sent(LARGE, 1000, LIMIT)
        .await
        .unwrap();
    assert_eq!(hub.cdn().bytes_sent_total(), 1000);
    stall.release();
    assert_eq!(answer.bytes().await.unwrap(), right_bytes());
}

#[tokio::test]
async fn a_dripping_body_comes_whole_and_not_before_its_time() {
    let hub = start().await;
    let before = tokio::time::Instant::now();
    let (_, bytes, _) = fetch(
        &hub,
        Fault::Drip {
            bytes_per_second: 1_000_000,
        },
    )
    .await;
    assert!(bytes == right_bytes());
    assert!(before.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_gateway_fails_as_often_as_told_and_then_recovers() {
    let hub = start().await;
    let url = format!("{}/api/models/org/tiny/tree/main", hub.endpoint());
    let script = hub
        .on(Requests::to(Route::Tree).first(2))
        .answer(Fault::Status(503));
    assert_eq!(get(&url).await.status(), 503);
    assert_eq!(get(&url).await.status(), 503);
    assert_eq!(get(&url).await.status(), 200);
    assert_eq!(script.hits(), 2);
    assert_eq!(
        get(format!("{}/api/models/org/tiny", hub.endpoint()))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn only_the_request_with_the_told_number_fails() {
    let hub = start().await;
    let url = signed_url(&hub).await;
    hub.on(Requests::cdn().ranged().nth(2))
        .answer(Fault::SignedUrlExpired);
    let mut statuses = Vec::new();
    for range in [
        None,
        Some("bytes=0-9"),
        Some("bytes=10-19"),
        Some("bytes=10-19"),
    ] {
        let mut request = client().get(&url);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        statuses.push(request.send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 206, 403, 206]);
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    let hub = start().await;
    let retry_after = Some("55".to_owned());
    let limit = Fault::TooManyRequests {
        window_ends_in_seconds: 55,
        retry_after,
    };
    hub.on(Requests::to(Route::Resolve)).answer(limit);
    let answer = get(format!("{}/org/tiny/resolve/main/{LARGE}", hub.endpoint())).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(
        text(answer.headers(), "ratelimit"),
        "\"resolvers\";r=0;t=55"
    );
    assert_eq!(text(answer.headers(), "retry-after"), "55");
}

#[tokio::test]
async fn an_expired_url_is_refused_and_a_new_one_works() {
    let hub = start().await;
    let old = signed_url(&hub).await;
    assert_eq!(get(&old).await.status(), 200);
    hub.expire_signed_urls();
    let refused = get(&old).await;
    assert_eq!(refused.status(), 403);
    assert!(
        refused
            .text()
            .await
            .unwrap()
            .contains("<Code>AccessDenied</Code>")
    );
    assert_eq!(get(signed_url(&hub).await).await.status(), 200);
    let forged = old.replace("Signature=", "Signature=0");
    assert_eq!(get(forged).await.status(), 403);
}

#[tokio::test]
async fn a_range_can_be_ignored_and_a_whole_file_refused() {
    let hub = start().await;
    let url = signed_url(&hub).await;
    let ranged = || client().get(&url).header("range", "bytes=0-9").send();
    let ignoring = hub.on(Requests::cdn()).answer(Fault::IgnoreRange);
    let whole = ranged().await.unwrap();
    assert_eq!(
        (whole.status().as_u16(), whole.content_length()),
        (200, Some(LARGE_BYTES))
    );
    ignoring.release();
    hub.on(Requests::cdn()).answer(Fault::RefuseWhole);
    assert_eq!(get(&url).await.status(), 400);
    assert_eq!(ranged().await.unwrap().status(), 206);
}

#[tokio::test]
async fn headers_lie_as_told() {
    let hub = start().await;
    let url = signed_url(&hub).await;
    let range = "bytes 5-14/99".to_owned();
    hub.on(Requests::cdn())
        .answer(Fault::SetHeader("Content-Range", range));
    hub.on(Requests::cdn()).answer(Fault::RemoveHeader("ETag"));
    let answer = client()
        .get(&url)
        .header("range", "bytes=0-9")
        .send()
        .await
        .unwrap();
    assert_eq!(text(answer.headers(), "content-range"), "bytes 5-14/99");
    assert!(!answer.headers().contains_key("etag"));
}

#[tokio::test]
async fn an_unasked_compression_is_marked_and_real() {
    let hub = start().await;
    let (_, bytes, well) = fetch(&hub, Fault::Gzip).await;
    assert!(well);
    assert_eq!(bytes[..2], [0x1f, 0x8b]);
    // Ten bytes of header, five before the first stored block.
    assert_eq!(bytes[15..1000], right_bytes()[..985]);
    let answer = get(signed_url(&hub).await).await;
    assert_eq!(text(answer.headers(), "content-encoding"), "gzip");
}

#[tokio::test]
async fn any_answer_can_be_given_word_for_word() {
    let hub = start().await;
    let reply = Reply::new(200)
        .body("<html>Log in to the Wi-Fi</html>")
        .header("Server", "portal");
    hub.on(Requests::hub()).answer(Fault::Respond(reply));
    let answer = get(format!("{}/api/models/org/tiny", hub.endpoint())).await;
    assert_eq!(text(answer.headers(), "server"), "portal");
    assert!(answer.text().await.unwrap().contains("Wi-Fi"));
}

#[tokio::test]
async fn a_held_hub_answers_when_it_is_released() {
    let hub = start().await;
    let hold = hub.hold_api();
    let url = format!("{}/api/models/org/tiny", hub.endpoint());
    let asking = get(&url);
    let releasing = async {
        let asked = hub
            .api()
            .wait_for_request(&Requests::to(Route::Info), LIMIT)
            .await
            .unwrap();
        assert_eq!(asked.status, None);
        hold.release();
    };
    let (answer, ()) = tokio::join!(asking, releasing);
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_delayed_answer_is_right_but_late() {
    let hub = start().await;
    hub.on(Requests::hub())
        .answer(Fault::Delay(Duration::from_millis(50)));
    let before = tokio::time::Instant::now();
    assert_eq!(
        get(format!("{}/api/models/org/tiny", hub.endpoint()))
            .await
            .status(),
        200
    );
    assert!(before.elapsed() >= Duration::from_millis(50));
}
