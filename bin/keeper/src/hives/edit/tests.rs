//! What stays and what changes in a person's files.

use std::{collections::BTreeMap, thread};

use hive_api::{Fingerprint, JobId};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::exit_code;

fn entry(url: &str) -> HiveEntry {
    HiveEntry {
        url: url.to_owned(),
        pin: None,
        ca_file: None,
        proxy: None,
        hive_command: None,
        labels: BTreeMap::new(),
    }
}

fn read_entry(config: &Config, name: &str) -> Result<HiveEntry, String> {
    config.hive(name).unwrap().entry.clone()
}

fn load(folder: &Path) -> Config {
    let folder = folder.as_os_str().to_owned();
    Config::load(&move |name: &str| (name == "KEEPER_CONFIG_DIR").then(|| folder.clone())).unwrap()
}

fn text(folder: &Path) -> String {
    fs::read_to_string(folder.join(CONFIG)).unwrap()
}

fn folder_with(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(CONFIG), config).unwrap();
    folder
}

#[test]
fn the_first_hive_becomes_the_one_that_is_used_and_the_second_does_not() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("deep/keeper");
    assert!(
        load(&folder)
            .add("gpu1", &entry("ssh://gpu1"), None, false)
            .unwrap()
    );
    assert!(
        !load(&folder)
            .add("gpu2", &entry("ssh://gpu2"), None, false)
            .unwrap()
    );
    let config = load(&folder);
    assert_eq!(config.default_hive(), Some("gpu1"));
    assert_eq!(read_entry(&config, "gpu2"), Ok(entry("ssh://gpu2")));
    let taken = config
        .add("gpu1", &entry("ssh://other"), None, false)
        .unwrap_err();
    assert_eq!(taken.exit, exit_code::REFUSED);
}

#[test]
fn every_key_of_an_entry_is_written_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let whole = HiveEntry {
        pin: Some(Fingerprint::of_certificate(b"")),
        ca_file: Some("/etc/ca.pem".into()),
        proxy: Some("http://proxy:3128".into()),
        hive_command: Some("~/bin/hive".into()),
        labels: BTreeMap::from([("gpu".into(), "a100".into())]),
        ..entry("https://gpu1:7835")
    };
    load(folder.path())
        .add("gpu1", &whole, None, false)
        .unwrap();
    assert_eq!(read_entry(&load(folder.path()), "gpu1"), Ok(whole));
}

#[test]
fn comments_and_order_stay() {
    let before = "# mine\nuse = \"b\" # the big one\n\n# first\n[hives.a]\nurl = \"ssh://a\" # here\n\n# second\n[hives.b]\nurl = \"ssh://b\"\n";
    let folder = folder_with(before);
    load(folder.path())
        .add("c", &entry("ssh://c"), None, false)
        .unwrap();
    assert_eq!(
        text(folder.path()),
        format!("{before}\n[hives.c]\nurl = \"ssh://c\"\n")
    );
    load(folder.path()).remove("c").unwrap();
    assert_eq!(text(folder.path()), before);
    load(folder.path()).rename("b", "big").unwrap();
    let expected = before
        .replace("use = \"b\"", "use = \"big\"")
        .replace("[hives.b]", "[hives.big]");
    assert_eq!(text(folder.path()), expected);
    load(folder.path()).use_hive("local").unwrap();
    assert_eq!(
        text(folder.path()),
        expected.replace("use = \"big\"", "use = \"local\"")
    );
}

#[test]
fn hives_that_a_person_wrote_in_one_line_stay_in_one() {
    let folder = folder_with("hives = { a = { url = \"ssh://a\" } }\n");
    load(folder.path())
        .add("b", &entry("ssh://b"), None, false)
        .unwrap();
    let config = load(folder.path());
    assert_eq!(config.hives().len(), 2, "{}", text(folder.path()));
}

#[test]
fn what_is_removed_takes_its_token_and_its_default_along() {
    let folder = folder_with("use = \"a\"\n[hives.a]\nurl = \"https://a\"\n");
    let credentials = folder.path().join(CREDENTIALS);
    fs::write(&credentials, "[a]\ntoken = \"t\"\n").unwrap();
    fs::set_permissions(&credentials, Permissions::from_mode(0o600)).unwrap();
    load(folder.path()).rename("a", "b").unwrap();
    let renamed = load(folder.path());
    assert_eq!(renamed.default_hive(), Some("b"));
    assert!(renamed.token("b").is_some() && renamed.token("a").is_none());
    let mode = fs::metadata(&credentials).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(renamed.remove("b").unwrap());
    let removed = load(folder.path());
    assert_eq!(removed.default_hive(), None);
    assert!(removed.token("b").is_none() && removed.hives().is_empty());
}

