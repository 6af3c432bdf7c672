//! One run of the system's `ssh` as a child that ends in time, reads nothing of ours, and is left behind by no end.

use std::{path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

use super::{
    Asking,
    trouble::{Ended, Trouble},
};
use crate::hives::TOKEN_VARIABLE;

/// Of each output this much of its end is kept.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// The outputs of a child that has ended are read for so long: a master connection may hold them open.
const DRAIN_LIMIT: Duration = Duration::from_millis(200);

/// Runs it to its end. It is in our process group, so that the Ctrl+C of a terminal ends it with us, unless that is for
/// a job; a master that it leaves behind has a session of its own.
pub(super) async fn run(
    program: &Path,
    arguments: &[String],
    asking: Asking,
    limit: Duration,
) -> Result<Ended, Trouble> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_remove(TOKEN_VARIABLE)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if asking == Asking::InBackground {
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(|_| Trouble::NoSsh)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut running = Running { child, asking };
    let mut outputs = (Tail::default(), Tail::default());
    let ended = timeout(limit, async {
        let reading = async { tokio::join!(outputs.0.read(stdout), outputs.1.read(stderr)) };
        tokio::pin!(reading);
        tokio::select! {
            _ = &mut reading => running.child.wait().await,
            status = running.child.wait() => {
                // What is open still is a master's, which says nothing more.
                let _ = timeout(DRAIN_LIMIT, &mut reading).await;
                status
            }
        }
    })
    .await;
    let status = ended.map_err(|_| Trouble::TooSlow { limit })?;
    Ok(Ended {
        code: status.ok().and_then(|status| status.code()),
        stdout: outputs.0.text(),
        stderr: outputs.1.text(),
    })
}

/// A child that is ended with this value.
struct Running {
    child: Child,
    asking: Asking,
}

impl Drop for Running {
    /// SIGTERM, at which ssh also ends the program of a `ProxyCommand`.
    fn drop(&mut self) {
        // None where it has ended and was waited for.
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else {
            return;
        };
        // One that ends by itself meanwhile is gone as well.
        let _ = match self.asking {
            Asking::Person | Asking::Nobody => kill_process(pid, Signal::TERM),
            Asking::InBackground => kill_process_group(pid, Signal::TERM),
        };
    }
}

/// The end of an output.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    async fn read(&mut self, output: Option<impl AsyncRead + Unpin>) {
        let Some(mut output) = output else { return };
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = output.read(&mut buffer).await {
            self.0.extend_from_slice(&buffer[..length]);
            if self.0.len() > 2 * OUTPUT_BYTES_MAX {
                self.0.drain(..self.0.len() - OUTPUT_BYTES_MAX);
            }
        }
    }

    fn text(&self) -> String {
        let start = self.0.len().saturating_sub(OUTPUT_BYTES_MAX);
        String::from_utf8_lossy(&self.0[start..]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(script: &str, limit: Duration) -> Result<Ended, Trouble> {
        let arguments = ["-c".to_owned(), script.to_owned()];
        run(
            Path::new("/bin/sh"),
            &arguments,
            Asking::InBackground,
            limit,
        )
        .await
    }

    #[tokio::test]
    async fn an_end_is_an_end_although_another_process_holds_the_outputs() {
        let ended = sh(
            "sleep 60 & echo out; echo err >&2; exit 7",
            Duration::from_secs(30),
        );
        let ended = ended.await.unwrap();
        assert_eq!(ended.code, Some(7));
        assert_eq!(
            (ended.stdout.as_str(), ended.stderr.as_str()),
            ("out\n", "err\n")
        );
    }

    #[tokio::test]
    async fn a_flood_keeps_its_end_alone() {
        let ended = sh(
            "head -c 1000000 /dev/zero; echo end",
            Duration::from_secs(30),
        );
        let ended = ended.await.unwrap();
        assert_eq!(ended.stdout.len(), OUTPUT_BYTES_MAX);
        assert!(ended.stdout.ends_with("end\n"));
    }

    #[tokio::test]
    async fn one_that_hangs_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        let script = format!(
            "trap 'touch {}; exit' TERM; sleep 60 & wait",
            told.display()
        );
        let limit = Duration::from_secs(1);
        assert_eq!(
            sh(&script, limit).await.unwrap_err(),
            Trouble::TooSlow { limit }
        );
        timeout(Duration::from_secs(10), async {
            while !told.exists() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
}
