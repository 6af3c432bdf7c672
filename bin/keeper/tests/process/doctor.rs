//! `keeper hive doctor` against hives and proxies with one fault each.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::stream;
use hive_api::{Diagnosis, Finding, HiveInfo, MeasuredRates, StreamTick};
use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{interval, timeout},
};

use crate::keeper::Keeper;

/// A hive, or what stands before it.
struct Played {
    address: String,
    _server: JoinSet<()>,
}

fn info() -> HiveInfo {
    let text = include_str!("../../../../docs/api/hive_info.json");
    let mut info: HiveInfo = serde_json::from_str(text).unwrap();
    env!("CARGO_PKG_VERSION").clone_into(&mut info.version);
    info.caller.expires_at = None;
    info
}

fn tick(number: u64) -> String {
    let tick = StreamTick {
        number: u32::try_from(number).unwrap(),
        of: 10,
        sent_ms: (number - 1) * 100,
    };
    let data = serde_json::to_string(&tick).unwrap();
    format!("event: tick\ndata: {data}\n\n")
}

fn event_stream(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

async fn ticks_in_time() -> Response {
    let clock = interval(Duration::from_millis(100));
    let ticks = stream::unfold((1, clock), async |(number, mut clock)| {
        clock.tick().await;
        (number <= 10).then(|| (Ok::<_, Infallible>(tick(number)), (number + 1, clock)))
    });
    event_stream(Body::from_stream(ticks))
}

/// As a proxy passes on that waits for the end.
async fn ticks_held_back() -> Response {
    event_stream(Body::from((1..=10).map(tick).collect::<String>()))
}

/// A hive that is well.
fn router(info: HiveInfo) -> Router {
    let diagnosis = Diagnosis {
        findings: vec![Finding::ok("store", "/srv/hub, local ext4")],
        rates: MeasuredRates {
            disk_bytes_per_second: Some(1_900_000_000),
            sha256_bytes_per_second: Some(1_700_000_000),
            hub_bytes_per_second: None,
        },
    };
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/v1/hive", get(async move || Json(info.clone())))
        .route("/v1/doctor", post(async move || Json(diagnosis.clone())))
}

async fn serve(router: Router) -> Played {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Played {
        address,
        _server: server,
    }
}

/// The exit code and stdout of a look at this address.
async fn look(address: &str, more: &[&str]) -> (i32, String) {
    let arguments = [&["hive", "doctor"], more].concat();
    let mut keeper = Keeper::at(address, &arguments);
    let stdout = keeper.stdout().await;
    (keeper.ended().await.code().unwrap(), stdout)
}

fn has_line(text: &str, start: &str) -> bool {
    text.lines().any(|line| line.starts_with(start))
}

#[tokio::test]
async fn a_hive_that_is_well_is_said_to_be_and_the_slowest_part_named() {
    let hive = serve(router(info()).route("/v1/doctor/stream", get(ticks_in_time))).await;
    let (code, text) = look(&hive.address, &[]).await;
    assert_eq!(code, 0, "{text}");
    for start in [
        "ok    Port        ",
        "ok    TLS         none, and nothing leaves this machine",
        "ok    Clock       less than 2 s apart",
        "ok    Token       laptop, may act, no end",
        "ok    Version     keeper and hive ",
        "ok    Stream      events come as they are sent",
        "ok    Store       /srv/hub, local ext4",
        "Nothing failed; slowest part: sha256, 1.7 GB/s (disk 1.9 GB/s)",
    ] {
        assert!(has_line(&text, start), "{start}\n{text}");
    }
}

#[tokio::test]
async fn a_proxy_that_holds_events_back_is_found() {
    let hive = serve(router(info()).route("/v1/doctor/stream", get(ticks_held_back))).await;
    let (code, text) = look(&hive.address, &["--format", "json"]).await;
    assert_eq!(code, 1, "{text}");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let stream = lines.iter().find(|line| line["check"] == "stream").unwrap();
    assert_eq!(stream["level"], "fail");
    assert_eq!(
        stream["next"],
        "nginx: proxy_buffering off (docs/OPERATIONS.md#nginx); another proxy: have it pass text/event-stream on at once \
         (docs/OPERATIONS.md#stream)"
    );
    assert_eq!(lines.last().unwrap()["summary"]["failed"], 1);
}

#[tokio::test]
async fn a_port_that_is_closed_and_a_name_that_is_none_end_with_3() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (code, text) = look(&format!("http://{closed}"), &[]).await;
    assert_eq!(code, 3, "{text}");
    assert!(has_line(&text, "fail  Port "), "{text}");
    assert!(text.contains("docs/OPERATIONS.md#port"), "{text}");
    // The port of a proxy is nothing that hive serve could open.
    let proxy = format!("http://{closed}");
    let through = [("KEEPER_PROXY", proxy.as_str())];
    let mut keeper = Keeper::of("https://gpu9.invalid", &["hive", "doctor"], &through);
    let text = keeper.stdout().await;
    assert_eq!(keeper.ended().await.code(), Some(3), "{text}");
    assert!(has_line(&text, "fail  Port "), "{text}");
    assert!(text.contains("KEEPER_PROXY"), "{text}");
    // RFC 6761, section 6.4: no resolver knows a name of `invalid`.
    let (code, text) = look("https://gpu9.invalid", &[]).await;
    assert_eq!(code, 3, "{text}");
    assert!(has_line(&text, "fail  Name "), "{text}");
}