#[test]
fn the_hive_of_this_machine_is_neither_removed_nor_called_otherwise() {
    let folder = folder_with("");
    let config = load(folder.path());
    for refused in [
        config.remove(LOCAL).unwrap_err(),
        config.rename(LOCAL, "here").unwrap_err(),
    ] {
        assert_eq!(refused.exit, exit_code::USAGE);
        assert!(refused.problem.detail.contains("always there"));
    }
}

#[test]
fn the_last_job_goes_along_with_a_new_name() {
    let folder = folder_with("[hives.a]\nurl = \"ssh://a\"\n");
    let config = load(folder.path());
    let last = LastJob {
        hive: "a".into(),
        job_id: JobId::new(Uuid::from_u128(1)),
    };
    config.remember_last_job(&last).unwrap();
    config.rename("a", "b").unwrap();
    assert_eq!(config.last_job().unwrap().hive, "b");
}

#[test]
fn a_link_stays_a_link_and_a_file_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let dotfiles = tempfile::tempdir().unwrap();
    let target = dotfiles.path().join("keeper.toml");
    fs::write(&target, "# dotfiles\n").unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&target, folder.path().join(CONFIG)).unwrap();
    load(folder.path())
        .add("a", &entry("ssh://a"), None, false)
        .unwrap();
    assert!(folder.path().join(CONFIG).is_symlink());
    assert!(fs::read_to_string(&target).unwrap().contains("[hives.a]"));
    let mode = fs::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert_eq!(fs::read_dir(dotfiles.path()).unwrap().count(), 1);
}

#[test]
fn keepers_at_the_same_time_lose_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for number in 0..16 {
            let folder = folder.path();
            scope.spawn(move || {
                let name = format!("gpu{number}");
                load(folder)
                    .add(&name, &entry("ssh://gpu"), None, false)
                    .unwrap();
            });
        }
    });
    assert_eq!(load(folder.path()).hives().len(), 16);
}

#[test]
fn a_file_with_an_error_is_left_as_it_is() {
    let folder = folder_with("");
    let config = load(folder.path());
    fs::write(folder.path().join(CONFIG), "hives = 3\n").unwrap();
    assert!(config.add("a", &entry("ssh://a"), None, false).is_err());
    assert_eq!(text(folder.path()), "hives = 3\n");
    assert!(config.remove("a").is_err());
}

#[test]
fn a_token_is_kept_for_its_owner_alone_and_goes_with_its_hive() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join(CREDENTIALS);
    let token = SecretString::from("hive_secret".to_owned());
    let config = load(folder.path());
    let url = "https://gpu1:7835";
    config
        .add("gpu1", &entry(url), Some(&token), false)
        .unwrap();
    let mode = fs::metadata(&credentials).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept = load(folder.path());
    let kept = kept.token("gpu1").unwrap();
    assert_eq!(kept.expose_secret(), "hive_secret");
    load(folder.path()).remove("gpu1").unwrap();
    assert_eq!(fs::read_to_string(&credentials).unwrap(), "");
}

#[test]
fn a_replaced_hive_keeps_its_comments_and_its_token_only_at_its_address() {
    let folder = folder_with(
        "# Mine\n[hives.gpu1]\n# In the cellar\nurl = \"https://gpu1\"\nca_file = \"/a.pem\"\n",
    );
    let token = SecretString::from("t1".to_owned());
    let pinned = HiveEntry {
        pin: Some(Fingerprint::of_certificate(b"")),
        ..entry("https://gpu1")
    };
    let replace = |entry: &HiveEntry, token: Option<&SecretString>| {
        let config = load(folder.path());
        assert!(!config.add("gpu1", entry, token, true).unwrap());
    };
    replace(&pinned, Some(&token));
    let after = text(folder.path());
    assert!(
        after.starts_with("# Mine\n[hives.gpu1]\n# In the cellar\nurl"),
        "{after}"
    );
    assert!(!after.contains("ca_file"), "{after}");
    replace(&pinned, None);
    assert!(load(folder.path()).token("gpu1").is_some());
    replace(&entry("https://elsewhere"), None);
    assert!(load(folder.path()).token("gpu1").is_none());
    let elsewhere = entry("https://elsewhere");
    assert_eq!(read_entry(&load(folder.path()), "gpu1"), Ok(elsewhere));
}

#[test]
fn a_folder_that_takes_no_file_is_found_before_anything_is_done() {
    let home = tempfile::tempdir().unwrap();
    assert!(load(&home.path().join("keeper")).expect_writable().is_ok());
    let config = load(&home.path().join("keeper"));
    fs::remove_dir_all(home.path().join("keeper")).unwrap();
    fs::write(home.path().join("keeper"), "").unwrap();
    assert_eq!(config.expect_writable().unwrap_err().exit, exit_code::USAGE);
}
