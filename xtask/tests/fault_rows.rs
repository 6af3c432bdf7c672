//! Holds docs/FAULTS.md to the tree: every row of the fault matrix is there once, and every test it names exists.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The rows of the matrix.
const ROWS: u32 = 32;

fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.parent().unwrap().to_owned()
}

/// The cells of each row, without the table's head.
fn rows() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("docs/FAULTS.md")).unwrap();
    let cells = |line: &str| line.split(" | ").map(str::to_owned).collect();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| D"));
    rows.map(cells).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The text of every Rust file that may hold a row.
fn sources() -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["crates", "bin", "tests", "xtask/src/faults"] {
        walk(&root().join(folder), &mut found);
    }
    found
}

#[test]
fn every_fault_has_its_row_once_and_in_order() {
    let numbers: Vec<u32> = rows().iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=ROWS).collect::<Vec<_>>());
}

#[test]
fn every_test_that_a_row_names_exists_and_every_row_names_one() {
    let sources = sources();
    for row in rows() {
        let [number, _fault, _hive, _person, tests] = row.as_slice() else {
            panic!("D{} has {} cells", row[0], row.len());
        };
        assert!(quoted(tests).next().is_some(), "D{number} names no test");
        for test in quoted(tests) {
            // A test of the language, or a row of `cargo xtask faults`.
            let (function, label) = (format!("fn {test}("), format!("\"{test}\""));
            let is_there = |source: &String| source.contains(&function) || source.contains(&label);
            assert!(
                sources.iter().any(is_there),
                "D{number} names `{test}`, and there is no such test"
            );
        }
    }
}
