//! What the fake sees of a client: who closed what, how much went out, and a token where none may be.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fake_hub::{Ended, EndedBy, Fault, Requests, Route};

use crate::{LARGE, LIMIT, client, get, signed_url, start};

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_stalled_body_is_seen() {
    let hub = start().await;
    let url = signed_url(&hub).await;
    hub.on(Requests::cdn()).answer(Fault::StallAfter(1000));
    let answer = get(url).await;
    hub.cdn()
        .wait_for_bytes_sent(LARGE, 1000, LIMIT)
        .await
        .unwrap();
    drop(answer);
    let body = Requests::cdn().file(LARGE);
    let closed = hub
        .cdn()
        .wait_for_connection_closed(&body, LIMIT)
        .await
        .unwrap();
    assert_eq!(closed.bytes_sent, 1000);
    assert_eq!(closed.closed.unwrap().0, EndedBy::Client);
    assert_eq!(
        hub.cdn().requests()[0].ended.unwrap().0,
        Ended::ClosedByClient
    );
    assert_eq!(hub.cdn().open_connections(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_while_the_hub_is_held_is_seen() {
    let hub = start().await;
    hub.hold_api();
    let info = Requests::to(Route::Info);
    let url = format!("{}/api/models/org/tiny", hub.endpoint());
    tokio::select! {
        _ = get(url) => panic!("a held Hub has answered"),
        seen = hub.api().wait_for_request(&info, LIMIT) => drop(seen.unwrap()),
    }
    hub.api()
        .wait_for_connection_closed(&info, LIMIT)
        .await
        .unwrap();
    hub.api()
        .wait_for_all_connections_closed(LIMIT)
        .await
        .unwrap();
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let hub = start().await;
    let client = client();
    let url = format!("{}/api/models/org/tiny", hub.endpoint());
    for _ in 0..3 {
        client
            .get(&url)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
    }
    assert_eq!(hub.api().requests().len(), 3);
    assert_eq!(hub.api().connections().len(), 1);
}

#[tokio::test]
async fn a_wait_that_is_in_vain_says_what_was_seen_instead() {
    let hub = start().await;
    get(format!("{}/api/models/org/tiny", hub.endpoint())).await;
    let soon = Duration::from_millis(10);
    let overdue = hub
        .api()
        .wait_for_request(&Requests::to(Route::Tree), soon)
        .await
        .unwrap_err();
    assert!(
        overdue
            .to_string()
            .contains("GET /api/models/org/tiny -> Some(200)"),
        "{overdue}"
    );
}

#[tokio::test]
async fn a_token_at_the_cdn_is_refused_and_fails_the_test_that_let_it_happen() {
    let hub = start().await;
    let url = signed_url(&hub).await;
    hub.assert_no_token_leak();
    let answer = client()
        .get(url)
        .bearer_auth("hf_secret")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 400);
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(hub)));
    assert!(dropped.is_err());
}

#[tokio::test]
async fn a_dropped_hub_listens_no_more() {
    let hub = start().await;
    hub.hold_api();
    let (endpoint, client) = (hub.endpoint().to_owned(), client());
    let asking = client.get(format!("{endpoint}/api/models/org/tiny")).send();
    let dropping = async {
        hub.api()
            .wait_for_request(&Requests::hub(), LIMIT)
            .await
            .unwrap();
        drop(hub);
    };
    let (answer, ()) = tokio::join!(asking, dropping);
    assert!(answer.is_err());
    assert!(client.get(&endpoint).send().await.unwrap_err().is_connect());
}
