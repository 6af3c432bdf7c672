//! What came is not fetched again, and only what its record proves is taken for having come.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use downloader::{BootId, DownloadError, OnEnd, TransferState, discard_partial};
use proptest::prelude::*;
use rustix::fs::{FlockOperation, flock};

use crate::line::{Line, Troubles};
use crate::ranges::parallel;
use crate::script::{Bench, Open, Script, Step, content, whole, with_moving_clock};

const LENGTH: usize = 1000;

/// A partial with its record, as an earlier download left them on this boot: `text` with `SIZE` and `DIGEST` filled in.
fn left(bench: &Bench, partial: &[u8], record: &str) {
    fs::write(&bench.spec.partial, partial).unwrap();
    let record = record
        .replace("DIGEST", &bench.spec.digest.to_string())
        .replace("SIZE", &bench.spec.size_bytes.to_string());
    fs::write(record_path(bench), record).unwrap();
}

fn record_path(bench: &Bench) -> PathBuf {
    let mut path = bench.spec.partial.clone().into_os_string();
    path.push(".json");
    path.into()
}

const RECORD: &str = concat!(
    r#"{"version":1,"digest":"DIGEST","size_bytes":SIZE,"boot_id":"this boot","synced":[[0,400]]}"#,
    "\n",
    r#"{"segments":[[0,600]]}"#,
    "\n"
);

/// Where the download of a file that was left like this begins to ask.
async fn asks_from(bench: &Bench, content: &[u8]) -> u64 {
    let script = Script::new(content, [whole()]);
    let verified = bench.download(&script).await.unwrap();
    assert_eq!(fs::read(verified.path()).unwrap(), content);
    script.asked()[0].0.start
}

#[tokio::test(start_paused = true)]
async fn after_a_cancel_it_goes_on_from_what_came() {
    let content = content(100_000);
    let mut bench = Bench::new(&content);
    let first = Script::new(&content, [Open::Body(vec![Step::Give(60_000), Step::Hang])]);
    let cancel = async {
        while bench.snapshot().bytes_done < 60_000 || bench.snapshot().idle.as_secs() < 1 {
            tokio::task::yield_now().await;
        }
        bench.cancellation.cancel();
    };
    let work = async { tokio::join!(bench.download(&first), cancel) };
    let (result, ()) = with_moving_clock(work).await;
    assert!(matches!(result, Err(DownloadError::Cancelled)));
    assert_eq!(bench.snapshot().bytes_done, 60_000);

    bench.renew();
    // A power loss does not matter: what is kept at an end is on the disk.
    bench.spec.boot_id = BootId::new("another boot");
    assert_eq!(asks_from(&bench, &content).await, 60_000);
    assert_eq!(bench.snapshot().bytes_received, 40_000);
}

#[tokio::test(start_paused = true)]
async fn d23_after_a_kill_it_goes_on_from_the_last_line_of_the_record() {
    let content = content(LENGTH);
    let bench = Bench::new(&content);
    left(&bench, &content[..900], RECORD);
    assert_eq!(asks_from(&bench, &content).await, 600);
}

#[tokio::test(start_paused = true)]
async fn d24_after_a_power_loss_it_goes_on_from_the_synced_checkpoint() {
    let content = content(LENGTH);
    let mut bench = Bench::new(&content);
    bench.spec.boot_id = BootId::new("another boot");
    left(&bench, &content[..900], RECORD);
    assert_eq!(asks_from(&bench, &content).await, 400);
}

#[tokio::test(start_paused = true)]
async fn gaps_are_fetched_and_what_is_between_them_is_not() {
    let content = content(LENGTH);
    let bench = Bench::new(&content);
    let mut partial = content[..800].to_vec();
    partial[100..500].fill(0);
    left(
        &bench,
        &partial,
        &RECORD.replace("[[0,600]]", "[[0,100],[500,800]]"),
    );
    let script = Script::new(&content, [whole(), whole()]);
    let verified = bench.download(&script).await.unwrap();
    assert_eq!(fs::read(verified.path()).unwrap(), content);
    let asked: Vec<_> = script.asked().into_iter().map(|(range, _)| range).collect();
    assert_eq!(asked, [100..500, 800..1000]);
}

