//! Several connections at a time bring the same file as one, and each of them fails alone.

use std::time::Duration;

use downloader::{ConnectionBudget, OpenReason, RetryCause};
use proptest::prelude::*;

use crate::line::{Line, Troubles};
use crate::script::{Bench, content};

const KIB: u64 = 1024;

/// A bench on which a small file is fetched as a big one would be, over so many connections.
pub(crate) fn parallel(content: &[u8], connections: usize) -> Bench {
    let mut bench = Bench::new(content);
    let limits = &mut bench.spec.limits;
    limits.split_from_bytes = 1;
    limits.shortest_range_bytes = KIB;
    limits.window_bytes = 64 * KIB;
    limits.batch_bytes = 4 * 1024;
    limits.record_bytes = 16 * KIB;
    limits.first_connections = connections;
    limits.connections = connections;
    bench
}

#[tokio::test(start_paused = true)]
async fn the_file_comes_over_several_connections_and_every_byte_once() {
    let content = content(1_000_000);
    let bench = parallel(&content, 4);
    let troubles = Troubles {
        longest_wait: Duration::from_millis(200),
        ..Troubles::NONE
    };
    let line = Line::new(&content, troubles);

    let verified = bench.download_from(&line).await.unwrap();

    assert_eq!(std::fs::read(verified.path()).unwrap(), content);
    assert_eq!(line.most_open(), 4);
    assert_eq!(bench.snapshot().bytes_received, 1_000_000);
    assert_eq!(bench.notices(), []);
}

#[tokio::test(start_paused = true)]
async fn no_connection_is_opened_beyond_the_budget() {
    let content = content(300_000);
    let mut bench = parallel(&content, 8);
    let budget = ConnectionBudget::new(3);
    bench.spec.connections = budget.share();
    let troubles = Troubles {
        longest_wait: Duration::from_millis(200),
        ..Troubles::NONE
    };
    let line = Line::new(&content, troubles);
    bench.download_from(&line).await.unwrap();
    assert_eq!(line.most_open(), 3);
    assert_eq!(budget.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_small_file_is_one_request() {
    let content = content(300_000);
    let mut bench = parallel(&content, 8);
    bench.spec.limits.split_from_bytes = 300_001;
    let line = Line::new(&content, Troubles::NONE);
    bench.download_from(&line).await.unwrap();
    assert_eq!(line.asked(), [(0..300_000, OpenReason::First)]);
}

#[tokio::test(start_paused = true)]
async fn d1_a_range_that_stalls_is_tried_again_alone_from_its_last_byte() {
    let content = content(200_000);
    let bench = parallel(&content, 4);
    let mut line = Line::new(&content, Troubles::NONE);
    line.hangs_once_at = Some(0);

    bench.download_from(&line).await.unwrap();

    let notices = bench.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(matches!(notices[0].cause, RetryCause::Stalled(_)));
    let again: Vec<_> = line
        .asked()
        .into_iter()
        .filter(|(_, reason)| *reason != OpenReason::First)
        .collect();
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(again[0].0.start, 1);
    assert_eq!(bench.meter.retries_by_cause().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_serves_whole_files_only_is_asked_for_one() {
    let content = content(100_000);
    let bench = parallel(&content, 4);
    let mut line = Line::new(&content, Troubles::NONE);
    line.ranges_served = 0;
    let verified = bench.download_from(&line).await.unwrap();
    assert_eq!(std::fs::read(verified.path()).unwrap(), content);
    assert_eq!(line.asked().last().unwrap().0, 0..100_000);
    assert_eq!(bench.notices(), []);
}

#[tokio::test(start_paused = true)]
async fn d17_what_a_range_was_about_to_write_is_not_lost_when_the_source_turns_out_to_serve_whole_files()
 {
    let content = content(100_000);
    let bench = parallel(&content, 4);
    let mut line = Line::new(&content, Troubles::NONE);
    line.hangs_once_at = Some(0);
    line.ranges_served = 1;
    let verified = bench.download_from(&line).await.unwrap();
    assert_eq!(std::fs::read(verified.path()).unwrap(), content);
}

#[tokio::test(start_paused = true)]
async fn sixteen_connections_at_full_speed_hold_a_few_mebibytes() {
    let content = content(64 * 1024 * 1024);
    let mut bench = Bench::new(&content);
    bench.spec.limits.first_connections = 16;
    let troubles = Troubles {
        longest_chunk: 400 * KIB,
        ..Troubles::NONE
    };
    let line = Line::new(&content, troubles);
    bench.download_from(&line).await.unwrap();
    assert!(line.most_open() > 1);
    let most = line.most_alive_bytes();
    assert!(most < 20 * 1024 * 1024, "{most} bytes were held");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_happens_on_the_line_the_file_is_the_same(
        length in 1_usize..400_000,
        connections in 1_usize..9,
        seed in any::<u64>(),
        longest_chunk in 1_000_u64..40_000,
        longest_wait_ms in 0_u64..400,
        cuts_per_thousand in 0_u64..100,
        stalls_per_thousand in 0_u64..10,
    ) {
        let content = content(length);
        let troubles = Troubles {
            seed,
            longest_chunk,
            longest_wait: Duration::from_millis(longest_wait_ms),
            cuts_per_thousand,
            stalls_per_thousand,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut bench = parallel(&content, connections);
            bench.spec.limits.tries = 50;
            let line = Line::new(&content, troubles);
            let verified = bench.download_from(&line).await.unwrap();
            assert_eq!(std::fs::read(verified.path()).unwrap(), content);
            assert_eq!(bench.snapshot().bytes_done, length as u64);
            assert_eq!(bench.snapshot().bytes_received, length as u64, "a byte was received twice");
            assert_eq!(bench.snapshot().connections, 0);
        });
    }
}
