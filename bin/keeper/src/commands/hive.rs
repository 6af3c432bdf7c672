//! Hives: which there are, starting, stopping and looking at the one that is meant, and the Hub account of each.

pub(super) mod add;
pub(super) mod doctor;
pub(super) mod list;
pub(super) mod login;
pub(super) mod logout;
pub(super) mod remove;
pub(super) mod rename;
pub(super) mod restart;
pub(super) mod start;
pub(super) mod status;
pub(super) mod stop;
pub(super) mod use_hive;
pub(super) mod whoami;

use std::path::PathBuf;

use hive_api::Fingerprint;
use serde::Serialize;

use crate::hives::HiveEntry;

/// A hive of the configuration, as a program is told.
#[derive(Serialize)]
struct ListedHive<'a> {
    name: &'a str,
    /// None for the hive of this machine.
    url: Option<&'a str>,
    labels: &'a std::collections::BTreeMap<String, String>,
    pin: Option<Fingerprint>,
    ca_file: Option<&'a PathBuf>,
    proxy: Option<&'a str>,
    hive_command: Option<&'a str>,
    /// Whether it is used when none is named.
    is_used: bool,
    /// Why it cannot be used, where what the files say of it is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

impl<'a> ListedHive<'a> {
    fn new(name: &'a str, entry: &'a HiveEntry, is_used: bool) -> Self {
        Self {
            name,
            url: Some(&entry.url),
            labels: &entry.labels,
            pin: entry.pin,
            ca_file: entry.ca_file.as_ref(),
            proxy: entry.proxy.as_deref(),
            hive_command: entry.hive_command.as_deref(),
            is_used,
            problem: None,
        }
    }
}
