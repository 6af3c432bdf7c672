//! A program at a terminal: keys go in, what is on the screen comes out; its standard output goes elsewhere.

use std::{fs::File, io::Write, os::fd::AsFd, process::Stdio};

use anyhow::{Context, Result, bail};
use rustix::{
    process::Signal,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Action, Winsize, tcflow, tcsetwinsize},
};
use tokio::{
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
};

use crate::{
    Finished,
    process::{DEADLINE, collect, end, signal_to, wait_for, wait_for_one_of},
};

/// The size of the terminal.
const SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 100,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// A program that runs at a terminal of its own.
pub struct Terminal {
    child: Child,
    keys: File,
    screen: watch::Receiver<String>,
    stdout: watch::Receiver<String>,
    readers: JoinSet<()>,
}

impl Terminal {
    /// Starts this program of a machine, whose environment is given in whole.
    pub fn start(program: &Command) -> Result<Self> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        tcsetwinsize(&ours, SIZE)?;
        let theirs = program_side(&ours)?;
        let mut command = at_a_terminal(program);
        let mut child = command
            .stdin(Stdio::from(theirs.try_clone()?))
            .stderr(Stdio::from(theirs))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{command:?} did not start"))?;
        // The command holds the program's side of the terminal, which is at its end when all have closed it.
        drop(command);
        let keys = File::from(ours);
        let mut readers = JoinSet::new();
        let screen = tokio::fs::File::from_std(keys.try_clone()?);
        let screen = collect(Some(screen), &mut readers);
        let stdout = collect(child.stdout.take(), &mut readers);
        Ok(Self {
            child,
            keys,
            screen,
            stdout,
            readers,
        })
    }

    /// Types this.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        Ok(self.keys.write_all(keys.as_bytes())?)
    }

    /// Takes nothing more, as a terminal does over a link that stands still.
    pub fn stand_still(&self) -> Result<()> {
        Ok(tcflow(program_side(&self.keys)?, Action::OOff)?)
    }

    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        signal_to(&self.child, signal)
    }

    /// Waits until this has been on the screen.
    pub async fn wait_for(&mut self, text: &str) -> Result<()> {
        wait_for(&mut self.screen, text).await
    }

    /// Waits until one of these has been on the screen.
    pub async fn wait_for_one_of(&mut self, texts: &[&str]) -> Result<()> {
        wait_for_one_of(&mut self.screen, texts).await
    }

    /// Waits until it has ended; what was on the screen stands for its standard error.
    pub async fn finish(mut self) -> Result<Finished> {
        let Some(end) = end(&mut self.child, &mut self.readers).await? else {
            bail!(
                "not ended after {DEADLINE:?}; so far:\n{}",
                *self.screen.borrow()
            );
        };
        Ok(Finished {
            end,
            stdout: self.stdout.borrow().clone(),
            stderr: self.screen.borrow().clone(),
        })
    }
}

/// Opens the side of a terminal that a program has.
fn program_side(ours: impl AsFd) -> Result<File> {
    let path = ptsname(ours, Vec::new())?.into_string()?;
    Ok(File::options().read(true).write(true).open(path)?)
}

/// setsid(1) of util-linux makes the terminal on its standard input that of the program.
fn at_a_terminal(program: &Command) -> Command {
    let program = program.as_std();
    let mut command = Command::new("setsid");
    command
        .arg("--ctty")
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .env("TERM", "xterm");
    for (name, value) in program.get_envs() {
        command.envs(value.map(|value| (name, value)));
    }
    if let Some(folder) = program.get_current_dir() {
        command.current_dir(folder);
    }
    command
}
