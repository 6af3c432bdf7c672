//! `bench jobs`: a hive with thousands of jobs, with thousands of watchers, and with nothing to do.

mod recovery;
mod scene;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Result, bail, ensure};
use clap::Args;
use rustix::{fs::sync, process::Pid};
use serde::Deserialize;
use tokio::time::{Instant, interval, sleep};

use self::scene::{MODEL, SLOTS, Scene, numbered};
use super::{
    figures::{Figures, HEADER, Percentiles, verdict},
    latency, report,
};
use crate::{
    interruption::told_to_stop,
    packages, process,
    programs::{Profile, Programs, built, cargo, succeed},
};

#[derive(Args)]
pub(crate) struct Options {
    /// A tenth of everything, to try this task in two minutes; writes nothing down
    #[arg(long)]
    quick: bool,
}

/// How much there is of everything.
struct Sizes {
    stored_jobs: u32,
    submitted_jobs: u32,
    first_events: u32,
    stops: u32,
    watchers: u32,
    watching: Duration,
    idle: Duration,
    writing: Duration,
    unfinished_jobs: u32,
    starts: u32,
}

const FULL: Sizes = Sizes {
    stored_jobs: 10_000,
    submitted_jobs: 3_000,
    first_events: 1_000,
    stops: 100,
    watchers: 10_000,
    watching: Duration::from_mins(10),
    idle: Duration::from_mins(1),
    writing: Duration::from_mins(1),
    unfinished_jobs: 10_000,
    starts: 5,
};

const QUICK: Sizes = Sizes {
    stored_jobs: 1_000,
    submitted_jobs: 300,
    first_events: 100,
    stops: 10,
    watchers: 1_000,
    watching: Duration::from_secs(20),
    idle: Duration::from_secs(10),
    writing: Duration::from_secs(10),
    unfinished_jobs: 1_000,
    starts: 2,
};

