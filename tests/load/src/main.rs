//! Many clients of one hive at once: submits, watches, and prints what each waited for, as one JSON object.
//!
//! A program of its own so that it can be a release build beside a hive that is one: what it measures is the hive and
//! not the reader.
#![expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]

mod submitting;
mod waits;
mod watching;

use anyhow::Result;
use clap::{Parser, Subcommand};
use hive_api::JobId;
use hive_client::{Endpoint, HiveClient, HttpEndpoint, Trust};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use secrecy::SecretString;
use url::Url;

#[derive(Parser)]
#[command(about = "Many clients of one hive at once, and how long each waits")]
struct Arguments {
    /// The hive's TCP address
    #[arg(long)]
    url: Url,
    /// Its token
    #[arg(long, env = "TOKEN", hide_env_values = true)]
    token: SecretString,
    #[command(subcommand)]
    load: Load,
}

#[derive(Subcommand)]
enum Load {
    /// Submit jobs and wait for nothing but the answers
    Store {
        #[command(flatten)]
        submissions: submitting::Submissions,
        /// So many at once
        #[arg(long, default_value_t = 16)]
        at_once: usize,
    },
    /// Submit jobs at a rate, whether the answers come or not
    Submit {
        #[command(flatten)]
        submissions: submitting::Submissions,
        /// So many a second
        #[arg(long)]
        rate: u32,
    },
    /// Watch one job many times, have it log twice a second, cancel it, and see who missed what
    Watch {
        /// The job
        #[arg(long)]
        job: JobId,
        /// So many watchers
        #[arg(long)]
        watchers: u32,
        /// For so long
        #[arg(long)]
        seconds: u32,
    },
    /// Time the first event of fresh watchers while others watch
    FirstEvent {
        /// The job
        #[arg(long)]
        job: JobId,
        /// So many watch already
        #[arg(long)]
        watchers: u32,
        /// So many come, fifty a second
        #[arg(long)]
        fresh: u32,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    allow_many_open_files()?;
    let client = HiveClient::connect(&Endpoint::Http(HttpEndpoint {
        url: arguments.url,
        token: Some(arguments.token),
        trust: Trust::SystemRoots,
        proxy: None,
    }))?;
    let figures = match arguments.load {
        Load::Store {
            submissions,
            at_once,
        } => submitting::store(&client, &submissions, at_once).await?,
        Load::Submit { submissions, rate } => {
            submitting::at_a_rate(&client, &submissions, rate).await?
        }
        Load::Watch {
            job,
            watchers,
            seconds,
        } => watching::watch(&client, job, watchers, seconds).await?,
        Load::FirstEvent {
            job,
            watchers,
            fresh,
        } => watching::first_event(&client, job, watchers, fresh).await?,
    };
    println!("{figures}");
    Ok(())
}

/// Each watcher is one.
fn allow_many_open_files() -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: most,
        maximum: most,
    };
    Ok(setrlimit(Resource::Nofile, all)?)
}
