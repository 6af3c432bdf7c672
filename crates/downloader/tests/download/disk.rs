//! What is already at the partial's path, and a disk that refuses.

use std::fs::{self, File};

use downloader::DownloadError;
use rustix::fs::{FlockOperation, flock};

use crate::script::{Bench, Open, Script, Step, whole};

#[tokio::test(start_paused = true)]
async fn a_stale_partial_is_replaced_and_none_of_its_bytes_used() {
    let bench = Bench::new(b"model");
    fs::write(&bench.spec.partial, b"stale and longer than the file").unwrap();
    let script = Script::new(b"model", [whole()]);
    let verified = bench.download(&script).await.unwrap();
    assert_eq!(script.asked()[0].0, 0..5);
    assert_eq!(fs::read(verified.path()).unwrap(), b"model");
}

#[tokio::test(start_paused = true)]
async fn d25_a_partial_that_another_process_writes_is_left_alone() {
    let bench = Bench::new(b"model");
    fs::write(&bench.spec.partial, b"theirs").unwrap();
    let held = File::open(&bench.spec.partial).unwrap();
    flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
    let script = Script::new(b"model", [Open::Body(vec![Step::Hang])]);

    let work = downloader::download(&bench.spec, &script, &bench.meter, &bench.cancellation);
    let error = work.await.unwrap_err().reason;

    assert!(matches!(error, DownloadError::InUse { .. }), "{error:?}");
    assert_eq!(fs::read(&bench.spec.partial).unwrap(), b"theirs");
    assert_eq!(script.open_bodies(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_symbolic_link_at_the_partials_path_is_replaced_and_not_followed() {
    let bench = Bench::new(b"model");
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    fs::write(&elsewhere, b"not ours").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &bench.spec.partial).unwrap();

    let script = Script::new(b"model", [whole()]);
    let verified = bench.download(&script).await.unwrap();

    assert_eq!(fs::read(verified.path()).unwrap(), b"model");
    assert_eq!(fs::read(elsewhere.path()).unwrap(), b"not ours");
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_missing_is_told_with_its_path() {
    let mut bench = Bench::new(b"model");
    bench.spec.partial = bench.folder().join("missing/blob.hive-partial");
    let script = Script::new(b"model", [Open::Body(vec![Step::Hang])]);

    let work = downloader::download(&bench.spec, &script, &bench.meter, &bench.cancellation);
    let error = work.await.unwrap_err().reason;

    let DownloadError::Io { path, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(path, bench.spec.partial);
}
