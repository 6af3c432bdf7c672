//! Every developer task, by name: `cargo xtask <task>`. What it does is what the README and CI run.
#![expect(
    clippy::print_stderr,
    reason = "a developer task tells its story on stderr"
)]

mod api;
mod bench;
mod browser;
mod canary;
mod chaos;
mod ci;
mod crash;
mod events;
mod faults;
mod fuzz;
mod hive;
mod interruption;
mod keeper;
mod listening_hive;
mod namespaces;
mod packages;
mod process;
mod programs;
mod proxies;
mod python_client;
mod service;
mod ssh;
mod three_hosts;
mod try_main_job;
mod two_users;
mod virtual_environment;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "The tasks of a developer of hive and keeper"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the main job in front of you: a fake Hub, a real hive, a real keeper; nothing is left behind
    Try(try_main_job::Options),
    /// Build both programs and run keeper with these arguments, against the real Hub
    Keeper {
        /// What keeper is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Install hive and keeper into cargo's bin folder
    Install,
    /// Everything that continuous integration checks
    Ci,
    /// Seeded downloads under random faults, each held to the fault matrix; a failing seed replays
    Chaos(chaos::Options),
    /// Kill -9 at named points and at random, and see that every job goes on as it was told
    Crash {
        /// What is under way
        #[command(subcommand)]
        what: crash::What,
    },
    /// Ask a hive everything that its description allows, and much that it does not
    Api,
    /// Follow a job with a browser and with Python, each cut once; none misses or repeats an event
    Browser,
    /// Show that the Hub's own Python client accepts a store that hive wrote
    PythonClient,
    /// Show that two users of one machine have two hives; needs root
    TwoUsers,
    /// Show that systemd accepts the service, and what it keeps from other users; needs root
    Service,
    /// Download through the reverse proxies of docs/OPERATIONS.md
    Proxies,
    /// Show what a disk, a resolver and locks that fail do to a hive; needs root
    Faults,
    /// Show that a hive behind ssh is reached, lost and reached again; needs root
    Ssh,
    /// Show what links that go down between a keeper, a hive and a Hub do to a job; needs root
    ThreeHosts(three_hosts::Options),
    /// Use known secrets in real work, and search for them in everything that it leaves behind, says or shows
    Canary,
    /// Feed what reads bytes from elsewhere with inputs that a fuzzer makes up
    Fuzz(fuzz::Options),
    /// Measure; figures go to docs/benchmarks.md
    Bench {
        /// What is measured
        #[command(subcommand)]
        what: bench::What,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Try(options) => try_main_job::run(options).await,
        Task::Keeper { arguments } => programs::run_keeper(&arguments),
        Task::Install => programs::install(),
        Task::Ci => ci::run(),
        Task::Chaos(options) => chaos::run(&options),
        Task::Crash { what } => crash::run(&what).await,
        Task::Api => api::run().await,
        Task::Browser => browser::run().await,
        Task::PythonClient => python_client::run().await,
        Task::TwoUsers => two_users::run(),
        Task::Service => service::run().await,
        Task::Proxies => proxies::run().await,
        Task::Faults => faults::run().await,
        Task::Ssh => ssh::run().await,
        Task::ThreeHosts(options) => three_hosts::run(&options).await,
        Task::Canary => canary::run().await,
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Bench { what } => bench::run(what).await,
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
