//! Asking the `hive` program of this machine to look, start or stop.

use std::{ffi::OsString, process::Stdio, time::Duration};

use hive_api::SocketAnswer;
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

use super::executable;
use crate::{
    exit_code,
    failure::Failure,
    hive_socket::{self, Order},
    hives::TOKEN_VARIABLE,
};

/// Longer than the program gives a hive to start or to drain.
const LIMIT: Duration = Duration::from_secs(45);
/// Its line is shorter.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Runs `hive socket` and gives its answer.
pub(super) async fn ask(
    order: Order,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<SocketAnswer, Failure> {
    let program = executable::find(variable("PATH").as_deref()).await?;
    let failed = |reason: String| {
        Failure::new(
            exit_code::UNREACHABLE,
            "hive_unreachable",
            format!("{} did not say where the hive is", program.display()),
            "run hive socket --start and read what it says",
        )
        .because(Some(reason))
    };
    let run = async {
        let mut child = Command::new(&program)
            .args(order.arguments())
            .env_remove(TOKEN_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            stdout
                .take(LINE_BYTES_MAX)
                .read_to_string(&mut line)
                .await?;
        }
        child.wait().await?;
        Ok::<String, std::io::Error>(line)
    };
    let line = match timeout(LIMIT, run).await {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed(format!("it took longer than {} s", LIMIT.as_secs()))),
    };
    match hive_socket::read(line.trim_end()) {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(refusal)) => Err(hive_socket::refused(exit_code::UNREACHABLE, "", refusal)),
        None => Err(failed("its answer is not that of this version".to_owned())),
    }
}
