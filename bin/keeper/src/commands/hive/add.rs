//! `keeper hive add`: a hive by a name, once it has answered.

use hive_api::{HiveInfo, NewToken, Open, Scope};
use secrecy::SecretString;

use super::ListedHive;
use crate::{
    app::App,
    args::HiveAddArguments,
    exit_code::Ending,
    failure::Failure,
    hives::{self, HiveEntry, PairingCode, Target},
    ui::format,
};

pub(in crate::commands) async fn run(
    app: &App,
    arguments: HiveAddArguments,
) -> Result<Ending, Failure> {
    let name = hives::name_for(&arguments.name)?;
    let how = How {
        code: arguments.code.clone(),
        checks: !arguments.no_check,
        replaces: arguments.replace,
    };
    let entry = entry(app, arguments)?;
    if !how.replaces {
        app.config.expect_no_hive(&name)?;
    }
    let is_used = match &how.code {
        Some(code) => pair(app, &name, &entry, code, how.replaces).await?,
        None => add(app, &name, &entry, &how).await?,
    };
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

/// How to add it.
struct How {
    code: Option<PairingCode>,
    checks: bool,
    replaces: bool,
}

/// Asks it, unless told not to, and then adds it; true where it is the one that is used from now on.
async fn add(app: &App, name: &str, entry: &HiveEntry, how: &How) -> Result<bool, Failure> {
    let replaced = app.config.hive(name);
    let replaced = replaced.filter(|old| old.url.as_ref() == Some(&entry.url));
    let token = replaced.and_then(|_| app.config.token(name).cloned());
    let token = token.or_else(|| hives::token_of_environment(&app.variable));
    let target = target(app, name, entry, token)?;
    let info = if how.checks {
        let checked = look(app, &target).await;
        Some(checked.map_err(|failure| not_added(name, failure))?)
    } else {
        None
    };
    let is_used = app.config.add(name, entry, None, how.replaces)?;
    added(app, name, entry, info.as_ref());
    Ok(is_used)
}

/// Exchanges the code for a token, keeps it, and asks the hive with it. The code is used up by then, so that what comes
/// after it undoes nothing.
async fn pair(
    app: &App,
    name: &str,
    entry: &HiveEntry,
    code: &PairingCode,
    replaces: bool,
) -> Result<bool, Failure> {
    let hive = app.connect(&target(app, name, entry, None)?).await?;
    app.config.expect_writable()?;
    let exchanged = code.exchange(&hive).await;
    let token = exchanged.map_err(|mut failure| {
        let stays = if replaces {
            "is as it was"
        } else {
            "was not added"
        };
        append_to_hint(&mut failure, &format!("{name} {stays}"));
        failure
    })?;
    let secret = SecretString::from(token.token.clone());
    let kept = app.config.add(name, entry, Some(&secret), replaces);
    let is_used = kept.map_err(|mut failure| {
        let called = &token.name;
        let lost = format!(
            "then hive pair there again: the code is used up, and its token, {called}, was not kept (hive token revoke \
             {called} ends it)"
        );
        append_to_hint(&mut failure, &lost);
        failure
    })?;
    let checked = look(app, &target(app, name, entry, Some(secret))?).await;
    let info = checked.map_err(|mut failure| {
        let stays = format!("{name} was paired and added all the same");
        append_to_hint(&mut failure, &stays);
        failure
    })?;
    added(app, name, entry, Some(&info));
    app.printer.story(&may(&token));
    Ok(is_used)
}

/// A hive that no file knows yet, or that is to take the place of one.
fn target(
    app: &App,
    name: &str,
    entry: &HiveEntry,
    token: Option<SecretString>,
) -> Result<Target, Failure> {
    Ok(Target {
        name: name.to_owned(),
        flag: Some(entry.url.clone()),
        is_known: false,
        place: hives::place(entry, token, &app.variable)?,
    })
}

fn added(app: &App, name: &str, entry: &HiveEntry, info: Option<&HiveInfo>) {
    let about = info.map(about).unwrap_or_default();
    let line = format!("Added {name} ({}){about}", entry.url);
    app.printer.story(&line);
}

/// What the token lets this keeper do, and until when.
fn may(token: &NewToken) -> String {
    let does = match &token.scope {
        Open::Known(Scope::Read) => "look, and change nothing".to_owned(),
        Open::Known(Scope::Infer) => "look and talk to engines".to_owned(),
        Open::Known(Scope::Operate) => "look, and submit and change jobs".to_owned(),
        Open::Known(Scope::Admin) => "do everything there".to_owned(),
        Open::Unknown(scope) => format!("do what `{scope}` allows"),
    };
    let until = match token.expires_at {
        Some(end) => format!("until {end:.0}"),
        None => "until it is revoked".to_owned(),
    };
    format!(
        "This keeper is called {} there and may {does}, {until}",
        token.name
    )
}

/// What goes into the file; TLS's keys only where there is TLS, ssh's only where there is ssh.
fn entry(app: &App, arguments: HiveAddArguments) -> Result<HiveEntry, Failure> {
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
    if arguments.code.is_some() && is_ssh {
        return Err(Failure::usage(
            format!("--code does not go with {}", arguments.url),
            "over ssh nothing is paired: leave it out",
        ));
    }
    if arguments.proxy.is_some() && is_ssh {
        return Err(Failure::usage(
            format!("--proxy does not go with {}", arguments.url),
            "ssh has ProxyJump and ProxyCommand in ~/.ssh/config",
        ));
    }
    if arguments.hive_command.is_some() && !is_ssh {
        return refused("--hive-command", "ssh://");
    }
    let ca_file = arguments.ca_file.as_deref().map(hives::ca_file);
    let proxy = arguments.proxy.as_deref().map(hives::proxy);
    Ok(HiveEntry {
        url: arguments.url,
        pin: arguments.pin,
        ca_file: ca_file.transpose()?,
        proxy: proxy.transpose()?,
        hive_command: arguments.hive_command,
        labels: match app.config.hive(&arguments.name) {
            Some(replaced) if arguments.labels.is_empty() => replaced.labels.clone(),
            Some(_) | None => arguments.labels.into_iter().collect(),
        },
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
    let anyway = format!("{name} was not added; --no-check adds it all the same");
    append_to_hint(&mut failure, &anyway);
    failure
}

fn append_to_hint(failure: &mut Failure, more: &str) {
    failure.problem.hint = Some(match failure.problem.hint.take() {
        Some(hint) => format!("{hint}; {more}"),
        None => more.to_owned(),
    });
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
