//! `keeper hive status`: what the hive says about itself; looking starts nothing.

use std::time::Duration;

use hive_api::{HiveInfo, RateLimit};

use crate::{
    app::{App, Way},
    exit_code::Ending,
    failure::Failure,
    ui::{format, screens::labelled},
};

pub(in crate::commands) async fn run(app: &App) -> Result<Ending, Failure> {
    if app.means_fleet() {
        return of_fleet(app).await;
    }
    let hive = match app.way_to_hive()? {
        Way::Own(own) if own.answers().await? => own.hive().clone(),
        Way::Own(own) => return Err(own.not_running("")),
        Way::Address(hive) => hive,
    };
    let info = hive.client.hive().await;
    let info = info.map_err(|error| Failure::of_client(&hive, &error))?;
    if app.printer.settings().is_json() {
        app.printer.json(&info);
    } else {
        for line in lines(&hive.name, &info) {
            app.printer.data(&line);
        }
    }
    Ok(Ending::DONE)
}

/// Several hives, one after the other.
async fn of_fleet(app: &App) -> Result<Ending, Failure> {
    let answers = app.ask_each(async |hive| hive.client.hive().await).await?;
    for each in &answers {
        let name = &each.hive.name;
        match &each.answer {
            Ok(info) if app.printer.settings().is_json() => app.printer.json_of(Some(name), info),
            Ok(info) => {
                for line in lines(name, info) {
                    app.printer.data(&line);
                }
            }
            Err(silence) if app.printer.settings().is_json() => {
                silence.failure.tell_of(&app.printer, Some(name));
            }
            Err(_) => {}
        }
    }
    Ok(Ending::Code(app.tell_silent(&answers)))
}

fn lines(name: &str, info: &HiveInfo) -> Vec<String> {
    let up = format::duration(Duration::from_secs(info.uptime_seconds));
    let mut lines = vec![format!(
        "{name}: hive {} on {}, process {}, up {up}",
        info.version, info.name, info.pid
    )];
    let mut add = |label: &str, text: &str| lines.extend(labelled(label, text));
    let (running, queued) = (info.running_jobs, info.queued_jobs);
    add("Jobs", &format!("{running} running, {queued} queued"));
    add("Fetch", &fetch(info));
    match info.free_bytes {
        Some(free) => {
            let free = format::rough_size(free);
            add("Store", &format!("{}, {free} free", info.store_path));
        }
        None => add("Store", &info.store_path),
    }
    add("State", &info.state_path);
    add("Hub", &hub(info));
    if let Some(proxy) = &info.proxy {
        add("Proxy", proxy);
    }
    if let Some(ca_file) = &info.ca_file {
        add("CA", ca_file);
    }
    if info.listen.is_empty() {
        add("Listen", "on its unix socket alone");
    } else {
        add("Listen", &info.listen.join(", "));
    }
    lines
}

/// What all downloads together may use.
fn fetch(info: &HiveInfo) -> String {
    let connections = format::count(info.connections.into(), "connection");
    let limit = RateLimit::new(info.limit_bytes_per_second);
    match limit.bytes_per_second() {
        Some(_) => format!("over {connections} at most, {limit} at most"),
        None => format!("over {connections} at most, no rate limit"),
    }
}

fn hub(info: &HiveInfo) -> String {
    let account = match (&info.hub_account, &info.hub_token_source) {
        (Some(account), Some(source)) => format!(", account {account} (token from {source})"),
        (None, Some(source)) => format!(", token from {source}"),
        (Some(account), None) => format!(", account {account}"),
        (None, None) => ", no token".to_owned(),
    };
    format!("{}{account}", info.hub_endpoint)
}
