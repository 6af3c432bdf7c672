//! One run of a program: how long, how much CPU, how much memory.

use std::{fmt, ops::Add, time::Duration};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::{
    process::Command,
    task::spawn_blocking,
    time::{Instant, interval},
};

use crate::process::{cpu_time, memory_bytes, pid};

const MEMORY_SAMPLES: Duration = Duration::from_millis(10);

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) wall: Duration,
    /// User and system time of the program and of the children that it waited for.
    pub(super) cpu: Duration,
    /// The most anonymous memory (`RssAnon`) that was seen.
    pub(super) peak_memory_bytes: u64,
    /// From the last byte that was sent to the blob in its place, where both are known.
    pub(super) placed_after: Option<Duration>,
}

/// One program after the other.
impl Add for Measured {
    type Output = Self;

    fn add(self, next: Self) -> Self {
        Self {
            wall: self.wall + next.wall,
            cpu: self.cpu + next.cpu,
            peak_memory_bytes: self.peak_memory_bytes.max(next.peak_memory_bytes),
            placed_after: None,
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:.2} s, CPU {:.2} s, memory {} MiB",
            self.wall.as_secs_f64(),
            self.cpu.as_secs_f64(),
            self.peak_memory_bytes / (1024 * 1024),
        )
    }
}

/// Runs a program to its end, which must be a success. The memory is that of the process `remembers`, else its own.
pub(super) async fn run(mut command: Command, remembers: Option<Pid>) -> Result<Measured> {
    let started = Instant::now();
    let mut child = command
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{command:?} did not start"))?;
    let pid = pid(&child)?;
    // It is left to be reaped: only then does the kernel still know what it took.
    let ended = spawn_blocking(move || {
        waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )
    });
    tokio::pin!(ended);
    let mut samples = interval(MEMORY_SAMPLES);
    let mut peak_memory_bytes = 0;
    loop {
        tokio::select! {
            outcome = &mut ended => {
                outcome??;
                break;
            }
            _ = samples.tick() => {
                // A process that has just ended has no memory any more.
                let now = memory_bytes(remembers.unwrap_or(pid)).unwrap_or_default();
                peak_memory_bytes = peak_memory_bytes.max(now);
            }
        }
    }
    let wall = started.elapsed();
    let cpu = cpu_time(pid)?;
    let status = child.wait().await?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Measured {
        wall,
        cpu,
        peak_memory_bytes,
        placed_after: None,
    })
}
