//! `cargo xtask fuzz`: builds the targets of `fuzz/` with the stable compiler and runs each for a while.
//!
//! libFuzzer is told by the compiler's own instrumentation which branches an input has taken: an LLVM pass that needs
//! no sanitizer and so no nightly compiler. Inputs that took new ones are kept in `target/fuzz/corpus` for the next run.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use tempfile::TempDir;

use crate::programs::{cargo, root, succeed};

/// `--cfg fuzzing` opens the doors to private readers (`fuzzing.rs` of a crate). The rest is what `-fsanitize=fuzzer`
/// stands for (Clang documentation, "SanitizerCoverage"): counters of edges, their addresses, operands of comparisons.
const FLAGS: [&str; 8] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

#[derive(Args)]
pub(crate) struct Options {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many inputs each target gets instead, the same ones every time
    #[arg(long, conflicts_with = "seconds")]
    runs: Option<u64>,
    /// The targets to run, all if none is named
    targets: Vec<String>,
}

/// Runs the targets, as many at a time as there are processors.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let targets = chosen(&options.targets)?;
    let programs = build()?;
    let waiting = Mutex::new(VecDeque::from(targets));
    let take = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    };
    let worker = || -> Result<bool> {
        let mut is_clean = true;
        while let Some(target) = take() {
            is_clean &= run_target(&programs, &target, options)?;
        }
        Ok(is_clean)
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let mut is_clean = true;
    for result in results {
        is_clean &= result?;
    }
    Ok(if is_clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The targets that are named, or all there are.
fn chosen(named: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root().join("fuzz/targets"))? {
        let file = entry?.path();
        let name = file.file_stem().and_then(|name| name.to_str());
        all.push(name.context("a target has a plain name")?.to_owned());
    }
    all.sort();
    for name in named {
        ensure!(
            all.contains(name),
            "there is no target `{name}`, but {}",
            all.join(", ")
        );
    }
    all.retain(|target| named.is_empty() || named.contains(target));
    Ok(all)
}

/// Builds every target and says in which folder they are.
fn build() -> Result<PathBuf> {
    eprintln!("Building the fuzz targets");
    let host = host()?;
    let folder = root().join("target/fuzz");
    let mut build = cargo();
    // A named platform keeps the flags from build scripts, which have nothing to count for.
    build
        .args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--manifest-path",
        ])
        .arg(root().join("fuzz/Cargo.toml"))
        .args(["--target", &host])
        .arg("--target-dir")
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    succeed(&mut build)?;
    Ok(folder.join(host).join("release"))
}

/// The platform of the compiler itself.
fn host() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .current_dir(root())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

/// Runs one target and says what it came to; false if it found something.
fn run_target(programs: &Path, target: &str, options: &Options) -> Result<bool> {
    let findings = root().join("target/fuzz/findings");
    fs::create_dir_all(&findings)?;
    // What an earlier run has kept would make another run of the same number.
    let fresh = TempDir::with_prefix("fuzz-")?;
    let (corpus, limits) = match options.runs {
        Some(runs) => {
            let limits = vec![format!("-runs={runs}"), "-seed=1".to_owned()];
            (fresh.path().to_owned(), limits)
        }
        None => (
            root().join("target/fuzz/corpus").join(target),
            vec![format!("-max_total_time={}", options.seconds)],
        ),
    };
    fs::create_dir_all(&corpus)?;
    let output = Command::new(programs.join(target))
        .arg(&corpus)
        .arg(root().join("fuzz/seeds").join(target))
        .args(limits)
        .arg(format!("-artifact_prefix={}/{target}-", findings.display()))
        .args([
            "-print_final_stats=1",
            "-max_len=4096",
            "-timeout=10",
            "-rss_limit_mb=2048",
        ])
        .output()
        .with_context(|| format!("the target `{target}` did not start"))?;
    let story = String::from_utf8_lossy(&output.stderr);
    let figure = |name: &str| {
        let line = story.lines().find_map(|line| line.strip_prefix(name));
        line.map_or("?", str::trim).to_owned()
    };
    eprintln!(
        "{target}: {} executions, {} a second",
        figure("stat::number_of_executed_units:"),
        figure("stat::average_exec_per_sec:"),
    );
    if !output.status.success() {
        // What the target said comes before libFuzzer's own words, the path of the input after them.
        eprintln!("{story}");
    }
    Ok(output.status.success())
}
