//! D25: two hives on one store of a file system whose locks are granted to everybody.

use anyhow::{Result, ensure};
use fake_hub::{Fault, Requests};

use super::{
    scene::{FILE_BYTES, LIMIT, Scene, expect_right, hub, injecting},
    told,
};
use crate::programs::Programs;

pub(super) async fn run(programs: &Programs) -> Result<()> {
    told(
        "d25_locks_that_do_nothing",
        granted_to_everybody(programs).await,
    )
}

/// Neither has to win; whatever is published is right, and one that fails says so.
async fn granted_to_everybody(programs: &Programs) -> Result<()> {
    let hub = hub().await;
    hub.on(Requests::cdn()).answer(Fault::Drip {
        bytes_per_second: FILE_BYTES / 2,
    });
    let scene = Scene::new(programs, hub.endpoint())?;
    // The lock of the state stays one: what is shared is the store.
    let mut under = injecting(&scene.partial()?, "flock:retval=0");
    under.splice(1..1, ["-P".into(), scene.lock()?.into()]);
    let one = scene.hive("one", &under).await?;
    let other = scene.hive("other", &under).await?;
    let first = scene.download(&one);
    let second = async {
        let asked = hub.cdn().wait_for_request(&Requests::cdn(), LIMIT).await;
        asked.map_err(|overdue| anyhow::anyhow!("{overdue:?}"))?;
        scene.download(&other).await
    };
    let (first, second) = tokio::join!(first, second);
    let ends = [first?, second?];
    expect_right(&scene.blob()?)?;
    for end in &ends {
        let is_told = end.state == "succeeded" || end.code.as_deref() == Some("io_error");
        ensure!(is_told, "the job is {}", end.job);
    }
    ensure!(
        ends.iter().any(|end| end.state == "succeeded"),
        "neither came to an end: {} {}",
        ends[0].job,
        ends[1].job
    );
    scene.stop(one).await?;
    scene.stop(other).await
}
