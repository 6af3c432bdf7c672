//! A Hub that never answers: the job says so, lives visibly, and stops when told.

use e2e::{End, MODEL, Machine, Running, Terminal, quantised};
use fake_hub::{FakeHub, Fault, Requests, Route};

#[tokio::test]
async fn heartbeats_go_on_while_the_hub_is_silent_and_a_cancel_ends_the_job() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let _silent = hub.on(Requests::to(Route::Info)).answer(Fault::Hold);
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let detached = machine
        .run_keeper(&["model", "download", MODEL, "--detach"])
        .await
        .unwrap();
    assert_eq!(detached.end, End::Exit(0), "{detached}");

    let mut watch =
        Running::start(&mut machine.keeper(["--format", "json", "job", "watch", "last"])).unwrap();
    watch
        .wait_for_stdout(r#""event":"snapshot""#)
        .await
        .unwrap();
    watch
        .wait_for_stdout(r#""phase":"resolving""#)
        .await
        .unwrap();
    watch
        .wait_for_stdout(r#""event":"heartbeat""#)
        .await
        .unwrap();
    let cancelled = machine
        .run_keeper(&["job", "cancel", "last"])
        .await
        .unwrap();
    let watched = watch.finish().await.unwrap();

    assert_eq!(cancelled.end, End::Exit(0), "{cancelled}");
    assert!(
        watched.stdout.contains(r#""event":"cancelled""#),
        "{watched}"
    );
}

#[tokio::test]
async fn a_terminal_that_cannot_draw_is_told_how_it_goes_in_lines() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let silent = hub.hold_api();
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let mut pull = machine.keeper(["pull", MODEL]);
    let mut keeper = Terminal::start(pull.env("TERM", "dumb")).unwrap();
    keeper
        .wait_for("local: asking the Hub for the revision for ")
        .await
        .unwrap();
    silent.release();
    let finished = keeper.finish().await.unwrap();
    assert!(
        finished.stderr.contains("local: done, 8.0 MB"),
        "{finished}"
    );
    assert!(!finished.stderr.contains('\u{1b}'), "{:?}", finished.stderr);
}
