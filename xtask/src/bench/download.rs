//! `bench download`: a verified download by hive beside curl, aria2c and `hf`, one after the other on one machine.
//! Hive is asked through keeper, as a person asks it, so that submitting, following and keeper's own end are in its
//! figures as each peer's start and end are in theirs. Everything is on loopback, and in folders that go away.

mod contender;
mod hive;
mod measure;
mod memory;
mod nginx;
mod origin;
mod peers;
mod setting;
mod table;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use self::{
    contender::Programs,
    setting::{Setting, Sizes},
};
use super::report;

#[derive(Args)]
pub(crate) struct Options {
    /// Only this setting, else all of them
    #[arg(long, value_enum)]
    only: Option<Setting>,
    /// How often each program runs in a setting [default: 5, with --quick 1]
    #[arg(long, value_name = "N")]
    rounds: Option<u16>,
    /// Small files, to try this task in a minute; writes nothing down
    #[arg(long)]
    quick: bool,
    /// Measure the hive and keeper in this folder, to compare two builds; writes nothing down
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

/// Measures every setting and writes a section for each.
pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let programs = Programs::find(options.programs.as_deref())?;
    tokio::select! {
        measured = measure_settings(&options, &programs) => measured?,
        // Every child and every folder goes with the future that is dropped here.
        told = told_to_stop() => {
            told?;
            bail!("interrupted");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn told_to_stop() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

async fn measure_settings(options: &Options, programs: &Programs) -> Result<()> {
    let sizes = if options.quick {
        Sizes::QUICK
    } else {
        Sizes::FULL
    };
    let rounds = options.rounds.unwrap_or(sizes.rounds).max(1);
    for setting in Setting::ALL {
        if options.only.is_some_and(|only| only != setting) {
            continue;
        }
        eprintln!("== {}", setting.title());
        let table = match setting {
            Setting::Memory => memory::measure(programs, sizes).await?,
            comparison => compare(comparison, programs, sizes, rounds).await?,
        };
        eprintln!("{table}\n");
        if !options.quick && options.programs.is_none() {
            let repeated = options
                .rounds
                .map_or(String::new(), |rounds| format!(" --rounds {rounds}"));
            let name = setting.name();
            let command = format!("cargo xtask bench download --only {name}{repeated}");
            report::write_section(setting.title(), &command, &table)?;
        }
    }
    Ok(())
}

/// Runs every program of a setting once a round, each round beginning with another one.
async fn compare(
    setting: Setting,
    programs: &Programs,
    sizes: Sizes,
    rounds: u16,
) -> Result<String> {
    let origin = setting.origin(sizes).await?;
    let mut order = setting.contenders().to_vec();
    let mut rows = table::Rows::new(setting);
    for round in 1..=rounds {
        for contender in &order {
            let measured = contender.run(programs, &origin).await?;
            eprintln!(
                "round {round} of {rounds}: {}: {measured}",
                contender.name()
            );
            rows.add(*contender, measured);
        }
        order.rotate_left(1);
    }
    Ok(rows.render(origin.bytes))
}