/// Measures, prints, and writes the section "Jobs".
pub(super) async fn run(options: &Options) -> Result<ExitCode> {
    let sizes = if options.quick { QUICK } else { FULL };
    packages::install_missing(&[("sqlite3", "sqlite3")])?;
    let bench = Bench {
        hive: Programs::build(Profile::Release)?.hive(),
        load: build_load()?,
    };
    // A disk that is busy with what was just built holds up every acknowledged write.
    sync();
    let tables = tokio::select! {
        tables = bench.measure(&sizes) => tables?,
        // Every child and every folder goes with the future that is dropped here.
        told = told_to_stop() => {
            told?;
            bail!("interrupted");
        }
    };
    eprintln!("{tables}");
    if !options.quick {
        report::write_section("Jobs", "cargo xtask bench jobs", &tables)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The clients of tests/load, as fast as the hive.
fn build_load() -> Result<PathBuf> {
    succeed(cargo().args(["build", "--quiet", "--release", "--package", "load"]))?;
    Ok(built(Profile::Release).join("load"))
}

/// The programs that take part.
struct Bench {
    hive: PathBuf,
    load: PathBuf,
}

/// What `load watch` prints.
#[derive(Deserialize)]
struct Watched {
    changes: u64,
    lost_last_events: u64,
    reconnected: u64,
    events: Percentiles,
}

impl Bench {
    async fn measure(&self, sizes: &Sizes) -> Result<String> {
        let mut waits = self.submit_and_look(sizes).await?;
        waits.extend(
            latency::stopping(sizes.stops)
                .await?
                .iter()
                .map(Figures::row),
        );
        let recovering = self.recover(sizes).await?;
        waits.extend(recovering.iter().map(Figures::row));
        let (events, mut bars) = self.watch(sizes).await?;
        waits.push(events);
        bars.extend(self.be_idle(sizes).await?);
        bars.push(self.write(sizes).await?);
        Ok(format!(
            "{HEADER}\n{}\n\n| What | Bar | Figure |\n|---|---|---|\n{}",
            waits.join("\n"),
            bars.join("\n")
        ))
    }

    /// With a Hub that never answers, so that every job that is accepted stays.
    async fn submit_and_look(&self, sizes: &Sizes) -> Result<Vec<String>> {
        let scene = Scene::silent(&self.hive).await?;
        let first = scene.submit(MODEL).await?;
        let of = |count: u32| {
            [
                "--model".to_owned(),
                MODEL.to_owned(),
                "--count".to_owned(),
                count.to_string(),
            ]
        };
        let count = |name: &str, count: u32| [name.to_owned(), count.to_string()];
        let stored = of(sizes.stored_jobs);
        let _: serde_json::Value = scene.load(&self.load, "store", &stored).await?;
        let submitted = [&of(sizes.submitted_jobs)[..], &count("--rate", 100)].concat();
        let accepted: Percentiles = scene.load(&self.load, "submit", &submitted).await?;
        let job = ["--job".to_owned(), first.to_string()];
        let watchers = sizes.watchers / 10;
        let comers = [
            &job[..],
            &count("--watchers", watchers),
            &count("--fresh", sizes.first_events),
        ];
        let first_event: Percentiles = scene
            .load(&self.load, "first-event", &comers.concat())
            .await?;
        scene.stop().await?;
        Ok(vec![
            accepted.row(
                &format!(
                    "POST → 202, 100 a second, {} stored jobs",
                    sizes.stored_jobs
                ),
                Duration::from_millis(50),
            ),
            first_event.row(
                &format!("GET → first event, {watchers} watchers"),
                Duration::from_millis(100),
            ),
        ])
    }

    async fn watch(&self, sizes: &Sizes) -> Result<(String, Vec<String>)> {
        let scene = Scene::without_hub(&self.hive, &[]).await?;
        let job = scene.submit(MODEL).await?;
        let sockets = process::open_sockets(scene.hive.pid())?;
        let seconds = sizes.watching.as_secs().to_string();
        let arguments = [
            "--job",
            &job.to_string(),
            "--watchers",
            &sizes.watchers.to_string(),
            "--seconds",
            &seconds,
        ]
        .map(str::to_owned);
        let load = scene.load(&self.load, "watch", &arguments);
        let (watched, peak_bytes): (Watched, u64) =
            with_peak_memory(scene.hive.pid(), load).await?;
        let left = Instant::now();
        while process::open_sockets(scene.hive.pid())? > sockets {
            ensure!(left.elapsed() < Duration::from_mins(2), "sockets stay open");
            sleep(Duration::from_millis(100)).await;
        }
        let closed = left.elapsed();
        scene.stop().await?;
        let expected = watched.changes * u64::from(sizes.watchers);
        let events = watched.events.row(
            &format!(
                "change → `log` event, {} watchers, 2 changes a second, {seconds} s",
                sizes.watchers
            ),
            Duration::from_millis(500),
        );
        let count = watched.events.count();
        let lost = watched.lost_last_events;
        Ok((
            events,
            vec![
                format!(
                    "| last events lost; other events lost; connections lost, {} watchers | 0{} | {lost}; {}; {} |",
                    sizes.watchers,
                    verdict(lost == 0),
                    expected.saturating_sub(count),
                    watched.reconnected,
                ),
                bar_mb(
                    &format!("memory (RssAnon), {} watchers", sizes.watchers),
                    300,
                    peak_bytes,
                ),
                format!(
                    "| every socket of a watcher closed after its end | ≤ 30 s{} | {:.1} s |",
                    verdict(closed <= Duration::from_secs(30)),
                    closed.as_secs_f64()
                ),
            ],
        ))
    }

    async fn be_idle(&self, sizes: &Sizes) -> Result<Vec<String>> {
        let scene = Scene::silent(&self.hive).await?;
        // What a start leaves to do is done.
        sleep(Duration::from_secs(5)).await;
        let before = process::context_switches(scene.hive.pid())?;
        sleep(sizes.idle).await;
        let after = process::context_switches(scene.hive.pid())?;
        // A thread that has ended meanwhile takes its count with it.
        let switches = after.saturating_sub(before);
        let memory_bytes = process::memory_bytes(scene.hive.pid())?;
        scene.stop().await?;
        let seconds = sizes.idle.as_secs();
        Ok(vec![
            bar_mb("memory (RssAnon), idle", 25, memory_bytes),
            format!(
                "| context switches of all threads, idle for {seconds} s | ≤ 2 a second{} | {} a second |",
                verdict(switches <= 2 * seconds),
                hundredths(switches, seconds),
            ),
        ])
    }

    /// Downloads that run all the time, and what the database is asked to write meanwhile.
    async fn write(&self, sizes: &Sizes) -> Result<String> {
        let scene = Scene::dripping(&self.hive).await?;
        for number in 0..SLOTS {
            scene.submit(&numbered(number)).await?;
        }
        sleep(Duration::from_secs(5)).await;
        let before = scene.database_writes().await?;
        sleep(sizes.writing).await;
        let writes = scene.database_writes().await? - before;
        scene.stop().await?;
        let job_seconds = sizes.writing.as_secs() * u64::from(SLOTS);
        Ok(format!(
            "| database writes, {SLOTS} downloads for {} s | ≤ 1 a second and job{} | {} |",
            sizes.writing.as_secs(),
            verdict(writes <= job_seconds),
            hundredths(writes, job_seconds),
        ))
    }
}

/// What comes of it, and the most memory that the process had meanwhile, in bytes.
async fn with_peak_memory<Output>(
    pid: Pid,
    load: impl Future<Output = Result<Output>>,
) -> Result<(Output, u64)> {
    tokio::pin!(load);
    let mut samples = interval(Duration::from_secs(1));
    let mut peak_bytes = 0;
    loop {
        tokio::select! {
            output = &mut load => return Ok((output?, peak_bytes)),
            _ = samples.tick() => peak_bytes = peak_bytes.max(process::memory_bytes(pid)?),
        }
    }
}

fn bar_mb(what: &str, bar_mb: u64, bytes: u64) -> String {
    format!(
        "| {what} | ≤ {bar_mb} MB{} | {} MB |",
        verdict(bytes <= bar_mb * 1_000_000),
        bytes.div_ceil(1_000_000)
    )
}

/// A quotient with two decimals.
fn hundredths(value: u64, divisor: u64) -> String {
    let hundredths = value * 100 / divisor;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
