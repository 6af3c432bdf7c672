//! What `.ci/run` checks: what the README tells people to run, and format, lints, documentation, foreign clients.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use tokio::time::Instant;

use crate::programs::{cargo, succeed};

/// Runs every check in the order in which a failure is cheapest to see.
pub(crate) fn run() -> Result<ExitCode> {
    step("format", cargo().args(["fmt", "--all", "--check"]))?;
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
    )?;
    step(
        "the tests, as the README runs them",
        cargo().args(["test", "--locked", "--workspace"]),
    )?;
    step(
        "the main job, as the README runs it",
        cargo().args(["xtask", "try", "--megabytes", "40"]),
    )?;
    nextest()?;
    chaos()?;
    for what in ["download", "jobs"] {
        step(
            &format!("kill -9 at every named point and at random: {what}"),
            cargo().args(["xtask", "crash", what, "--points", "--random", "5"]),
        )?;
    }
    dependencies()?;
    step(
        "two users of one machine",
        cargo().args(["xtask", "two-users"]),
    )?;
    step("the service", cargo().args(["xtask", "service"]))?;
    step("reverse proxies", cargo().args(["xtask", "proxies"]))?;
    step(
        "connections that never finish what they begin",
        cargo().args(["xtask", "bench", "flood", "--quick"]),
    )?;
    step(
        "secrets in what the work leaves behind",
        cargo().args(["xtask", "canary"]),
    )?;
    step("faults of the machine", cargo().args(["xtask", "faults"]))?;
    step("a hive behind ssh", cargo().args(["xtask", "ssh"]))?;
    step(
        "links that go down between three machines",
        cargo().args(["xtask", "three-hosts", "--down", "10"]),
    )?;
    step(
        "readers of bytes from elsewhere",
        cargo().args(["xtask", "fuzz", "--seconds", "15"]),
    )?;
    step(
        "the API against its description",
        cargo().args(["xtask", "api"]),
    )?;
    step(
        "a browser and a Python client of the event stream",
        cargo().args(["xtask", "browser"]),
    )?;
    step(
        "the Hub's Python client",
        cargo().args(["xtask", "python-client"]),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The tests once more, one process each: what a test leaves behind fails it.
fn nextest() -> Result<()> {
    install_unless_there("nextest")?;
    step(
        "nothing left behind by a test",
        cargo().args(["nextest", "run", "--locked", "--workspace"]),
    )
}

/// Random faults: the same ones each time, and some that nobody has seen.
fn chaos() -> Result<()> {
    step(
        "random faults",
        cargo().args(["xtask", "chaos", "--seed", "1", "--runs", "300"]),
    )?;
    step(
        "random faults with a new seed",
        cargo().args(["xtask", "chaos", "--runs", "200"]),
    )
}

/// Licences, sources, one TLS stack; no advisory database, which would need a network.
fn dependencies() -> Result<()> {
    install_unless_there("deny")?;
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

/// Installs `cargo <tool>` where it is missing.
fn install_unless_there(tool: &str) -> Result<()> {
    let there = cargo()
        .args([tool, "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if there {
        return Ok(());
    }
    let package = format!("cargo-{tool}");
    step(
        &format!("installing {package}"),
        cargo().args(["install", "--locked", &package]),
    )
}

fn step(name: &str, command: &mut Command) -> Result<()> {
    eprintln!("\n== {name}");
    let begun = Instant::now();
    succeed(command).with_context(|| format!("check `{name}` failed"))?;
    eprintln!("== {name}: {} s", begun.elapsed().as_secs());
    Ok(())
}
