//! What `.ci/run` checks: what the README tells people to run, and format, lints, documentation, foreign clients.

use std::{
    process::{Command, ExitCode, Stdio},
    thread,
};

use anyhow::{Context, Result, anyhow, ensure};
use tokio::time::Instant;

use crate::programs::{cargo, root, succeed};

/// What a task of `cargo xtask` shows, and its command line.
type Task = (&'static str, &'static [&'static str]);

/// What computes most of its time: random faults the same each time and some that nobody has seen, and the machine.
const COMPUTING: &[Task] = &[
    ("random faults", &["chaos", "--seed", "1", "--runs", "150"]),
    ("random faults with a new seed", &["chaos", "--runs", "100"]),
    (
        "kill -9 at every named point and at random: download",
        &["crash", "download", "--points", "--random", "5"],
    ),
    (
        "kill -9 at every named point and at random: jobs",
        &["crash", "jobs", "--points", "--random", "5"],
    ),
    ("two users of one machine", &["two-users"]),
    ("the service", &["service"]),
    (
        "connections that never finish what they begin",
        &["bench", "flood", "--quick"],
    ),
    ("secrets in what the work leaves behind", &["canary"]),
    ("faults of the machine", &["faults"]),
];

/// What is built for minutes and has no clock to keep: with what the others leave of the processors.
const BUILDING: &[Task] = &[(
    "readers of bytes from elsewhere",
    &["fuzz", "--runs", "300000"],
)];

/// What waits most of its time for answers to wrong tokens, and takes as long as several others.
const ASKING: &[Task] = &[("the API against its description", &["api"])];

/// What waits most of its time, for links and proxies.
const WAITING: &[Task] = &[
    ("reverse proxies", &["proxies"]),
    ("a hive behind ssh", &["ssh"]),
    (
        "links that go down between three machines",
        &["three-hosts", "--down", "10"],
    ),
    (
        "a browser and a Python client of the event stream",
        &["browser"],
    ),
    ("the Hub's Python client", &["python-client"]),
];

/// Runs every check in the order in which a failure is cheapest to see.
pub(crate) fn run() -> Result<ExitCode> {
    step("format", cargo().args(["fmt", "--all", "--check"]))?;
    lints()?;
    step(
        "the tests, as the README runs them",
        cargo().args(["test", "--locked", "--workspace"]),
    )?;
    step(
        "the main job, as the README runs it",
        cargo().args(["xtask", "try", "--megabytes", "40"]),
    )?;
    dependencies()?;
    tasks()?;
    Ok(ExitCode::SUCCESS)
}

/// All kinds side by side; what is beside those that compute is told a task at a time.
fn tasks() -> Result<()> {
    thread::scope(|scope| {
        let lanes: [(_, fn() -> Command); 3] =
            [(ASKING, cargo), (WAITING, cargo), (BUILDING, yielding)];
        let beside = lanes.map(|(tasks, cargo)| {
            scope.spawn(move || {
                tasks
                    .iter()
                    .try_for_each(|(name, task)| told_whole(name, cargo().arg("xtask").args(*task)))
            })
        });
        let computed = COMPUTING
            .iter()
            .try_for_each(|(name, task)| step(name, cargo().arg("xtask").args(*task)));
        beside.into_iter().fold(computed, |so_far, lane| {
            let ended = lane.join().map_err(|_| anyhow!("a check panicked"));
            so_far.and(ended.flatten())
        })
    })
}

/// A cargo that runs when nobody else wants to.
fn yielding() -> Command {
    let cargo = cargo();
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(cargo.get_program());
    nice.current_dir(root());
    nice
}

/// What the compiler and its companions find without running anything.
fn lints() -> Result<()> {
    step(
        "lints",
        cargo().args([
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]),
    )?;
    step(
        "documentation",
        cargo().env("RUSTDOCFLAGS", "--deny warnings").args([
            "doc",
            "--locked",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ]),
    )
}

/// Licences, sources, one TLS stack; no advisory database, which would need a network.
fn dependencies() -> Result<()> {
    let is_there = cargo()
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !is_there {
        step(
            "installing cargo-deny",
            // It runs for a second, and is built for minutes.
            cargo().args(["install", "--locked", "--debug", "cargo-deny"]),
        )?;
    }
    // Those of other platforms too, which no build has fetched.
    step(
        "fetching every dependency",
        cargo().args(["fetch", "--locked"]),
    )?;
    step(
        "dependencies",
        cargo().args(["deny", "--offline", "check", "licenses", "bans", "sources"]),
    )
}

/// A step beside others: all that it says comes when it has ended.
fn told_whole(name: &str, command: &mut Command) -> Result<()> {
    let begun = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("check `{name}` did not start"))?;
    let told = [output.stdout, output.stderr].concat();
    let seconds = begun.elapsed().as_secs();
    eprintln!(
        "\n== {name}\n{}== {name}: {seconds} s, beside others",
        String::from_utf8_lossy(&told)
    );
    let status = output.status;
    ensure!(status.success(), "check `{name}` failed with {status}");
    Ok(())
}

fn step(name: &str, command: &mut Command) -> Result<()> {
    eprintln!("\n== {name}");
    let begun = Instant::now();
    succeed(command).with_context(|| format!("check `{name}` failed"))?;
    eprintln!("== {name}: {} s", begun.elapsed().as_secs());
    Ok(())
}
