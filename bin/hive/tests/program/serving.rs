//! The program, run to its end or left serving.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// No test's hive says more.
const LONGEST_LOG_LINES: usize = 10_000;

pub(crate) fn hive(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hive"));
    surround(&mut command, home).args(arguments);
    command
}

/// Gives a command the hive's surroundings and nothing of ours.
fn surround<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    command
        .env_clear()
        .env("HOME", home)
        .env("HIVE_STATE_DIR", home.join("state"))
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .stdin(Stdio::null())
}

/// `hive serve` under a hard limit of open files.
pub(crate) fn hive_with_open_files(home: &Path, limit: u32, arguments: &str) -> Command {
    let program = env!("CARGO_BIN_EXE_hive");
    let mut command = Command::new("/bin/sh");
    surround(&mut command, home).args([
        "-c",
        &format!("ulimit -n {limit}; exec '{program}' serve {arguments}"),
    ]);
    command
}

pub(crate) fn run(home: &Path, arguments: &[&str]) -> Output {
    hive(home, arguments).output().unwrap()
}

pub(crate) fn ended(home: &Path, arguments: &[&str]) -> (i32, String) {
    let output = run(home, arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

/// A hive that serves, killed at the end of its test if it has not ended by itself.
pub(crate) struct Serving {
    pub(crate) child: Child,
    /// The log up to the line that says that it serves.
    pub(crate) first_lines: Vec<String>,
    /// The lines after it; taken from the pipe at once, or the hive could wait for us.
    lines: Receiver<String>,
}

impl Serving {
    /// Returns when it serves.
    pub(crate) fn start(home: &Path, arguments: &[&str]) -> Self {
        Self::of(&mut hive(home, &[&["serve"], arguments].concat()))
    }

    /// Returns when it serves.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::sync_channel(LONGEST_LOG_LINES);
        thread::spawn(move || {
            // A test that failed reads no more.
            log.lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let mut serving = Self {
            child,
            first_lines: Vec::new(),
            lines,
        };
        while !serving.says_that_it_serves() {
            // An error says that it ended before it served.
            let line = serving.lines.recv_timeout(LIMIT).unwrap();
            serving.first_lines.push(line);
        }
        serving
    }

    fn says_that_it_serves(&self) -> bool {
        let last = self.first_lines.last();
        last.is_some_and(|line| line.contains("serving") && line.contains("http.listen"))
    }

    /// The one TCP address it listens on.
    pub(crate) fn address(&self) -> String {
        let line = self.first_lines.last().unwrap();
        let (_, rest) = line.split_once("http.listen=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn wait(self) -> i32 {
        self.wait_with_log().0
    }

    /// The exit code and the log after the line that says that it serves.
    pub(crate) fn wait_with_log(mut self) -> (i32, Vec<String>) {
        let lines = self.lines.iter().collect();
        (self.child.wait().unwrap().code().unwrap(), lines)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
