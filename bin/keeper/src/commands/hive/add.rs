//! `keeper hive add`: a hive by a name, once it has answered.

use hive_api::HiveInfo;

use super::ListedHive;
use crate::{
    app::App,
    args::HiveAddArguments,
    exit_code::Ending,
    failure::Failure,
    hives::{self, HiveEntry, Target},
    ui::format,
};

pub(in crate::commands) async fn run(
    app: &App,
    arguments: HiveAddArguments,
) -> Result<Ending, Failure> {
    let name = hives::name_for(&arguments.name)?;
    let check = !arguments.no_check;
    let entry = entry(arguments)?;
    let token = hives::token_of_environment(&app.variable);
    let target = Target {
        name: name.clone(),
        flag: Some(entry.url.clone()),
        place: hives::place(&entry, token, &app.variable)?,
    };
    app.config.expect_no_hive(&name)?;
    let info = if check {
        let checked = look(app, &target).await;
        Some(checked.map_err(|failure| not_added(&name, failure))?)
    } else {
        None
    };
    let is_used = app.config.add(&name, &entry)?;
    let about = info.as_ref().map(about).unwrap_or_default();
    app.printer
        .story(&format!("Added {name} ({}){about}", entry.url));
    if is_used {
        app.printer.story(&format!(
            "{name} is used when no hive is named; for the one of this machine: keeper hive use local"
        ));
    }
    if app.printer.settings().is_json() {
        app.printer.json(&ListedHive::new(&name, &entry, is_used));
    }
    Ok(Ending::DONE)
}

/// What goes into the file; TLS's keys only where there is TLS, and ssh's only where there is ssh.
fn entry(arguments: HiveAddArguments) -> Result<HiveEntry, Failure> {
    let is_ssh = arguments.url.starts_with("ssh://");
    let is_tls = arguments.url.starts_with("https://");
    let refused = |option: &str, scheme: &str| {
        let detail = format!("{option} does not go with {}", arguments.url);
        Err(Failure::usage(detail, format!("it is for {scheme} alone")))
    };
    if arguments.pin.is_some() && !is_tls {
        return refused("--pin", "https://");
    }
    if arguments.ca_file.is_some() && !is_tls {
        return refused("--ca-file", "https://");
    }
    if arguments.hive_command.is_some() && !is_ssh {
        return refused("--hive-command", "ssh://");
    }
    let ca_file = arguments.ca_file.as_deref().map(hives::ca_file);
    Ok(HiveEntry {
        url: arguments.url,
        pin: arguments.pin,
        ca_file: ca_file.transpose()?,
        hive_command: arguments.hive_command,
        labels: arguments.labels.into_iter().collect(),
    })
}

/// Whether it answers, and what it says about itself.
async fn look(app: &App, target: &Target) -> Result<HiveInfo, Failure> {
    let hive = app.connect(target).await?;
    let asked = async {
        hive.client.health().await?;
        hive.client.hive().await
    };
    asked
        .await
        .map_err(|error| Failure::of_client(&hive, &error))
}

fn not_added(name: &str, mut failure: Failure) -> Failure {
    let hint = failure.problem.hint.take();
    let anyway = format!("{name} was not added; --no-check adds it all the same");
    failure.problem.hint = Some(match hint {
        Some(hint) => format!("{hint}; {anyway}"),
        None => anyway,
    });
    failure
}

fn about(info: &HiveInfo) -> String {
    let free = info
        .free_bytes
        .map(|free| format!(", {} free", format::rough_size(free)));
    format!(
        ": hive {} on {}{}",
        info.version,
        info.name,
        free.unwrap_or_default()
    )
}
