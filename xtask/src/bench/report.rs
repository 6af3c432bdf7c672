//! docs/benchmarks.md: a section a benchmark, with the command that made it and the machine it ran on.

use std::fs;

use anyhow::{Context, Result};

use crate::programs::root;

const INTRODUCTION: &str = "# Benchmarks\n\nWhole programs, release builds, everything on one machine over loopback. \
                            Each section is written by the command that it names.\n";

/// Replaces the section with this title, or adds it at the end.
pub(crate) fn write_section(title: &str, command: &str, table: &str) -> Result<()> {
    let path = root().join("docs/benchmarks.md");
    let document = fs::read_to_string(&path).unwrap_or_else(|_| INTRODUCTION.to_owned());
    let body = format!("\n`{command}`, {}:\n\n{table}\n", machine());
    fs::write(&path, replace_section(&document, title, &body)).context("writing docs/benchmarks.md")
}

fn replace_section(document: &str, title: &str, body: &str) -> String {
    let heading = format!("\n## {title}\n");
    let (before, after) = match document.split_once(&heading) {
        Some((before, rest)) => (before, rest.find("\n## ").map_or("", |next| &rest[next..])),
        None => (document, ""),
    };
    format!("{before}{heading}{body}{after}")
}

/// The machine in a few words: what a figure depends on.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = rustix::system::uname();
    let release = kernel.release().to_string_lossy();
    let version: Vec<&str> = release.split('.').take(2).collect();
    format!(
        "{cores} cores, {} {}",
        kernel.sysname().to_string_lossy(),
        version.join(".")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_in_place_and_the_others_stay() {
        let document = "# B\n\n## One\n\nold\n\n## Two\n\nkept\n";
        assert_eq!(
            replace_section(document, "One", "\nnew\n"),
            "# B\n\n## One\n\nnew\n\n## Two\n\nkept\n"
        );
        assert_eq!(
            replace_section("# B\n", "One", "\nnew\n"),
            "# B\n\n## One\n\nnew\n"
        );
    }
}
