//! `hive socket`: where the hive of this user and machine is to be reached, and starting and stopping it.
//!
//! keeper asks it, on this machine as a child process and on another over ssh, so that a hive starts itself in the
//! background the same way everywhere.

mod error;
mod holder;
mod log;
mod start;
mod stop;

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use hive_api::{Open, RunState, SocketAnswer, SocketRefusal, StateFolder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

pub use self::error::SocketError;
use self::holder::Holder;
use crate::{
    cli::{Format, Socket},
    config::{Environment, local_state_folder},
    exit_code::Failure,
    program::in_one_line,
};

/// How often a hive that starts or stops is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// A hive that takes longer to say that it is well does not answer.
const HEALTH_LIMIT: Duration = Duration::from_secs(5);
/// The whole question whether a hive is there.
const HEALTH_REQUEST: &[u8] =
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// How the answer of one begins (RFC 9112, section 4).
const HEALTHY: &[u8] = b"HTTP/1.1 200 ";

/// Does what the arguments say and prints where the socket is.
pub(crate) fn run(arguments: &Socket, environment: &Environment) -> Result<(), Failure> {
    let outcome = answer(arguments, environment);
    let mut stdout = io::stdout();
    match (&outcome, arguments.format) {
        (Ok(answer), Format::Human) => {
            writeln!(stdout, "{}", answer.socket_path)?;
            tell_person(answer);
        }
        (Ok(answer), Format::Json) => writeln!(stdout, "{}", json(answer)?)?,
        (Err(failure), Format::Json) => writeln!(stdout, "{}", json(&refusal(failure))?)?,
        (Err(_), Format::Human) => {}
    }
    outcome.map(drop)
}

fn answer(arguments: &Socket, environment: &Environment) -> Result<SocketAnswer, Failure> {
    let folder = local_state_folder(environment)?;
    let folder = StateFolder::at(std::path::absolute(folder.path())?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mut started_process, mut stopped_process) = (None, None);
    if arguments.start {
        started_process = runtime.block_on(start::start(&folder))?;
    } else if arguments.stop {
        stopped_process = runtime.block_on(stop::stop(&folder))?;
    }
    let is_held = || !matches!(Holder::of(&folder.lock()), Ok(None));
    let has_socket = || folder.socket().symlink_metadata().is_ok();
    Ok(SocketAnswer {
        socket_path: folder.socket().to_string_lossy().into_owned(),
        state: Open::Known(RunState::of(is_held, has_socket)),
        answers: runtime.block_on(answers(&folder.socket())),
        started_process,
        stopped_process,
    })
}

/// What was done besides, on stderr: stdout has the path alone.
fn tell_person(answer: &SocketAnswer) {
    let mut stderr = io::stderr();
    // A person who has gone cannot be told.
    let _ = match (answer.started_process, answer.stopped_process) {
        (Some(pid), _) => writeln!(stderr, "Started the hive (process {pid})"),
        (None, Some(pid)) => writeln!(stderr, "Stopped the hive (process {pid})"),
        (None, None) => Ok(()),
    };
}

fn refusal(failure: &Failure) -> SocketRefusal {
    let lines = match failure {
        Failure::Socket(error) => error.lines().to_vec(),
        _ => Vec::new(),
    };
    SocketRefusal {
        detail: in_one_line(failure),
        hint: failure.remedy(),
        lines,
    }
}

fn json(value: &impl serde::Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)?)
}

/// Whether a hive answers at this socket.
async fn answers(socket: &Path) -> bool {
    let ask = async {
        let mut hive = UnixStream::connect(socket).await?;
        hive.write_all(HEALTH_REQUEST).await?;
        let mut begin = [0; HEALTHY.len()];
        hive.read_exact(&mut begin).await?;
        Ok::<bool, io::Error>(begin == *HEALTHY)
    };
    matches!(timeout(HEALTH_LIMIT, ask).await, Ok(Ok(true)))
}
