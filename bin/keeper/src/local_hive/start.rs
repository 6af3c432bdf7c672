//! Starting a hive in the background that outlives keeper and holds nothing of its caller's.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    process::{ExitStatus, Stdio},
};

use hive_client::ClientError;
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use super::{LOOK_EVERY, LocalHive, START_LIMIT, executable};
use crate::{exit_code, failure::Failure};

/// A started hive ends by itself after this time with nothing to do.
const IDLE_EXIT: &str = "15m";
/// The exit code of a hive whose state folder another hive owns (contract of `hive`).
const OWNED_BY_ANOTHER: i32 = 4;
/// A log of this size is put aside before the next start.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How much of a log's end is read to show its last lines.
const LOG_TAIL_BYTES: u64 = 4096;
/// How many of its last lines are shown.
const LOG_TAIL_LINES: usize = 5;

/// Starts the local hive and waits until it answers. The process that was started for it is named where it still runs:
/// the hive that answers is another one where another keeper was faster.
pub(crate) async fn start(
    local: &LocalHive,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<Option<u32>, Failure> {
    let program = executable::find(variable("PATH").as_deref()).await?;
    let (mut child, log_start) = spawn(local, &program).map_err(|error| {
        let folder = local.folder.path().display();
        Failure::new(
            exit_code::UNREACHABLE,
            "hive_unreachable",
            format!("{} could not be started", program.display()),
            format!("check that {folder} can be written, or set HIVE_STATE_DIR"),
        )
        .because(Some(error.to_string()))
    })?;
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match local.hive.client.health().await {
            Ok(()) => return Ok(child.id()),
            // Its socket is bound before it answers, and breaks off where it ends in between: not yet.
            Err(
                ClientError::Unreachable { .. }
                | ClientError::AnswerLost { .. }
                | ClientError::TimedOut { .. },
            ) => {}
            Err(error) => return Err(Failure::of_client(&local.hive, &error)),
        }
        if let Ok(Some(status)) = child.try_wait()
            // Another keeper was faster: its hive is about to answer.
            && status.code() != Some(OWNED_BY_ANOTHER)
        {
            return Err(ended_early(local, status, log_start));
        }
        if Instant::now() >= deadline {
            let limit = START_LIMIT.as_secs();
            let failure = local.not_running(&format!("it did not answer within {limit} s"));
            return Err(failure.with_lines(last_lines(&local.folder.log(), log_start)));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Spawns it, and says where its part of the log begins. `--new-session` makes it leave our session before it does anything else; it is in our process group
/// until then, since a group's leader cannot found a session (setsid(2)).
fn spawn(local: &LocalHive, program: &Path) -> io::Result<(Child, u64)> {
    let folder = local.folder.path();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let log = open_log(&local.folder.log())?;
    let log_start = log.metadata()?.len();
    // What our caller left open without the flag must not live as long as the hive.
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    let child = Command::new(program)
        .args(["serve", "--idle-exit", IDLE_EXIT, "--new-session"])
        // Where keeper is part of a service, the hive is not.
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_PID")
        .env_remove("WATCHDOG_USEC")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(false)
        .spawn()?;
    Ok((child, log_start))
}

fn open_log(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

fn ended_early(local: &LocalHive, status: ExitStatus, log_start: u64) -> Failure {
    let log = local.folder.log();
    let next = match status.code() {
        Some(2) => "correct what the log names".to_owned(),
        _ => format!("read {}", log.display()),
    };
    Failure::new(
        exit_code::UNREACHABLE,
        "hive_unreachable",
        "the hive ended right after its start",
        next,
    )
    .because(Some(status.to_string()))
    .with_lines(last_lines(&log, log_start))
}

/// The end of a log from this byte on, for a person.
fn last_lines(path: &Path, start: u64) -> Vec<String> {
    let tail = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let tail_start = file.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
        file.seek(SeekFrom::Start(tail_start.max(start)))?;
        let mut tail = Vec::new();
        file.take(LOG_TAIL_BYTES).read_to_end(&mut tail)?;
        Ok(tail)
    };
    let tail = tail().unwrap_or_default();
    let text = String::from_utf8_lossy(&tail);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let first = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines[first..].iter().map(|&line| line.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_log_is_put_aside_and_a_small_one_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hive.log");
        fs::write(&path, "before\n").unwrap();
        drop(open_log(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\n");
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(LOG_BYTES_MAX + 1)
            .unwrap();
        drop(open_log(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        let aside = folder.path().join("hive.log.1");
        assert_eq!(fs::metadata(aside).unwrap().len(), LOG_BYTES_MAX + 1);
    }

    #[test]
    fn the_last_lines_of_a_log_are_shown_and_no_log_is_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hive.log");
        assert!(last_lines(&path, 0).is_empty());
        let text: Vec<String> = (0..2_000).map(|number| format!("line {number}")).collect();
        fs::write(&path, text.join("\n")).unwrap();
        let lines = last_lines(&path, 0);
        assert_eq!(lines.first().unwrap(), "line 1995");
        assert_eq!(lines.last().unwrap(), "line 1999");
        let earlier = fs::metadata(&path).unwrap().len() - "line 1999".len() as u64;
        assert_eq!(last_lines(&path, earlier), ["line 1999"]);
    }
}
