//! `keeper hive list`: which hives there are, without asking any of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ListedHive;
use crate::{
    app::App,
    exit_code::Ending,
    hives::{Config, LOCAL},
    ui::{Tone, table::Table},
};

/// The column that gives way on a narrow terminal.
const ADDRESS: usize = 1;

pub(in crate::commands) fn run(app: &App) -> Ending {
    let no_labels = BTreeMap::new();
    let hives = listed(&app.config, &no_labels);
    if app.printer.settings().is_json() {
        app.printer.json(&Listed { hives });
        return Ending::DONE;
    }
    let mut table = Table::new(&["Hive", "Address", "Labels", "Used"]);
    let mut unusable = Vec::new();
    for hive in &hives {
        if let Some(problem) = hive.problem {
            unusable.push(format!("{} cannot be used: {problem}", hive.name));
        }
        let labels = hive.labels.iter();
        let labels: Vec<String> = labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        table.row(vec![
            hive.name.to_owned(),
            address(hive).to_owned(),
            labels.join(" "),
            if hive.is_used { "used" } else { "" }.to_owned(),
        ]);
    }
    app.printer.table(table, ADDRESS);
    for line in &unusable {
        app.printer.story_in(Tone::Warning, line);
    }
    if app.config.hives().is_empty() {
        app.printer
            .story("Add one on another machine: keeper hive add NAME ssh://HOST");
    }
    Ending::DONE
}

fn address<'a>(hive: &ListedHive<'a>) -> &'a str {
    match hive.url {
        Some(url) => url,
        None if hive.name == LOCAL => "this machine",
        None => "-",
    }
}

/// What a program is told.
#[derive(Serialize)]
struct Listed<'a> {
    hives: Vec<ListedHive<'a>>,
}

/// The hive of this machine, then the others by name.
fn listed<'a>(config: &'a Config, no_labels: &'a BTreeMap<String, String>) -> Vec<ListedHive<'a>> {
    let used = config.default_hive().unwrap_or(LOCAL);
    let local = ListedHive {
        name: LOCAL,
        url: None,
        labels: no_labels,
        pin: None,
        ca_file: None,
        proxy: None,
        hive_command: None,
        is_used: used == LOCAL,
        problem: None,
    };
    let others = config.hives().iter();
    let others = others.map(|(name, known)| {
        let is_used = used == name;
        match &known.entry {
            Ok(entry) => ListedHive::new(name, entry, is_used),
            Err(problem) => ListedHive {
                name,
                url: known.url.as_deref(),
                labels: &known.labels,
                pin: None,
                ca_file: None,
                proxy: None,
                hive_command: None,
                is_used,
                problem: Some(problem),
            },
        }
    });
    std::iter::once(local).chain(others).collect()
}