#[tokio::test]
async fn plain_http_behind_an_https_address_and_a_stranger_end_with_3() {
    let hive = serve(router(info())).await;
    let address = hive.address.replace("http://", "https://");
    let (code, text) = look(&address, &[]).await;
    assert_eq!(code, 3, "{text}");
    assert!(has_line(&text, "fail  TLS "), "{text}");
}

#[tokio::test]
async fn a_token_that_is_refused_ends_with_4_and_a_small_one_skips_what_it_may_not() {
    let refuses = async || {
        let problem = hive_api::Problem::new(
            hive_api::ProblemCode::Unauthenticated,
            "this hive does not know that token, or it was revoked",
        );
        (StatusCode::UNAUTHORIZED, Json(problem))
    };
    let stranger = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/v1/hive", get(refuses));
    let hive = serve(stranger).await;
    let (code, text) = look(&hive.address, &[]).await;
    assert_eq!(code, 4, "{text}");
    assert!(
        has_line(&text, "fail  Token       this hive does not know"),
        "{text}"
    );

    let mut small = info();
    small.caller.scope = hive_api::Scope::Read.into();
    let hive = serve(router(small).route("/v1/doctor/stream", get(ticks_in_time))).await;
    let (code, text) = look(&hive.address, &[]).await;
    assert_eq!(code, 0, "{text}");
    assert!(has_line(&text, "skip  Hive "), "{text}");
}

