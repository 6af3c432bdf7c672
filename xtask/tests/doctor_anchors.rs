//! What `doctor` tells a person to read is there: every place of a page that the programs name has its heading.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const PAGE: &str = "docs/OPERATIONS.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// As the sites that show Markdown make them: lower case, spaces as dashes, no punctuation.
fn anchor(heading: &str) -> String {
    let kept = |letter: char| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter if letter.is_alphanumeric() => Some(letter.to_ascii_lowercase()),
        _ => None,
    };
    heading.chars().filter_map(kept).collect()
}

#[test]
fn every_place_that_the_programs_name_is_a_heading_of_the_page() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let headings: BTreeSet<String> = page
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect();
    let mut files = Vec::new();
    for program in ["bin/hive/src", "bin/keeper/src"] {
        sources(&root().join(program), &mut files);
    }
    let mut named = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        for rest in text.split(&format!("{PAGE}#")).skip(1) {
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
            named.insert(rest[..end.unwrap_or(rest.len())].to_owned());
        }
    }
    assert!(named.contains("nginx"), "{named:?}");
    let missing: Vec<_> = named.difference(&headings).collect();
    assert!(
        missing.is_empty(),
        "{missing:?} of {PAGE} is named and is no heading there"
    );
}
