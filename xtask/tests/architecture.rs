//! Holds the architecture: which crate may know which, and rules that a compiler does not check.
//!
//! The arrows are those of docs/ARCHITECTURE.md; a new one is a decision, and this table is where it is made.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Crate → the crates of ours that its shipped code may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("hive-api", &[]),
    ("hive-client", &["hive-api"]),
    ("job-registry", &["hive-api"]),
    ("downloader", &[]),
    ("model-store", &[]),
    ("model-provisioner", &["downloader", "model-store"]),
    (
        "hive",
        &[
            "hive-api",
            "hive-client",
            "job-registry",
            "model-provisioner",
            "model-store",
            "downloader",
        ],
    ),
    ("keeper", &["hive-api", "hive-client"]),
    ("fake-hub", &[]),
    ("chaos", &["fake-hub", "model-provisioner", "model-store"]),
    ("e2e", &["fake-hub"]),
    ("load", &["hive-api", "hive-client"]),
    ("xtask", &["fake-hub", "hive-api", "hive-client"]),
];

/// Crate → libraries that would make it know what it must not.
const FORBIDDEN_LIBRARIES: &[(&str, &[&str])] = &[
    ("hive-api", &["tokio", "reqwest", "axum", "sqlx", "hyper"]),
    ("job-registry", &["axum", "hyper", "reqwest", "http"]),
    ("downloader", &["axum", "reqwest", "hf-hub", "sqlx"]),
    ("model-store", &["axum", "reqwest", "hf-hub", "sqlx"]),
    ("model-provisioner", &["axum", "sqlx"]),
    ("hive-client", &["axum", "sqlx", "hf-hub"]),
    ("keeper", &["axum", "sqlx", "hf-hub", "reqwest"]),
];

/// Names of files and folders that say nothing about what is in them.
const DRAWERS: &[&str] = &[
    "common", "utils", "util", "helpers", "helper", "misc", "shared", "types",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn dependencies_of_members() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let name_of = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let shipped = package["dependencies"].as_array().unwrap().iter();
            let shipped = shipped
                .filter(|dependency| dependency["kind"].is_null())
                .map(name_of);
            (name_of(package), shipped.collect())
        })
        .collect()
}

/// Every Rust file of the repository, relative to its root.
fn rust_files() -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&root(), &mut files);
    files
        .into_iter()
        .map(|file| file.strip_prefix(root()).unwrap().to_owned())
        .collect()
}

#[test]
fn crates_depend_only_along_the_drawn_arrows() {
    let members = dependencies_of_members();
    let drawn: BTreeMap<_, BTreeSet<_>> = ARROWS
        .iter()
        .map(|(from, to)| ((*from).to_owned(), to.iter().copied().collect()))
        .collect();
    assert_eq!(
        members.keys().collect::<Vec<_>>(),
        drawn.keys().collect::<Vec<_>>(),
        "every member has a row in ARROWS, and every row a member"
    );
    for (member, dependencies) in &members {
        for dependency in dependencies
            .iter()
            .filter(|name| members.contains_key(*name))
        {
            assert!(
                drawn[member].contains(dependency.as_str()),
                "`{member}` depends on `{dependency}`: no such arrow is drawn"
            );
        }
    }
}

#[test]
fn crates_do_not_pull_in_what_they_must_not_know() {
    let members = dependencies_of_members();
    for (member, libraries) in FORBIDDEN_LIBRARIES {
        for library in *libraries {
            assert!(
                !members[*member].contains(*library),
                "`{member}` must not know `{library}`"
            );
        }
    }
}

#[test]
fn sql_stands_in_job_registry_alone() {
    for (member, dependencies) in dependencies_of_members() {
        assert!(
            !dependencies.contains("sqlx") || member == "job-registry",
            "`{member}` speaks SQL"
        );
    }
}

#[test]
fn no_file_or_folder_is_a_drawer() {
    for file in rust_files() {
        for part in &file {
            let name = Path::new(part)
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned();
            assert!(
                !DRAWERS.contains(&name.as_str()),
                "{} says nothing about what is in it",
                file.display()
            );
        }
        assert!(
            !file.ends_with("mod.rs"),
            "{}: a module is `foo.rs` beside `foo/`",
            file.display()
        );
    }
}

#[test]
fn every_file_says_first_why_it_exists() {
    for file in rust_files() {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        assert!(
            text.starts_with("//!"),
            "{} has no `//!` first line",
            file.display()
        );
    }
}

#[test]
fn files_stay_readable_in_one_sitting() {
    for file in rust_files() {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let code = text
            .lines()
            .take_while(|line| *line != "#[cfg(test)]")
            .count();
        assert!(
            code <= 400,
            "{} has {code} lines before its tests, 400 are the limit",
            file.display()
        );
    }
}
