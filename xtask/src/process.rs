//! What the kernel says of a running process: `proc(5)`.

use std::{fs, io, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use rustix::{param::clock_ticks_per_second, process::Pid};
use tokio::process::Child;

/// The process id of a child that was not waited for.
pub(crate) fn pid(child: &Child) -> Result<Pid> {
    child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
        .context("the program has ended")
}

/// The CPU time of a process and of the children that it waited for (`proc_pid_stat(5)`, fields 14 to 17).
pub(crate) fn cpu_time(pid: Pid) -> Result<Duration> {
    let stat = read(pid, "stat")?;
    let (_, after_name) = stat
        .rsplit_once(')')
        .context("the stat of a process names it")?;
    let ticks = after_name
        .split_whitespace()
        .skip(11)
        .take(4)
        .map(str::parse::<u32>)
        .sum::<Result<u32, _>>()?;
    let per_second = u32::try_from(clock_ticks_per_second())?;
    Ok(Duration::from_secs(1) * ticks / per_second)
}

/// The anonymous memory of a process (`proc_pid_status(5)`).
pub(crate) fn memory_bytes(pid: Pid) -> Result<u64> {
    let status = read(pid, "status")?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|value| value.trim().strip_suffix(" kB"))
        .context("the process has no memory")?;
    Ok(kib.parse::<u64>()? * 1024)
}

/// How often its threads were taken from a processor, or left one (`proc_pid_status(5)`).
pub(crate) fn context_switches(pid: Pid) -> Result<u64> {
    let mut switches = 0;
    for thread in fs::read_dir(folder(pid).join("task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let counts = status
            .lines()
            .filter_map(|line| line.split_once("ctxt_switches:"));
        for (_, count) in counts {
            switches += count.trim().parse::<u64>()?;
        }
    }
    Ok(switches)
}

/// How many sockets it has open.
pub(crate) fn open_sockets(pid: Pid) -> Result<usize> {
    let mut sockets = 0;
    for descriptor in fs::read_dir(folder(pid).join("fd"))? {
        // One that has been closed meanwhile is none.
        let target = fs::read_link(descriptor?.path()).unwrap_or_default();
        sockets += usize::from(target.to_string_lossy().starts_with("socket:"));
    }
    Ok(sockets)
}

fn read(pid: Pid, file: &str) -> io::Result<String> {
    fs::read_to_string(folder(pid).join(file))
}

fn folder(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()))
}