#[tokio::test]
async fn an_older_hive_and_a_clock_that_is_wrong_are_warnings() {
    let mut old = info();
    old.version = "0.0.1".to_owned();
    let wrong = async || ([(header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT")], "ok");
    let router = Router::new()
        .route("/healthz", get(wrong))
        .route("/v1/hive", get(async move || Json(old.clone())))
        .fallback(async || {
            let code = hive_api::ProblemCode::NotFound;
            let problem = hive_api::Problem::new(code, "there is no such route");
            (StatusCode::NOT_FOUND, Json(problem))
        });
    let hive = serve(router).await;
    let (code, text) = look(&hive.address, &[]).await;
    // It knows neither of the routes, which is no fault of the way.
    assert_eq!(code, 0, "{text}");
    for start in [
        "warn  Clock ",
        "warn  Version ",
        "skip  Stream ",
        "skip  Hive ",
    ] {
        assert!(has_line(&text, start), "{start}\n{text}");
    }
    assert!(text.contains("Nothing failed, 2 warnings"), "{text}");
}

#[tokio::test]
async fn a_system_without_authorities_keeps_from_https_alone() {
    let hive = serve(router(info()).route("/v1/doctor/stream", get(ticks_in_time))).await;
    let no_file = [("SSL_CERT_FILE", "/no/such/authorities.pem")];
    let mut plain = Keeper::of(&hive.address, &["hive", "doctor"], &no_file);
    let text = plain.stdout().await;
    assert_eq!(plain.ended().await.code(), Some(0), "{text}");
    let address = hive.address.replace("http://", "https://");
    let mut keeper = Keeper::of(&address, &["hive", "doctor"], &no_file);
    let text = keeper.stdout().await;
    assert_eq!(keeper.ended().await.code(), Some(2), "{text}");
    assert!(has_line(&text, "ok    Port "), "{text}");
    assert!(has_line(&text, "fail  TLS "), "{text}");
    assert!(text.contains("correct SSL_CERT_FILE"), "{text}");
}

#[tokio::test]
async fn what_answers_and_is_no_hive_is_said_to_be_none() {
    let another = serve(Router::new()).await;
    let (code, text) = look(&another.address, &[]).await;
    assert_eq!(code, 1, "{text}");
    assert!(has_line(&text, "fail  Answer "), "{text}");
    assert!(text.contains("check the address"), "{text}");
}

#[tokio::test]
async fn a_stream_that_breaks_off_and_a_hive_that_cannot_look_are_failures() {
    let busy = async || {
        let code = hive_api::ProblemCode::DoctorRunning;
        let problem = hive_api::Problem::new(code, "it looks at itself for someone else");
        (StatusCode::CONFLICT, Json(problem.with_hint("ask again")))
    };
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/v1/hive", get(async || Json(info())))
        .route(
            "/v1/doctor/stream",
            get(async || event_stream(Body::from(tick(1)))),
        )
        .route("/v1/doctor", post(busy));
    let hive = serve(router).await;
    let (code, text) = look(&hive.address, &[]).await;
    assert_eq!(code, 3, "{text}");
    assert!(has_line(&text, "fail  Stream "), "{text}");
    assert!(
        has_line(&text, "fail  Hive        it looks at itself"),
        "{text}"
    );
    assert!(has_line(&text, "      Next        ask again"), "{text}");
    assert!(text.contains("2 failed"), "{text}");
}

#[tokio::test]
async fn what_a_hive_tells_to_type_reaches_that_hive() {
    let finding = Finding::warn("store", "1.0 GB free", "make room: keeper model list");
    let diagnosis = Diagnosis {
        findings: vec![finding],
        rates: MeasuredRates::default(),
    };
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/v1/hive", get(async || Json(info())))
        .route("/v1/doctor/stream", get(ticks_in_time))
        .route("/v1/doctor", post(async move || Json(diagnosis.clone())));
    let hive = serve(router).await;
    let (code, text) = look(&hive.address, &["--format", "json"]).await;
    assert_eq!(code, 0, "{text}");
    let reached = format!("make room: keeper --hive {} model list", hive.address);
    assert!(text.contains(&reached), "{text}");
}

#[tokio::test]
async fn a_hive_that_lies_moves_no_cursor_and_fills_no_screen() {
    let lies = async || {
        let absurd = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}".repeat(100_000);
        let finding = Finding::fail(&absurd, absurd.clone(), absurd.clone());
        Json(Diagnosis {
            findings: vec![finding; 3],
            rates: MeasuredRates {
                hub_bytes_per_second: Some(u64::MAX),
                disk_bytes_per_second: Some(0),
                sha256_bytes_per_second: Some(u64::MAX),
            },
        })
    };
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/v1/hive", get(async || Json(info())))
        .route("/v1/doctor/stream", get(ticks_in_time))
        .route("/v1/doctor", post(lies));
    let hive = serve(router).await;
    for format in ["human", "json"] {
        let (code, text) = look(&hive.address, &["--format", format]).await;
        assert_eq!(code, 1);
        let is_harmful = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.chars().any(is_harmful), "{text:?}");
        assert!(text.len() < 60_000, "{}", text.len());
    }
}

#[tokio::test]
async fn ctrl_c_leaves_at_once_while_a_hive_keeps_silent() {
    let silent = async || std::future::pending::<&'static str>().await;
    let router = router(info()).route("/v1/doctor/stream", get(silent));
    let hive = serve(router).await;
    let mut keeper = Keeper::at(&hive.address, &["hive", "doctor"]);
    let stdout = keeper.stdout_until("Version").await;
    assert!(has_line(&stdout, "ok    Token"), "{stdout}");
    keeper.signal(Signal::INT);
    let ended = timeout(Duration::from_secs(5), keeper.ended())
        .await
        .unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&ended),
        Some(2)
    );
}

#[tokio::test]
async fn without_a_local_hive_nothing_is_started_and_the_way_on_named() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let mut keeper = Keeper::of(
        "local",
        &["hive", "doctor"],
        &[("HIVE_STATE_DIR", state.to_str().unwrap())],
    );
    let text = keeper.stdout().await;
    assert_eq!(keeper.ended().await.code(), Some(3), "{text}");
    assert!(
        has_line(&text, "fail  Hive        no hive runs here"),
        "{text}"
    );
    assert!(text.contains("hive doctor looks at this machine"), "{text}");
    assert!(!state.exists());
}

#[tokio::test]
async fn a_local_socket_of_something_else_is_said_to_be_no_hive() {
    let home = tempfile::tempdir().unwrap();
    let socket = tokio::net::UnixListener::bind(home.path().join("hive.sock")).unwrap();
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(socket, Router::new()).await.unwrap() });
    let state = [("HIVE_STATE_DIR", home.path().to_str().unwrap())];
    let mut keeper = Keeper::of("local", &["hive", "doctor"], &state);
    let text = keeper.stdout().await;
    assert_eq!(keeper.ended().await.code(), Some(1), "{text}");
    assert!(has_line(&text, "fail  Hive "), "{text}");
}
