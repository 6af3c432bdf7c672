//! Only the right bytes come out, and all of them.

use std::io::Read;

use downloader::{
    Digest, DownloadError, OnEnd, OpenReason, RetryCause, SourceErrorKind, TransferState,
};
use proptest::prelude::*;

use crate::script::{Bench, Open, Script, Step, content, sha256, whole};

fn read(verified: &downloader::VerifiedPartial) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(verified.path()).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

#[tokio::test(start_paused = true)]
async fn a_file_with_the_right_sha256_is_verified() {
    let content = content(3_000_001);
    let bench = Bench::new(&content);
    let script = Script::new(&content, [whole()]);

    let verified = bench.download(&script).await.unwrap();

    assert_eq!(read(&verified), content);
    assert_eq!(verified.digest(), sha256(&content));
    assert_eq!(verified.size_bytes(), 3_000_001);
    assert_eq!(script.asked(), [(0..3_000_001, OpenReason::First)]);
    let figures = bench.snapshot();
    assert_eq!(figures.bytes_done, 3_000_001);
    assert_eq!(figures.state, TransferState::Ended);
    assert_eq!(bench.notices(), []);
}

#[tokio::test(start_paused = true)]
async fn a_small_git_file_is_verified_by_its_git_blob_sha1() {
    let mut bench = Bench::new(b"hello\n");
    bench.spec.digest = Digest::from_hex("ce013625030ba8dba906f756967f9e9ca394464a").unwrap();
    let script = Script::new(b"hello\n", [whole()]);
    let verified = bench.download(&script).await.unwrap();
    assert_eq!(read(&verified), b"hello\n");
}

#[tokio::test(start_paused = true)]
async fn an_empty_file_needs_no_request() {
    let bench = Bench::new(b"");
    let script = Script::new(b"", []);
    let verified = bench.download(&script).await.unwrap();
    assert_eq!(read(&verified), b"");
}

#[tokio::test(start_paused = true)]
async fn d19_what_is_verified_and_not_placed_stays_and_needs_no_further_request() {
    let bench = Bench::new(b"model");
    drop(
        bench
            .download(&Script::new(b"model", [whole()]))
            .await
            .unwrap(),
    );
    let again = Script::new(b"model", []);
    let verified = bench.download(&again).await.unwrap();
    assert_eq!(read(&verified), b"model");
}

#[tokio::test(start_paused = true)]
async fn what_is_verified_and_not_placed_is_removed_where_nothing_is_to_be_kept() {
    let mut bench = Bench::new(b"model");
    bench.spec.on_end = OnEnd::Discard;
    let script = Script::new(b"model", [whole()]);
    drop(bench.download(&script).await.unwrap());
    assert!(bench.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_verified_and_placed_stays_alone() {
    let mut bench = Bench::new(b"model");
    let script = Script::new(b"model", [whole()]);
    bench.spec.limits.record_bytes = 1;
    let verified = bench.download(&script).await.unwrap();
    assert_eq!(bench.files().len(), 2);
    let blob = bench.folder().join("blob");
    std::fs::rename(verified.path(), &blob).unwrap();
    drop(verified);
    assert_eq!(std::fs::read(&blob).unwrap(), b"model");
    assert_eq!(bench.files(), [blob]);
}

#[tokio::test(start_paused = true)]
async fn d16_wrong_bytes_are_thrown_away_and_fetched_once_more_from_the_start() {
    let content = content(100_000);
    let mut wrong = content.clone();
    wrong[77_777] ^= 1;
    let bench = Bench::new(&content);
    let script = Script::new(&content, [Open::Body(vec![Step::Foreign(wrong)]), whole()]);

    let verified = bench.download(&script).await.unwrap();

    assert_eq!(read(&verified), content);
    let after = RetryCause::IntegrityMismatch;
    let asked = [
        (0..100_000, OpenReason::First),
        (0..100_000, OpenReason::Retry { after }),
    ];
    assert_eq!(script.asked(), asked);
    let notices = bench.notices();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].cause, after);
    assert_eq!(notices[0].bytes_kept, 0);
    assert_eq!(bench.snapshot().bytes_done, 100_000);
    assert_eq!(bench.snapshot().bytes_received, 200_000);
}

#[tokio::test(start_paused = true)]
async fn d16_bytes_that_are_wrong_twice_are_an_integrity_mismatch_with_both_hashes() {
    let bench = Bench::new(b"right");
    let wrong = || Open::Body(vec![Step::Foreign(b"wrong".to_vec())]);
    let script = Script::new(b"right", [wrong(), wrong()]);

    let error = bench.download(&script).await.unwrap_err();

    let DownloadError::IntegrityMismatch { expected, actual } = error else {
        panic!("{error:?}");
    };
    assert_eq!(expected, sha256(b"right"));
    assert_eq!(actual, sha256(b"wrong"));
    assert_eq!(bench.snapshot().bytes_done, 0);
}

#[tokio::test(start_paused = true)]
async fn d8_a_body_that_goes_on_after_the_file_is_a_size_mismatch() {
    let bodies = [
        vec![Step::Rest(1024), Step::Foreign(vec![0])],
        vec![Step::Give(4), Step::Foreign(vec![0; 10])],
    ];
    for body in bodies {
        let bench = Bench::new(b"model");
        let script = Script::new(b"model", [Open::Body(body)]);
        let error = bench.download(&script).await.unwrap_err();
        let DownloadError::SizeMismatch { expected_bytes } = error else {
            panic!("{error:?}");
        };
        assert_eq!(expected_bytes, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_neither_ends_nor_goes_on_after_the_last_byte_is_left_at_that() {
    let bench = Bench::new(b"model");
    let script = Script::new(b"model", [Open::Body(vec![Step::Rest(1024), Step::Hang])]);
    bench.download(&script).await.unwrap();
    assert_eq!(bench.notices(), []);
}

#[tokio::test(start_paused = true)]
async fn d5_a_body_that_ends_early_goes_on_from_its_last_byte() {
    let content = content(50_000);
    let bench = Bench::new(&content);
    let script = Script::new(&content, [Open::Body(vec![Step::Give(20_000)]), whole()]);

    let verified = bench.download(&script).await.unwrap();

    assert_eq!(read(&verified), content);
    let after = RetryCause::Source(SourceErrorKind::Cut);
    assert_eq!(
        script.asked()[1],
        (20_000..50_000, OpenReason::Retry { after })
    );
    assert_eq!(bench.notices()[0].bytes_kept, 20_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn however_a_body_is_cut_and_chunked_the_file_is_the_same(
        length in 1_usize..60_000,
        pieces in prop::collection::vec((1_usize..9_000, any::<bool>()), 0..12),
        last_chunk in 1_usize..20_000,
    ) {
        let content = content(length);
        let mut left = length;
        let mut opens = Vec::new();
        for (chunk, is_cut) in pieces {
            let chunk = chunk.min(left.saturating_sub(1));
            left -= chunk;
            let mut steps = vec![Step::Give(chunk)];
            steps.extend(is_cut.then_some(Step::Cut));
            opens.push(Open::Body(steps));
        }
        // Two tries that give nothing may follow each other, and no more than that is the script's to end.
        opens.push(Open::Body(vec![Step::Rest(last_chunk)]));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut bench = Bench::new(&content);
            bench.spec.limits.tries = 20;
            bench.spec.limits.batch_bytes = 4096;
            let script = Script::new(&content, opens);
            let verified = bench.download(&script).await.unwrap();
            assert_eq!(read(&verified), content);
        });
    }
}
