//! Holds docs/SECURITY.md to the tree: every threat is there once, and every test, fuzz target and task it names exists.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The threats of the model.
const THREATS: u32 = 28;
/// Those of which nothing is built yet.
const NOT_YET: [u32; 4] = [7, 8, 22, 23];

fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.parent().unwrap().to_owned()
}

fn text() -> String {
    fs::read_to_string(root().join("docs/SECURITY.md")).unwrap()
}

/// The number and the tests of each row.
fn rows() -> Vec<(u32, String)> {
    let text = text();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| T"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        assert_eq!(cells.len(), 4, "{row}");
        (cells[0].parse().unwrap(), cells[3].to_owned())
    })
    .collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The text of every Rust file below these folders.
fn sources() -> String {
    fn walk(folder: &Path, found: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut found = String::new();
    for folder in ["crates", "bin", "tests", "xtask/src"] {
        walk(&root().join(folder), &mut found);
    }
    found
}

#[test]
fn every_threat_has_its_row_once_and_in_order() {
    let numbers: Vec<u32> = rows().iter().map(|row| row.0).collect();
    assert_eq!(numbers, (1..=THREATS).collect::<Vec<_>>());
}

#[test]
fn every_row_names_tests_that_exist_or_says_that_it_does_not_apply() {
    let sources = sources();
    let ci = fs::read_to_string(root().join("xtask/src/ci.rs")).unwrap();
    for (number, tests) in rows() {
        assert_eq!(tests == "none", NOT_YET.contains(&number), "T{number}");
        let (tests, targets) = tests.split_once("fuzz: ").unwrap_or((&tests, ""));
        for target in quoted(targets) {
            let file = root().join(format!("fuzz/targets/{target}.rs"));
            assert!(file.exists(), "T{number}: there is no target `{target}`");
        }
        for test in quoted(tests) {
            let is_there = match test.strip_prefix("cargo xtask ") {
                Some("ci") => true,
                Some(task) => task
                    .split(' ')
                    .all(|word| ci.contains(&format!("\"{word}\""))),
                None => sources.contains(&format!("fn {test}()")),
            };
            assert!(is_there, "T{number}: there is no `{test}`");
        }
    }
}

#[test]
fn every_test_that_the_text_names_exists() {
    let (sources, text) = (sources(), text());
    let harm = text.split_once("## A hive that means harm").unwrap().1;
    let mut named = 0;
    for test in quoted(harm) {
        named += 1;
        assert!(
            sources.contains(&format!("fn {test}()")),
            "there is no `{test}`"
        );
    }
    assert!(named > 5);
}
