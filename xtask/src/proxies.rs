//! Shows that a hive works behind the reverse proxies of docs/OPERATIONS.md, with the very text that stands there.

mod configuration;
mod front;
mod stream;
mod trial;

use std::process::ExitCode;

use anyhow::Result;
use configuration::{Kind, of_the_page};

use crate::{
    packages,
    programs::{Profile, Programs},
};

/// Every configuration of the page, and an nginx that is told to hold back what hive wants passed on.
pub(crate) async fn run() -> Result<ExitCode> {
    packages::install_missing(&[
        ("nginx", "nginx-light"),
        ("caddy", "caddy"),
        ("curl", "curl"),
        ("openssl", "openssl"),
    ])?;
    let programs = Programs::build(Profile::Dev)?;
    let configurations = of_the_page()?;
    for configuration in &configurations {
        eprintln!("== {}", configuration.name());
        trial::passes_all(&programs, configuration).await?;
    }
    for configuration in configurations.iter().filter(|configuration| {
        configuration.kind == Kind::Nginx && configuration.prefix.is_empty()
    }) {
        eprintln!("== nginx that holds back");
        trial::holds_back(&programs, &configuration.holding_back()).await?;
    }
    Ok(ExitCode::SUCCESS)
}
