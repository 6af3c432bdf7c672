//! `cargo xtask canary`: known secrets are used in real work, at the most talkative level, and then searched for in
//! everything that the work leaves behind, says or shows. What is meant to hold a secret is left out by name.

mod processes;
mod proxy;
mod search;
mod serving;
mod work;

use std::{fs, path::Path, process::ExitCode, time::Duration};

use anyhow::{Result, ensure};

use self::{
    processes::Processes,
    search::{Haystacks, Secret},
    work::Work,
};
use crate::programs::{Profile, Programs};

const LIMIT: Duration = Duration::from_mins(1);
const MODEL: &str = "acme/Canary-GGUF";
const HUB_TOKEN: &str = "hf_canaryOfTheHub0123456789";
const WRONG_HUB_TOKEN: &str = "hf_canaryThatTheHubRefuses";
const WRONG_TOKEN: &str = "hive_canaryThatIsNoToken0123456789";
const WRONG_CODE: &str = "CNRY-2345";
const PROXY_PASSWORD: &str = "canaryOfTheProxy";
/// `user:canaryOfTheProxy` in base64, as a proxy is told it (RFC 7617).
const PROXY_LOGIN: &str = "dXNlcjpjYW5hcnlPZlRoZVByb3h5";
/// Files that are there to hold a secret.
const MEANT: [&str; 4] = ["token", "hub-token", "tls-key.pem", "credentials.toml"];

/// Works, searches, and shows that the search finds.
pub(crate) async fn run() -> Result<ExitCode> {
    let programs = Programs::build(Profile::Dev)?;
    let processes = Processes::look();
    let mut work = Work::start(&programs).await?;
    eprintln!("Logging in, downloading, failing");
    work.refused_and_logged_in().await?;
    eprintln!("Pairing, following, asking with right and wrong secrets");
    work.paired_and_followed().await?;
    eprintln!("Pairing over TLS by the printed line, and looking at everything with doctor");
    work.paired_over_tls().await?;
    eprintln!("Asking the Hub through a proxy that tells everything");
    work.behind_a_proxy().await?;
    eprintln!("Searching");
    let Work {
        secrets,
        code_of_the_line,
        mut left,
        home,
        ..
    } = work;
    left.add_folder(home.path(), &MEANT)?;
    // It may stand in a command line, where it is used up.
    let mut hits = left.hits(&code_of_the_line);
    let seen = processes.seen();
    for arguments in seen.arguments {
        left.add("the arguments of a process", arguments);
    }
    hits.extend(left.hits(&secrets));
    let mut children = Haystacks::default();
    for environment in seen.environments {
        children.add("the environment of a child", environment);
    }
    // A proxy is told to a hive by its environment.
    let untold: Vec<_> = secrets
        .iter()
        .filter(|one| one.text() != PROXY_PASSWORD)
        .cloned()
        .collect();
    hits.extend(children.hits(&untold));
    ensure!(hits.is_empty(), "secrets were found:\n{}", hits.join("\n"));
    let (places, bytes) = left.size();
    shows_that_it_finds(&secrets, home.path())?;
    eprintln!(
        "{} secrets, {places} places, {bytes} bytes: none found",
        secrets.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// Each secret is found in a file that has it.
fn shows_that_it_finds(secrets: &[Secret], folder: &Path) -> Result<()> {
    let found = folder.join("planted");
    fs::create_dir(&found)?;
    for secret in secrets {
        fs::write(found.join("file"), format!("before{}after", secret.text()))?;
        let mut planted = Haystacks::default();
        planted.add_folder(&found, &MEANT)?;
        let hits = planted.hits(std::slice::from_ref(secret));
        ensure!(
            hits.len() == 1,
            "{} was put into a file: {hits:?}",
            secret.name
        );
    }
    Ok(())
}