#[tokio::test(start_paused = true)]
async fn d19_what_no_record_proves_is_fetched_anew() {
    let content = content(LENGTH);
    for record in [
        "",
        "not a record",
        &RECORD.replace("DIGEST", &"0".repeat(64)),
        &RECORD.replace("SIZE", "1001"),
        &RECORD.replace("\"version\":1", "\"version\":9"),
        // More than there is in the file, or in any such file.
        &RECORD.replace("[[0,600]]", "[[0,901]]"),
        &RECORD.replace("[[0,600]]", "[[0,1001]]"),
    ] {
        let bench = Bench::new(&content);
        left(&bench, &content[..900], record);
        assert_eq!(asks_from(&bench, &content).await, 0, "{record}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_partial_that_has_another_name_too_is_left_alone() {
    let content = content(LENGTH);
    let bench = Bench::new(&content);
    left(&bench, &content[..900], RECORD);
    let elsewhere = bench.folder().join("elsewhere");
    fs::hard_link(&bench.spec.partial, &elsewhere).unwrap();
    assert_eq!(asks_from(&bench, &content).await, 0);
    assert_eq!(fs::read(elsewhere).unwrap(), content[..900]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_lies_costs_a_second_fetch_and_no_wrong_file() {
    let content = content(LENGTH);
    let bench = Bench::new(&content);
    left(&bench, &[0; 900], RECORD);
    let script = Script::new(&content, [whole(), whole()]);
    let verified = bench.download(&script).await.unwrap();
    assert_eq!(fs::read(verified.path()).unwrap(), content);
    let asked: Vec<_> = script.asked().into_iter().map(|(range, _)| range).collect();
    assert_eq!(asked, [600..1000, 0..1000]);
}

#[tokio::test(start_paused = true)]
async fn d32_a_cancel_while_what_is_kept_is_hashed_asks_nothing_and_keeps_it() {
    let content = content(48 * 1024 * 1024);
    let bench = Bench::new(&content);
    let claim = RECORD.replace("[[0,600]]", &format!("[[0,{}]]", content.len()));
    left(&bench, &content, &claim);
    let script = Script::new(&content, []);
    let cancel = async {
        while bench.snapshot().state != TransferState::Rehashing {
            tokio::task::yield_now().await;
        }
        bench.cancellation.cancel();
    };
    let work = async { tokio::join!(bench.download(&script), cancel) };
    let (result, ()) = with_moving_clock(work).await;
    assert!(matches!(result, Err(DownloadError::Cancelled)));
    assert_eq!(bench.snapshot().bytes_done, content.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_download_that_is_not_to_be_kept_leaves_nothing() {
    let content = content(LENGTH);
    let mut bench = Bench::new(&content);
    bench.spec.on_end = OnEnd::Discard;
    bench.spec.limits.tries = 1;
    let script = Script::new(&content, [Open::Body(vec![Step::Give(600), Step::Cut])]);
    bench.download(&script).await.unwrap_err();
    assert!(bench.files().is_empty());
}

#[test]
fn a_partial_is_discarded_with_its_record_unless_a_download_holds_it() {
    let content = content(LENGTH);
    let bench = Bench::new(&content);
    left(&bench, &content[..900], RECORD);
    let held = fs::File::open(&bench.spec.partial).unwrap();
    flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert!(!discard_partial(&bench.spec.partial).unwrap());
    assert_eq!(bench.files().len(), 2);
    drop(held);
    assert!(discard_partial(&bench.spec.partial).unwrap());
    assert!(bench.files().is_empty());
    assert!(discard_partial(&bench.spec.partial).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The limits are those of a real download divided by 4096, and so is the bound of 16 MiB.
    #[test]
    fn however_often_it_is_cancelled_little_comes_twice(
        seed in any::<u64>(),
        stops_after_ms in prop::collection::vec(0_u64..1500, 1..5),
    ) {
        let content = content(200_000);
        let troubles = Troubles {
            seed,
            longest_chunk: 3000,
            longest_wait: Duration::from_millis(300),
            cuts_per_thousand: 10,
            stalls_per_thousand: 0,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut bench = parallel(&content, 8);
            let stops = stops_after_ms.len() as u64;
            let mut received = 0;
            for stop in stops_after_ms {
                let cancellation = bench.cancellation.clone();
                let cancel = async {
                    tokio::time::sleep(Duration::from_millis(stop)).await;
                    cancellation.cancel();
                };
                let line = Line::new(&content, troubles.clone());
                let work = async { tokio::join!(bench.download_from(&line), cancel).0 };
                let _ = with_moving_clock(work).await;
                received += bench.snapshot().bytes_received;
                bench.renew();
            }
            let line = Line::new(&content, troubles);
            let verified = bench.download_from(&line).await.unwrap();
            assert_eq!(fs::read(verified.path()).unwrap(), content);
            received += bench.snapshot().bytes_received;
            let twice = received - content.len() as u64;
            assert!(twice <= stops * 64 * 1024, "{twice} bytes came twice");
        });
    }
}
