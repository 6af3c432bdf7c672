//! The program's phases, from its arguments to its exit code.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs::File,
    future::pending,
    io::{self, Write},
    iter::successors,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use hive_api::StateFolder;
use rustix::process::{Resource, Signal as ProcessSignal, getrlimit, setrlimit, setsid};
use secrecy::SecretString;
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
    time::Instant,
};

use crate::{
    access::commands,
    cli::{Cli, Command, Serve},
    config::{Config, Environment, local_state_folder},
    doctor,
    exit_code::{DONE, Failure},
    http, local_token, logging,
    serve::Hive,
    service,
    service_manager::ServiceManager,
    socket,
    state_folder::OwnedStateFolder,
};

/// Tasks that ignore every other end have this long when the process ends.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// Signals closer together have one cause: `timeout` and others send one to the process and to its group.
const ONE_CAUSE: Duration = Duration::from_millis(250);

/// File descriptors for as many connections as we ever take, and as many again for the work.
const OPEN_FILES: u64 = 131_072;

/// Runs the program and gives its exit code.
pub fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // There is nowhere to tell that the terminal is gone.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(crate::exit_code::BAD_CONFIGURATION);
        }
    };
    let environment = |name: &str| env::var_os(name);
    let outcome = dispatch(cli.command, &environment);
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            let mut stderr = io::stderr();
            let _ = writeln!(stderr, "hive: {}", in_one_line(&failure));
            if let Some(remedy) = failure.remedy() {
                let _ = writeln!(stderr, "  Next   {remedy}");
            }
            failure.exit_code()
        }
    }
}

/// Does what the command says, and gives the exit code where that went as it should.
fn dispatch(command: Command, environment: &Environment) -> Result<u8, Failure> {
    match command {
        Command::Doctor(arguments) => {
            raise_open_files_limit();
            return doctor::command::run(&arguments, environment);
        }
        Command::Serve(arguments) => serve(&arguments, environment)?,
        Command::Service(command) => service::run(&command, environment)?,
        Command::Token(arguments) => {
            in_state_folder(environment, |folder| commands::token(folder, arguments))?;
        }
        Command::Pair(arguments) => {
            in_state_folder(environment, |folder| commands::pair(folder, arguments))?;
        }
        Command::Audit(arguments) => {
            in_state_folder(environment, |folder| commands::audit(folder, &arguments))?;
        }
        Command::Socket(arguments) => socket::run(&arguments, environment)?,
        Command::Openapi => openapi()?,
    }
    Ok(DONE)
}

/// A command about the hive of this user on this machine.
fn in_state_folder(
    environment: &Environment,
    command: impl FnOnce(&StateFolder) -> Result<(), Failure>,
) -> Result<(), Failure> {
    command(&local_state_folder(environment)?)
}

/// Every phase of `hive serve`.
fn serve(arguments: &Serve, environment: &Environment) -> Result<(), Failure> {
    let mut config = Config::resolve(arguments, environment)?;
    let _log = logging::start(&config);
    if arguments.new_session {
        leave_session();
    }
    let open_files = raise_open_files_limit();
    config.connections = config.connections.within(open_files);
    config.connections.warn_if_few(open_files);
    let state = OwnedStateFolder::take(config.state.clone())?;
    let local_token = local_token::read_or_create(state.names())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serve_until_stopped(
        config,
        state,
        &local_token,
        environment,
    ));
    end(runtime);
    outcome
}

async fn serve_until_stopped(
    config: Config,
    state: OwnedStateFolder,
    local_token: &SecretString,
    environment: &Environment,
) -> Result<(), Failure> {
    let manager = Arc::new(ServiceManager::from_environment(environment));
    let mut signals = Signals::listen()?;
    // By default it ends the process. Heard, it leaves the write to fail with its error (setrlimit(2), RLIMIT_FSIZE).
    let _file_may_not_grow = signal(SignalKind::from_raw(ProcessSignal::XFSZ.as_raw()))?;
    let idle_exit = config.idle_exit;
    let hive = Hive::start(config, state, local_token).await?;
    manager.ready(&hive.pulse()).await;
    let mut telling = JoinSet::new();
    // Among the tasks that answer requests, so that it is stuck where they are.
    telling.spawn({
        let (manager, pulse) = (Arc::clone(&manager), hive.pulse());
        async move { manager.keep_told(&pulse).await }
    });
    until_told_to_stop(&hive, &mut signals, idle_exit).await;
    telling.shutdown().await;
    manager.stopping().await;
    let told = Instant::now();
    let impatient = async {
        loop {
            if let Asked::Stop(name) = signals.next().await
                && told.elapsed() > ONE_CAUSE
            {
                return name;
            }
        }
    };
    tokio::select! {
        () = hive.shut_down() => {}
        name = impatient => tracing::warn!(signal = name, "leaving at once"),
    }
    Ok(())
}

/// Does what signals ask for, until one asks to stop or there has been nothing to do for long enough.
async fn until_told_to_stop(hive: &Hive, signals: &mut Signals, idle_exit: Option<Duration>) {
    let mut idle = pin!(async {
        match idle_exit {
            Some(quiet) => hive.idle_for(quiet).await,
            None => pending().await,
        }
    });
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Reload => hive.reload().await,
                Asked::Stop(name) => {
                    tracing::info!(signal = name, "stopping");
                    return;
                }
            },
            () = &mut idle => {
                tracing::info!("stopping: nothing to do and nobody here");
                return;
            }
        }
    }
}

/// What a signal asks of a hive.
enum Asked {
    /// To end, by the signal of this name.
    Stop(&'static str),
    /// To read again what may have changed.
    Reload,
}

/// The signals that a hive hears.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Whether there was a terminal that may go away.
    has_terminal: bool,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            has_terminal: has_terminal(),
        })
    }

    /// SIGHUP has two meanings: the terminal is gone, or, as for every service, that files are to be read again.
    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.hang_up.recv() => {
                if self.has_terminal && !has_terminal() {
                    Asked::Stop("SIGHUP")
                } else {
                    Asked::Reload
                }
            }
        }
    }
}

/// Whether this session has a terminal, which it loses when that is closed (tty(4)).
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Prints the description of the HTTP API.
fn openapi() -> Result<(), Failure> {
    let text = http::openapi::text().map_err(io::Error::from)?;
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// A hive that keeper starts outlives keeper's terminal.
fn leave_session() {
    if let Err(error) = setsid() {
        tracing::warn!(%error, "still in the caller's session");
    }
}

/// Each watcher holds a descriptor, and the usual soft limit is 1024. Gives the limit as it is now; `None` is none.
fn raise_open_files_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    let found = limit.current?;
    let allowed = limit
        .maximum
        .map_or(OPEN_FILES, |most| OPEN_FILES.min(most));
    if found >= allowed {
        return Some(found);
    }
    limit.current = Some(allowed);
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => Some(allowed),
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it was");
            Some(found)
        }
    }
}

fn end(runtime: Runtime) {
    runtime.shutdown_timeout(LAST_GRACE);
}

/// The failure and everything below it, for a person.
pub(crate) fn in_one_line(failure: &Failure) -> String {
    let chain = successors(Some(failure as &dyn Error), |&error| error.source());
    let mut causes: Vec<String> = chain.map(ToString::to_string).collect();
    // A library's error may say what the one below it says.
    causes.dedup_by(|below, above| above.ends_with(below.as_str()));
    causes.join(": ")
}
