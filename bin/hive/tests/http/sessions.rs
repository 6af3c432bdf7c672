//! The cookie of a browser's page.

use reqwest::{Client, Method, RequestBuilder, header};

use crate::{
    events::Frames,
    running_hive::{LIMIT, RunningHive, code_of, download_of},
};

/// Opens a session and gives the cookie as a browser sends it.
async fn open(hive: &RunningHive) -> String {
    let answer = hive.tell("/v1/session").await;
    assert_eq!(answer.status(), 204);
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(
        attributes,
        "HttpOnly; SameSite=Strict; Path=/; Max-Age=43200"
    );
    let name = format!("hive_session_{}=", hive.address.port());
    assert!(pair.starts_with(&name), "{pair}");
    pair.to_owned()
}

/// A request of a page: with the cookie, without the token.
fn by_cookie(hive: &RunningHive, method: Method, path: &str, cookie: &str) -> RequestBuilder {
    let cookies = format!("theme=dark; {cookie}");
    hive.stranger(method, path).header(header::COOKIE, cookies)
}

#[tokio::test]
async fn a_page_reads_and_follows_by_its_cookie() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let cookie = open(&hive).await;
    let id = hive.submit("a/b").await;
    for path in ["/v1/jobs", "/v1/hive", "/metrics"] {
        let answer = by_cookie(&hive, Method::GET, path, &cookie).send().await;
        assert_eq!(answer.unwrap().status(), 200, "{path}");
    }
    let events = format!("/v1/jobs/{id}/events");
    let answer = by_cookie(&hive, Method::GET, &events, &cookie).send().await;
    let mut stream = Frames::of(answer.unwrap());
    assert_eq!(stream.next().await.unwrap().data["job_id"], id);
    hive.stop().await;
}

#[tokio::test]
async fn a_change_by_cookie_needs_our_own_origin() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let cookie = open(&hive).await;
    let submit = async |origin: Option<String>| {
        let mut request = by_cookie(&hive, Method::POST, "/v1/jobs", &cookie);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        request.json(&download_of("a/b")).send().await.unwrap()
    };
    let own = format!("http://{}", hive.address);
    let neighbour = format!("http://{}:{}", hive.address.ip(), hive.address.port() ^ 1);
    for origin in [None, Some(neighbour), Some("null".to_owned())] {
        let answer = submit(origin).await;
        assert_eq!(answer.status(), 403);
        assert_eq!(code_of(answer).await, "origin_not_allowed");
    }
    assert_eq!(submit(Some(own)).await.status(), 202);
    hive.stop().await;
}

#[tokio::test]
async fn a_session_that_is_ended_lets_nobody_in_and_closes_its_streams() {
    let hive = RunningHive::start().await;
    let (cookie, other) = (open(&hive).await, open(&hive).await);
    let stream = by_cookie(&hive, Method::GET, "/v1/events", &cookie);
    let mut stream = Frames::of(stream.send().await.unwrap());
    stream.next_text().await.unwrap();

    let end = by_cookie(&hive, Method::DELETE, "/v1/session", &cookie);
    let own = format!("http://{}", hive.address);
    let ended = end.header(header::ORIGIN, own).send().await.unwrap();
    assert_eq!(ended.status(), 204);
    let removed = ended.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(removed.ends_with("Max-Age=0"), "{removed}");
    while stream.next_text().await.is_some() {}

    for (cookie, status) in [(&cookie, 401), (&other, 200)] {
        let answer = by_cookie(&hive, Method::GET, "/v1/jobs", cookie)
            .send()
            .await;
        assert_eq!(answer.unwrap().status(), status);
    }
    hive.stop().await;
}

#[tokio::test]
async fn only_a_token_opens_a_session() {
    let hive = RunningHive::start().await;
    let cookie = open(&hive).await;
    let own = format!("http://{}", hive.address);
    let again = by_cookie(&hive, Method::POST, "/v1/session", &cookie);
    let again = again.header(header::ORIGIN, own).send().await.unwrap();
    assert_eq!(code_of(again).await, "unauthenticated");
    let with_a_wrong_token = by_cookie(&hive, Method::GET, "/v1/jobs", &cookie).bearer_auth("x");
    assert_eq!(with_a_wrong_token.send().await.unwrap().status(), 401);

    let socket = Client::builder().unix_socket(hive.socket()).timeout(LIMIT);
    let socket = socket.no_proxy().build().unwrap();
    let answer = socket.post("http://hive/v1/session").send().await.unwrap();
    assert_eq!(code_of(answer).await, "forbidden");
    hive.stop().await;
}
