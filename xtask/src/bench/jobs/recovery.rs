//! The start of a hive that died with thousands of unfinished jobs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use hive_client::{Endpoint, HiveClient};
use tempfile::TempDir;
use tokio::{process::Command, time::Instant};

use super::{
    Bench, Sizes,
    scene::{MODEL, NOBODY, Scene},
};
use crate::{bench::figures::Figures, hive::Hive};

const BAR_MS: u64 = 2_000;
/// Gives three quarters of the running jobs the other states in which a crash can leave one.
const SPREAD: &str = "
    UPDATE jobs SET state = CASE number % 4
        WHEN 1 THEN 'queued' WHEN 2 THEN 'cancelling' WHEN 3 THEN 'pausing' ELSE state END;
    UPDATE jobs SET job = json_set(job, '$.state', state);
    UPDATE jobs SET job = json_set(job, '$.phase', NULL) WHERE state = 'queued';";

impl Bench {
    /// Each start finds what was left when the hive was killed.
    pub(super) async fn recover(&self, sizes: &Sizes) -> Result<Vec<Figures>> {
        let jobs = sizes.unfinished_jobs;
        let left = self.crash(jobs).await?;
        let what = format!("start → first answer, {jobs} jobs that ran when it was killed");
        let running = self.start_again(what, left.path(), sizes.starts).await?;
        sql(&database(left.path()), SPREAD).await?;
        let what = "start → first answer, a quarter each queued, running, pausing and cancelling"
            .to_owned();
        let spread = self.start_again(what, left.path(), sizes.starts).await?;
        Ok(vec![running, spread])
    }

    async fn start_again(&self, what: String, left: &Path, starts: u32) -> Result<Figures> {
        let mut figures = Figures::new(what, BAR_MS);
        for _ in 0..starts {
            let home = TempDir::with_prefix("crashed-hive-")?;
            fs::create_dir(home.path().join("state"))?;
            fs::copy(database(left), database(home.path()))?;
            let started = Instant::now();
            let hive = Hive::start(&self.hive, &[], NOBODY, home.path()).await?;
            // It answers when it is through with the jobs; the socket takes connections from the first moment.
            HiveClient::connect(&Endpoint::UnixSocket(hive.socket.clone()))?
                .hive()
                .await?;
            figures.add(started.elapsed());
            hive.kill().await?;
        }
        Ok(figures)
    }

    /// A hive that ran all its jobs when it was killed.
    async fn crash(&self, jobs: u32) -> Result<TempDir> {
        let all = jobs.to_string();
        let scene = Scene::without_hub(&self.hive, &["--max-jobs", &all]).await?;
        let submitted = ["--model", MODEL, "--count", &all].map(str::to_owned);
        let _: serde_json::Value = scene.load(&self.load, "store", &submitted).await?;
        let home = scene.hive.kill().await?;
        let running = sql(
            &database(home.path()),
            "SELECT count(*) FROM jobs WHERE state = 'running'",
        )
        .await?;
        ensure!(running.trim() == all, "{running} of {all} jobs run");
        Ok(home)
    }
}

/// The database of a hive that has its state below this folder.
fn database(home: &Path) -> PathBuf {
    home.join("state/hive.db")
}

/// What SQLite's own program answers. It leaves no journal beside the database.
async fn sql(database: &Path, statement: &str) -> Result<String> {
    let output = Command::new("sqlite3")
        .arg(database)
        .arg(statement)
        .output()
        .await
        .context("sqlite3 did not start")?;
    ensure!(
        output.status.success(),
        "sqlite3: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
